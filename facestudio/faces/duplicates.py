"""One face is one face: which of many boxes, from looks of several sizes, show the same face or only a part of one.

Only arithmetic lives here; it knows no networks and no pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facestudio.faces.face import Face

OVERLAP = 0.4  # intersection over union from which two boxes are one face
CONTAINED = 0.8  # part of the smaller box inside the larger from which they are one face, or a face and a part of it
NEAR = 0.5  # mean distance of the landmarks, in distances of the eyes, below which two boxes are one face
SURE = 0.6  # a face inside of another's box, such as a child's before a grown-up's, has at least this score; parts reach 0.57


def merge(boxes: np.ndarray, landmarks: np.ndarray, scores: np.ndarray, around: bool = True) -> list[int]:
    """Indices of the faces that stay, best score first, when each removes the worse ones that show the same face.

    Args:
        boxes: (N, 4) left, top, right, bottom; landmarks: (N, 5, 2); scores: (N,).
        around: whether a face also removes a worse one that lies around it. Before faces were looked at closely this is
            too early: the better score may be that of a part, which the close look refuses.
    """
    boxes, landmarks = np.asarray(boxes, dtype=np.float64), np.asarray(landmarks, dtype=np.float64)
    areas = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    sizes = np.maximum(np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1), np.sqrt(areas) / 3)
    order = np.argsort(-np.asarray(scores), kind="stable")
    kept: list[int] = []
    while len(order):
        best, order = int(order[0]), order[1:]
        kept.append(best)
        corner = np.minimum(boxes[best, 2:], boxes[order, 2:]) - np.maximum(boxes[best, :2], boxes[order, :2])
        common = np.prod(np.clip(corner, 0, None), axis=1)
        apart = np.linalg.norm(landmarks[order] - landmarks[best], axis=2).mean(axis=1)
        near = apart < NEAR * np.maximum(sizes[order], sizes[best])
        inner = (common > CONTAINED * np.minimum(areas[best], areas[order])) & (scores[order] < SURE)
        if not around:
            inner &= areas[order] <= areas[best]
        same = (common > OVERLAP * (areas[best] + areas[order] - common)) | near | inner
        order = order[~same]
    return kept


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes (4,), 0..1."""
    common = np.prod(np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None))
    union = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - common
    return float(common / max(union, 1e-9))


def distinct(faces: list[Face]) -> list[Face]:
    """`faces` without those that show the same face as a better one, best score first."""
    if not faces:
        return []
    boxes, landmarks = np.array([face.box for face in faces]), np.array([face.landmarks for face in faces])
    return [faces[n] for n in merge(boxes, landmarks, np.array([face.score for face in faces]))]


def known_as(face: Face, faces: Sequence[Face]) -> int | None:
    """Which of `faces` shows the same face as `face` (the first); None when it is another one."""
    return next((index for index, known in enumerate(faces) if same_face(face, known)), None)


def same_face(one: Face, other: Face) -> bool:
    """Whether two detections in one photo show the same face."""
    return len(distinct([one, other])) == 1


def seen_again(faces: tuple[Face, ...], found: tuple[Face, ...]) -> tuple[tuple[Face, ...], tuple[Face, ...]]:
    """`faces` of a photo as they were `found` where scratches hide nothing, and those among these that are new, largest first."""
    shown = list(faces)
    new: list[Face] = []
    for face in reversed(found):  # of two that are one, the larger stays
        known = known_as(face, faces)
        if known is None:
            new.insert(0, face)
        else:
            shown[known] = face
    return tuple(shown), tuple(new)
