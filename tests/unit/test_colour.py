"""Colour: profiles are applied and put back; what a restoration did not change keeps the file's own values."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from facestudio.colour import to_srgb
from facestudio.photo import Photo
from tests.end2end.hostile_corpus import drawing, encoded, srgb_profile


@cache  # a profile holds the second that it was made in
def wide_profile() -> bytes:
    """sRGB with Adobe RGB's red and green, so wider."""
    profile = bytearray(srgb_profile())
    for tag, xyz in ((b"rXYZ", (0.6097, 0.3111, 0.0195)), (b"gXYZ", (0.2053, 0.6257, 0.0609))):
        at = profile.index(tag)
        offset = int.from_bytes(profile[at + 4 : at + 8], "big") + 8
        for n, value in enumerate(xyz):
            profile[offset + 4 * n : offset + 4 * n + 4] = round(value * 65536).to_bytes(4, "big")
    return bytes(profile)


def grey_profile() -> bytes:
    """An ICC profile of one channel with gamma 1.0, as simple as one can be."""

    def fixed(value: float) -> bytes:
        return round(value * 65536).to_bytes(4, "big")

    tags = {
        b"desc": b"desc" + bytes(4) + (5).to_bytes(4, "big") + b"grey\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642) + fixed(1.0) + fixed(0.8249),
        b"kTRC": b"curv" + bytes(8),
    }
    table, body, at = len(tags).to_bytes(4, "big"), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + at.to_bytes(4, "big") + len(content).to_bytes(4, "big")
        body, at = body + content, at + len(content)
    head = at.to_bytes(4, "big") + bytes(4) + bytes.fromhex("02100000") + b"mntrGRAYXYZ " + bytes(12) + b"acsp"
    head += bytes(28) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    return head.ljust(128, b"\0") + table + body


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_a_wide_profile_is_applied_and_written_back(tmp_path: Path) -> None:
    native, profile = noise(), wide_profile()
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG", Image.fromarray(native), icc_profile=profile))
    photo = Photo.open(path)
    expected = ImageCms.profileToProfile(
        Image.fromarray(native),
        ImageCms.getOpenProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert expected is not None and np.array_equal(photo.pixels, np.asarray(expected))
    assert np.abs(photo.pixels.astype(int) - native).max() > 20, "the profile makes no difference"

    changed = photo.pixels.copy()
    changed[10:20, 10:30] = (180, 130, 110)
    with Image.open(photo.with_pixels(changed).save(tmp_path / "b.png")) as saved:
        assert saved.info["icc_profile"] == profile
        back = np.asarray(saved)
    outside = np.ones(native.shape[:2], bool)
    outside[10:20, 10:30] = False
    assert np.array_equal(back[outside], native[outside])
    inside = Photo.open(tmp_path / "b.png").pixels[10:20, 10:30].astype(int)
    assert np.median(np.abs(inside - (180, 130, 110))) <= 1
    assert np.abs(inside - (180, 130, 110)).max() <= 12


def test_no_trace_of_the_old_colours_stays_in_what_was_replaced() -> None:
    native = noise()
    colour, note = to_srgb(native, "RGB", wide_profile())
    assert note is None
    replaced = np.where(colour.srgb < 128, colour.srgb + 60, colour.srgb - 60).astype(np.uint8)
    replaced[:] = (180, 130, 110)
    far = np.abs(replaced.astype(int) - colour.srgb).max(axis=2) >= 16
    back, mode, _ = colour.restore(replaced, cmyk=False)
    assert mode == "RGB" and far.mean() > 0.9 and len(np.unique(back[far], axis=0)) == 1


@pytest.mark.parametrize("kind", ["wide", "cmyk", "grey"])
def test_of_what_was_hidden_nothing_of_the_files_own_values_stays(tmp_path: Path, kind: str) -> None:
    """A block of one of the colours below it: in sRGB hardly a pixel changes, in the file's own space they differ."""
    random = np.random.default_rng(2)
    if kind == "cmyk":
        ink = random.integers(0, 255, (40, 60, 4), dtype=np.uint8)
        ink[..., 3] = 255  # black whatever the other inks are
        path = tmp_path / "a.tif"
        Image.fromarray(ink, "CMYK").save(path)
    elif kind == "wide":
        path = tmp_path / "a.png"
        strong = np.zeros((40, 60, 3), np.uint8)
        strong[..., 0], strong[..., 1] = random.integers(0, 40, (40, 60)), 200  # greens that sRGB cannot hold
        Image.fromarray(strong).save(path, icc_profile=wide_profile())
    else:
        path = tmp_path / "a.png"
        Image.fromarray(random.integers(0, 8, (40, 60), dtype=np.uint8)).save(path, icc_profile=grey_profile())
    photo = Photo.open(path)
    where = np.zeros((40, 60), bool)
    where[10:30, 20:40] = True
    pixels = photo.pixels.copy()
    pixels[where] = pixels[20, 30]
    for wanted in (True, False):
        hidden = photo.with_hidden(pixels, where) if wanted else photo.with_pixels(pixels)
        target = tmp_path / f"{wanted}{path.suffix}"
        hidden.save(target)
        with Image.open(path) as before, Image.open(target) as after:
            old, new = np.asarray(before), np.asarray(after)
        flat = new[where].reshape(where.sum(), -1)
        assert (len(np.unique(flat, axis=0)) == 1) == wanted, "the block has one colour, and would not without this"
        assert np.array_equal(new[~where], old[~where])


def test_small_changes_of_colours_outside_of_srgb_make_no_seam() -> None:
    native = np.zeros((4, 64, 3), np.uint8)
    native[..., 1] = 255  # a green that sRGB does not have
    colour, _ = to_srgb(native, "RGB", wide_profile())
    changed = colour.srgb.copy()
    changed[..., 2] += np.arange(64, dtype=np.uint8)[None] // 2
    back = colour.restore(changed, cmyk=False)[0].astype(int)
    assert np.abs(np.diff(back, axis=1)).max() <= 16


def test_srgb_profile_keeps_values_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG", icc_profile=srgb_profile()))
    photo = Photo.open(path)
    assert np.abs(photo.pixels.astype(int) - drawing()).max() <= 1
    with Image.open(photo.save(tmp_path / "b.webp")) as saved:
        assert saved.info["icc_profile"] == srgb_profile()
        assert np.array_equal(np.asarray(saved), drawing())


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "heic", "avif"])
def test_every_format_that_can_carries_the_profile(tmp_path: Path, suffix: str) -> None:
    photo = Photo.from_bytes(encoded("PNG", Image.fromarray(drawing()), icc_profile=wide_profile()))
    saved = photo.save(tmp_path / f"a.{suffix}")
    with Image.open(saved) as image:
        assert image.info["icc_profile"] == wide_profile()
    difference = np.abs(Photo.open(saved).pixels.astype(int) - photo.pixels)
    assert difference.mean() < 4


@pytest.mark.parametrize("suffix", ["bmp", "gif"])
def test_a_format_without_profiles_gets_srgb(tmp_path: Path, suffix: str) -> None:
    plain = Image.new("RGB", (32, 32), (40, 200, 90))
    photo = Photo.from_bytes(encoded("PNG", plain, icc_profile=wide_profile()))
    assert tuple(photo.pixels[0, 0]) != (40, 200, 90)
    saved = photo.save(tmp_path / f"a.{suffix}")
    assert np.abs(Photo.open(saved).pixels.astype(int) - photo.pixels).max() <= 1


def test_a_grey_profile_is_applied_and_put_back(tmp_path: Path) -> None:
    grey = Image.fromarray(drawing()).convert("L")
    photo = Photo.from_bytes(encoded("PNG", grey, icc_profile=grey_profile()))
    assert photo.notes == () and photo.pixels[0, 0, 0] > 130, "linear 87 is a bright grey in sRGB"
    with Image.open(photo.save(tmp_path / "a.png")) as saved:
        assert saved.mode == "L" and saved.info["icc_profile"] == grey_profile()
        assert np.array_equal(np.asarray(saved), np.asarray(grey))
    with Image.open(photo.with_pixels(drawing()).save(tmp_path / "b.png")) as saved:
        assert saved.mode == "RGB" and "icc_profile" not in saved.info
        assert np.array_equal(np.asarray(saved), drawing())


def test_a_useless_profile_is_left_out_and_said(tmp_path: Path) -> None:
    photo = Photo.from_bytes(encoded("PNG", icc_profile=b"nothing that is a profile"))
    assert np.array_equal(photo.pixels, drawing()) and "profile" in photo.notes[0]
    with Image.open(photo.save(tmp_path / "a.png")) as saved:
        assert "icc_profile" not in saved.info
