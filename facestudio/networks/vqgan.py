"""The parts that vector-quantised autoencoders of faces share: residual block, resampling, attention and codebook.

Paper: Esser et al., "Taming Transformers for High-Resolution Image Synthesis", CVPR 2021; source CompVis/taming-transformers
(MIT; no code taken). Separate because RestoreFormer and CodeFormer are built of the same parts in two layouts: the one
nests them by level, the other counts them in a row. Attribute names are the published state-dict keys.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def normalisation(channels: int) -> nn.GroupNorm:
    """The group normalisation of every block; `channels` is a multiple of 32."""
    return nn.GroupNorm(32, channels, eps=1e-6)


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class ResidualBlock(nn.Module):
    """Twice normalisation, swish, convolution; added to the input.

    Args:
        shortcut: what the 1x1 convolution is called that fits the input when the number of channels changes.
    """

    def __init__(self, inputs: int, outputs: int, shortcut: str) -> None:
        super().__init__()
        self.norm1 = normalisation(inputs)
        self.conv1 = convolution(inputs, outputs)
        self.norm2 = normalisation(outputs)
        self.conv2 = convolution(outputs, outputs)
        self.shortcut = shortcut if inputs != outputs else ""
        if self.shortcut:
            self.add_module(shortcut, nn.Conv2d(inputs, outputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(functional.silu(self.norm1(x)))
        h = self.conv2(functional.silu(self.norm2(h)))
        return h + (self.get_submodule(self.shortcut)(x) if self.shortcut else x)


class Downsample(nn.Module):
    """Half the size, by a strided convolution that is padded at the right and the bottom only."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    """Twice the size: every place four times, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


def attend(queries: Tensor, keys: Tensor, values: Tensor, heads: int = 1) -> Tensor:
    """Attention among the places of maps (B, C, H, W); each of the `heads` sees a run of consecutive channels."""

    def split(maps: Tensor) -> Tensor:
        return maps.flatten(2).unflatten(1, (heads, -1)).transpose(2, 3)

    seen = functional.scaled_dot_product_attention(split(queries), split(keys), split(values))
    return seen.transpose(2, 3).flatten(1, 2).unflatten(2, queries.shape[2:])


class Codebook(nn.Module):
    """`size` entries of `dimensions` numbers, which a latent is said in."""

    def __init__(self, size: int, dimensions: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, dimensions)

    def nearest(self, latents: Tensor) -> Tensor:
        """Codes (B, h * w) int64, row by row: which entry is nearest to each place of `latents` (B, C, h, w)."""
        entries = self.embedding.weight
        # what is left out of the squared distance is the same for all entries
        return (entries.square().sum(1) - 2 * latents.flatten(2).transpose(1, 2) @ entries.T).argmin(2)

    def features(self, codes: Tensor, height: int) -> Tensor:
        """The entries (B, C, h, w) that `codes` (B, h * w) stand for, in `height` rows."""
        return self.embedding(codes).transpose(1, 2).unflatten(2, (height, -1))
