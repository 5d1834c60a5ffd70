"""Quick: one pass of the estimator, the restorer of DifFace's first stage used alone.

After Yue and Loy, "DifFace: Blind Face Restoration with Diffused Error Contraction" (2022), source zsyOAOA/DifFace (S-Lab
License 1.0; no code taken). There, a network trained with L1 starts a diffusion; here it is all there is, with our own
U-Net at 256 px. It is fast and deterministic, keeps the identity, and is smoother than what a generator invents. Plain
noise, which that network leaves, is smoothed away before (faces/grain.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.faces.face import FFHQ_256, AlignedFace
from facestudio.faces.grain import without_grain
from facestudio.faces.loading import load_network
from facestudio.methods.crops import check_size
from facestudio.methods.usual_options import grain_option, strength_option
from facestudio.photo import to_pixels, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    strength: float = strength_option()
    grain: float = grain_option()


class Quick:
    """The loaded method: a `network` (see networks/estimator.py) on `device`."""

    id = "quick"
    goal = "keep"
    template = FFHQ_256
    Options: type[Any] = Options

    def __init__(self, checkpoint: Checkpoint, network: nn.Module, device: str = "cpu") -> None:
        self.checkpoint = checkpoint
        self._network = network
        self._device = device

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Quick:
        """Build and fill the estimator; CheckpointError when that cannot be."""
        return cls(checkpoint, load_network(checkpoint, device), device)

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Restore one FFHQ_256 crop. Nothing is random here, so `seed` changes nothing."""
        return self.many([aligned], options, progress, [seed])[0]

    def many(
        self, aligned: Sequence[AlignedFace], options: Any, progress: Progress, seeds: Sequence[int]
    ) -> list[AlignedFace]:
        """Restore several crops in one call of the network."""
        check_size(self.id, self.template, *aligned)
        smooth = []
        for face in aligned:
            progress.check()
            smooth.append(face.with_pixels(without_grain(face.pixels, options.grain)))
        restored = run_batched(self._estimate, smooth, len(aligned), progress)
        progress.preview(lambda: restored[0])
        return [face.with_pixels(pixels) for face, pixels in zip(aligned, restored, strict=True)]

    def _estimate(self, faces: list[AlignedFace]) -> list[Any]:
        """The restored pixels of each of `faces`."""
        import torch

        batch: Tensor = torch.cat([to_tensor(face.pixels) for face in faces]).to(self._device)
        with torch.inference_mode():
            restored = self._network.symmetric(batch).clamp(-1, 1)  # type: ignore[operator]
        return list(to_pixels(restored))
