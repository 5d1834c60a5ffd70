"""What is weak in an embedding made stronger: partial whitening, laid into the last linear layer of a network.

A small network that learns embeddings from a teacher follows their strong directions and falls short of the weak ones, which tell
people apart as well. Whitening by a power below 1 gives those back some of their weight (Jegou and Chum, "Negative evidences and
co-occurences in image retrieval: the benefit of PCA and whitening", ECCV 2012; by a power, Su et al., arXiv:2103.15316); wholly
white, noise counts as much. The teachers themselves gain nothing by it. Nothing is trained, and the network keeps its form.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def whitening(embeddings: np.ndarray, power: float = 0.5, least: float = 3e-3) -> Tensor:
    """(D, D) symmetric matrix that whitens unit `embeddings` (N, D), row vectors, by a `power` in 0..1.

    `least` is added to the second moment of every direction, so that what hardly occurs is not blown up: a direction whose mean
    square is m is scaled by (m + least) ** (-power / 2), and the mean, which is a strong one, shrinks too. Scaled so that the
    embeddings keep their mean length.
    """
    moments = embeddings.T.astype(np.float64) @ embeddings / len(embeddings)
    size, directions = np.linalg.eigh(moments)
    matrix = (directions * (np.maximum(size, 0) + least) ** (-power / 2)) @ directions.T
    matrix /= np.linalg.norm(embeddings @ matrix, axis=1).mean()
    return torch.from_numpy(matrix.astype(np.float32))


@torch.no_grad()
def fold(linear: nn.Linear, matrix: Tensor, norm: nn.BatchNorm1d | None = None) -> None:
    """Make `linear`, with the `norm` that may follow it, give what they gave times `matrix` (D, D); `norm` then does nothing."""
    weight, bias = linear.weight.double(), linear.bias.double()
    if norm is not None:
        assert norm.running_mean is not None and norm.running_var is not None
        gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
        weight, bias = gain[:, None] * weight, gain * (bias - norm.running_mean.double()) + norm.bias.double()
        for tensor, value in (
            (norm.weight, 1.0),
            (norm.bias, 0.0),
            (norm.running_mean, 0.0),
            (norm.running_var, 1 - norm.eps),
        ):
            tensor.fill_(value)
    linear.weight.copy_(matrix.double().to(weight.device).T @ weight)
    linear.bias.copy_(matrix.double().to(weight.device).T @ bias)


@torch.no_grad()
def settle(norm: nn.BatchNorm1d, values: Tensor) -> None:
    """Make `norm`, which does nothing after `fold`, do nothing in training either, of batches like `values` (N, D)."""
    assert norm.running_mean is not None and norm.running_var is not None
    variance, mean = torch.var_mean(values.float(), dim=0)
    norm.running_mean.copy_(mean)
    norm.bias.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
