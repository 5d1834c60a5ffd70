"""Small specks: dust and holes, lighter or darker than all that is around them.

A speck is what an opening or a closing takes away (top-hat; Serra, "Image analysis and mathematical morphology", 1982), small
and compact, on even ground, near white or black. Catchlights and nostrils are like that too, so places may be spared. Knows
arrays only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facestudio.progress import Progress

AROUND = 41  # px of the square that says how busy a place is
OFTEN = 256  # components that are judged between two looks whether to stop
Circle = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Speck:
    """One speck: its middle `x`, `y` in px, and `points` (N, 2) int, row and column of all that is in it."""

    x: float
    y: float
    points: np.ndarray


def found_specks(
    grey: np.ndarray, radius: float, contrast: float, calm: float, tone: float, progress: Progress | None = None
) -> tuple[Speck, ...]:
    """The specks of `grey` (H, W) uint8.

    Args:
        radius: px of the largest. contrast: levels by which they differ at least from their surroundings.
        calm: how much of the contrast the surroundings may vary, as a share.
        tone: how far from white or black they may be, in levels.
    """
    progress = progress or Progress()
    found: list[Speck] = []
    reach = max(int(np.ceil(radius)), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * reach + 1, 4 * reach + 1))
    for bright in progress.track((True, False), "Looking for specks", share=0.03):
        side = grey if bright else 255 - grey
        hat = side - cv2.morphologyEx(side, cv2.MORPH_OPEN, disc)
        progress.check()
        limit = np.maximum(0.4 * contrast, 3.0 * cv2.blur(hat, (AROUND, AROUND)))
        progress.check()
        count, labels, stats, _ = cv2.connectedComponentsWithStats((hat > limit).astype(np.uint8), connectivity=8)
        progress.check()
        wide, high, area = (stats[:, n] for n in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
        small = (np.maximum(wide, high) <= 2 * radius + 2) & (area >= 0.35 * wide * high) & (area >= 3)
        chosen = np.flatnonzero(small & (np.arange(count) > 0))
        for start in progress.track(range(0, len(chosen), OFTEN), "Looking for specks"):
            for n in chosen[start : start + OFTEN]:
                if _is_speck(side, labels, int(n), stats[n], contrast, calm, tone):
                    left, top, width, height = (int(value) for value in stats[n][:4])
                    points = np.argwhere(labels[top : top + height, left : left + width] == n) + (top, left)
                    found.append(Speck(left + width / 2, top + height / 2, points))
    return tuple(found)


def drawn(specks: Sequence[Speck], shape: tuple[int, ...], spared: Sequence[Circle] = ()) -> np.ndarray:
    """Where the `specks` are, (H, W) bool of `shape`, but for those whose middle is in one of the circles."""
    found = np.zeros(shape, bool)
    for speck in specks:
        if not any((speck.x - a) ** 2 + (speck.y - b) ** 2 <= r**2 for a, b, r in spared):
            found[speck.points[:, 0], speck.points[:, 1]] = True
    return found


def _is_speck(
    side: np.ndarray,
    labels: np.ndarray,
    number: int,
    stats: np.ndarray,
    contrast: float,
    calm: float,
    tone: float,
) -> bool:
    """Whether the component `number`, brighter than its surroundings in `side`, is one."""
    left, top, width, height = (int(value) for value in stats[:4])
    rim = 3 + max(width, height) // 2
    box = np.s_[max(top - rim, 0) : top + height + rim, max(left - rim, 0) : left + width + rim]
    own = labels[box] == number
    near = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    ring = side[box][~near].astype(np.float32)
    if not ring.size:
        return False
    peak = float(np.percentile(side[box][own], 75))
    above = peak - float(np.median(ring))
    return (
        above >= contrast
        and peak >= 255 - tone
        and float(np.percentile(ring, 95) - np.percentile(ring, 5)) <= calm * above
        and float(ring.max()) <= peak - 0.3 * above
    )
