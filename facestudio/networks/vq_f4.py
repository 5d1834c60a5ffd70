"""The VQ-f4 autoencoder in whose latents IDiff-Face draws: a quarter of the picture's side, three channels, said in a codebook.

Paper: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", CVPR 2022; source CompVis/latent-diffusion
(MIT; no code taken), as fdbtrs/IDiff-Face cuts it in two. Attribute names are the published state-dict keys.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.codeformer import Attention
from facestudio.networks.vqgan import Codebook, Downsample, ResidualBlock, Upsample, convolution, normalisation

SHORTCUT = "nin_shortcut"  # what the published keys call it
WIDTHS = (128, 256, 512)


class Level(nn.Module):
    """Residual blocks, and the resampling behind them where the next level has another size."""

    def __init__(self, inputs: int, width: int, blocks: int, **resampling: nn.Module) -> None:
        super().__init__()
        self.block = nn.ModuleList(ResidualBlock(width if n else inputs, width, SHORTCUT) for n in range(blocks))
        for name, module in resampling.items():
            self.add_module(name, module)
        self.resampling = tuple(resampling)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        for name in self.resampling:
            x = self.get_submodule(name)(x)
        return x


class Middle(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(width, width, SHORTCUT)
        self.attn_1 = Attention(width)
        self.block_2 = ResidualBlock(width, width, SHORTCUT)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Encoder(nn.Module):
    def __init__(self, widths: Sequence[int], blocks: int, latent: int) -> None:
        super().__init__()
        self.conv_in = convolution(3, widths[0])
        above = (widths[0], *widths[:-1])
        self.down = nn.ModuleList(
            Level(above[n], width, blocks, **({"downsample": Downsample(width)} if n < len(widths) - 1 else {}))
            for n, width in enumerate(widths)
        )
        self.mid = Middle(widths[-1])
        self.norm_out = normalisation(widths[-1])
        self.conv_out = convolution(widths[-1], latent)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        return self.conv_out(functional.silu(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    """The encoder's mirror image, with one residual block more a level."""

    def __init__(self, widths: Sequence[int], blocks: int, latent: int) -> None:
        super().__init__()
        self.conv_in = convolution(latent, widths[-1])
        self.mid = Middle(widths[-1])
        below = (*widths[1:], widths[-1])
        self.up = nn.ModuleList(
            Level(below[n], width, blocks + 1, **({"upsample": Upsample(width)} if n else {}))
            for n, width in enumerate(widths)
        )  # run from the last to the first
        self.norm_out = normalisation(widths[0])
        self.conv_out = convolution(widths[0], 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid(self.conv_in(x))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(functional.silu(self.norm_out(x)))


class VQEncoder(nn.Module):
    """Pictures to latents that are not said in the codebook yet."""

    def __init__(self, widths: Sequence[int] = WIDTHS, blocks: int = 2, latent: int = 3) -> None:
        super().__init__()
        self.encoder = Encoder(widths, blocks, latent)
        self.quant_conv = nn.Conv2d(latent, latent, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H / 4, W / 4) of `pictures` (B, 3, H, W) RGB in [-1, 1]."""
        latents: Tensor = self.quant_conv(self.encoder(pictures))
        return latents


class VQDecoder(nn.Module):
    """Latents to pictures, by way of the codebook's entries that are nearest to them."""

    def __init__(self, widths: Sequence[int] = WIDTHS, blocks: int = 2, latent: int = 3, entries: int = 8192) -> None:
        super().__init__()
        self.decoder = Decoder(widths, blocks, latent)
        self.quantize = Codebook(entries, latent)
        self.post_quant_conv = nn.Conv2d(latent, latent, 1)

    def forward(self, latents: Tensor, quantised: bool = True) -> Tensor:
        """Pictures (B, 3, 4h, 4w) RGB of about [-1, 1] of `latents` (B, 3, h, w); as they are unless `quantised`."""
        if quantised:
            latents = self.quantize.features(self.quantize.nearest(latents), latents.shape[2])
        pictures: Tensor = self.decoder(self.post_quant_conv(latents))
        return pictures
