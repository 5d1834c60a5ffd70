from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from facestudio.cli.console import Screen
from facestudio.cli.flags import _flag, method_fields, options_given, parse_box, parse_faces, with_method_options
from facestudio.cli.main import run
from facestudio.cli.report import detection_text, outcome_text
from facestudio.errors import UsageError
from facestudio.outcomes import Outcome
from facestudio.photo import Photo
from facestudio.pipeline import restore
from facestudio.studio import Studio
from facestudio.subject import Subject
from facestudio.training.export import dump
from tests.fakes import FakeEmbedder, SlowRestorer, face_at, fake_panel, picture, write_picture


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A manifest with one restorer and one embedder whose files are not there."""
    files = {"weights": {"path": "gone.safetensors", "sha256": "00", "bytes": 1}}
    common = {"licence": "none", "source": "starter", "config": {}, "files": files}
    tables = {
        "net": {"title": "Net", "method": "quick:Quick", "goal": "keep", "architecture": "a:A", **common},
        "eye": {"title": "Eye", "method": "", "goal": "none", "architecture": "b:B", **common},
    }
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "manifest.toml").write_text(dump({"checkpoints": tables}))
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(folder))
    return folder


@pytest.mark.parametrize(
    ("text", "faces"), [("all", None), ("largest", {0}), ("0", {0}), ("0,2", {0, 2}), (" 3 , 1", {1, 3})]
)
def test_faces_are_understood(text: str, faces: set[int] | None) -> None:
    assert parse_faces(text) == faces


@pytest.mark.parametrize("text", ["", "none", "1,", "-1", "0;2", "1.5"])
def test_other_words_for_faces_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--faces takes"):
        parse_faces(text)


def test_boxes_are_understood() -> None:
    assert parse_box("120,80.5, 180,160") == (120, 80.5, 180, 160)
    for text in ("", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1;2;3;4"):
        with pytest.raises(UsageError, match="--box takes left"):
            parse_box(text)


def test_only_what_was_given_counts() -> None:
    assert options_given({"strength": 0.0, "steps": None, "grey": False}) == {"strength": 0.0, "grey": False}


def test_a_methods_options_become_flags(weights: Path) -> None:
    assert set(method_fields({"keep"})) == {"strength", "grain"}
    seen: list[dict[str, Any]] = []

    def command(word: str, **options: Any) -> int:
        """Do it."""
        seen.append({"word": word, **options})
        return 0

    app = typer.Typer(rich_markup_mode=None)
    app.command()(with_method_options(command, "keep"))
    assert CliRunner().invoke(app, ["go", "--strength", "0.25"]).exit_code == 0
    assert CliRunner().invoke(app, ["go"]).exit_code == 0
    assert [each["strength"] for each in seen] == [0.25, None] and {each["word"] for each in seen} == {"go"}
    wrong = CliRunner().invoke(app, ["go", "--strength", "much"])
    assert wrong.exit_code == 2
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert "--strength" in text
    assert "[quick]" in text
    assert "Default: 1.0" in text


def test_without_a_manifest_help_still_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path / "nowhere"))
    assert method_fields({"keep"}) == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--faces", "some"], "--faces takes"),
        (["--faces", "1", "--aligned"], "each photo is one face"),
        (["--box", "1,2,3"], "--box takes left"),
        (["--box", "1,2,30,40", "--aligned"], "--box cannot add"),
        (["--strength", "2"], "Strength takes 0 to 1"),
        (["--method", "magic"], "available: quick (net)"),
        (["--format", "docx"], "docx is not known"),
        (["--seed", "-1"], "seed"),
        (["--no-such-flag"], "no-such-flag"),
    ],
)
def test_wrong_usage_is_one_sentence_and_code_2(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    photo = write_picture(tmp_path / "a.png", picture(60, 60))
    assert run(["restore", str(photo), "-o", str(tmp_path / "out"), *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_box_is_for_one_photo(weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = [str(write_picture(tmp_path / name, picture(60, 60))) for name in ("a.png", "b.png")]
    for command in (["detect"], ["restore", "-o", str(tmp_path / "out")]):
        assert run([*command, *photos, "--box", "1,2,30,40"]) == 2
        assert "2 photos were given" in capsys.readouterr().err


def test_missing_weights_are_code_1_with_the_next_move(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = write_picture(tmp_path / "a.png", picture(60, 60))
    assert run(["restore", str(photo), "-o", str(tmp_path / "out"), "--device", "cpu", "--quiet"]) == 1
    assert "starter-detector" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_weights_are_listed_and_verified(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "list", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["net"]["method"], rows["eye"]["method"], rows["net"]["here"]) == ("quick", "", False)
    assert run(["weights", "verify"]) == 1
    assert "net: missing" in capsys.readouterr().out
    assert run(["weights", "verify", "--json"]) == 1
    states = {row["id"]: row["state"] for row in json.loads(capsys.readouterr().out)}
    assert states == {"net": "missing", "eye": "missing"}


def test_what_cannot_be_exported_is_one_sentence(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "net.onnx")
    for id, code, words in (("net", 2, "net cannot be exported"), ("other", 1, "no weights called other")):
        assert run(["weights", "export", id, "-o", target]) == code
        assert words in capsys.readouterr().err
    assert run(["weights", "export", "net"]) == 2
    assert "output" in capsys.readouterr().err


def test_help_needs_no_torch(weights: Path) -> None:
    code = (
        "import sys; from facestudio.cli.main import run; assert run(['restore', '--help']) == 0; "
        "assert not {'torch', 'PySide6'} & set(sys.modules)"
    )
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "--strength" in done.stdout


def test_compare_without_a_recogniser_is_no_success(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(write_picture(tmp_path / "a.png", picture(60, 60)))
    assert run(["compare", photo, photo, "--device", "cpu", "--quiet"]) == 1
    assert "No recogniser is installed" in capsys.readouterr().err


def test_compare_says_what_a_chance_is_the_chance_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Studio, "_embedders", lambda self: [FakeEmbedder("one"), FakeEmbedder("two")])
    monkeypatch.setattr(Studio, "_panel", lambda self: fake_panel(["one", "two"], [0.9]))
    monkeypatch.setattr(Studio, "detect", lambda self, photo, progress: (face_at(80, 80, 100),))
    photos = [write_picture(tmp_path / f"{seed}.png", picture(160, 160, [], seed)) for seed in (1, 2)]
    assert run(["compare", *map(str, photos), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Different people (") and said.count("%") == 5, said
    assert len(re.findall(r"\d+% chance that both faces are the same person", said)) == 3, "of all, and of each"


def test_what_of_a_photo_is_left_out_is_said(tmp_path: Path) -> None:
    first, second = (Image.fromarray(picture(130, 150, [face_at(70, 60, 90)], seed)) for seed in (1, 2))
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[second])
    photo = Photo.open(tmp_path / "moving.gif")
    assert "animation" in detection_text(tmp_path / "moving.gif", (), photo)
    result = restore(Subject(photo, (face_at(70, 60, 90),)), SlowRestorer())
    said = outcome_text(Outcome(tmp_path / "moving.gif", tmp_path / "out.jpg", "ok", None, 1.0, result=result))
    assert "animation" in said


def test_where_no_face_was_found_the_box_is_named(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    assert "--box" in detection_text(path, ())
    assert "--box" not in detection_text(path, (face_at(70, 60, 90),))


def test_a_name_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().say("a\x1b[31m.jpg: 1 face\n  0: 20 x 20 px")
    Screen().complain("b\x1b[31m\n\udcff.jpg is damaged.")
    said = capsys.readouterr()
    assert said.out == "a\\x1b[31m.jpg: 1 face\n  0: 20 x 20 px\n"
    assert said.err == "Error: b\\x1b[31m\\n\\udcff.jpg is damaged.\n"


def test_a_result_does_not_run_into_the_bar() -> None:
    shown = io.StringIO()
    screen = Screen()
    screen._out, screen._err = (
        Console(file=shown, force_terminal=True, width=100, _environ={"TERM": "xterm"}) for _ in range(2)
    )
    with screen.progress() as progress:
        for name in progress.track(["a.jpg", "b.jpg"], "Photos"):
            screen.say(f"{name} is done")
    for name in ("a.jpg", "b.jpg"):
        assert f"\x1b[2K{name} is done\n" in shown.getvalue()  # the bar is wiped away first


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("facestudio ")
    assert run(["restore", "-h"]) == 0
    assert "--overwrite" in capsys.readouterr().out


def test_steps_of_lcm_say_their_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["generate", "-o", str(tmp_path / "out"), "--sampler", "lcm", "--steps", "60", "--device", "cpu"]
    assert run(asked) == 2
    assert capsys.readouterr().err.startswith("Error: Steps takes at most 50 with sampler lcm, not 60.")
    assert not (tmp_path / "out").exists()
    field, _ = method_fields({"create"})["steps"]
    assert "From 1 to 250, at most 50 with sampler lcm." in _flag("steps", field, {"arc2face": 25}).help


def test_the_help_says_where_methods_differ_in_their_default() -> None:
    field, defaults = method_fields({"change"})["takes"]
    assert defaults == {"decouple": 3, "redraw": 1}
    assert _flag("takes", field, defaults).help.endswith("Default: 3 (redraw 1).")
    field, defaults = method_fields({"change"})["hair"]
    assert _flag("hair", field, defaults).help.endswith("Default: True.")


@pytest.mark.parametrize("command", [["restore"], ["anonymize", "--fallback", "none"]])
@pytest.mark.parametrize(
    ("given", "idle"), [(["--eta", "0.2"], True), (["--eta", "0.2", "--sampler", "ddim"], False), ([], False)]
)
def test_an_option_that_has_no_effect_is_told(
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    idle: bool,
    command: list[str],
) -> None:
    manifest = weights / "manifest.toml"
    goal = "keep" if command[0] == "restore" else "change"
    table = manifest.read_text().replace("quick:Quick", "difface:DifFace").replace('"keep"', f'"{goal}"')
    manifest.write_text(table)
    photo = write_picture(tmp_path / "a.png", picture(60, 60))
    assert run([*command, str(photo), "-o", str(tmp_path / "out"), "--device", "cpu", *given]) == 1  # no weights
    assert ("Note: --eta has no effect with sampler dpm." in capsys.readouterr().err) is idle
    field, _ = method_fields({goal})["eta"]
    assert "Only with sampler ddim." in _flag("eta", field, {"difface": field.default}).help
