"""How much each task of a network with several counts: learned, from how uncertain the network is of each.

Separate from the recipes, which name the tasks; knows none of them. For training only, so it stands among the heads of
`Taught`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn


class UncertaintyWeights(nn.Module):
    """Kendall, Gal and Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses", CVPR 2018; the way of MOS (Liu et
    al., BMVC 2021) to train detection, landmarks and head pose together.

    L = sum_t k_t exp(-s_t) L_t + s_t / 2, where s_t = log sigma_t^2 is learned and k_t is 1/2 for a regression, 1 for a
    classification. It is lowest at exp(-s_t) = 1 / (2 k_t L_t): a task counts as one over its own loss.

    Args:
        weights: what each task counts at first, k_t exp(-s_t), above 0.
        classifications: which of the tasks are some.

    Nothing keeps the weight of a task from growing whose loss goes to 0.
    """

    def __init__(self, weights: Mapping[str, float], classifications: Collection[str] = ()) -> None:
        super().__init__()
        self.factors = {task: 1.0 if task in classifications else 0.5 for task in weights}
        begin = {task: math.log(self.factors[task] / weight) for task, weight in weights.items()}
        self.log_variances = nn.ParameterDict({task: nn.Parameter(torch.tensor(s)) for task, s in begin.items()})

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The sum for `losses`, one scalar for each task; KeyError when one is missing."""
        parts = [self.weight(task) * losses[task] + s / 2 for task, s in self.log_variances.items()]
        return torch.stack(parts).sum()

    def weight(self, task: str) -> Tensor:
        """What `task` counts now: k_t exp(-s_t)."""
        return self.factors[task] * (-self.log_variances[task]).exp()
