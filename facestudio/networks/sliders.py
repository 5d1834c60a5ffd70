"""What sliders move, by how much: for each a direction of identities, of landmarks and of latents, and turns. Fitted only.

Papers: Shen et al., "Interpreting the Latent Space of GANs for Semantic Face Editing", CVPR 2020 (one linear direction an
attribute, each free of the others).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

POINTS = 68


class Moves(nn.Module):
    """Args:
    names: of the sliders, S; dimensions: length D of an identity embedding; latent, side: channels and side of a latent.

    Each buffer says what a slider at 1 adds; zeros where it adds nothing.
    """

    def __init__(self, names: Sequence[str], dimensions: int = 512, latent: int = 16, side: int = 16) -> None:
        super().__init__()
        self.names = tuple(names)
        count = len(self.names)
        self.identity = nn.Buffer(torch.zeros(count, dimensions))  # to a unit embedding
        self.features = nn.Buffer(torch.zeros(count, POINTS, 2))  # to a face that looks straight, in eye distances
        self.turn = nn.Buffer(torch.zeros(count, 2))  # degrees of yaw and pitch
        self.push = nn.Buffer(torch.zeros(count, latent, side, side))  # to the prior's latents

    def forward(self, amounts: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `amounts` (S,) of the sliders add together: identity (D,), features (68, 2), turn (2,), push (C, h, w)."""
        identity, features, turn, push = (
            torch.tensordot(amounts, each, 1) for each in (self.identity, self.features, self.turn, self.push)
        )
        return identity, features, turn, push
