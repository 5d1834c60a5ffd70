"""Pose pictures: which pictures can be one, and what a user reads of those that cannot."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from facestudio.errors import UsageError
from facestudio.faces.normals import GREY, normals, resized
from facestudio.photo import Photo
from tests.fakes import face_at, picture
from tests.poses import head

POSE = head()


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)


def test_a_head_is_taken_as_it_is() -> None:
    for turn in (-1.0, 0.0, 1.0):
        assert np.array_equal(normals(Photo.from_pixels(head(160, turn))), head(160, turn))


@pytest.mark.parametrize("level", [0, GREY, 255])
def test_around_a_head_it_may_be_black_grey_or_white(level: int) -> None:
    pixels = POSE.copy()
    pixels[(POSE == GREY).all(axis=2)] = level
    assert np.array_equal(normals(Photo.from_pixels(pixels)), pixels)


def test_what_is_transparent_becomes_grey() -> None:
    alpha = np.where((POSE == GREY).all(axis=2), 0, 255).astype(np.uint8)
    blue = np.where(alpha[..., None] == 0, np.array([10, 20, 250], np.uint8), POSE)
    assert np.array_equal(normals(Photo.from_pixels(blue, alpha)), POSE)


def test_one_that_was_stored_with_loss_will_do() -> None:
    file = io.BytesIO()
    Image.fromarray(POSE).save(file, "JPEG", quality=80)
    assert normals(Photo.from_bytes(file.getvalue())).shape == POSE.shape


@pytest.mark.parametrize(
    "drawn",
    [
        lambda: picture(200, 200, [face_at(100, 100, 150)]),
        lambda: np.full((128, 128, 3), GREY, np.uint8),
        lambda: np.zeros((128, 128, 3), np.uint8),
        lambda: np.full((128, 128, 3), (127, 127, 255), np.uint8),
        lambda: POSE[..., ::-1].copy(),
        lambda: np.repeat(POSE.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2),
        noise,
    ],
    ids=["photo", "grey", "black", "flat", "blue first", "without colours", "noise"],
)
def test_other_pictures_are_refused(drawn: Callable[[], np.ndarray]) -> None:
    with pytest.raises(UsageError, match="colours are not those of a normal map") as caught:
        normals(Photo.from_pixels(drawn()))
    assert "normal map" in caught.value.hint


def test_a_portrait_is_refused() -> None:
    data = pytest.importorskip("skimage.data")
    with pytest.raises(UsageError, match="not those of a normal map"):
        normals(Photo.from_pixels(data.astronaut()))


def test_its_sides_are_equal_and_long_enough() -> None:
    with pytest.raises(UsageError, match="128 x 100 px it is not square"):
        normals(Photo.from_pixels(POSE[:100]))
    with pytest.raises(UsageError, match="too small for a pose picture: it has 100 px"):
        normals(Photo.from_pixels(head(100)))


def test_another_size_shows_the_same() -> None:
    assert resized(POSE, 128) is POSE
    for side in (64, 256):
        found = resized(POSE, side)
        assert found.shape == (side, side, 3) and found.dtype == np.uint8
        assert np.abs(found.astype(int) - head(side)).mean() < 3
