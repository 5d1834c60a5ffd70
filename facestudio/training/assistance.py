"""Losses of landmarks that two teachers assist: a tough one, who is exact, and a tolerant one, who shows a likelier shape.

Fard and Mahoor, "Facial landmark points detection using knowledge distillation-based neural networks", CVIU 2022. Separate
from `losses`, which knows cosines only. Written from the regions and the numbers that the authors published with it
(aliprf/KD-Loss); the paper's own text was not at hand. For each coordinate let e = |guess - truth| and r = |teacher -
truth|, the teacher being thought on the guess's side of the truth:

    ALoss   = a (e - r)   for e > r           beyond the teacher: the teacher pulls the guess back
            = b (r - e)   for 0.15 r <= e <= r   between both: b < 0, so that being nearer than the teacher pays
            = 0           otherwise
    KD-Loss = 2 main + ALoss(tough) + ALoss(tolerant), where with r of the tolerant teacher
    main    = 3 e for e <= r, else e^2 + 3 r - r^2

each as the mean over all coordinates, in shares of the crop. A teacher who is the truth itself (r = 0) gives a e here, the
limit; the published code gives 0 there.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEAR = 0.15  # of the teacher's distance: nearer to the truth no teacher assists
TOUGH, TOLERANT = (1.9, -0.45), (1.8, -0.4)  # (a, b)
MAIN = 2.0
STEEP = 3.0


def assistive_loss(guess: Tensor, truth: Tensor, teacher: Tensor, beyond: float, between: float) -> Tensor:
    """ALoss of each coordinate, in the shape of all three; `beyond` is a, `between` is b. Only `guess` gets a gradient."""
    error, allowed = (guess - truth).abs(), (teacher - truth).abs()
    inside = (error >= NEAR * allowed) & (error <= allowed)
    return beyond * (error - allowed).clamp(min=0) + between * torch.where(inside, allowed - error, 0.0)


def kd_loss(guess: Tensor, truth: Tensor, tough: Tensor, tolerant: Tensor) -> Tensor:
    """KD-Loss of each coordinate, in the shape of all four: coordinates in shares of the crop."""
    error, allowed = (guess - truth).abs(), (tolerant - truth).abs()
    main = torch.where(error <= allowed, STEEP * error, error.square() + STEEP * allowed - allowed.square())
    assisted = assistive_loss(guess, truth, tough, *TOUGH) + assistive_loss(guess, truth, tolerant, *TOLERANT)
    return MAIN * main + assisted
