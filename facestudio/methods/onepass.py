"""What the published restorers have in common whose network is called once a crop: RestoreFormer, CodeFormer, GFPGAN.

Separate so that each of them says only what is its own. It knows no network; see networks/ for those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.faces.face import FFHQ_512, AlignedFace
from facestudio.faces.loading import load_network
from facestudio.methods.usual_options import strength_option
from facestudio.photo import to_pixels, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 2  # crops in one call of the network


@dataclass(frozen=True)
class Options:
    """What a person may choose of each of them."""

    strength: float = strength_option()


class OnePass:
    """A loaded method: a `network` on `device` that makes a restored crop of a degraded one. Subclasses have an `id`."""

    id = ""
    goal = "keep"
    template = FFHQ_512
    Options: type[Any] = Options

    def __init__(self, checkpoint: Checkpoint, network: nn.Module, device: str = "cpu") -> None:
        self.checkpoint = checkpoint
        self.network = network
        self.device = device

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Self:
        """Build and fill the network; CheckpointError when that cannot be."""
        return cls(checkpoint, load_network(checkpoint, device), device)

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Restore one FFHQ_512 crop. The same crop, options and `seed` give the same pixels.

        ValueError when the crop is framed otherwise. Stops, by Cancelled, before or after the one call of the network.
        """
        return self.many([aligned], options, progress, [seed])[0]

    def many(
        self, aligned: Sequence[AlignedFace], options: Any, progress: Progress, seeds: Sequence[int]
    ) -> list[AlignedFace]:
        """Restore several crops, two in one call of the network: larger batches of 512 px only take more memory."""
        for face in aligned:
            size, points = face.template.size, face.template.points
            if size != self.template.size or not np.allclose(points, self.template.points, atol=0.5):
                raise ValueError(f"{self.id} works on {self.template.name}, not {face.template.name}")
        crops = list(zip(aligned, seeds, strict=True))
        pixels = run_batched(lambda some: self._restore(some, options), crops, BATCH, progress)
        progress.preview(lambda: pixels[0])
        return [face.with_pixels(one) for face, one in zip(aligned, pixels, strict=True)]

    def forward(self, batch: Tensor, options: Any, seeds: list[int]) -> Tensor:
        """What the network makes of `batch` (B, 3, 512, 512) RGB in [-1, 1]: the same shape and range, not clamped.

        `seeds`: one a crop, for methods in which something is random.
        """
        return self.network(batch)

    def _restore(self, crops: list[tuple[AlignedFace, int]], options: Any) -> list[np.ndarray]:
        """The restored pixels of each of `crops`, which come with their seeds."""
        import torch

        batch = torch.cat([to_tensor(face.pixels) for face, _ in crops]).to(self.device)
        with torch.inference_mode():
            return list(to_pixels(self.forward(batch, options, [seed for _, seed in crops])))
