"""A prior that tells v as a denoiser that tells noise, for diffusion/difface.py; what it leads to may be changed in every step.

Separate from `sampling`, which draws from nothing with diffusers' schedulers. Knows no photos.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from facestudio.diffusion.difface import Denoiser, Schedule


def schedule(prior: Any) -> Schedule:
    """The levels of noise that `prior` (networks/prior.py) was trained with."""
    alphas_cumprod: np.ndarray = prior.alphas_cumprod.cpu().double().numpy()
    return Schedule(np.arange(len(alphas_cumprod)), alphas_cumprod)


def denoiser(
    prior: Any, predict: Callable[[Tensor, Tensor], Tensor], lead: Callable[[Tensor], Tensor] = lambda clean: clean
) -> Denoiser:
    """What tells the noise in latents (B, C, h, w), of which `predict` predicts v, as of `sampling.predictor`.

    `lead` makes of each clean guess what the steps are to lead to instead, as in Choi et al., "ILVR", ICCV 2021.
    """

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        alpha = prior.alphas_cumprod[time][:, None, None, None]
        clean = lead(alpha.sqrt() * x - (1 - alpha).sqrt() * predict(x, time))
        noise: Tensor = (x - alpha.sqrt() * clean) / (1 - alpha).sqrt()
        return noise

    return denoise
