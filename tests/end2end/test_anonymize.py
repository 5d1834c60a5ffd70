"""`facestudio anonymize` as a privacy officer uses it, with the weights that ship.

The face is that of scikit-image's public-domain portrait; everything that must not come out is written by code.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from facestudio import xmp
from facestudio.cli.main import run
from facestudio.icc import anonymous
from facestudio.metadata import read_recipe
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from tests.end2end.hostile_corpus import srgb_profile, xmp_packet
from tests.unit.test_metadata import camera_exif

data = pytest.importorskip("skimage.data")

SECRETS = ("Camera of a Friend", "MAKERNOTE", "THUMBNAIL OF", "A. Friend", "caption of a friend", "taken by a friend")
SUFFIXES = ("jpg", "png", "webp", "tif", "heic", "avif", "gif", "bmp")


def portrait(size: int = 200) -> Image.Image:
    """The portrait's head, some 90 pixels high."""
    return Image.fromarray(data.astronaut()).crop((125, 10, 325, 210)).resize((size, size))


def iptc() -> bytes:
    """A Photoshop resource with an IPTC caption."""
    caption = b"caption of a friend"
    record = b"\x1c\x02\x78" + len(caption).to_bytes(2, "big") + caption
    return b"8BIM\x04\x04\0\0" + len(record).to_bytes(4, "big") + record + bytes(len(record) % 2)


def telling(path: Path) -> Path:
    """Write the portrait with everything that the format of `path` can tell of people and places."""
    image, suffix = portrait(), path.suffix[1:]
    packet = xmp_packet("<dc:creator>A. Friend</dc:creator>")
    block = b"Exif\0\0" + camera_exif(orientation=1)
    settings: dict[str, Any] = {} if suffix in ("gif", "bmp") else {"icc_profile": srgb_profile()}
    if suffix in ("jpg", "webp", "heic", "avif"):
        settings |= {"exif": block, "xmp": packet}
    if suffix == "jpg":
        settings["comment"] = b"taken by a friend"
    elif suffix == "gif":
        settings["comment"] = b"taken by a friend"
    elif suffix == "png":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Author", "A. Friend")
        texts.add_itxt("XML:com.adobe.xmp", packet.decode())
        settings |= {"pnginfo": texts, "exif": block}
    elif suffix == "tif":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[270], tags[315], tags[271] = "taken by a friend", "A. Friend", "Camera of a Friend"
        tags.tagtype[33723] = tags.tagtype[34377] = tags.tagtype[700] = 1
        tags[33723], tags[34377], tags[700] = iptc(), iptc(), packet
        settings["tiffinfo"] = tags
    image.save(path, **settings)
    if suffix == "jpg":
        content = path.read_bytes()
        segment = b"Photoshop 3.0\0" + iptc()
        path.write_bytes(content[:2] + b"\xff\xed" + (len(segment) + 2).to_bytes(2, "big") + segment + content[2:])
    return path


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photos and all that lies in such folders, anonymized once."""
    place = tmp_path_factory.mktemp("job")
    photos = place / "photos"
    (photos / "summer").mkdir(parents=True)
    for suffix in SUFFIXES:
        telling(photos / "summer" / f"friend.{suffix}")
    Image.new("RGB", (120, 90), (200, 180, 160)).save(photos / "nobody.png")
    (photos / "broken.jpg").write_bytes((photos / "summer" / "friend.jpg").read_bytes()[:900])
    (photos / "notes.txt").write_text("not a photo")
    (photos / "summer" / "loop").symlink_to(photos)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACESTUDIO_HOME", str(place / "home"))
        assert run(["anonymize", str(photos), "-o", str(place / "out"), "--method", "solid", "--quiet"]) == 1
    return place


def records(report: Path) -> dict[str, dict[str, Any]]:
    return {Path(r["input"]).name: r for r in map(json.loads, report.read_text().splitlines())}


def test_the_same_photos_come_out_and_the_rest_is_listed_with_reasons(job: Path) -> None:
    out = job / "out"
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert found == {"nobody.png", *(f"summer/friend.{suffix}" for suffix in SUFFIXES)}
    told = records(job / "out-report.jsonl")
    assert {name for name, record in told.items() if record["status"] == "verified"} == {
        f"friend.{suffix}" for suffix in SUFFIXES
    }
    assert {name: told[name]["status"] for name in ("nobody.png", "broken.jpg", "notes.txt", "loop")} == {
        **{"nobody.png": "no face", "broken.jpg": "failed"},
        **{"notes.txt": "left out", "loop": "left out"},
    }
    assert all(told[name]["error"] for name in ("broken.jpg", "notes.txt", "loop"))


def test_the_report_says_of_every_face_how_far_it_moved(job: Path) -> None:
    told = records(job / "out-report.jsonl")
    judges = {"starter-embedder-a", "starter-embedder-b", "starter-embedder-c"}
    for suffix in SUFFIXES:
        (face,) = told[f"friend.{suffix}"]["faces"]
        assert set(face["similarity"]) == judges and (face["method"], face["verdict"]) == ("solid", "changed")
        assert all(face["similarity"][judge] < face["threshold"][judge] for judge in judges)
        assert set(face["tries"][-1]["similarity"]) >= {"crop", "photo"}
        assert face["quality"][1] < 0.3 < face["quality"][0]
    with (job / "out-report.csv").open(newline="") as file:
        rows = {Path(row["photo"]).name: row for row in csv.DictReader(file)}
    assert float(rows["friend.jpg"]["starter-embedder-a cosine"]) < 0.3
    assert rows["broken.jpg"]["photo status"] == "failed" and rows["broken.jpg"]["remark"]
    page = (job / "out-report.html").read_text()
    assert (
        "To be looked at by a person" in page and "broken.jpg" in page and "<script" not in page and "http" not in page
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_of_the_originals_metadata_is_found_in_the_result(job: Path, suffix: str) -> None:
    original = (job / "photos" / "summer" / f"friend.{suffix}").read_bytes()
    content = (job / "out" / "summer" / f"friend.{suffix}").read_bytes()
    told = [secret for secret in SECRETS if secret.encode() in original]
    assert told or suffix == "bmp", "the original tells nothing, so this proves nothing"
    assert [secret for secret in SECRETS if secret.encode() in content] == []
    block = camera_exif(orientation=1)
    assert not [
        n for n in range(0, len(block) - 16) if len(set(block[n : n + 16])) > 8 and block[n : n + 16] in content
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_result_keeps_its_colours_and_says_that_it_was_altered(job: Path, suffix: str) -> None:
    saved = job / "out" / "summer" / f"friend.{suffix}"
    photo = Photo.open(saved)
    if suffix not in ("gif", "bmp"):
        with Image.open(saved) as image:
            assert image.info["icc_profile"] == anonymous(srgb_profile())
        assert photo.metadata.xmp is not None and xmp.source_type_of(photo.metadata.xmp) == xmp.ALTERED
    if suffix != "bmp":
        recipe = Recipe.from_json(read_recipe(saved) or "")
        assert (recipe.method, dict(recipe.options), recipe.seed) == ("solid", {}, 0)


def test_only_the_face_is_touched(job: Path) -> None:
    before = np.asarray(Image.open(job / "photos" / "summer" / "friend.png")).astype(int)
    after = np.asarray(Image.open(job / "out" / "summer" / "friend.png")).astype(int)
    (face,) = records(job / "out-report.jsonl")["friend.png"]["faces"]
    left, top, right, bottom = (round(x) for x in face["box"])
    middle = (
        slice((top + bottom) // 2 - 15, (top + bottom) // 2 + 15),
        slice((left + right) // 2 - 15, (left + right) // 2 + 15),
    )
    assert not after[middle].any()
    reach = (right - left) // 2
    far = np.ones(before.shape[:2], bool)
    far[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach] = False
    assert far.sum() > 4000 and np.array_equal(before[far], after[far])


def test_a_weak_blur_is_found_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = telling(tmp_path / "friend.png")
    base = ["anonymize", str(photo), "--method", "blur", "--radius", "3"]
    assert run([*base, "-o", str(tmp_path / "a"), "--tries", "2"]) == 0
    assert "fallback" in capsys.readouterr().out
    (face,) = records(tmp_path / "a-report.jsonl")["friend.png"]["faces"]
    assert (face["status"], face["method"]) == ("fallback", "solid")
    weak, stronger, block = face["tries"]
    assert "same person" in weak["obstacle"] and max(weak["similarity"]["crop"].values()) > 0.6
    assert stronger["options"]["radius"] > 3 and block["obstacle"] is None
    assert run([*base, "-o", str(tmp_path / "b"), "--tries", "1", "--fallback", "none"]) == 1
    said = capsys.readouterr()
    assert "Nothing was written" in said.err and "To be looked at by a person" in said.out
    assert not (tmp_path / "b").exists()


def test_numbers_for_names_and_times_that_tell_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "A. Friend"
    folder.mkdir()
    telling(folder / "A. Friend.jpg")
    (folder / "A. Friend.txt").write_text("A. Friend")
    out, names = tmp_path / "out", tmp_path / "names.csv"
    code = run(["anonymize", str(folder), "-o", str(out), "--names", str(names), "--reset-times", "--quiet"])
    assert code == 0 and [path.name for path in out.iterdir()] == ["000001.jpg"]
    assert (out / "000001.jpg").stat().st_mtime == 315532800
    assert "A. Friend" in names.read_text()
    for suffix in ("jsonl", "csv", "html"):
        assert "Friend" not in (tmp_path / f"out-report.{suffix}").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "magic"], "available: solid (solid), blur (blur), pixelate (pixelate)"),
        (["--method", "quick"], "Nothing here changes faces"),
        (["--metadata", "some"], "--metadata takes"),
        (
            ["--fallback", "quick"],
            "--fallback takes none or a method that hides faces (solid, blur, pixelate), not quick",
        ),
        (["--radius", "900"], "Radius takes 1 to 60"),
        (["--blocks", "4"], "no option called blocks"),
        (["--tries", "0"], "tries"),
        (["--report", "OUT/report.jsonl"], "keep it apart"),
        (["--names", "OUT/names.csv"], "keep it somewhere else"),
        (["--names", "OUT-report.csv"], "out-report.csv would be overwritten by a file of the report"),
    ],
)
def test_wrong_usage_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    photo = telling(tmp_path / "friend.png")
    out = tmp_path / "out"
    given = [argument.replace("OUT", str(out)) for argument in arguments]
    method = [] if "--method" in given else ["--method", "blur"]
    assert run(["anonymize", str(photo), "-o", str(out), *method, *given]) == 2
    said = capsys.readouterr().err
    assert words in said and "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["friend.png"]


def test_a_file_that_is_no_report_stops_the_run_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, other = telling(tmp_path / "friend.png"), tmp_path / "scan.pdf"
    other.write_bytes(b"%PDF-1.7 \xff\xfe")
    code = run(["anonymize", str(photo), "-o", str(tmp_path / "out"), "--method", "blur", "--report", str(other)])
    assert code == 2 and "scan.pdf is not a report" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"friend.png", "scan.pdf"}


def test_a_face_becomes_somebody_elses_or_is_hidden(tmp_path: Path) -> None:
    photo, out = tmp_path / "in" / "one.png", tmp_path / "out"
    photo.parent.mkdir()
    portrait(256).save(photo)
    code = run(["anonymize", str(photo.parent), "-o", str(out), "--method", "redraw", "--steps", "4", "--quiet"])
    (record,) = [json.loads(line) for line in (tmp_path / "out-report.jsonl").read_text().splitlines()]
    (face,) = record["faces"]
    assert code == 0 and face["status"] in ("verified", "fallback")
    assert set(face["similarity"]) == {"starter-embedder-b", "starter-embedder-c"}, (
        "the one that it listens to does not judge"
    )
    first = face["tries"][0]
    assert first["method"] == "redraw" and all(one["seed"] != first["seed"] for one in face["tries"][1:])
    with Image.open(out / "one.png") as made, Image.open(photo) as before:
        off = np.abs(np.asarray(made.convert("RGB")).astype(int) - np.asarray(before.convert("RGB"))).max(2)
    assert not off[:10].any() and not off[:, :20].any() and off[110:140, 110:150].mean() > 5


def test_killed_and_resumed_the_command_does_the_rest(tmp_path: Path, own_folders: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for number in range(3):
        portrait(160 + 4 * number).save(folder / f"{number}.png")
    command = [sys.executable, "-m", "facestudio", "anonymize", str(folder), "-o", str(out), "--resume", "--quiet"]
    process = subprocess.Popen(command, env=dict(os.environ), cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 120
    while not list(out.glob("*.png")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    before = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.iterdir()}
    assert before and all(name.endswith(".png") for name in before)
    assert run(command[3:]) == 0
    after = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in out.iterdir()}
    assert set(after) == {"0.png", "1.png", "2.png"}
    assert {name: after[name] for name in before} == before
    told = records(tmp_path / "out-report.jsonl")
    assert [told[f"{n}.png"]["status"] for n in range(3)] == ["verified"] * 3


def test_a_run_that_would_only_be_refused_leaves_the_report_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    telling(tmp_path / "friend.png")
    command = ["anonymize", str(tmp_path / "friend.png"), "-o", str(tmp_path / "out"), "--method", "solid", "--quiet"]
    command += ["--report", str(tmp_path / "r.jsonl")]
    run(command)
    before = (tmp_path / "r.jsonl").read_bytes()
    assert json.loads(before)["status"] != "failed"
    capsys.readouterr()
    assert run(command) == 1
    said = capsys.readouterr().err.replace("\n", " ")
    assert "already holds the results of 1 photo" in said and "--resume" in said and "--report" in said
    assert (tmp_path / "r.jsonl").read_bytes() == before
    assert run([*command, "--resume"]) == run([*command, "--overwrite"])


def test_what_was_asked_for_stands_in_every_line_and_photos_that_are_gone_are_told(
    tmp_path: Path, own_folders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    for name in ("a.png", "b.png"):
        telling(photos / name)
    wide = Image.new("RGB", (420, 210), (90, 120, 90))
    wide.paste(portrait(200), (0, 0))
    wide.paste(portrait(180).transpose(Image.Transpose.FLIP_LEFT_RIGHT), (225, 10))
    wide.save(photos / "pair.png")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    base = ["anonymize", str(photos), "-o", str(out), "--faces", "largest", "--tries", "2", "--metadata", "technical"]
    assert run(base) == 1
    said = capsys.readouterr()
    assert "pair.png: 1 face was not chosen" in said.out
    kinds = [line.split(":")[0] for line in said.err.splitlines() if "photos/" in line]
    assert sorted(kinds) == ["Error", "Needs review"]  # what is damaged, and what is written but must be looked at
    told = records(tmp_path / "out-report.jsonl")
    assert (told["pair.png"]["status"], told["a.png"]["status"]) == ("needs review", "verified")
    assert [face["status"] for face in told["pair.png"]["faces"]] == ["verified", "skipped"]
    for name in ("a.png", "pair.png", "broken.jpg"):
        settings = told[name]["settings"]
        assert (settings["faces"], settings["tries"], settings["fallback"]) == ("largest", 2, "solid")
        assert (settings["metadata"], settings["leave_others"]) == ("technical", False)
    (face,) = told["a.png"]["faces"]
    assert face["fallback"] is False and len(face["tries"]) == 1
    (photos / "b.png").unlink()
    assert run([*base, "--resume", "--quiet"]) == 1
    assert "no longer among the inputs" in records(tmp_path / "out-report.jsonl")["b.png"]["kept"]
    for suffix in (".csv", ".html"):
        assert "no longer among the inputs" in (tmp_path / "out-report").with_suffix(suffix).read_text()
    one = ["anonymize", str(photos / "pair.png"), "-o", str(tmp_path / "known"), "--faces", "0", "--leave-others"]
    assert run(one) == 0
    assert "face 2: left as is" in capsys.readouterr().out
    (left,) = records(tmp_path / "known-report.jsonl").values()
    assert (left["status"], left["settings"]["leave_others"]) == ("left as is", True)
    assert [face["status"] for face in left["faces"]] == ["verified", "left as is"]
