"""A photo of a single tone keeps it; a colour photo is left alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facestudio.faces.face import FFHQ_256, AlignedFace
from facestudio.faces.tone import LUMA, in_tone, tone_of, with_tone
from facestudio.training.degradation import Degradation, degrade
from tests.fakes import face_at, picture

FACE = cv2.GaussianBlur(picture(256, 256, [face_at(128, 128, 256)]), (0, 0), 1.5)


def sepia(pixels: np.ndarray) -> np.ndarray:
    """Brown in the shadows, cream in the lights."""
    bright = (pixels @ LUMA)[..., None]
    return np.rint(np.clip(bright * (0.85, 0.78, 0.6) + (35, 24, 12), 0, 255)).astype(np.uint8)


def crop(pixels: np.ndarray) -> AlignedFace:
    return AlignedFace(pixels, np.eye(2, 3, dtype=np.float32), FFHQ_256)


def off_tone(pixels: np.ndarray) -> float:
    """How far the colours are from those that sepia has at their brightness, in levels."""
    ramp = sepia(np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2))[0].astype(np.float64)
    bright = ramp @ LUMA
    wanted = np.stack([np.interp(pixels @ LUMA, bright, ramp[:, channel]) for channel in range(3)], axis=-1)
    return float(np.abs(pixels - wanted).mean())


@pytest.mark.parametrize("how", [Degradation(), Degradation(sigma=(2, 2)), Degradation(jpeg=70)])
def test_colours_painted_into_a_sepia_photo_are_taken_back(how: Degradation) -> None:
    before = degrade(sepia(FACE), how)
    painted = before.copy()
    painted[150:200, 80:180] = np.clip(before[150:200, 80:180].astype(int) + (40, -20, 10), 0, 255)
    kept = in_tone(crop(painted), crop(before)).pixels
    assert off_tone(painted[150:200, 80:180]) > 10
    assert off_tone(kept[150:200, 80:180]) < 3
    assert np.abs(kept @ LUMA - painted @ LUMA).max() < 4  # brightness, which is what was restored, stays


@pytest.mark.parametrize("how", [Degradation(), Degradation(jpeg=40), Degradation(noise=8)])
def test_a_colour_photo_has_no_tone(how: Degradation) -> None:
    before = degrade(FACE, how)
    made = crop(FACE)
    assert tone_of(before) is None
    assert in_tone(made, crop(before)) is made


def test_greys_stay_exactly_grey() -> None:
    grey = np.repeat(np.rint(FACE @ LUMA).astype(np.uint8)[..., None], 3, axis=2)
    assert np.ptp(in_tone(crop(FACE), crop(grey)).pixels, axis=2).max() == 0


def test_a_brightness_that_the_photo_has_not_takes_the_nearest_tone() -> None:
    dull = sepia(np.clip(FACE, 60, 150))
    tone = tone_of(dull)
    assert tone is not None
    white = with_tone(crop(np.full((256, 256, 3), 235, np.uint8)), tone).pixels[0, 0]
    assert white[0] > white[1] > white[2]
