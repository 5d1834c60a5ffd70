"""Where a command writes, and what it says: a mistyped ending is told before anything is loaded, a slash says that a folder is
meant, no name of a file can look like something else, and words that nobody can be told are an error in one sentence.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from facestudio.cli.main import run
from facestudio.cli.report import detection_text, outcome_text, run_text
from facestudio.errors import FaceStudioError
from facestudio.outcomes import Outcome
from facestudio.planning import LeftOut
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
    assert "if you mean a folder, end its name with a slash" in said and "out.jgp/" in said
    assert os.listdir(tmp_path) == ["a.jpg"]


@pytest.mark.parametrize("name", ["restore", "anonymize", "generate"])
@pytest.mark.parametrize("ending", [".jgp/", ".png/", ".2024", ".png", ""])
def test_everything_else_goes_on(
    name: str, ending: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command(name, photo, f"{tmp_path / 'out'}{ending}")) == 1
    assert "Loading was reached." in capsys.readouterr().err


@pytest.mark.parametrize("given", [["", "-o", "out"], ["a.jpg", "-o", ""]])
@pytest.mark.parametrize("name", ["restore", "anonymize"])
def test_an_empty_name_is_not_the_folder_one_is_in(
    name: str,
    given: list[str],
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(photo.parent)
    assert run([name, *given]) == 2
    assert "file or folder name is empty" in capsys.readouterr().err
    assert os.listdir(photo.parent) == ["a.jpg"]


def test_a_name_that_begins_with_a_dash_is_explained(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photo.parent)
    photo.rename("-x.jpg")
    assert run(["restore", "-x.jpg", "-o", "out"]) == 2
    assert "Write ./ in front of a file name" in capsys.readouterr().err
    assert run(["restore", "-y.jpg", "-o", "out"]) == 2
    assert "./" not in capsys.readouterr().err
    assert run(["restore", "./-x.jpg", "-o", "out"]) == 1  # as far as loading


def test_a_name_of_two_lines_stays_on_one(tmp_path: Path) -> None:
    name = Path("a\n  face 0: Same person\x1b[31m.jpg")
    for text in (
        outcome_text(Outcome(name, tmp_path / name, "ok", None, 1.0)),
        run_text([], [LeftOut(name, "Not a photo, judging by its name.")]).partition("left out:\n")[2],
        detection_text(name, ()).partition("\n")[0],
    ):
        assert "\n" not in text and "\x1b" not in text and "a\\n  face 0" in text


def test_a_run_over_several_photos_is_summed_up() -> None:
    came = [Outcome(Path(f"{n}.jpg"), None, status, None, 1.0) for n, status in enumerate(["ok", "ok", "failed"])]
    came.append(Outcome(Path("3.jpg"), None, "skipped", "No face.", 1.0, earlier={"faces": []}))
    left = [LeftOut(Path(f"{n}.nef"), "Not a photo, judging by its name.") for n in range(25)]
    said = run_text(came, left).split("\n")
    assert said[0] == "4 photos: 2 restored, 1 failed, 1 without a face; 1 done before"
    assert said[1:3] == ["25 left out:", "  0.nef: Not a photo, judging by its name."] and said[-1] == "  and 5 more"
    assert run_text(came[:1], []) == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_words_that_cannot_be_told_are_an_error_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert run(["--version"]) == 1
    assert "Error: The output cannot be written: no space left on device." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["restore", "anonymize", "generate"])
@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("a.jpg/out", "The output a.jpg/out cannot be made: a.jpg is a file, and no folder."),
        ("a.jpg/out.png", "The output a.jpg/out.png cannot be made: a.jpg is a file, and no folder."),
        ("y" * 300, "is too long for this computer."),
        ("gone", "The output gone is a link to something that is not there; name a folder."),
    ],
)
def test_an_output_that_cannot_be_is_told_before_anything_is_loaded(
    name: str,
    out: str,
    words: str,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(photo.parent)
    os.symlink("nowhere/deep", "gone")
    assert run(command(name, Path("a.jpg"), out)) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert sorted(os.listdir()) == ["a.jpg", "gone"]


@pytest.mark.parametrize("name", ["restore", "anonymize", "generate"])
def test_a_folder_that_nobody_may_write_into_is_told_before_anything_is_loaded(
    name: str,
    photo: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    locked, asked = photo.parent / "locked", os.access
    locked.mkdir()
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) != locked and asked(path, mode)
    )  # root may write all
    for out in (locked, locked / "deep" / "out", locked / "out.png"):
        assert run(command(name, photo, str(out))) == 1
        assert "Cannot write into the folder locked: you have no permission" in capsys.readouterr().err
    assert not os.listdir(locked)


@pytest.mark.parametrize("name", ["restore", "anonymize"])
def test_a_folder_without_photos_is_said_to_be_one(
    name: str, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "texts" / "empty").mkdir(parents=True)
    (tmp_path / "texts" / "a.txt").write_text("no photo")
    assert run([name, str(tmp_path / "texts" / "empty"), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.rstrip().endswith("/texts/empty.")
    assert run([name, str(tmp_path / "texts"), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.rstrip().endswith("/texts, among 1 other thing.")


def test_photos_of_one_name_are_told_how_they_go_together(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Studio, "prepare", lambda *of, **more: None)
    monkeypatch.setattr(Studio, "detect", lambda *of, **more: ())
    other = write_picture(tmp_path / "other" / "a.jpg", picture(20, 20))

    def nobody(*of: Any, **more: Any) -> None:
        raise FaceStudioError("Restoring was reached.")

    monkeypatch.setattr(Studio, "restore", nobody)
    assert run(["restore", str(photo), str(other), "-o", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.count("Restoring was reached.") == 1
    assert "Name the folder that contains both" in said
