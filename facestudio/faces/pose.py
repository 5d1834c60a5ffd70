"""Head pose: which way a face looks, from points of it, and what yaw, pitch and roll mean everywhere.

Separate from `detect` and `landmarks`, which both tell it, and from the training, which labels faces with it. A rotation is
(3, 3) float64: its rows say how far the picture's x (right), y (down) and z (towards the camera) reach along the head's
axes, of which the same is said when the head looks straight into the camera. Knows no networks.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from facestudio import paths
from facestudio.faces.face import FFHQ_512

MEAN_FACE = "mean_face68.txt"  # in resources/: (68, 3), iBUG order; made by training/shapes.py of the training faces
# The mean face: its five landmarks with their depth towards the camera, in pixels of FFHQ_512 (2 px are about 1 mm).
_FIVE = np.column_stack([FFHQ_512.points, [0.0, 0.0, 56.0, 14.0, 14.0]])


def fit_rotation(points: np.ndarray, model: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) that carries `model` (N, 3) onto `points` (N, 2), by weak perspective and least squares.

    A scale and a shift are fitted too. The identity when the points coincide. The affine projection of least squares is
    made a rotation by taking the nearest one.
    """
    model = model - model.mean(axis=0)
    points = np.asarray(points, dtype=np.float64)
    solution, *_ = np.linalg.lstsq(model, points - points.mean(axis=0), rcond=None)
    u, sizes, v = np.linalg.svd(solution.T, full_matrices=False)
    if sizes[0] < 1e-9:
        return np.eye(3)
    across, down = u @ v
    return np.stack([across, down, np.cross(across, down)])


def angles(rotation: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll (..., 3) float32 in degrees, with the signs of `Face.pose`, of `rotation` (..., 3, 3)."""
    across, down = rotation[..., 0, :], rotation[..., 1, :]
    # upright first; then the nose's way right and up in the picture, against how much of the face's width and height is left
    roll = np.arctan2(down[..., 0], across[..., 0])
    cosine, sine = np.cos(roll)[..., None], np.sin(roll)[..., None]
    across, down = cosine * across + sine * down, cosine * down - sine * across
    yaw, pitch = np.arctan2(across[..., 2], across[..., 0]), np.arctan2(-down[..., 2], down[..., 1])
    return np.degrees(np.stack([yaw, pitch, roll], axis=-1)).astype(np.float32)


def before(matrix: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) in the photo of a head with `rotation` in the crop that the similarity `matrix` (2, 3) made."""
    cosine, sine = matrix[:, 0] / np.linalg.norm(matrix[:, 0])
    return np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]]) @ rotation


def estimate_pose(landmarks: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll (3,) float32 in degrees from five landmarks (5, 2), by weak perspective.

    The landmarks are fitted as the projection of a mean face (the template's own landmarks with the nose and the mouth in
    front of the eyes). A face as in the template has pose 0. Five points and one mean face give a rough pose: expect ten
    degrees of error, and more beyond sixty degrees of yaw.
    """
    return angles(fit_rotation(landmarks, _FIVE))


def pose_of_68(landmarks: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll (3,) float32 in degrees from 68 landmarks (68, 2), by weak perspective and the mean face.

    On held-out people some 2, 3 and 1 degrees from the same fit to the landmark teacher's points, where five points differ
    by 3, 9 and 2; there is no truth to compare with. Pose 0 is that of the mean training face.
    """
    return angles(fit_rotation(landmarks, mean_face()))


@cache
def mean_face() -> np.ndarray:
    """The mean face (68, 3): outer eye corners 1 apart, x right, y down, z towards the camera."""
    face = np.loadtxt(paths.resources_dir() / MEAN_FACE)
    face.flags.writeable = False
    return face
