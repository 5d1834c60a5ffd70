"""DifFace: a restorer's guess, dissolved in noise and made a face again by a diffusion model that knows what faces look like.

Paper: Yue and Loy, "DifFace: Blind Face Restoration with Diffused Error Contraction", 2022; source zsyOAOA/DifFace (S-Lab License
1.0, non-commercial, weights too; no code taken). Here the published networks work on pixels at 512. The algorithm itself is
diffusion/difface.py, and asks for no more than a guess and a denoiser, so that latents can carry it as well. What differs:
few steps of DPM-Solver++ unless "ddim" is chosen, which with 100 steps is the published sampler.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import enough_memory
from facestudio.faces.face import FFHQ_512, AlignedFace
from facestudio.faces.loading import load_network
from facestudio.options import option
from facestudio.photo import to_pixels, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

    from facestudio.diffusion.difface import Sampling

LEVELS = 1000  # of noise, that the prior was trained with


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    strength: float = option(
        1.0,
        title="Strength",
        help="How much of the restored face is laid over the photo: 0 keeps the photo, 1 shows the restored face.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
    )
    realism: float = option(
        0.4,
        title="Realism",
        help="How far the first guess is dissolved in noise: lower is more faithful to the photo, higher invents more detail. "
        "The authors take 0.4 (step 400 of 1000); 0 shows the guess alone.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
    )
    steps: int = option(
        10,
        title="Steps",
        help="Steps of denoising: fewer are quicker, more are finer. The authors take 100, with ddim.",
        minimum=1,
        maximum=250,
        step=1,
    )
    sampler: str = option(
        "dpm",
        title="Sampler",
        help="dpm (DPM-Solver++) needs few steps; ddim needs more, and is the published one.",
        choices=("dpm", "ddim"),
    )
    eta: float = option(
        0.5,
        title="Fresh noise",
        help="How much new noise each step of ddim draws (eta); dpm draws none.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
    )

    def sampling(self) -> Sampling:
        """The same in the words of the algorithm; imports torch."""
        from facestudio.diffusion.difface import Sampling

        return Sampling(round(LEVELS * self.realism), self.steps, self.sampler, self.eta)


class DifFace:
    """The loaded method: a `prior` (networks/difface.py) and a `restorer` (networks/swinir.py) on `device`."""

    id = "difface"
    goal = "keep"
    template = FFHQ_512
    Options: type[Any] = Options

    def __init__(self, checkpoint: Checkpoint, prior: nn.Module, restorer: nn.Module, device: str = "cpu") -> None:
        self.checkpoint = checkpoint
        self._prior: Any = prior
        self._restorer: Any = restorer
        self._device = device

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> DifFace:
        """Build and fill both networks; CheckpointError when that cannot be."""
        prior, restorer = (load_network(checkpoint, device, part) for part in ("weights", "restorer"))
        return cls(checkpoint, prior, restorer, device)

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Restore one FFHQ_512 crop; its noise comes from its own pixels and `seed`. Stops between two calls of a network."""
        from facestudio.diffusion.difface import noises, refine, restore

        size = self.template.size
        if aligned.template.size != size:
            raise ValueError(f"{self.id} works on {self.template.name}, not {aligned.template.name}")
        noise = noises([noise_seed(aligned.pixels, seed)], (3, size, size), self._device)
        refined = partial(
            refine, self._denoise, sampling=options.sampling(), noise=noise, progress=progress, show=_picture
        )
        low = (to_tensor(aligned.pixels).to(self._device) + 1) / 2
        with enough_memory():
            restored = restore(low, partial(self._estimate, progress), refined, size)
        return aligned.with_pixels(_picture(restored * 2 - 1))

    def _estimate(self, progress: Progress, low: Tensor) -> Tensor:
        """The first stage's guess (B, 3, H, W) in [0, 1], a step of its own."""
        guesses = [self._restorer(of) for of in progress.track([low], "Guessing the face", share=0.1)]
        progress.preview(lambda: _picture(guesses[0] * 2 - 1))
        return guesses[0]

    def _denoise(self, x: Tensor, time: Tensor) -> Tensor:
        """The noise in `x`; the network tells the variance too, which only ancestral sampling needs."""
        noise: Tensor = self._prior(x, time)[:, :3]
        return noise


def noise_seed(pixels: np.ndarray, seed: int) -> int:
    """A 63-bit seed from the content of a crop and the asked seed; never from its place in a batch."""
    digest = hashlib.sha256(f"{pixels.shape}/{seed}/".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return int.from_bytes(digest.digest()[:8], "big") >> 1


def _picture(x: Tensor) -> np.ndarray:
    """The first of `x` (B, 3, H, W) in [-1, 1] as pixels (H, W, 3) uint8."""
    pixels: np.ndarray = to_pixels(x[:1])[0]
    return pixels
