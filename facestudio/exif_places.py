"""Places in the photo that EXIF names, by pixels: the main subject's area and location, moved as the photo is turned or enlarged.

Faces that are marked in XMP are of `regions`. Knows no bytes: `exif` reads and writes them.
"""

from __future__ import annotations

from facestudio import exif, regions

_AREA, _LOCATION = 0x9214, 0xA214  # a place (x, y), with a diameter or with a width and a height; a place


def laid(block: bytes, orientation: int, stored: tuple[int, int]) -> bytes:
    """`block` with its places where EXIF's `orientation` (1..8) moves them in a photo of the size `stored` (width, height)."""
    if orientation == 1:
        return block
    moved = {}
    for tag, (x, y, *size) in _places(block).items():
        across, down = regions.turned_place((x + 0.5) / stored[0], (y + 0.5) / stored[1], orientation)
        width, height = stored[::-1] if orientation >= 5 else stored
        size = size[::-1] if orientation >= 5 else size
        moved[tag] = (int(across * width), int(down * height), *size)
    return exif.with_numbers(block, moved)


def enlarged(block: bytes, before: tuple[int, int], after: tuple[int, int]) -> bytes:
    """`block` of a photo of the size `before` (width, height), with its places in the same one of the size `after`."""
    if before == after:
        return block
    across, down = after[0] / before[0], after[1] / before[1]
    by = {0: (), 1: (max(across, down),), 2: (across, down)}
    moved = {}
    for tag, (x, y, *size) in _places(block).items():
        scaled = (round(value * share) for value, share in zip(size, by[len(size)], strict=True))
        moved[tag] = (int((x + 0.5) * across), int((y + 0.5) * down), *scaled)
    return exif.with_numbers(block, moved)


def _places(block: bytes) -> dict[int, tuple[int, ...]]:
    return {tag: found for tag, found in exif.numbers(block, (_AREA, _LOCATION)).items() if 2 <= len(found) <= 4}
