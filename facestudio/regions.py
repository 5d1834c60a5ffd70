"""Faces that other programs marked in XMP: where their areas are once the photo stands otherwise than it is stored.

Two ways of writing them are known: `mwg-rs:Regions` of the Metadata Working Group (guidelines 2.0, section 5.9), and Microsoft's
`MP:RegionInfo`. Both count in fractions of the stored pixels, before the EXIF orientation is applied. Separate from `xmp`, which
reads and writes packets and does not ask what they mean; knows elements, and no pictures.
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


_REGIONS, _RECTANGLE = _name("mwg-rs", "Regions"), _name("MPReg", "Rectangle")
_X, _Y, _WIDTH, _HEIGHT, _UNIT = (_name("stArea", local) for local in ("x", "y", "w", "h", "unit"))
_WIDE, _HIGH = _name("stDim", "w"), _name("stDim", "h")


def apply(root: ET.Element, orientation: int, stored: tuple[int, int] | None = None) -> bool:
    """Move all areas below `root` as EXIF's `orientation` (1..8) moves the pixels; whether there were any to move.

    `stored` is the size of the photo before (width, height). Areas that are said to be of one that stands as the upright
    photo does are right already, and stay. What cannot be read stays as it is.
    """
    if orientation not in _PLACES:
        return False
    moved = False
    for regions in root.iter(_REGIONS):
        if not (stored is not None and _PLACES[orientation][0] and _is_upright(regions, stored)):
            moved |= _apply_to_mwg(regions, orientation)
    for element in root.iter():
        moved |= _apply_to_rectangle(element, orientation)
    return moved


def _apply_to_mwg(regions: ET.Element, orientation: int) -> bool:
    """Areas by their middle, with a size, as a circle or as a point."""
    moved = False
    for element in regions.iter():
        if _PLACES[orientation][0]:
            _swap(element, _WIDE, _HIGH)
        x, y = _number(_get(element, _X)), _number(_get(element, _Y))
        if x is None or y is None or _get(element, _UNIT) not in (None, "normalized"):  # the guidelines know no other
            continue
        x, y = _moved(x, y, orientation)
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
    x, y = _moved(left + width / 2, top + height / 2, orientation)
    if _PLACES[orientation][0]:
        width, height = height, width
    _put(element, _RECTANGLE, ", ".join(map(_written, (x - width / 2, y - height / 2, width, height))))
    return True


def _is_upright(regions: ET.Element, stored: tuple[int, int]) -> bool:
    """Whether areas are said to be of a photo as high and wide as the upright one, which lies as it is `stored`."""
    for element in regions.iter():
        wide, high = _number(_get(element, _WIDE)), _number(_get(element, _HIGH))
        if wide is not None and high is not None:
            return (wide - high) * (stored[0] - stored[1]) < 0
    return False


def _moved(x: float, y: float, orientation: int) -> tuple[float, float]:
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
