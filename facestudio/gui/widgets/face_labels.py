"""Where the numbers of faces stand over a photo, so that none covers another: beside its box, else as near as there is room.

Separate from the viewer, which paints, because a group of twenty is a puzzle of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QFont, QFontMetricsF

GAP = 4.0  # px between a number and its box, so that the outline is seen
RINGS = 4  # how far around the box room is looked for, in heights of a number
_SPOTS = 5  # that are tried along each side
_FACE, _AWAY, _COVERED = 0.3, 0.5, 1e4  # what a pixel costs: of a face, away from the place over the box, of a number


SMALL = 36.0  # px; beside faces that are mostly narrower on the screen, numbers are smaller, too
LEAST_POINTS = 7.5


class FaceNumbers:
    """Lays out the numbers of all faces in a pane; the last layouts are kept, as a view is painted often and changes rarely."""

    def __init__(self) -> None:
        self._known: dict[object, list[QRectF]] = {}

    def places(
        self, boxes: Sequence[QRectF], pane: QRectF, taken: Sequence[QRectF], usual: QFont
    ) -> tuple[QFont, list[QRectF]]:
        """The font of the numbers 1, 2, ... of `boxes`, and where in `pane` each stands; nothing stands on what is `taken`."""
        font = QFont(usual)
        font.setBold(True)
        small = bool(boxes) and float(np.median([box.width() for box in boxes])) < SMALL
        if small and font.pointSizeF() > 0:
            font.setPointSizeF(max(font.pointSizeF() * 0.85, LEAST_POINTS))
        metrics = QFontMetricsF(font)
        height = max(16.0 if small else 20.0, metrics.height())
        least = height if small else 24.0
        widths = [max(metrics.horizontalAdvance(str(n + 1)) + 8.0, least) for n in range(len(boxes))]
        corners = [_corners(box) for box in boxes]
        rest = [_corners(place) for place in taken if not place.isNull()]
        key = (tuple(corners), tuple(widths), height, _corners(pane), tuple(rest))
        if key not in self._known:
            found = places(np.array(corners), np.array([(w, height) for w in widths]), _corners(pane), rest)
            here = [QRectF(QPointF(*place[:2]), QPointF(*place[2:])) for place in found.tolist()]
            self._known = dict([*self._known.items()][-1:]) | {key: here}  # two panes
        return font, self._known[key]


def places(
    boxes: np.ndarray, sizes: np.ndarray, pane: Sequence[float], taken: Sequence[Sequence[float]] = ()
) -> np.ndarray:
    """Left, top, right and bottom of each number, (N, 4), for `boxes` (N, 4) of faces and `sizes` (N, 2) of numbers.

    A number stands over the left of its box where nothing is in the way, and within `pane` as long as anything of its box is;
    numbers, and the rectangles in `taken`, are not covered where there is any room, and other faces as little as can be.
    """
    boxes, sizes = np.asarray(boxes, float).reshape(-1, 4), np.asarray(sizes, float).reshape(-1, 2)
    within = np.asarray(pane, float)
    seen = _overlap(boxes, within[None])[:, 0] > 0
    found = np.zeros_like(boxes)
    covered = np.array([*taken], float).reshape(-1, 4)
    for n, (box, size) in enumerate(zip(boxes, sizes, strict=True)):
        if not seen[n]:
            found[n] = _around(box, size, 0)[0]
            continue
        best = np.inf
        for ring in range(RINGS):
            spots = _within(_around(box, size, ring), within)
            cost = _COVERED * _overlap(spots, covered).sum(axis=1)
            cost += _FACE * _overlap(spots, boxes).sum(axis=1)
            cost += _AWAY * np.abs(spots[:, :2] - (box[0], box[1] - GAP - size[1])).sum(axis=1)
            least = int(np.argmin(cost))
            if cost[least] < best:
                best, found[n] = float(cost[least]), spots[least]
            if not _overlap(found[n : n + 1], covered).any():
                break
        covered = np.vstack([covered, found[n]])
    return found


def _corners(of: QRectF) -> tuple[float, float, float, float]:
    return of.left(), of.top(), of.right(), of.bottom()


def is_apart(box: QRectF, place: QRectF) -> bool:
    """Whether a number stands so far from its `box` that a line must say which face it is of."""
    across = max(place.left() - box.right(), box.left() - place.right(), 0.0)
    down = max(place.top() - box.bottom(), box.top() - place.bottom(), 0.0)
    return max(across, down) > 2 * GAP


def _around(box: np.ndarray, size: np.ndarray, ring: int) -> np.ndarray:
    """Where a number of `size` may stand, (M, 4): over its box and around it, `ring` heights away, and at first also inside."""
    (left, top, right, bottom), (width, height) = box, size
    far = GAP + ring * height
    along, down = np.linspace(left, right - width, _SPOTS), np.linspace(top, bottom - height, _SPOTS)
    if ring:
        along = np.linspace(left - far - width, right + far, 2 * _SPOTS)
        down = np.linspace(top - far, bottom + far - height, 2 * _SPOTS)
    corner = [(x, y) for y in (top - far - height, bottom + far) for x in along]
    corner += [(x, y) for x in (right + far, left - far - width) for y in down]
    if not ring:
        corner += [(x, y) for x in (left, right - width) for y in (top, bottom - height)]
    return np.hstack([np.array(corner), np.array(corner) + size])


def _within(spots: np.ndarray, pane: np.ndarray) -> np.ndarray:
    """`spots` moved into `pane`, less a margin."""
    size = spots[:, 2:] - spots[:, :2]
    corner = np.maximum(np.minimum(spots[:, :2], pane[2:] - 2 - size), pane[:2] + 2)
    return np.hstack([corner, corner + size])


def _overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The area, (M, N), that each of `one` (M, 4) shares with each of `other` (N, 4)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2)
