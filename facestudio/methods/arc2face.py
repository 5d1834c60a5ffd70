"""Arc2Face: faces of one person, or of nobody, from an identity embedding.

After Papantoniou et al., "Arc2Face: A Foundation Model of Human Faces" (ECCV 2024), source foivospar/Arc2Face (MIT; no code
taken): a latent diffusion model whose only words are the embedding. Here it is our own prior at 256 px, which may also be told
where the features of the face are, and draws people who do not exist when it is told nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.errors import CheckpointMismatch
from facestudio.faces.face import FFHQ_256
from facestudio.faces.loading import load_network
from facestudio.faces.sketch import sketch
from facestudio.methods.base import Wish
from facestudio.options import option
from facestudio.photo import to_pixels
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 8  # faces that are drawn together


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    guidance: float = option(
        2.0,
        title="Likeness",
        help="How strictly the person is followed (guidance): higher is more alike and less varied. Without a photo it has "
        "no effect.",
        minimum=1.0,
        maximum=8.0,
        step=0.25,
    )
    steps: int = option(
        20,
        title="Steps",
        help="Steps of denoising: fewer are quicker, more are finer.",
        minimum=2,
        maximum=250,
        step=1,
    )
    sampler: str = option(
        "dpm",
        title="Sampler",
        help="dpm (DPM-Solver++) needs few steps; ddim needs more, and is what the papers compare with.",
        choices=("dpm", "ddim"),
    )
    hold_pose: bool = option(
        False, title="Hold pose", help="Keep pose and expression of the photo; without one it has no effect."
    )


class Arc2Face:
    """The loaded method: a `prior` (networks/prior.py) in the latents of an `autoencoder`, on `device`."""

    id = "arc2face"
    goal = "create"
    template = FFHQ_256
    Options: type[Any] = Options

    def __init__(self, checkpoint: Checkpoint, prior: nn.Module, autoencoder: nn.Module, device: str = "cpu") -> None:
        self.checkpoint = checkpoint
        self.embedder = next(iter(checkpoint.conditioned_on), "")
        self._prior: Any = prior
        self._autoencoder: Any = autoencoder
        self._device = device

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Arc2Face:
        """Build and fill prior and autoencoder; CheckpointError when that cannot be."""
        if "autoencoder" not in checkpoint.uses:
            raise CheckpointMismatch(
                f"{checkpoint.id} does not say in which latents it draws.",
                hint="Install the version of Face Studio that these weights belong to.",
            )
        autoencoder = load_network(checkpoints.checkpoint(checkpoint.uses["autoencoder"]), device)
        return cls(checkpoint, load_network(checkpoint, device), autoencoder, device)

    def __call__(self, wish: Wish, seeds: Sequence[int], options: Any, progress: Progress) -> list[np.ndarray]:
        """Pictures (256, 256, 3) uint8 RGB, one for each of `seeds`; see `Synthesizer`."""
        if wish.identity is not None and wish.identity.embedder != self.embedder:
            raise ValueError(f"{self.id} understands {self.embedder}, not {wish.identity.embedder}")
        return run_batched(partial(self._draw, wish, options, progress), list(seeds), BATCH, progress, "Drawing faces")

    def _draw(self, wish: Wish, options: Any, progress: Progress, seeds: list[int]) -> list[np.ndarray]:
        import torch
        from torch.nn import functional

        from facestudio.diffusion.sampling import draw, noise, scheduler
        from facestudio.networks.prior import FINER, SCHEDULE

        config = self.checkpoint.config
        steps = scheduler(options.sampler, SCHEDULE)
        steps.set_timesteps(options.steps)
        start = noise(seeds, (config["latent"], config["side"], config["side"])).to(self._device)
        who = lines = None
        if wish.identity is not None:
            embedding = torch.from_numpy(np.array(wish.identity.embedding, np.float32))
            who = embedding.to(self._device).expand(len(seeds), -1)
        if wish.landmarks is not None:
            drawn = torch.from_numpy(sketch(wish.landmarks, self.template.size, config["side"] * FINER))
            lines = functional.pixel_unshuffle(drawn.permute(2, 0, 1)[None], FINER).to(self._device)
            lines = lines.expand(len(seeds), -1, -1, -1)
        latents = draw(self._prior, steps, start, who, options.guidance, lines, progress, self._sheet)
        return list(self._pixels(latents))

    def _pixels(self, latents: Tensor) -> np.ndarray:
        """(B, S, S, 3) uint8 RGB."""
        import torch

        with torch.inference_mode():
            return to_pixels(self._autoencoder.pixels(latents / self._prior.loud[:, None, None]))

    def _sheet(self, latents: Tensor) -> np.ndarray:
        """The faces of a batch side by side, half as large, for a preview (H, W, 3) uint8 RGB."""
        faces = self._pixels(latents)[:, ::2, ::2]
        columns = min(len(faces), 4)
        blank = -len(faces) % columns
        faces = np.concatenate([faces, np.zeros((blank, *faces.shape[1:]), np.uint8)])
        rows = faces.reshape(-1, columns, *faces.shape[1:]).transpose(0, 2, 1, 3, 4)
        return rows.reshape(rows.shape[0] * rows.shape[1], -1, 3)
