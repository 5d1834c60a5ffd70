"""What a crop leaves out of a large face: told apart from noise, and kept when it is detail."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facestudio.faces.align import align
from facestudio.faces.detail import beyond, is_sharp
from facestudio.faces.face import FFHQ_256, AlignedFace
from facestudio.faces.paste import paste
from facestudio.photo import Photo
from tests.fakes import draw_face, face_at

FACE = face_at(400, 400, 720, turn=10)


def photo(blur: float = 0.0, noise: float = 0.0) -> Photo:
    """A large drawn face with hairs finer than a crop of 256 px can show."""
    random = np.random.default_rng(0)
    pixels = np.full((800, 800, 3), 130, np.uint8)
    draw_face(pixels, FACE)
    for x, y, dx, dy in zip(*random.uniform(200, 600, (2, 120)), *random.uniform(-30, 30, (2, 120)), strict=True):
        cv2.line(pixels, (round(x), round(y)), (round(x + dx), round(y + dy)), (60, 40, 30), 1, cv2.LINE_AA)
    soft = cv2.GaussianBlur(pixels, (0, 0), blur) if blur else pixels
    return Photo.from_pixels(np.clip(soft + random.normal(0, noise, soft.shape), 0, 255).astype(np.uint8))


def crop(of: Photo) -> AlignedFace:
    return align(of, FACE, FFHQ_256)


@pytest.mark.parametrize(
    ("blur", "noise", "sharp"),
    [(0, 0, True), (0, 3, True), (4, 0, False), (4, 8, False), (0, 40, False), (6, 30, False)],
)
def test_detail_is_told_from_noise_and_blur(blur: float, noise: float, sharp: bool) -> None:
    of = photo(blur, noise)
    assert is_sharp(of, crop(of)) == sharp


def test_what_is_beyond_is_upright_and_the_photos_own_size() -> None:
    of = photo()
    left_out = beyond(of, crop(of))
    assert left_out.shape[0] == left_out.shape[1] == pytest.approx(360, abs=2)
    assert abs(float(left_out.mean())) < 2 < float(left_out.std())


def fine(of: Photo) -> np.ndarray:
    """What a blur takes from the middle of the face."""
    grey = cv2.cvtColor(of.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)[250:550, 250:550]
    return grey - cv2.GaussianBlur(grey, (0, 0), 1.5)


def test_a_face_laid_back_keeps_the_detail_of_what_it_was_made_of() -> None:
    of = photo()
    cut = crop(of)
    brighter = cut.with_pixels(np.clip(cut.pixels.astype(int) + 20, 0, 255).astype(np.uint8))
    softer, kept = paste(of, brighter), paste(of, brighter, made_of=cut)
    assert fine(softer).std() < 0.7 * fine(of).std()
    assert fine(kept).std() > 0.95 * fine(of).std()
    middle = np.s_[300:500, 300:500]
    assert (kept.pixels[middle].astype(int) - of.pixels[middle]).mean() == pytest.approx(20, abs=1)
    outside = np.s_[:20, :20]
    assert np.array_equal(kept.pixels[outside], of.pixels[outside])


def test_a_face_made_no_different_changes_nothing() -> None:
    of = photo(noise=10)
    assert np.abs(paste(of, crop(of), made_of=crop(of)).pixels.astype(int) - of.pixels).max() <= 1


@pytest.mark.parametrize(("drift", "left"), [((8, -6, 4), 1.0), ((40, 40, 40), 30.0)])
def test_a_drift_of_colour_is_taken_back_but_not_another_light(drift: tuple[int, int, int], left: float) -> None:
    of = photo()
    moved = crop(of).with_pixels(np.clip(crop(of).pixels.astype(int) + drift, 0, 255).astype(np.uint8))
    middle = np.s_[300:500, 300:500]
    off = (paste(of, moved, matched=True).pixels[middle].astype(int) - of.pixels[middle]).mean((0, 1))
    assert np.abs(off).max() < left
    assert np.abs(off).max() > left - 4
