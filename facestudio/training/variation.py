"""Faces varied for a restorer: bent, moved, tinted and joined of two, so that a few thousand photographs are more people.

What is seen of a clean face may be anything a face may look like, since the restorer is shown a damaged copy of the same: so the
clean one may be another than was photographed. Bending (elastic deformation, Simard, Steinkraus and Platt, "Best practices for
convolutional neural networks", ICDAR 2003) changes who it is; so does joining (CutMix, Yun et al. 2019, along a soft line).
Separate from `mixtures`, which asks a teacher about faces once.
"""

from __future__ import annotations

import cv2
import numpy as np

from facestudio.training.mixtures import recoloured, soft_line

CENTRE = (128.0, 144.0)  # of a face in the FFHQ_256 frame
FACE = (slice(80, 216), slice(72, 184))  # where colours are compared


def bent(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`pixels` (256, 256, 3) uint8 turned by up to 8 degrees, resized, stretched, shifted and bent by a few px."""
    side = len(pixels)
    matrix = np.asarray(cv2.getRotationMatrix2D(CENTRE, random.uniform(-8, 8), random.uniform(0.9, 1.1)), np.float64)
    matrix[:, 0] *= random.uniform(0.95, 1.05)
    matrix[:, 2] += random.uniform(-8, 8, 2) + np.array(CENTRE) - matrix @ [*CENTRE, 1]
    knots = int(random.integers(4, 8))
    offsets = random.normal(0, random.uniform(0, 12 / knots), (knots, knots, 2)).astype(np.float32)
    field = cv2.resize(offsets, (side, side), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    places = np.stack([columns, rows, np.ones_like(rows)], -1) @ matrix.T.astype(np.float32) + field
    return cv2.remap(pixels, places[..., 0], places[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def tinted(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`pixels` (H, W, 3) uint8 in other light: contrast and brightness, a cast of colour, a curve (gamma)."""
    gain = random.uniform(0.75, 1.15) * random.uniform(0.93, 1.07, 3)
    levels = np.linspace(0, 1, 256)[:, None] ** np.exp(random.normal(0, 0.2)) * 255 * gain + random.uniform(-15, 15)
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return cv2.LUT(pixels, table[None])


def joined(first: np.ndarray, second: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """(256, 256, 3) uint8: one aligned face on either side of a soft line through its middle, in the colours of `first`."""
    share = soft_line(first.shape[:2], np.array(CENTRE) + random.normal(0, 16, 2), random.uniform(4, 14), random)
    second = recoloured(second, first, FACE)
    return np.clip(np.rint(first * (1 - share) + second * share), 0, 255).astype(np.uint8)
