"""What `restore` keeps of a photo's metadata, and that it says so; method, faces and judges are stand-ins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facestudio.cli.main import run
from facestudio.metadata import read_recipe
from facestudio.studio import Studio
from tests.fakes import SlowRestorer, face_at, picture

FACE = face_at(150, 150, 160)
ARTIST, EXPOSURE, CAMERA = 0x013B, 0x829A, 0x8769


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Studio, "prepare", lambda *of, **more: None)
    monkeypatch.setattr(Studio, "detect", lambda *of, **more: (FACE,))
    monkeypatch.setattr(Studio, "_restorer", lambda *of: SlowRestorer())
    monkeypatch.setattr(Studio, "_embedders", lambda self: [])
    monkeypatch.setattr(Studio, "_panel", lambda self: None)
    exif = Image.Exif()
    exif[ARTIST] = "Nobody Anywhere"
    exif.get_ifd(CAMERA)[EXPOSURE] = 0.5
    Image.fromarray(picture(300, 300, [FACE])).save(tmp_path / "a.jpg", exif=exif)
    return tmp_path / "a.jpg"


def restore(photo: Path, *more: Any) -> int:
    return run(["restore", str(photo), "-o", f"{photo.parent / 'out'}/", *map(str, more), "--device", "cpu"])


@pytest.mark.parametrize(
    ("given", "kept", "said"),
    [
        ((), (True, True), ""),
        (("--metadata", "keep"), (True, True), ""),
        (("--metadata", "technical"), (False, True), "it keeps how it was exposed"),
        (("--metadata", "strip"), (False, False), "Nothing of the photo's metadata is kept."),
    ],
)
def test_metadata_is_kept_as_asked(
    given: tuple[str, ...],
    kept: tuple[bool, bool],
    said: str,
    photo: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert restore(photo, *given) == 0
    out = capsys.readouterr().out
    assert said in out if said else "'s metadata" not in out
    written = photo.parent / "out" / "a.jpg"
    with Image.open(written) as image:
        exif = image.getexif()
        assert (exif.get(ARTIST) is not None, exif.get_ifd(CAMERA).get(EXPOSURE) is not None) == kept
    assert read_recipe(written) is not None


def test_another_word_is_refused(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert restore(photo, "--metadata", "none") == 2
    assert "--metadata takes keep, technical or strip, not none." in capsys.readouterr().err


def test_a_run_that_resumes_does_photos_again_that_kept_something_else(photo: Path) -> None:
    report = photo.parent / "report.jsonl"
    assert restore(photo, "--resume") == 0
    assert restore(photo, "--resume", "--metadata", "strip", "--report", report) == 1
    assert "made with other settings" in json.loads(report.read_text())["error"]
    assert restore(photo, "--resume", "--metadata", "strip", "--overwrite") == 0
    with Image.open(photo.parent / "out" / "a.jpg") as image:
        assert image.getexif().get(ARTIST) is None
