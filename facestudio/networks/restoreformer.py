"""RestoreFormer and RestoreFormer++: faces said in a codebook of good faces, asked for by the degraded one.

Papers: Wang et al., "RestoreFormer: High-Quality Blind Face Restoration from Undegraded Key-Value Pairs", CVPR 2022, and
"RestoreFormer++: Towards Real-World Blind Face Restoration from Undegraded Key-Value Pairs", TPAMI 2023. Source:
wzhouxiff/RestoreFormerPlusPlus (Apache-2.0; no code taken). Attribute names are its state-dict keys without the prefix
`vqvae.`. The queries of the decoder's attention come from the encoder's maps, keys and values from the codebook's entries.
Nothing is random, and there is no knob between fidelity and quality. What differs: only what restores is here, no critics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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

MIDDLE = -1  # stands for the middle among the numbers of the levels


class Restored(NamedTuple):
    """What became of B crops of H x W pixels, h = H / 32 and w = W / 32.

    Attributes:
        image: (B, 3, H, W), about [-1, 1], not clamped.
        codes: (B, h * w) int64, row by row: the codebook's entries.
        encoded: (B, C, h, w), what the encoder said, before the 1x1 convolution and the codebook.
    """

    image: Tensor
    codes: Tensor
    encoded: Tensor


class Attention(nn.Module):
    """Attention in which the queries may come from another map."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = normalisation(channels)
        self.norm2 = normalisation(channels)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, asking: Tensor | None = None) -> Tensor:
        """`x` (B, C, H, W) and what `asking` (as `x`; None: `x` itself) finds in it."""
        known = self.norm1(x)
        asked = known if asking is None else self.norm2(asking)
        return x + self.proj_out(attend(self.q(asked), self.k(known), self.v(known), self.heads))


class Level(nn.Module):
    """What happens at one resolution: residual blocks, each with attention behind it if `heads`, and a resampling."""

    def __init__(self, inputs: int, width: int, blocks: int, heads: int) -> None:
        super().__init__()
        widths = (inputs, *[width] * blocks)
        self.block = nn.ModuleList(block(widths[n], width) for n in range(blocks))
        self.attn = nn.ModuleList(Attention(width, heads) for _ in range(blocks if heads else 0))
        self.downsample: nn.Module | None = None
        self.upsample: nn.Module | None = None

    def forward(self, x: Tensor, asking: Tensor | None = None) -> Tensor:
        for n, residual in enumerate(self.block):
            x = residual(x)
            if self.attn:
                x = self.attn[n](x, asking)
        return x


class Middle(nn.Module):
    """Residual block, attention, residual block, at the lowest resolution."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.block_1 = block(width, width)
        self.attn_1 = Attention(width, heads)
        self.block_2 = block(width, width)


class Encoder(nn.Module):
    """Crops to a latent; see RestoreFormer for the arguments. `attended`: the levels with attention."""

    def __init__(self, widths: Sequence[int], blocks: int, attended: set[int], heads: int, latent: int) -> None:
        super().__init__()
        self.conv_in = convolution(3, widths[0])
        self.down = nn.ModuleList()
        inputs = widths[0]
        for number, width in enumerate(widths):
            level = Level(inputs, width, blocks, heads if number in attended else 0)
            if number < len(widths) - 1:
                level.downsample = Downsample(width)
            self.down.append(level)
            inputs = width
        self.mid = Middle(inputs, heads)
        self.norm_out = normalisation(inputs)
        self.conv_out = convolution(inputs, latent)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[int, Tensor]]:
        """The latent of `x` (B, 3, H, W), and by level what the decoder asks with there.

        That is the level's last map before its downsampling; at the lowest level the map behind the first block of the
        middle, and for MIDDLE the one behind its last.
        """
        asking: dict[int, Tensor] = {}
        x = self.conv_in(x)
        for number, level in enumerate(self.down):
            x = asking[number] = level(x)
            if level.downsample is not None:
                x = level.downsample(x)
        x = asking[len(self.down) - 1] = self.mid.block_1(x)
        x = asking[MIDDLE] = self.mid.block_2(self.mid.attn_1(x))
        return self.conv_out(functional.silu(self.norm_out(x))), asking


class Decoder(nn.Module):
    """A latent to crops; the encoder's mirror image with one residual block more a level."""

    def __init__(self, widths: Sequence[int], blocks: int, attended: set[int], heads: int, latent: int) -> None:
        super().__init__()
        self.conv_in = convolution(latent, widths[-1])
        self.mid = Middle(widths[-1], heads)
        self.up = nn.ModuleList()
        for number, width in enumerate(widths):
            above = widths[min(number + 1, len(widths) - 1)]
            level = Level(above, width, blocks + 1, heads if number in attended else 0)
            if number > 0:
                level.upsample = Upsample(width)
            self.up.append(level)
        self.norm_out = normalisation(widths[0])
        self.conv_out = convolution(widths[0], 3)

    def forward(self, x: Tensor, asking: dict[int, Tensor]) -> Tensor:
        """Crops (B, 3, H, W) of the latent `x`; `asking` comes from the encoder."""
        x = self.mid.block_1(self.conv_in(x))
        x = self.mid.block_2(self.mid.attn_1(x, asking[MIDDLE]))
        for number in reversed(range(len(self.up))):
            level = self.up[number]
            x = level(x, asking[number])
            if level.upsample is not None:
                x = level.upsample(x)
        return self.conv_out(functional.silu(self.norm_out(x)))


class RestoreFormer(nn.Module):
    """Degraded crop to restored crop. The defaults are RestoreFormer++; RestoreFormer has `head_size=8,
    ex_multi_scale_num=0`.

    Args (with the published names):
        n_embed, embed_dim: entries of the codebook and their length; z_channels: of the latent before it.
        ch, ch_mult: width of the first level, and each level's multiple of it; num_res_blocks: a level of the encoder.
        resolution: of the crops it was trained with; attn_resolutions: of the levels with attention at such crops.
            Crops of another size go through the same layers.
        head_size: how many heads the attention has (not how large they are).
        ex_multi_scale_num: how many further levels of the decoder, above the lowest of `attn_resolutions`, have attention.
    """

    def __init__(
        self,
        n_embed: int = 1024,
        embed_dim: int = 256,
        ch: int = 64,
        ch_mult: Sequence[int] = (1, 2, 2, 4, 4, 8),
        num_res_blocks: int = 2,
        attn_resolutions: Sequence[int] = (16,),
        resolution: int = 512,
        z_channels: int = 256,
        head_size: int = 4,
        ex_multi_scale_num: int = 1,
    ) -> None:
        super().__init__()
        widths = [ch * multiple for multiple in ch_mult]
        sides = [resolution >> number for number in range(len(widths))]
        more = {min(attn_resolutions) << step for step in range(1, ex_multi_scale_num + 1)}
        encoded = {number for number, side in enumerate(sides) if side in attn_resolutions}
        decoded = encoded | {number for number, side in enumerate(sides) if side in more}
        self.multiple = 2 ** (len(widths) - 1)
        self.encoder = Encoder(widths, num_res_blocks, encoded, head_size, z_channels)
        self.decoder = Decoder(widths, num_res_blocks, decoded, head_size, z_channels)
        self.quantize = Codebook(n_embed, embed_dim)
        self.quant_conv = nn.Conv2d(z_channels, embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(embed_dim, z_channels, 1)

    def examine(self, x: Tensor) -> Restored:
        """Restore `x` as `forward` does, and say by which codes."""
        encoded, asking = self.encoder(x)
        codes = self.quantize.nearest(self.quant_conv(encoded))
        prior = self.post_quant_conv(self.quantize.features(codes, encoded.shape[2]))
        return Restored(self.decoder(prior, asking), codes, encoded)

    def forward(self, x: Tensor) -> Tensor:
        """Restore `x` (B, 3, H, W) RGB in [-1, 1], H and W multiples of `multiple` (32); same shape, not clamped."""
        return self.examine(x).image


def block(inputs: int, outputs: int) -> ResidualBlock:
    """A residual block with the published name of its shortcut."""
    return ResidualBlock(inputs, outputs, shortcut="nin_shortcut")
