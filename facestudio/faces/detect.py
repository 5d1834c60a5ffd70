"""Finding the faces of a photo: boxes, five landmarks, score and an estimate of the pose.

The network sees the photo at two sizes, because it was made for faces up to a few hundred pixels: once with the longest
side at most 1024, once at most 384 for faces that fill the frame. What both find is merged. Everything is in photo pixels
again when it leaves. Torch is imported inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import enough_memory
from facestudio.faces.face import FFHQ_512, Face
from facestudio.faces.loading import load_network
from facestudio.photo import Photo, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import nn

    from facestudio.faces.landmarks import LandmarkFinder

SIDES = (1024, 384)  # longest side of each look; a photo is never enlarged
MULTIPLE = 32
OVERLAP = 0.4  # intersection over union from which two boxes are one face
CONTAINED = 0.8  # part of the smaller box inside the larger from which they are one face
MINIMUM_SCORE = 0.4  # on held-out photos: 0.98 of the faces and 0.03 false ones a photo (docs/benchmarks/starter.md)

# Depth of the five landmarks towards the camera, in pixels of FFHQ_512, whose eyes are 126 px or about 63 mm apart.
_DEPTH = np.array([0.0, 0.0, 56.0, 14.0, 14.0])


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
        pixels = photo if isinstance(photo, np.ndarray) else photo.pixels
        progress = progress or Progress()
        longest = max(pixels.shape[:2])
        sides = [side for n, side in enumerate(SIDES) if n == 0 or side < longest]
        looks = [self._look(pixels, side, minimum_score) for side in progress.track(sides, "Finding faces", share=0.1)]
        boxes, landmarks, scores = (np.concatenate(parts) for parts in zip(*looks, strict=True))
        faces = [
            Face(boxes[n], landmarks[n], float(scores[n]), estimate_pose(landmarks[n])) for n in merge(boxes, scores)
        ]
        if self._finder is not None:
            looked = progress.track(faces, "Looking at each face", share=0.05)
            faces = [face for face in (self._finder.refine(pixels, f) for f in looked) if face.score >= minimum_score]
        return tuple(sorted(faces, key=lambda face: -face.area))

    def _look(self, pixels: np.ndarray, side: int, minimum_score: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (N, 4), landmarks (N, 5, 2), scores (N,) in photo pixels, seen with the longest side at most `side`."""
        import torch

        from facestudio.networks.detector import decode

        height, width = pixels.shape[:2]
        factor = min(1.0, side / max(height, width))
        small = (max(round(width * factor), 1), max(round(height * factor), 1))
        seen = pixels if factor == 1.0 else cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
        tensor = to_tensor(seen)
        pad = (-small[0] % MULTIPLE, -small[1] % MULTIPLE)
        tensor = torch.nn.functional.pad(tensor, (0, pad[0], 0, pad[1]))
        with torch.inference_mode():
            boxes, landmarks, scores = decode(self._network(tensor.to(self._device)), minimum_score)[0]
        # from the small picture's pixel centres to the photo's
        stretch = np.array([width / small[0], height / small[1]])
        points = boxes.float().cpu().numpy().reshape(-1, 2, 2)
        points = (points + 0.5) * stretch - 0.5
        marks = (landmarks.float().cpu().numpy().reshape(-1, 5, 2) + 0.5) * stretch - 0.5
        return points.reshape(-1, 4), marks, scores.float().cpu().numpy().reshape(-1)


def merge(boxes: np.ndarray, scores: np.ndarray) -> list[int]:
    """Indices of the boxes (N, 4) that stay, best score first, when those that overlap or contain a kept one go."""
    order = list(np.argsort(-scores, kind="stable"))
    areas = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    kept: list[int] = []
    while order:
        best = order.pop(0)
        kept.append(int(best))
        rest = np.array(order, dtype=int)
        corner = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2])
        common = np.prod(np.clip(corner, 0, None), axis=1)
        union = areas[best] + areas[rest] - common
        smaller = np.minimum(areas[best], areas[rest])
        same = (common > OVERLAP * union) | (common > CONTAINED * smaller)
        order = list(rest[~same])
    return kept


def estimate_pose(landmarks: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll (3,) float32 in degrees from five landmarks (5, 2), by weak perspective.

    The landmarks are fitted, by least squares, as the scaled projection of a mean face (the template's own landmarks with
    the nose and the mouth in front of the eyes). A face as in the template has pose 0. Five points and one mean face give
    a rough pose: expect ten degrees of error, and more beyond sixty degrees of yaw.
    """
    model = np.column_stack([FFHQ_512.points, _DEPTH])
    model = model - model.mean(axis=0)
    points = np.asarray(landmarks, dtype=np.float64)
    solution, *_ = np.linalg.lstsq(model, points - points.mean(axis=0), rcond=None)
    u, sizes, v = np.linalg.svd(solution.T, full_matrices=False)
    if sizes[0] < 1e-9:
        return np.zeros(3, dtype=np.float32)
    right, down = u @ v
    # upright first; then the nose's way right and up in the picture, against how much of the face's width and height is left
    roll = np.arctan2(down[0], right[0])
    cosine, sine = np.cos(roll), np.sin(roll)
    right, down = cosine * right + sine * down, cosine * down - sine * right
    yaw, pitch = np.arctan2(right[2], right[0]), np.arctan2(-down[2], down[1])
    return np.degrees([yaw, pitch, roll]).astype(np.float32)
