"""Networks that judge while something is trained, with gradients: who is in FFHQ_256 faces, and where the features are.

Separate from `teachers`, which reads foreign networks. The crops that a recogniser wants are cut by a fixed grid, since all faces
here stand where the template has them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio import checkpoints
from facestudio.faces.align import similarity_transform, transform
from facestudio.faces.face import ARCFACE_112, FFHQ_256
from facestudio.faces.landmarks import BOX, SIDE
from facestudio.faces.loading import fill_network
from facestudio.training import teachers

EYES = (slice(36, 42), slice(42, 48))


class Cropper:
    """Crops (B, 3, 112, `width`) of faces (B, 3, 256, 256): the ARCFACE_112 frame, or the middle of it."""

    def __init__(self, width: int = 112) -> None:
        points = ARCFACE_112.points - [(112 - width) / 2, 0]
        back = similarity_transform(points, FFHQ_256.points)
        x, y = np.meshgrid(np.arange(float(width)), np.arange(112.0))
        places = transform(back, np.stack([x.ravel(), y.ravel()], 1)).reshape(1, 112, width, 2)
        self.grid = torch.from_numpy(((places + 0.5) / 128 - 1).astype(np.float32))

    def __call__(self, faces: Tensor) -> Tensor:
        grid = self.grid.to(faces.device).expand(len(faces), -1, -1, -1)
        crops = functional.grid_sample(faces.float(), grid, mode="bilinear", align_corners=False)
        return crops.contiguous(memory_format=torch.channels_last)


class Recogniser:
    """The CASIA teacher on FFHQ_256 crops: (B, 3, 256, 256) in [-1, 1] to unit embeddings (B, 128), with gradients."""

    def __init__(self, teacher: teachers.Casia) -> None:
        self.teacher, self.crops = teacher, Cropper(96)

    def __call__(self, faces: Tensor) -> Tensor:
        crops = self.crops(faces)
        with torch.autocast(faces.device.type, enabled=False):
            raw, _ = self.teacher.to(crops.device)(crops)
        return functional.normalize(raw, dim=1)


class Own:
    """The same of an embedder of ours, a `network` that says (B, D) of crops (B, 3, 112, 112)."""

    def __init__(self, network: nn.Module) -> None:
        self.network, self.crops = network, Cropper()

    def __call__(self, faces: Tensor) -> Tensor:
        return functional.normalize(self.network.to(faces.device)(self.crops(faces)).float(), dim=1)


Oracle = Callable[[Tensor], Tensor]


def impostor_threshold(embeddings: Tensor, people: np.ndarray, far: float) -> float:
    """The cosine that a share `far` of the pairs of different `people` (N,) reach, by unit `embeddings` (N, D)."""
    different = torch.from_numpy(people[:, None] != people[None]).triu(1)
    return float(torch.quantile((embeddings @ embeddings.T)[different], 1 - far))


def features(finder: nn.Module, faces: Tensor) -> Tensor:
    """(B, 68, 2) landmarks of `faces` (B, 3, 256, 256) in [-1, 1] by `finder`, in 0..1 of its view."""
    left, top, right, bottom = map(int, BOX)
    view = functional.interpolate(faces[..., top:bottom, left:right], (SIDE, SIDE), mode="bilinear")
    points: Tensor = finder.to(faces.device)(view.contiguous(memory_format=torch.channels_last))[0]
    return points[:, :68]


def misplaced(found: Tensor, wanted: Tensor) -> Tensor:
    """How far (B,) landmarks `found` (B, 68, 2) are from those `wanted`, on average of both axes, in distances of the eyes."""
    eyes = (wanted[:, EYES[0]].mean(1) - wanted[:, EYES[1]].mean(1)).norm(dim=1)
    return (found - wanted).abs().mean((1, 2)) / eyes.clamp(min=0.1)


def frozen(name: str) -> nn.Module:
    """The network of the checkpoint `name`, which takes no gradients of its own."""
    network = fill_network(checkpoints.checkpoint(name)).requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
