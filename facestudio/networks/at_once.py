"""A face of a vector and an appearance in one pass: the best linear answer, and one step of the prior that makes a picture of it.

After the setting of Wu et al., "Vec2Face: Scaling Face Dataset Generation with Loosely Constrained Vectors", ICLR 2025: a vector
of a recogniser becomes a face at once, and more pictures of one person follow from other numbers. The network is another, since
a masked autoencoder that is small enough for a laptop, and was trained on one, drew smears (docs/benchmarks/generation.md). Here
a linear path draws what vector and appearance say, blurred; it is put under noise, always the same, and a consistency model
(networks/consistency.py) of our own prior says in one step where the prior would lead that (Meng et al., "SDEdit", ICLR 2022).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from facestudio.networks.consistency import ConsistencyUpdate
from facestudio.networks.prior import FacePrior

LIGHTS = 2  # sliders of light


class Appearance(nn.Module):
    """How somebody looks just then, in numbers that are about normal and do not depend, linearly, on who it is.

    The first say where the features are, the others how the picture is lit and what else is coarse in it.

    Args:
        dimensions: length D of an identity; shapes, pictures: how many there are of each kind.
        anybody: main directions of identities that are kept; push: numbers of a latent of our own prior, in which light moves.
    """

    POINTS = 68
    FARTHEST = 3.5  # deviations, beyond which a number of it counts as that far

    def __init__(self, dimensions: int, shapes: int, pictures: int, anybody: int = 32, push: int = 4096) -> None:
        super().__init__()
        self.count = shapes + pictures
        self.shape = nn.Buffer(torch.zeros(shapes, 2 * self.POINTS))  # of landmarks (in px of the face) less their mean
        self.usual = nn.Buffer(torch.zeros(2 * self.POINTS))
        self.expected = nn.Buffer(torch.zeros(shapes, dimensions))  # of a unit identity less the middle
        self.lights = nn.Buffer(
            torch.zeros(LIGHTS, push)
        )  # what to multiply a push with to know how much of each it is
        self.lit = nn.Buffer(torch.zeros(pictures, LIGHTS))
        self.middle = nn.Buffer(torch.zeros(dimensions))
        self.anybody = nn.Buffer(torch.zeros(anybody, dimensions))  # main directions, as long as people deviate in them

    def shapes(self, landmarks: Tensor, identities: Tensor) -> Tensor:
        """Those (B, shapes) of faces whose `landmarks` (B, 68, 2) and unit `identities` (B, D) are known."""
        seen = (landmarks.flatten(1) - self.usual) @ self.shape.T
        return seen - (identities - self.middle) @ self.expected.T

    def light(self, push: Tensor) -> Tensor:
        """What a `push` (B, C, h, w) of our own prior's latent adds to the pictures (B, pictures), as far as it is light."""
        added: Tensor = push.flatten(1) @ self.lights.T @ self.lit.T
        return added

    def landmarks(self, appearance: Tensor, identities: Tensor) -> Tensor:
        """The `landmarks` (B, 68, 2) whose shapes an `appearance` (B, L) begins with, as far as these say them."""
        seen = appearance[:, : len(self.shape)] + (identities - self.middle) @ self.expected.T
        # the rows are orthogonal
        placed: Tensor = self.usual + seen @ (self.shape / self.shape.square().sum(1, keepdim=True))
        return placed.unflatten(1, (self.POINTS, 2))


class AtOnce(nn.Module):
    """Latents of a vector and an appearance, by a prior that is not part of it.

    Args:
        prior: the arguments of the `FacePrior` that is asked; rank, alpha: of its update.
        appearance: how many numbers say where features are, and what else is coarse; they follow the vector.
        coarse: rank of the linear path; length: of the vectors, on average.
        time: of the prior's, at which the one step begins; guidance, lines: how strictly it follows the person and the features.
    """

    def __init__(
        self,
        prior: Mapping[str, Any],
        rank: int = 16,
        alpha: float = 16.0,
        appearance: Sequence[int] = (24, 72),
        coarse: int = 96,
        length: float = 22.6,
        time: int = 750,
        guidance: float = 3.0,
        lines: float = 1.0,
    ) -> None:
        super().__init__()
        self.dimensions: int = prior["dimensions"]
        self.drawn = (prior["latent"], prior["side"], prior["side"])
        self.length, self.time, self.guidance, self.lines = length, time, guidance, lines
        shapes, pictures = appearance
        self.appearance = Appearance(self.dimensions, shapes, pictures, push=math.prod(self.drawn))
        told = self.dimensions + self.appearance.count
        self.coarse = nn.Sequential(nn.Linear(told, coarse, bias=False), nn.Linear(coarse, math.prod(self.drawn)))
        self.noise = nn.Buffer(torch.zeros(self.drawn))
        self.learned = ConsistencyUpdate(prior, rank, alpha)

    def linear(self, told: Tensor) -> Tensor:
        """What the linear path draws (B, C, h, w) of vectors and appearances `told` (B, D + L), times the prior's `loud`."""
        drawn: Tensor = self.coarse(told).float().unflatten(1, self.drawn)
        return drawn

    def landmarks(self, told: Tensor) -> Tensor:
        """Where (B, 68, 2) the features of what is `told` are, in px of the face."""
        return self.appearance.landmarks(told[:, self.dimensions :], told[:, : self.dimensions] / self.length)

    def begun(self, prior: FacePrior, told: Tensor) -> Tensor:
        """The linear path's latents under the noise, at which the step begins."""
        alpha = prior.alphas_cumprod[self.time]
        return alpha.sqrt() * self.linear(told) + (1 - alpha).sqrt() * self.noise

    def forward(
        self,
        prior: FacePrior,
        told: Tensor,
        sketch: Tensor,
        predict: Callable[..., Tensor] | None = None,
        guidance: float | None = None,
    ) -> Tensor:
        """Latents (B, C, h, w), times the prior's `loud`, of what is `told` (B, D + L); the `sketch` (B, S, h, w) is of its
        `landmarks`. `predict` is asked in the place of a `prior` into which the update is not merged; `guidance` says how
        strictly the person is followed, None for as strictly as it was taught."""
        noisy = self.begun(prior, told)
        alpha = prior.alphas_cumprod[self.time]
        time = torch.full((len(told),), self.time, device=told.device)
        known = torch.ones(len(told), dtype=torch.bool, device=told.device)
        conditioning = prior.conditioning(told[:, : self.dimensions] / self.length, known)
        followed = self.guidance if guidance is None else guidance
        strict = torch.full((len(told),), float(followed), device=told.device)
        sketch = sketch * (1 + self.lines)
        v = self.learned.v(prior, noisy, time, conditioning, strict, sketch, predict)
        return alpha.sqrt() * noisy - (1 - alpha).sqrt() * v.float()
