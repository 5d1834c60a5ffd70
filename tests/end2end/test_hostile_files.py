"""Every bad or odd file gives its picture or its one sentence: no traceback, no warning, nothing half written."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import numpy as np
import pytest

from facestudio.errors import PhotoError
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from tests.end2end.hostile_corpus import Case, build

RECIPE = Recipe("some-checkpoint", "quick", {"strength": 0.5}, 3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return build(tmp_path_factory.mktemp("corpus"))


def test_the_corpus_is_large_enough(corpus: list[Case]) -> None:
    assert len({case.path for case in corpus}) == len(corpus) >= 60


def test_every_file_gives_its_picture_or_its_sentence(
    corpus: list[Case], tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    problems = [f"{case.name}: {problem}" for case in corpus for problem in _problems(case, tmp_path)]
    assert not problems, "\n" + "\n".join(problems)
    out, err = capfd.readouterr()
    assert (out, err) == ("", ""), "decoders write on the screen"
    assert not caplog.records


def _problems(case: Case, out: Path) -> list[str]:
    """What is wrong with how `case` was treated."""
    before = sorted(os.listdir(case.path.parent)) if case.path.parent.is_dir() else []
    try:
        photo = Photo.open(case.path)
    except PhotoError as error:
        return _sentence_problems(case, error)
    if case.error and not case.either:
        return [f"opened as {photo.size}, but should say {case.error!r}"]
    problems = []
    if photo.size != case.size and not case.either:
        problems.append(f"is {photo.size} instead of {case.size}")
    if case.colour is not None and np.abs(photo.pixels[0, 0].astype(int) - case.colour).max() > case.tolerance:
        problems.append(f"is {photo.pixels[0, 0]} instead of {case.colour}")
    if case.note and not any(case.note in note for note in photo.notes):
        problems.append(f"has the notes {photo.notes} without {case.note!r}")
    if not case.either and (photo.alpha is not None) != case.alpha:
        problems.append("has alpha" if photo.alpha is not None else "has lost its alpha")
    problems += _round_trip_problems(photo, out)
    if before != (sorted(os.listdir(case.path.parent)) if case.path.parent.is_dir() else []):
        problems.append("changed its folder")
    return problems


def _sentence_problems(case: Case, error: PhotoError) -> list[str]:
    sentence = str(error)
    problems = []
    if not case.error:
        problems.append(f"did not open: {sentence} ({error.__cause__!r})")
    elif case.error not in sentence:
        problems.append(f"says {sentence!r} ({error.__cause__!r}) without {case.error!r}")
    if not re.fullmatch(r"[^\n]{5,200}\.", sentence) or not sentence.isprintable():
        problems.append(f"is not one plain sentence: {sentence!r}")
    if not error.hint.endswith("."):
        problems.append(f"has no next move: {error.hint!r}")
    sentence.encode("utf-8")
    return problems


def _round_trip_problems(photo: Photo, out: Path) -> list[str]:
    """Save as its own format, with something changed in it, and read it again."""
    changed = photo.pixels.copy()
    changed[: photo.size[1] // 2 + 1] = 255 - changed[: photo.size[1] // 2 + 1]
    target = out / "saved"
    saved = photo.with_pixels(changed).save(target, recipe=RECIPE, overwrite=True)
    again = Photo.open(saved)
    problems = []
    if sorted(os.listdir(out)) != ["saved"]:
        problems.append(f"left {os.listdir(out)}")
    if again.format != photo.format or again.size != photo.size:
        problems.append(f"came back as {again.format} {again.size}, not {photo.format} {photo.size}")
    if (again.alpha is None) != (photo.alpha is None) and photo.format not in ("JPEG", "BMP"):
        problems.append("lost its alpha when saved")
    if again.metadata.orientation != 1:
        problems.append("would be turned twice")
    return problems
