"""DifFace: a restorer's guess, dissolved in noise and made a face again by a diffusion model that knows what faces look like.

Paper: Yue and Loy, "DifFace: Blind Face Restoration with Diffused Error Contraction", 2022; source zsyOAOA/DifFace (S-Lab License
1.0, non-commercial, weights too; no code taken). The algorithm is diffusion/difface.py, and asks for no more than a guess and
a denoiser, so there are two carriers of it: the published networks work on pixels at 512, and our own prior on latents of
256 px faces, where the guess is that of `quick`. What differs: few steps of DPM-Solver++ unless "ddim" is chosen, which with
100 steps is the published sampler; and in latents what is coarse stays the guess's, which noise would move: the colours of
large areas, and with a smaller `hold` the features as well, so that only their fine detail is made up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.device import enough_memory
from facestudio.faces.face import FFHQ_256, FFHQ_512, AlignedFace, Identity
from facestudio.faces.loading import load_network, load_used
from facestudio.methods.crops import check_size, held, noise_seed
from facestudio.methods.usual_options import guidance_option, sampler_option, steps_option, strength_option
from facestudio.options import Only, option
from facestudio.photo import to_pixels, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

    from facestudio.diffusion.difface import Denoiser, Sampling

LEVELS = 1000  # of noise, that either prior was trained with


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    strength: float = strength_option()
    realism: float = option(
        0.4,
        title="Realism",
        help="How much noise is added to the first guess before it is denoised again: lower stays closer to the "
        "photo, higher invents more detail. The authors use 0.4 (step 400 of 1000); 0 shows the first guess.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
    )
    steps: int = steps_option(10, "The authors use 100, with ddim.")
    sampler: str = sampler_option(
        "dpm",
        ("dpm", "ddim"),
        "dpm (DPM-Solver++) needs few steps; ddim needs more and is what the authors published.",
    )
    eta: float = option(
        0.5,
        title="Fresh noise",
        help="How much fresh noise each ddim step adds (eta); dpm adds none.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
        rare=True,
        only=Only("sampler", ("ddim",)),
    )

    def sampling(self) -> Sampling:
        """The same in the words of the algorithm; imports torch."""
        from facestudio.diffusion.difface import Sampling

        return Sampling(round(LEVELS * self.realism), self.steps, self.sampler, self.eta)


@dataclass(frozen=True)
class LatentOptions(Options):
    """The same, what is kept of the guess, and what matters only when a reference says who the person is."""

    hold: float = option(
        4.0,
        title="Hold",
        help="Structures coarser than this, in pixels of the 256 px crop, stay as in the first guess. Lower is "
        "more faithful, as only fine detail is invented; from 16 on, only the colours of large areas are kept.",
        minimum=1.0,
        maximum=32.0,
        step=0.5,
        rare=True,
    )
    guidance: float = guidance_option(
        2.0,
        "How strictly the face follows the person in the reference (guidance). No effect without a reference.",
        rare=True,
    )


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

        check_size(self.id, self.template, aligned)
        size = self.template.size
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


class LatentDifFace:
    """The loaded method on latents: `prior` (networks/prior.py) in those of `autoencoder`, and `estimator`, on `device`.

    It may be told who the person is (`guided`); otherwise the prior makes anybody's face of the guess.
    """

    id = "difface"
    goal = "keep"
    template = FFHQ_256
    Options: type[Any] = LatentOptions

    def __init__(
        self,
        checkpoint: Checkpoint,
        prior: nn.Module,
        autoencoder: nn.Module,
        estimator: nn.Module,
        device: str = "cpu",
        identity: Identity | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.embedder = next(iter(checkpoints.checkpoint(checkpoint.uses["prior"]).conditioned_on), "")
        self._parts = (prior, autoencoder, estimator)
        self._prior: Any = prior
        self._autoencoder: Any = autoencoder
        self._estimator: Any = estimator
        self._device = device
        self._identity = identity

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> LatentDifFace:
        """Build and fill the three networks, which are other checkpoints'; CheckpointError when that cannot be."""
        prior, autoencoder, estimator = (
            load_used(checkpoint, r, device) for r in ("prior", "autoencoder", "estimator")
        )
        return cls(checkpoint, prior, autoencoder, estimator, device)

    def guided(self, identity: Identity) -> LatentDifFace:
        """The same method, told that the person is `identity`, of `self.embedder`, which then must not judge it."""
        if identity.embedder != self.embedder:
            raise ValueError(f"{self.checkpoint.id} understands {self.embedder}, not {identity.embedder}")
        told = replace(self.checkpoint, conditioned_on=(self.embedder,))
        return LatentDifFace(told, *self._parts, self._device, identity)

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Restore one FFHQ_256 crop; its noise comes from its own pixels and `seed`. Stops between two calls of a network."""
        import torch

        from facestudio.diffusion.difface import noises, refine
        from facestudio.diffusion.latents import schedule

        check_size(self.id, self.template, aligned)
        low = to_tensor(aligned.pixels).to(self._device)
        sampling = options.sampling()
        with enough_memory(), torch.inference_mode():
            guess = self._estimate(low, progress)
            if not sampling.start:
                return aligned.with_pixels(_picture(guess))
            progress.preview(lambda: _picture(guess))
            latents = self._autoencoder.latents(guess) * self._loud
            noise = noises([noise_seed(aligned.pixels, seed)], tuple(latents.shape[1:]), self._device)
            denoise = self._denoiser(guess, options)
            more: dict[str, Any] = {
                "schedule": schedule(self._prior),
                "clamp": None,
                "progress": progress,
                "show": self._shown,
            }
            found = self._faces(refine(denoise, latents, sampling, noise, **more))
        return aligned.with_pixels(_picture(held(found, guess, options.hold)))

    def _estimate(self, low: Tensor, progress: Progress) -> Tensor:
        """What `quick` makes of `low` (B, 3, H, W) in [-1, 1], a step of its own."""
        (guess,) = [self._estimator.symmetric(of) for of in progress.track([low], "Guessing the face", share=0.2)]
        kept: Tensor = guess.clamp(-1, 1)
        return kept

    def _denoiser(self, guess: Tensor, options: Any) -> Denoiser:
        """What tells the noise in one noisy latent (1, C, h, w), and keeps the coarse of `guess` (1, 3, H, W)."""
        import torch

        from facestudio.diffusion.latents import denoiser
        from facestudio.diffusion.sampling import Conditions, predictor

        who = None
        if self._identity is not None:
            who = torch.from_numpy(np.array(self._identity.embedding, np.float32))[None].to(self._device)
        predict = predictor(self._prior, Conditions(who, options.guidance), 1, self._device)

        def lead(clean: Tensor) -> Tensor:
            kept: Tensor = self._autoencoder.latents(held(self._faces(clean), guess, options.hold)) * self._loud
            return kept

        return denoiser(self._prior, predict, lead)

    @property
    def _loud(self) -> Tensor:
        loud: Tensor = self._prior.loud[:, None, None]
        return loud

    def _faces(self, latents: Tensor) -> Tensor:
        """The faces (B, 3, H, W) in [-1, 1] of what the prior deals in."""
        faces: Tensor = self._autoencoder.pixels(latents / self._loud)
        return faces

    def _shown(self, latents: Tensor) -> np.ndarray:
        return _picture(self._faces(latents))


def _picture(x: Tensor) -> np.ndarray:
    """The first of `x` (B, 3, H, W) in [-1, 1] as pixels (H, W, 3) uint8."""
    pixels: np.ndarray = to_pixels(x[:1])[0]
    return pixels
