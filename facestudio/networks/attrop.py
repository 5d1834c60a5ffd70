"""Vec2Face's control of attributes: a vector is moved until its face is the wanted person's, good, and turned as wanted.

Paper: Wu et al., "Vec2Face: Scaling Face Dataset Generation with Loosely Constrained Vectors", ICLR 2025 (AttrOP); source
HaiyuWu/Vec2Face (MIT; no code taken). Only the vector learns; the networks that draw and judge are given. What differs: the
published loop has no end when a vector cannot come so far; here the steps are bounded, and the caller is told how many counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from facestudio.progress import Progress

Judge = Callable[[Tensor], Tensor]  # pictures (B, 3, H, W) RGB in [-1, 1] to what it makes of them

RATE = 0.1  # of Adam, on the numbers of a vector


@dataclass(frozen=True)
class Aim:
    """What is wanted of the pictures.

    Attributes:
        recognise: to embeddings (B, D) of any length; people: the wanted ones, (B, D).
        quality: to vectors whose length is the quality; least: the wanted one. None leaves it open.
        yaw: to degrees (B,); turned: the wanted ones, without a sign. None leaves it open.
        most_identity, most_quality, most_yaw: a step counts when what is still lacking is no more than this: one minus the
            cosine, length, and degrees.
    """

    recognise: Judge
    people: Tensor
    quality: Judge | None = None
    least: float = 27.0
    yaw: Judge | None = None
    turned: float = 0.0
    most_identity: float = 0.3
    most_quality: float = 1.0
    most_yaw: float = 5.0

    def lacks(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How far the pictures are from who, how good and how turned they should be, on average; 0 where that is open."""
        who = 1 - functional.cosine_similarity(self.recognise(pictures), self.people).mean()
        good = turned = who.new_zeros(())
        if self.quality is not None:
            good = functional.relu(self.least - self.quality(pictures).norm(dim=1)).mean()
        if self.yaw is not None:
            turned = (self.turned - self.yaw(pictures).abs()).abs().mean()
        return who, good, turned


def steer(
    vectors: Tensor,
    draw: Judge,
    aim: Aim,
    counted: int = 5,
    most: int = 30,
    progress: Progress | None = None,
) -> tuple[Tensor, int]:
    """`vectors` (B, D) after `counted` steps that count, or after `most` steps in all; and how many counted.

    Args:
        draw: vectors to pictures (B, 3, H, W) of about [-1, 1], the same at every call or, as published, with new masks.

    Cancelled when `progress` is told to stop, between two steps.
    """
    moved = vectors.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([moved], lr=RATE)
    done = 0
    with torch.inference_mode(False), torch.enable_grad():
        for _ in (progress or Progress()).track(range(most), "Moving the vectors"):
            who, good, turned = aim.lacks(draw(moved).clamp(-1, 1))
            # only the vectors learn; the networks' own numbers get no gradient
            (moved.grad,) = torch.autograd.grad(100 * who + good + turned, [moved])
            optimizer.step()
            done += bool(who <= aim.most_identity and good <= aim.most_quality and turned <= aim.most_yaw)
            if done == counted:
                break
    return moved.detach(), done
