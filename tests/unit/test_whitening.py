"""Partial whitening of embeddings, and that a network gives them so after its last layer was changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from facestudio.training.whitening import fold, whitening


def spread(embeddings: np.ndarray) -> np.ndarray:
    """Mean squares along the axes."""
    return np.square(embeddings).mean(0)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


SAMPLES = unit(np.random.default_rng(0).standard_normal((4000, 6)) * [4, 3, 2, 1, 0.5, 0.02]).astype(np.float32)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_whitening_evens_out_as_far_as_asked(power: float) -> None:
    matrix = whitening(SAMPLES, power, least=0.0).numpy()
    made = SAMPLES @ matrix
    before, after = spread(SAMPLES), spread(made)
    assert np.allclose(matrix, matrix.T, atol=1e-5)
    assert after[0] / after[4] == pytest.approx((before[0] / before[4]) ** (1 - power), rel=0.1)
    assert np.linalg.norm(made, axis=1).mean() == pytest.approx(1, abs=1e-4)
    if power == 0:
        assert np.allclose(matrix, np.eye(6), atol=1e-5)


def test_what_hardly_occurs_is_not_blown_up() -> None:
    ratio = [spread(SAMPLES @ whitening(SAMPLES, 1.0, least).numpy()) for least in (0.0, 3e-3)]
    assert ratio[0][5] > 0.5 * ratio[0][0] and ratio[1][5] < 0.05 * ratio[1][0]


@pytest.mark.parametrize("normed", [False, True])
def test_the_last_layer_takes_it_in(normed: bool) -> None:
    torch.manual_seed(0)
    linear, norm = nn.Linear(5, 6), nn.BatchNorm1d(6) if normed else None
    if norm is not None:
        for tensor in (norm.weight, norm.running_var):
            nn.init.uniform_(tensor, 0.5, 2)
        for tensor in (norm.bias, norm.running_mean):
            nn.init.normal_(tensor)
    whole = nn.Sequential(linear, *([norm] if norm is not None else [])).eval()
    x, matrix = torch.randn(7, 5), torch.from_numpy(np.random.default_rng(1).standard_normal((6, 6)).astype(np.float32))
    with torch.no_grad():
        wanted = whole(x) @ matrix
        fold(linear, matrix, norm)
        assert torch.allclose(whole(x), wanted, atol=1e-5)
