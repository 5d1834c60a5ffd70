"""How recognisable a face is, from what recognisers make of it: a logistic regression on three kinds of evidence.

Papers: Ozgur et al., 2026, arXiv 2604.22841 (ATTN-FIQA: the mean of a transformer's attention before the softmax); Deng et
al., "Harnessing Unrecognizable Faces for Improving Face Recognition", WACV 2023 (all unrecognisable faces lie together, so
the distance of an embedding from their centre says how recognisable a face is).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Recognisability(nn.Module):
    """Probability that recognisers know the person of a face again. All of it is fitted, none of it is trained by gradient.

    Args:
        judges: number J of recognisers; dimensions: length D of their embeddings.
    """

    def __init__(self, judges: int = 3, dimensions: int = 512) -> None:
        super().__init__()
        self.centres = nn.Buffer(torch.zeros(judges, dimensions))  # of the unrecognisable faces, unit length
        self.usual = nn.Buffer(torch.zeros(judges + 1))
        self.spread = nn.Buffer(torch.ones(judges + 1))
        self.weight = nn.Buffer(torch.zeros(judges + 1))
        self.bias = nn.Buffer(torch.zeros(1))

    def evidence(self, embeddings: Tensor, attention: Tensor) -> Tensor:
        """(B, J + 1): the distance 1 - cosine of unit `embeddings` (B, J, D) from each centre, and `attention` (B,)."""
        return torch.cat([1 - (embeddings * self.centres).sum(2), attention[:, None]], 1)

    def forward(self, embeddings: Tensor, attention: Tensor) -> Tensor:
        """(B,) in 0..1 of unit `embeddings` (B, J, D) and the mean `attention` (B,) before the softmax."""
        normal = (self.evidence(embeddings, attention) - self.usual) / self.spread
        return torch.sigmoid(normal @ self.weight + self.bias)


def mean_attention(logits: Tensor) -> Tensor:
    """(B, L) of attention before the softmax (L, B, H, N, N): its mean over heads, queries and keys of each block."""
    return logits.float().mean((2, 3, 4)).T
