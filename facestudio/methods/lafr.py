"""LAFR: the latent of a degraded face is moved to where clean ones are, and a diffusion prior makes it a face in one step.

Paper: Li et al., "LAFR: Efficient Diffusion-based Blind Face Restoration via Latent Codebook Alignment Adapter", 2025 (arXiv
2505.23462); there is no published code. The adapter and the low-rank update of the prior are networks/lafr.py; autoencoder and
prior are other checkpoints, and only those will do that the weights were trained with. The result is the mean of what comes of
the face and of its mirror image, as of `quick`: errors that differ cancel out. Nothing is random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.faces.face import FFHQ_256, AlignedFace
from facestudio.faces.loading import load_network, load_used, refuse_others
from facestudio.methods.crops import check_size
from facestudio.methods.usual_options import strength_option
from facestudio.photo import to_pixels, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import nn

BATCH = 4  # faces that are restored together


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    strength: float = strength_option()


class LAFR:
    """The loaded method: a `network` (networks/lafr.py), the `prior` that was updated by it, an `autoencoder`, and the
    `estimator` where the checkpoint starts from its guess, whose onlooker may tell the prior who is there; on `device`."""

    id = "lafr"
    goal = "keep"
    template = FFHQ_256
    Options: type[Any] = Options

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: nn.Module,
        prior: nn.Module,
        autoencoder: nn.Module,
        estimator: nn.Module | None = None,
        device: str = "cpu",
    ) -> None:
        self.checkpoint = checkpoint
        self._network: Any = network
        self._prior: Any = prior
        self._autoencoder: Any = autoencoder
        self._estimator: Any = estimator
        self._device = device

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> LAFR:
        """Build and fill all networks; CheckpointError when that cannot be, or it was trained with others than are here."""
        refuse_others(checkpoint, "lafr")
        prior, autoencoder = (load_used(checkpoint, role, device) for role in ("prior", "autoencoder"))
        network: Any = load_network(checkpoint, device)
        estimator = load_used(checkpoint, "estimator", device) if network.guess == "estimator" else None
        network.update.merge(prior)
        return cls(checkpoint, network, prior, autoencoder, estimator, device)

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Restore one FFHQ_256 crop; `seed` changes nothing. Stops between two networks."""
        (restored,) = self.many([aligned], options, progress, [seed])
        return restored

    def many(
        self, aligned: Sequence[AlignedFace], options: Any, progress: Progress, seeds: Sequence[int]
    ) -> list[AlignedFace]:
        """Restore several FFHQ_256 crops together."""
        check_size(self.id, self.template, *aligned)
        made = run_batched(partial(self._restore, progress), aligned, BATCH, progress)
        return [face.with_pixels(pixels) for face, pixels in zip(aligned, made, strict=True)]

    def _restore(self, progress: Progress, faces: list[AlignedFace]) -> list[np.ndarray]:
        """The restored pixels of each of `faces`."""
        import torch

        from facestudio.networks.lafr import one_step

        upright: Any = torch.cat([to_tensor(face.pixels) for face in faces]).to(self._device)
        low = torch.cat([upright, upright.flip(-1)])

        def step_of(aligned: Any) -> Any:
            who = self._estimator.person(low) if self._network.person else None
            return one_step(self._prior, aligned, self._network.time, identity=who)

        x = low
        steps: list[Any] = [
            *([] if self._estimator is None else [lambda faces: self._estimator(faces).clamp(-1, 1)]),
            self._autoencoder.latents,
            lambda latents: self._network.adapter(latents).latents,
            step_of,
            self._autoencoder.pixels,
        ]
        with torch.inference_mode():
            for step in progress.track(steps, "Restoring the face"):
                x = step(x)
        pixels = to_pixels((x[: len(faces)] + x[len(faces) :].flip(-1)) / 2)
        progress.preview(lambda: pixels[0])
        return list(pixels)
