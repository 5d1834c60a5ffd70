"""LAFR's networks: a codebook adapter that moves the latent of a degraded face to where clean ones are, and a light update
of the prior.

Paper: Li et al., "LAFR: Efficient Diffusion-based Blind Face Restoration via Latent Codebook Alignment Adapter", 2025 (arXiv
2505.23462). There is no published code; sizes follow our reading of the texts. What differs: latents are 16 x 16 x 16, the prior
is our own, and every place has a learned offset, because an aligned face has its eyes always in the same place. The adapter
begins as the lookup of the nearest clean latent, or with an open gate as what it is given: its shortcuts are isometries and their
transposes, and its residual blocks say nothing yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.lowrank import LowRankUpdate, shapes_of
from facestudio.networks.prior import FacePrior

MODES = ("gated", "lookup", "none")
PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")  # of attention, by the ends of their names
HASTE = 20.0  # the gate opens within some hundred steps of AdamW at a usual rate


class Residual(nn.Module):
    """Two convolutions 3 x 3, each behind GroupNorm and SiLU, beside a shortcut 1 x 1. A new one is its shortcut."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, inputs), nn.GroupNorm(groups, outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]
        nn.init.orthogonal_(self.shortcut.weight)
        nn.init.zeros_(self.shortcut.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(functional.silu(self.norm1(x)))
        return self.shortcut(x) + self.conv2(functional.silu(self.norm2(h)))


class Codebook(nn.Module):
    """`codes` (K, D): anchors among the features of clean faces. They are no parameters; see `CodebookLearner`."""

    def __init__(self, count: int, dimensions: int) -> None:
        super().__init__()
        self.codes = nn.Buffer(torch.randn(count, dimensions))

    def nearest(self, features: Tensor) -> Tensor:
        """Which code (B, h, w) int64 is nearest to each of the `features` (B, D, h, w)."""
        with torch.no_grad(), torch.autocast(features.device.type, enabled=False):  # near ones differ by little
            flat = features.float().permute(0, 2, 3, 1).flatten(0, 2)
            squares = self.codes.square().sum(1) - 2 * flat @ self.codes.T
            return squares.argmin(1).view(len(features), *features.shape[2:])

    def forward(self, chosen: Tensor) -> Tensor:
        """The codes (B, D, h, w) that were `chosen` (B, h, w)."""
        return self.codes[chosen].permute(0, 3, 1, 2)


class CodebookLearner(nn.Module):
    """Moves a codebook after the features of clean faces, and of them only, by moving averages (van den Oord et al., 2017).

    Args:
        decay: of the averages; patience: steps after which a code that no feature is nearest to starts anew, as a feature
            of the current batch.
    """

    def __init__(self, count: int, dimensions: int, decay: float = 0.99, patience: int = 1000) -> None:
        super().__init__()
        self.decay, self.patience = decay, patience
        self.counts, self.sums = nn.Buffer(torch.ones(count)), nn.Buffer(torch.zeros(count, dimensions))
        self.idle = nn.Buffer(torch.zeros(count, dtype=torch.int64))
        self.begun = nn.Buffer(torch.tensor(False))

    @torch.no_grad()
    def learn(self, codebook: Codebook, features: Tensor) -> Tensor:
        """Take in `features` (B, D, h, w) of clean faces; returns which codes (B, h, w) they had before."""
        if not self.begun:
            self.sums.copy_(codebook.codes)
            self.begun.fill_(True)
        chosen = codebook.nearest(features)
        flat = features.detach().float().permute(0, 2, 3, 1).flatten(0, 2)
        counts = torch.bincount(chosen.flatten(), minlength=len(self.counts)).to(flat)
        sums = torch.zeros_like(self.sums).index_add_(0, chosen.flatten(), flat)
        self.counts.lerp_(counts, 1 - self.decay)
        self.sums.lerp_(sums, 1 - self.decay)
        # of a code that was not met for long both are next to nothing, but their ratio is right
        codebook.codes.copy_(self.sums / self.counts.clamp(min=1e-6)[:, None])
        self.idle.add_(1).mul_((counts == 0).long())
        lost = torch.nonzero(self.idle >= self.patience).flatten()
        if len(lost):
            fresh = flat[torch.randperm(len(flat), device=flat.device)[: len(lost)]]
            lost = lost[: len(fresh)]
            codebook.codes[lost], self.sums[lost] = fresh, fresh
            self.counts[lost], self.idle[lost] = 1.0, 0
        return chosen


class Aligned(NamedTuple):
    """What an adapter makes of latents.

    latents: (B, C, h, w), where clean faces have theirs. Without a lookup the others are None: features (B, D, h, w), the
    codes' numbers `chosen` (B, h, w), and the codes themselves, `found` (B, D, h, w).
    """

    latents: Tensor
    features: Tensor | None = None
    chosen: Tensor | None = None
    found: Tensor | None = None


class CodebookAdapter(nn.Module):
    """Latents of degraded faces to latents as clean faces have them.

    Args:
        latent: channels of a latent; side: its height and width.
        widths: channels of the extractor, from the first convolution to the features; the mapping has them backwards.
        codes: how many there are; groups: of the normalisations.
        mode: "lookup", where only the nearest code of a place passes; "gated", where as much of what the code lacks of the
            feature passes as a learned gate lets through, channel by channel; "none", which changes nothing.
        opened: how much the gate lets through at first, 0..1; a new adapter whose gate is open changes nothing.
    """

    def __init__(
        self,
        latent: int = 16,
        side: int = 16,
        widths: Sequence[int] = (64, 128, 256),
        codes: int = 1024,
        groups: int = 16,
        mode: str = "gated",
        opened: float = 0.0,
    ) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"an adapter is one of {', '.join(MODES)}, not {mode}")
        self.mode = mode
        if mode == "none":
            return
        self.inward = nn.Conv2d(latent, widths[0], 3, padding=1)
        self.places = nn.Parameter(torch.zeros(1, widths[0], side, side))
        self.extractor = nn.Sequential(*(Residual(a, b, groups) for a, b in pairwise(widths)))
        self.codebook = Codebook(codes, widths[-1])
        self.gate = nn.Parameter(torch.full((widths[-1],), opened / HASTE))
        self.shifts = nn.Parameter(torch.zeros(1, widths[-1], side, side))
        self.mapping = nn.Sequential(*(Residual(b, a, groups) for a, b in reversed(list(pairwise(widths)))))
        self.outward = nn.Conv2d(widths[0], latent, 3, padding=1)
        self._begin()

    @torch.no_grad()
    def _begin(self) -> None:
        """Let the extractor be an isometry of each place's latent, and the mapping its inverse."""
        for layer in (self.inward, self.outward):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        middle = nn.init.orthogonal_(self.inward.weight.new_empty(self.inward.weight.shape[:2]))
        self.inward.weight[:, :, 1, 1] = middle
        self.outward.weight[:, :, 1, 1] = middle.T
        for down, up in zip(self.extractor, reversed(self.mapping), strict=True):
            up.shortcut.weight.copy_(down.shortcut.weight.transpose(0, 1))

    def features(self, latents: Tensor) -> Tensor:
        """Features (B, D, h, w) of `latents` (B, C, h, w)."""
        h = self.inward(latents)
        return self.extractor(h + self.places.to(h.dtype))

    def forward(self, latents: Tensor) -> Aligned:
        """`latents` (B, C, h, w) of degraded faces, moved; gradients pass the lookup as if it were not there."""
        if self.mode == "none":
            return Aligned(latents)
        features = self.features(latents).float()
        chosen = self.codebook.nearest(features)
        found = self.codebook(chosen)
        passed = features + (found - features).detach()
        if self.mode == "gated":
            passed = torch.lerp(passed, features, self.opening[:, None, None])
        return Aligned(self.outward(self.mapping(passed + self.shifts)).float(), features, chosen, found)

    @property
    def opening(self) -> Tensor:
        """How much (D,) of what a code lacks is let through; 0 nothing, 1 all of it."""
        return HASTE * self.gate


class LAFRNet(nn.Module):
    """What LAFR learns: an `adapter` and a low-rank `update` of a prior, which is not part of it.

    Args:
        prior: the arguments of the `FacePrior` that is updated.
        time: the timestep of its one step, 0..999; rank, alpha: of the update.
        guess: what the latents are of that it is given: the "input", or what the "estimator" makes of it. For its callers.
        person: whether the prior is told who is there, as the estimator's onlooker sees it. For its callers.
        adapter: arguments of `CodebookAdapter` but the latent's size.
    """

    def __init__(
        self,
        prior: Mapping[str, Any],
        time: int = 100,
        rank: int = 4,
        alpha: float = 4.0,
        guess: str = "input",
        person: bool = False,
        **adapter: Any,
    ) -> None:
        super().__init__()
        self.time, self.guess, self.person = time, guess, person
        self.adapter = CodebookAdapter(prior["latent"], prior["side"], **adapter)
        with torch.device("meta"):
            shapes = shapes_of(FacePrior(**prior), PROJECTIONS)
        self.update = LowRankUpdate(shapes, rank, alpha)


def one_step(
    prior: FacePrior,
    latents: Tensor,
    time: int,
    predict: Callable[..., Tensor] | None = None,
    identity: Tensor | None = None,
) -> Tensor:
    """Clean latents (B, C, h, w), as `prior` has them in one step from `time`, of aligned `latents`.

    They go in as the share of signal that a noisy latent has at `time`, sqrt(a) z, without any noise: if z were perfect, that
    is what the prior would see, and what z lacks of a clean latent stands for the noise. Back comes sqrt(a) x - sqrt(1 - a) v.

    Args:
        predict: tells v in the prior's place, for one whose update is not merged; identity: (B, D) unit embeddings of who is
            in the pictures, for a prior that was taught to use it here; None says nobody.
    """
    alpha = prior.alphas_cumprod[time]
    known = torch.full((len(latents),), identity is not None, device=latents.device)
    who = latents.new_zeros(len(latents), prior.dimensions) if identity is None else identity
    loud = prior.loud[:, None, None]
    x = alpha.sqrt() * latents * loud
    v = (predict or prior)(x, known.new_full((len(latents),), time, dtype=torch.int64), prior.conditioning(who, known))
    return (alpha.sqrt() * x - (1 - alpha).sqrt() * v.float()) / loud
