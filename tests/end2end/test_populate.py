"""`generate --identities` as a researcher uses it: with the weights that ship, and with requests that make no sense."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facestudio import xmp
from facestudio.checkpoints import checkpoint
from facestudio.cli.main import run
from facestudio.faces.calibration import threshold_at
from facestudio.metadata import read_recipe


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_people_who_do_not_exist_with_the_weights_that_ship(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    asked = ["generate", "--identities", "2", "--per-identity", "2", "--steps", "3", "-o", str(out)]
    code = run([*asked, "--shard", "1/2"])
    assert sorted(os.listdir(out)) == ["0001", "embeddings.npz", "identities.csv", "images.csv", "report.html"]
    assert "Not there yet: 1 person" in capsys.readouterr().out
    first = (out / "0001" / "001.png").read_bytes()
    code |= run([*asked, "--resume", "--quiet"])
    assert (out / "0001" / "001.png").read_bytes() == first
    assert sorted(os.listdir(out / "0002")) == ["000.png", "001.png", "person.json"]
    people, pictures = table(out / "identities.csv"), table(out / "images.csv")
    assert [row["person"] for row in people] == ["0001", "0002"] and len(pictures) == 4
    assert code == int(any(row["remark"] for row in pictures))
    judges = {name.removesuffix(" closest other") for name in people[0] if name.endswith(" closest other")}
    assert judges and "starter-embedder-a" not in judges, "it is what the prior listens to"
    threshold = threshold_at(checkpoint("starter-embedder-a").calibration, 1e-3)
    for row in people:
        assert float(row["nearest other person"]) < threshold and float(row["nearest training person"]) < 0.5
    assert sum(row["face found"] == "yes" for row in pictures) >= 3
    for name in ("age", "gender", "hair", "beard", "glasses", "smile", "mouth"):
        assert all(bool(row[name]) == (row["face found"] == "yes") for row in pictures)
        assert all(abs(float(row[name])) < 6 for row in pictures if row[name])
    with np.load(out / "embeddings.npz", allow_pickle=False) as arrays:
        assert {"identities", "people", "pictures", *judges} == set(arrays)
    with Image.open(out / "0002" / "000.png") as image:
        assert image.size == (256, 256) and xmp.source_type_of(image.info["xmp"]) == xmp.AI_CREATED
    said = json.loads(read_recipe(out / "0002" / "000.png") or "")
    assert said["dataset"] == {"number": 2, "seed": 0} and str(said["seed"]) == pictures[2]["seed"]
    page = (out / "report.html").read_text()
    assert "2 people who do not exist" in page and "parts" in page and "src=" not in page
    assert run([*asked, "--resume", "--quiet", "--seed", "1"]) == 2
    assert "other settings (seed)" in capsys.readouterr().err


def test_sliders_move_everybody_of_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    asked = ["generate", "--identities", "1", "--per-identity", "2", "--steps", "3", "-o", str(out), "--quiet"]
    assert run([*asked, "--slider", "yaw=0.5"]) in (0, 1)
    said = json.loads(read_recipe(out / "0001" / "000.png") or "")
    assert said["sliders"] == {"yaw": 0.5} and "yaw 0.5" in (out / "report.html").read_text()
    assert run([*asked, "--resume"]) == 2
    assert "other settings (sliders, weights)" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--identities", "2", "--from", "photo.png"], 2, "--from is for single pictures"),
        (["--identities", "2", "--count", "4"], 2, "--count is for single pictures"),
        (["--identities", "2", "--face", "1"], 2, "--face is for single pictures"),
        (["--identities", "2", "--report", "report.jsonl"], 2, "--report is for single pictures"),
        (["--identities", "2", "--shard", "3"], 2, "such as 3/8"),
        (["--identities", "2", "--shard", "3/2"], 2, "no part 3 of 2"),
        (["--identities", "2", "--shard", "1/3"], 2, "2 people cannot be drawn in 3 parts"),
        (["--identities", "2", "--format", "jpg"], 2, "lossless"),
        (["--identities", "0"], 2, "--identities"),
        (["--identities", "2", "--vary", "0.9"], 2, "--vary"),
        (["--identities", "2", "--method", "no-such"], 2, "available: arc2face"),
        (["--per-identity", "4"], 2, "--per-identity works only with a dataset"),
        (["--shard", "1/2"], 2, "--shard works only with a dataset"),
        (["--resume"], 2, "--resume works only with a dataset"),
        (["--tries", "2"], 2, "--tries works only with a dataset"),
        (["--vary", "0.1"], 2, "--vary works only with a dataset"),
    ],
)
def test_requests_that_make_no_sense_end_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    assert run(["generate", "-o", str(tmp_path / "out"), *arguments]) == code
    assert words in capsys.readouterr().err.replace("\n", " ")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("flags", [[], ["--resume"], ["--overwrite"], ["--shard", "1/2"]])
def test_a_folder_with_other_pictures_is_no_place_for_a_dataset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    (tmp_path / "holiday.png").write_bytes(b"mine")
    assert run(["generate", "--identities", "2", "-o", str(tmp_path), *flags]) == 2
    said = capsys.readouterr().err.replace("\n", " ")
    assert "is not empty and contains no dataset: holiday.png. Choose another folder" in said
    assert os.listdir(tmp_path) == ["holiday.png"]


def test_the_folder_of_a_dataset_is_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    for name in ("one.png", "file"):
        assert run(["generate", "--identities", "2", "-o", str(tmp_path / name)]) == 2
        assert "name a folder for a dataset" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["file"]
