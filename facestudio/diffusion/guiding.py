"""Guiding: while a face is drawn, it is pushed away from whom recognisers still know in it, until none of them does.

Papers: Bansal et al., "Universal Guidance for Diffusion Models", CVPR workshops 2023, of which the backward guidance is taken
(gradient steps on the clean guess of a denoising step, none through the prior; the step itself then leads to what came of it);
Chung et al., "Diffusion Posterior Sampling", ICLR 2023 (a gradient of fixed length). The loss is a hinge for each oracle, which
is nothing once its cosine is below its threshold, so that a face is not pushed farther than need be.

A gradient can find a picture that one recogniser does not know and everybody else does. Against that: each oracle looks through
several frames that are shifted, turned and scaled a little, and new ones in every step; what moves are latents of the
autoencoder, which hold no single pixels; and the last steps of "dpm" are the prior's alone. A consistency model, "lcm", is pushed
in its last step, too, so that what was pushed is shown: what it dissolves in noise and draws once more is hardly pushed any more
(docs/benchmarks/anonymization.md). Torch only: knows no photos, no checkpoints, and nobody's identity but by the embedding it is
told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from facestudio.diffusion.difface import Denoiser, Schedule
from facestudio.progress import Progress

BEYOND = 1.1  # times as far as it is to where nobody would know the face, were the slope the same all the way (Polyak's step)
FINER = 2  # times as fine as its crop is what an oracle's frame is read at, then averaged, as `align` does
SHIFT, TURN, SCALE = 0.02, 0.05, 0.05  # how far a frame is moved: of its side, radians, of its size


@dataclass(frozen=True, eq=False)
class Oracle:
    """A recogniser that says when to stop.

    Attributes:
        network: crops (B, 3, size, size) RGB in [-1, 1] to embeddings (B, D), with gradients.
        frame: (2, 3) affine, from a place in the crop to that in the picture, both in pixels; size: side of the crop.
        known: (D,) embedding of whom it must not find.
        below: the cosine below which it is content.
    """

    network: Callable[[Tensor], Tensor]
    frame: Tensor
    size: int
    known: Tensor
    below: float

    def cosines(self, picture: Tensor, frames: Tensor) -> Tensor:
        """(N,) cosines of what `frames` (N, 2, 3) show of `picture` (1, 3, H, W), and its mirror image, to who is known."""
        crops = framed(picture, frames, self.size)
        both = self.network(torch.cat([crops, crops.flip(-1)])).float()
        found = functional.normalize(both[: len(crops)] + both[len(crops) :], dim=1)
        return found @ functional.normalize(self.known, dim=0)


@dataclass(frozen=True)
class Push:
    """How a face is pushed.

    Attributes:
        rate: length of a gradient step at most: root of the mean square of what it moves in the latents, which are about 1.
        steps: gradient steps at most in one step of denoising. frames: that an oracle looks through, the first one straight.
        since, until: between which shares of the signal's power it is pushed, 0..1; beyond them the prior is alone, unless no
            level that is denoised lies between them.
    """

    rate: float = 0.02
    steps: int = 6
    frames: int = 2
    since: float = 0.3
    until: float = 0.999


def guided(
    denoise: Denoiser,
    schedule: Schedule,
    shown: Callable[[Tensor], Tensor],
    oracles: Sequence[Oracle],
    drawn: Tensor,
    push: Push,
    seed: int,
    progress: Progress | None = None,
) -> Denoiser:
    """`denoise`, but the clean guesses at the levels that are `pushed_at` are led away from whom `oracles` know.

    Args:
        schedule: the levels that are denoised.
        shown: latents (1, C, h, w) to the picture (1, 3, H, W) in [-1, 1] that they come to, with gradients.
        drawn: (1, 1, h, w), 1 where latents may be moved and 0 where they stay. seed: of the frames.

    One latent at a time. Cancelled when `progress` is told to stop, between two gradient steps.
    """
    alphas = pushed_at(schedule, push)
    chance = torch.Generator().manual_seed(seed)

    def led(x: Tensor, time: Tensor) -> Tensor:
        noise = denoise(x, time)
        alpha = alphas.get(int(time[0]))
        if alpha is None:
            return noise
        clean = (x - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        moved = pushed(clean, shown, oracles, drawn, push, chance, progress)
        return noise if moved is None else (x - alpha**0.5 * moved) / (1 - alpha) ** 0.5

    return led


def pushed_at(schedule: Schedule, push: Push) -> dict[int, float]:
    """At which timesteps of the levels of `schedule` it is pushed, with their shares of the signal: at all within the bounds of
    `push`, and where few steps leap over these, at the nearest to them that has a step behind it, if any has."""
    alphas = dict(zip(schedule.timesteps.tolist(), schedule.alphas_cumprod.tolist(), strict=True))
    within = {time: alpha for time, alpha in alphas.items() if push.since <= alpha <= push.until}
    followed = list(alphas)[1:]
    if within or not followed:
        return within
    nearest = min(followed, key=lambda time: max(push.since - alphas[time], alphas[time] - push.until))
    return {nearest: alphas[nearest]}


def pushed(
    latents: Tensor,
    shown: Callable[[Tensor], Tensor],
    oracles: Sequence[Oracle],
    drawn: Tensor,
    push: Push,
    chance: torch.Generator,
    progress: Progress | None = None,
) -> Tensor | None:
    """`latents` (1, C, h, w) after some gradient steps; None when every oracle was content from the beginning. As of `guided`."""
    progress = progress or Progress()
    # what was made for inference takes part in no gradient, so it is copied where gradients are
    with torch.inference_mode(False), torch.enable_grad():
        now, free = latents.clone(), drawn.clone()
        moved = False
        for _ in range(push.steps):
            progress.check()
            now.requires_grad_(True)
            loss = hinge(shown(now), oracles, push.frames, chance)
            if not loss.item() > 0:
                break
            (slope,) = torch.autograd.grad(loss, now)
            slope = slope * free
            steep = float(slope.square().sum())
            if steep == 0:
                break
            longest = push.rate * float(free.expand_as(slope).square().sum() / steep) ** 0.5
            now, moved = (now - min(longest, BEYOND * loss.item() / steep) * slope).detach(), True
        return now.detach() if moved else None


def hinge(picture: Tensor, oracles: Sequence[Oracle], frames: int, chance: torch.Generator) -> Tensor:
    """By how much the `oracles` know the one who is known in `picture` (1, 3, H, W): a sum, 0 when all are content with every one
    of so many `frames`."""
    total = picture.new_zeros(())
    for oracle in oracles:
        cosines = oracle.cosines(picture, shaken(oracle.frame.to(picture), oracle.size, frames, chance))
        total = total + (cosines - oracle.below).clamp(min=0).mean()
    return total


def shaken(frame: Tensor, size: int, count: int, chance: torch.Generator) -> Tensor:
    """`count` frames (count, 2, 3) like `frame` (2, 3) of a crop of side `size`: itself, and others moved, turned and scaled."""
    amount = 2 * torch.rand(count, 4, generator=chance) - 1
    amount[0] = 0
    amount = amount.to(frame)
    angle, scale = TURN * amount[:, 2], 1 + SCALE * amount[:, 3]
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).unflatten(1, (2, 2))
    linear = scale[:, None, None] * turn
    middle = torch.full((2,), (size - 1) / 2).to(frame)
    shift = middle - linear @ middle + size * SHIFT * amount[:, :2]
    return torch.cat([frame[:, :2] @ linear, (shift @ frame[:, :2].T + frame[:, 2])[..., None]], 2)


def framed(picture: Tensor, frames: Tensor, size: int) -> Tensor:
    """Crops (N, 3, size, size) that `frames` (N, 2, 3), as of `Oracle.frame`, show of `picture` (1, 3, H, W)."""
    height, width = picture.shape[2:]
    # centres of pixels are at whole numbers
    steps = (torch.arange(size * FINER).to(frames) + 0.5) / FINER - 0.5
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    places = torch.stack([x.flatten(), y.flatten()], 1) @ frames[:, :, :2].transpose(1, 2) + frames[:, None, :, 2]
    grid = (2 * places + 1) / torch.tensor([width, height]).to(frames) - 1
    grid = grid.unflatten(1, (len(steps), len(steps)))
    return functional.avg_pool2d(_sampled(picture.expand(len(frames), -1, -1, -1), grid), FINER)


def _sampled(pictures: Tensor, grid: Tensor) -> Tensor:
    """What `pictures` (N, 3, H, W) show at the places of `grid` (N, h, w, 2), as of `grid_sample`, with gradients."""
    device = pictures.device
    if device.type == "mps":  # torch 2.13 has its gradient there, 2.6 has not; what is copied is small
        pictures, grid = pictures.cpu(), grid.cpu()
    found = functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    return found.to(device)
