"""What a person says is damaged: strokes of a brush and an eraser over what was found, or a mask in its place.

Strokes are kept as lines and not as pixels, so that each can be undone and costs next to nothing. Knows arrays only. OpenCV is
imported where strokes are drawn, because a window makes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from facestudio.errors import UsageError
from facestudio.quarters import carried, turned

_FINE = 4  # bits behind the point in OpenCV's coordinates
_FAR = 100_000.0  # px; what lies beyond is drawn from there on, so that OpenCV's numbers hold it


@dataclass(frozen=True)
class Stroke:
    """One stroke that marks damage, or with `adds` false takes marks away.

    Attributes:
        points: x and y in px of the photo, from corner to corner: the middle of its first pixel is (0.5, 0.5).
        radius: px of the photo, of the round brush.
    """

    points: tuple[tuple[float, float], ...]
    radius: float
    adds: bool

    def turned(self, degrees: int, size: tuple[int, int]) -> Stroke:
        """The same in the photo of `size` (width, height) turned clockwise by `degrees`, 0, 90, 180 or 270."""
        places = carried(np.array(self.points, np.float64).reshape(-1, 2), degrees, size)
        return replace(self, points=tuple((float(x), float(y)) for x, y in places))


@dataclass(frozen=True, eq=False)
class ByHand:
    """Marks by hand: the `strokes` over what is found; or `mask`, (H, W) bool, read-only, in its place, and strokes over that."""

    strokes: tuple[Stroke, ...] = ()
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.mask is not None:
            self.mask.setflags(write=False)

    @cached_property
    def key(self) -> str:
        """What tells it from other marks by hand."""
        return hash_of(self.mask) + repr(self.strokes) if self.mask is not None else repr(self.strokes)

    def turned(self, degrees: int, size: tuple[int, int]) -> ByHand:
        """The same of the photo of `size` (width, height) turned clockwise by `degrees`, 0, 90, 180 or 270."""
        mask = None if self.mask is None else turned(self.mask, degrees)
        return ByHand(tuple(stroke.turned(degrees, size) for stroke in self.strokes), mask)

    def applied(self, found: np.ndarray) -> np.ndarray:
        """The marks (H, W) bool where those `found` are (H, W); UsageError when the mask is of another size."""
        self.check_fits(found.shape)
        return painted(found if self.mask is None else self.mask, self.strokes)

    def check_fits(self, shape: tuple[int, ...]) -> None:
        """UsageError when there is a mask, and it is not of the `shape` (H, W)."""
        if self.mask is not None and self.mask.shape != shape:
            (high, wide), (height, width) = self.mask.shape, shape
            raise UsageError(
                f"The mask of scratches is {wide} × {high} pixels, and the photo, upright, {width} × {height}.",
                hint="Paint over a mask that was written for this very photo.",
            )


def painted(mask: np.ndarray, strokes: Sequence[Stroke]) -> np.ndarray:
    """`mask` (H, W) bool with `strokes` over it, one after the other."""
    if not strokes:
        return mask
    after = mask.astype(np.uint8)
    for stroke in strokes:
        _draw(after, stroke)
    return after > 0


def hash_of(mask: np.ndarray) -> str:
    """sha256 over the shape and what is set of `mask` (H, W) bool, as hexadecimal."""
    return hashlib.sha256(repr(mask.shape).encode() + np.packbits(mask).tobytes()).hexdigest()


def _draw(marks: np.ndarray, stroke: Stroke) -> None:
    import cv2

    value, scale = int(stroke.adds), 1 << _FINE
    middles = np.clip(np.asarray(stroke.points, np.float64), -_FAR, _FAR) - 0.5  # OpenCV's whole numbers are middles
    places = [(int(x), int(y)) for x, y in np.rint(middles * scale)]
    radius = max(round((stroke.radius - 0.5) * scale), 0)
    for x, y in places:
        cv2.circle(marks, (x, y), radius, value, -1, cv2.LINE_8, _FINE)
    if len(places) > 1:
        thick = max(round(2 * stroke.radius), 1)
        cv2.polylines(marks, [np.array(places, np.int32)], False, value, thick, cv2.LINE_8, _FINE)
