"""What the obscuring methods share: which part of a crop is hidden, and how one of them is loaded and called.

They need no weights, so their tables in the manifest have no files. Strengths are fractions of the face, never pixels of the
photo: a blur of ten pixels hides a small face and leaves a large one as it was. Knows no photos and no recognisers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.faces.face import FFHQ_512, AlignedFace
from facestudio.methods.crops import check_size
from facestudio.options import option
from facestudio.progress import Progress

FACE_WIDTH = 290.0  # pixels from ear to ear in an FFHQ_512 crop
AREAS = ("face", "head")
# centre x, y and half axes in pixels of an FFHQ_512 crop, and the exponent: 2 is an ellipse, more is nearer to a rectangle
_SHAPES = {"face": (256.0, 280.0, 165.0, 205.0, 2.4), "head": (256.0, 258.0, 215.0, 245.0, 3.0)}
_RIM = 0.03  # of the half axes: how far beyond the area its edge fades out


def area_option() -> Any:
    """The option that all obscuring methods have."""
    return option(
        "face",
        title="Area",
        help="What to hide: the face (from brow to chin and ear to ear), or the whole head including the hair.",
        choices=AREAS,
    )


class Obscuring(ABC):
    """A method without weights that hides an area of an FFHQ_512 crop; see `methods.base.Obscurer`."""

    id: ClassVar[str]
    goal = "change"
    template = FFHQ_512
    erases: ClassVar[bool]
    Options: type[Any]

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Self:
        """There is nothing to load; the device does not matter."""
        return cls(checkpoint)

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Hide the area of one FFHQ_512 crop. Nothing is random here, so `seed` changes nothing."""
        check_size(self.id, self.template, aligned)
        progress.check()
        hidden = self.mask(options)[..., None] > 0
        pixels = np.where(hidden, self.obscured(aligned.pixels, options), aligned.pixels)
        progress.preview(lambda: pixels)
        return aligned.with_pixels(pixels)

    def mask(self, options: Any) -> np.ndarray:
        """How much of the crop is laid over the photo, (512, 512) float32: 1 all over the area, 0 beyond its rim."""
        return area_mask(options.area)

    @abstractmethod
    def obscured(self, pixels: np.ndarray, options: Any) -> np.ndarray:
        """All of the crop `pixels` (512, 512, 3) uint8 RGB, hidden."""

    @abstractmethod
    def stronger(self, options: Any) -> Any | None:
        """Options that hide more than `options`; None when there is no more."""


@cache
def area_mask(area: str) -> np.ndarray:
    """The mask of "face" or "head", read-only."""
    x, y, width, height, exponent = _SHAPES[area]
    rows, columns = np.mgrid[: FFHQ_512.size, : FFHQ_512.size].astype(np.float64)
    distance = (np.abs((columns - x) / width) ** exponent + np.abs((rows - y) / height) ** exponent) ** (1 / exponent)
    mask = np.clip((1 + _RIM - distance) / _RIM, 0, 1).astype(np.float32)
    mask.setflags(write=False)
    return mask
