"""What is read of damaged files: exactly the pixels that are the file's, how many these are, and nothing without being asked."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facestudio import pipeline
from facestudio.cli.main import run
from facestudio.errors import DamagedPhoto, NoFaceFound, UnreadablePhoto, UsageError
from facestudio.faces.judging import Judges
from facestudio.metadata import read_recipe
from facestudio.outcomes import Outcome
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.salvaging import Damage, words_of
from facestudio.studio import Studio
from facestudio.subject import Subject
from tests.fakes import FakeEmbedder, SlowRestorer, face_at, picture

FACES = (face_at(60, 70, 90), face_at(160, 150, 90))  # of the second only the upper half is read
DRAWN = picture(200, 240, FACES)
EXACT = {"PNG": {}, "TIFF": {"compression": "raw"}}


def encoded(format: str, pixels: np.ndarray = DRAWN, **settings: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **settings)
    return file.getvalue()


def cut(path: Path, data: bytes, share: float) -> Path:
    path.write_bytes(data[: int(len(data) * share)])
    return path


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_what_is_said_to_be_read_is_the_photo(tmp_path: Path, format: str, share: float) -> None:
    data = encoded(format, **EXACT.get(format, {}))
    whole = Photo.from_bytes(data)
    path = cut(tmp_path / "cut", data, share)
    with pytest.raises(DamagedPhoto) as refused:
        Photo.open(path)
    assert refused.value.path == path and str(refused.value) == "cut is damaged or incomplete."
    photo = Photo.open(path, salvage=True)
    assert photo.size == whole.size and photo.damage is not None and not photo.damage.coarse
    assert abs(photo.damage.readable - share) < 0.1
    assert np.array_equal(photo.pixels[~photo.damage.unread], whole.pixels[~photo.damage.unread])
    assert photo.notes[0].startswith(
        f"The file is damaged: {words_of(photo.damage.readable)} of the picture could be read"
    )


def tiff_with_its_directory_last(big: bool) -> bytes:
    """A grey TIFF or BigTIFF as scanners write them: header, pixels, and at the end what says where these are."""
    height, width = DRAWN.shape[:2]
    header = 16 if big else 8
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: header, 277: 1, 278: height, 279: height * width}
    end = header + height * width
    if big:
        start, count = struct.pack("<2sHHHQ", b"II", 43, 8, 0, end), struct.pack("<Q", len(tags))
        entries = b"".join(struct.pack("<HHQQ", tag, 16, 1, value) for tag, value in tags.items())
    else:
        start, count = struct.pack("<2sHI", b"II", 42, end), struct.pack("<H", len(tags))
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return start + DRAWN[..., 0].tobytes() + count + entries + bytes(8 if big else 4)


@pytest.mark.parametrize("salvage", [False, True])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("left", [0.5, 0.9, 1])
def test_a_tiff_whose_directory_was_at_the_end_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], left: float, big: bool, salvage: bool
) -> None:
    path, data = tmp_path / "scan.tif", tiff_with_its_directory_last(big)
    path.write_bytes(data)
    assert np.array_equal(Photo.open(path).pixels[..., 0], DRAWN[..., 0]), "whole it is a photo"
    end = len(data) - (8 if big else 4)
    kept = int(left * end) - 100  # of 1: within the directory
    path.write_bytes(data[:kept])
    assert run(["detect", str(path), *(["--salvage"] if salvage else [])]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "scan.tif is cut off: the end of this TIFF is missing, and with it the directory that says where" in said
    least = end if left == 1 else 16 + DRAWN[..., 0].size + 8 if big else 8 + DRAWN[..., 0].size + 2
    assert f"the complete file has at least {least:,} bytes, this one has {kept:,}." in said


@pytest.mark.parametrize("directory", [8, 0])  # one without entries; none yet, as when the writer was stopped
def test_a_tiff_that_is_damaged_but_whole_is_not_said_to_be_cut_off(tmp_path: Path, directory: int) -> None:
    path = tmp_path / "scan.tif"
    path.write_bytes(b"II*\x00" + directory.to_bytes(4, "little") + bytes(60))
    with pytest.raises(UnreadablePhoto) as refused:
        Photo.open(path, salvage=True)
    assert str(refused.value) == "scan.tif is damaged or incomplete."


def test_a_whole_file_is_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "whole.png"
    path.write_bytes(encoded("PNG"))
    photo = Photo.open(path, salvage=True)
    assert photo.damage is None and photo.notes == () and np.array_equal(photo.pixels, DRAWN)


def test_what_is_unread_is_turned_with_the_photo(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # the file's top is the photo's right side
    photo = Photo.open(cut(tmp_path / "cut.jpg", encoded("JPEG", exif=turned), 0.5), salvage=True)
    assert photo.size == (200, 240) and photo.damage is not None
    assert photo.damage.unread[:, 0].all() and not photo.damage.unread[:, -1].any()


def test_a_progressive_jpeg_is_coarse_and_says_so(tmp_path: Path) -> None:
    data = encoded("JPEG", progressive=True, quality=95)
    photo = Photo.open(cut(tmp_path / "cut.jpg", data, 0.4), salvage=True)
    assert photo.damage is not None and photo.damage.coarse and photo.damage.readable == 1
    assert photo.notes[0] == "The file is damaged: all of the picture could be read, without its fine detail."
    assert np.abs(photo.pixels.astype(int) - DRAWN).mean() < 12
    first = Photo.open(cut(tmp_path / "first.jpg", data, 0.04), salvage=True)  # within the first scan
    assert first.damage is not None and 0.2 < first.damage.readable < 0.9
    assert (np.abs(first.pixels[first.damage.unread].astype(int) - 128) <= 1).all()


def test_grey_of_a_garbled_jpeg_is_not_the_photo(tmp_path: Path) -> None:
    data = encoded("JPEG", quality=95, subsampling=0)
    start = int(len(data) * 0.5)
    (tmp_path / "garbled.jpg").write_bytes(data[:start] + b"\xff\x01\xff\x02" * 20 + data[start + 80 :])
    with pytest.raises(DamagedPhoto):
        Photo.open(tmp_path / "garbled.jpg")
    photo = Photo.open(tmp_path / "garbled.jpg", salvage=True)
    assert photo.damage is not None and 0.4 < photo.damage.readable < 0.65
    assert photo.damage.unread[-40:].all()


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_nothing_readable_stays_refused(tmp_path: Path, format: str) -> None:
    data = encoded(format)
    start = data.index(b"\xff\xda" if format == "JPEG" else b"IDAT")
    (tmp_path / "cut").write_bytes(data[: start + 4])
    with pytest.raises(
        UnreadablePhoto, match=r"cut is damaged(, and nothing of its picture can be read| or incomplete)\."
    ):
        Photo.open(tmp_path / "cut", salvage=True)


def test_texts_before_the_damage_are_kept(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    said = PngInfo()
    said.add_text("Title", "Aunt")
    photo = Photo.open(cut(tmp_path / "cut.png", encoded("PNG", pnginfo=said), 0.6), salvage=True)
    assert ("Title", "Aunt") in photo.metadata.texts


def damaged(tmp_path: Path) -> Photo:
    return Photo.open(cut(tmp_path / "cut.png", encoded("PNG", compress_level=0), 0.75), salvage=True)


def test_faces_that_were_not_read_whole_are_left_and_the_rest_stays_as_it_is(tmp_path: Path) -> None:
    photo = damaged(tmp_path)
    assert photo.damage is not None
    result = pipeline.restore(Subject(photo, FACES), SlowRestorer(), judges=Judges([FakeEmbedder()]))
    assert [face.status for face in result.faces] == ["restored", "skipped"]
    (note,) = result.faces[1].notes
    assert "of this face could not be read, so it was not restored." in note and not result.faces[0].notes
    assert result.recipe.salvaged == round(photo.damage.readable, 4) and 0.7 < photo.damage.readable < 0.8
    record = Outcome(tmp_path, None, result.status, None, 0.0, result=result).record()
    assert record["damage"] == photo.notes[0] and record["recipe"]["salvaged"] == result.recipe.salvaged
    saved = result.after.save(tmp_path / "out.png", recipe=result.saved_recipe)
    assert Recipe.from_json(read_recipe(saved) or "").salvaged == result.recipe.salvaged


def test_a_chosen_face_is_restored_as_far_as_it_was_read(tmp_path: Path) -> None:
    photo = damaged(tmp_path)
    assert photo.damage is not None
    result = pipeline.restore(Subject(photo, FACES, {1}), SlowRestorer())
    assert result.faces[1].status == "restored" and any("and that stays as it is" in n for n in result.faces[1].notes)
    unread = photo.damage.unread
    assert np.array_equal(result.after.pixels[unread], photo.pixels[unread])
    assert not np.array_equal(result.after.pixels, photo.pixels)
    twice = photo.enlarged(2)
    assert twice.damage is not None and twice.damage.unread.shape == twice.pixels.shape[:2]


def test_when_no_face_was_read_whole_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(NoFaceFound, match="could not be read"):
        pipeline.restore(Subject(damaged(tmp_path), FACES[1:]), SlowRestorer())


def test_what_was_salvaged_is_not_anonymized(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be anonymized"):
        Studio("cpu").anonymize(damaged(tmp_path), FACES, Recipe("solid", "solid"))


@pytest.mark.parametrize("share, words", [(0.004, "less than 1%"), (0.019, "1%"), (0.999, "99%")])
def test_shares_are_never_more_than_they_are(share: float, words: str) -> None:
    assert words_of(share) == words


def test_a_box_is_looked_at_inside_of_the_picture() -> None:
    unread = np.zeros((10, 10), dtype=bool)
    unread[5:] = True
    damage = Damage(unread)
    assert damage.share_in((2, 0, 4, 10)) == 0.5 and damage.share_in((-5, -5, 3, 5)) == 0
    assert damage.share_in((20, 20, 30, 30)) == 0 and damage.of_face((0, 6, 4, 9)).startswith("nothing of this face")
    assert damage.of_face((0, 0, 9, 4)) == ""


@pytest.mark.parametrize("value", ["2", "-0.1", "true", '"all"', "NaN"])
def test_a_share_that_makes_no_sense_is_no_recipe(value: str) -> None:
    line = Recipe("a", "b").to_json()
    assert '"salvaged"' not in line
    with pytest.raises(UsageError):
        Recipe.from_json(line.replace("{", f'{{"salvaged": {value}, ', 1))
