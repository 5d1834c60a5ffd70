"""A face that the detector missed, from a box that a person drew roughly around it.

The detector looks once more, closely, at the box alone: with a low threshold, at two sizes, and turned, because heads that
lie or hang are missed most. What agrees with the box is taken, else a mean face is put into it; the close look then sets the
landmarks. Separate from `detect`, which must be sure by itself: here a person is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from facestudio.errors import UsageError
from facestudio.faces.align import inverse, similarity_transform, transform, warp
from facestudio.faces.detect import STANDS, Detector
from facestudio.faces.duplicates import distinct, overlap
from facestudio.faces.face import FFHQ_512, Face
from facestudio.faces.pose import estimate_pose
from facestudio.faces.turns import carried_boxes
from facestudio.photo import Photo
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.faces.landmarks import LandmarkFinder

SMALLEST = 8  # px of a box's side
SIDES = (56, 112)  # longest side of the box, in pixels of a view
AROUND = 3.0  # a view is this many times as long
TURNS = (0, -45, 45, -90, 90, 180)  # degrees
LOW = 0.05  # a person says that there is a face, so little evidence is enough
AGREES = 0.25  # intersection over union of a candidate and the box
LOOKED_AT = 6  # candidates that get a close look
TIMES = 2  # close looks at each, the second from where the first put the landmarks
# where the five landmarks stand in a face's box: left eye, right eye, nose, left and right mouth corner
IN_BOX = np.array([(0.27, 0.39), (0.72, 0.39), (0.5, 0.59), (0.3, 0.74), (0.7, 0.74)])
TALL = 1.3  # height of a face's box by its width
MEAN_SIZES = (0.7, 0.85, 1.0)  # of a mean face, in those of the box: people draw the hair too
CORE, COVERS = 0.85, 0.9  # of a box: its middle, as long; and the part of its rim that lies within what covers it
OVAL = np.array(
    [(256, 280), (165, 205)]
)  # what covers a face in an FFHQ_512 crop (methods/obscuring.py): middle and half axes


def face_at(
    photo: Photo | np.ndarray,
    box: Sequence[float] | np.ndarray,
    detector: Detector,
    finder: LandmarkFinder,
    progress: Progress | None = None,
) -> Face:
    """The face in a rough `box` (4,), left, top, right, bottom, of `photo` (or (H, W, 3) uint8 RGB).

    There always is an answer. Its score says how sure the networks are that it is a face, and may be near 0; where they see
    none at all it is below LOW. UsageError in one sentence when the box is not finite, too small or outside of the photo.
    """
    pixels = photo if isinstance(photo, np.ndarray) else photo.pixels
    progress = progress or Progress()
    drawn = checked_box(box, pixels.shape[1], pixels.shape[0])
    with progress.step("Looking closely", share=0.1):
        return _best(pixels, drawn, detector, finder, progress)


def filling(face: Face, box: Sequence[float] | np.ndarray) -> Face:
    """The `face` that was found in a `box` (4,), if it is sure or covers the middle of the box once it is hidden; else one that
    fills the box.

    For whoever hides it: of a covered or turned away face the landmarks may be wrong, and what a person drew is where it is.
    """
    if face.score >= STANDS:
        return face
    drawn = np.asarray(box, dtype=np.float64)
    around = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    rim = (drawn[:2] + drawn[2:]) / 2 + CORE * (drawn[2:] - drawn[:2]) / 2 * np.column_stack(
        [np.cos(around), np.sin(around)]
    )
    crop = transform(similarity_transform(face.landmarks, FFHQ_512.points), rim)
    if float((np.linalg.norm((crop - OVAL[0]) / OVAL[1], axis=1) <= 1).mean()) >= COVERS:
        return face
    across = max(float(drawn[2] - drawn[0]), float(drawn[3] - drawn[1]) / TALL)
    landmarks = (drawn[:2] + drawn[2:]) / 2 + (IN_BOX - 0.5) * across * np.array([1.0, TALL])
    return replace(face, box=drawn, landmarks=landmarks, pose=estimate_pose(landmarks))


def checked_box(box: Sequence[float] | np.ndarray, width: int, height: int) -> np.ndarray:
    """The part (4,) float64 of `box` that lies in a photo of `width` x `height`; UsageError when it cannot hold a face."""
    hint = "Give left, top, right and bottom of the face, in pixels of the photo."
    values = np.asarray(box, dtype=np.float64)
    if values.shape != (4,) or not np.isfinite(values).all():
        raise UsageError("The box of a face is four finite numbers.", hint=hint)
    across, down = values[2:] - values[:2]
    if min(across, down) < SMALLEST:
        raise UsageError(
            f"A box of {across:.0f} x {down:.0f} px is too small for a face; it needs at least {SMALLEST} px.",
            hint=hint,
        )
    inside = np.clip(values, 0, (width, height, width, height))
    if (inside[2:] - inside[:2]).min() < SMALLEST:
        raise UsageError(f"The box lies outside the photo, which has {width} x {height} px.", hint=hint)
    return inside


def _best(pixels: np.ndarray, box: np.ndarray, detector: Detector, finder: LandmarkFinder, progress: Progress) -> Face:
    """What agrees best with `box` and is most like a face, after close looks."""
    found: list[Face] = []
    for turn in progress.track(TURNS, "Looking closely", share=0.7):
        found += _candidates(pixels, box, turn, detector)
    agreement = {id(face): overlap(face.box, box) for face in found}
    fitting = [face for face in distinct(found) if agreement[id(face)] >= AGREES]
    fitting = sorted(fitting, key=lambda face: -face.score * agreement[id(face)])[:LOOKED_AT]
    refined: list[tuple[float, Face]] = []
    for face in progress.track([*fitting, *_mean_faces(box)], "Looking closely"):
        after = _refined(pixels, face, finder)
        refined.append((after.score * agreement.get(id(face), AGREES), after))
    return max(refined, key=lambda pair: pair[0])[1]


def _candidates(pixels: np.ndarray, box: np.ndarray, turn: float, detector: Detector) -> list[Face]:
    """What the detector sees around `box` when the photo is turned by `turn` degrees, in photo pixels."""
    longest, middle, radians = float((box[2:] - box[:2]).max()), (box[:2] + box[2:]) / 2, np.radians(turn)
    # only the surroundings, and no finer than the views: a face may be thousands of pixels wide
    reach = AROUND * longest * np.sqrt(0.5)
    left, top = np.maximum(np.floor(middle - reach), 0).astype(int)
    part = pixels[top : int(middle[1] + reach) + 1, left : int(middle[0] + reach) + 1]
    size = np.maximum(np.round(np.array(part.shape[1::-1]) * min(1.0, 1.5 * SIDES[-1] / longest)), 1)
    shrink = size / part.shape[1::-1]
    small = cv2.resize(part, tuple(size.astype(int).tolist()), interpolation=cv2.INTER_AREA)
    cosine, sine = np.cos(radians), np.sin(radians)
    faces = []
    for side in SIDES:
        scale, length = side / longest, int(AROUND * side)
        linear = scale * np.array([[cosine, -sine], [sine, cosine]])
        view = np.column_stack([linear, (length - 1) / 2 - linear @ middle])  # from the photo
        from_small = view.copy()
        from_small[:, :2] /= shrink
        from_small[:, 2] += view[:, :2] @ ((0.5 / shrink) - 0.5 + (left, top))
        seen = warp(small, from_small, (length, length), cv2.BORDER_CONSTANT)
        back = inverse(view)
        boxes, marks, scores = detector.candidates(seen, LOW)
        landmarks = transform(back, marks)
        found = zip(carried_boxes(back, boxes), landmarks, scores, strict=True)
        faces += [Face(at, five, score, estimate_pose(five)) for at, five, score in found]
    return faces


def _mean_faces(box: np.ndarray) -> list[Face]:
    """Upright mean faces of several sizes in the middle of `box`; their score is what no candidate reached."""
    middle, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    width = float(np.sqrt(size[0] * size[1] / TALL))
    faces = []
    for share in MEAN_SIZES:
        extent = share * width * np.array([1.0, TALL])
        landmarks = middle + (IN_BOX - 0.5) * extent
        faces.append(Face(box, landmarks, LOW, estimate_pose(landmarks)))
    return faces


def _refined(pixels: np.ndarray, face: Face, finder: LandmarkFinder) -> Face:
    """`face` after TIMES close looks, whose last one sets the score."""
    for _ in range(TIMES):
        refined = finder.refine(pixels, face)
        face = replace(face, landmarks=refined.landmarks)
    return refined
