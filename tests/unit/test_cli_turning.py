"""`restore --turn`: what is refused, what it does to a photo and its recipe, and what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from facestudio.cli.main import run
from facestudio.faces.pose import estimate_pose
from facestudio.metadata import read_recipe
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from tests.fakes import SlowRestorer, face_at, fake_checkpoint, picture, write_picture
from tests.unit.test_regions import boxes, packet

UPRIGHT = face_at(100, 90, 100)
UPRIGHT = replace(UPRIGHT, pose=estimate_pose(UPRIGHT.landmarks))
SIZE = (220, 180)


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scan that lies on its side: it was turned by 90 degrees, and its face is found where it really is."""
    upright = picture(SIZE[1], SIZE[0], [UPRIGHT])
    lying = np.ascontiguousarray(np.rot90(upright, -1))

    def detect(self: Studio, photo: Photo, progress: Any = None, *, unsure: bool = False) -> Any:
        turns = [n for n in range(4) if np.array_equal(photo.pixels, np.rot90(upright, -n))]
        return tuple(UPRIGHT.turned(90 * n, SIZE) for n in turns)

    entry = fake_checkpoint("slow-checkpoint", method="methods.quick:Quick")
    made: dict[str, Any] = {
        "detect": detect,
        "prepare": lambda self, *of, **more: None,
        "restore_checkpoints": lambda self: [entry],
        "_restorer": lambda self, id: SlowRestorer(),
        "_embedders": lambda self: [],
        "_panel": lambda self: None,
        "own_judges": lambda self: (),
        "method_options": lambda self, id: SlowRestorer.Options,
    }
    for name, stand_in in made.items():
        monkeypatch.setattr(Studio, name, stand_in)
    return write_picture(tmp_path / "scan.png", lying)


def done(photo: Path, *flags: str) -> tuple[Photo, Recipe]:
    out = photo.parent / "out" / photo.name
    assert run(["restore", str(photo), "-o", str(out.parent) + "/", "--overwrite", *flags]) == 0
    return Photo.open(out), Recipe.from_json(read_recipe(out) or "")


def beside(photo: Photo) -> np.ndarray:
    """What no face is near to."""
    return photo.pixels[:, -40:]


def test_it_is_turned_clockwise_restored_and_recorded(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_it_was = photo.read_bytes()
    result, recipe = done(photo, "--turn", "270")
    assert result.size == SIZE and recipe.turn == 270
    assert np.array_equal(beside(result), beside(Photo.open(photo).turned(270)))
    assert "Turned by 270 degrees clockwise." in capsys.readouterr().out
    again = Studio("cpu").restore(Photo.open(photo), (UPRIGHT.turned(90, SIZE),), recipe)
    assert np.array_equal(again.after.pixels, result.pixels), "the recipe makes it again"
    assert photo.read_bytes() == as_it_was


def test_auto_sets_it_upright_by_its_face(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = photo.parent / "report.jsonl"
    result, recipe = done(photo, "--turn", "auto", "--report", str(report))
    assert result.size == SIZE and recipe.turn == 270
    assert "Turned by 270 degrees clockwise: the face lay on its side." in " ".join(capsys.readouterr().out.split())
    assert json.loads(report.read_text())["recipe"]["turn"] == 270
    write_picture(photo, Photo.open(photo).turned(270).pixels)
    result, recipe = done(photo, "--turn", "auto")
    assert result.size == SIZE and recipe.turn == 0
    assert "Not turned: the face stands upright." in capsys.readouterr().out


def test_faces_that_another_program_marked_turn_with_it(photo: Path) -> None:
    lying, texts = Photo.open(photo), PngInfo()
    left, top, right, bottom = (float(at) for at in UPRIGHT.turned(90, SIZE).box)
    texts.add_itxt("XML:com.adobe.xmp", packet((left, top, right, bottom), lying.size).decode())
    Image.fromarray(lying.pixels).save(photo, pnginfo=texts)
    done(photo, "--turn", "270")
    for area in boxes(photo.parent / "out" / photo.name):
        assert np.allclose(area, UPRIGHT.box, atol=1)


def test_without_it_nothing_is_turned_or_said(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, recipe = done(photo)
    assert result.size == SIZE[::-1] and recipe.turn == 0
    assert "urned" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--turn", "45"], "--turn takes 90, 180, 270 or auto, not 45."),
        (["--turn", "left"], "--turn takes 90, 180, 270 or auto, not left."),
        (["--turn", "auto", "--aligned"], "so --turn takes 90, 180 or 270, not auto"),
    ],
)
def test_what_makes_no_sense_is_refused(
    flags: list[str], words: str, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["restore", str(photo), "-o", str(photo.parent / "out.png"), *flags]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (photo.parent / "out.png").exists()
