"""Faces that a detector overlooked: a second look at the places that its network took for a face and its close look did not.

In photos of groups, faces of 10 to 20 px get high scores by the network, but their landmarks are a pixel or two off, so that
the close look thinks little of them and they are dropped. Seen at some times their size, landmarks fit better (`overlooked`).
Of a face with a mask and dark glasses the close look sees nothing that it knows, whatever its size. What the network takes for a
face at several sizes, and mirrored as well, is likely to be one (`half_hidden`).
Separate from `detect`, whose faces are worked on unasked: what is found here is pointed out to a person, who decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from facestudio.faces.duplicates import distinct, overlap
from facestudio.faces.face import Face
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.faces.detect import Detector

SMALL = 28  # px of a face's longer side, up to which it is looked at again
SEEN = (32, 48)  # px of that side in the enlarged views
AROUND = 3.0  # a view is this many times as long as the face
LOW = 0.2  # of the network, in a view
AGREES = 0.25  # intersection over union of what a view shows and the place that was glimpsed
MOST = 200  # places that are looked at again, the best ones
# that the second look must reach: in any photo, and where many faces are, so that one more is likely
SCORE, IN_CROWD = 0.07, 0.03
CROWD, GLIMPSED = 5, 12  # many are so many known faces, or so many places
SIZES = (48, 72)  # px of the longer side of what may be a half hidden face, in its views
HALF_HIDDEN = 0.55  # of the network, in the mean of these views and their mirror images


def overlooked(
    pixels: np.ndarray,
    glimpses: Sequence[Face],
    known: Sequence[Face],
    detector: Detector,
    progress: Progress,
) -> tuple[Face, ...]:
    """The small faces in `pixels` (H, W, 3) uint8 RGB among the `glimpses` of `Detector.survey` that show none of the `known`.

    Best first, with the score of the second look.
    """
    places = [one for one in glimpses if _side(one) <= SMALL and not any(_covers(one, face) for face in known)][:MOST]
    crowded = len(known) >= CROWD or len(places) >= GLIMPSED
    needed = IN_CROWD if crowded else SCORE
    found = []
    for place in progress.track(places, "Looking again at small faces", share=0.1):
        seen = [face for side in SEEN if (face := _again(pixels, place, side, detector)) is not None]
        found += [face for face in seen if face.score >= needed]
    return tuple(distinct(found))


def half_hidden(
    pixels: np.ndarray,
    glimpses: Sequence[Face],
    known: Sequence[Face],
    detector: Detector,
    progress: Progress,
) -> tuple[Face, ...]:
    """The faces larger than `SMALL` among the `glimpses` that show none of the `known`, and that the network, without a close
    look, takes for faces in the mean of its views; arguments as of `overlooked`. Best first, with that mean as score."""
    places = [one for one in glimpses if _side(one) > SMALL and not any(_covers(one, face) for face in known)][:MOST]
    views = [(side, mirrored) for side in SIZES for mirrored in (False, True)]
    found = []
    for place in progress.track(places, "Looking again at covered faces", share=0.1):
        total, left = 0.0, len(views)
        for side, mirrored in views:
            scores = _seen(pixels, place, side, detector, mirrored)[2]
            total, left = total + float(scores.max(initial=0.0)), left - 1
            if total + left < HALF_HIDDEN * len(views):  # whatever the other views show
                break
        else:
            found.append(Face(place.box, place.landmarks, total / len(views), place.pose))
    return tuple(distinct(found))


def _again(pixels: np.ndarray, place: Face, side: float, detector: Detector) -> Face | None:
    """What the network and then the close look make of `place`, when it is `side` px long; None when it is no face to them."""
    boxes, landmarks, scores = _seen(pixels, place, max(side, _side(place)), detector)
    if not len(scores):
        return None
    n = int(np.argmax(scores))
    face = Face(boxes[n], landmarks[n], float(scores[n]), place.pose)
    return face if detector.finder is None else detector.finder.refine(pixels, face)


def _seen(
    pixels: np.ndarray, place: Face, side: float, detector: Detector, mirrored: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The candidates that agree with `place`, when it is `side` px long, in photo pixels: boxes (N, 4), landmarks (N, 5, 2) and
    scores (N,). Seen `mirrored`, their landmarks are of the mirror image, left for right."""
    scale = side / _side(place)
    middle, reach = (place.box[:2] + place.box[2:]) / 2, AROUND * _side(place) / 2
    left, top = np.maximum(np.floor(middle - reach), 0).astype(int)
    part = pixels[top : int(middle[1] + reach) + 1, left : int(middle[0] + reach) + 1]
    size = tuple(np.maximum(np.round(np.array(part.shape[1::-1]) * scale), 1).astype(int).tolist())
    view = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    boxes, landmarks, scores = detector.candidates(view[:, ::-1].copy() if mirrored else view, LOW)
    if mirrored:
        boxes = np.column_stack([size[0] - 1 - boxes[:, 2], boxes[:, 1], size[0] - 1 - boxes[:, 0], boxes[:, 3]])
        landmarks = landmarks * (-1, 1) + (size[0] - 1, 0)
    stretch = np.array(part.shape[1::-1]) / size
    corners = ((boxes.reshape(-1, 2, 2) + 0.5) * stretch - 0.5 + (left, top)).reshape(-1, 4)
    marks = (landmarks + 0.5) * stretch - 0.5 + (left, top)
    agree = np.array([overlap(box, place.box) for box in corners]) >= AGREES
    return (corners[agree], marks[agree], scores[agree]) if len(scores) else (corners, marks, scores)


def _side(face: Face) -> float:
    return float((face.box[2:] - face.box[:2]).max())


def _covers(one: Face, face: Face) -> bool:
    """Whether half of the small `one` lies in the box of `face`, or the other way round."""
    common = np.prod(np.clip(np.minimum(one.box[2:], face.box[2:]) - np.maximum(one.box[:2], face.box[:2]), 0, None))
    return bool(common >= 0.5 * min(one.area, face.area))
