"""Grain is measured, and only what has it is smoothed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facestudio.faces.grain import noise_level, without_grain
from facestudio.training.degradation import Degradation, bar, degrade
from facestudio.training.metrics import psnr
from tests.fakes import face_at, picture

FACE = cv2.GaussianBlur(picture(256, 256, [face_at(128, 128, 256)]), (0, 0), 1.5)


@pytest.mark.parametrize("sigma", [6, 12, 25])
def test_the_level_of_noise_is_told(sigma: int) -> None:
    assert noise_level(degrade(FACE, Degradation(noise=sigma))) == pytest.approx(sigma, rel=0.12)


@pytest.mark.parametrize(
    "how", [Degradation(), bar(4), bar(8), Degradation(jpeg=20), Degradation(sigma=(2, 2), noise=4)]
)
def test_what_has_no_grain_is_not_touched(how: Degradation) -> None:
    bad = degrade(FACE, how)
    assert without_grain(bad, 1.0) is bad


def test_grain_goes_as_far_as_asked() -> None:
    bad = degrade(FACE, Degradation(noise=20))
    assert without_grain(bad, 0.0) is bad
    found = [psnr(without_grain(bad, share), FACE) for share in (0.3, 0.7)]
    assert psnr(bad, FACE) < found[0] < found[1] and found[1] > psnr(bad, FACE) + 5
    kept = bad.copy()
    without_grain(bad, 0.7)
    assert np.array_equal(bad, kept)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 9, 3), (3, 2, 3), (0, 0, 3)])
def test_any_size_will_do(shape: tuple[int, int, int]) -> None:
    assert without_grain(np.zeros(shape, np.uint8), 1.0).shape == shape
