"""IPTC captions as archives and older programs write them: who is in a photo, where and when, in a block of their own.

The block (IIM: records of datasets) is taken out of a JPEG's Photoshop segment, a TIFF's tag or a PNG's text, and put into the
same places of what is written; WebP, HEIC and AVIF have no place for it. Of Photoshop's other resources nothing is kept: its
thumbnail would show the face before. Separate from `exif` and `xmp`, because it is neither; knows bytes, and no policies.
"""

from __future__ import annotations

import re
import struct
from typing import Any

from PIL import Image

PLACES = ("JPEG", "TIFF", "PNG")
TIFF_TAG = 0x83BB
PNG_KEY = "Raw profile type iptc"
LONGEST_IN_JPEG = 65533 - 27  # bytes; a segment less what stands before the block
_PHOTOSHOP_TAG = 0x8649
_SEGMENT, _RESOURCE, _BLOCK_ID = b"Photoshop 3.0\x00", b"8BIM", 0x0404
_MARKER = 0x1C
_KEPT = (1, 2)  # the envelope and what is said of the photo; the other records hold a picture
_PREVIEW = (200, 201, 202)  # of record 2: a small picture, with the face before


def of_image(image: Image.Image, format: str) -> bytes | None:
    """The block that the file of `image` holds, as it stands there; None when it holds none."""
    if format == "JPEG":
        segments = [data for name, data in getattr(image, "applist", ()) if name == "APP13"]
        return _in_resources(b"".join(s.removeprefix(_SEGMENT) for s in segments if s.startswith(_SEGMENT)))
    if format == "TIFF":
        return _of_tiff(image)
    if format == "PNG":
        return _in_text(getattr(image, "text", {}).get(PNG_KEY, ""))
    return None


def mended(block: bytes) -> bytes | None:
    """`block` without previews, and without what stands behind its last whole dataset; None when there is none in it."""
    kept, at = b"", 0
    while at + 5 <= len(block) and block[at] == _MARKER:
        record, dataset, length = struct.unpack_from(">BBH", block, at + 1)
        start = at + 5
        if length & 0x8000:  # so many bytes hold the length
            wide = length & 0x7FFF
            if wide > 4:
                break
            length = int.from_bytes(block[start : start + wide], "big")
            start += wide
        end = start + length
        if end > len(block):
            break
        if record in _KEPT and not (record == 2 and dataset in _PREVIEW):
            kept += block[at:end]
        at = end
    return kept or None


def jpeg_segment(block: bytes) -> bytes:
    """The APP13 segment of a JPEG file that holds `block`, at most LONGEST_IN_JPEG bytes of it."""
    resource = _RESOURCE + struct.pack(">HHI", _BLOCK_ID, 0, len(block)) + block + bytes(len(block) % 2)
    content = _SEGMENT + resource
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content


def png_text(block: bytes) -> str:
    """The text of a PNG file, under PNG_KEY, that holds `block`, as ImageMagick began to write it."""
    digits = block.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return "\n".join(["", "iptc", f"{len(block):8d}", *lines, ""])


def _of_tiff(image: Image.Image) -> bytes | None:
    tags: Any = getattr(image, "tag_v2", None)
    # as Pillow's own reader of IPTC does: of a tag that is called long words its public way gives the first word only
    raw = getattr(tags, "_tagdata", {})
    found, resources = raw.get(TIFF_TAG), raw.get(_PHOTOSHOP_TAG)
    if found:
        if found[3:4] == bytes([_MARKER]) and not found.startswith((_RESOURCE, bytes([_MARKER]))):
            found = b"".join(found[at : at + 4][::-1] for at in range(0, len(found), 4))  # words, the other way round
        return _in_resources(found) if found.startswith(_RESOURCE) else bytes(found)
    return _in_resources(resources) if resources else None


def _in_resources(content: bytes) -> bytes | None:
    """The block among Photoshop's resources."""
    at = 0
    while content.startswith(_RESOURCE, at) and at + 7 <= len(content):
        (number,) = struct.unpack_from(">H", content, at + 4)
        name = content[at + 6]
        start = at + 6 + 1 + name + (name + 1) % 2  # the name and its length fill an even number of bytes
        if start + 4 > len(content):
            return None
        (length,) = struct.unpack_from(">I", content, start)
        data = content[start + 4 : start + 4 + length]
        if number == _BLOCK_ID:
            return data or None
        at = start + 4 + length + length % 2
    return None


def _in_text(text: str) -> bytes | None:
    """The block in a text of ImageMagick: a word, the length, and hexadecimal digits."""
    said = re.fullmatch(r"\s*\w+\s+(\d+)\s+([0-9A-Fa-f\s]*)", text)
    if said is None:
        return None
    try:
        found = bytes.fromhex(said[2])
    except ValueError:
        return None
    return _in_resources(found) if found.startswith(_RESOURCE) else found or None
