"""What the identities of real people look like to one embedder: a normal distribution in its main directions. Fitted only.

Paper: the manifold of real embeddings that Vec2Face (Wu et al., ICLR 2025) draws from by principal components. The training
identities come along, in the same few directions, so that whoever is drawn can be compared with them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class People(nn.Module):
    """Args:
    dimensions: length D of an embedding; axes: of the distribution, A; known: how many training identities come along.
    """

    def __init__(self, dimensions: int = 512, axes: int = 128, known: int = 1) -> None:
        super().__init__()
        self.middle = nn.Buffer(torch.zeros(dimensions))
        self.axes = nn.Buffer(torch.eye(dimensions, axes))  # orthonormal columns, the main direction first
        self.spread = nn.Buffer(torch.ones(axes))  # standard deviation along each
        self.known = nn.Buffer(torch.zeros(known, axes))  # coordinates of the training identities
        self.usual = nn.Buffer(torch.ones(1))  # as far as nine in ten of them are from the middle, in deviations

    @torch.no_grad()
    def fit(self, identities: Tensor) -> None:
        """Measure the distribution of unit `identities` (N, D), all of which are kept."""
        self.middle.copy_(identities.mean(0))
        off = identities - self.middle
        sizes, axes = torch.linalg.eigh(off.T @ off / len(off))
        count = self.axes.shape[1]
        self.axes.copy_(axes.flip(1)[:, :count])
        self.spread.copy_(sizes.flip(0)[:count].clamp(min=1e-12).sqrt())
        self.known.copy_(off @ self.axes)
        self.usual.copy_(torch.quantile(self.distance(identities), 0.9))

    def coordinates(self, identities: Tensor) -> Tensor:
        """(N, A) of unit `identities` (N, D)."""
        return (identities - self.middle) @ self.axes

    def distance(self, identities: Tensor) -> Tensor:
        """How unusual `identities` are (N,): the root mean square of their coordinates in standard deviations; 1 is usual."""
        return (self.coordinates(identities) / self.spread).square().mean(1).sqrt()

    def forward(self, coordinates: Tensor) -> Tensor:
        """Unit identities (N, D) at `coordinates` (N, A)."""
        return nn.functional.normalize(self.middle + coordinates @ self.axes.T, dim=1)
