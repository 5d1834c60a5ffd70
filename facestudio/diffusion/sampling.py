"""Drawing latents from the prior: any of diffusers' schedulers, guidance, and a preview on the way.

Paper: Ho and Salimans, "Classifier-Free Diffusion Guidance", 2022. Separate from the methods, which know photos and
checkpoints. Every latent has noise of its own seed, so that it does not depend on what else is drawn with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

from facestudio.progress import Progress

SCHEDULERS = {"ddim": DDIMScheduler, "dpm": DPMSolverMultistepScheduler}


class Prior(Protocol):
    """What is drawn from; see networks/prior.py, which stands beside this floor."""

    dimensions: int

    def hear(self, identity: Tensor, known: Tensor) -> Tensor: ...
    def __call__(self, noisy: Tensor, time: Tensor, heard: Tensor, sketch: Tensor | None = None) -> Tensor: ...


def scheduler(name: str, trained: dict[str, Any]) -> Any:
    """The scheduler called `name` ("ddim" or "dpm") for a prior that was `trained` with these settings; KeyError otherwise."""
    more = {"algorithm_type": "dpmsolver++", "solver_order": 2, "final_sigmas_type": "zero"} if name == "dpm" else {}
    return SCHEDULERS[name].from_config({**trained, **more})  # type: ignore[attr-defined]


def noise(seeds: Sequence[int], shape: tuple[int, int, int]) -> Tensor:
    """Standard normal noise (B, *shape), each from its own seed."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.inference_mode()
def draw(
    prior: Prior,
    steps: Any,
    start: Tensor,
    identity: Tensor | None,
    guidance: float = 2.0,
    sketch: Tensor | None = None,
    progress: Progress | None = None,
    seen: Callable[[Tensor], Any] | None = None,
) -> Tensor:
    """Latents (B, C, h, w) of mean 0 and variance 1.

    Args:
        steps: a scheduler whose timesteps are set; start: (B, C, h, w) standard normal noise.
        identity: (B, D) unit embeddings, or None for anybody.
        guidance: 1 takes the prior's word; above, away from what it says without the identity. Without one it has no effect.
        sketch: (B, S, h, w) or None; see networks/prior.py.
        seen: turns the latents (B, C, h, w) as the prior guesses them so far into a preview for `progress`.

    Cancelled when `progress` is told to stop, between two steps.
    """
    progress = progress or Progress()
    known = torch.full((len(start),), identity is not None, device=start.device)
    who = start.new_zeros(len(start), prior.dimensions) if identity is None else identity
    heard = prior.hear(who, known)
    guided = identity is not None and guidance != 1
    if guided:
        heard = torch.cat([heard, prior.hear(who, ~known)])
    if guided and sketch is not None:
        sketch = torch.cat([sketch, sketch])
    latents = start * steps.init_noise_sigma
    shares = steps.alphas_cumprod
    for time in progress.track(list(steps.timesteps), "Denoising"):
        noisy = torch.cat([latents, latents]) if guided else latents
        noisy = steps.scale_model_input(noisy, time)
        guess = prior(noisy, time.expand(len(noisy)).to(noisy.device), heard, sketch)
        if guided:
            told, untold = guess.chunk(2)
            guess = untold + guidance * (told - untold)
        if seen is not None:
            share = float(shares[int(time)])
            progress.preview(partial(_preview, seen, share**0.5 * latents - (1 - share) ** 0.5 * guess))
        latents = steps.step(guess, time, latents).prev_sample
    return latents


def _preview(seen: Callable[[Tensor], Any], clean: Tensor) -> Any:
    with torch.inference_mode():
        return seen(clean)
