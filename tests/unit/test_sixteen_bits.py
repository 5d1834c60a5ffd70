"""Scans of 16 bits a colour come back with 16: what was not changed bit for bit, and of what was hidden no lower byte.

The commands with stand-ins for method, detector and judges; files are written and read by others than the program (`deep_files`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facestudio import xmp
from facestudio.cli.main import run
from facestudio.metadata import read_recipe
from facestudio.photo import Photo
from facestudio.studio import Studio
from tests.deep_files import ARTIST, deepened, read_deep, write_deep
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
    if (suffix, kind) == ("tif", "grey alpha"):
        pytest.skip("Pillow reads no such TIFF")
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
@pytest.mark.parametrize("kind", ["grey", "rgb", "rgb alpha"])
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

    before, after = read_deep(source), read_deep(out)
    where = changed(before, after)
    assert 0.05 < where.mean() < 0.5 and where[110:130, 100:120].all(), "the face is hidden"
    assert not where[:30].any() and not where[:, 250:].any(), "and the rest is as it was"
    hidden = after[where]
    assert np.array_equal(hidden & 255, hidden >> 8), "nothing but what 8 bits show"
