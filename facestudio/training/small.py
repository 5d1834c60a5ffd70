"""Small faces as training targets: FFHQ at 128 px and CelebA at 89x109 px, laid into the FFHQ_256 frame.

Separate from `data` because only restoration trains on them, and only at a quarter of the size: nothing finer in them is true
(one set is strongly compressed, the other has 80 px for what a crop of 256 px shows). They bring people whom faces256 lacks.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facestudio.faces.align import similarity_transform
from facestudio.faces.face import FFHQ_256
from facestudio.training import data
from facestudio.training.degradation import Degradation, draw
from facestudio.training.identity_data import CELEBA_109

TRUE = 4  # times smaller than a crop of 256 px is what can be believed of them
SIDE = 128


@dataclass(frozen=True)
class SmallFaces:
    """`pixels` (N, 128, 128, 3) uint8 RGB memory map in the FFHQ frame, and who they are, `identity` (N,) str."""

    pixels: np.ndarray
    identity: np.ndarray

    def enlarged(self, index: int) -> np.ndarray:
        """(256, 256, 3) uint8 of one, by cubic interpolation."""
        return cv2.resize(np.asarray(self.pixels[index]), (256, 256), interpolation=cv2.INTER_CUBIC)


def ffhq(root: Path, cache: Path) -> SmallFaces:
    """Those of `ffhq128.zip`, which are in the frame as they are."""
    with zipfile.ZipFile(root / "ffhq128.zip") as members:
        names = sorted(name for name in members.namelist() if name.endswith(".jpg"))
    pixels = data.packed(root / "ffhq128.zip", names, (SIDE, SIDE), cache)
    return SmallFaces(pixels, np.array([f"ffhq-{Path(name).stem}" for name in names]))


def celeba(root: Path, cache: Path) -> SmallFaces:
    """Those of `celeba_small.zip`, moved into the frame by where their features usually are."""
    rows = data.read_rows(root / "celeba_small.csv")
    half = (FFHQ_256.points + 0.5) * (SIDE / 256) - 0.5
    move = similarity_transform(CELEBA_109, half)

    def moved(_: int, pixels: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(pixels, move, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)

    names = [row["file"] for row in rows]
    pixels = data.packed(root / "celeba_small.zip", names, (SIDE, SIDE), cache, moved)
    return SmallFaces(pixels, np.array([row["identity"] for row in rows]))


def heavy(random: np.random.Generator) -> Degradation:
    """A degradation as by `draw` that leaves nothing finer than what is true of these faces."""
    while True:
        how = draw(random)
        if how.scale >= TRUE and min(how.sigma) >= 0.3 * TRUE:
            return how
