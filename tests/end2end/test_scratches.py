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
    assert "of the photo mended." in said and "No face was found: only scratches were mended" in said
    record = json.loads(report.read_text())
    assert record["status"] == "mended" and record["faces"] == [] and record["error"] is None
    with Image.open(tmp_path / "one.png") as image:
        assert np.abs(np.asarray(image).astype(int) - plain).max() < 30, "nothing is left of them"

    assert run(["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), *flags]) == 1
    told = capsys.readouterr()
    assert "2 photos: 1 only mended, 1 without a face" in told.out
    assert "Neither a face nor a scratch was found" in told.err
    assert [path.name for path in (tmp_path / "out").rglob("*.png")] == ["hills.png"]


def test_a_mask_is_written_corrected_and_handed_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = np.full((300, 400, 3), 110, np.uint8)
    old = clean.copy()
    cv2.line(old, (10, 290), (390, 40), (247, 247, 247), 2, cv2.LINE_AA)
    old[40:70, 60:100] = (60, 150, 60)  # a stain that is not looked for
    source, out = tmp_path / "old.png", tmp_path / "out"
    Image.fromarray(old).save(source)
    assert run(["restore", str(source), "-o", str(out), "--scratches", "careful", "--save-scratch-mask"]) == 0
    said = capsys.readouterr().out
    mask_path = out / "old.png.scratches.png"
    assert "old.png.scratches.png" in said and sorted(path.name for path in out.iterdir()) == [
        "old.png",
        mask_path.name,
    ]
    mask = np.asarray(Image.open(mask_path)).copy()
    assert mask.shape == (300, 400) and mask[165, 200] == 255 and not mask[40:70, 60:100].any()

    mask[36:74, 56:104] = 255
    Image.fromarray(mask).save(tmp_path / "corrected.png")
    flags = ["--scratch-mask", str(tmp_path / "corrected.png"), "--report", str(tmp_path / "report.jsonl")]
    assert run(["restore", str(source), "-o", str(tmp_path / "again.png"), *flags]) == 0
    assert "mended, by marks made by hand." in capsys.readouterr().out
    with Image.open(tmp_path / "again.png") as image:
        assert np.abs(np.asarray(image).astype(int) - clean).max() < 30, "neither scratch nor stain"
    recipe = json.loads(read_recipe(tmp_path / "again.png") or "")
    assert recipe["scratches"] == "by hand" and len(recipe["scratch_mask"]) == 64
    record = json.loads((tmp_path / "report.jsonl").read_text())
    assert record["mended"]["by_hand"] is True and record["recipe"] == recipe

    mask_path.write_bytes((tmp_path / "corrected.png").read_bytes())  # corrected in its place: not to be lost
    (out / "old.png").unlink()
    assert run(["restore", str(source), "-o", str(out), "--scratches", "careful", "--save-scratch-mask"]) == 1
    assert "old.png.scratches.png exists already." in capsys.readouterr().err
    assert mask_path.read_bytes() == (tmp_path / "corrected.png").read_bytes() and not (out / "old.png").exists()


def test_masks_that_make_no_sense_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = np.full((300, 400, 3), 110, np.uint8)
    for name in ("a.png", "b.png"):
        Image.fromarray(old).save(tmp_path / name)
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(tmp_path / "small.png")
    two, out = [str(tmp_path / "a.png"), str(tmp_path / "b.png")], ["-o", str(tmp_path / "out")]
    small = ["--scratch-mask", str(tmp_path / "small.png")]
    for given, code, words in (
        ([two[0], *small, "--scratches", "careful"], 2, "so --scratches cannot be given with it"),
        ([*two, *small], 2, "--scratch-mask is of one photo, and there are 2."),
        ([two[0], "--save-scratch-mask"], 2, "--save-scratch-mask needs --scratches"),
        ([two[0], "--scratch-mask", two[1]], 2, "b.png is no mask"),
        ([two[0], "--scratch-mask", str(tmp_path / "none.png")], 1, "There is no file none.png."),
        ([two[0], *small], 1, "mask of scratches is 40 × 30 pixels, and the photo, upright, 400 × 300."),
    ):
        assert run(["restore", *given, *out]) == code
        assert words in " ".join(capsys.readouterr().err.split())
        assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def hills(folder: Path, *names: str) -> np.ndarray:
    """Scratched landscapes by `names` in `folder`, whose stain nobody looks for; the pixels without scratch and stain."""
    clean = np.full((300, 400, 3), 110, np.uint8)
    old = clean.copy()
    cv2.line(old, (10, 290), (390, 40), (247, 247, 247), 2, cv2.LINE_AA)
    old[40:70, 60:100] = (60, 150, 60)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(old).save(folder / name)
    return clean


def still_there(path: Path) -> tuple[bool, bool]:
    """Whether scratch and stain of `hills` are in the picture in `path`."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return bool(pixels[160:172, 195:205].max() > 200), bool(pixels[55, 80, 1] > pixels[55, 80, 0] + 50)


def test_each_photo_of_a_folder_takes_its_own_mask_and_others_as_they_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, masks, out, report = tmp_path / "in", tmp_path / "masks", tmp_path / "out", tmp_path / "report.jsonl"
    hills(source, "a.png", "sub/a.png", "sub/b.png", "sub/c.png", "small.png")
    mask = np.zeros((300, 400), np.uint8)
    mask[36:74, 56:104] = 255  # the stain alone
    for name in ("a.tif", "sub/b.png.scratches.png", "sub/other.png"):
        (masks / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(masks / name)
    Image.fromarray(mask[:30, :40]).save(masks / "small.png")
    (masks / "sub" / "c.png").write_bytes(b"no picture")
    flags = ["--scratch-mask", str(masks), "--scratches", "careful", "--report", str(report)]

    assert run(["restore", str(source), "-o", str(out), *flags]) == 1
    told = capsys.readouterr()
    assert "4 of 5 photos have one; 1 of no photo: sub/other.png." in told.out
    said = " ".join(told.err.split())
    assert "mask of scratches is 40 × 30 pixels, and the photo, upright, 400 × 300." in said
    assert "c.png: The mask of its scratches cannot be used." in said
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.png")) == ["a.png", "sub/a.png", "sub/b.png"]
    assert still_there(out / "a.png") == still_there(out / "sub" / "b.png") == (True, False), "as their masks say"
    assert still_there(out / "sub" / "a.png") == (False, True), "it has no mask, so its scratches were looked for"
    lines = {
        Path(line["input"]).relative_to(source).as_posix(): line
        for line in map(json.loads, report.read_text().splitlines())
    }
    assert lines["a.png"]["recipe"]["scratches"] == "by hand" and lines["a.png"]["mended"]["by_hand"] is True
    assert lines["sub/a.png"]["recipe"]["scratches"] == "careful" and "by_hand" not in lines["sub/a.png"]["mended"]
    assert [lines[name]["status"] for name in ("small.png", "sub/c.png")] == ["failed", "failed"]


def test_masks_of_a_folder_are_written_corrected_and_only_those_photos_done_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, masks, out = tmp_path / "in", tmp_path / "masks", tmp_path / "out"
    hills(source, "a.png", "sub/a.png")
    command = ["restore", str(source), "-o", str(out), "--scratches", "careful", "--scratch-mask", f"{masks}/"]
    command += ["--save-scratch-mask", "--resume"]
    assert run(command) == 0
    said = capsys.readouterr().out
    written = [masks / "a.png.scratches.png", masks / "sub" / "a.png.scratches.png"]
    assert "0 of 2 photos have one." in said and all(str(path) in said.replace("\n", "") for path in written)
    assert sorted(masks.rglob("*.png")) == written and len(list(out.rglob("*.png"))) == 2, "none beside the results"

    assert run([*command, "--overwrite"]) == 0
    assert "2 done before" in capsys.readouterr().out, "what was written is not corrected yet"
    with Image.open(written[1]) as image:
        mask = np.asarray(image).copy()
    mask[36:74, 56:104] = 255
    Image.fromarray(mask).save(written[1])
    corrected = written[1].read_bytes()
    assert run(command) == 1
    assert "made with other settings" in " ".join(capsys.readouterr().err.split())
    assert run([*command, "--overwrite"]) == 0
    assert "1 done before" in capsys.readouterr().out
    assert still_there(out / "a.png") == (False, True) and still_there(out / "sub" / "a.png") == (False, False)
    assert written[1].read_bytes() == corrected

    assert run(["restore", str(source), "-o", str(tmp_path / "again"), "--scratch-mask", str(masks)]) == 0
    assert still_there(tmp_path / "again" / "sub" / "a.png") == (False, False)


def test_folders_of_masks_that_make_no_sense_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hills(tmp_path / "in", "a.png", "masks/a.png")
    common = ["restore", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--scratch-mask"]
    for given, words in (
        ([str(tmp_path / "in" / "masks")], "is inside the input folder"),
        ([f"{tmp_path}/none/"], "There is no folder"),
        ([str(tmp_path), "--save-scratch-mask"], "--save-scratch-mask needs --scratches"),
    ):
        assert run([*common, *given]) == 2
        assert words in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
