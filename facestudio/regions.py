"""Faces that other programs marked in XMP: where their areas are once the photo stands otherwise than it is stored.

Three ways of writing them are known: `mwg-rs:Regions` of the Metadata Working Group (guidelines 2.0, section 5.9), Microsoft's
`MP:RegionInfo`, and `Iptc4xmpExt:ImageRegion` (IPTC Photo Metadata Standard 2019.1: rectangles, circles and polygons). They count
in fractions of the stored pixels, before the EXIF orientation is applied; IPTC's may count in pixels. Separate from `xmp`,
which reads and writes packets and does not ask what they mean; knows elements, and no pictures.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

NAMESPACES = {
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
AS_TURNED = {0: 1, 90: 6, 180: 3, 270: 8}  # the orientation that asks for a turn clockwise
# what an orientation does to a place: whether x and y are exchanged; then whether x counts from the right, y from below
_PLACES = {
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


def _name(prefix: str, local: str) -> str:
    return f"{{{NAMESPACES[prefix]}}}{local}"


_LISTS = (
    _name("mwg-rs", "Regions"),
    _name("MP", "RegionInfo"),
    _name("Iptc4xmpExt", "ImageRegion"),
    "{http://ns.acdsee.com/regions/}Regions",
)  # all that is said of marked faces
_REGIONS, _RECTANGLE = _name("mwg-rs", "Regions"), _name("MPReg", "Rectangle")
_X, _Y, _WIDTH, _HEIGHT, _UNIT = (_name("stArea", local) for local in ("x", "y", "w", "h", "unit"))
_BOUNDARY_UNIT, _RADIUS, _LEFT, _TOP, _ACROSS, _DOWN = (
    _name("Iptc4xmpExt", local) for local in ("rbUnit", "rbRx", "rbX", "rbY", "rbW", "rbH")
)
_WIDE, _HIGH = _name("stDim", "w"), _name("stDim", "h")


def apply(root: ET.Element, orientation: int, stored: tuple[int, int] | None = None, doubtful: bool = True) -> bool:
    """Move all areas below `root` as EXIF's `orientation` (1..8) moves the pixels; whether there were any to move.

    `stored` is the size of the photo before (width, height). Areas that are said to be of one that stands as the upright
    photo does are right already, and stay, where it is `doubtful` what they are of. What cannot be read stays as it is.
    """
    if orientation not in _PLACES:
        return False
    moved = False
    for regions in root.iter(_REGIONS):
        asked = doubtful and stored is not None and _PLACES[orientation][0]
        if not (asked and stored is not None and _is_upright(regions, stored)):
            moved |= _apply_to_mwg(regions, orientation)
    for element in root.iter():
        moved |= _apply_to_rectangle(element, orientation)
        if _get(element, _BOUNDARY_UNIT) == "relative":
            moved |= _apply_to_boundary(element, orientation, stored)
    return moved


def remove(root: ET.Element) -> bool:
    """Take all marked faces, with their names, out of what is below `root`; whether there were any."""
    found = False
    for element in list(root.iter()):
        for child in [child for child in element if child.tag in _LISTS]:
            element.remove(child)
            found = True
    return found


def make_relative(root: ET.Element, stored: tuple[int, int]) -> bool:
    """Let IPTC's areas below `root` that count in pixels of a photo of the size `stored` count in fractions of it, which stay
    true when it is enlarged; whether there were any."""
    found = False
    for element in root.iter():
        if _get(element, _BOUNDARY_UNIT) == "pixel":
            for part in element.iter():
                for name, whole in ((_LEFT, 0), (_TOP, 1), (_ACROSS, 0), (_DOWN, 1), (_RADIUS, 0)):
                    if (number := _number(_get(part, name))) is not None:
                        _put(part, name, _written(number / stored[whole]))
            _put(element, _BOUNDARY_UNIT, "relative")
            found = True
    return found


def _apply_to_mwg(regions: ET.Element, orientation: int) -> bool:
    """Areas by their middle, with a size, as a circle or as a point."""
    moved = False
    for element in regions.iter():
        if _PLACES[orientation][0]:
            _swap(element, _WIDE, _HIGH)
        x, y = _number(_get(element, _X)), _number(_get(element, _Y))
        if x is None or y is None or _get(element, _UNIT) not in (None, "normalized"):  # the guidelines know no other
            continue
        x, y = turned_place(x, y, orientation)
        _put(element, _X, _written(x))
        _put(element, _Y, _written(y))
        if _PLACES[orientation][0]:
            _swap(element, _WIDTH, _HEIGHT)
        moved = True
    return moved


def _apply_to_rectangle(element: ET.Element, orientation: int) -> bool:
    """Microsoft's: left, top, width and height in one text."""
    numbers = [_number(part) for part in (_get(element, _RECTANGLE) or "").split(",")]
    known = [number for number in numbers if number is not None]
    if len(numbers) != 4 or len(known) != 4:
        return False
    left, top, width, height = known
    x, y = turned_place(left + width / 2, top + height / 2, orientation)
    if _PLACES[orientation][0]:
        width, height = height, width
    _put(element, _RECTANGLE, ", ".join(map(_written, (x - width / 2, y - height / 2, width, height))))
    return True


def _apply_to_boundary(boundary: ET.Element, orientation: int, stored: tuple[int, int] | None) -> bool:
    """IPTC's: a rectangle by its corner, a circle by its middle and a radius in widths of the photo, a polygon by its corners."""
    moved = False
    across = _PLACES[orientation][0]
    for element in boundary.iter():
        x, y = _number(_get(element, _LEFT)), _number(_get(element, _TOP))
        if x is None or y is None:
            continue
        width, height = _number(_get(element, _ACROSS)), _number(_get(element, _DOWN))
        half = (0.0, 0.0) if width is None or height is None else (width / 2, height / 2)
        x, y = turned_place(x + half[0], y + half[1], orientation)
        half = half[::-1] if across else half
        _put(element, _LEFT, _written(x - half[0]))
        _put(element, _TOP, _written(y - half[1]))
        if across:
            _swap(element, _ACROSS, _DOWN)
        moved = True
    radius = _number(_get(boundary, _RADIUS))
    if across and radius is not None and stored is not None:
        _put(boundary, _RADIUS, _written(radius * stored[0] / stored[1]))
    return moved


def _is_upright(regions: ET.Element, stored: tuple[int, int]) -> bool:
    """Whether areas are said to be of a photo as high and wide as the upright one, which lies as it is `stored`."""
    for element in regions.iter():
        wide, high = _number(_get(element, _WIDE)), _number(_get(element, _HIGH))
        if wide is not None and high is not None:
            return (wide - high) * (stored[0] - stored[1]) < 0
    return False


def turned_place(x: float, y: float, orientation: int) -> tuple[float, float]:
    """Where EXIF's `orientation` (2..8) moves a place in fractions of the photo, (0, 0) its upper left corner."""
    across, from_right, from_below = _PLACES[orientation]
    if across:
        x, y = y, x
    return 1 - x if from_right else x, 1 - y if from_below else y


def _get(element: ET.Element, name: str) -> str | None:
    """A property of `element`, which RDF may write as an attribute or as a child."""
    return element.get(name, element.findtext(name))


def _put(element: ET.Element, name: str, text: str) -> None:
    child = element.find(name)
    if name in element.attrib or child is None:
        element.set(name, text)
    else:
        child.text = text


def _swap(element: ET.Element, one: str, other: str) -> None:
    first, second = _get(element, one), _get(element, other)
    if first is not None and second is not None:
        _put(element, one, second)
        _put(element, other, first)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _written(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")
