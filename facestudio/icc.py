"""Colour profiles, without what they say beside colours: who made them, when, for which device, in which words.

A profile may be of one monitor or camera, name its owner and its time, or hold anything in a tag of its maker's; where nothing of
a photo's metadata is to be kept, only what converts colours stays. Knows the structure of a profile (ICC.1:2022) and no colours.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_HEADER, _ENTRY = 128, 12  # bytes
_COLOURS = frozenset(
    (
        *(b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"wtpt", b"bkpt", b"chad", b"cicp"),
        *(b"A2B0", b"A2B1", b"A2B2", b"B2A0", b"B2A1", b"B2A2", b"gamt"),
        *(b"D2B0", b"D2B1", b"D2B2", b"D2B3", b"B2D0", b"B2D1", b"B2D2", b"B2D3"),
    )
)
_NAME = "Colour profile"
_MADE = (2000, 1, 1, 0, 0, 0)  # a profile must say when it was made
_MOST = 200  # tags


def anonymous(profile: bytes) -> bytes | None:
    """A profile that converts colours as `profile` does, and says nothing else; None when it is damaged."""
    places = _places(profile)
    if places is None:
        return None
    kept = {tag: profile[start : start + size] for tag, start, size in places if tag in _COLOURS}
    four = profile[8] >= 4
    tags = {
        b"desc": _localized(_NAME) if four else _description(_NAME),
        b"cprt": _localized("-") if four else _text("-"),
    }
    tags |= kept
    made = _header(profile) + _body(tags)
    made[:4] = struct.pack(">I", len(made))
    return bytes(made)


def changed(profile: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """`profile` with what its tags hold that convert no colours as `change` makes it, which keeps its length; as it is when it is
    damaged."""
    made = bytearray(profile)
    for tag, start, size in _places(profile) or ():
        if tag not in _COLOURS:
            made[start : start + size] = change(profile[start : start + size])
    return bytes(made) if len(made) == len(profile) else profile


def _places(profile: bytes) -> list[tuple[bytes, int, int]] | None:
    """The tags of `profile`, where they begin and how long they are; None when it is damaged."""
    try:
        (count,) = struct.unpack_from(">I", profile, _HEADER)
        if count > _MOST or profile[36:40] != b"acsp":
            return None
        places = [struct.unpack_from(">4sII", profile, _HEADER + 4 + _ENTRY * n) for n in range(count)]
    except struct.error:
        return None
    return None if any(start + size > len(profile) for _, start, size in places) else places


def _header(profile: bytes) -> bytearray:
    """The first 128 bytes: version, class, spaces, intent and white of `profile`, and nothing of who made it."""
    header = bytearray(_HEADER)
    for start, end in ((8, 24), (36, 40), (64, 80)):  # version, class and spaces; signature; intent and white
        header[start:end] = profile[start:end]
    header[24:36] = struct.pack(">6H", *_MADE)
    return header


def _body(tags: dict[bytes, bytes]) -> bytes:
    """The table of `tags` and their content, once for those that share it."""
    table, content = struct.pack(">I", len(tags)), b""
    at: dict[bytes, int] = {}
    begin = _HEADER + 4 + _ENTRY * len(tags)
    for tag, data in tags.items():
        if data not in at:
            at[data] = begin + len(content)
            content += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", tag, at[data], len(data))
    return table + content


def _text(words: str) -> bytes:
    return b"text" + bytes(4) + words.encode("ascii") + b"\0"


def _description(words: str) -> bytes:
    """Words as version 2 has them: in ASCII, and none in Unicode and in Macintosh's script."""
    said = words.encode("ascii") + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(said)) + said + bytes(4 + 4 + 2 + 1 + 67)


def _localized(words: str) -> bytes:
    """Words as version 4 has them."""
    said = words.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(said), 28) + said
