"""The face autoencoder: 256 px to a small latent and back. What is generative stands on it.

Paper: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022 (diffusers' AutoencoderKL).
What differs: pixels are first laid into channels (unshuffled by 4), so that nothing is convolved at full size, which on a
laptop's cores costs most and shows least; and a linear path runs beside the convolutions, from squares of pixels to the
latent and back, so that they only learn what the best linear code of a square lacks (the idea of the residual shortcuts in
Chen et al., "Deep Compression Autoencoder", ICLR 2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.deblocking import deblocked

LITTLE = -7.0  # logarithm of the variance of a raw latent at the beginning


class FaceAutoencoder(nn.Module):
    """RGB faces to latents of 1/(unshuffle * 2^(levels - 1)) of their side, and back.

    Args:
        widths: channels of each level, from the unshuffled size down; blocks: residual blocks a level.
        latent: channels of the latent; unshuffle: side of the squares of pixels that become channels.

    `latents` and `pixels` deal in latents of mean 0 and variance 1 a channel, by the buffers `mean` and `spread`, which
    are measured once the training is over.
    """

    def __init__(
        self,
        widths: Sequence[int] = (48, 96, 192),
        blocks: int = 1,
        latent: int = 16,
        unshuffle: int = 4,
        groups: int = 16,
    ) -> None:
        super().__init__()
        self.unshuffle = unshuffle
        channels = 3 * unshuffle**2
        vae: Any = AutoencoderKL(
            in_channels=channels,
            out_channels=channels,
            down_block_types=("DownEncoderBlock2D",) * len(widths),
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            block_out_channels=tuple(widths),
            layers_per_block=blocks,
            latent_channels=latent,
            norm_num_groups=groups,
            mid_block_add_attention=False,
        )
        self.vae = vae
        self.side = unshuffle * 2 ** (len(widths) - 1)
        self.inward = nn.Conv2d(3 * self.side**2, latent, 1)
        self.outward = nn.Conv2d(latent, 3 * self.side**2, 1)
        for silent in (vae.quant_conv, vae.decoder.conv_out):
            nn.init.zeros_(silent.weight)
            nn.init.zeros_(silent.bias)
        nn.init.constant_(vae.quant_conv.bias[latent:], LITTLE)
        self.mean = nn.Buffer(torch.zeros(latent))
        self.spread = nn.Buffer(torch.ones(latent))

    def code(self, squares: Tensor) -> None:
        """Let the linear path be the best code of `squares` (N, 3 * side * side) in [-1, 1], channel by channel as of
        `pixel_unshuffle`: their principal components, each of variance 1. For before the training."""
        middle = squares.mean(0)
        _, sizes, directions = torch.linalg.svd(squares - middle, full_matrices=False)
        count = self.inward.out_channels
        spreads = (sizes[:count] / len(squares) ** 0.5)[:, None]
        with torch.no_grad():
            self.inward.weight.copy_((directions[:count] / spreads)[:, :, None, None])
            self.inward.bias.copy_(-(directions[:count] / spreads) @ middle)  # type: ignore[union-attr]
            self.outward.weight.copy_((directions[:count] * spreads).T[:, :, None, None])
            self.outward.bias.copy_(middle)  # type: ignore[union-attr]

    def encode(self, faces: Tensor) -> DiagonalGaussianDistribution:
        """The distribution of the raw latents (B, C, h, w) of `faces` (B, 3, H, W) in [-1, 1]."""
        found = self.vae.encode(functional.pixel_unshuffle(faces, self.unshuffle)).latent_dist.parameters
        mean, spread = found.chunk(2, 1)
        linear = self.inward(functional.pixel_unshuffle(faces, self.side))
        return DiagonalGaussianDistribution(torch.cat([mean + linear, spread], 1))

    def decode(self, raw: Tensor) -> Tensor:
        """Faces (B, 3, H, W), about [-1, 1], of raw latents."""
        linear = functional.pixel_shuffle(self.outward(raw), self.side)
        return linear + functional.pixel_shuffle(self.vae.decode(raw).sample, self.unshuffle)

    def latents(self, faces: Tensor) -> Tensor:
        """Latents (B, C, h, w), normalised, of `faces` (B, 3, H, W) in [-1, 1]; the distribution's mode."""
        return (self.encode(faces).mode() - self.mean[:, None, None]) / self.spread[:, None, None]

    def pixels(self, latents: Tensor) -> Tensor:
        """Faces (B, 3, H, W) in [-1, 1] of normalised `latents`, without the edges of the decoder's squares."""
        raw = latents * self.spread[:, None, None] + self.mean[:, None, None]
        return deblocked(self.decode(raw), self.side).clamp(-1, 1)

    def forward(self, faces: Tensor) -> Tensor:
        """`faces` through the latent and back."""
        return self.decode(self.encode(faces).mode())
