"""Squeeze and excitation: each channel is scaled by what the whole map says of it.

Paper: Hu et al., "Squeeze-and-Excitation Networks", 2018. Attribute names are those of the published recognisers.
"""

from __future__ import annotations

from torch import Tensor, nn


class Squeeze(nn.Module):
    """A map (B, C, H, W), its channels scaled by 0 to 1. `width`: C; `reduction`: how many times fewer are looked at."""

    def __init__(self, width: int, reduction: int = 16) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(width, width // reduction, 1, bias=False)
        self.fc2 = nn.Conv2d(width // reduction, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
