"""SwinIR: a restorer of shifted-window transformer blocks; DifFace's first stage.

Papers: Liang et al., "SwinIR: Image Restoration Using Swin Transformer", ICCVW 2021 (JingyunLiang/SwinIR, Apache-2.0); as
changed by Yue and Loy for "DifFace", 2022: eightfold pixel unshuffle in front, so that size is kept. Source repository
zsyOAOA/DifFace (S-Lab License 1.0, non-commercial; no code taken). Attributes carry the published names, so its weights load
unmapped. What differs: no stochastic depth (training only), fused attention, and padding to whole windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN = (0.4488, 0.4371, 0.4040)  # RGB, of the pictures that SwinIR was first trained with
APART = -100.0  # logit of two places that came together by the shift only


def to_windows(x: Tensor, window: int) -> Tensor:
    """(B, H, W, C) as (B * windows, window * window, C), row after row of windows."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window * window, channels)


def from_windows(windows: Tensor, window: int, height: int, width: int) -> Tensor:
    """The inverse of `to_windows`: (B, height, width, C)."""
    x = windows.view(-1, height // window, width // window, window, window, windows.shape[-1])
    return x.transpose(2, 3).reshape(-1, height, width, windows.shape[-1])


def shift_mask(height: int, width: int, window: int, shift: int, device: torch.device | None = None) -> Tensor:
    """(windows, N, N) float32, N = window * window: 0 where two places of a shifted window are neighbours, else -100."""

    def regions(side: int) -> Tensor:
        places = torch.arange(side, device=device)
        return (places >= side - window).int() + (places >= side - shift).int()

    region = 3 * regions(height)[:, None] + regions(width)
    of = to_windows(region[None, ..., None], window)[..., 0]
    return (of[:, :, None] != of[:, None, :]).float() * APART


class WindowAttention(nn.Module):
    """Attention inside of each window, with a learned logit for each offset of two places."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        rows, columns = torch.arange(window).repeat_interleave(window), torch.arange(window).repeat(window)
        down, right = (at[:, None] - at[None, :] + window - 1 for at in (rows, columns))
        self.register_buffer("relative_position_index", down * (2 * window - 1) + right)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Windows (B * windows, N, C) as such; `mask` (windows, N, N) is added to the logits."""
        count, places, width = x.shape
        q, k, v = self.qkv(x).view(count, places, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        logits = bias.view(1, places, places, self.heads).permute(0, 3, 1, 2)
        if mask is not None:
            logits = (logits + mask[:, None].to(logits.dtype)).repeat(count // len(mask), 1, 1, 1)
        seen = functional.scaled_dot_product_attention(q, k, v, logits)
        return self.proj(seen.transpose(1, 2).flatten(2))


class Perceptron(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """Window attention and a perceptron, both residual; with `shift` the windows lie half a window further."""

    attn_mask: Tensor | None

    def __init__(self, width: int, heads: int, window: int, shift: int, ratio: float, grid: int) -> None:
        super().__init__()
        self.window, self.shift, self.grid = window, shift, grid
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Perceptron(width, int(width * ratio))
        self.register_buffer("attn_mask", shift_mask(grid, grid, window, shift) if shift else None)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) as such, H and W multiples of the window."""
        height, width = x.shape[1:3]
        mask = self.attn_mask
        if self.shift and (height, width) != (self.grid, self.grid):
            mask = shift_mask(height, width, self.window, self.shift, x.device)
        h = self.norm1(x)
        if self.shift:
            h = h.roll((-self.shift, -self.shift), (1, 2))
        h = from_windows(self.attn(to_windows(h, self.window), mask), self.window, height, width)
        if self.shift:
            h = h.roll((self.shift, self.shift), (1, 2))
        x = x + h
        return x + self.mlp(self.norm2(x))


class Blocks(nn.Module):
    """The blocks of a group, of which every other one is shifted."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)


class Group(nn.Module):
    """Blocks and a convolution, residual."""

    def __init__(self, width: int, blocks: Sequence[Block]) -> None:
        super().__init__()
        self.residual_group = Blocks(blocks)
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + _last(self.conv(_first(self.residual_group(x))))


class PatchEmbed(nn.Module):
    """Only a normalisation here: a place of the grid is a patch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)


class SwinIR(nn.Module):
    """Degraded picture to best guess of the same size; the defaults are DifFace's published configuration.

    Args:
        width: channels of a place; depths: blocks of each group; heads: of each block's attention.
        window: side of a window in places; ratio: width of the perceptrons / `width`.
        unshuffle: pixels a side that make a place: 8, which the three doublings at the end undo.
        grid: places a side that the stored masks are for; of other sizes they are computed.
        features: channels of the convolutions at the end.
    """

    mean: Tensor

    def __init__(
        self,
        width: int = 180,
        depths: Sequence[int] = (6, 6, 6, 6, 6, 6, 6, 6),
        heads: int = 6,
        window: int = 8,
        ratio: float = 2.0,
        unshuffle: int = 8,
        grid: int = 64,
        features: int = 64,
    ) -> None:
        super().__init__()
        if unshuffle != 8:
            raise ValueError(f"three doublings undo an unshuffle of 8, not of {unshuffle}")
        if width % heads or grid % window:
            raise ValueError("heads divide the width, and whole windows the grid")
        self.multiple = unshuffle * window
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.conv_first = nn.Sequential(nn.PixelUnshuffle(unshuffle), nn.Conv2d(3 * unshuffle**2, width, 3, padding=1))
        self.patch_embed = PatchEmbed(width)
        half = window // 2 if grid > window else 0  # a single window has nowhere to go
        self.layers = nn.ModuleList(
            Group(width, [Block(width, heads, window, half * (i % 2), ratio, grid) for i in range(depth)])
            for depth in depths
        )
        self.norm = nn.LayerNorm(width)
        self.conv_after_body = nn.Conv2d(width, width, 3, padding=1)
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(width, features, 3, padding=1), nn.LeakyReLU(0.01))
        self.conv_up1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv_up2 = nn.Conv2d(features, features, 3, padding=1)
        self.conv_up3 = nn.Conv2d(features, features, 3, padding=1)
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = nn.Conv2d(features, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) of `x` (B, 3, H, W), both RGB in [0, 1]; the output is not clamped.

        Sides that are no multiple of `self.multiple` are continued by reflection first, and cut again.
        """
        height, width = x.shape[2:]
        more = (-width % self.multiple, -height % self.multiple)
        x = functional.pad(x - self.mean, (0, more[0], 0, more[1]), mode="reflect") if any(more) else x - self.mean
        first = self.conv_first(x)
        h = self.patch_embed(_last(first))
        for layer in self.layers:
            h = layer(h)
        h = self.conv_before_upsample(self.conv_after_body(_first(self.norm(h))) + first)
        for conv in (self.conv_up1, self.conv_up2, self.conv_up3):
            h = functional.leaky_relu(conv(functional.interpolate(h, scale_factor=2, mode="nearest")), 0.2)
        h = self.conv_last(functional.leaky_relu(self.conv_hr(h), 0.2))
        return h[:, :, :height, :width] + self.mean


def _last(x: Tensor) -> Tensor:
    """(B, C, H, W) with the channels last: (B, H, W, C)."""
    return x.permute(0, 2, 3, 1)


def _first(x: Tensor) -> Tensor:
    """The inverse of `_last`."""
    return x.permute(0, 3, 1, 2)
