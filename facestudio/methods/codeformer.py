"""CodeFormer: a transformer guesses the codes of a good face, and a fidelity says how far the degraded one may object.

After Zhou et al., "Towards Robust Blind Face Restoration with Codebook Lookup Transformer" (NeurIPS 2022), source
sczhou/CodeFormer (S-Lab License 1.0, non-commercial; no code taken). Its weights are those its authors published. What
differs: photos are cropped and pasted by our own faces/align.py and faces/paste.py, and a face that fails is never
replaced by its input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facestudio.methods import onepass
from facestudio.options import option

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Options(onepass.Options):
    """What a person may choose."""

    fidelity: float = option(
        0.5,
        title="Fidelity",
        help=(
            "How closely to follow the degraded face: 0 invents the most and is sharpest, 1 keeps the most of what "
            "is there."
        ),
        minimum=0.0,
        maximum=1.0,
        step=0.05,
    )


class CodeFormer(onepass.OnePass):
    """The loaded method; its network is networks/codeformer.py. Nothing is random, so a seed changes nothing."""

    id = "codeformer"
    Options: type[Any] = Options

    def forward(self, batch: Tensor, options: Any, seeds: list[int]) -> Tensor:
        """As of OnePass, with `options.fidelity`."""
        return self.network(batch, w=float(options.fidelity))
