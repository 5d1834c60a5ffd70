"""A close look at a face that was found: is it one, where are its landmarks (sixty-eight in iBUG order, and the five), and
which way does it look.

Separate from `detect`, which finds faces in whole photos and cannot look at each one closely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import enough_memory
from facestudio.errors import FaceStudioError
from facestudio.faces.align import inverse, similarity_transform, transform, warp
from facestudio.faces.face import FFHQ_256, Face
from facestudio.faces.loading import load_network
from facestudio.faces.pose import angles, before, estimate_pose, pose_of_68
from facestudio.photo import Photo, to_tensor

if TYPE_CHECKING:
    from torch import nn

BOX = (52.0, 62.0, 204.0, 232.0)  # left, top, right, bottom of the network's view in an FFHQ_256 crop
SIDE = 112
WEIGHT = 0.8  # power of the probability of a face: less than 1, because the detector's score knows a part of it already
FARTHEST = 0.5  # of the distance between the eyes: a point that moves farther was not this face's


class LandmarkFinder:
    """One loaded landmark `network` (B, 3, 112, 112) in [-1, 1] -> points (B, 73, 2) in 0..1 of `BOX`
    (the 68, then the five of `Face`) and logits (B,) of being a face; it may add rotations (B, 3, 3) of the head."""

    def __init__(self, network: nn.Module, device: str = "cpu") -> None:
        self._network = network
        self._device = device

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> LandmarkFinder:
        """Build and fill the checkpoint's network; CheckpointError when that cannot be."""
        return cls(load_network(checkpoint, device), device)

    def find(self, photo: Photo | np.ndarray, face: Face) -> np.ndarray:
        """The (68, 2) float32 landmarks of `face` in photo pixels; `photo` may be (H, W, 3) uint8 RGB."""
        return self._look(photo, face.landmarks)[0][:68]

    def refine(self, photo: Photo | np.ndarray, face: Face) -> Face:
        """`face` with its score times the probability, to the power of WEIGHT, that it is one, and its five landmarks and
        pose set more exactly.

        The probability is the lower one of the face's and of its mirror image's: what only looks like a face is seldom one
        both ways round. Landmarks that would move far stay where they are. The pose is the network's where it tells one, else
        that of the 68 landmarks; where the landmarks are not believed, that of the five.
        """
        points, probability, pose = self._look(photo, face.landmarks, mirrored=True)
        landmarks, score = points[68:], face.score * probability**WEIGHT
        moved = np.linalg.norm(landmarks - face.landmarks, axis=1).max()
        if not np.isfinite(moved) or moved > FARTHEST * max(face.interocular, np.sqrt(face.area) / 3):
            landmarks, pose = face.landmarks, estimate_pose(face.landmarks)
        return Face(face.box, landmarks, score, pose)

    @enough_memory()
    def _look(
        self, photo: Photo | np.ndarray, landmarks: np.ndarray, mirrored: bool = False
    ) -> tuple[np.ndarray, float, np.ndarray]:
        """Where five landmarks are about `landmarks` (5, 2): all points (73, 2) float32 in photo pixels, the probability of a
        face (`mirrored`: the lower one of both ways round), and the pose (3,) in the photo in degrees."""
        import torch

        pixels = photo if isinstance(photo, np.ndarray) else photo.pixels
        crop = similarity_transform(landmarks, FFHQ_256.points)
        left, top, right, bottom = BOX
        scale = np.array([SIDE / (right - left), SIDE / (bottom - top)])
        # crop pixel to view pixel: both count their centres at integers, hence the halves
        view = crop * scale[:, None]
        view[:, 2] += scale * (0.5 - np.array([left, top])) - 0.5
        seen = to_tensor(warp(pixels, view, (SIDE, SIDE))).to(self._device)
        if mirrored:
            seen = torch.cat([seen, seen.flip(-1)])
        with torch.inference_mode():
            points, logits, *rotations = self._network(seen)
        if not torch.isfinite(points).all():
            raise FaceStudioError("The landmarks of a face could not be found.", hint="Choose another face or photo.")
        in_crop = points[0].float().cpu().numpy() * [right - left, bottom - top] + [left, top] - 0.5
        found = transform(inverse(crop), in_crop).astype(np.float32)
        pose = angles(before(crop, rotations[0][0].cpu().numpy())) if rotations else pose_of_68(found[:68])
        return found, float(logits.sigmoid().min()), pose
