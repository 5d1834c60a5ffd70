"""DifFace's diffusion prior: a pixel U-Net for 512 px faces that predicts the noise, and how much noise each step adds.

Papers: Yue and Loy, "DifFace: Blind Face Restoration with Diffused Error Contraction", 2022; the network is that of Dhariwal
and Nichol, "Diffusion Models Beat GANs on Image Synthesis", 2021, narrow at the top. Source repository zsyOAOA/DifFace
(S-Lab License 1.0, non-commercial; no code taken). Attributes carry the published names, so its weights load unmapped.
What differs: attention runs fused, and everything in the precision of the weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

M = TypeVar("M", bound=nn.Module)

GROUPS = 32  # of every normalisation


def sinusoids(time: Tensor, width: int) -> Tensor:
    """(B, width) float32: cosines, then sines, of `time` (B,) at width / 2 frequencies from 1 down to almost 1 / 10000."""
    half = width // 2
    steps = torch.arange(half, dtype=torch.float32, device=time.device)
    angles = time.float()[:, None] * torch.exp(-math.log(10000) * steps / half)
    return torch.cat([angles.cos(), angles.sin()], 1)


class Norm(nn.GroupNorm):
    """Group normalisation in the plain order of memory.

    In channels_last, torch on a CPU takes the variance as a difference of two means, which leaves only two digits of it
    when a channel is its mean and little more, as those of a flat picture are.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(GROUPS, channels)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.contiguous())


class ResidualBlock(nn.Module):
    """Two convolutions; the time scales and shifts what the second one sees."""

    def __init__(self, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(Norm(inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, 2 * outputs))
        # the published network has a dropout of 0 at place 2
        self.out_layers = nn.Sequential(
            Norm(outputs), nn.SiLU(), nn.Identity(), _zero(nn.Conv2d(outputs, outputs, 3, padding=1))
        )
        self.skip_connection = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        scale, shift = self.emb_layers(time)[..., None, None].chunk(2, 1)
        h = torch.addcmul(shift, self.out_layers[0](self.in_layers(x)), 1 + scale)
        return self.skip_connection(x) + self.out_layers[1:](h)


class Attention(nn.Module):
    """Self-attention of all places, in heads of `head` channels."""

    def __init__(self, channels: int, head: int) -> None:
        super().__init__()
        if channels % head:
            raise ValueError(f"{channels} channels do not make heads of {head}")
        self.head = head
        self.norm = Norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = _zero(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.qkv(self.norm(x).flatten(2))
        # of each head its queries, keys and values lie together
        q, k, v = h.unflatten(1, (-1, 3, self.head)).transpose(-1, -2).unbind(2)
        seen = functional.scaled_dot_product_attention(q, k, v)
        return x + self.proj_out(seen.transpose(-1, -2).flatten(1, 2)).unflatten(2, x.shape[2:])


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(functional.interpolate(x, scale_factor=2, mode="nearest"))


class Stage(nn.Sequential):
    """What stands between two skip connections; only the residual blocks see the time."""

    def forward(self, x: Tensor, time: Tensor) -> Tensor:  # type: ignore[override]  # nn.Sequential takes one input
        for layer in self:
            x = layer(x, time) if isinstance(layer, ResidualBlock) else layer(x)
        return x


class DifFaceUNet(nn.Module):
    """Noise of a noisy picture, and the variance of the step back; the defaults are the published configuration.

    Args:
        width: channels at full size, a multiple of 32; multipliers: times that, for each level; each further level halves
            the resolution.
        blocks: residual blocks of each level on the way down; on the way up there is one more.
        attention: levels with attention (the middle always has one); head: channels of an attention head.
        inputs, outputs: channels of the picture and of the answer.
    """

    def __init__(
        self,
        width: int = 32,
        multipliers: Sequence[int] = (1, 2, 4, 8, 8, 16, 16),
        blocks: Sequence[int] = (1, 2, 2, 2, 2, 3, 4),
        attention: Sequence[int] = (4, 5, 6),
        head: int = 64,
        inputs: int = 3,
        outputs: int = 6,
    ) -> None:
        super().__init__()
        if len(multipliers) != len(blocks):
            raise ValueError(f"{len(multipliers)} multipliers and {len(blocks)} numbers of blocks")
        self.width, self.multiple = width, 2 ** (len(multipliers) - 1)
        time = 4 * width
        self.time_embed = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))

        def stage(entering: int, leaving: int, level: int) -> Stage:
            block = ResidualBlock(entering, leaving, time)
            return Stage(block, Attention(leaving, head)) if level in attention else Stage(block)

        channels = width * multipliers[0]
        self.input_blocks = nn.ModuleList([Stage(nn.Conv2d(inputs, channels, 3, padding=1))])
        skips = [channels]
        for level, (multiplier, count) in enumerate(zip(multipliers, blocks, strict=True)):
            for _ in range(count):
                self.input_blocks.append(stage(channels, width * multiplier, level))
                channels = width * multiplier
                skips.append(channels)
            if level + 1 < len(multipliers):
                self.input_blocks.append(Stage(Downsample(channels)))
                skips.append(channels)
        self.middle_block = Stage(
            ResidualBlock(channels, channels, time), Attention(channels, head), ResidualBlock(channels, channels, time)
        )
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(len(multipliers))):
            for place in range(blocks[level] + 1):
                made = stage(channels + skips.pop(), width * multipliers[level], level)
                channels = width * multipliers[level]
                if level and place == blocks[level]:
                    made.append(Upsample(channels))
                self.output_blocks.append(made)
        self.out = nn.Sequential(Norm(channels), nn.SiLU(), _zero(nn.Conv2d(channels, outputs, 3, padding=1)))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(B, 6, H, W): the noise in the first three channels, then where between its bounds the log variance lies (-1..1).

        `x` (B, 3, H, W) is a noisy picture of about [-1, 1], H and W multiples of `self.multiple`; `time` (B,) the
        timesteps 0..999 of the schedule that it was trained with, also when the sampler leaves most of them out.
        """
        if x.shape[-1] % self.multiple or x.shape[-2] % self.multiple:
            raise ValueError(f"height and width are multiples of {self.multiple}, not {tuple(x.shape[-2:])}")
        embedded_time = self.time_embed(sinusoids(time, self.width).to(x.dtype))
        skips = []
        for stage in self.input_blocks:
            x = stage(x, embedded_time)
            skips.append(x)
        x = self.middle_block(x, embedded_time)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, skips.pop()], 1), embedded_time)
        return self.out(x)


def _zero(layer: M) -> M:
    """`layer` with weights of zero: before any training its block changes nothing."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
