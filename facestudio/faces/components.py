"""Face components, that is eyes, nose and mouth: where their boxes are, and which dictionary entry completed each.

The boxes follow DFDNet's rule (Li et al., ECCV 2020; source csxmli2016/DFDNet, CC BY-NC-SA 4.0; no code taken). What differs:
a box that leaves the crop is cut off, and a component that can hardly be seen has an empty box, which means that it is not
to be touched. Separate from the method because training a dictionary needs the same boxes. Knows no networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

POINTS = {  # of the 68 landmarks; the eyes with their brows
    "left_eye": (*range(17, 22), *range(36, 42)),
    "right_eye": (*range(22, 27), *range(42, 48)),
    "nose": tuple(range(29, 36)),
    "mouth": tuple(range(48, 68)),
}
NAMES = tuple(POINTS)  # in the order of all boxes
EMPTY = (0, 0, 0, 0)  # a box that no component is in
_CORNERS = ((36, 39), (42, 45))  # of the left and of the right eye
_LEAST = 16 / 512  # half a box, as a share of the crop's side
_SEEN = 0.5  # of a box's area within the crop, or the component is not touched
_TURNED = (
    0.5  # an eye that is narrower than this, in widths of the other, is turned away: from some 60 degrees of yaw on
)


@dataclass(frozen=True)
class Choice:
    """What completed a component at one scale: `entry`, its place among the dictionary's `entries`, added with `confidence`.

    Attributes:
        component: one of NAMES; scale: side of the feature map in a crop of 512 px.
        confidence: mean absolute weight of what was added; not a probability, it may pass 1.
    """

    component: str
    scale: int
    entry: int
    entries: int
    confidence: float


@dataclass(frozen=True)
class Explanation:
    """How a face was completed: a choice for each component and scale, and the components that were `skipped`."""

    choices: tuple[Choice, ...]
    skipped: tuple[str, ...] = ()

    def of(self, component: str) -> tuple[Choice, ...]:
        """The choices for one component, the finest scale first."""
        return tuple(choice for choice in self.choices if choice.component == component)


def component_boxes(landmarks: np.ndarray, size: int = 512) -> np.ndarray:
    """Left, top, right, bottom (exclusive) of each of NAMES, (4, 4) int64, by the published rule.

    A box is a square about the mean of the component's points, as large as their larger extent and at least 32 px in a
    crop of 512, rounded towards zero. It may leave the crop.

    Args:
        landmarks: (68, 2) in pixels of a crop of side `size`; a component whose points are not all finite gets EMPTY.
    """
    landmarks = np.asarray(landmarks, dtype=np.float64)
    boxes = np.zeros((len(NAMES), 4), dtype=np.int64)
    for box, indices in zip(boxes, POINTS.values(), strict=True):
        points = landmarks[list(indices)]
        if np.isfinite(points).all():
            middle = points.mean(axis=0)
            half = max(float(np.ptp(points, axis=0).max()) / 2, _LEAST * size)
            box[:] = np.concatenate([middle - half + 1, middle + half]).astype(np.int64)
    return boxes


def visible_boxes(landmarks: np.ndarray | None, size: int = 512) -> np.ndarray:
    """As `component_boxes`, but within the crop; EMPTY for what can hardly be seen.

    That is a component with less than half of its box in the crop, an eye of a face that is turned away from it, and all of
    them without `landmarks`.
    """
    if landmarks is None:
        return np.zeros((len(NAMES), 4), dtype=np.int64)
    boxes = component_boxes(landmarks, size)
    clipped = boxes.clip(0, size)
    clipped[_areas(clipped) < _SEEN * _areas(boxes)] = EMPTY
    left, right = (float(np.linalg.norm(landmarks[a] - landmarks[b])) for a, b in _CORNERS)
    if left < _TURNED * right:
        clipped[NAMES.index("left_eye")] = EMPTY
    elif right < _TURNED * left:
        clipped[NAMES.index("right_eye")] = EMPTY
    return clipped


def _areas(boxes: np.ndarray) -> np.ndarray:
    """Areas (N,) of `boxes` (N, 4), 0 where a side has no length."""
    return (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)
