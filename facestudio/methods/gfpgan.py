"""GFPGAN: a generator of faces that is steered by what is seen in the degraded one.

After Wang et al., "Towards Real-World Blind Face Restoration with Generative Facial Prior" (CVPR 2021), source
TencentARC/GFPGAN (Apache-2.0 except StyleGAN2's and DFDNet's parts, which are non-commercial; no code taken). Its weights
are those its authors published. What differs: the fine noise that the generator adds follows from the seed instead of
chance, so a face can be restored again to the same pixels; strength really blends; photos are cropped and pasted by our
own faces/align.py and faces/paste.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facestudio.methods.onepass import OnePass, Options

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["GFPGAN", "Options"]


class GFPGAN(OnePass):
    """The loaded method; its network is networks/gfpgan.py.

    Its noise comes from the `seed` alone, which the pipeline makes of the photo's content, the face and the asked seed.
    """

    id = "gfpgan"

    def forward(self, batch: Tensor, options: Any, seeds: list[int]) -> Tensor:
        """As of OnePass, with each crop's noise from its own seed."""
        network: Any = self.network
        return network(batch, network.noise(seeds))
