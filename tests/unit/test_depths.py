"""Faces that only 16 bits show, in deep shadows or bright lights: pointed out, and written with no more than 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio.faces.depths import in_depths
from facestudio.photo import Photo
from tests.deep_files import deepened, read_deep, write_deep
from tests.fakes import face_at, picture
from tests.unit.test_anonymizing import Eyes, done, method

SIZE = (200, 300)
FACE = face_at(90, 100, 100)


def scan(path: Path, levels: float, lights: bool = False, grey: bool = False) -> Photo:
    """A photo half of which is a drawn face squeezed into so many levels of 8 bits, at the dark or the light end."""
    samples = deepened(np.full((*SIZE, 3), 120, np.uint8))
    squeezed = (picture(SIZE[0], 150, [FACE]) * (levels * 256 / 255)).astype(np.uint16)
    samples[:, :150] = 65535 - round(levels * 256) + squeezed if lights else squeezed
    return Photo.open(write_deep(path, samples[..., 1] if grey else samples))


@pytest.mark.parametrize("lights", [False, True])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("levels", [15, 2])
def test_what_lies_in_shadows_or_lights_is_shown(tmp_path: Path, levels: float, grey: bool, lights: bool) -> None:
    photo = scan(tmp_path / "a.png", levels, lights, grey)
    (seen,) = in_depths(photo)
    drawn = picture(SIZE[0], 150, [FACE]).astype(float)
    shown = seen[:, :150, 1] if grey else seen[:, :150]
    drawn = drawn[..., 1] if grey else drawn
    assert np.corrcoef(shown.ravel(), drawn.ravel())[0, 1] > 0.98
    assert np.unique(shown).size > 25, "finer than in 8 bits"
    assert (seen[:, 150:] == (0 if lights else 255)).all(), "and nothing else"


def test_a_photo_without_deep_shadows_or_of_8_bits_is_not_looked_at_again(tmp_path: Path) -> None:
    bright = Photo.open(write_deep(tmp_path / "a.png", deepened(np.full((*SIZE, 3), 120, np.uint8))))
    few = np.full((*SIZE, 3), 120, np.uint8)
    few[::4, ::4] = few[50:60, 50:60] = 3
    speckled = Photo.open(write_deep(tmp_path / "b.png", deepened(few)))
    black = Photo.from_pixels(np.zeros((*SIZE, 3), np.uint8))
    for photo in (bright, speckled, black, scan(tmp_path / "c.png", 2).enlarged(2)):
        assert not list(in_depths(photo))
    eyes: Any = Eyes()
    done(bright, method("solid"), (), detector=eyes)
    assert len(eyes.asked) == 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_face_that_only_the_shadows_show_is_pointed_out_and_loses_its_lower_bytes(
    tmp_path: Path, suffix: str
) -> None:
    photo = scan(tmp_path / f"a.{suffix}", 4)
    eyes: Any = Eyes((), (FACE,))
    result = done(photo, method("solid"), (), detector=eyes)
    assert result.status == "needs review" and result.missed == (FACE,) and len(eyes.asked) == 2
    before = read_deep(tmp_path / f"a.{suffix}")
    after = read_deep(result.after.save(tmp_path / f"b.{suffix}", metadata_policy="strip"))
    left, top, right, bottom = np.rint(FACE.box).astype(int)
    face = after[top:bottom, left:right]
    assert np.array_equal(face & 255, face >> 8) and np.unique(face).size <= 5
    assert np.array_equal(after >> 8, before >> 8), "in 8 bits it is what it was"
    assert np.array_equal(after[:, 200:], before[:, 200:]), "and the rest keeps 16"


def test_a_face_that_was_hidden_is_not_pointed_out_again(tmp_path: Path) -> None:
    photo = scan(tmp_path / "a.png", 4)
    eyes: Any = Eyes((), (FACE,))
    result = done(photo, method("solid"), (FACE,), detector=eyes)
    assert result.missed == () and len(eyes.asked) == 2
