"""Where a detector looks: the whole photo made small, for large photos overlapping tiles of finer sizes, and turned.

A network finds faces between some and some hundred pixels. What a look at the whole photo shows too small is left to
tiles, and each tile answers only for the faces that it surely shows whole, so that half a face is never reported. Only
geometry lives here; it knows no networks and no pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

WHOLE = (1024, 384)  # longest side of the looks at the whole photo; the second is for faces that fill it
TILE, OVERLAP = 1024, 128  # px of a look
LARGEST = 112  # longest side of a face that a tile answers for; the overlap shows it whole, with a margin, in some tile
MARGIN = 8  # a box that comes nearer to a tile's inner border may be part of a larger face
MOST = 16e6  # pixels of the finest size: larger photos would take long, and show their faces larger too
STEP = 4.0  # a size is at most this many times finer than the one before: what that one misses is below LARGEST here
WORTH = 1.25  # a finer size that is not at least this many times finer shows nothing new
TURNED = 384  # longest side of the looks at a photo that is turned
TURNS = (
    -45.0,
    45.0,
    -90.0,
    90.0,
    180.0,
)  # in degrees, of heads that are tilted far and photos that lie on side or head
EVEN = 32  # sides of tiles are multiples of it, as the network wants them


@dataclass(frozen=True)
class Look:
    """One view of a photo.

    Attributes:
        size: width and height of the whole photo at the scale of this look.
        part: left, top, right and bottom of what is seen, in pixels of that scale.
        largest: longest side, in those pixels, of a face that this look may report.
        turn: degrees by which what is seen is turned clockwise.
    """

    size: tuple[int, int]
    part: tuple[int, int, int, int]
    largest: float = math.inf
    turn: float = 0.0

    @property
    def whole(self) -> bool:
        """Whether the whole photo is seen."""
        return self.part == (0, 0, *self.size)

    def answers_for(self, boxes: np.ndarray) -> np.ndarray:
        """Which of `boxes` (N, 4), in pixels of `part`, are surely whole and not too large: (N,) bool."""
        left, top, right, bottom = self.part
        low = np.array([-np.inf if left == 0 else MARGIN, -np.inf if top == 0 else MARGIN])
        end = np.array([right - left, bottom - top], dtype=float) - MARGIN
        end[np.array([right, bottom]) == self.size] = np.inf
        inside = (boxes[:, :2] >= low).all(axis=1) & (boxes[:, 2:] <= end).all(axis=1)
        return inside & ((boxes[:, 2:] - boxes[:, :2]).max(axis=1) <= self.largest)


def looks_at(width: int, height: int) -> list[Look]:
    """Every look at a photo of `width` x `height` pixels, coarse ones first; those of one size follow one another."""
    longest = max(width, height)
    looks = []
    for side in WHOLE:
        if side == WHOLE[0] or side < longest:
            size = _shrunk(width, height, min(side / longest, 1.0))
            looks.append(Look(size, (0, 0, *size)))
    finest = min(math.sqrt(MOST / (width * height)), 1.0)
    finer = longest * finest / WHOLE[0]
    if finer < WORTH:
        return looks
    steps = max(math.ceil(math.log(finer, STEP) - 1e-9), 1)
    for step in range(1, steps + 1):
        size = _shrunk(width, height, finest * finer ** (step / steps - 1))
        across, down = _spans(size[0]), _spans(size[1])
        looks += [Look(size, (left, top, right, bottom), LARGEST) for top, bottom in down for left, right in across]
    return looks


def turned_looks(width: int, height: int) -> list[Look]:
    """Looks at the whole photo for heads that are tilted further than the network knows them, also upside down, of one size."""
    size = _shrunk(width, height, min(TURNED / max(width, height), 1.0))
    return [Look(size, (0, 0, *size), turn=turn) for turn in TURNS]


def _shrunk(width: int, height: int, factor: float) -> tuple[int, int]:
    return max(round(width * factor), 1), max(round(height * factor), 1)


def _spans(length: int) -> list[tuple[int, int]]:
    """Begin and end of equally long tiles that cover `length` and overlap by at least OVERLAP."""
    count = max(math.ceil((length - OVERLAP) / (TILE - OVERLAP)), 1)
    side = min(math.ceil((length + (count - 1) * OVERLAP) / count / EVEN) * EVEN, length)
    begins = np.linspace(0, length - side, count).astype(int)
    return [(int(begin), int(begin) + side) for begin in begins]
