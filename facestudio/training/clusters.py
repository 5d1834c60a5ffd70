"""Clusters: the centres that a codebook begins with. Separate from the recipes because more than one has a codebook."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def k_means(points: Tensor, count: int, rounds: int = 10, seed: int = 0) -> Tensor:
    """`count` centres (K, D) of `points` (N, D) by Lloyd's rounds, from points drawn by `seed`.

    A centre that no point is nearest to goes to the point that is farthest from its own. Fewer points than centres are repeated.
    """
    random = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(max(len(points), count), generator=random)[:count] % len(points)
    centres = points[drawn.to(points.device)].clone()
    for _ in range(rounds):
        apart = centres.square().sum(1) - 2 * points @ centres.T
        nearest, owner = apart.min(1)
        counts = torch.bincount(owner, minlength=count)
        sums = torch.zeros_like(centres).index_add_(0, owner, points)
        centres = sums / counts.clamp(min=1)[:, None]
        lost = torch.nonzero(counts == 0).flatten()[: len(points)]
        if len(lost):
            farthest = (nearest + points.square().sum(1)).topk(len(lost)).indices
            centres[lost] = points[farthest]
    return centres
