"""What makes a latent consistency model of the face prior: it says where noise leads in one step, guidance included.

Papers: Luo et al., "Latent Consistency Models", 2023 (the guidance is learned, so that the prior is asked once a step and not
twice); Luo et al., "LCM-LoRA", 2023 (as a low-rank update, which leaves the prior as it is). What differs: how strictly the
person is followed is told by the person's tokens, how strictly the sketch is, by how loud it is, and the part of the guidance
that the linear guess (networks/gaussian.py) knows is computed, not learned.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from facestudio.networks.lowrank import LowRankUpdate, shapes_of
from facestudio.networks.prior import FacePrior

LINEAR = (
    *("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out"),
    *("ff.net.0.proj", "ff.net.2", "time_emb_proj"),
)  # linear layers that are updated, by the ends of their names; and every convolution


class ConsistencyUpdate(nn.Module):
    """A low-rank `update` of a prior, which is not part of it, and how guidance changes a person's tokens.

    Args:
        prior: the arguments of the `FacePrior` that is updated; rank, alpha: of the update.

    A new one changes nothing but for the linear part of the guidance.
    """

    def __init__(self, prior: Mapping[str, Any], rank: int = 16, alpha: float = 16.0) -> None:
        super().__init__()
        with torch.device("meta"):
            network = FacePrior(**prior)
        self.update = LowRankUpdate(shapes_of(network, LINEAR), rank, alpha)
        said = network.nobody.numel()
        self.louder, self.shift = nn.Parameter(torch.zeros(said)), nn.Parameter(torch.zeros(said))

    def emphasised(self, conditioning: Tensor, dimensions: int, guidance: Tensor) -> Tensor:
        """The `conditioning` (B, 1 + `dimensions` + words * tongue) of a known person, said as strictly as `guidance` (B,)."""
        first, tokens = conditioning.split([1 + dimensions, conditioning.shape[1] - 1 - dimensions], 1)
        more = (guidance - 1)[:, None] * conditioning[:, :1]
        return torch.cat([first, tokens + more * (self.louder * tokens + self.shift)], 1)

    def v(
        self,
        prior: FacePrior,
        noisy: Tensor,
        time: Tensor,
        conditioning: Tensor,
        guidance: Tensor,
        sketch: Tensor | None = None,
        predict: Callable[..., Tensor] | None = None,
        added: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """v (B, C, h, w) that leads from `noisy` at `time` (B,) to the end, as guided; arguments as of FacePrior.forward.

        `predict` is asked in the prior's place, for one whose update is not merged.
        """
        told = self.emphasised(conditioning, prior.dimensions, guidance)
        v = (predict or prior)(noisy, time, told, sketch, added)
        known, identity, _ = conditioning.split([1, prior.dimensions, conditioning.shape[1] - 1 - prior.dimensions], 1)
        alpha = prior.alphas_cumprod[time]
        nobody = torch.zeros_like(known[:, 0])
        apart = prior.linear(noisy, alpha, identity, known[:, 0]) - prior.linear(noisy, alpha, identity, nobody)
        return v - (guidance - 1)[:, None, None, None] * apart / (1 - alpha)[:, None, None, None].sqrt()


def merged(prior: FacePrior, learned: ConsistencyUpdate) -> FacePrior:
    """A copy of `prior` into which what was `learned` is merged; tables that nothing changes are shared."""
    shared = {id(buffer): buffer for buffer in prior.buffers()}
    changed = copy.deepcopy(prior, shared)
    learned.update.merge(changed)
    return changed


class FewSteps(nn.Module):
    """The consistency model that `learned` makes of a `prior`, at one `guidance` of the person and of the sketch's `lines`; asked
    as the prior is.

    Only a copy of the prior is changed. `at` gives another guidance and shares everything else.
    """

    def __init__(self, prior: FacePrior, learned: ConsistencyUpdate, guidance: float = 2.0, lines: float = 0.0) -> None:
        super().__init__()
        self.prior = merged(prior, learned)
        self.learned, self.guidance, self.lines = learned, guidance, lines
        self.dimensions, self.linear = prior.dimensions, prior.linear
        self.alphas_cumprod, self.loud = prior.alphas_cumprod, prior.loud

    def at(self, guidance: float, lines: float = 0.0) -> FewSteps:
        """The same at another `guidance`, and with the `lines` of a sketch followed so much more strictly."""
        other = copy.copy(self)
        other.guidance, other.lines = guidance, lines
        return other

    def conditioning(self, identity: Tensor, known: Tensor) -> Tensor:
        """As of FacePrior."""
        return self.prior.conditioning(identity, known)

    def forward(
        self,
        noisy: Tensor,
        time: Tensor,
        conditioning: Tensor,
        sketch: Tensor | None = None,
        added: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """v as of FacePrior, but of where it leads in the end."""
        guidance = noisy.new_full((len(noisy),), self.guidance)
        sketch = None if sketch is None else sketch * (1 + self.lines)
        return self.learned.v(self.prior, noisy, time, conditioning, guidance, sketch, added=added)
