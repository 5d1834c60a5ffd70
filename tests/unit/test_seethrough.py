"""Transparency: of a changed face it tells nothing; a face that it alone shows is pointed out; what nobody sees is not kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facestudio.photo import Photo
from tests.fakes import FakeDetector, face_at, picture
from tests.unit.test_anonymizing import FACES, Eyes, done, method

NOBODY = FakeDetector(())


def photo_of(alpha: np.ndarray) -> Photo:
    return Photo.from_pixels(picture(190, 400, FACES), alpha)


def drawn() -> np.ndarray:
    """The whole picture, in the transparency of one."""
    return picture(190, 400, FACES)[..., 1] // 2 + 60


def features(alpha: np.ndarray) -> list[np.ndarray]:
    return [
        alpha[y - 12 : y + 12, x - 8 : x + 8]
        for x, y in (np.rint(face.landmarks[2]).astype(int).tolist() for face in FACES)
    ]


@pytest.mark.parametrize("name", ["solid", "blur", "pixelate"])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_the_transparency_below_a_changed_face_tells_nothing_of_it(tmp_path: Path, name: str, suffix: str) -> None:
    photo = photo_of(drawn())
    result = done(photo, method(name), FACES)
    path = result.after.save(tmp_path / f"result{suffix}", metadata_policy="strip")
    with Image.open(path) as image:
        alpha = np.asarray(image)[..., -1]
    assert all(np.ptp(part) > 20 for part in features(drawn())), "or the test would prove nothing"
    assert all(np.ptp(part) == 0 for part in features(alpha))
    assert np.array_equal(alpha[:, :20], drawn()[:, :20]), "elsewhere it stays"
    assert photo.alpha is not None and np.array_equal(photo.alpha, drawn())


def test_how_a_picture_was_cut_out_stays() -> None:
    alpha = np.zeros((190, 400), np.uint8)
    for face in FACES:
        left, top, right, bottom = np.rint(face.box).astype(int)
        alpha[max(top, 0) : bottom + 4, left:right] = 255
    result = done(photo_of(alpha), method("solid"), FACES)
    assert result.after.alpha is not None and np.array_equal(result.after.alpha, alpha)


def test_colours_that_nobody_sees_are_not_in_the_result() -> None:
    alpha = np.full((190, 400), 255, np.uint8)
    alpha[:, 150:] = 0
    photo = photo_of(alpha)
    for faces in ((), FACES[:1]):
        result = done(photo, method("blur"), faces)
        assert not result.after.pixels[:, 150:].any() and photo.pixels[:, 150:].any()
        assert np.array_equal(result.after.pixels[:, :20], photo.pixels[:, :20])


def test_a_face_that_only_transparency_shows_is_pointed_out() -> None:
    photo = replace(photo_of(drawn()), pixels=np.zeros((190, 400, 3), np.uint8))
    eyes = Eyes((), FACES[:2], FACES[1:])  # in its colours, over white, over black
    result = done(photo, method("solid"), (), detector=eyes)
    assert result.status == "needs review" and len(result.missed) == 3
    white, black = (seen.astype(int) for seen in eyes.photos[1:])
    assert np.abs(white[..., 0] - (255 - drawn())).max() <= 1 and not black.any()


def test_a_face_that_was_changed_is_not_pointed_out_again_nor_an_opaque_photo_looked_through() -> None:
    eyes: Any = Eyes((), FACES[:1], FACES[:1])
    assert done(photo_of(drawn()), method("solid"), detector=eyes).status == "verified" and len(eyes.asked) == 3
    eyes = Eyes()
    done(photo_of(np.full((190, 400), 255, np.uint8)), method("solid"), detector=eyes)
    assert len(eyes.asked) == 1


def test_a_face_beyond_the_photo_levels_nothing() -> None:
    photo = photo_of(drawn())
    result = done(photo, method("solid"), (face_at(900, 900, 60),))
    assert result.after.alpha is not None and np.array_equal(result.after.alpha, drawn())
