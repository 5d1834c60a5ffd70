"""Scans of 16 bits a colour come back with 16: what was not changed bit for bit, and of what was hidden no lower byte.

The commands with stand-ins for method, detector and judges; files are written and read by others than the program (`deep_files`).
"""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from facestudio import xmp
from facestudio.anonymized import NOT_A_FACE
from facestudio.cli.main import run
from facestudio.decoding import upright
from facestudio.errors import UnreadablePhoto
from facestudio.metadata import read_recipe
from facestudio.outcomes import Outcome
from facestudio.photo import Photo
from facestudio.pipeline import restore
from facestudio.recipe import Recipe
from facestudio.reviewing import Decision, Finished
from facestudio.studio import Studio
from facestudio.subject import Subject
from tests.deep_files import ARTIST, deepened, read_deep, write_deep
from tests.end2end.hostile_corpus import srgb_profile
from tests.fakes import FakeDetector, FakeEmbedder, SlowRestorer, face_at, picture
from tests.unit.test_colour import grey_profile, wide_profile

FACE = face_at(110, 120, 120)
HEIGHT, WIDTH = 220, 300
NOTE = "8 bits per colour"


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Studio, "prepare", lambda *of, **more: None)
    monkeypatch.setattr(Studio, "detect", lambda *of, **more: (FACE,))
    monkeypatch.setattr(Studio, "_detector", lambda self: FakeDetector((FACE,)))
    monkeypatch.setattr(Studio, "_restorer", lambda *of: SlowRestorer())
    monkeypatch.setattr(Studio, "_embedders", lambda self: [FakeEmbedder("one"), FakeEmbedder("two")])
    monkeypatch.setattr(Studio, "_panel", lambda self: None)


def scan(kind: str) -> np.ndarray:
    """A drawn photo of FACE, uint16: "grey", "grey alpha", "rgb" or "rgb alpha"."""
    pixels = picture(HEIGHT, WIDTH, [FACE])
    samples = deepened(pixels if kind.startswith("rgb") else pixels[..., 1])
    if not kind.endswith("alpha"):
        return samples
    slope = np.linspace(20000, 65535, WIDTH).astype(np.uint16)
    return np.dstack([samples, np.broadcast_to(slope, (HEIGHT, WIDTH))])


def as_read(samples: np.ndarray) -> np.ndarray:
    """As OpenCV would read them, which knows no grey with alpha."""
    two = samples.ndim == 3 and samples.shape[2] == 2
    return samples[..., [0, 0, 0, 1]] if two else samples


def shallow(path: Path, samples: np.ndarray, profile: bytes | None) -> Path:
    """Write the upper bytes of `samples` as a file of 8 bits."""
    Image.fromarray((samples >> 8).astype(np.uint8)).save(path, icc_profile=profile)
    return path


def done(command: str, source: Path, *more: Any) -> Path:
    out = source.parent / "out" / source.name
    method = ["--method", "solid"] if command == "anonymize" else []
    assert run([command, str(source), "-o", f"{out.parent}/", *method, *map(str, more), "--device", "cpu"]) == 0
    return out


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Where a pixel is another one, (H, W) bool."""
    other = before != after
    return other if other.ndim == 2 else other.any(axis=2)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("kind", ["grey", "rgb", "rgb alpha", "grey alpha"])
def test_a_restored_scan_has_16_bits_and_keeps_those_of_what_was_not_changed(
    suffix: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = wide_profile() if kind.startswith("rgb") else grey_profile()
    samples = scan(kind)
    source = write_deep(tmp_path / f"scan.{suffix}", samples, profile, artist="Nobody Anywhere")
    out = done("restore", source, "--report", tmp_path / "report.jsonl")
    assert NOTE not in capsys.readouterr().out

    with Image.open(out) as image:
        assert image.info["icc_profile"] == profile
        assert image.getexif()[ARTIST] == "Nobody Anywhere"
    recipe = json.loads(read_recipe(out) or "")
    assert recipe == json.loads((tmp_path / "report.jsonl").read_text())["recipe"]
    assert xmp.source_type_of(Photo.open(out).metadata.xmp or b"") == xmp.AI_COMPOSITE

    before, after = as_read(samples), as_read(read_deep(out))
    assert after.shape == before.shape
    where = changed(before, after)
    assert 0.05 < where.mean() < 0.5 and where[110:130, 100:120].mean() > 0.9
    assert not where[:30].any() and not where[:, 250:].any()
    # in the file's own colours the upper bytes are those of a restored scan of 8 bits, and the lower ones the scan's
    assert np.array_equal(after & 255, before & 255)
    (tmp_path / "8").mkdir()
    with Image.open(done("restore", shallow(tmp_path / "8" / source.name, samples, profile))) as image:
        assert np.array_equal(after >> 8, as_read(np.asarray(image)))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("kind", ["grey", "rgb", "rgb alpha", "grey alpha"])
def test_an_anonymized_scan_has_16_bits_and_no_lower_byte_of_what_was_hidden(
    suffix: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = scan(kind)
    profile = wide_profile() if kind == "rgb" else None
    source = write_deep(tmp_path / f"scan.{suffix}", samples, profile, artist="A. Friend")
    out = done("anonymize", source)
    assert NOTE not in capsys.readouterr().out
    record = json.loads((tmp_path / "out-report.jsonl").read_text())
    assert record["status"] == "verified" and "notes" not in record
    assert b"A. Friend" not in out.read_bytes() and b"algorithmicallyEnhanced" in out.read_bytes()

    before, after = as_read(samples), as_read(read_deep(out))
    where = changed(before, after)
    assert 0.05 < where.mean() < 0.5 and where[110:130, 100:120].all(), "the face is hidden"
    assert not where[:30].any() and not where[:, 250:].any(), "and the rest is as it was"
    hidden = after[where]
    assert np.array_equal(hidden & 255, hidden >> 8), "nothing but what 8 bits show"


def test_what_is_read_back_is_the_result_that_was_measured(tmp_path: Path) -> None:
    """The figures are of 8 bits, and so is what the window shows of the file later."""
    for suffix in ("png", "tif"):
        for kind in ("grey", "rgb", "rgb alpha"):
            photo = Photo.open(write_deep(tmp_path / f"a.{suffix}", scan(kind)))
            after = restore(Subject(photo, (FACE,)), SlowRestorer()).after
            again = Photo.open(after.save(tmp_path / f"b.{suffix}", overwrite=True))
            assert np.array_equal(again.pixels, after.pixels) and again.bits == 16


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_scan_that_was_stored_turned_is_written_upright(orientation: int, tmp_path: Path) -> None:
    samples = scan("rgb")[:60, :90]
    for suffix in ("png", "tif"):
        photo = Photo.open(write_deep(tmp_path / f"a.{suffix}", samples, orientation=orientation))
        assert np.array_equal(photo.pixels, upright(samples >> 8, orientation))
        back = photo.save(tmp_path / f"b.{suffix}")
        assert np.array_equal(read_deep(back), upright(samples, orientation))
        assert Photo.open(back).metadata.orientation == 1
        once = photo.turned(90).save(tmp_path / f"c.{suffix}")
        assert np.array_equal(read_deep(once), np.rot90(upright(samples, orientation), -1))


def test_a_scan_that_is_turned_by_the_command_keeps_16_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = scan("rgb")
    source = write_deep(tmp_path / "a.tif", samples)
    out = done("restore", source, "--turn", 180)
    before, after = np.rot90(samples, 2), read_deep(out)
    assert np.array_equal(after & 255, before & 255) and 0.05 < changed(before, after).mean() < 0.5


@pytest.mark.parametrize(
    ("flags", "name"),
    [(("--format", "jpg"), "a.jpg"), (("--format", "webp"), "a.webp"), (("--upscale", 2), "a.png")],
)
def test_where_8_bits_are_written_it_is_said(
    flags: tuple[Any, ...], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_deep(tmp_path / "a.png", scan("rgb"))
    out = done("restore", source, *flags).with_name(name)
    assert f"Saved with {NOTE}; the original has 16." in capsys.readouterr().out
    with Image.open(out) as image:
        assert image.mode == "RGB" and ";16" not in str(image.tile)


def test_another_format_that_holds_16_bits_gets_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for source, format, kind in (
        ("a.png", "tif", "grey alpha"),
        ("b.tif", "png", "rgb alpha"),
        ("c.png", "tif", "grey"),
    ):
        samples = scan(kind)
        done("restore", write_deep(tmp_path / source, samples), "--format", format)
        after = read_deep((tmp_path / "out" / source).with_suffix(f".{format}"))
        before = as_read(samples)
        assert after.shape == before.shape and np.array_equal(after & 255, before & 255)
        assert np.array_equal(after[:30], before[:30])
    assert NOTE not in capsys.readouterr().out


@pytest.mark.parametrize("compression", [1, 5, 8, 32946])
@pytest.mark.parametrize("kind", ["grey", "rgb", "rgb alpha"])
def test_tiffs_of_other_programs_are_read_with_all_bits(kind: str, compression: int, tmp_path: Path) -> None:
    samples = scan(kind)
    given = samples if samples.ndim == 2 else np.ascontiguousarray(samples[..., [2, 1, 0, 3][: samples.shape[2]]])
    _, stored = cv2.imencode(".tif", given, [cv2.IMWRITE_TIFF_COMPRESSION, compression])
    (tmp_path / "a.tif").write_bytes(stored.tobytes())
    photo = Photo.open(tmp_path / "a.tif")
    for name in ("b.tif", "b.png"):
        assert np.array_equal(read_deep(photo.save(tmp_path / name)), samples)


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("big", [False, True])
def test_grey_tiffs_with_alpha_are_read_however_they_are_stored(big: bool, deflated: bool, tmp_path: Path) -> None:
    samples = scan("grey alpha")
    grey, alpha = samples[..., 0], samples[..., 1]

    def read(given: np.ndarray, orientation: int = 1, **tags: int) -> np.ndarray:
        more = {int(tag[1:]): value for tag, value in tags.items()}
        path = write_deep(tmp_path / "a.tif", given, orientation=orientation, big=big, deflated=deflated, more=more)
        return read_deep(Photo.open(path).save(tmp_path / "b.png", overwrite=True))

    assert np.array_equal(read(samples), as_read(samples))
    assert np.array_equal(read(samples, 6), as_read(upright(samples, 6)))
    assert np.array_equal(read(np.dstack([65535 - grey, alpha]), t262=0), as_read(samples)), "where 0 is white"
    assert np.array_equal(read(samples, t338=0), grey), "the other channel is not said to be alpha"
    multiplied = np.rint(grey / 65535 * alpha).astype(np.uint16)
    found = read(np.dstack([multiplied, alpha]), t338=1)
    assert np.array_equal(found[..., 3], alpha) and np.abs(found[..., 0].astype(int) - grey).max() <= 3


def test_two_channels_of_16_bits_in_planes_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePhoto, match="a.tif is damaged or incomplete"):
        Photo.open(write_deep(tmp_path / "a.tif", scan("grey alpha"), more={284: 2}))


def test_a_damaged_grey_tiff_with_alpha_shows_what_there_is_of_it(tmp_path: Path) -> None:
    samples = scan("grey alpha")
    path = write_deep(tmp_path / "a.tif", samples)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 4 * WIDTH * HEIGHT // 2])
    photo = Photo.open(path, salvage=True)
    assert photo.damage is not None and 0.3 < photo.damage.readable < 0.6
    assert np.array_equal(photo.pixels[:60, :, 0], samples[:60, :, 0] >> 8)


def test_tiles_and_white_as_0_are_understood(tmp_path: Path) -> None:
    samples = scan("grey")
    image = Image.fromarray(samples)
    image.save(tmp_path / "a.tif", tiffinfo={262: 0})
    photo = Photo.open(tmp_path / "a.tif")
    assert np.array_equal(photo.pixels[..., 0], (65535 - samples) >> 8)
    assert np.array_equal(read_deep(photo.save(tmp_path / "b.tif")), 65535 - samples)


def test_grey_with_a_profile_of_colours_stays_grey(tmp_path: Path) -> None:
    samples = scan("grey")
    photo = Photo.open(write_deep(tmp_path / "a.png", samples, srgb_profile()))
    for name in ("b.png", "b.tif"):
        assert np.array_equal(read_deep(photo.save(tmp_path / name)), samples)


def test_grey_that_becomes_coloured_has_16_bits_unless_a_profile_is_in_the_way(tmp_path: Path) -> None:
    samples = scan("grey")
    for profile, deep in ((None, True), (grey_profile(), False)):
        photo = Photo.open(write_deep(tmp_path / "a.png", samples, profile))
        pixels = photo.pixels.copy()
        pixels[:20, :20] = (200, 90, 40)
        coloured = photo.with_pixels(pixels)
        path = coloured.save(tmp_path / "b.png", overwrite=True)
        assert coloured.loses_depth() != deep and photo.loses_depth() is False
        assert any(NOTE in sentence for sentence in coloured.not_saved()) != deep
        if deep:
            assert np.array_equal(read_deep(path)[30:], np.dstack([samples] * 3)[30:])
        else:
            with Image.open(path) as image:
                assert image.mode == "RGB" and ";16" not in str(image.tile)


def test_what_becomes_of_the_file_meanwhile_does_not_matter(tmp_path: Path) -> None:
    samples = scan("rgb")
    photo = Photo.open(write_deep(tmp_path / "a.tif", samples))
    (tmp_path / "a.tif").unlink()
    assert np.array_equal(read_deep(photo.save(tmp_path / "b.tif")), samples)


def test_of_a_hidden_place_nothing_comes_back_whatever_is_done_later(tmp_path: Path) -> None:
    samples = scan("rgb alpha")
    photo = Photo.open(write_deep(tmp_path / "a.png", samples))
    where = np.zeros((HEIGHT, WIDTH), bool)
    where[50:150, 60:160] = True
    pixels = photo.pixels.copy()
    pixels[where] = 128
    pixels[60, 70] = photo.pixels[60, 70]  # by chance what was there
    pixels[150:160, 60:160] += 3  # and changed beside it
    hidden = photo.with_hidden(pixels, where)
    later = hidden.pixels.copy()
    later[160:170, 60:160] += 5
    for after in (hidden, hidden.with_pixels(later), hidden.turned(90).turned(270)):
        found = read_deep(after.save(tmp_path / "b.png", overwrite=True))
        touched = where | (after.pixels != photo.pixels).any(axis=2)
        colours = found[..., :3][touched]
        assert np.array_equal(colours & 255, colours >> 8)
        alpha = found[..., 3][where]
        assert np.array_equal(alpha & 255, alpha >> 8)
        assert np.array_equal(found[~touched], samples[~touched])


def test_exif_in_directories_of_its_own_comes_through(tmp_path: Path) -> None:
    """Camera settings and place, which Pillow's own compressed TIFFs cannot hold."""
    exif = Image.Exif()
    exif[ARTIST] = "Nobody Anywhere"
    exif.get_ifd(0x8769)[0x829A] = 0.5
    exif.get_ifd(0x8825)[1] = "N"
    photo = Photo.open(write_deep(tmp_path / "a.png", scan("rgb")))
    told = replace(
        photo, metadata=replace(photo.metadata, exif=exif.tobytes().removeprefix(b"Exif\0\0"), dpi=(300, 600))
    )
    for name in ("b.png", "b.tif"):
        with Image.open(told.save(tmp_path / name)) as image:
            found = image.getexif()
            assert found[ARTIST] == "Nobody Anywhere" and found.get_ifd(0x8769)[0x829A] == 0.5
            assert found.get_ifd(0x8825)[1] == "N"
            assert tuple(round(float(value)) for value in image.info["dpi"]) == (300, 600)


def test_one_row_and_one_pixel_are_pictures_too(tmp_path: Path) -> None:
    for shape in ((1, 1), (1, 50), (50, 1), (1, 1, 3), (700, 3, 4)):
        samples = np.random.default_rng(1).integers(0, 65536, shape, dtype=np.uint16)
        photo = Photo.open(write_deep(tmp_path / "a.png", samples))
        for name in ("b.png", "b.tif"):
            assert np.array_equal(read_deep(photo.save(tmp_path / name, overwrite=True)), samples)


def test_of_a_result_without_its_pixels_the_same_is_said(tmp_path: Path) -> None:
    """That is what comes back of a photo which another process has done."""
    deep = Photo.open(write_deep(tmp_path / "a.png", scan("rgb")))
    for photo in (deep, deep.enlarged(2)):
        for format in ("PNG", "TIFF", "JPEG"):
            assert photo.without_pixels().not_shown(format) == photo.not_shown(format)
    assert deep.not_shown("TIFF") == () and deep.not_shown("JPEG") != () and deep.enlarged(2).not_shown("PNG") != ()


def test_a_tiff_whose_colours_are_multiplied_by_its_alpha_says_that_it_has_8(tmp_path: Path) -> None:
    path = write_deep(tmp_path / "a.tif", scan("rgb alpha"))
    content = path.read_bytes()
    tag = struct.pack(">HHI", 338, 3, 1)
    path.write_bytes(content.replace(tag + b"\0\2", tag + b"\0\1"))
    photo = Photo.open(path)
    assert photo.loses_depth() and "saves 8" in photo.notes[0]
    with Image.open(photo.save(tmp_path / "b.tif")) as image:
        assert image.mode == "RGBA"


def test_in_a_review_what_was_hidden_stays_so_and_what_is_put_back_has_all_its_bits(tmp_path: Path) -> None:
    samples, studio = scan("rgb alpha"), Studio("cpu")
    photo = Photo.open(write_deep(tmp_path / "a.tif", samples))
    first = studio.anonymize(photo, (FACE,), Recipe("pixelate", "pixelate"))
    path = first.after.save(tmp_path / "b.tif", metadata_policy="strip")
    record = json.loads(json.dumps(Outcome(tmp_path / "a.tif", path, first.status, None, 1.0, result=first).record()))
    shown = Photo.open(path)
    kept = studio.anonymize_again(Finished(photo, record, shown))
    found = read_deep(kept.after.save(tmp_path / "c.tif", metadata_policy="strip"))
    where = changed(samples, found)
    assert where[110:130, 100:120].mean() > 0.9 and np.array_equal(found[where] & 255, found[where] >> 8)
    none = studio.anonymize_again(Finished(photo, record, shown), Decision(NOT_A_FACE, 0))
    assert np.array_equal(read_deep(none.after.save(tmp_path / "d.tif", metadata_policy="strip")), samples)
