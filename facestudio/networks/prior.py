"""The face prior: a latent diffusion model that may be told who the face is and where its features are.

Papers: Rombach et al., "Latent Diffusion Models", CVPR 2022; Papantoniou et al., "Arc2Face", ECCV 2024 (the identity
embedding is the only words that cross-attention hears); Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022. The
U-Net is diffusers' UNet2DConditionModel, and learns what the best linear guess (networks/gaussian.py) lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.gaussian import GaussianGuess

LINES = 4  # kinds of lines of a sketch: outline and brows, eyes, nose, mouth
FINER = 4  # a sketch has this many times the latent's side, and comes unshuffled
# the noise that a prior is trained with, in the words of diffusers' schedulers
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "clip_sample": False,
    "timestep_spacing": "trailing",
}


def unshuffled(lines: np.ndarray) -> Tensor:
    """The sketch (B, S, h, w) that a prior is told, of `lines` (B, 4h, 4w, kinds) float32 (faces/sketch.py)."""
    return functional.pixel_unshuffle(torch.from_numpy(lines).permute(0, 3, 1, 2), FINER)


class FacePrior(nn.Module):
    """Predicts v of noisy latents.

    Args:
        latent: channels of the latent; side: its height and width.
        widths: channels of each level; every level but the first hears the identity.
        blocks: residual blocks a level; heads: channels of an attention head.
        words: tokens that the identity becomes; tongue: their length; dimensions: length of the identity embedding.
        sketch: channels of the sketch, at the latent's size; axes: of the linear guess.

    The latents it deals in are the autoencoder's times `loud` (latent,): how much a channel shows in the picture, so that what
    hardly shows is not taken as seriously as light and shadow.
    """

    def __init__(
        self,
        latent: int = 16,
        side: int = 16,
        widths: Sequence[int] = (128, 192),
        blocks: int = 2,
        heads: int = 64,
        words: int = 4,
        tongue: int = 192,
        dimensions: int = 512,
        sketch: int = 64,
        axes: int = 256,
        groups: int = 32,
    ) -> None:
        super().__init__()
        self.words, self.dimensions = words, dimensions
        self.linear = GaussianGuess(latent * side**2, axes, dimensions)
        unet: Any = UNet2DConditionModel(
            sample_size=side,
            in_channels=2 * latent + sketch,
            out_channels=latent,
            down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * (len(widths) - 1)),
            up_block_types=(*("CrossAttnUpBlock2D",) * (len(widths) - 1), "UpBlock2D"),
            block_out_channels=tuple(widths),
            layers_per_block=blocks,
            cross_attention_dim=tongue,
            attention_head_dim=[width // heads for width in widths],
            norm_num_groups=groups,
        )
        nn.init.zeros_(unet.conv_out.weight)
        nn.init.zeros_(unet.conv_out.bias)
        self.unet = unet
        self.speak = nn.Sequential(
            nn.Linear(dimensions, words * tongue), nn.SiLU(), nn.Linear(words * tongue, words * tongue)
        )
        self.norm = nn.LayerNorm(tongue)
        self.nobody = nn.Parameter(torch.randn(words, tongue) * 0.02)
        self.sketched = sketch
        self.loud = nn.Buffer(torch.ones(latent))
        alphas: Tensor = DDIMScheduler(**SCHEDULE).alphas_cumprod  # type: ignore[attr-defined]  # set by its constructor
        self.alphas_cumprod = nn.Buffer(alphas.clone(), persistent=False)

    def conditioning(self, identity: Tensor, known: Tensor) -> Tensor:
        """The conditioning (B, 1 + D + words * tongue) that `forward` takes: whether it is `known` (B,) bool, the unit
        embedding `identity` (B, D), and the tokens that cross-attention hears, which are nobody's where it is not known."""
        # a unit vector of 512 numbers has a deviation of 1 / sqrt(512) in each
        said = self.norm(self.speak(identity * identity.shape[1] ** 0.5).unflatten(1, (self.words, -1)))
        tokens = torch.where(known[:, None, None], said, self.nobody.to(said.dtype)).flatten(1)
        return torch.cat([known[:, None].to(tokens), identity.to(tokens), tokens], 1)

    def forward(
        self,
        noisy: Tensor,
        time: Tensor,
        conditioning: Tensor,
        sketch: Tensor | None = None,
        added: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """v (B, C, h, w) of `noisy` latents at `time` (B,), under its `conditioning` and, where features are given, a `sketch`.

        `sketch` (B, S, h, w) comes from `unshuffled` lines; None, and zeros, mean that nothing is given. `added` is what a branch
        adds to the U-Net's skips and, the last one, to its middle (networks/decouple.py).
        """
        known, identity, tokens = conditioning.split(
            [1, self.dimensions, conditioning.shape[1] - 1 - self.dimensions], 1
        )
        alpha = self.alphas_cumprod[time]
        clean = self.linear(noisy, alpha, identity, known[:, 0])
        alpha = alpha[:, None, None, None]
        v = (alpha.sqrt() * noisy - clean) / (1 - alpha).sqrt()
        if sketch is None:
            sketch = noisy.new_zeros(len(noisy), self.sketched, *noisy.shape[2:])
        seen = torch.cat([noisy, clean.to(noisy.dtype), sketch.to(noisy.dtype)], 1)
        more: dict[str, Any] = {}
        if added is not None:
            more = {"down_block_additional_residuals": tuple(added[:-1]), "mid_block_additional_residual": added[-1]}
        return v + self.unet(seen, time, tokens.unflatten(1, (self.words, -1)), **more).sample
