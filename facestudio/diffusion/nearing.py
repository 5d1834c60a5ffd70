"""Nearing: while a person is drawn, each guess of the face is led a little towards what a recogniser knows the person by.

Paper: Bansal et al., "Universal Guidance for Diffusion Models", CVPR workshops 2023 (its backward guidance: gradient steps on the
clean guess of a denoising step, none through the prior); guiding.py does the opposite until somebody is content. Steps are of a
fixed, small length: long ones please the recogniser by scribbles that anybody sees. It looks through a frame that is moved,
turned and scaled a little, otherwise each time, so that no single pixel can please it. Torch only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facestudio.diffusion.guiding import Oracle, shaken
from facestudio.progress import Progress


@dataclass(frozen=True)
class Pull:
    """How a face is led.

    Attributes:
        rate: length of a step: root of the mean square of what it moves in the latents, which are about 1.
        steps: how many at most in a whole drawing, at levels that are evenly apart.
        since, until: between which shares of the signal's power it is led, 0..1; beyond them the prior is alone.
    """

    rate: float = 0.01
    steps: int = 10
    since: float = 0.3
    until: float = 0.999

    def among(self, alphas: Sequence[float]) -> list[int]:
        """Which of the levels with these `alphas` (cumulative shares of signal) a step is taken at."""
        within = [place for place, alpha in enumerate(alphas) if self.since <= alpha <= self.until]
        if len(within) <= self.steps:
            return within
        return [within[round(n * (len(within) - 1) / max(self.steps - 1, 1))] for n in range(self.steps)]


def nearer(
    latents: Tensor,
    shown: Callable[[Tensor], Tensor],
    oracles: Sequence[Oracle | None],
    rate: float,
    chances: Sequence[torch.Generator],
    progress: Progress | None = None,
) -> Tensor:
    """Clean guesses `latents` (B, C, h, w), each a step of length `rate` nearer to whom its oracle knows; None leaves it alone.

    Args:
        shown: latents (1, C, h, w) to the picture (1, 3, H, W) in [-1, 1] that they come to, with gradients.
        chances: for each of them, of how its frame is moved.

    One face after the other, so that memory does not grow with their number. Cancelled between two of them.
    """
    progress = progress or Progress()
    moved = []
    # what was made for inference takes part in no gradient, so it is copied where gradients are
    with torch.inference_mode(False), torch.enable_grad():
        for one, oracle, chance in zip(latents.clone().split(1), oracles, chances, strict=True):
            progress.check()
            if oracle is None:
                moved.append(one)
                continue
            now = one.detach().requires_grad_(True)
            frame = shaken(oracle.frame.to(now), oracle.size, 2, chance)[1:]
            (slope,) = torch.autograd.grad(oracle.cosines(shown(now), frame).mean(), now)
            length = slope.square().mean().sqrt()
            moved.append((now + rate * slope / length.clamp(min=1e-12)).detach())
    return torch.cat(moved)
