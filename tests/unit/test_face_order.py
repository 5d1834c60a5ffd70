"""A face has one number: in the window, in the list and on the command line, and whether scratches are mended or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facestudio.cli.main import run
from facestudio.gui import list_work
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from tests.fakes import SlowRestorer, face_at, picture, write_picture

SMALL, SMALLER, HIDDEN = face_at(120, 250, 90), face_at(320, 250, 80), face_at(500, 150, 160)


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scratched photo; its largest face is found only once scratches are mended, and the others stand elsewhere then."""
    pixels = cv2.GaussianBlur(picture(360, 640, (SMALL, SMALLER, HIDDEN)), (0, 0), 0.7)
    cv2.line(pixels, (10, 350), (630, 300), (248, 248, 246), 2, cv2.LINE_AA)
    path = write_picture(tmp_path / "old.png", pixels)
    original = Photo.open(path).pixels

    def detect(self: Studio, photo: Photo, progress: Any = None, **more: Any) -> tuple[Any, ...]:
        return (SMALL, SMALLER) if np.array_equal(photo.pixels, original) else (HIDDEN, SMALLER, SMALL)

    monkeypatch.setattr(Studio, "prepare", lambda *of, **more: None)
    monkeypatch.setattr(Studio, "detect", detect)
    monkeypatch.setattr(Studio, "_restorer", lambda *of: SlowRestorer())
    monkeypatch.setattr(Studio, "_embedders", lambda self: [])
    monkeypatch.setattr(Studio, "_panel", lambda self: None)
    return path


def boxes(report: Path) -> list[list[float]]:
    return [face["box"] for face in json.loads(report.read_text())["faces"] if face["status"] == "restored"]


def near(found: list[list[float]], *faces: Any) -> bool:
    return len(found) == len(faces) and all(np.allclose(a, b.box, atol=1) for a, b in zip(found, faces, strict=True))


def test_the_command_line_numbers_faces_behind_scratches_after_the_others(photo: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.jsonl"
    command = ["restore", str(photo), "--device", "cpu", "--quiet", "--overwrite", "-o", f"{tmp_path / 'out'}/"]
    assert run([*command, "--report", str(report)]) == 0
    assert near(boxes(report), SMALL, SMALLER)
    assert run([*command, "--report", str(report), "--scratches", "strong"]) == 0
    assert near(boxes(report), SMALL, SMALLER, HIDDEN)
    assert run([*command, "--report", str(report), "--scratches", "strong", "--faces", "1"]) == 0
    assert near(boxes(report), SMALLER), "the face that `detect` calls 1"


def test_so_does_the_list_of_the_window(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []
    real = Studio.restore

    def watched(self: Studio, photo: Photo, faces: tuple[Any, ...], *rest: Any, **more: Any) -> Any:
        seen.append(faces)
        return real(self, photo, faces, *rest, **more)

    monkeypatch.setattr(Studio, "restore", watched)
    recipe = Recipe("starter-estimator", "quick", {}, 0, scratches="strong")
    list_work.restore_all(Studio("cpu"), [photo], tmp_path / "out", recipe, lambda path, words: None, Progress())
    assert near([list(face.box) for face in seen[0]], SMALL, SMALLER, HIDDEN)
