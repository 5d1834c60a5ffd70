"""Half-readable scans on the command line, with the weights that ship: refused unless --salvage, then said to be incomplete.

The photo is the public-domain portrait of scikit-image, twice beside one another, the right one lower.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facestudio.cli.main import run
from facestudio.metadata import read_recipe

data = pytest.importorskip("skimage").data


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG that is cut off within the second of its two faces."""
    face = np.asarray(Image.fromarray(data.astronaut()[0:260, 100:340]).resize((192, 208)))
    pixels = np.full((400, 420, 3), 90, dtype=np.uint8)
    pixels[10:218, 10:202], pixels[180:388, 215:407] = face, face
    whole = tmp_path_factory.mktemp("scan") / "scan.png"
    Image.fromarray(pixels).save(whole, compress_level=0)
    content = whole.read_bytes()
    whole.write_bytes(content[: int(len(content) * 0.7)])
    return whole


def record_of(text: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(text)
    return record


def test_a_damaged_scan_is_refused_and_the_flag_is_named(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["detect", str(scan)], ["restore", str(scan), "-o", str(tmp_path / "out")]):
        assert run(command) == 1
        said = capsys.readouterr().err
        assert "scan.png is damaged or incomplete." in said and "--salvage" in said
    assert run(["compare", str(scan), str(scan)]) == 1 and "--salvage" in capsys.readouterr().err
    assert run(["anonymize", str(scan), "--method", "solid", "-o", str(tmp_path / "hidden")]) == 1
    assert "--salvage" not in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.png"))


def test_what_is_readable_is_restored_and_the_rest_is_left(
    scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["detect", str(scan), "--salvage", "--json"]) == 0
    record = record_of(capsys.readouterr().out)
    assert "70% of the picture could be read" in record["damage"]
    notes = [face["notes"] for face in record["faces"]]
    assert sorted(map(len, notes)) == [0, 1] and any("Incomplete: " in note for each in notes for note in each)

    out, report = tmp_path / "out", tmp_path / "report.jsonl"
    assert run(["restore", str(scan), "-o", str(out), "--salvage", "--report", str(report)]) == 0
    said = capsys.readouterr().out
    assert "The file is damaged: 70% of the picture could be read" in said
    assert "Incomplete: " in said and "so it was not restored" in said
    record = record_of(report.read_text())
    assert sorted(face["status"] for face in record["faces"]) == ["restored", "skipped"]
    recipe = record_of(read_recipe(out / "scan.png") or "")
    assert 0.65 < recipe["salvaged"] < 0.75 and recipe == record["recipe"]
    with Image.open(out / "scan.png") as image:
        after = np.asarray(image)
    assert not after[290:].any(), "what could not be read was made up"

    assert run(["compare", str(scan), str(scan), "--salvage"]) == 0
    assert "The file is damaged" in capsys.readouterr().out
