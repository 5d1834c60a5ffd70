from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facestudio.training.degradation import USUAL, Degradation, bar, degrade, draw, drawn, kernel, usual
from facestudio.training.metrics import psnr
from tests.fakes import face_at, picture

FACE = picture(256, 256, [face_at(128, 128, 256)])


@pytest.mark.parametrize("how", [Degradation(), bar(4), bar(8), Degradation(grey=True), Degradation(sigma=(3.0, 1.0))])
@pytest.mark.parametrize("shape", [(256, 256), (90, 131)])
def test_shape_and_type_stay_and_the_input_is_not_touched(how: Degradation, shape: tuple[int, int]) -> None:
    pixels = picture(*shape)
    before = pixels.copy()
    bad = degrade(pixels, how)
    assert (bad.shape, bad.dtype, bad.flags.c_contiguous) == (pixels.shape, np.uint8, True)
    assert np.array_equal(pixels, before)


def test_no_degradation_changes_nothing() -> None:
    assert np.array_equal(degrade(FACE, Degradation()), FACE)


def test_the_same_draw_gives_the_same_picture_and_another_seed_another() -> None:
    assert np.array_equal(degrade(FACE, bar(4, 3)), degrade(FACE, bar(4, 3)))
    assert not np.array_equal(degrade(FACE, bar(4, 3)), degrade(FACE, bar(4, 4)))


def test_the_harder_bar_is_worse() -> None:
    assert psnr(degrade(FACE, bar(8)), FACE) < psnr(degrade(FACE, bar(4)), FACE) - 1


def test_noise_has_the_asked_deviation() -> None:
    grey = np.full((256, 256, 3), 128, np.uint8)
    noise = degrade(grey, Degradation(noise=10)).astype(float) - 128
    assert noise.std() == pytest.approx(10, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.15)


def test_grey_drops_colour_and_jpeg_keeps_the_channels_order() -> None:
    grey = degrade(FACE, Degradation(grey=True))
    assert (grey[..., 0] == grey[..., 2]).all()
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 200
    assert degrade(red, Degradation(jpeg=90)).mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=4)


def test_a_lower_quality_is_worse() -> None:
    high, low = (psnr(degrade(FACE, Degradation(jpeg=quality)), FACE) for quality in (90, 30))
    assert low < high


def test_the_kernel_blurs_along_its_angle() -> None:
    flat, upright = kernel((4.0, 0.5), 0.0), kernel((4.0, 0.5), np.pi / 2)
    assert flat.sum() == pytest.approx(1, abs=1e-5)
    middle = flat.shape[0] // 2
    assert flat[middle, middle + 4] > 100 * flat[middle + 4, middle]
    assert np.allclose(flat, upright.T, atol=1e-6)


def test_draws_are_reproducible_within_bounds_and_milder_when_asked() -> None:
    hard = [draw(np.random.default_rng(n)) for n in range(200)]
    mild = [draw(np.random.default_rng(n), 0.3) for n in range(200)]
    assert hard[7] == draw(np.random.default_rng(7))
    plain = [how for how in hard if how.scale == 1]
    assert 8 <= len(plain) <= 35, "one in ten is neither blurred nor reduced"
    assert any(how.noise > 20 and not how.jpeg for how in plain) and any(how.jpeg and not how.noise for how in plain)
    for how in plain:
        assert how.sigma == (0, 0) and how.noise <= 30 and how.jpeg <= 95
    for how in (how for how in hard if how.scale != 1):
        assert 0.2 <= min(how.sigma) <= max(how.sigma) <= 6.5
        assert 0.9 <= how.scale <= 12
        assert 0 <= how.noise <= 20
        assert how.jpeg == 0 or 30 <= how.jpeg <= 95
    assert max(how.scale for how in mild) < max(how.scale for how in hard) / 2
    assert len({replace(how, seed=0) for how in hard}) == 200


def test_every_draw_can_be_applied() -> None:
    small = cv2.resize(FACE, (64, 64), interpolation=cv2.INTER_AREA)
    for n in range(20):
        assert degrade(small, draw(np.random.default_rng(n))).shape == small.shape


def test_the_usual_goes_together_and_the_bars_lie_within() -> None:
    many = [usual(np.random.default_rng(n)) for n in range(300)]
    assert many[7] == usual(np.random.default_rng(7))
    ratios = [how.sigma[0] / how.scale for how in many if how.scale < 8]
    assert np.mean(ratios) == pytest.approx(0.5, abs=0.03) and np.std(ratios) < 0.12, "blur goes with the reduction"
    for scale in (4, 8):
        near = [how for how in many if abs(np.log(how.scale / scale)) < 0.3]
        assert len(near) > 20
        for value in ("noise", "jpeg"):
            drawn_values = [getattr(how, value) for how in near]
            assert min(drawn_values) < getattr(bar(scale), value) < max(drawn_values)
    assert all(2 <= how.scale <= 16 and how.sigma[0] == how.sigma[1] <= 6.5 for how in many)


def test_restorers_learn_mostly_from_the_usual() -> None:
    many = [drawn(np.random.default_rng(n)) for n in range(400)]
    uneven = np.mean([how.sigma[0] != how.sigma[1] or how.scale < 2 or how.noise > 16 for how in many])
    assert 0.1 < uneven < 1 - USUAL + 0.05, "the usual has none of that"
