"""IDiff-Face's sampler: every step of a thousand back, with new noise at all but the last two.

Paper: Boutros et al., "IDiff-Face: Synthetic-based Face Recognition through Fizzy Identity-Conditioned Diffusion Models", ICCV
2023, after Ho et al., "Denoising Diffusion Probabilistic Models", 2020. Separate from diffusers' schedulers because none of them
leaves out the noise of the second step, as the published code does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from facestudio.diffusion.difface import Denoiser, Noise, Schedule, cleaned, linear
from facestudio.progress import Progress

QUIET = 2  # steps at the end that add no noise


@torch.inference_mode()
def ancestral(
    denoise: Denoiser,
    x: Tensor,
    noise: Noise,
    schedule: Schedule | None = None,
    progress: Progress | None = None,
    show: Callable[[Tensor], Any] = lambda guess: guess,
) -> Tensor:
    """`x` (B, C, h, w), standard normal, denoised at each level of `schedule` (None: the published one), the last one first.

    Args:
        denoise: tells the noise in x at timesteps (B,); noise: is asked once a step but for the last two, shape as `x`.
        show: what a preview makes of the clean guess.

    Cancelled when `progress` is told to stop, between two steps.
    """
    progress, schedule = progress or Progress(), schedule or linear()
    for i in progress.track(range(len(schedule) - 1, -1, -1), "Denoising"):
        alpha, beta = float(schedule.alphas_cumprod[i]), float(schedule.betas[i])
        found = denoise(x, torch.full((len(x),), int(schedule.timesteps[i]), device=x.device))
        progress.preview(partial(show, cleaned(x, found, alpha, None)))
        x = (x - beta / (1 - alpha) ** 0.5 * found) / (1 - beta) ** 0.5
        if i >= QUIET:
            x = x + beta**0.5 * noise()
    return x
