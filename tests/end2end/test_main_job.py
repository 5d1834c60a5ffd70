"""The main job as a user does it, with the weights that ship: the demo, the commands on photos, folders and odd input.

The only photo is the public-domain portrait of scikit-image (the demo's); the rest is drawn.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from facestudio.cli.main import run
from facestudio.metadata import read_recipe
from facestudio.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("skimage")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """examples/demo.py, run once into a folder of this test."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo"] = module
    spec.loader.exec_module(module)
    module.OUTPUT = tmp_path_factory.mktemp("demo")  # type: ignore[attr-defined]
    assert module.main() == 0
    return module


@pytest.fixture
def degraded(demo: ModuleType) -> Path:
    path: Path = demo.OUTPUT / "degraded.png"
    return path


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(np.float64)


def face_box(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, int, int, int]:
    capsys.readouterr()
    assert run(["detect", str(path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["status"] == "ok" and len(record["faces"]) == 1
    left, top, right, bottom = (round(value) for value in record["faces"][0]["box"])
    return left, top, right, bottom


def test_the_demo_writes_a_sheet_and_a_face_nearer_to_the_original(
    demo: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = demo.OUTPUT
    with Image.open(folder / "sheet.png") as sheet:
        assert min(sheet.size) > 500
    left, top, right, bottom = face_box(folder / "original.png", capsys)
    region = (slice(top, bottom), slice(left, right))
    original, before, after = (pixels(folder / f"{name}.png")[region] for name in ("original", "degraded", "restored"))
    assert np.mean((after - original) ** 2) < 0.9 * np.mean((before - original) ** 2)


def test_the_recogniser_that_the_method_is_conditioned_on_does_not_judge_in_the_demo(demo: ModuleType) -> None:
    studio = demo.Studio()
    original, restored = (studio.open(demo.OUTPUT / f"{name}.png") for name in ("original", "restored"))
    (face,) = studio.detect(original)
    said = demo.likeness(studio, original, restored, face, studio.restore_checkpoints()[0].conditioned_on)
    assert {verdict.embedder for verdict in said.verdicts} == {"starter-embedder-b", "starter-embedder-c"}
    assert len(studio.compare(original, restored, faces=(face, face)).similarity) == 3


def test_only_the_face_is_touched(demo: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    left, top, right, bottom = face_box(demo.OUTPUT / "degraded.png", capsys)
    before, after = pixels(demo.OUTPUT / "degraded.png"), pixels(demo.OUTPUT / "restored.png")
    assert np.abs(after - before)[top:bottom, left:right].mean() > 1
    assert np.array_equal(before[-60:], after[-60:])


def test_restore_writes_result_report_and_recipe(degraded: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "report.jsonl"
    assert run(["restore", str(degraded), "-o", str(out), "--report", str(report), "--quiet"]) == 0
    result = out / "degraded.png"
    (record,) = [json.loads(line) for line in report.read_text().splitlines()]
    assert record["status"] == "ok" and record["output"] == str(result)
    (face,) = record["faces"]
    assert face["verdict"] in ("same person", "uncertain", "changed", "cannot be judged")
    assert set(face["similarity"]) == {"starter-embedder-b", "starter-embedder-c"}, (
        "quick listens to A, which does not judge it"
    )
    assert -1 <= face["similarity"]["starter-embedder-b"] <= 1
    assert 0 < face["threshold"]["starter-embedder-b"] < 1
    assert Recipe.from_json(read_recipe(result) or "").checkpoint == "starter-estimator"


@pytest.mark.parametrize("method", ["starter-estimator", "starter-dictionary"])
def test_grain_is_taken_off_a_face(
    method: str, demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = pixels(demo.OUTPUT / "original.png")
    left, top, right, bottom = face_box(demo.OUTPUT / "original.png", capsys)
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 25, clean.shape), 0, 255)
    # the aligned face is about as large as its crop, so that its grain is not averaged away
    Image.fromarray(noisy.astype(np.uint8)).save(tmp_path / "grain.png")
    inner = (slice(top + 10, bottom - 10), slice(left + 10, right - 10))
    off = {}
    for grain in ("0", "0.7"):
        out = tmp_path / f"out{grain}.png"
        asked = ["--checkpoint", method, "-o", str(out), "--grain", grain, "--quiet"]
        assert run(["restore", str(tmp_path / "grain.png"), *asked]) == 0
        off[grain] = np.mean((pixels(out) - clean)[inner] ** 2)
    assert off["0.7"] < 0.75 * off["0"] < 0.75 * np.mean((noisy - clean)[inner] ** 2)


def test_the_same_twice(degraded: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert run(["restore", str(degraded), "-o", str(tmp_path / name), "--quiet"]) == 0
    assert np.array_equal(pixels(tmp_path / "one" / "degraded.png"), pixels(tmp_path / "two" / "degraded.png"))


def test_a_run_that_resumes_does_nothing_twice(
    degraded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["restore", str(degraded), "-o", str(tmp_path / "out"), "--report", str(tmp_path / "r.jsonl")]
    assert run([*command, "--resume"]) == 0
    result = tmp_path / "out" / "degraded.png"
    before, told = result.stat(), (tmp_path / "r.jsonl").read_text()
    assert run([*command, "--resume"]) == 0
    assert (result.stat().st_ino, result.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert (tmp_path / "r.jsonl").read_text() == told
    assert run([*command, "--resume", "--strength", "0.5"]) == 1
    assert "other settings" in capsys.readouterr().err


def test_no_strength_changes_nothing(degraded: Path, tmp_path: Path) -> None:
    assert run(["restore", str(degraded), "-o", str(tmp_path), "--strength", "0", "--quiet"]) == 0
    assert np.array_equal(pixels(degraded), pixels(tmp_path / "degraded.png"))


def test_a_folder_with_bad_files_is_done_as_far_as_it_goes(
    degraded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "good.png").write_bytes(degraded.read_bytes())
    (folder / "broken.png").write_bytes(degraded.read_bytes()[:5000])
    (folder / "text.jpg").write_text("not a photo")
    Image.new("RGB", (200, 200), (90, 120, 60)).save(folder / "nobody.png")
    report = tmp_path / "report.jsonl"
    assert run(["restore", str(folder), "-o", str(tmp_path / "out"), "--report", str(report), "--quiet"]) == 1
    said = {Path(r["input"]).name: r for r in map(json.loads, report.read_text().splitlines())}
    status = {name: record["status"] for name, record in said.items()}
    assert status == {"good.png": "ok", "broken.png": "failed", "text.jpg": "failed", "nobody.png": "skipped"}
    written = [path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert written == [Path("deep/good.png")]
    errors = capsys.readouterr().err
    assert "Traceback" not in errors and errors.count("Error:") == 3


def test_an_aligned_crop_is_restored_whole(demo: ModuleType, degraded: Path, tmp_path: Path) -> None:
    crop = tmp_path / "crop.png"
    with Image.open(degraded) as image:
        image.resize((256, 256)).save(crop)
    assert run(["restore", str(crop), "-o", str(tmp_path / "out"), "--aligned", "--quiet"]) == 0
    assert pixels(tmp_path / "out" / "crop.png").shape == (256, 256, 3)
    assert not np.array_equal(pixels(tmp_path / "out" / "crop.png")[:8], pixels(crop)[:8])


def test_compare_knows_a_face_in_another_size(
    demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smaller = tmp_path / "smaller.jpg"
    with Image.open(demo.OUTPUT / "original.png") as image:
        image.resize((420, 420)).save(smaller, quality=80)
    assert run(["compare", str(demo.OUTPUT / "original.png"), str(smaller), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"]["starter-embedder-a"] == "same person"
    assert told["together"]["verdict"] == "same person"
    assert told["cosine"]["starter-embedder-a"] > 0.8


def test_a_grey_photo_stays_grey(degraded: Path, tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    with Image.open(degraded) as image:
        image.convert("L").save(grey)
    assert run(["restore", str(grey), "-o", str(tmp_path / "out"), "--quiet"]) == 0
    with Image.open(tmp_path / "out" / "grey.png") as image:
        assert image.mode == "L"
        assert not np.array_equal(np.asarray(image), np.asarray(Image.open(grey)))


@pytest.mark.parametrize("size", [(20000, 100), (100, 20000), (16, 16), (1, 1), (9, 3000)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_photos_of_odd_sizes_are_looked_at(
    size: tuple[int, int], mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    odd = tmp_path / "odd.png"
    Image.fromarray(levels).convert(mode).save(odd)
    assert run(["detect", str(odd), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["faces"] == []
    code = run(["restore", str(odd), "-o", str(tmp_path / "out"), "--box", "0,0,16,16", "--quiet"])
    assert code == (0 if min(size) >= 8 else 1)
    assert "Traceback" not in capsys.readouterr().err


def test_no_face_is_said_and_nothing_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nobody = tmp_path / "nobody.png"
    Image.new("RGB", (300, 200), (200, 180, 160)).save(nobody)
    assert run(["restore", str(nobody), "-o", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "No face was found" in said
    assert "--box" in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path != nobody]


def test_an_embedder_is_exported_for_other_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxscript")
    target = tmp_path / "embedder.onnx"
    command = ["weights", "export", "starter-embedder-a", "-o", str(target)]
    assert run(command) == 0
    assert "licence: non-commercial research" in capsys.readouterr().out
    assert target.stat().st_size > 20e6
    assert run(command) == 1
    assert "exists already" in capsys.readouterr().err


def test_a_portrait_that_lies_on_its_side_is_found(
    demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lying = tmp_path / "lying.png"
    with Image.open(demo.OUTPUT / "original.png") as image:
        image.transpose(Image.Transpose.ROTATE_270).save(lying)
    assert run(["detect", str(lying), "--json"]) == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    assert face["pose"][2] == pytest.approx(90, abs=15)
    marks = np.array(face["landmarks"])
    assert marks[0, 1] < marks[1, 1]  # the first eye is above the second, as the portrait was turned clockwise


def test_a_missed_face_is_added_by_its_box(
    demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Upside down and out of focus the detector does not see the portrait; a rough box makes it face 0, a second box the same."""
    hanging = tmp_path / "hanging.png"
    left, top, right, bottom = face_box(demo.OUTPUT / "original.png", capsys)
    with Image.open(demo.OUTPUT / "original.png") as image:
        width, height = image.size
        image.transpose(Image.Transpose.ROTATE_180).filter(ImageFilter.GaussianBlur((right - left) / 13)).save(hanging)
    rough = [width - right - 12, height - bottom + 8, width - left + 6, height - top + 20]
    text = ",".join(map(str, rough))
    assert run(["detect", str(hanging), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["faces"] == []
    assert run(["detect", str(hanging), "--box", text, "--box", text, "--json"]) == 0
    (face,) = json.loads(capsys.readouterr().out)["faces"]
    assert abs(abs(face["pose"][2]) - 180) < 15
    assert face["score"] > 0.3
    marks = np.array(face["landmarks"])
    assert np.all((marks > (rough[0], rough[1])) & (marks < (rough[2], rough[3])))
    assert marks[0, 0] > marks[1, 0]  # the first eye is the left one of the upright portrait
    out, report = tmp_path / "out", tmp_path / "report.jsonl"
    assert run(["restore", str(hanging), "-o", str(out), "--box", text, "--report", str(report), "--quiet"]) == 0
    (record,) = [json.loads(line) for line in report.read_text().splitlines()]
    assert [face["status"] for face in record["faces"]] == ["restored"]


def test_a_box_adds_to_the_faces_that_are_found(
    degraded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, top, right, bottom = face_box(degraded, capsys)
    known = f"{left - 5},{top + 5},{right},{bottom}"
    assert run(["detect", str(degraded), "--box", known, "--box", "20,20,90,100"]) == 0
    said = capsys.readouterr().out
    assert "shows face 1 (--faces 0)" in said
    assert "2 faces" in said
    report = tmp_path / "report.jsonl"
    arguments = ["restore", str(degraded), "-o", str(tmp_path / "out"), "--box", "20,20,90,100", "--faces", "1"]
    assert run([*arguments, "--report", str(report), "--quiet"]) == 0
    assert [face["status"] for face in json.loads(report.read_text())["faces"]] == ["skipped", "restored"]
    assert run(["detect", str(degraded), "--box", "9000,20,9100,90"]) == 1
    assert "outside the photo" in capsys.readouterr().err


def test_weights_and_doctor_find_all_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "verify"]) == 0
    assert capsys.readouterr().out.count("present") >= 4
    assert run(["weights", "verify", "--json"]) == 0
    assert {row["state"] for row in json.loads(capsys.readouterr().out)} == {"present"}
    assert run(["doctor"]) == 0
    assert "PROBLEM" not in capsys.readouterr().out


def test_a_reference_tells_difface_who_it_is(demo: ModuleType, degraded: Path, tmp_path: Path) -> None:
    def restored(name: str, *more: str) -> dict[str, Any]:
        report = tmp_path / f"{name}.jsonl"
        flags = ["--method", "difface", "--steps", "3", "--report", str(report), "--quiet", *more]
        assert run(["restore", str(degraded), "-o", str(tmp_path / f"{name}.png"), *flags]) == 0
        (record,) = [json.loads(line) for line in report.read_text().splitlines()]
        return dict(record)

    plain, told = restored("plain"), restored("told", "--reference", str(demo.OUTPUT / "original.png"))
    assert not np.array_equal(pixels(tmp_path / "plain.png"), pixels(tmp_path / "told.png"))
    assert "reference" not in plain["recipe"] and len(told["recipe"]["reference"]) > 16
    (before,), (face,) = plain["faces"], told["faces"]
    assert "starter-embedder-a" not in {*before["similarity"], *face["similarity"]}, (
        "it is listened to, so it does not judge"
    )
    assert set(face["to_reference"]) == set(face["similarity"]) and "to_reference" not in before


def test_a_reference_without_a_face_stops_everything(degraded: Path, tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    Image.new("RGB", (200, 200), (90, 120, 150)).save(blank)
    flags = ["--method", "difface", "--reference", str(blank), "--quiet"]
    assert run(["restore", str(degraded), "-o", str(tmp_path / "out.png"), *flags]) == 1
    assert not (tmp_path / "out.png").exists()


def test_upscale_gives_a_photo_twice_as_large(
    degraded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.png"
    assert run(["restore", str(degraded), "-o", str(out), "--upscale", "2", "--quiet"]) == 0
    small, large = pixels(degraded), pixels(out)
    assert large.shape[:2] == (2 * small.shape[0], 2 * small.shape[1])
    assert Recipe.from_json(read_recipe(out) or "").upscale == 2
    capsys.readouterr()
    assert run(["restore", str(degraded), "-o", str(tmp_path / "other.png"), "--upscale", "3"]) == 2
    assert "1, 2 or 4" in capsys.readouterr().err


@pytest.mark.parametrize(("lies", "back"), [(90, 270), (180, 180), (270, 90)])
def test_a_portrait_that_lies_is_set_upright(
    lies: int, back: int, degraded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(degraded) as image:
        image.rotate(-lies, expand=True).save(tmp_path / "scan.png")
        size = image.size
    out = tmp_path / "out.png"
    assert run(["restore", str(tmp_path / "scan.png"), "-o", str(out), "--turn", "auto"]) == 0
    assert f"Turned by {back} degrees" in " ".join(capsys.readouterr().out.split())
    assert Recipe.from_json(read_recipe(out) or "").turn == back
    before, after = pixels(degraded), pixels(out)
    assert after.shape[1::-1] == size and np.array_equal(before[-60:], after[-60:])
