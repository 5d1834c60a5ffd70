"""What a file says about its photo besides the pixels: collected when it is read, mended and marked when it is written.

A written photo carries two marks: the IPTC digital source type "composite with trained algorithmic media" ("trained
algorithmic media" for a picture of nobody, "algorithmically altered" where a face was only hidden), and the recipe as JSON in
an XMP property of our own. JPEG, PNG, WebP, TIFF, HEIC and AVIF hold both. A GIF says it in words and holds the recipe as its
comment; a BMP can hold no metadata at all, so neither. Knows no pixels and no Recipe: a recipe is its line of JSON here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from facestudio import exif, exif_places, iptc, previews, regions, xmp
from facestudio.errors import UnreadablePhoto
from facestudio.files import open_regular, shown
from facestudio.formats import DECODER_ERRORS, WITHOUT_XMP, open_image

POLICIES = KEEP, TECHNICAL, STRIP = "keep", "technical", "strip"
_COMMENT = "Edited with AI by Face Studio. "
_CREATED = "Made with AI by Face Studio. "
_ALTERED = "Altered by Face Studio. "
_LONGEST_JPEG_EXIF = 65533 - 6  # bytes; a JPEG segment holds no more
_LONGEST_JPEG_XMP = 65533 - 29
_LONGEST_JPEG_COMMENT = 65533
_NOT_TEXTS = ("xml:com.adobe.xmp", "raw profile type", "icc", "exif", "parameters thumbnail", "thumb::")


@dataclass(frozen=True, eq=False)
class Metadata:
    """What a file said about its photo.

    Attributes:
        exif: the block, beginning with its TIFF header; xmp: the packet. Both with what they mark in the photo where it is in
            the upright pixels; None where there was none.
        iptc: the block of captions; None where there was none.
        orientation: 1..8, how the stored pixels had to be turned; they are upright by now.
        size: width and height of the upright photo of which this is said; None when no file said it.
        dpi: of a print. comment: of a JPEG or GIF. texts: a PNG's text chunks.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    orientation: int = 1
    size: tuple[int, int] | None = None
    dpi: tuple[float, float] | None = None
    comment: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()

    def turned(self, degrees: int, size: tuple[int, int] | None = None) -> Metadata:
        """What would be said of the photo, of `size` (width, height), turned clockwise by `degrees`: faces that are marked in it
        turn with it, and how many pixels an inch of its height has is then of its width. The pixels are upright as they are, so
        `orientation` stays."""
        dpi = (self.dpi[1], self.dpi[0]) if degrees in (90, 270) and self.dpi is not None else self.dpi
        as_turned = regions.AS_TURNED[degrees]
        packet = None if self.xmp is None else xmp.laid(self.xmp, as_turned, size, False)
        if self.size is None:
            return replace(self, dpi=dpi, xmp=packet)
        block = None if self.exif is None else exif_places.laid(self.exif, as_turned, self.size)
        return replace(self, dpi=dpi, xmp=packet, exif=block, size=self.size[::-1] if as_turned >= 5 else self.size)

    def without_marked_faces(self) -> Metadata:
        """The same, but no faces are marked in it: of a photo that shows others there."""
        return self if self.xmp is None else replace(self, xmp=xmp.without_regions(self.xmp))


@dataclass(frozen=True)
class Written:
    """What goes into an output file: `settings` for `encoding.encode`, `losses` sentences on what did not fit."""

    settings: dict[str, Any]
    losses: tuple[str, ...] = ()


def collect(image: Image.Image, format: str, turned: int = 1) -> Metadata:
    """Everything worth keeping of a decoded `image`; what is damaged is left out, never raised.

    `turned`: the orientation that its file gives where the decoder has turned the pixels by it, and says no more of it.
    """
    info, packet, orientation = image.info, _xmp(image), _orientation(image)
    size = image.size[::-1] if turned >= 5 else image.size
    asked = turned if turned != 1 else orientation
    block = _exif(image, format)
    return Metadata(
        exif=None if block is None else exif_places.laid(block, asked, size),
        xmp=None if packet is None else xmp.laid(packet, asked, size),
        iptc=_iptc(image, format),
        orientation=orientation,
        size=size[::-1] if asked >= 5 else size,
        dpi=_dpi(info.get("dpi")) if _says_resolution(image) else None,
        comment=_comment(info.get("comment")),
        texts=_texts(image) if format == "PNG" else (),
    )


def saved_words(policy: str) -> str:
    """What is said of a saved file when `policy` does not keep all of the photo's metadata, in a sentence; else ""."""
    return {
        TECHNICAL: "Of the photo's metadata it keeps how it was exposed, and nothing of people and places.",
        STRIP: "Nothing of the photo's metadata is kept.",
    }.get(policy, "")


def for_output(
    metadata: Metadata,
    format: str,
    size: tuple[int, int],
    recipe: str | None,
    policy: str = "keep",
    created: bool = False,
    generative: bool = True,
) -> Written:
    """Metadata for a file of `format` with `size` (width, height) upright pixels.

    Args:
        recipe: one line of JSON; None writes no mark either, because nothing was restored.
        policy: "keep", or "strip": nothing of the original, only the marks, be they new or its own already; "technical" is
            "strip" with how the photo was exposed (`exif.technical`) and its resolution in print.
        created: the picture shows nobody, all of it was made. generative: AI made what is new in it.
    """
    if metadata.comment and not _shows_nothing(metadata.comment):
        metadata = replace(metadata, comment=None)
    if policy not in POLICIES:
        raise ValueError(f"the policy is one of {', '.join(POLICIES)}, not {policy!r}")
    keep = policy == "keep"
    mark = _mark(metadata.xmp)
    created, generative = created or mark == xmp.AI_CREATED, generative or mark == xmp.AI_COMPOSITE
    if not keep:
        metadata = _technical(metadata) if policy == "technical" else Metadata()
    if format in WITHOUT_XMP:
        return _for_simple(metadata, format, recipe, created, generative)
    block, losses = _exif_block(metadata, format, size)
    marks = recipe is not None or created or (not keep and mark is not None)
    packet, lost = _xmp_packet(metadata.xmp, format, recipe, created, generative, marks)
    losses += lost
    captions, lost = _captions(metadata.iptc, format)
    losses += lost
    if format == "TIFF":
        settings = _for_tiff(block, packet, captions)
    else:
        settings = {name: content for name, content in (("exif", block), ("xmp", packet)) if content}
        if captions and format == "JPEG":
            settings["extra"] = iptc.jpeg_segment(captions)
    return Written(settings | _beside(metadata, format, captions), losses)


def _beside(metadata: Metadata, format: str, captions: bytes | None) -> dict[str, Any]:
    """What a file of `format` holds in places of its own: the resolution in print, a comment, texts; a PNG its captions too."""
    settings: dict[str, Any] = {}
    if metadata.dpi and format in ("JPEG", "PNG", "TIFF"):
        settings["dpi"] = metadata.dpi
    if metadata.comment and format == "JPEG" and len(metadata.comment) <= _LONGEST_JPEG_COMMENT:
        settings["comment"] = metadata.comment
    texts = (*metadata.texts, *(((iptc.PNG_KEY, iptc.png_text(captions)),) if captions else ()))
    if texts and format == "PNG":
        settings["texts"] = texts
    return settings


def _xmp_packet(
    packet: bytes | None, format: str, recipe: str | None, created: bool, generative: bool, marks: bool
) -> tuple[bytes | None, tuple[str, ...]]:
    """The XMP data for a file of `format`, with our `marks` or as they were, and a sentence when they do not fit."""
    packet = xmp.marked(packet, recipe, created, generative) if marks else xmp.mended(packet)
    if not packet or format != "JPEG" or len(packet) <= _LONGEST_JPEG_XMP:
        return packet, ()
    short = _short_mark(recipe, created, generative) if marks else None
    return short, ("Its XMP data is too long for a JPEG file and is left out.",)


def _exif_block(metadata: Metadata, format: str, size: tuple[int, int]) -> tuple[bytes | None, tuple[str, ...]]:
    """The EXIF data as a file of `format` holds it, None without any, and a sentence when they cannot be kept."""
    block = metadata.exif
    if not block:
        return None, ()
    if metadata.size is not None:
        block = exif_places.enlarged(block, metadata.size, size)
    mended = exif.mended(previews.blanked(block), *size)
    if mended is None:
        return None, ("Its EXIF data is damaged and is left out.",)
    if format == "JPEG" and len(mended) > _LONGEST_JPEG_EXIF:
        return None, ("Its EXIF data is too long for a JPEG file and is left out.",)
    return b"Exif\x00\x00" + mended, ()


def _short_mark(recipe: str | None, created: bool, generative: bool) -> bytes:
    """The XMP data that say how the picture was made, and no more; without the recipe where that is too long for a JPEG file."""
    packet = xmp.marked(None, recipe, created, generative)
    return xmp.marked(None, None, created, generative) if len(packet) > _LONGEST_JPEG_XMP else packet


def read_recipe(path: Path | str) -> str | None:
    """The recipe (JSON, for `Recipe.from_json`) that a saved file holds, None when it holds none.

    UnreadablePhoto when `path` is no picture at all. Pixels are not decoded.
    """
    path = Path(path)
    with open_regular(path) as file:
        try:
            with open_image(file) as image:
                packet, comment = _xmp(image), _comment(image.info.get("comment"))
        except DECODER_ERRORS as error:
            message = f"{shown(path)} is not a photo that Face Studio can read."
            raise UnreadablePhoto(message, hint="Choose a photo that Face Studio saved.") from error
    if packet:
        return xmp.recipe_of(packet)
    text = (comment or b"").decode("utf-8", "replace")
    return next((text.removeprefix(said) for said in (_COMMENT, _CREATED, _ALTERED) if text.startswith(said)), None)


def _for_simple(metadata: Metadata, format: str, recipe: str | None, created: bool, generative: bool) -> Written:
    """BMP and GIF."""
    settings: dict[str, Any] = {}
    if format == "BMP":
        if metadata.dpi:
            settings["dpi"] = metadata.dpi
    elif recipe is not None:
        settings["comment"] = ((_CREATED if created else _COMMENT if generative else _ALTERED) + recipe).encode()
    elif metadata.comment:
        settings["comment"] = metadata.comment
    said = metadata.exif or metadata.xmp or metadata.iptc
    lost = ("EXIF, XMP and IPTC data do not fit into this format and are left out.",) if said else ()
    done = "AI had a hand in the picture" if generative else "the picture was altered"
    no_room = f"This format has no room for the note that {done}."
    unmarked = (no_room,) if format == "BMP" and recipe is not None else ()
    return Written(settings, lost + unmarked)


def _captions(block: bytes | None, format: str) -> tuple[bytes | None, tuple[str, ...]]:
    """The IPTC block for a file of `format`, and a sentence when there was one that cannot be kept."""
    if block is None:
        return None, ()
    captions = iptc.mended(block)
    if captions is None:
        return None, ("Its IPTC captions are damaged and are left out.",)
    if format not in iptc.PLACES:
        return None, ("Its IPTC captions do not fit into this format and are left out.",)
    if format == "JPEG" and len(captions) > iptc.LONGEST_IN_JPEG:
        return None, ("Its IPTC captions are too long for a JPEG file and are left out.",)
    return captions, ()


def _technical(metadata: Metadata) -> Metadata:
    """How the photo was exposed, and its resolution in print."""
    try:
        block = exif.technical(metadata.exif) if metadata.exif else None
    except DECODER_ERRORS:
        block = None
    return Metadata(exif=block, dpi=metadata.dpi)


def _mark(packet: bytes | None) -> str | None:
    """The mark of ours that `packet` carries already."""
    found = None if packet is None else xmp.source_type_of(packet)
    return found if found in (xmp.AI_COMPOSITE, xmp.AI_CREATED) else None


def _for_tiff(block: bytes | None, packet: bytes | None, captions: bytes | None) -> dict[str, Any]:
    beside = {exif.XMP: packet, iptc.TIFF_TAG: captions}
    try:
        tags, nested = exif.for_tiff(block, beside)
    except DECODER_ERRORS:  # Pillow reads more of the block than we mended
        tags, nested = exif.for_tiff(None, beside)
    # Pillow compresses by libtiff, which cannot write directories within directories; keeping them weighs more
    return {"exif": tags, "compression": "raw"} if nested else {"exif": tags}


def _exif(image: Image.Image, format: str) -> bytes | None:
    try:
        if format == "TIFF":
            return exif.of_tiff(image)
        block = image.info.get("exif")
        if block is None and "Raw profile type exif" in image.info:
            block = image.getexif().tobytes()
    except DECODER_ERRORS:
        return None
    return block.removeprefix(b"Exif\x00\x00") or None if isinstance(block, bytes) else None


def _iptc(image: Image.Image, format: str) -> bytes | None:
    try:
        return iptc.of_image(image, format)
    except DECODER_ERRORS:
        return None


def _says_resolution(image: Image.Image) -> bool:
    """Whether the file says how large a print of it is; of a TIFF that does not Pillow says one pixel an inch."""
    tags = getattr(image, "tag_v2", None)
    return tags is None or 0x011A in tags


def _xmp(image: Image.Image) -> bytes | None:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if packet is None and hasattr(image, "tag_v2"):
        packet = image.tag_v2.get(700)
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "replace")
    return packet if isinstance(packet, bytes) and packet.strip(b"\x00") else None


def _orientation(image: Image.Image) -> int:
    try:
        turn = image.getexif().get(0x0112, 1)
    except DECODER_ERRORS:
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _dpi(found: Any) -> tuple[float, float] | None:
    try:
        dpi = float(found[0]), float(found[1])
    except (TypeError, ValueError, LookupError, ArithmeticError):
        return None
    return dpi if all(1 <= d <= 65535 for d in dpi) else None


def _comment(found: Any) -> bytes | None:
    if isinstance(found, str):
        return found.encode("utf-8", "replace")
    return found if isinstance(found, bytes) and found else None


def _shows_nothing(comment: bytes) -> bool:
    """Whether no picture hides in a comment, as it is or as base64."""
    return previews.blanked(comment) == comment and not xmp.is_picture(comment.decode("latin-1"))


def _texts(image: Image.Image) -> tuple[tuple[str, str], ...]:
    try:
        texts = getattr(image, "text", {})
    except DECODER_ERRORS:  # those behind the pixels of a damaged file
        texts = {key: text for key, text in image.info.items() if isinstance(text, str)}
    said = {str(key): str(text) for key, text in texts.items() if not str(key).lower().startswith(_NOT_TEXTS)}
    return tuple((key, text) for key, text in said.items() if not xmp.is_picture(text))
