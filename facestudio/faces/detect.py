"""Finding the faces of a photo: boxes, five landmarks, score and an estimate of the pose.

The network was made for faces up to a few hundred pixels, so it sees the photo at several sizes, and large photos in
tiles too (see `looks`). Where no face is sure, it sees the photo turned as well, because it knows no head that is tilted
far; a photo that then proves to lie on its side, or head, is looked at once more as it should stand, at all sizes. Who asks for
faces that it is less sure of wants to miss nobody, so the photo is seen turned then even beside a sure face.
What they find is merged (see `duplicates`). Everything is in photo pixels again when it leaves. Torch is imported inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import enough_memory
from facestudio.faces.align import inverse, transform
from facestudio.faces.duplicates import distinct, merge
from facestudio.faces.face import Face
from facestudio.faces.loading import load_network
from facestudio.faces.looks import Look, looks_at, turned_looks
from facestudio.faces.pose import estimate_pose
from facestudio.faces.turns import carried_boxes, turned
from facestudio.photo import Photo, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import nn

    from facestudio.faces.landmarks import LandmarkFinder

MULTIPLE = 32
MINIMUM_SCORE = 0.4  # on held-out photos: 0.99 of the faces and 0.03 false ones a photo (docs/benchmarks/detection.md)
TILE_SCORE = 0.7  # of a face that only tiles or a turned look show: below, they bring false ones (docs/benchmarks)
STANDS = 0.85  # of a face that shows how the photo stands; what looks like one in a photo on its head had 0.77

GLIMPSED = 0.3  # what the network alone, without a close look, must think of a place for a second look at it

Candidates = tuple[np.ndarray, np.ndarray, np.ndarray]  # boxes (N, 4), landmarks (N, 5, 2), scores (N,)


class Detector:
    """One loaded detection `network` on `device` (see networks/detector.py for its outputs).

    With a `finder` each face gets a second, close look, which sets its five landmarks more exactly and lowers the score
    of what is no face.
    """

    def __init__(self, network: nn.Module, device: str = "cpu", finder: LandmarkFinder | None = None) -> None:
        self._network = network
        self._device = device
        self._finder = finder

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str, finder: LandmarkFinder | None = None) -> Detector:
        """Build and fill the checkpoint's network; CheckpointError when that cannot be."""
        return cls(load_network(checkpoint, device), device, finder)

    @enough_memory()
    def detect(
        self, photo: Photo | np.ndarray, progress: Progress | None = None, minimum_score: float = MINIMUM_SCORE
    ) -> tuple[Face, ...]:
        """The faces of `photo` (or (H, W, 3) uint8 RGB), largest first; duplicates across the looks removed."""
        return self.survey(photo, progress, minimum_score)[0]

    @enough_memory()
    def survey(
        self, photo: Photo | np.ndarray, progress: Progress | None = None, minimum_score: float = MINIMUM_SCORE
    ) -> tuple[tuple[Face, ...], tuple[Face, ...]]:
        """The faces of `detect`, and all places that the network took for a face with a score of GLIMPSED, best first, without a
        close look: the faces, most often nothing, and small faces that it is less sure of (see `overlooked`)."""
        pixels = photo if isinstance(photo, np.ndarray) else photo.pixels
        progress = progress or Progress()
        with progress.step("Finding faces", share=0.15):
            faces, glimpses = self._found(pixels, progress, minimum_score)
        return tuple(sorted(faces, key=lambda face: -face.area)), tuple(glimpses)

    @property
    def finder(self) -> LandmarkFinder | None:
        """What looks at faces closely."""
        return self._finder

    def _found(self, pixels: np.ndarray, progress: Progress, minimum_score: float) -> tuple[list[Face], list[Face]]:
        sure = max(minimum_score, TILE_SCORE)
        faces, glimpsed = self._seen(pixels, minimum_score, sure, progress, share=0.7)
        stands = any(face.score >= max(minimum_score, STANDS) for face in faces)
        if not stands or minimum_score < MINIMUM_SCORE:
            tilted = self._tilted(pixels, sure, progress)
            faces += tilted
            if not stands and (turn := _lies(tilted)):
                faces += self._set_upright(pixels, turn, minimum_score, sure, progress)
        return distinct(faces), glimpsed

    def _seen(
        self, pixels: np.ndarray, minimum_score: float, sure: float, progress: Progress, share: float
    ) -> tuple[list[Face], list[Face]]:
        """What the photo shows as it is: faces, and all that was glimpsed."""
        whole: list[Candidates] = []
        tiles: list[Candidates] = []
        glimpsed: list[Candidates] = []
        seen = pixels
        for look in progress.track(looks_at(pixels.shape[1], pixels.shape[0]), "Finding faces", share=share):
            seen = _at_scale(pixels, seen, look)
            needed = minimum_score if look.whole else sure
            found = self._look(pixels, seen, look, min(needed, GLIMPSED))
            glimpsed.append(_from(found, GLIMPSED))
            (whole if look.whole else tiles).append(_from(found, needed))
        # what tiles show comes first, because it is seen larger there
        faces = self._refined(pixels, self._merged(tiles), sure, progress)
        faces += self._refined(pixels, self._merged(whole, faces), minimum_score, progress)
        return faces, self._merged(glimpsed)

    def _set_upright(
        self, pixels: np.ndarray, turn: float, minimum_score: float, sure: float, progress: Progress
    ) -> list[Face]:
        """What a photo that lies on its side, or head, shows when it is turned by `turn` degrees: small faces, too."""
        view, matrix = turned(pixels, turn)
        back = inverse(matrix)
        faces, _ = self._seen(view, minimum_score, sure, progress, share=0.7)
        marks = [transform(back, face.landmarks) for face in faces]
        boxes = [carried_boxes(back, face.box[None])[0] for face in faces]
        return [
            Face(box, points, face.score, estimate_pose(points))
            for box, points, face in zip(boxes, marks, faces, strict=True)
        ]

    def _tilted(self, pixels: np.ndarray, minimum_score: float, progress: Progress) -> list[Face]:
        """What the turned photo shows."""
        found, seen = [], pixels
        looks = turned_looks(pixels.shape[1], pixels.shape[0])
        for look in progress.track(looks, "Looking for tilted heads", share=0.5):
            seen = _at_scale(pixels, seen, look)
            found.append(self._look(pixels, seen, look, minimum_score))
        return self._refined(pixels, self._merged(found), minimum_score, progress)

    @enough_memory()
    def candidates(self, pixels: np.ndarray, minimum_score: float) -> Candidates:
        """What the network sees in `pixels` (H, W, 3) uint8 RGB as they are, duplicates and all.

        Boxes (N, 4), landmarks (N, 5, 2) and scores (N,) of at least `minimum_score`, float32, best first.
        """
        import torch

        from facestudio.networks.detector import decode

        tensor = to_tensor(pixels)
        pad = (-pixels.shape[1] % MULTIPLE, -pixels.shape[0] % MULTIPLE)
        tensor = torch.nn.functional.pad(tensor, (0, pad[0], 0, pad[1]))
        with torch.inference_mode():
            boxes, landmarks, scores = decode(self._network(tensor.to(self._device)), minimum_score)[0]
        marks = landmarks.float().cpu().numpy().reshape(-1, 5, 2)
        return boxes.float().cpu().numpy(), marks, scores.float().cpu().numpy()

    def _look(self, pixels: np.ndarray, seen: np.ndarray, look: Look, minimum_score: float) -> Candidates:
        """The candidates that `look` answers for, in photo pixels; `seen` is the photo `pixels` at the look's scale."""
        left, top, right, bottom = look.part
        view = seen[top:bottom, left:right]
        if look.turn:
            view, matrix = turned(view, look.turn)
        boxes, landmarks, scores = self.candidates(view, minimum_score)
        if look.turn:
            back = inverse(matrix)
            boxes, landmarks = carried_boxes(back, boxes), transform(back, landmarks)
        mine = look.answers_for(boxes)
        # from the small picture's pixel centres to the photo's
        stretch = np.array([pixels.shape[1] / look.size[0], pixels.shape[0] / look.size[1]])
        corners = (boxes[mine].reshape(-1, 2, 2) + (left, top) + 0.5) * stretch - 0.5
        marks = (landmarks[mine] + (left, top) + 0.5) * stretch - 0.5
        return corners.reshape(-1, 4), marks, scores[mine]

    def _merged(self, found: list[Candidates], known: Sequence[Face] = ()) -> list[Face]:
        """The candidates of several looks without duplicates, and without those that show a `known` face."""
        if not found:
            return []
        boxes, landmarks, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        if known:
            boxes = np.concatenate([[face.box for face in known], boxes])
            landmarks = np.concatenate([[face.landmarks for face in known], landmarks])
        rank = np.concatenate([np.full(len(known), 2.0), scores])  # known ones win
        kept = [n for n in merge(boxes, landmarks, rank, around=self._finder is None) if n >= len(known)]
        return [Face(boxes[n], landmarks[n], float(rank[n]), estimate_pose(landmarks[n])) for n in kept]

    def _refined(self, pixels: np.ndarray, faces: list[Face], minimum_score: float, progress: Progress) -> list[Face]:
        """`faces` after a close look, without those that lose too much of their score by it."""
        if self._finder is None:
            return faces
        looked = progress.track(faces, "Looking at each face", share=0.1)
        return [face for face in (self._finder.refine(pixels, f) for f in looked) if face.score >= minimum_score]


def _lies(faces: Sequence[Face]) -> float:
    """By how many degrees, clockwise, a photo with the `faces` is to be turned by quarters so that most of them stand upright."""
    quarters = [round(float(face.pose[2]) / 90) % 4 for face in faces]
    return -90.0 * max(set(quarters), key=quarters.count) % 360 if quarters else 0.0


def _from(found: Candidates, minimum_score: float) -> Candidates:
    """The candidates that reach a score."""
    boxes, landmarks, scores = found
    enough = scores >= minimum_score
    return boxes[enough], landmarks[enough], scores[enough]


def _at_scale(pixels: np.ndarray, seen: np.ndarray, look: Look) -> np.ndarray:
    """The photo `pixels` at the look's scale: `seen`, from the look before, when that has it."""
    if seen.shape[1::-1] == look.size:
        return seen
    return pixels if pixels.shape[1::-1] == look.size else cv2.resize(pixels, look.size, interpolation=cv2.INTER_AREA)
