"""The face prior: a latent diffusion model that may be told who the face is and where its features are.

Papers: Rombach et al., "Latent Diffusion Models", CVPR 2022; Papantoniou et al., "Arc2Face", ECCV 2024 (the identity
embedding is the only words that cross-attention hears); Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022. The
U-Net is diffusers' UNet2DConditionModel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

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


class FacePrior(nn.Module):
    """Predicts v of noisy latents.

    Args:
        latent: channels of the latent; side: its height and width.
        widths: channels of each level; every level but the first hears the identity.
        blocks: residual blocks a level; heads: channels of an attention head.
        words: tokens that the identity becomes; tongue: their length; dimensions: length of the identity embedding.
        sketch: channels of the sketch, at the latent's size.
    """

    def __init__(
        self,
        latent: int = 16,
        side: int = 16,
        widths: Sequence[int] = (192, 288, 384),
        blocks: int = 2,
        heads: int = 48,
        words: int = 4,
        tongue: int = 192,
        dimensions: int = 512,
        sketch: int = 64,
        groups: int = 32,
    ) -> None:
        super().__init__()
        self.words, self.dimensions = words, dimensions
        self.unet: Any = UNet2DConditionModel(
            sample_size=side,
            in_channels=latent + sketch,
            out_channels=latent,
            down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * (len(widths) - 1)),
            up_block_types=(*("CrossAttnUpBlock2D",) * (len(widths) - 1), "UpBlock2D"),
            block_out_channels=tuple(widths),
            layers_per_block=blocks,
            cross_attention_dim=tongue,
            attention_head_dim=[width // heads for width in widths],
            norm_num_groups=groups,
        )
        self.speak = nn.Sequential(
            nn.Linear(dimensions, words * tongue), nn.SiLU(), nn.Linear(words * tongue, words * tongue)
        )
        self.norm = nn.LayerNorm(tongue)
        self.nobody = nn.Parameter(torch.randn(words, tongue) * 0.02)
        self.sketched = sketch

    def tokens(self, identity: Tensor, known: Tensor) -> Tensor:
        """(B, words, tongue) of unit embeddings `identity` (B, D); of nobody where `known` (B,) bool is False."""
        # a unit vector of 512 numbers has a deviation of 1 / sqrt(512) in each
        said = self.norm(self.speak(identity * identity.shape[1] ** 0.5).unflatten(1, (self.words, -1)))
        return torch.where(known[:, None, None], said, self.nobody.to(said.dtype))

    def forward(self, noisy: Tensor, time: Tensor, tokens: Tensor, sketch: Tensor | None = None) -> Tensor:
        """v (B, C, h, w) of `noisy` latents at `time` (B,), with `tokens` and, where features are given, a `sketch`.

        `sketch` (B, S, h, w) comes from `unshuffled` lines; None, and zeros, mean that nothing is given.
        """
        if sketch is None:
            sketch = noisy.new_zeros(len(noisy), self.sketched, *noisy.shape[2:])
        return self.unet(torch.cat([noisy, sketch.to(noisy.dtype)], 1), time, tokens).sample
