"""The estimator: degraded 256 px face crop to best guess, in one pass.

DifFace's first stage (Yue & Loy, "DifFace: Blind Face Restoration with Diffused Error Contraction", 2022) is a restorer
trained with L1. Theirs is a SwinIR; this one is a small convolutional U-Net on a 4x pixel-unshuffled input, which a
laptop CPU runs in a fraction of a second. It has no normalisation layers, so brightness and colour pass through (EDSR). A
recogniser may look on (networks/onlooker.py): what it sees shifts and scales the channels on the way down (FiLM, Perez et al.
2018) and is added to the two coarsest maps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.onlooker import Onlooker


class ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(functional.silu(self.conv1(functional.silu(x))))


def chain(width: int, blocks: int, attends: bool) -> nn.Sequential:
    """Residual blocks on a map of `width` channels, and at their end attention, if it `attends`."""
    return nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)), *([SelfAttention(width)] if attends else []))


class SelfAttention(nn.Module):
    """Every place of a map looks at every other (Vaswani et al. 2017), added to the map; at first it adds nothing."""

    def __init__(self, width: int, head: int = 64) -> None:
        super().__init__()
        self.heads = max(width // head, 1)
        self.norm = nn.GroupNorm(1, width)
        self.asked = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """`x` (B, C, H, W) with what its places saw in each other."""
        count, width, high, wide = x.shape
        asked = self.asked(self.norm(x)).reshape(count, 3, self.heads, width // self.heads, high * wide)
        queries, keys, values = (part.transpose(-1, -2) for part in asked.unbind(1))
        seen = functional.scaled_dot_product_attention(queries, keys, values)
        return x + self.out(seen.transpose(-1, -2).reshape(count, width, high, wide))


class EstimatorUNet(nn.Module):
    """U-Net over pixel-unshuffled pixels that predicts a correction to its input.

    Args:
        widths: channels per level, finest first; each further level halves the resolution.
        blocks: residual blocks per level on the way down (the way up has as many; the last level has twice as many), or how
            many each level has, the last one among them.
        attend: the levels, not the last, whose places look at each other, on both ways.
        unshuffle: factor of the pixel unshuffle in front.
        side: of the aligned crops in pixels, for a learned offset a place and level (an aligned face has its eyes always
            in the same place); 0 for none. Crops of another side get the offsets resampled.
        onlooker: `dimensions` of a recogniser's embedding and channels of its coarse and fine `maps`, when one looks on; it is
            not part of the weights and has to be lent (`lend`) before the network is called.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256),
        blocks: int | Sequence[int] = 2,
        unshuffle: int = 4,
        side: int = 0,
        attend: Sequence[int] = (),
        onlooker: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.looked_on = onlooker is not None
        self._onlooker: tuple[Onlooker, ...] = ()  # in a tuple, so that its weights are not among ours
        if onlooker is not None:
            self.told = nn.Linear(onlooker["dimensions"], 2 * sum(widths))
            self.seen = nn.ModuleList(
                nn.Conv2d(channels, width, 1)
                for channels, width in zip(onlooker["maps"], reversed(widths), strict=False)
            )
            for layer in (self.told, *self.seen):
                nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.unshuffle = unshuffle
        self.multiple = unshuffle * 2 ** (len(widths) - 1)
        channels = 3 * unshuffle**2
        self.places = nn.ParameterList(
            nn.Parameter(torch.zeros(1, width, *[side // unshuffle >> level] * 2))
            for level, width in enumerate(widths if side else ())
        )
        deep = [blocks] * (len(widths) - 1) + [2 * blocks] if isinstance(blocks, int) else list(blocks)
        self.head = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList()
        self.shrink = nn.ModuleList()
        for level, (width, wider) in enumerate(itertools.pairwise(widths)):
            self.down.append(chain(width, deep[level], level in attend))
            self.shrink.append(nn.Conv2d(width, wider, 2, stride=2))
        self.middle = nn.Sequential(*(ResidualBlock(widths[-1]) for _ in range(deep[-1])))
        self.grow = nn.ModuleList()
        self.up = nn.ModuleList()
        for level in reversed(range(len(widths) - 1)):
            self.grow.append(nn.Conv2d(widths[level + 1], widths[level] * 4, 1))
            self.up.append(chain(widths[level], deep[level], level in attend))
        self.tail = nn.Conv2d(widths[0], channels, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Restore `x` (B, 3, H, W) in [-1, 1], H and W multiples of `self.multiple`; the output has the same shape.

        The output is not clamped: training needs the gradient outside the range, callers clamp.
        """
        *skips, h = self.encoded(x)
        h = climb(self.middle(h), self.grow, self.up, skips)
        correction = self.tail(functional.silu(h))
        return x + functional.pixel_shuffle(correction, self.unshuffle).to(x.dtype)

    def lend(self, onlooker: Onlooker) -> None:
        """Let `onlooker` look at what is restored from now on; it goes to the devices that the network goes to."""
        self._onlooker = (onlooker,)

    def person(self, x: Tensor) -> Tensor:
        """Unit embeddings (B, D), as the onlooker has them, of who is in `x` (B, 3, H, W), degraded as it is."""
        return functional.normalize(self._looking(x)[0], dim=1)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> EstimatorUNet:
        for onlooker in self._onlooker:
            onlooker._apply(fn, recurse)
        super()._apply(fn, recurse)
        return self

    def encoded(self, x: Tensor) -> list[Tensor]:
        """The maps of `x` on the way down, the finest first; the last is what the middle gets."""
        told, seen = self._looked_at(x)
        h = self.head(functional.pixel_unshuffle(x, self.unshuffle))
        maps: list[Tensor] = []
        for level, (blocks, shrink) in enumerate(zip(self.down, self.shrink, strict=True)):
            h = blocks(self._told(self._placed(h, level), level, told, seen))
            maps.append(h)
            h = shrink(h)
        return [*maps, self._told(self._placed(h, len(self.down)), len(self.down), told, seen)]

    def _looked_at(self, x: Tensor) -> tuple[list[Tensor], dict[int, Tensor]]:
        """What the onlooker says of `x`: for each level a scale and a shift (B, 2C, 1, 1), and maps (B, C, h, w) by level."""
        if not self.looked_on:
            return [], {}
        embedding, maps = self._looking(x)
        told = self.told(embedding)[..., None, None].split([2 * width for width in self.widths], dim=1)
        last = len(self.widths) - 1
        seen = {last - back: layer(found) for back, (layer, found) in enumerate(zip(self.seen, maps, strict=False))}
        return list(told), seen

    def _looking(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        if not self._onlooker:
            raise RuntimeError("this network needs an onlooker: lend it one first")
        seen: tuple[Tensor, list[Tensor]] = self._onlooker[0](x)
        return seen

    @staticmethod
    def _told(h: Tensor, level: int, told: list[Tensor], seen: dict[int, Tensor]) -> Tensor:
        """`h` (B, C, H, W) of `level`, with what the onlooker says."""
        if not told:
            return h
        scale, shift = told[level].chunk(2, dim=1)
        h = h * (1 + scale) + shift
        if level in seen:
            more = seen[level]
            if more.shape[2:] != h.shape[2:]:
                more = functional.interpolate(more.float(), size=h.shape[2:], mode="bilinear", align_corners=False)
            h = h + more.to(h.dtype)
        return h

    def symmetric(self, x: Tensor) -> Tensor:
        """The mean of what is made of `x` and of its mirror image, as by `forward`: errors that differ cancel out."""
        both = self(torch.cat([x, x.flip(-1)]))
        return (both[: len(x)] + both[len(x) :].flip(-1)) / 2

    def _placed(self, h: Tensor, level: int) -> Tensor:
        """`h` (B, C, H, W) with the offsets of its level."""
        if not self.places:
            return h
        offset = self.places[level]
        if offset.shape[2:] != h.shape[2:]:
            offset = functional.interpolate(offset, size=h.shape[2:], mode="bilinear", align_corners=False)
        return h + offset.to(h.dtype)


def climb(h: Tensor, grow: Iterable[nn.Module], up: Iterable[nn.Module], skips: list[Tensor]) -> Tensor:
    """Take `h` up some levels, each twice as fine and joined by the map of its level, which is taken off the end of `skips`."""
    for enlarge, blocks in zip(grow, up, strict=True):
        h = blocks(functional.pixel_shuffle(enlarge(h), 2) + skips.pop())
    return h


def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """Horizontal and vertical forward differences of `x` (B, C, H, W)."""
    return torch.diff(x, dim=-1), torch.diff(x, dim=-2)
