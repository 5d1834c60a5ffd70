"""Degradation by torch is what OpenCV and libjpeg do, and each face of a batch gets its own."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from facestudio.training.damage import damaged, packed
from facestudio.training.degradation import Degradation, bar, degrade, drawn, usual
from facestudio.training.embedding import draw112
from facestudio.training.metrics import psnr
from tests.fakes import face_at, picture

SIZES = (256, 112)


def faces(side: int, count: int) -> np.ndarray:
    return np.stack([picture(side, side, [face_at(side / 2, side / 2, side)], seed=n) for n in range(count)])


def both(pixels: np.ndarray, hows: list[Degradation], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """What torch and what OpenCV make of `pixels` (N, S, S, 3)."""
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    ours = damaged(batch, packed(hows, pixels.shape[1]), torch.Generator().manual_seed(seed))
    assert torch.equal(ours, ours.round()) and ours.min() >= 0 and ours.max() <= 255
    theirs = np.stack([degrade(one, how) for one, how in zip(pixels, hows, strict=True)])
    return ours.permute(0, 2, 3, 1).numpy().astype(np.uint8), theirs


@pytest.mark.parametrize("side", SIZES)
@pytest.mark.parametrize(
    ("how", "least"),
    [
        (Degradation(), 99),
        (Degradation(sigma=(2.5, 2.5)), 50),
        (Degradation(sigma=(3.0, 1.0), angle=0.6), 45),
        (Degradation(scale=3.7, upscaler=cv2.INTER_LINEAR), 50),
        (Degradation(scale=3.7, upscaler=cv2.INTER_CUBIC), 50),
        (Degradation(scale=5.2, upscaler=cv2.INTER_LANCZOS4), 50),
        (Degradation(grey=True), 50),
        (Degradation(jpeg=25), 38),
        (Degradation(jpeg=75), 40),
        (replace(bar(4), noise=0), 37),
        (replace(bar(8), noise=0), 37),
    ],
)
def test_each_step_is_as_opencv_has_it(side: int, how: Degradation, least: float) -> None:
    if how.jpeg and how.scale > 1 and side == 112:
        least -= 10  # of a few blocks, a level that is rounded the other way shows
    for ours, theirs, was in zip(*both(faces(side, 2), [how] * 2), faces(side, 2), strict=True):
        assert psnr(ours, theirs) > least
        assert how == Degradation() or psnr(theirs, was) < psnr(ours, theirs) - 4, "it is damage that they agree in"


@pytest.mark.parametrize("side", SIZES)
def test_grain_is_as_strong_and_drawn_by_the_generator(side: int) -> None:
    flat = np.full((4, side, side, 3), 128, np.uint8)
    hows = [Degradation(noise=level) for level in (0, 5, 10, 20)]
    ours, theirs = both(flat, hows)
    for one, other in zip(ours, theirs, strict=True):
        assert one.std() == pytest.approx(other.std(), rel=0.03, abs=0.05)
    assert np.array_equal(ours, both(flat, hows)[0]) and not np.array_equal(ours, both(flat, hows, seed=1)[0])


@pytest.mark.parametrize("side", SIZES)
def test_faces_of_a_batch_are_damaged_as_if_each_were_alone(side: int) -> None:
    random = np.random.default_rng(0)
    draw = drawn if side == 256 else draw112
    hows = [replace(draw(random), noise=0) for _ in range(8)] + [replace(usual(random), noise=0)]
    pixels = faces(side, len(hows))
    together = both(pixels, hows)[0]
    for one, face, how in zip(together, pixels, hows, strict=True):
        assert np.abs(one.astype(int) - both(face[None], [how])[0][0]).max() <= 8
