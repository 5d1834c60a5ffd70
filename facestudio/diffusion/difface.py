"""DifFace: a restorer's guess is dissolved in noise up to a start step, and a diffusion model makes it a face again.

Paper: Yue and Loy, "DifFace: Blind Face Restoration with Diffused Error Contraction", 2022: what the guess got wrong shrinks by
the share of the signal that is left at the start step. Source repository zsyOAOA/DifFace (S-Lab License 1.0; no code taken).
With 100 steps from step 400 the published DDIM is met number by number, also where it is odd: the guess is dissolved to one level
of noise and denoised from the one below, and the step down goes on with the network's own noise although the picture was
clipped. What differs: DPM-Solver++ (Lu et al., 2022; diffusers' scheduler) on the same truncated interval, and fewer steps.

Separate from the method so that pixels and latents share it: all that is asked for is `denoise(x, t)`, which tells the noise
in `x`, and a guess. Knows no network, no photo and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler
from torch import Tensor
from torch.nn import functional

from facestudio.progress import Progress

Denoiser = Callable[[Tensor, Tensor], Tensor]  # (B, C, h, w) and timesteps (B,) int64 to the noise (B, C, h, w)
Noise = Callable[[], Tensor]  # the next standard normal noise, of the shape of what is denoised

STRIDE = 4  # timesteps from one to the next in the published sampler, and from the start step to the first one denoised
SAMPLERS = ("dpm", "ddim", "lcm")


@dataclass(frozen=True, eq=False)
class Schedule:
    """Levels of noise, least first.

    Attributes:
        timesteps: (K,) int64, what the network is told at each.
        alphas_cumprod: (K,) float64, the share of the signal's power at each: the product of 1 - beta up to here.
    """

    timesteps: np.ndarray
    alphas_cumprod: np.ndarray

    def __len__(self) -> int:
        return len(self.timesteps)

    @property
    def previous(self) -> np.ndarray:
        """`alphas_cumprod` one level down: (K,), of the first 1."""
        return np.concatenate([[1.0], self.alphas_cumprod[:-1]])

    @property
    def betas(self) -> np.ndarray:
        """The share of the power that each level takes from the one before: (K,)."""
        return 1 - self.alphas_cumprod / self.previous

    def kept(self, places: Sequence[int] | np.ndarray) -> Schedule:
        """Only the levels at `places`, ascending; they keep their timesteps and alphas_cumprod."""
        return Schedule(self.timesteps[places], self.alphas_cumprod[places])


def linear(total: int = 1000, first: float = 1e-4, last: float = 0.02) -> Schedule:
    """The schedule that the published network was trained with: betas from `first` to `last`."""
    return Schedule(np.arange(total), np.cumprod(1 - np.linspace(first, last, total)))


def strided(count: int, total: int = 1000) -> np.ndarray:
    """Places of `count` levels at a whole stride from 0, as in the published "ddim250"; ValueError when there are none such."""
    for stride in range(1, total):
        places = np.arange(0, total, stride)
        if len(places) == count:
            return places
    raise ValueError(f"no whole stride gives {count} of {total} levels")


def even(count: int, total: int = 1000) -> np.ndarray:
    """Places of `count` levels evenly from the first to the last, rounded, as in the published "250"."""
    return np.rint(np.linspace(0, total - 1, count)).astype(np.int64)


@dataclass(frozen=True)
class Sampling:
    """How a guess is dissolved and made a face again.

    Attributes:
        start: the level of the schedule that the guess is dissolved to; 0 leaves it as it is. More is more realistic and
            less faithful.
        steps: calls of the network, fewer where so many levels are not there; sampler: "dpm", "ddim", or "lcm" for a network
            that is a consistency model.
        eta: of "ddim", how much of the noise of a step is new, 0..1; "dpm" draws none after the start.
    """

    start: int = 400
    steps: int = 100
    sampler: str = "ddim"
    eta: float = 0.5

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise ValueError(f"the sampler is one of {', '.join(SAMPLERS)}, not {self.sampler}")
        if self.start < 0 or self.steps < 1:
            raise ValueError(f"no {self.steps} steps from {self.start} can be made")

    def places(self, schedule: Schedule) -> np.ndarray:
        """The levels of `schedule` that are denoised, ascending.

        Of "ddim" evenly from 0 to a stride below the start, which is every fourth in 100 steps from 400. Of "dpm" up to the
        start itself, evenly in the logarithm of signal to noise: with so few steps, fine detail would be lost otherwise. Of "lcm"
        evenly up to the start, and from each of them to the end.
        """
        if self.sampler == "ddim":
            return np.unique(np.rint(np.linspace(0, max(self.start - STRIDE, 0), self.steps)).astype(np.int64))
        start = min(self.start, len(schedule) - 1)
        if self.sampler == "lcm":
            return np.unique(np.rint(np.linspace(0, start, self.steps + 1))[1:].astype(np.int64))
        ratio = np.log(schedule.alphas_cumprod / (1 - schedule.alphas_cumprod))
        wanted = np.linspace(ratio[start], ratio[0], self.steps)
        return np.unique(np.abs(ratio - wanted[:, None]).argmin(1))


def noises(seeds: Sequence[int], shape: Sequence[int], device: str | torch.device = "cpu") -> Noise:
    """Noise (len(seeds), *shape) of which each item comes from its own seed, the same on every device."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return lambda: torch.stack([torch.randn(*shape, generator=one) for one in generators]).to(device)


def dissolve(guess: Tensor, alpha: float, noise: Tensor) -> Tensor:
    """`guess` of which the share `alpha` of the power is left, the rest is `noise`; all (B, C, h, w)."""
    return alpha**0.5 * guess + (1 - alpha) ** 0.5 * noise


def cleaned(x: Tensor, noise: Tensor, alpha: float, clamp: float | None) -> Tensor:
    """What `x` is without its `noise`, within -clamp..clamp when there is a `clamp`."""
    clean = (1 / alpha) ** 0.5 * x - (1 / alpha - 1) ** 0.5 * noise
    return clean if clamp is None else clean.clamp(-clamp, clamp)


@torch.inference_mode()
def ddim(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    noise: Noise,
    eta: float = 0.5,
    clamp: float | None = 1.0,
    progress: Progress | None = None,
    show: Callable[[Tensor], Any] = lambda guess: guess,
) -> Tensor:
    """`x` (B, C, h, w) denoised at each level of `schedule`, from the last to the first.

    Args:
        noise: asked once a step, also at the last one, which adds none; eta: how much of it, 0..1.
        clamp: the clean guess of each step is kept within -clamp..clamp; None for latents, which have no bounds.
        show: what a preview makes of the clean guess.

    Cancelled when `progress` is told to stop, between two steps.
    """
    progress = progress or Progress()
    for i in progress.track(range(len(schedule) - 1, -1, -1), "Denoising"):
        found = denoise(x, _time(x, schedule.timesteps[i]))
        clean = cleaned(x, found, float(schedule.alphas_cumprod[i]), clamp)
        progress.preview(partial(show, clean))
        # in single precision, as the published sampler, so that both round alike
        alpha, before = (
            torch.tensor(of[i], dtype=torch.float32) for of in (schedule.alphas_cumprod, schedule.previous)
        )
        sigma = eta * torch.sqrt((1 - before) / (1 - alpha)) * torch.sqrt(1 - alpha / before)
        # the network's own noise, not what is left beside the clipped guess
        x = clean * before.sqrt() + torch.sqrt((1 - before - sigma**2).clamp(min=0)) * found + sigma * noise()
    return x


@torch.inference_mode()
def ancestral(
    predict: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    x: Tensor,
    schedule: Schedule,
    noise: Noise,
    clamp: float | None = 1.0,
    progress: Progress | None = None,
    show: Callable[[Tensor], Any] = lambda guess: guess,
) -> Tensor:
    """As `ddim`, but each step draws from the posterior, with the variance that the network learned (Nichol and Dhariwal, 2021).

    `predict` tells the noise, and where between its bounds the log variance lies (-1..1), both (B, C, h, w).
    """
    progress = progress or Progress()
    betas, previous = schedule.betas, schedule.previous
    posterior = betas * (1 - previous) / (1 - schedule.alphas_cumprod)
    posterior[0] = posterior[min(1, len(posterior) - 1)]  # the first is 0, which has no logarithm
    for i in progress.track(range(len(schedule) - 1, -1, -1), "Denoising"):
        alpha, before, beta = float(schedule.alphas_cumprod[i]), float(previous[i]), float(betas[i])
        found, share = predict(x, _time(x, schedule.timesteps[i]))
        clean = cleaned(x, found, alpha, clamp)
        progress.preview(partial(show, clean))
        mean = beta * before**0.5 / (1 - alpha) * clean + (1 - before) * (1 - beta) ** 0.5 / (1 - alpha) * x
        upper = (share + 1) / 2
        log_variance = upper * float(np.log(beta)) + (1 - upper) * float(np.log(posterior[i]))
        x = mean + (i > 0) * torch.exp(log_variance / 2) * noise()
    return x


@torch.inference_mode()
def dpm(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    places: np.ndarray,
    clamp: float | None = 1.0,
    progress: Progress | None = None,
    show: Callable[[Tensor], Any] = lambda guess: guess,
) -> Tensor:
    """As `ddim`, by DPM-Solver++ of second order at the levels `places` (ascending) of the whole `schedule`; draws nothing.

    `x` has the noise of the last of `places`.
    """
    progress = progress or Progress()
    solver: Any = DPMSolverMultistepScheduler(
        num_train_timesteps=len(schedule), trained_betas=schedule.betas, prediction_type="sample", solver_order=2
    )
    solver.set_timesteps(timesteps=places[::-1].tolist())
    for place in progress.track(places[::-1].tolist(), "Denoising"):
        found = denoise(x, _time(x, schedule.timesteps[place]))
        clean = cleaned(x, found, float(schedule.alphas_cumprod[place]), clamp)
        progress.preview(partial(show, clean))
        x = solver.step(clean, place, x).prev_sample
    return x


@torch.inference_mode()
def consistent(
    denoise: Denoiser,
    x: Tensor,
    schedule: Schedule,
    noise: Noise,
    clamp: float | None = 1.0,
    progress: Progress | None = None,
    show: Callable[[Tensor], Any] = lambda guess: guess,
) -> Tensor:
    """As `ddim`, by a consistency model (Song et al., 2023; Luo et al., 2023): led to its end at each level of `schedule`, from
    the last to the first, and dissolved anew in between; `noise` is asked once a step but the last."""
    progress = progress or Progress()
    for i in progress.track(range(len(schedule) - 1, -1, -1), "Denoising"):
        found = denoise(x, _time(x, schedule.timesteps[i]))
        x = cleaned(x, found, float(schedule.alphas_cumprod[i]), clamp)
        progress.preview(partial(show, x))
        if i:
            x = dissolve(x, float(schedule.alphas_cumprod[i - 1]), noise())
    return x


def refine(
    denoise: Denoiser,
    guess: Tensor,
    sampling: Sampling,
    noise: Noise,
    schedule: Schedule | None = None,
    clamp: float | None = 1.0,
    progress: Progress | None = None,
    show: Callable[[Tensor], Any] = lambda guess: guess,
) -> Tensor:
    """`guess` (B, C, h, w), dissolved and made a face again as `sampling` says; the algorithm of both carriers.

    The guess is a picture in [-1, 1], or a latent of mean 0 and variance 1 (then without `clamp`). `schedule` (None: the
    published one) is that which the network behind `denoise` was trained with; the rest as for `ddim`. `noise` is asked once for
    the start. Cancelled when `progress` is told to stop, between two steps.
    """
    if sampling.start == 0:
        return guess
    schedule = schedule or linear()
    if sampling.start > len(schedule):
        raise ValueError(f"the start step {sampling.start} is beyond the {len(schedule)} of the schedule")
    start = min(sampling.start, len(schedule) - 1)
    x = dissolve(guess, float(schedule.alphas_cumprod[start]), noise())
    more: dict[str, Any] = {"clamp": clamp, "progress": progress, "show": show}
    if sampling.sampler == "dpm":
        return dpm(denoise, x, schedule, sampling.places(schedule), **more)
    if sampling.sampler == "lcm":
        return consistent(denoise, x, schedule.kept(sampling.places(schedule)), noise, **more)
    return ddim(denoise, x, schedule.kept(sampling.places(schedule)), noise, sampling.eta, **more)


@torch.inference_mode()
def restore(
    low: Tensor,
    restorer: Callable[[Tensor], Tensor],
    refined: Callable[[Tensor], Tensor],
    size: int = 512,
) -> Tensor:
    """The whole of DifFace on pictures `low` (B, 3, H, W) RGB in [0, 1]; the result has their size and range.

    Args:
        restorer: the first stage, (B, 3, size, size) to the same, both in [0, 1].
        refined: `refine` with all but its guess, (B, 3, size, size) in [-1, 1] to the same.
        size: what both work at; pictures of another size are resampled there and back.
    """
    fits = low.shape[2:] == (size, size)
    guess = restorer(low if fits else _resampled(low, (size, size))).clamp(0, 1)
    result = (refined(2 * guess - 1) / 2 + 0.5).clamp(0, 1)
    return result if fits else _resampled(result, tuple(low.shape[2:])).clamp(0, 1)


def _resampled(x: Tensor, size: tuple[int, ...]) -> Tensor:
    return functional.interpolate(x, size=list(size), mode="bicubic", antialias=True)


def _time(x: Tensor, timestep: int) -> Tensor:
    return torch.full((len(x),), int(timestep), dtype=torch.int64, device=x.device)
