"""Small faces that a detector overlooked: a second, enlarged look at the places that its network took for a face.

In photos of groups, faces of 10 to 20 px get high scores by the network, but their landmarks are a pixel or two off, so that
the close look thinks little of them and they are dropped. Seen at some times their size, landmarks fit better.
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


def _again(pixels: np.ndarray, place: Face, side: float, detector: Detector) -> Face | None:
    """What the network and then the close look make of `place`, when it is `side` px long; None when it is no face to them."""
    scale = max(side / _side(place), 1.0)
    middle, reach = (place.box[:2] + place.box[2:]) / 2, AROUND * _side(place) / 2
    left, top = np.maximum(np.floor(middle - reach), 0).astype(int)
    part = pixels[top : int(middle[1] + reach) + 1, left : int(middle[0] + reach) + 1]
    size = tuple(np.maximum(np.round(np.array(part.shape[1::-1]) * scale), 1).astype(int).tolist())
    view = cv2.resize(part, size, interpolation=cv2.INTER_CUBIC)
    stretch = np.array(part.shape[1::-1]) / size
    boxes, landmarks, scores = detector.candidates(view, LOW)
    corners = ((boxes.reshape(-1, 2, 2) + 0.5) * stretch - 0.5 + (left, top)).reshape(-1, 4)
    agreement = np.array([overlap(box, place.box) for box in corners])
    if not (agreement >= AGREES).any():
        return None
    n = int(np.argmax(scores * (agreement >= AGREES)))
    marks = (landmarks[n] + 0.5) * stretch - 0.5 + (left, top)
    face = Face(corners[n], marks, float(scores[n]), place.pose)
    return face if detector.finder is None else detector.finder.refine(pixels, face)


def _side(face: Face) -> float:
    return float((face.box[2:] - face.box[:2]).max())


def _covers(one: Face, face: Face) -> bool:
    """Whether half of the small `one` lies in the box of `face`, or the other way round."""
    common = np.prod(np.clip(np.minimum(one.box[2:], face.box[2:]) - np.maximum(one.box[:2], face.box[:2]), 0, None))
    return bool(common >= 0.5 * min(one.area, face.area))
