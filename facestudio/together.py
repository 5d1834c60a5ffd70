"""Which faces of a photo are restored in one call of a method, and how a call that fails is tried face by face.

Separate from the pipeline, which tells the story of one face after the other: faces whose crops overlap build on one another,
so only those that do not may go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from facestudio.errors import FaceStudioError
from facestudio.faces.components import Explanation
from facestudio.faces.face import AlignedFace
from facestudio.methods.base import Batched, Explainer, Restorer
from facestudio.progress import Progress

MOST = 8  # faces in one call

Box = tuple[int, int, int, int]  # left, top, right, bottom
Made = tuple[AlignedFace, Explanation | None]


def groups(boxes: Mapping[int, Box], most: int = MOST) -> list[list[int]]:
    """The keys of `boxes` in groups of at most `most` that do not overlap; of two that do, the first stays before."""
    found: list[list[int]] = []
    place: dict[int, int] = {}
    for key, box in boxes.items():
        first = max((place[other] + 1 for other in place if overlap(box, boxes[other])), default=0)
        while first < len(found) and len(found[first]) >= most:
            first += 1
        if first == len(found):
            found.append([])
        found[first].append(key)
        place[key] = first
    return found


def overlap(a: Box, b: Box) -> bool:
    """Whether two boxes share a pixel."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def restored(
    restorer: Restorer, crops: Sequence[AlignedFace], options: Any, progress: Progress, seeds: Sequence[int]
) -> list[Made | FaceStudioError]:
    """What `restorer` makes of each crop, with what it chose if it can tell; or why it could not. Cancelled passes through."""
    if len(crops) > 1 and isinstance(restorer, Batched) and not isinstance(restorer, Explainer):
        try:
            return [(one, None) for one in restorer.many(crops, options, progress, seeds)]
        except FaceStudioError:
            pass  # face by face, so that one does not take the others with it
    found: list[Made | FaceStudioError] = []
    for crop, seed in progress.track(list(zip(crops, seeds, strict=True)), progress.stage or "Restoring faces"):
        try:
            if isinstance(restorer, Explainer):
                found.append(restorer.explained(crop, options, progress, seed))
            else:
                found.append((restorer(crop, options, progress, seed), None))
        except FaceStudioError as error:
            found.append(error)
    return found
