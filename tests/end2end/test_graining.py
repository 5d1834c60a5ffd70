"""Grain of a photo on the command line, with the weights that ship: the restored face has it, where that is asked for.

The photo is the public-domain portrait of scikit-image, with grain.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facestudio.cli.main import run
from facestudio.metadata import read_recipe

data = pytest.importorskip("skimage").data
FACE = [(slice(y, y + 10), slice(x, x + 10)) for y in range(70, 160, 10) for x in range(180, 260, 10)]


def rough(path: Path) -> float:
    """How much what is fine deviates in the plainest quarter of the face in `path`."""
    with Image.open(path) as image:
        grey = np.asarray(image.convert("L")).astype(np.float32)
    fine: np.ndarray = grey - cv2.GaussianBlur(grey, (0, 0), 2)
    return float(np.percentile([fine[part].std() for part in FACE], 12))


def test_the_face_has_the_grain_of_its_photo_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = data.astronaut()[:400, :400].copy()
    noise = np.random.default_rng(0).standard_normal((400, 400, 1)) * 12
    source, report = tmp_path / "film.png", tmp_path / "report.jsonl"
    Image.fromarray(np.rint(clean + noise).clip(0, 255).astype(np.uint8)).save(source)

    off, on = tmp_path / "off.png", tmp_path / "on.png"
    assert run(["restore", str(source), "-o", str(off), "--quiet"]) == 0
    assert "photo_grain" not in json.loads(read_recipe(off) or "")
    assert run(["restore", str(source), "-o", str(on), "--photo-grain", "match", "--report", str(report)]) == 0
    assert json.loads(read_recipe(on) or "")["photo_grain"] == "match"
    assert json.loads(report.read_text())["faces"][0]["grain"] == pytest.approx(12, rel=0.3)
    assert rough(on) > 1.4 * rough(off)
    assert "Grain: that of the photo was laid over 1 face (" in capsys.readouterr().out


def test_another_word_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", "a.png", "-o", str(tmp_path / "out"), "--photo-grain", "some"]) == 2
    assert "--photo-grain takes match or off, not some." in capsys.readouterr().err
