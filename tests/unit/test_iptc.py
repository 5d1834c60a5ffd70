"""IPTC captions: kept where a format has a place for them, said where it has none, and never a preview of the face before."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from PIL import Image, IptcImagePlugin, PngImagePlugin, TiffImagePlugin

from facestudio import iptc
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from tests.end2end.hostile_corpus import drawing as drawn


def drawing() -> Image.Image:
    return Image.fromarray(drawn())


RECIPE = Recipe("starter-estimator", "quick", {"strength": 0.5}, 7)
CAPTION = b"Hochzeit von A. Friend, 1931"


def dataset(record: int, number: int, content: bytes) -> bytes:
    return struct.pack(">BBBH", 0x1C, record, number, len(content)) + content


def long_dataset(record: int, number: int, content: bytes) -> bytes:
    return struct.pack(">BBBHI", 0x1C, record, number, 0x8004, len(content)) + content


BLOCK = dataset(1, 90, b"\x1b%G") + dataset(2, 120, CAPTION) + dataset(2, 25, b"family") + dataset(2, 25, b"wedding")


def resources(block: bytes) -> bytes:
    """Photoshop's resources: a named one, a thumbnail, and the captions."""
    thumbnail = b"8BIM\x04\x0c\0\0" + struct.pack(">I", 9) + b"THUMBNAIL\0"
    named = b"8BIM\x03\xe9\x05hello" + struct.pack(">I", 4) + b"1234"
    return named + thumbnail + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + bytes(len(block) % 2)


def jpeg(path: Path, *segments: bytes) -> Path:
    drawing().save(path, "JPEG")
    content = path.read_bytes()
    written = b"".join(b"\xff\xed" + struct.pack(">H", len(s) + 16) + b"Photoshop 3.0\0" + s for s in segments)
    path.write_bytes(content[:2] + written + content[2:])
    return path


def tiff(path: Path, tag: int, kind: int, content: bytes) -> Path:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags.tagtype[tag] = 7
    tags[tag] = content
    drawing().save(path, "TIFF", tiffinfo=tags)
    entry = struct.pack(
        "<HHI", tag, 7, len(content)
    )  # Pillow writes one word at most, so bytes are called words after it
    written, size = path.read_bytes(), 4 if kind == 4 else 1
    assert written.count(entry) == 1
    path.write_bytes(written.replace(entry, struct.pack("<HHI", tag, kind, len(content) // size)))
    return path


def captions(path: Path) -> dict[tuple[int, int], bytes | list[bytes]] | None:
    """What Pillow, which shares no code with us here, reads of a JPEG or TIFF file."""
    with Image.open(path) as image:
        found = IptcImagePlugin.getiptcinfo(image)  # type: ignore[no-untyped-call]
        return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("suffix", ["jpg", "tif", "png"])
def test_captions_of_a_scan_are_in_the_restored_file(tmp_path: Path, suffix: str) -> None:
    photo = Photo.open(jpeg(tmp_path / "scan.jpg", resources(BLOCK)))
    saved = photo.save(tmp_path / f"restored.{suffix}", recipe=RECIPE)
    again = Photo.open(saved)
    assert photo.losses(suffix) == () and again.metadata.iptc == BLOCK
    assert b"THUMBNAIL" not in saved.read_bytes()
    assert Photo.open(again.save(tmp_path / "twice.jpg")).metadata.iptc == BLOCK
    if suffix != "png":
        assert captions(saved) == {
            **{(1, 90): b"\x1b%G", (2, 120): CAPTION},
            (2, 25): [b"family", b"wedding"],
        }


@pytest.mark.parametrize("suffix", ["webp", "heic", "avif", "gif", "bmp"])
def test_a_format_without_a_place_for_captions_says_so(tmp_path: Path, suffix: str) -> None:
    photo = Photo.open(jpeg(tmp_path / "scan.jpg", resources(BLOCK)))
    assert any("IPTC" in sentence for sentence in photo.losses(suffix))
    assert CAPTION not in photo.save(tmp_path / f"restored.{suffix}", recipe=RECIPE).read_bytes()


@pytest.mark.parametrize("policy", ["strip", "technical"])
@pytest.mark.parametrize("suffix", ["jpg", "tif", "png"])
def test_who_strips_metadata_strips_captions(tmp_path: Path, suffix: str, policy: str) -> None:
    photo = Photo.open(jpeg(tmp_path / "scan.jpg", resources(BLOCK)))
    saved = photo.save(tmp_path / f"a.{suffix}", recipe=RECIPE, metadata_policy=policy)
    assert Photo.open(saved).metadata.iptc is None and CAPTION not in saved.read_bytes()
    assert CAPTION.hex().encode() not in saved.read_bytes()


def test_resources_that_two_segments_hold_are_read_together(tmp_path: Path) -> None:
    whole = resources(BLOCK)
    assert Photo.open(jpeg(tmp_path / "a.jpg", whole[:50], whole[50:])).metadata.iptc == BLOCK


def test_a_tiff_holds_them_as_bytes_as_words_either_way_round_or_as_resources(tmp_path: Path) -> None:
    padded = BLOCK + bytes(-len(BLOCK) % 4)
    turned = b"".join(padded[at : at + 4][::-1] for at in range(0, len(padded), 4))
    found = [
        Photo.open(tiff(tmp_path / "a.tif", 33723, 7, BLOCK)),
        Photo.open(tiff(tmp_path / "b.tif", 33723, 4, padded)),
        Photo.open(tiff(tmp_path / "c.tif", 33723, 4, turned)),
        Photo.open(tiff(tmp_path / "d.tif", 34377, 1, resources(BLOCK))),
    ]
    for number, photo in enumerate(found):
        saved = photo.save(tmp_path / f"{number}.tif", recipe=RECIPE)
        assert Photo.open(saved).metadata.iptc == BLOCK, number


def test_a_png_of_another_program_is_read(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text(iptc.PNG_KEY, iptc.png_text(resources(BLOCK)), zip=True)
    drawing().save(tmp_path / "a.png", pnginfo=info)
    assert Photo.open(tmp_path / "a.png").metadata.iptc == BLOCK


def test_a_preview_is_left_out_and_what_is_damaged_said(tmp_path: Path) -> None:
    preview = long_dataset(2, 202, b"THE OLD FACE") + dataset(7, 10, b"THE OLD FACE") + dataset(8, 10, b"THE OLD FACE")
    assert iptc.mended(preview + BLOCK + b"\0\0") == BLOCK
    assert iptc.mended(BLOCK[:-3]) == BLOCK[: -len(dataset(2, 25, b"wedding"))]
    photo = Photo.open(jpeg(tmp_path / "a.jpg", resources(b"nothing of the kind")))
    assert any("damaged" in sentence for sentence in photo.losses())
    assert Photo.open(photo.save(tmp_path / "b.jpg")).metadata.iptc is None


def test_captions_too_long_for_a_jpeg_are_said_and_a_tiff_holds_them(tmp_path: Path) -> None:
    block = BLOCK + long_dataset(2, 120, b"x" * 70000)
    photo = Photo.open(tiff(tmp_path / "a.tif", 33723, 7, block))
    assert any("too long" in sentence for sentence in photo.losses("jpg")) and photo.losses() == ()
    assert Photo.open(photo.save(tmp_path / "b.tif")).metadata.iptc == block
    assert Photo.open(photo.save(tmp_path / "b.jpg")).metadata.iptc is None


def test_random_bytes_never_raise() -> None:
    draw = random.Random(1)
    for _ in range(2000):
        content = bytearray(resources(BLOCK))
        for _ in range(draw.randint(1, 6)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        found = iptc._in_resources(bytes(content[: draw.randrange(len(content))]))
        assert found is None or isinstance(iptc.mended(found), bytes | None)


def test_a_tiff_that_says_nothing_of_its_print_gets_no_resolution(tmp_path: Path) -> None:
    drawing().save(tmp_path / "a.tif")
    with Image.open(Photo.open(tmp_path / "a.tif").save(tmp_path / "b.tif")) as saved:
        assert isinstance(saved, TiffImagePlugin.TiffImageFile) and 282 not in saved.tag_v2
