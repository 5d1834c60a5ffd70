"""CodeFormer: a transformer guesses which codes of good faces a degraded face stands for.

Paper: Zhou et al., "Towards Robust Blind Face Restoration with Codebook Lookup Transformer", NeurIPS 2022. Source:
sczhou/CodeFormer (S-Lab License 1.0, non-commercial; no code taken). Attribute names are its state-dict keys. A fidelity
between 0 and 1 says how much the encoder's maps change the decoder's: 0 trusts the codes alone, 1 the degraded face most.
What differs: only inference is here, so nothing is frozen and no losses are given back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.vqgan import (
    Codebook,
    Downsample,
    ResidualBlock,
    Upsample,
    attend,
    convolution,
    normalisation,
)


class Restored(NamedTuple):
    """What became of B crops, with N places in their latent and K entries in the codebook.

    Attributes:
        image: (B, 3, H, W), about [-1, 1], not clamped.
        codes: (B, N) int64, row by row: the likeliest entries.
        logits: (B, N, K), how likely each entry is at each place.
        encoded: (B, C, h, w), what the encoder said.
    """

    image: Tensor
    codes: Tensor
    logits: Tensor
    encoded: Tensor


class Attention(nn.Module):
    """Attention among the places of a map, with one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = normalisation(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        known = self.norm(x)
        return x + self.proj_out(attend(self.q(known), self.k(known), self.v(known)))


class Row(nn.Module):
    """Blocks one after the other; `taps` says which of them has the map that is asked for at each side in pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        self.taps: dict[int, int] = {}

    def add(self, *blocks: nn.Module) -> None:
        self.blocks.extend(blocks)

    def tap(self, side: int) -> None:
        """Remember the last block as the one of `side`."""
        self.taps[side] = len(self.blocks) - 1


class Encoder(Row):
    """Crops to a latent; see CodeFormer for the arguments."""

    def __init__(
        self, widths: Sequence[int], blocks: int, attended: Sequence[int], resolution: int, latent: int
    ) -> None:
        super().__init__()
        self.add(convolution(3, widths[0]))
        inputs = widths[0]
        for number, width in enumerate(widths):
            side = resolution >> number
            for _ in range(blocks):
                self.add(block(inputs, width))
                if side in attended:
                    self.add(Attention(width))
                inputs = width
            self.tap(side)
            if number < len(widths) - 1:
                self.add(Downsample(width))
        self.add(block(inputs, inputs), Attention(inputs), block(inputs, inputs))
        self.add(normalisation(inputs), convolution(inputs, latent))

    def forward(self, x: Tensor, sides: Sequence[int]) -> tuple[Tensor, dict[int, Tensor]]:
        """The latent of `x`, and the last map of each of `sides`."""
        wanted = {self.taps[side]: side for side in sides}
        maps: dict[int, Tensor] = {}
        for number, step in enumerate(self.blocks):
            x = step(x)
            if number in wanted:
                maps[wanted[number]] = x
        return x, maps


class Generator(Row):
    """A latent to crops; the encoder's mirror image."""

    def __init__(
        self, widths: Sequence[int], blocks: int, attended: Sequence[int], resolution: int, latent: int
    ) -> None:
        super().__init__()
        inputs = widths[-1]
        self.add(convolution(latent, inputs))
        self.add(block(inputs, inputs), Attention(inputs), block(inputs, inputs))
        for number in reversed(range(len(widths))):
            side, width = resolution >> number, widths[number]
            for _ in range(blocks):
                self.add(block(inputs, width))
                self.taps.setdefault(side, len(self.blocks) - 1)
                if side in attended:
                    self.add(Attention(width))
                inputs = width
            if number > 0:
                self.add(Upsample(width))
        self.add(normalisation(inputs), convolution(inputs, 3))

    def forward(self, x: Tensor, fusions: nn.ModuleDict, maps: dict[int, Tensor], w: float) -> Tensor:
        """Crops of the latent `x`; behind the first block of a side with a fusion, the encoder's map there joins."""
        wanted = {self.taps[side]: side for side in maps}
        for number, step in enumerate(self.blocks):
            x = step(x)
            if number in wanted:
                x = fusions[str(wanted[number])](maps[wanted[number]], x, w)
        return x


class Fusion(nn.Module):
    """Scales and shifts the decoder's map by what both maps say, `w` times."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encode_enc = block(2 * width, width)
        self.scale = nn.Sequential(convolution(width, width), nn.LeakyReLU(0.2), convolution(width, width))
        self.shift = nn.Sequential(convolution(width, width), nn.LeakyReLU(0.2), convolution(width, width))

    def forward(self, encoded: Tensor, decoded: Tensor, w: float) -> Tensor:
        both = self.encode_enc(torch.cat([encoded, decoded], 1))
        return decoded + w * (decoded * self.scale(both) + self.shift(both))


class TransformerLayer(nn.Module):
    """Attention and a two-layer perceptron, each normalised before and added; places are told to queries and keys."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.linear1 = nn.Linear(width, inner)
        self.linear2 = nn.Linear(inner, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        known = self.norm1(x)
        asked = known + places
        x = x + self.self_attn(asked, asked, known, need_weights=False)[0]
        return x + self.linear2(functional.gelu(self.linear1(self.norm2(x))))


class CodeFormer(nn.Module):
    """Degraded crop to restored crop of the same size, which is fixed. The defaults are the published network.

    Args (with the published names where there are any):
        dim_embd, n_head, n_layers: width, heads and layers of the transformer; its perceptrons are twice as wide.
        codebook_size, embed_dim: entries of the codebook and their length, also the channels of the latent.
        latent_size: places of the latent, (resolution / 2^(levels - 1))^2.
        connect_list: the sides in pixels of the maps that the encoder hands to the decoder.
        ch, ch_mult: width of the first level, and each level's multiple of it; num_res_blocks: a level.
        resolution: side of the crops; attn_resolutions: sides of the levels with attention.
    """

    def __init__(
        self,
        dim_embd: int = 512,
        n_head: int = 8,
        n_layers: int = 9,
        codebook_size: int = 1024,
        latent_size: int = 256,
        connect_list: Sequence[str] = ("32", "64", "128", "256"),
        embed_dim: int = 256,
        ch: int = 64,
        ch_mult: Sequence[int] = (1, 2, 2, 4, 4, 8),
        num_res_blocks: int = 2,
        resolution: int = 512,
        attn_resolutions: Sequence[int] = (16,),
    ) -> None:
        super().__init__()
        widths = [ch * multiple for multiple in ch_mult]
        self.resolution = resolution
        self.sides = [int(side) for side in connect_list]
        self.encoder = Encoder(widths, num_res_blocks, attn_resolutions, resolution, embed_dim)
        self.quantize = Codebook(codebook_size, embed_dim)
        self.generator = Generator(widths, num_res_blocks, attn_resolutions, resolution, embed_dim)
        self.position_emb = nn.Parameter(torch.zeros(latent_size, dim_embd))
        self.feat_emb = nn.Linear(embed_dim, dim_embd)
        self.ft_layers = nn.ModuleList(TransformerLayer(dim_embd, n_head, 2 * dim_embd) for _ in range(n_layers))
        self.idx_pred_layer = nn.Sequential(nn.LayerNorm(dim_embd), nn.Linear(dim_embd, codebook_size, bias=False))
        width_at = {resolution >> number: width for number, width in enumerate(widths)}
        self.fuse_convs_dict = nn.ModuleDict({str(side): Fusion(width_at[side]) for side in self.sides})

    def examine(self, x: Tensor, w: float = 0.5, adain: bool = True) -> Restored:
        """Restore `x` as `forward` does, and say by which codes."""
        encoded, maps = self.encoder(x, self.sides if w > 0 else ())
        tokens = self.feat_emb(encoded.flatten(2).transpose(1, 2))
        for layer in self.ft_layers:
            tokens = layer(tokens, self.position_emb)
        logits = self.idx_pred_layer(tokens)
        codes = logits.argmax(2)
        prior = self.quantize.features(codes, encoded.shape[2])
        if adain:
            prior = with_statistics(prior, encoded)
        return Restored(self.generator(prior, self.fuse_convs_dict, maps, w), codes, logits, encoded)

    def forward(self, x: Tensor, w: float = 0.5, adain: bool = True) -> Tensor:
        """Restore `x` (B, 3, S, S) RGB in [-1, 1] with S = `resolution`; the output has its shape and is not clamped.

        Args:
            w: fidelity, 0..1; adain: give the codes' features the mean and spread of the encoder's.
        """
        return self.examine(x, w, adain).image


def with_statistics(maps: Tensor, of: Tensor) -> Tensor:
    """`maps` (B, C, h, w) with the mean and the spread that each channel has in `of`."""
    spread, mean = _statistics(maps)
    wanted_spread, wanted_mean = _statistics(of)
    return (maps - mean) / spread * wanted_spread + wanted_mean


def _statistics(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Spread and mean (B, C, 1, 1) of each channel."""
    variance, mean = torch.var_mean(maps, dim=(2, 3), keepdim=True)
    return (variance + 1e-5).sqrt(), mean


def block(inputs: int, outputs: int) -> ResidualBlock:
    """A residual block with the published name of its shortcut."""
    return ResidualBlock(inputs, outputs, shortcut="conv_out")
