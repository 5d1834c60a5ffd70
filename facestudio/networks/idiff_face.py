"""IDiff-Face's diffusion prior: a U-Net on the latents of a 128 px face that is told an identity by cross-attention.

Paper: Boutros et al., "IDiff-Face: Synthetic-based Face Recognition through Fizzy Identity-Conditioned Diffusion Models", ICCV
2023; source fdbtrs/IDiff-Face (CC BY-NC-SA 4.0, non-commercial; no code taken). Attribute names are the published state-dict
keys. What differs: only inference is here, so no part of the identity is ever dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 32  # of every normalisation
TOKENS = 32  # that an identity becomes


class Time(nn.Module):
    """Timesteps (B,) to what the blocks hear of them (B, width): a perceptron of cosines and sines."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.frequencies: int = width // 8
        self.lin1 = nn.Linear(width // 4, width)
        self.lin2 = nn.Linear(width, width)

    def forward(self, time: Tensor) -> Tensor:
        steps = torch.arange(self.frequencies, dtype=torch.float32, device=time.device)
        angles = time.float()[:, None] * torch.exp(-math.log(10000) * steps / self.frequencies)
        waves = torch.cat([angles.cos(), angles.sin()], 1)
        return self.lin2(functional.silu(self.lin1(waves)))


class Modulated(nn.Module):
    """Group normalisation that the time scales and shifts."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        return self.norm(x) * (1 + scale[..., None, None]) + shift[..., None, None]


class ResidualBlock(nn.Module):
    """Two convolutions; the time scales and shifts what the second one sees."""

    def __init__(self, inputs: int, outputs: int, time: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(GROUPS, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.time_emb = nn.Sequential(nn.SiLU(), nn.Linear(time, outputs))
        self.scale_emb = nn.Linear(outputs, outputs)
        self.shift_emb = nn.Linear(outputs, outputs)
        self.norm2 = Modulated(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.conv1(functional.silu(self.norm1(x)))
        told = self.time_emb(time)
        h = self.norm2(h, self.scale_emb(told), self.shift_emb(told))
        return self.shortcut(x) + self.conv2(functional.silu(h))


class Attention(nn.Module):
    """What tokens (B, C, N) see of others (B, D, M), in heads of `head` channels."""

    def __init__(self, channels: int, of: int, head: int) -> None:
        super().__init__()
        self.head = head
        self.to_q = nn.Conv1d(channels, channels, 1)
        self.to_k = nn.Conv1d(of, channels, 1)
        self.to_v = nn.Conv1d(of, channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, of: Tensor) -> Tensor:
        q, k, v = (
            y.unflatten(1, (-1, self.head)).transpose(2, 3) for y in (self.to_q(x), self.to_k(of), self.to_v(of))
        )
        seen = functional.scaled_dot_product_attention(q, k, v)
        return self.proj_out(seen.transpose(2, 3).flatten(1, 2))


class Transformer(nn.Module):
    """Places of a map look at one another, then at the identity, then each thinks for itself; one normalisation for all three."""

    def __init__(self, channels: int, context: int, head: int) -> None:
        super().__init__()
        self.x_proj_in = nn.Conv2d(channels, channels, 1)
        self.x_proj_out = nn.Conv2d(channels, channels, 1)
        self.self_attention = Attention(channels, channels, head)
        self.c_proj_in = nn.Linear(context, TOKENS * context)
        self.cross_attention = Attention(channels, context, head)
        self.x_norm = nn.GroupNorm(GROUPS, channels)
        self.c_norm = nn.GroupNorm(GROUPS, context)
        self.ff = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        told = self.c_norm(self.c_proj_in(context).unflatten(1, (-1, TOKENS)))
        h = self.x_proj_in(x).flatten(2)
        known = self.x_norm(h)
        h = h + self.self_attention(known, known)
        h = h + self.cross_attention(self.x_norm(h), told)
        h = h + self.ff(self.x_norm(h).transpose(1, 2)).transpose(1, 2)
        return x + self.x_proj_out(h.unflatten(2, x.shape[2:]))


class Block(nn.Module):
    """A residual block and, with a `head`, what it is told of the identity."""

    def __init__(self, inputs: int, outputs: int, time: int, context: int, head: int) -> None:
        super().__init__()
        self.res = ResidualBlock(inputs, outputs, time)
        if head:
            self.attn = Transformer(outputs, context, head)

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        x = self.res(x, time)
        return self.attn(x, context) if hasattr(self, "attn") else x


class Middle(nn.Module):
    def __init__(self, channels: int, time: int, context: int, head: int) -> None:
        super().__init__()
        self.res1 = ResidualBlock(channels, channels, time)
        self.attn = Transformer(channels, context, head)
        self.res2 = ResidualBlock(channels, channels, time)

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        return self.res2(self.attn(self.res1(x, time), context), time)


class Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class IDiffFaceUNet(nn.Module):
    """The noise in latents, for a known person or for nobody; the defaults, by their published names, are the published network.

    Args:
        input_channels: of the latents; initial_channels: of the first level; channel_multipliers: of each level, times the level
            before; is_attention: whether a level hears the identity (the middle always does); attention_head_channels.
        n_blocks_per_resolution: on the way down, one more on the way up.
        context_input_channels: length of the identity; context_channels: of what is made of it.
    """

    def __init__(
        self,
        input_channels: int = 3,
        initial_channels: int = 96,
        channel_multipliers: Sequence[int] = (1, 2, 2, 2),
        is_attention: Sequence[bool] = (False, True, True, True),
        attention_head_channels: int = 32,
        n_blocks_per_resolution: int = 2,
        context_input_channels: int = 512,
        context_channels: int = 256,
    ) -> None:
        super().__init__()
        time, context, head = 4 * initial_channels, context_channels, attention_head_channels

        def block(inputs: int, outputs: int, level: int) -> Block:
            return Block(inputs, outputs, time, context, head if is_attention[level] else 0)

        self.context_channels = context_channels
        self.image_proj = nn.Conv2d(input_channels, initial_channels, 3, padding=1)
        self.time_emb = Time(time)
        self.context_emb = nn.Linear(context_input_channels, context_channels)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        width, skips, last = initial_channels, [initial_channels], len(channel_multipliers) - 1
        for level, multiplier in enumerate(channel_multipliers):
            for n in range(n_blocks_per_resolution):
                self.down.append(block(width, width if n else width * multiplier, level))
                width = width if n else width * multiplier
                skips.append(width)
            if level < last:
                self.down.append(Downsample(width))
                skips.append(width)
        self.middle = Middle(width, time, context, head)
        for level in range(last, -1, -1):
            for n in range(n_blocks_per_resolution + 1):
                leaving = width // channel_multipliers[level] if n == n_blocks_per_resolution else width
                self.up.append(block(width + skips.pop(), leaving, level))
                width = leaving
            if level:
                self.up.append(Upsample(width))
        self.norm = nn.GroupNorm(GROUPS, width)
        self.final = nn.Conv2d(width, input_channels, 3, padding=1)

    def forward(self, x: Tensor, time: Tensor, identity: Tensor | None = None) -> Tensor:
        """The noise in `x` (B, 3, h, w) at timesteps `time` (B,) 0..999; `identity` (B, 512) of unit length, None for nobody."""
        told = x.new_zeros(len(x), self.context_channels) if identity is None else self.context_emb(identity)
        embedded_time = self.time_emb(time)
        x = self.image_proj(x)
        skips = [x]
        for stage in self.down:
            x = stage(x, embedded_time, told) if isinstance(stage, Block) else stage(x)
            skips.append(x)
        x = self.middle(x, embedded_time, told)
        for stage in self.up:
            x = stage(torch.cat([x, skips.pop()], 1), embedded_time, told) if isinstance(stage, Block) else stage(x)
        return self.final(functional.silu(self.norm(x)))
