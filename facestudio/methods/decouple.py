"""Decouple: who a face is and all the rest of it are told apart, and the rest is held while somebody else is drawn.

The parts of identity-decoupled anonymization, with our networks (networks/decouple.py): the attribute code of the crop goes to
a branch of the prior, the new person comes from the space of identities (Wu et al., "Vec2Face", ICLR 2025), and the face is drawn
from noise alone, so that nothing of the old one is in the picture but what the code lets through. The rest is as of `redraw`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from facestudio.checkpoints import Checkpoint
from facestudio.errors import CheckpointMissing
from facestudio.faces.loading import load_network, refuse_others
from facestudio.methods.redraw import Parts, Redraw
from facestudio.methods.redraw_options import (
    change_option,
    guidance_option,
    guide_option,
    hair_option,
    lines_option,
    sampler_option,
    steps_option,
    takes_option,
)
from facestudio.options import option

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    hold: float = option(
        0.2,
        title="Hold",
        help=(
            "How strictly expression, light and everything else but the identity are kept. Higher values also keep "
            "more of the person."
        ),
        minimum=0.0,
        maximum=1.0,
        step=0.05,
    )
    guidance: float = guidance_option()
    change: float = change_option(1.0, rare=True)
    steps: int = steps_option(4)
    guide: float = guide_option()
    lines: float = lines_option()
    sampler: str = sampler_option("lcm")
    takes: int = takes_option(3)
    hair: bool = hair_option()


class Decouple(Redraw):
    """The loaded method: the `parts` of Redraw, and a `decoupler` (networks/decouple.py)."""

    id = "decouple"
    Options = Options

    def __init__(self, checkpoint: Checkpoint, parts: Parts, decoupler: nn.Module, device: str = "cpu") -> None:
        super().__init__(checkpoint, parts, device)
        self._decoupler: Any = decoupler

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Decouple:
        """Build and fill everything; CheckpointError when that cannot be, or it was trained with others than are here."""
        refuse_others(checkpoint, "decouple")
        parts = Parts.load(checkpoint, device)
        if parts.few_steps is None:
            raise CheckpointMissing(
                f"{checkpoint.id} needs a consistency model, whose weights are not installed.",
                hint="Install Face Studio again; `weights verify` says what is missing.",
            )
        return cls(checkpoint, parts, load_network(checkpoint, device), device)

    def stronger(self, options: Any) -> Any | None:
        """A fifth less is held, and when nothing is, pushed away with all strength; None in the end."""
        if options.hold > 0:
            return replace(options, hold=max(0.0, round(options.hold - 0.2, 2)))
        return replace(options, guide=1.0) if options.guide < 1 else None

    def _asked(
        self, prior: Any, who: Tensor, options: Any, lines: Tensor, known: Tensor, drawn: Tensor
    ) -> tuple[Any, Tensor]:
        from facestudio.networks.decouple import HoldingPrior

        network = self._decoupler
        code = network.attributes(known, lines).mean
        said = network.holder(code, known * (1 - drawn), drawn)
        holding = HoldingPrior(prior, network.holder, [options.hold * one for one in said])
        return holding, network.identity.embedding(network.identity(who).mean)
