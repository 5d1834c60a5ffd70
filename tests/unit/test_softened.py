"""The blur through which a recogniser judges what a restorer makes, so that fine patterns please nobody."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from facestudio.training.recipes.estimator import softened


def test_it_is_a_gaussian_blur() -> None:
    faces = torch.rand(2, 3, 40, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    soft = softened(faces, 2.5)
    assert soft.shape == faces.shape
    one = faces[1].permute(1, 2, 0).numpy()
    wanted = cv2.GaussianBlur(one, (17, 17), 2.5, borderType=cv2.BORDER_REFLECT_101)
    assert np.abs(soft[1].permute(1, 2, 0).numpy() - wanted).max() < 1e-4


def test_nothing_is_blurred_unless_asked() -> None:
    faces = torch.rand(1, 3, 16, 16)
    assert softened(faces, 0.0) is faces


def test_fine_patterns_are_hardly_judged_and_features_are() -> None:
    across = torch.arange(64.0).expand(1, 3, 64, 64)
    fine, coarse = (torch.sin(2 * torch.pi * across / period) for period in (8, 32))
    inside = (..., slice(16, 48))
    kept = [float(softened(wave, 2.5)[inside].std() / wave[inside].std()) for wave in (fine, coarse)]
    assert kept[0] < 0.2 and kept[1] > 0.8
