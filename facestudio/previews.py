"""Small pictures that cameras hide in their own notes: found within a block of metadata by how a JPEG begins, and blanked.

They show the photo as it was taken, so with metadata that is kept the face before would go out with the result. The block
keeps its length, because the notes' inner offsets count in it. A picture that is no JPEG is not found. Knows bytes and no
directories.
"""

from __future__ import annotations

import re

_BEGIN = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")
_END, _SCAN, _ALONE = 0xD9, 0xDA, {0x01, *range(0xD0, 0xD8)}  # markers; those that have no length
_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # the next marker, as opposed to data and restarts


def blanked(block: bytes) -> bytes:
    """`block` with zeros in the place of every JPEG; of one whose end is not found, up to the end of the block."""
    data = bytearray(block)
    at = 0
    while (begin := _BEGIN.search(data, at)) is not None:
        at = _end_of(data, begin.start())
        data[begin.start() : at] = bytes(at - begin.start())
    return bytes(data)


def _end_of(data: bytearray, start: int) -> int:
    """Where the JPEG that begins at `start` ends: segment by segment, so that a picture within it does not count."""
    at = start + 2
    while at + 1 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == _END:
            return at + 2
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if marker == _SCAN:
                following = _IN_SCAN.search(data, at)
                at = following.start() if following is not None else len(data)
    return len(data)
