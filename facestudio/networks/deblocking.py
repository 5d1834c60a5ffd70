"""The edges of a decoder's squares taken out of its pictures.

A small decoder makes each square of a picture mostly of that square's own latent, so that neighbours do not quite meet and a grid
is seen. The step between two squares beyond what the slopes on both sides let expect, averaged along the edge, is shared out over
the nearest pixels of both, as video codecs do (List et al., "Adaptive deblocking filter", IEEE TCSVT 2003).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

REACH = 3  # px on each side that are moved
ALONG = 5  # px of the edge that are averaged
SHARE = 0.8  # of the step that goes


def deblocked(pictures: Tensor, side: int) -> Tensor:
    """`pictures` (B, C, H, W) of squares of `side` px, without the steps at their edges; the same shape and range, not clamped.

    As they are where `side` is too small for a slope to be seen. Gradients pass.
    """
    if side < 2 * REACH:
        return pictures
    return _upright(_upright(pictures, side).transpose(2, 3), side).transpose(2, 3)


def _upright(pictures: Tensor, side: int) -> Tensor:
    """The same for the upright edges alone."""
    places = range(side, pictures.shape[-1] - side + 1, side)
    if not places:
        return pictures
    edges = torch.tensor(places, device=pictures.device)
    left, right = pictures[..., edges - 1], pictures[..., edges]
    slope = (left - pictures[..., edges - 2] + pictures[..., edges + 1] - right) / 2
    step = functional.pad(right - left - slope, (0, 0, ALONG // 2, ALONG // 2), mode="replicate")
    step = SHARE / 2 * functional.avg_pool2d(step, (ALONG, 1), 1)
    moved = pictures.clone()
    for away in range(REACH):
        share = 1 - (away + 0.5) / REACH
        moved[..., edges - 1 - away] += share * step
        moved[..., edges + away] -= share * step
    return moved
