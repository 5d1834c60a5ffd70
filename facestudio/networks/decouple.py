"""The networks of `decouple`: who a face is and all the rest of it as two codes, and how the rest is told to the prior.

The parts are those that identity-decoupled anonymization names: a disentangled variational encoder with an identity code and a
spatial attribute code, and a branch of the prior that holds the attributes. Papers: Kingma and Welling, "Auto-Encoding
Variational Bayes", ICLR 2014; Cheng et al., "CLUB: A Contrastive Log-ratio Upper Bound of Mutual Information", ICML 2020; Zhang
et al., "Adding Conditional Control to Text-to-Image Diffusion Models" (ControlNet), ICCV 2023, whose branch adds to the U-Net's
skips by layers that begin at zero. Ours does not read the noisy latent, so it is asked once a picture; time scales what it says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAST, MOST = -8.0, 2.0  # logarithms of a code's variance


class Code(NamedTuple):
    """A normal distribution of a code: its `mean`, and the logarithm of its variance, both of the code's shape."""

    mean: Tensor
    spread: Tensor

    def drawn(self) -> Tensor:
        """One code, with gradients to both (the reparameterisation trick)."""
        return self.mean + (self.spread / 2).exp() * torch.randn_like(self.mean)

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence from a standard normal distribution (B,), in nats a number of the code."""
        apart = (self.mean.square() + self.spread.exp() - self.spread - 1) / 2
        return apart.flatten(1).mean(1)


class Block(nn.Module):
    """Two convolutions 3 x 3, each behind GroupNorm and SiLU, added to what comes in. A new one adds nothing."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, width), nn.GroupNorm(groups, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(functional.silu(self.norm1(x)))
        return x + self.conv2(functional.silu(self.norm2(h)))


class IdentityCode(nn.Module):
    """Who it is: a code of an embedding, and the embedding of a code. A new one passes embeddings almost as they are.

    Args:
        dimensions: of both; hidden: of the layers.
    """

    def __init__(self, dimensions: int = 512, hidden: int = 512) -> None:
        super().__init__()
        self.scale = dimensions**0.5  # a unit vector's numbers have a deviation of one over this
        self.inward = nn.Sequential(nn.Linear(dimensions, hidden), nn.SiLU(), nn.Linear(hidden, 2 * dimensions))
        self.outward = nn.Sequential(nn.Linear(dimensions, hidden), nn.SiLU(), nn.Linear(hidden, dimensions))
        for layers in (self.inward, self.outward):
            nn.init.zeros_(layers[2].weight)  # type: ignore[arg-type]
            nn.init.zeros_(layers[2].bias)  # type: ignore[arg-type]
        nn.init.constant_(self.inward[2].bias[dimensions:], -3.0)  # type: ignore[arg-type,index]

    def forward(self, identity: Tensor) -> Code:
        """The code of unit embeddings (B, D)."""
        scaled = identity * self.scale
        moved, spread = self.inward(scaled).chunk(2, 1)
        return Code(scaled + moved, spread.clamp(LEAST, MOST))

    def embedding(self, code: Tensor) -> Tensor:
        """Unit embeddings (B, D) of codes (B, D)."""
        return functional.normalize(code + self.outward(code), dim=1)


class AttributeCode(nn.Module):
    """The rest: a spatial code of a latent and the lines of its features (networks/prior.py), few numbers a place.

    Args:
        latent, sketch: channels of the two; code: of the code; width, blocks, groups: of the layers.
    """

    def __init__(self, latent: int, sketch: int, code: int, width: int, blocks: int, groups: int) -> None:
        super().__init__()
        self.inward = nn.Conv2d(latent + sketch, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Block(width, groups) for _ in range(blocks)))
        self.outward = nn.Conv2d(width, 2 * code, 1)
        nn.init.constant_(self.outward.bias[code:], -4.0)  # type: ignore[index]  # or noise drowns what a new code says

    def forward(self, latents: Tensor, sketch: Tensor) -> Code:
        """The code (B, code, h, w) of `latents` (B, C, h, w), times the prior's `loud`, and `sketch` (B, S, h, w)."""
        h = self.blocks(self.inward(torch.cat([latents, sketch], 1)))
        mean, spread = self.outward(h).chunk(2, 1)
        return Code(mean, spread.clamp(LEAST, MOST))


class Holder(nn.Module):
    """What is added to the skips and to the middle of the prior's U-Net, from a code, the surroundings and a mask.

    Args:
        code, latent: channels; widths, layers: those of the prior's levels, and its residual blocks a level.
    """

    def __init__(self, code: int, latent: int, widths: Sequence[int], layers: int, blocks: int, groups: int) -> None:
        super().__init__()
        self.inward = nn.Conv2d(code + latent + 1, widths[0], 3, padding=1)
        self.levels, self.down, self.outward = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        self.counts: list[int] = []
        for level, width in enumerate(widths):
            self.levels.append(nn.Sequential(*(Block(width, groups) for _ in range(blocks))))
            # skips of a level: of what comes in (of the first convolution, or handed down from above), and of each block
            count = layers + 1
            last = level == len(widths) - 1
            self.counts.append(count)
            for _ in range(count + last):  # and of the middle
                self.outward.append(nn.Conv2d(width, width, 1))
            if not last:
                self.down.append(nn.Conv2d(width, widths[level + 1], 3, stride=2, padding=1))
        # the skip that a level hands down has that level's own width
        for level in range(1, len(widths)):
            index = sum(self.counts[:level])
            self.outward[index] = nn.Conv2d(widths[level], widths[level - 1], 1)
        for layer in self.outward:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.sizes = [layer.out_channels for layer in self.outward]
        self.tempo = nn.Sequential(nn.Linear(TONES, 128), nn.SiLU(), nn.Linear(128, sum(self.sizes)))  # type: ignore[arg-type]
        nn.init.zeros_(self.tempo[2].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.tempo[2].bias)  # type: ignore[arg-type]

    def forward(self, code: Tensor, known: Tensor, drawn: Tensor) -> list[Tensor]:
        """One tensor a skip, and the middle's last, as the U-Net has them.

        Args:
            code: (B, code, h, w); known: (B, C, h, w) the latent, zeros where the face is `drawn` (B, 1, h, w), 1 inside.
        """
        h = self.inward(torch.cat([code, known, drawn], 1))
        said: list[Tensor] = []
        for level, blocks in enumerate(self.levels):
            h = blocks(h)
            count = self.counts[level] + (level == len(self.levels) - 1)
            said += [layer(h) for layer in self.outward[len(said) : len(said) + count]]
            if level < len(self.down):
                h = self.down[level](h)
        return said

    def at(self, said: Sequence[Tensor], time: Tensor) -> list[Tensor]:
        """What was `said`, as loud as it is to be at `time` (B,)."""
        loud = 1 + self.tempo(tones(time).to(said[0].dtype))
        return [one * by[:, :, None, None] for one, by in zip(said, loud.split(self.sizes, 1), strict=True)]  # type: ignore[arg-type]


TONES = 64  # numbers that say what time it is


def tones(time: Tensor) -> Tensor:
    """`time` (B,) in 0..999 as sines and cosines (B, TONES), as in Vaswani et al., 2017."""
    pitch = torch.exp(-math.log(10000) * torch.arange(TONES // 2, device=time.device) / (TONES // 2))
    angle = time[:, None].float() * pitch
    return torch.cat([angle.sin(), angle.cos()], 1)


class Decoupler(nn.Module):
    """Both codes of a face, and the branch that holds the attributes while the prior draws somebody.

    Args:
        prior: the arguments of the `FacePrior` that it is a branch of.
        code: channels of the attribute code, of the latent's size; width, blocks: of the encoder; branch: blocks a level of the
            branch; hidden: width of the identity code's layers; groups: of the normalisations.
    """

    def __init__(
        self,
        prior: Mapping[str, Any],
        code: int = 4,
        width: int = 96,
        blocks: int = 3,
        branch: int = 2,
        hidden: int = 512,
        groups: int = 16,
    ) -> None:
        super().__init__()
        self.identity = IdentityCode(prior["dimensions"], hidden)
        self.attributes = AttributeCode(prior["latent"], prior["sketch"], code, width, blocks, groups)
        self.holder = Holder(code, prior["latent"], prior["widths"], prior["blocks"], branch, groups)


class HoldingPrior(nn.Module):
    """A prior that was told which attributes to hold; it is conditioned and called as networks/prior.py.

    Args:
        said: of `Holder`, for the pictures that it is called with, or for a part of them that are all alike, as in guidance.
    """

    def __init__(self, prior: Any, holder: Holder, said: Sequence[Tensor]) -> None:
        super().__init__()
        self.prior, self.holder, self.said = prior, holder, list(said)
        self.dimensions = prior.dimensions

    def conditioning(self, identity: Tensor, known: Tensor) -> Tensor:
        """As of the prior."""
        conditioning: Tensor = self.prior.conditioning(identity, known)
        return conditioning

    def forward(self, noisy: Tensor, time: Tensor, conditioning: Tensor, sketch: Tensor | None = None) -> Tensor:
        """v (B, C, h, w), as of the prior."""
        said = [one.repeat(len(noisy) // len(one), 1, 1, 1) for one in self.said]
        v: Tensor = self.prior(noisy, time, conditioning, sketch, self.holder.at(said, time))
        return v


def leak(codes: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """CLUB: an upper bound, in nats a number, of what tells `codes` (B, D) by what `mean` and `spread` (B, D) were guessed from.

    The guess of each code's own attributes against those of all others of the batch, both as normal log-densities.
    """
    own = -(codes - mean).square() / (2 * spread.exp())
    others = -(codes[None] - mean[:, None]).square().mean(1) / (2 * spread.exp())
    return (own - others).mean()


def surprise(codes: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """How little the guess `mean`, `spread` (B, D; logarithm of the variance) expects `codes` (B, D): negative log-likelihood."""
    return ((codes - mean).square() / spread.exp() + spread).mean() / 2
