"""XMP: read with care, and given the marks of a restoration.

Foreign XML is parsed only after a first pass has found no document type in it, so that no entity can grow or reach out.
Separate from `metadata` because XML is a subject of its own; knows nothing of pictures and of other kinds of metadata.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from xml.parsers import expat

from facestudio import regions

AI_COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
AI_CREATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
# For a blur or a block: IPTC says of it "modification or correction by algorithm". Nothing was generated, so the two above would
# say too much; no person retouched it ("humanEdits"), and it is no composite, because nothing was added to what was captured.
ALTERED = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "facestudio": "urn:facestudio:xmp:1.0/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    **regions.NAMESPACES,
    "hdrgm": "http://ns.adobe.com/hdr-gain-map/1.0/",
    "Container": "http://ns.google.com/photos/1.0/container/",
    "GCamera": "http://ns.google.com/photos/1.0/camera/",
}
for _prefix, _uri in _NAMESPACES.items():
    ET.register_namespace(_prefix, _uri)


def _name(prefix: str, local: str) -> str:
    return f"{{{_NAMESPACES[prefix]}}}{local}"


_RDF, _DESCRIPTION, _ABOUT = _name("rdf", "RDF"), _name("rdf", "Description"), _name("rdf", "about")
_SOURCE_TYPE, _RECIPE = _name("Iptc4xmpExt", "DigitalSourceType"), _name("facestudio", "Recipe")
_OURS = frozenset({_SOURCE_TYPE, _RECIPE, _name("Iptc4xmpExt", "digitalSourceType")})
# true before the restoration and not after it: thumbnails, sizes, places by pixels (EXIF itself has those, moved), and pointers
# to parts that are not written again
_STALE = {
    _name("xmp", "Thumbnails"),
    _name("xmpNote", "HasExtendedXMP"),
    _name("tiff", "ImageWidth"),
    _name("tiff", "ImageLength"),
    _name("exif", "PixelXDimension"),
    _name("exif", "PixelYDimension"),
    _name("exif", "SubjectArea"),
    _name("exif", "SubjectLocation"),
    _name("tiff", "Orientation"),
}
_STALE_NAMESPACES = tuple(f"{{{_NAMESPACES[prefix]}}}" for prefix in ("hdrgm", "Container", "GCamera"))
_PICTURES = ("/9j/", "iVBORw0KGgo", "UklGR", "data:image/")  # how base64 of a JPEG, PNG or WebP begins
_LONGEST_WORD = 200  # characters; a picture has more
# of whatever else is base64 nobody can tell that it is no picture: a depth map, a TIFF, bare samples; words are never so long
_BASE64 = re.compile(r"[A-Za-z0-9+/\-_=\s]*")
_LONGEST_BASE64, _LONGEST_LINE = 1000, 60  # characters
_DEEPEST = 100  # levels of nesting; ElementTree's own functions recurse
_LARGEST = 16 << 20  # bytes


def marked(packet: bytes | None, recipe: str | None, created: bool = False, generative: bool = True) -> bytes:
    """`packet`, or a new one when it is None or broken, saying that AI had a hand in the picture, and holding `recipe` (JSON).

    `created`: the whole picture is made. `generative`: AI made a part of it; if not, it was only altered. What says more
    already goes on saying it.
    """
    source_type = AI_CREATED if created else AI_COMPOSITE if generative else ALTERED
    said = None if packet is None else source_type_of(packet)
    if said == AI_CREATED or (said == AI_COMPOSITE and source_type == ALTERED):
        source_type = said
    root = _parsed(packet) if packet else None
    rdf = _rdf(root) if root is not None else None
    if root is None or rdf is None:
        root = ET.Element(_name("x", "xmpmeta"))
        rdf = ET.SubElement(root, _RDF)
    about = _without_stale(rdf, _OURS)
    ours = ET.SubElement(rdf, _DESCRIPTION, {_ABOUT: about})
    ET.SubElement(ours, _SOURCE_TYPE).text = source_type
    if recipe is not None:
        ET.SubElement(ours, _RECIPE).text = recipe
    return _packet(root)


def mended(packet: bytes | None) -> bytes | None:
    """`packet` without what is no longer true of upright pixels in a new file; None when it is None or broken."""
    root = _parsed(packet) if packet else None
    rdf = _rdf(root) if root is not None else None
    if root is None or rdf is None:
        return None
    _without_stale(rdf, frozenset())
    return _packet(root)


def laid(packet: bytes, orientation: int, stored: tuple[int, int] | None = None, doubtful: bool = True) -> bytes:
    """`packet` with the faces that are marked in it where EXIF's `orientation` (1..8) moves them in a photo of the size `stored`,
    as shares of it; itself where none is, or when it is broken. `doubtful`: as of `regions.apply`."""
    root = _parsed(packet) if orientation != 1 or b"rbUnit" in packet else None
    if root is None:
        return packet
    relative = stored is not None and regions.make_relative(root, stored)
    return _packet(root) if regions.apply(root, orientation, stored, doubtful) or relative else packet


def without_regions(packet: bytes) -> bytes:
    """`packet` without the faces that are marked in it; itself where none is, or when it is broken."""
    root = _parsed(packet)
    return _packet(root) if root is not None and regions.remove(root) else packet


def recipe_of(xmp: bytes) -> str | None:
    """The recipe (JSON) that `marked` put into `xmp`; None when there is none."""
    return _property(xmp, _RECIPE)


def is_picture(text: str | None) -> bool:
    """Whether `text` is, or may be, a picture as base64, such as the photo before in a preview."""
    if text is None or len(text) <= _LONGEST_WORD:
        return False
    return text.lstrip().startswith(_PICTURES) or (len(text) > _LONGEST_BASE64 and _is_base64(text))


def _is_base64(text: str) -> bool:
    """Whether `text` is base64 in one line or in long ones, and no words."""
    lines = text.split()
    return _BASE64.fullmatch(text) is not None and sum(map(len, lines)) >= _LONGEST_LINE * len(lines)


def source_type_of(xmp: bytes) -> str | None:
    """The IPTC digital source type in `xmp`; None when it names none."""
    return _property(xmp, _SOURCE_TYPE)


def _property(xmp: bytes, name: str) -> str | None:
    root = _parsed(xmp)
    for description in root.iter(_DESCRIPTION) if root is not None else ():
        if name in description.attrib:
            return description.attrib[name]
        child = description.find(name)
        if child is not None:
            return child.text
    return None


def _rdf(root: ET.Element) -> ET.Element | None:
    return root if root.tag == _RDF else root.find(f".//{_RDF}")


def _without_stale(rdf: ET.Element, more: frozenset[str]) -> str:
    """Take stale properties, and those named in `more`, out of `rdf`; returns what its descriptions are about."""
    about = ""
    for description in rdf.findall(_DESCRIPTION):
        about = description.get(_ABOUT, about)
        for name in [name for name in description.attrib if _is_stale(name) or name in more]:
            del description.attrib[name]
        for child in [child for child in description if _is_stale(child.tag) or child.tag in more]:
            description.remove(child)
    return about


def _without_pictures(root: ET.Element) -> None:
    """Take what is, or may be, a picture out of `root`, wherever it stands: what is not RDF is kept like that."""
    for element in list(root.iter()):
        for name in [name for name, text in element.attrib.items() if is_picture(text)]:
            del element.attrib[name]
        for child in [child for child in element if is_picture(child.text) and not len(child)]:
            element.remove(child)
        element.text, element.tail = (None if is_picture(text) else text for text in (element.text, element.tail))


def _packet(root: ET.Element) -> bytes:
    _without_pictures(root)
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'.encode()
    return begin + ET.tostring(root, encoding="utf-8", xml_declaration=False) + b'\n<?xpacket end="w"?>'


def _is_stale(name: str) -> bool:
    return name in _STALE or name.startswith(_STALE_NAMESPACES)


def _parsed(xmp: bytes) -> ET.Element | None:
    """The root element; None when `xmp` is broken, much too large or deep, or has a document type."""
    xmp = xmp.strip(b"\x00 \r\n\t")
    if not xmp or len(xmp) > _LARGEST or not _is_harmless(xmp):
        return None
    try:
        return ET.fromstring(xmp)
    except (ET.ParseError, ValueError, LookupError):
        return None


class _Refused(Exception):
    """Raised inside of the first pass."""


def _is_harmless(xmp: bytes) -> bool:
    """Whether `xmp` is well-formed XML without a document type, not nested too deeply."""
    depth = 0

    def refuse(*_: object) -> None:
        raise _Refused

    def enter(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise _Refused

    def leave(*_: object) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = enter
    parser.EndElementHandler = leave
    try:
        parser.Parse(xmp, True)
    except (_Refused, expat.ExpatError, ValueError, LookupError):
        return False
    return True
