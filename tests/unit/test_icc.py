"""Colour profiles where no metadata is kept: colours come out as before, and nothing else of the profile does."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from facestudio.icc import anonymous, changed
from facestudio.photo import Photo
from facestudio.previews import blanked
from tests.end2end.hostile_corpus import encoded, srgb_profile
from tests.unit.test_colour import grey_profile, noise, wide_profile

OWNER = b"The monitor of a friend"


def told(profile: bytes) -> bytes:
    """`profile` with words of whose it is, and a maker's own tag that holds a picture."""
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = [struct.unpack_from(">4sII", profile, 132 + 12 * n) for n in range(count)]
    content = [(tag, profile[at : at + size]) for tag, at, size in tags if tag != b"cprt"]
    content += [(b"cprt", b"text" + bytes(4) + OWNER + b"\0"), (b"dmdd", b"text" + bytes(4) + OWNER + b"\0")]
    content += [(b"PICT", b"data" + bytes(4) + encoded("JPEG", Image.new("RGB", (8, 8), "red")))]
    table, body = b"", b""
    for tag, data in content:
        table += struct.pack(">4sII", tag, 132 + 12 * len(content) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = bytearray(profile[:128])
    header[24:36], header[48:56], header[84:100] = (
        struct.pack(">6H", 2021, 3, 4, 5, 6, 7),
        b"FRNDCAM1",
        b"made by a friend",
    )
    made = header + struct.pack(">I", len(content)) + table + body
    made[:4] = struct.pack(">I", len(made))
    return bytes(made)


def converted(profile: bytes, mode: str) -> np.ndarray:
    """What sixty colours of `mode` by `profile` are in sRGB and what those of sRGB are by `profile`."""
    here, there = ImageCms.getOpenProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    image = Image.fromarray(noise() if mode == "RGB" else noise()[..., 0])
    one = ImageCms.profileToProfile(image, here, there, outputMode="RGB")
    other = ImageCms.profileToProfile(Image.fromarray(noise()), there, here, outputMode=mode)
    assert one is not None and other is not None
    return np.concatenate([np.asarray(one).ravel(), np.asarray(other).ravel()])


@pytest.mark.parametrize(("profile", "mode"), [(srgb_profile(), "RGB"), (wide_profile(), "RGB"), (grey_profile(), "L")])
def test_colours_are_as_by_the_profile_before(profile: bytes, mode: str) -> None:
    made = anonymous(told(profile))
    assert made is not None and OWNER in told(profile)
    assert np.array_equal(converted(made, mode), converted(profile, mode))
    assert made == anonymous(profile), "neither who made it nor when is in it"
    for word in (OWNER, b"PICT", b"dmdd", b"\xff\xd8\xff", b"FRND", b"CAM1", b"friend", struct.pack(">3H", 2021, 3, 4)):
        assert word not in made
    assert len(made) == struct.unpack(">I", made[:4])[0]


def test_what_converts_colours_is_not_touched_by_what_is_done_to_the_rest() -> None:
    profile = told(wide_profile())
    made = changed(profile, lambda content: bytes(len(content)))
    assert OWNER not in made and len(made) == len(profile)
    assert np.array_equal(converted(made, "RGB"), converted(profile, "RGB"))
    assert changed(profile[:300], lambda content: b"") == profile[:300]


@pytest.mark.parametrize("damaged", [b"", srgb_profile()[:100], srgb_profile()[:300], bytes(500)], ids=len)
def test_a_damaged_profile_is_left_out(damaged: bytes) -> None:
    assert anonymous(damaged) is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".heic", ".avif"])
def test_a_file_without_metadata_does_not_say_whose_profile_it_had(tmp_path: Path, suffix: str) -> None:
    profile = told(wide_profile())
    photo = Photo.from_bytes(encoded("PNG", Image.fromarray(noise()), icc_profile=profile))
    for policy in ("strip", "technical", "keep"):
        path = photo.save(tmp_path / f"{policy}{suffix}", metadata_policy=policy)
        with Image.open(path) as image:
            written = image.info["icc_profile"]
        assert written == (changed(profile, blanked) if policy == "keep" else anonymous(profile))
        assert b"\xff\xd8\xff" not in written and (OWNER in written) == (policy == "keep")
        shown = Photo.open(path).pixels.astype(int)
        assert np.abs(shown - photo.pixels).mean() < 12
