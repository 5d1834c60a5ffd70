"""Least squares in portions, and what a convolution sees."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from facestudio.training.least_squares import LeastSquares, patches


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 2)])
def test_a_convolution_is_found_again_from_what_it_made(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(5, 3, kernel, stride)
    fit = LeastSquares()
    with torch.no_grad():
        for _ in range(4):
            maps = torch.randn(6, 5, 8, 6)
            fit.add(patches(maps, convolution), convolution(maps).movedim(1, -1).flatten(0, -2))
    found = fit.matrix(ridge=1e-9)
    assert torch.allclose(found[:-1].T.reshape_as(convolution.weight), convolution.weight, atol=1e-4)
    assert torch.allclose(found[-1], convolution.bias, atol=1e-4)


def test_a_ridge_holds_back_what_hardly_occurs() -> None:
    fit = LeastSquares()
    rows = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1e-4]])
    fit.add(rows, rows @ torch.tensor([[2.0], [300.0]]))
    assert fit.matrix(ridge=1e-12).flatten().tolist() == pytest.approx([2, 300], rel=0.01)
    assert abs(fit.matrix(ridge=1e-3)[1, 0]) < 1
