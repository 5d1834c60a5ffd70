"""Least squares over more rows than fit into memory: what makes a layer's outputs into what they should be, without training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class LeastSquares:
    """The matrix that makes rows of one kind into rows of another, from as many of them as are added."""

    def __init__(self) -> None:
        self.gram: Tensor | float = 0.0
        self.cross: Tensor | float = 0.0

    def add(self, rows: Tensor, truth: Tensor) -> None:
        """Take up `rows` (N, M) and what is to be made of them, `truth` (N, K)."""
        rows, truth = rows.double().cpu(), truth.double().cpu()
        self.gram, self.cross = self.gram + rows.T @ rows, self.cross + rows.T @ truth

    def matrix(self, ridge: float = 1e-4) -> Tensor:
        """(M, K) float32; `ridge` times the mean of the squares is added to each square."""
        assert isinstance(self.gram, Tensor)
        held = ridge * self.gram.diagonal().mean() * torch.eye(len(self.gram), dtype=self.gram.dtype)
        return torch.linalg.solve(self.gram + held, self.cross).float()


def patches(maps: Tensor, projection: nn.Conv2d) -> Tensor:
    """(N, W * h * w + 1) what `projection`, without padding, sees of `maps` (B, W, H, X) at each place, and 1 for its bias."""
    seen = (
        functional.unfold(maps.contiguous(), projection.kernel_size, stride=projection.stride)
        .movedim(1, -1)
        .flatten(0, 1)
    )
    return functional.pad(seen, (0, 1), value=1.0)
