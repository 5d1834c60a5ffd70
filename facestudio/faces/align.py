"""From photo to upright crop, and the geometry both ways.

Separate from `paste` because everything crops and only restorers paste. A face may be two thousand pixels wide and the
crop 112, so shrinking averages over areas: the photo is sampled on a grid several times finer than the crop, which is
then averaged down. Only the face's own region is ever touched, so a photo of twelve megapixels costs no more than its
face. Knows no networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from facestudio.errors import UsageError
from facestudio.faces.face import FFHQ_512, AlignedFace, Face, Template

if TYPE_CHECKING:
    from facestudio.photo import Photo

_MARGIN = 4  # pixels kept around a region so that interpolation sees real neighbours
_FINEST = 96  # sampling grids are at most this many times finer than what is asked for


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The rotation, single scale and translation (2, 3) float64 that best carries `source` (N, 2) onto `target` (N, 2).

    Least squares in the target plane, without reflection (Umeyama 1991). ValueError when the source points coincide.
    """
    source = np.asarray(source, dtype=np.float64)
    target = np.asarray(target, dtype=np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_mean, target - target_mean
    spread = float((a**2).sum())
    if not np.isfinite(spread) or spread < 1e-9:
        raise ValueError("landmarks that coincide cannot be aligned")
    # in the plane the closed form is short: the complex number that carries a onto b
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    linear = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([linear, target_mean - linear @ source_mean])


def inverse(matrix: np.ndarray) -> np.ndarray:
    """The (2, 3) affine transform that undoes `matrix`."""
    return cv2.invertAffineTransform(np.asarray(matrix, dtype=np.float64))


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """`points` (N, 2) carried through the affine `matrix` (2, 3)."""
    return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]


def align(photo: Photo | np.ndarray, face: Face | np.ndarray, template: Template) -> AlignedFace:
    """Crop `face` (or five landmarks (5, 2)) out of `photo` (or (H, W, 3) uint8 RGB) onto `template`.

    Beyond the photo's edge the crop shows the photo mirrored.
    """
    pixels = photo if isinstance(photo, np.ndarray) else photo.pixels
    landmarks = face.landmarks if isinstance(face, Face) else face
    matrix = similarity_transform(landmarks, template.points)
    return AlignedFace(warp(pixels, matrix, (template.size, template.size)), matrix, template)


def whole_face(photo: Photo, template: Template = FFHQ_512) -> Face:
    """The face of a photo that is itself a crop framed as `template`: the template's landmarks at the photo's size.

    Aligning it to the same template covers the photo exactly, and changes no pixel where both have one size.
    """
    height, width = photo.pixels.shape[:2]
    if height != width:
        raise UsageError(f"An aligned crop must be square; this photo has {width} x {height} pixels.")
    # pixel centres are at integers, so a crop's corner is at -0.5; FFHQ_256 is not quite FFHQ_512 made smaller then
    landmarks = (template.points + 0.5) * (width / template.size) - 0.5
    return Face(np.array([0, 0, width, height]), landmarks)


def warp(
    pixels: np.ndarray, matrix: np.ndarray, size: tuple[int, int], border: int = cv2.BORDER_REFLECT_101
) -> np.ndarray:
    """Resample `pixels` (H, W) or (H, W, C) through the affine `matrix` (2, 3) into `size` (width, height).

    Bilinear; averaged over areas when it shrinks.
    """
    width, height = size
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    finer = int(np.clip(round(1 / max(scale, 1e-6)), 1, _FINEST))
    corners = np.array([(-0.5, -0.5), (width - 0.5, -0.5), (-0.5, height - 0.5), (width - 0.5, height - 0.5)])
    region, offset = _region(pixels, transform(inverse(matrix), corners))
    fine = np.array(matrix, dtype=np.float64)
    fine[:, 2] += fine[:, :2] @ offset
    fine *= finer
    fine[:, 2] += (finer - 1) / 2
    enlarged = cv2.warpAffine(region, fine, (width * finer, height * finer), flags=cv2.INTER_LINEAR, borderMode=border)
    return enlarged if finer == 1 else cv2.resize(enlarged, (width, height), interpolation=cv2.INTER_AREA)


def _region(pixels: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of `pixels` around `corners` (4, 2), at least one pixel, and its offset (x, y)."""
    height, width = pixels.shape[:2]
    left, top = np.floor(corners.min(axis=0)).astype(int) - _MARGIN
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + _MARGIN + 1
    left, top = int(np.clip(left, 0, width - 1)), int(np.clip(top, 0, height - 1))
    right, bottom = int(np.clip(right, left + 1, width)), int(np.clip(bottom, top + 1, height))
    return pixels[top:bottom, left:right], np.array([left, top], dtype=np.float64)
