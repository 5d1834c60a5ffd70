"""EXIF, changed in place: what is wrong after a restoration is mended, everything else stays where it stood.

Rewriting EXIF through a dictionary would move the maker's notes, whose inner offsets are then wrong, so the block's own
bytes are patched. Knows the TIFF structure of a block of bytes and nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import ExifTags, Image, TiffImagePlugin

_PREFIX = b"Exif\x00\x00"
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_ORIENTATION, _WIDTH, _HEIGHT, _EXIF_IFD = 0x0112, 0x0100, 0x0101, 0x8769
_PIXEL_WIDTH, _PIXEL_HEIGHT = 0xA002, 0xA003
_SUB_IFDS = 0x014A  # directories of other pictures of the same: previews, of whatever kind
_LONGEST_CHAIN = 64  # directories
XMP = 0x02BC  # the tag of a packet in a TIFF file
_DATA_AT = {0x0201: 0x0202, 0x0111: 0x0117}  # where a thumbnail's bytes are: the tag of its offset, and of its length
_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
_DESCRIPTIVE = (  # of a TIFF file: what it says about the photo, as opposed to how its pixels are stored
    *(0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298),  # description, camera, time, author, rights
    *(0x011A, 0x011B, 0x0128),  # resolution of a print
    *range(0x9C9B, 0x9CA0),  # title, comment, author, keywords, subject as Windows writes them
)


_TECHNICAL = (  # how the exposure was made; nothing of who, when, where, or with which camera and lens
    *(0x829A, 0x829D, 0x8822, 0x8827),  # exposure time, aperture, programme, sensitivity
    *range(0x9201, 0x9206),  # shutter, aperture, brightness, bias, largest aperture
    *(0x9207, 0x9208, 0x9209, 0x920A),  # metering, light, flash, focal length
    *(
        0xA001,
        0xA217,
        0xA401,
        0xA402,
        0xA403,
        0xA404,
        0xA405,
        0xA406,
    ),  # colour space, sensor, mode, white balance, zoom, scene
    *(0xA407, 0xA408, 0xA409, 0xA40A, 0xA40C),  # gain, contrast, saturation, sharpness, range of distance
)


@dataclass(frozen=True)
class _Entry:
    """One entry of a directory: its place in the block, its tag, type and count, and where its value stands."""

    at: int
    tag: int
    type: int
    count: int
    value_at: int


def mended(block: bytes, width: int, height: int) -> bytes | None:
    """EXIF for a picture of `width` x `height` upright pixels: no orientation, no thumbnail, no other pictures
    in directories of their own, true dimensions.

    None when `block` is not EXIF or is damaged. A preview that a maker hides in its own notes is for `previews` to find.
    """
    data = bytearray(block.removeprefix(_PREFIX))
    order = _order(data)
    if order is None:
        return None
    try:
        first = struct.unpack_from(f"{order}I", data, 4)[0]
        sizes = {_WIDTH: width, _HEIGHT: height, _PIXEL_WIDTH: width, _PIXEL_HEIGHT: height}
        others: list[int] = []
        for entry in _entries(data, order, first):
            if entry.tag == _ORIENTATION:
                _put(data, order, entry, 1)
            elif entry.tag in sizes:
                _put(data, order, entry, sizes[entry.tag])
            elif entry.tag == _SUB_IFDS:
                others += _numbers(data, order, entry)
        for inner in _shot(data, order):
            if inner.tag in sizes:
                _put(data, order, inner, sizes[inner.tag])
        for place in others:
            _blank_pictures(data, order, place)
        _drop_thumbnail(data, order, first)
    except struct.error:
        return None
    return bytes(data)


def numbers(block: bytes, tags: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Those of `tags` in the directory of how the photo was taken that hold whole numbers, with them; none of a damaged block."""
    data, order = bytearray(block), _order(block)
    if order is None:
        return {}
    found = {}
    try:
        for entry in _shot(data, order):
            if entry.tag in tags and entry.type in (3, 4):
                found[entry.tag] = _numbers(data, order, entry)
    except struct.error:
        return {}
    return found


def with_numbers(block: bytes, values: Mapping[int, Sequence[int]]) -> bytes:
    """`block` with other `values` in entries that `numbers` found in it, as many as were there; none is larger than fits."""
    data, order = bytearray(block), _order(block)
    if order is None or not values:
        return block
    entries = list(_shot(data, order))  # all first: in a damaged block a value may lie on an entry
    for entry in entries:
        # the same tag may come twice, with another count
        if entry.tag in values and entry.type in (3, 4) and entry.count == len(values[entry.tag]):
            largest, kind = (0xFFFF, "H") if entry.type == 3 else (0xFFFFFFFF, "I")
            kept = [min(max(value, 0), largest) for value in values[entry.tag]]
            struct.pack_into(f"{order}{entry.count}{kind}", data, entry.value_at, *kept)
    return bytes(data)


def technical(block: bytes) -> bytes | None:
    """A new block that says only how the photo was exposed, in numbers; None when `block` does not say.

    A damaged block raises one of `formats.DECODER_ERRORS`.
    """
    exif = Image.Exif()
    try:
        exif.load(_PREFIX + block.removeprefix(_PREFIX))
        found = exif.get_ifd(ExifTags.IFD.Exif)
    except struct.error:
        return None
    said = {tag: found[tag] for tag in _TECHNICAL if tag in found and _is_number(found[tag])}
    if not said:
        return None
    chosen = Image.Exif()
    chosen[ExifTags.IFD.Exif] = said
    return chosen.tobytes().removeprefix(_PREFIX)


def of_tiff(image: Image.Image) -> bytes | None:
    """What a TIFF file says about its photo, as an EXIF block; None when it says nothing."""
    found = _descriptive(image.getexif())
    return found.tobytes().removeprefix(_PREFIX) if len(found) else None


def for_tiff(block: bytes | None, beside: Mapping[int, bytes | None]) -> tuple[bytes, bool]:
    """The descriptive part of an EXIF block, and what a TIFF file holds in the same directory, `beside` it, by its tags.

    Also whether there are directories within it (camera settings, place), which libtiff cannot write.
    """
    exif = Image.Exif()
    if block is not None:
        exif.load(_PREFIX + block)
    chosen = _descriptive(exif)
    chosen.update({tag: content for tag, content in beside.items() if content is not None})
    return chosen.tobytes(), any(directory in chosen for directory in _DIRECTORIES)


def _is_number(value: object) -> bool:
    """Whether `value` is a number, so that no text can be in it."""
    return isinstance(value, int | float | TiffImagePlugin.IFDRational) and not isinstance(value, bool)


def _descriptive(exif: Image.Exif) -> Image.Exif:
    chosen = Image.Exif()
    for tag in _DESCRIPTIVE:
        if tag in exif:
            chosen[tag] = exif[tag]
    for directory in _DIRECTORIES:
        if found := exif.get_ifd(directory):
            chosen[directory] = dict(found)
    return chosen


def _order(data: bytes | bytearray) -> str | None:
    """How `struct` calls the byte order of a block; None when it is none."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    return order if order and bytes(data[2:4]) == struct.pack(f"{order}H", 42) else None


def _shot(data: bytearray, order: str) -> Iterator[_Entry]:
    """The entries of the directory that says how the photo was taken."""
    for entry in _entries(data, order, struct.unpack_from(f"{order}I", data, 4)[0]):
        if entry.tag == _EXIF_IFD:
            yield from _entries(data, order, struct.unpack_from(f"{order}I", data, entry.value_at)[0])


def _entries(data: bytearray, order: str, at: int) -> Iterator[_Entry]:
    for n in range(struct.unpack_from(f"{order}H", data, at)[0]):
        place = at + 2 + 12 * n
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, place)
        length = _SIZES.get(kind, 1) * count
        value_at = place + 8 if length <= 4 else struct.unpack_from(f"{order}I", data, place + 8)[0]
        yield _Entry(place, tag, kind, count, value_at)


def _put(data: bytearray, order: str, entry: _Entry, value: int) -> None:
    """Write one whole number into an entry that holds one whole number; a short one grows if it must."""
    if entry.type not in (3, 4) or entry.count != 1:
        return
    if entry.type == 3 and value <= 0xFFFF:
        struct.pack_into(f"{order}H", data, entry.at + 8, value)
    else:
        struct.pack_into(f"{order}H", data, entry.at + 2, 4)
        struct.pack_into(f"{order}I", data, entry.at + 8, value)


def _drop_thumbnail(data: bytearray, order: str, first: int) -> None:
    """Cut the second directory, which describes the thumbnail, off the chain and blank it."""
    link = first + 2 + 12 * struct.unpack_from(f"{order}H", data, first)[0]
    second = struct.unpack_from(f"{order}I", data, link)[0]
    struct.pack_into(f"{order}I", data, link, 0)
    if not second:
        return
    _blank_pictures(data, order, second)


def _blank_pictures(data: bytearray, order: str, at: int, depth: int = 0) -> None:
    """Blank the directory `at`, what it holds, the picture that it describes, and whatever stands behind it in the chain."""
    if depth > _LONGEST_CHAIN:
        raise struct.error("a chain of directories without an end")
    size = 2 + 12 * struct.unpack_from(f"{order}H", data, at)[0] + 4
    (following,) = struct.unpack_from(f"{order}I", data, at + size - 4)
    struct.pack_into(f"{order}I", data, at + size - 4, 0)
    if following:
        _blank_pictures(data, order, following, depth + 1)
    entries = {entry.tag: entry for entry in _entries(data, order, at)}
    for offset_tag, length_tag in _DATA_AT.items():
        if offset_tag in entries and length_tag in entries:
            starts, lengths = (_numbers(data, order, entries[tag]) for tag in (offset_tag, length_tag))
            for start, length in zip(starts, lengths, strict=False):
                _blank(data, start, length)
    for entry in entries.values():
        length = _SIZES.get(entry.type, 1) * entry.count
        if length > 4:
            _blank(data, entry.value_at, length)
    _blank(data, at, size)


def _numbers(data: bytearray, order: str, entry: _Entry) -> tuple[int, ...]:
    if entry.type not in (3, 4) or entry.count > 4096:
        return ()
    return struct.unpack_from(f"{order}{entry.count}{'H' if entry.type == 3 else 'I'}", data, entry.value_at)


def _blank(data: bytearray, start: int, length: int) -> None:
    """Fill with zeros; what was the end of the block is cut off instead."""
    if start >= len(data):
        return
    if start + length >= len(data):
        del data[start:]
    else:
        data[start : start + length] = bytes(length)
