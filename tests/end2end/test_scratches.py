"""Scratches of an old photo on the command line, with the weights that ship: mended when asked to, and said in words.

The photo is the public-domain portrait of scikit-image, with drawn scratches.
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


def distance(path: Path, clean: np.ndarray) -> float:
    """Mean squared error of the picture in `path`, outside of the face, which is restored either way."""
    with Image.open(path) as image:
        off = (np.asarray(image).astype(float) - clean) ** 2
    off[20:190, 150:290] = 0
    return float(off.mean())


def test_scratches_are_mended_when_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = data.astronaut()[:400, :400].copy()
    old = clean.copy()
    for start, end, tone in (((10, 390), (390, 240), 245), ((60, 5), (20, 330), 250), ((300, 20), (390, 380), 240)):
        cv2.line(old, start, end, (tone,) * 3, 2, cv2.LINE_AA)
    source, report = tmp_path / "old.png", tmp_path / "report.jsonl"
    Image.fromarray(old).save(source)

    assert run(["restore", str(source), "-o", str(tmp_path / "left.png"), "--quiet"]) == 0
    assert "scratches" not in (read_recipe(tmp_path / "left.png") or "")
    capsys.readouterr()
    flags = ["--scratches", "careful", "--report", str(report)]
    assert run(["restore", str(source), "-o", str(tmp_path / "mended.png"), *flags]) == 0
    assert "of the photo mended." in capsys.readouterr().out
    assert distance(tmp_path / "mended.png", clean) < 0.5 * distance(tmp_path / "left.png", clean)

    record = json.loads(report.read_text())
    assert record["mended"]["scratches"] == "careful" and 0.001 < record["mended"]["share"] < 0.06
    recipe = json.loads(read_recipe(tmp_path / "mended.png") or "")
    assert recipe["scratches"] == "careful" and recipe == record["recipe"]


def test_another_word_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", "a.png", "-o", str(tmp_path / "out"), "--scratches", "wild"]) == 2
    assert "--scratches takes off, careful or strong, not wild." in capsys.readouterr().err


def test_a_scratched_landscape_is_mended_and_nothing_is_said_of_identity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = np.full((300, 400, 3), 110, np.uint8)
    old += np.linspace(0, 40, 400).astype(np.uint8)[None, :, None]
    plain = old.copy()
    for start, end in (((10, 290), (390, 40)), ((60, 5), (120, 290))):
        cv2.line(old, start, end, (247, 247, 247), 2, cv2.LINE_AA)
    (tmp_path / "in").mkdir()
    for name, pixels in (("hills.png", old), ("plain.png", plain)):
        Image.fromarray(pixels).save(tmp_path / "in" / name)
    report = tmp_path / "report.jsonl"
    flags = ["--scratches", "careful", "--report", str(report)]

    assert run(["restore", str(tmp_path / "in" / "hills.png"), "-o", str(tmp_path / "one.png"), *flags]) == 0
    said = capsys.readouterr().out
    assert "of the photo mended." in said and "No face was found: scratches were mended and nothing else" in said
    record = json.loads(report.read_text())
    assert record["status"] == "mended" and record["faces"] == [] and record["error"] is None
    with Image.open(tmp_path / "one.png") as image:
        assert np.abs(np.asarray(image).astype(int) - plain).max() < 30, "nothing is left of them"

    assert run(["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), *flags]) == 1
    told = capsys.readouterr()
    assert "2 photos: 1 only mended, 1 without a face" in told.out
    assert "Neither a face nor a scratch was found" in told.err
    assert [path.name for path in (tmp_path / "out").rglob("*.png")] == ["hills.png"]
