"""What several methods do with a crop: refuse another size, find features, seed noise, keep what is coarse. Torch comes late."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

from facestudio.faces.face import AlignedFace, Face, Template

if TYPE_CHECKING:
    from torch import Tensor

    from facestudio.faces.landmarks import LandmarkFinder


def check_size(method: str, template: Template, *crops: AlignedFace) -> None:
    """ValueError unless each of `crops` is as large as the `template` that `method` works on."""
    for crop in crops:
        if crop.template.size != template.size:
            raise ValueError(f"{method} works on {template.name}, not {crop.template.name}")


def features(finder: LandmarkFinder, pixels: np.ndarray, template: Template) -> np.ndarray:
    """The (68, 2) landmarks that `finder` sees in a crop `pixels`, whose five are where its `template` has them."""
    side = template.size
    return finder.find(pixels, Face((0, 0, side, side), template.points))  # type: ignore[arg-type]


def noise_seed(pixels: np.ndarray, seed: int) -> int:
    """A 63-bit seed from the content of a crop and the asked seed; never from its place in a batch."""
    digest = hashlib.sha256(f"{pixels.shape}/{seed}/".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return int.from_bytes(digest.digest()[:8], "big") >> 1


def held(found: Tensor, guess: Tensor, sigma: float, weight: np.ndarray | None = None) -> Tensor:
    """`found` (B, 3, H, W) with what is coarse from `guess`, by exchanging what a blur of deviation `sigma` px leaves of both.

    `weight` (H, W) in 0..1: how much each place counts in the blur; None: all alike.
    """
    import torch

    off = (guess - found).permute(0, 2, 3, 1).cpu().numpy()
    if weight is None:
        coarse = np.stack([_blurred(one, sigma) for one in off])
    else:
        counted = np.maximum(_blurred(weight, sigma), 1e-3)[..., None]
        coarse = np.stack([_blurred(one * weight[..., None], sigma) / counted for one in off])
    return (found + torch.from_numpy(coarse).permute(0, 3, 1, 2).to(found)).clamp(-1, 1)


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    made: np.ndarray = cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return made
