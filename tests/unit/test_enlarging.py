"""A photo made larger: the faces restored at the new size, the rest resampled plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from facestudio import pipeline, studio
from facestudio.errors import UsageError
from facestudio.faces.align import align
from facestudio.faces.face import FFHQ_256
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from tests.fakes import SlowRestorer, face_at, photo_of, picture

FACE = face_at(70, 90, 90, turn=15)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "RGBA"])
def test_a_file_stays_what_it_was_but_larger(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    Image.fromarray(picture(60, 80)).convert(mode).save(path)
    photo = Photo.open(path)
    larger = photo.enlarged(2)
    assert larger.size == (160, 120) and photo.size == (80, 60)
    saved = tmp_path / f"larger{path.suffix}"
    larger.save(saved)
    with Image.open(saved) as image, Image.open(path) as source:
        assert image.mode == mode and image.size == (160, 120)
        wanted = cv2.resize(np.asarray(source), (160, 120), interpolation=cv2.INTER_LANCZOS4)
        assert np.array_equal(np.asarray(image), wanted), "in the file's own colours, converted nowhere"


def test_once_is_the_photo_itself_and_too_large_is_refused() -> None:
    photo = Photo.from_pixels(picture(60, 80))
    assert photo.enlarged(1) is photo
    with pytest.raises(UsageError, match="megapixels"):
        photo.enlarged(4, max_megapixels=0.05)


def test_a_face_is_the_same_in_the_larger_photo() -> None:
    photo = Photo.from_pixels(picture(180, 200, [FACE]))
    one = align(photo, FACE, FFHQ_256).pixels.astype(int)
    two = align(photo.enlarged(2), FACE.enlarged(2), FFHQ_256).pixels.astype(int)
    assert np.abs(one - two).mean() < 2, "a shift of half a pixel would show at every edge"
    assert FACE.enlarged(2).interocular == pytest.approx(2 * FACE.interocular)


class OneMethod(Studio):
    """The real façade with a method without weights and nobody who judges."""

    def _restorer(self, checkpoint_id: str) -> Any:
        return SlowRestorer()

    def _embedders(self) -> list[Any]:
        return []

    def _panel(self) -> None:
        return None


def test_the_facade_enlarges_as_the_recipe_says(tmp_path: Path) -> None:
    photo = photo_of(tmp_path / "photo.png", picture(180, 200, [FACE]))
    recipe = Recipe("slow-checkpoint", "slow", upscale=2)
    result = OneMethod("cpu").restore(photo, (FACE,), recipe)
    assert result.recipe.upscale == 2 and Recipe.from_json(result.recipe.to_json()) == result.recipe
    assert result.before.size == result.after.size == (400, 360)
    assert np.array_equal(result.after.pixels[:, 300:], photo.enlarged(2).pixels[:, 300:]), "resampled plainly"
    assert (
        np.abs(result.after.pixels[170:190, 130:150].astype(int) - result.before.pixels[170:190, 130:150]).mean() > 20
    )
    assert result.faces[0].face.interocular == pytest.approx(2 * FACE.interocular)
    assert "upscale" not in OneMethod("cpu").restore(photo, (FACE,), Recipe("slow-checkpoint", "slow")).recipe.to_json()


def test_what_was_made_larger_has_no_detail_to_lose(tmp_path: Path) -> None:
    face = face_at(150, 150, 200)
    photo = photo_of(tmp_path / "photo.png", picture(300, 300, [face]))
    result = OneMethod("cpu").restore(photo, (face,), Recipe("slow-checkpoint", "slow", upscale=2))
    assert result.faces[0].aligned_before is not None and result.faces[0].aligned_before.scale < pipeline.SHRUNK
    assert not any("larger than" in note for note in result.faces[0].notes)


def test_the_largest_photo_that_may_be_made_is_the_studios(tmp_path: Path) -> None:
    photo = photo_of(tmp_path / "photo.png", picture(180, 200, [FACE]))
    small = OneMethod("cpu", max_megapixels=0.1)
    with pytest.raises(UsageError, match="at most 0.1"):
        small.restore(photo, (FACE,), Recipe("slow-checkpoint", "slow", upscale=4))
    assert studio.Studio("cpu").max_megapixels == 150
