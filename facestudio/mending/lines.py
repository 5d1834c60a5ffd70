"""Where a photo has thin lines, and what is to be known of each: how long, wide, bright, alike on both sides.

A line's middle is brighter, or darker, than what lies on either side. That is asked in sixteen directions and at several sizes
(a photo halved again and again), as ridge detectors do (Steger, "An unbiased detector of curvilinear structures", 1998); places
whose answers are strong, or touch strong ones in the same direction, are one line (hysteresis). What of them is a scratch is
for `scratches` to say. Knows arrays only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

DIRECTIONS = 16
REACH = 6  # px from the middle of a kernel to its end
BESIDE = 3  # px from a line's middle to its sides
AROUND = 61  # px of the square whose answers say how busy a place is
HIGH, BUSY = 10.0, 2.0  # levels that one place of a line answers at least, and times the mean answer around it


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a photo that was halved `level` times.

    Attributes:
        points: (N, 2) int, row and column of its places, from one end to the other, one for each px of its length.
        places: (M, 2) int, all that are in it.
        length: px of that level, from end to end.
        bright: whether it is brighter than its sides, else darker.
        middle, left, right: (N,) float32, levels of 255 along it and along its sides.
        busy: (N,) float32, the mean answer around it.
    """

    points: np.ndarray
    level: int
    places: np.ndarray
    length: float
    bright: bool
    middle: np.ndarray
    left: np.ndarray
    right: np.ndarray
    busy: np.ndarray

    @property
    def width(self) -> float:
        """How wide it is on the whole, in px of its level."""
        return len(self.places) / self.length


@dataclass(frozen=True, eq=False)
class _Answers:
    """Of one level: the strongest answer of each polarity, its direction, and the smoothed middle and sides there."""

    score: np.ndarray
    direction: np.ndarray
    middle: np.ndarray
    left: np.ndarray
    right: np.ndarray


def lines_of(grey: np.ndarray, level: int, least: float, check: Callable[[], None] = lambda: None) -> Iterator[Line]:
    """The lines of `grey` (H, W) float32, levels of 255, a photo halved `level` times, of at least `least` px of the level.

    `check` is called again and again; what it raises ends the search.
    """
    if min(grey.shape) < 4 * REACH:
        return
    for bright, answers in zip((True, False), _answers(grey, check), strict=True):
        around = cv2.blur(np.maximum(answers.score, 0), (AROUND, AROUND))
        strong = np.maximum(HIGH, BUSY * around)
        seeds, places = answers.score > strong, answers.score > 0.5 * strong
        for turn in range(0, DIRECTIONS, 2):
            check()
            apart = (answers.direction.astype(np.int16) - turn) % DIRECTIONS
            here = places & ((apart <= 2) | (apart >= DIRECTIONS - 1))
            count, labels, stats, _ = cv2.connectedComponentsWithStats(here.astype(np.uint8), connectivity=8)
            spans = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
            for n in np.flatnonzero((spans >= 0.7 * least) & (np.arange(count) > 0)):
                left, top, width, height, _ = (int(value) for value in stats[n])
                box = np.s_[top : top + height, left : left + width]
                inside = labels[box] == n
                if seeds[box][inside].any():
                    points = np.argwhere(inside) + (top, left)
                    yield from _line(answers, around, points, level, bright, least)


def _answers(grey: np.ndarray, check: Callable[[], None]) -> tuple[_Answers, _Answers]:
    """How much brighter than both sides each place of `grey` is, in the direction in which it is most; and how much darker."""
    shape = grey.shape
    found = [
        _Answers(np.full(shape, -255.0, np.float32), np.zeros(shape, np.uint8), *(grey.copy() for _ in range(3)))
        for _ in range(2)
    ]
    for turn in range(DIRECTIONS):
        check()
        angle = np.pi * turn / DIRECTIONS
        middle = cv2.filter2D(grey, -1, _kernel(angle), borderType=cv2.BORDER_REFLECT)
        across = np.rint(BESIDE * np.array([np.cos(angle), -np.sin(angle)])).astype(int)  # rows, columns
        left, right = _moved(middle, across), _moved(middle, -across)
        mean, apart = (left + right) / 2, np.abs(left - right)
        for best, sign in zip(found, (1, -1), strict=True):
            answer = sign * (middle - mean) - apart  # than the nearer side, less half of what they differ by
            better = answer > best.score
            for values, now in (
                (best.score, answer),
                (best.middle, middle),
                (best.left, left),
                (best.right, right),
            ):
                np.copyto(values, now, where=better)
            best.direction[better] = turn
    return found[0], found[1]


def _kernel(angle: float) -> np.ndarray:
    """A line through the middle, at `angle` from the columns' axis, soft at its sides; sums to 1."""
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1].astype(np.float32)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    kernel = np.exp(-0.5 * (across / 0.55) ** 2) * (np.abs(along) <= REACH)
    return (kernel / kernel.sum()).astype(np.float32)


def _moved(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """`values` of the places that lie `by` rows and columns away; at the edge those of the edge."""
    down, right = (int(step) for step in by)
    padded = cv2.copyMakeBorder(values, BESIDE, BESIDE, BESIDE, BESIDE, cv2.BORDER_REPLICATE)
    height, width = values.shape
    return padded[BESIDE + down : BESIDE + down + height, BESIDE + right : BESIDE + right + width]


def _line(
    answers: _Answers,
    around: np.ndarray,
    points: np.ndarray,
    level: int,
    bright: bool,
    least: float,
) -> Iterator[Line]:
    """The line of connected `points`; nothing when it is too short or a blot."""
    centre = points.mean(axis=0)
    off = points - centre
    _, _, axes = np.linalg.svd(off, full_matrices=False)
    along = off @ axes[0]
    length = float(np.ptp(along)) + 1
    if length < least or len(points) < 0.5 * length or len(points) > 6 * length:
        return
    # one place for each px along it: the strongest
    rows, columns = points.T
    bins = np.floor(along - along.min()).astype(int)
    order = np.lexsort((-answers.score[rows, columns], bins))
    first = order[np.r_[True, np.diff(bins[order]) > 0]]
    spine = points[first]
    at = (spine[:, 0], spine[:, 1])
    middle, left, right = answers.middle[at], answers.left[at], answers.right[at]
    yield Line(
        spine,
        level,
        points,
        length,
        bright,
        middle,
        left,
        right,
        around[at],
    )
