"""Drawing latents from the prior: any of diffusers' schedulers, guidance, and a preview on the way.

Paper: Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022. Separate from the methods, which know photos and
checkpoints. Every latent has noise of its own seed, so that it does not depend on what else is drawn with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, LCMScheduler
from torch import Tensor

from facestudio.progress import Progress

SCHEDULERS = {"ddim": DDIMScheduler, "dpm": DPMSolverMultistepScheduler, "lcm": LCMScheduler}


class Prior(Protocol):
    """What is drawn from; see networks/prior.py, which stands beside this floor."""

    dimensions: int

    def conditioning(self, identity: Tensor, known: Tensor) -> Tensor: ...
    def __call__(self, noisy: Tensor, time: Tensor, conditioning: Tensor, sketch: Tensor | None = None) -> Tensor: ...


def scheduler(name: str, trained: dict[str, Any]) -> Any:
    """The scheduler called `name` for a prior that was `trained` with these settings: "ddim", "dpm", or "lcm" for a prior that
    was distilled to a consistency model; KeyError otherwise."""
    more = {"algorithm_type": "dpmsolver++", "solver_order": 2, "final_sigmas_type": "zero"} if name == "dpm" else {}
    return SCHEDULERS[name].from_config({**trained, **more})  # type: ignore[attr-defined]


def noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> Tensor:
    """Standard normal noise (B, *shape), each from its own seed."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@dataclass(frozen=True)
class Conditions:
    """What the prior is told, and how strictly it is followed.

    `identity`: (B, D) unit embeddings, or (1, D) for all, or None for anybody. `guidance`: 1 takes the prior's word; above, away
    from what it says without the identity. `sketch`: (B, S, h, w) or None; see networks/prior.py. `lines`: 0 takes the prior's
    word on the sketch; above, away from what it says without one. What nothing is told of has no guidance either.
    """

    identity: Tensor | None = None
    guidance: float = 2.0
    sketch: Tensor | None = None
    lines: float = 0.0


@dataclass(frozen=True)
class Lead:
    """Where steps are to lead instead: `wanted` makes it of the clean guesses (B, C, h, w), at those of the steps that `among`
    names by their places, of the shares of signal that they have; at every one unless told."""

    wanted: Callable[[Tensor], Tensor]
    among: Callable[[Sequence[float]], Sequence[int]] = lambda alphas: range(len(alphas))


@torch.inference_mode()
def draw(
    prior: Prior,
    steps: Any,
    start: Tensor,
    conditions: Conditions,
    progress: Progress | None = None,
    seen: Callable[[Tensor], Any] | None = None,
    seeds: Sequence[int] = (),
    push: Tensor | None = None,
    lead: Lead | None = None,
) -> Tensor:
    """Latents (B, C, h, w) of mean 0 and variance 1.

    Args:
        steps: a scheduler whose timesteps are set; start: (B, C, h, w) standard normal noise.
        seen: turns the latents (B, C, h, w) as the prior guesses them so far into a preview for `progress`.
        seeds: those of the `start`, for "lcm", which draws more noise after each step.
        push: (B, C, h, w), how far the middle of what is drawn is moved, for our own prior; None moves nothing.

    Cancelled when `progress` is told to stop, between two steps.
    """
    progress = progress or Progress()
    predict = predictor(prior, conditions, len(start), start.device)
    if push is not None:
        predict = pushed(prior, predict, push, conditions.identity is not None)
    latents = start * steps.init_noise_sigma
    alphas = steps.alphas_cumprod
    more = {"generator": _further(seeds, start)} if isinstance(steps, LCMScheduler) else {}
    places = lead.among([float(alphas[int(time)]) for time in steps.timesteps]) if lead else ()
    led = {int(steps.timesteps[place]) for place in places}
    for time in progress.track(list(steps.timesteps), "Denoising"):
        guess = predict(steps.scale_model_input(latents, time), time.expand(len(latents)).to(latents.device))
        alpha, kind = float(alphas[int(time)]), steps.config.prediction_type
        if lead is not None and int(time) in led:
            guess = leading(latents, lead.wanted(clean(latents, guess, alpha, kind)), alpha, kind)
        if seen is not None:
            progress.preview(partial(_preview, seen, clean(latents, guess, alpha, kind)))
        latents = steps.step(guess, time, latents, **more).prev_sample
    return latents


def clean(noisy: Tensor, guess: Tensor, alpha: float, kind: str) -> Tensor:
    """What is left of `noisy`, of whose power `alpha` is signal, without the noise that a `guess` of a `kind` means:
    "v_prediction" or "epsilon", the noise itself."""
    if kind == "epsilon":
        return (noisy - (1 - alpha) ** 0.5 * guess) / alpha**0.5
    return alpha**0.5 * noisy - (1 - alpha) ** 0.5 * guess


def leading(noisy: Tensor, wanted: Tensor, alpha: float, kind: str) -> Tensor:
    """The guess of `kind` by which `clean` would make `wanted` of `noisy`."""
    if kind == "epsilon":
        return (noisy - alpha**0.5 * wanted) / (1 - alpha) ** 0.5
    return (alpha**0.5 * noisy - wanted) / (1 - alpha) ** 0.5


def predictor(
    prior: Prior, conditions: Conditions, count: int, device: str | torch.device = "cpu"
) -> Callable[[Tensor, Tensor], Tensor]:
    """What predicts v (B, C, h, w) of `count` noisy latents at timesteps (B,), once the prior is told who and where.

    With `lines` there are two guidances, of the person and of the sketch, each beside what the prior says with both (as in Brooks
    et al., "InstructPix2Pix", CVPR 2023).
    """
    identity, sketch = conditions.identity, conditions.sketch
    known = torch.full((count,), identity is not None, device=device)
    who = torch.zeros(count, prior.dimensions, device=device) if identity is None else identity.expand(count, -1)
    conditioning, seen = [prior.conditioning(who, known)], [sketch]
    weights = [1.0]
    if identity is not None and conditions.guidance != 1:
        conditioning, seen = [*conditioning, prior.conditioning(who, ~known)], [*seen, sketch]
        weights = [conditions.guidance, 1 - conditions.guidance]
    if sketch is not None and conditions.lines:
        conditioning, seen = [*conditioning, conditioning[0]], [*seen, torch.zeros_like(sketch)]
        weights = [weights[0] + conditions.lines, *weights[1:], -conditions.lines]
    words = torch.cat(conditioning)
    sketches = None if sketch is None else torch.cat([one for one in seen if one is not None])

    def guided(noisy: Tensor, time: Tensor) -> Tensor:
        several = len(weights)
        parts = prior(torch.cat([noisy] * several), torch.cat([time] * several), words, sketches).chunk(several)
        return sum((weight * part for weight, part in zip(weights[1:], parts[1:], strict=True)), weights[0] * parts[0])

    return guided


def pushed(
    prior: Any, predict: Callable[[Tensor, Tensor], Tensor], push: Tensor, known: bool
) -> Callable[[Tensor, Tensor], Tensor]:
    """`predict` of a networks/prior.py that has learned of faces whose middle is `push` (B, C, h, w) away: what a linear guess
    (networks/gaussian.py) then says differently is added to what the network says, so that noise decides and detail follows."""

    def farther(noisy: Tensor, time: Tensor) -> Tensor:
        alpha = prior.alphas_cumprod[time]
        clean = prior.linear.pushed(push, alpha, int(known))
        return predict(noisy, time) - clean / (1 - alpha[:, None, None, None]).sqrt()

    return farther


def _further(seeds: Sequence[int], start: Tensor) -> list[torch.Generator]:
    """One generator a seed, which goes on where `noise` left off."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    for generator in generators:
        torch.randn(start.shape[1:], generator=generator)
    return generators


def _preview(seen: Callable[[Tensor], Any], clean: Tensor) -> Any:
    with torch.inference_mode():
        return seen(clean)
