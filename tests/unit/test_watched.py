"""While a large photo is read, how far that is is told, and a stop is heard before the decoder is done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facestudio.errors import UnreadablePhoto
from facestudio.photo import Photo
from facestudio.progress import Cancelled, Progress
from tests.deep_files import deepened, write_deep

NOISE = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8)
PORTIONS = {"a.jpg": {"quality": 98}, "a.png": {}, "a.bmp": {}, "a.tif": {}, "a.gif": {}}


@pytest.mark.parametrize("name", PORTIONS)
def test_a_stop_is_heard_inside_the_decoder(name: str, tmp_path: Path) -> None:
    Image.fromarray(NOISE).save(tmp_path / name, **PORTIONS[name])
    shares: list[float | None] = []

    def stop(share: float | None) -> None:
        shares.append(share)
        if share is not None and share > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        Photo.open(tmp_path / name, reading=stop)
    assert shares[-1] is not None and 0.3 < shares[-1] < 0.9 and len(shares) > 3, "not all of it was read"


@pytest.mark.parametrize("name", [*PORTIONS, "a.webp", "deflated.tif", "a.avif"])
def test_nothing_else_changes(name: str, tmp_path: Path) -> None:
    more = {"compression": "tiff_adobe_deflate"} if name == "deflated.tif" else PORTIONS.get(name, {})
    Image.fromarray(NOISE[:300, :400]).save(tmp_path / name, **more)
    shares: list[float | None] = []
    watched, plain = Photo.open(tmp_path / name, reading=shares.append), Photo.open(tmp_path / name)
    assert np.array_equal(watched.pixels, plain.pixels) and watched.format == plain.format
    assert shares[0] == 0 and 1 in shares and watched.lossless == plain.lossless
    assert (None in shares) is (name not in PORTIONS), "what is read in one go says so"


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_what_is_read_in_two_passes_is_half_read_after_the_first(name: str, tmp_path: Path) -> None:
    write_deep(tmp_path / name, deepened(NOISE))
    shares: list[float | None] = []
    assert Photo.open(tmp_path / name, reading=shares.append).bits == 16
    known = [round(share, 3) for share in shares if share is not None]
    assert known == sorted(known) and known[-1] == 1
    assert all(any(low < share < low + 0.25 for share in known) for low in (0.25, 0.5, 0.75))


def test_a_stop_after_the_decoder_is_heard_as_well(tmp_path: Path) -> None:
    Image.fromarray(NOISE[:300, :400]).save(tmp_path / "a.webp")
    progress = Progress()

    def reading(share: float | None) -> None:
        if share == 1:
            progress.cancel()
        progress.check()

    with pytest.raises(Cancelled):
        Photo.open(tmp_path / "a.webp", reading=reading)


@pytest.mark.parametrize("salvage", [False, True])
def test_a_damaged_file_is_refused_or_salvaged_as_ever(salvage: bool, tmp_path: Path) -> None:
    Image.fromarray(NOISE).save(tmp_path / "a.jpg", quality=90)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    if salvage:
        assert Photo.open(tmp_path / "a.jpg", salvage=True, reading=lambda share: None).damage is not None
    else:
        with pytest.raises(UnreadablePhoto, match="damaged"):
            Photo.open(tmp_path / "a.jpg", reading=lambda share: None)
