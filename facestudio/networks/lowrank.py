"""A low-rank update: what little a frozen network has to learn for another task, kept apart from its weights.

Paper: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022; for convolutions as in the codes for diffusion
models, where the first factor keeps the kernel and the second is 1 x 1. Written from the papers. Knows no particular network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


class LowRankUpdate(nn.Module):
    """Changes of rank `rank` to the weights of some layers of a network that is not part of this module.

    Args:
        shapes: of the weights, by the layers' names: (outputs, inputs, ...); see `shapes_of`.
        rank: of each change; alpha: each is scaled by alpha / rank.

    A new one changes nothing.
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]], rank: int = 4, alpha: float = 4.0) -> None:
        super().__init__()
        self.names = {name.replace(".", "-"): name for name in shapes}  # a parameter's name has no dots
        self.shapes = {key: tuple(shapes[name]) for key, name in self.names.items()}
        self.scale = alpha / rank
        self.inner, self.outer = nn.ParameterDict(), nn.ParameterDict()
        for key, (outputs, *inputs) in self.shapes.items():
            size = math.prod(inputs)
            bound = (3 / size) ** 0.5  # of a uniform distribution whose product with unit inputs has unit variance
            self.inner[key] = nn.Parameter(torch.empty(rank, size).uniform_(-bound, bound))
            self.outer[key] = nn.Parameter(torch.zeros(outputs, rank))

    def change(self, key: str) -> Tensor:
        """What is added to the weight of the layer `key`, of its shape."""
        return (self.scale * self.outer[key] @ self.inner[key]).view(self.shapes[key])

    def weights(self, network: nn.Module) -> dict[str, Tensor]:
        """The changed weights of `network` by their names, for torch.func.functional_call; gradients reach the update."""
        return {
            f"{name}.weight": network.get_parameter(f"{name}.weight") + self.change(key)
            for key, name in self.names.items()
        }

    def forward(self, network: nn.Module, *arguments: Any) -> Any:
        """What the changed `network` makes of its `arguments`; it stays as it is."""
        return torch.func.functional_call(network, self.weights(network), arguments)

    @torch.no_grad()
    def merge(self, network: nn.Module) -> None:
        """Change `network` for good, so that it need not be asked through this module any more."""
        for name, weight in self.weights(network).items():
            network.get_parameter(name).copy_(weight)


def shapes_of(network: nn.Module, linear: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights of every convolution in `network`, and of linear layers whose names end with one of `linear`."""
    return {
        name: tuple(layer.weight.shape)
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) or (isinstance(layer, nn.Linear) and name.endswith(linear))
    }
