"""Where a command writes: a mistyped ending is told before anything is loaded, and a slash says that a folder is meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from facestudio.cli.main import run
from facestudio.errors import FaceStudioError
from facestudio.studio import Studio
from tests.fakes import picture, write_picture


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photo to work on; whatever would load networks says that it was reached instead."""

    def reached(self: Studio, *of: Any, **more: Any) -> None:
        raise FaceStudioError("Loading was reached.")

    monkeypatch.setattr(Studio, "prepare", reached)
    return write_picture(tmp_path / "a.jpg", picture(20, 20))


def command(name: str, photo: Path, out: str) -> list[str]:
    given = ["--count", "1"] if name == "generate" else [str(photo)]
    return [name, *given, "-o", out]


@pytest.mark.parametrize("name", ["restore", "anonymize", "generate"])
def test_a_mistyped_ending_is_refused(
    name: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jgp"
    assert run(command(name, photo, str(out))) == 2
    said = capsys.readouterr().err.replace("\n", " ")
    assert "out.jgp ends in .jgp, which is none of .jpg, .jpeg" in said
    assert "if a folder is meant, write a slash at its end" in said and "out.jgp/" in said
    assert os.listdir(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize("name", ["restore", "anonymize", "generate"])
@pytest.mark.parametrize("ending", [".jgp/", ".png/", ".2024", ".png", ""])
def test_everything_else_goes_on(
    name: str, ending: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(name, photo, f"{tmp_path / 'out'}{ending}")) == 1
    assert "Loading was reached." in capsys.readouterr().err
