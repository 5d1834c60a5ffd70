"""Files of 16 bits a colour, written and read by OpenCV and by hand, so that neither is what is tested."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from tests.end2end.hostile_corpus import png_chunk

ARTIST, ORIENTATION, ICC = 0x013B, 0x0112, 34675


def deepened(pixels: np.ndarray, seed: int = 0) -> np.ndarray:
    """`pixels` uint8 as the upper bytes of uint16, above lower ones that are noise."""
    return pixels.astype(np.uint16) << 8 | np.random.default_rng(seed).integers(0, 256, pixels.shape, dtype=np.uint16)


def write_deep(
    path: Path,
    samples: np.ndarray,
    profile: bytes | None = None,
    artist: str = "",
    orientation: int = 1,
    big: bool = True,
    deflated: bool = False,
    more: dict[int, int] | None = None,
) -> Path:
    """Write `samples` uint16, (H, W) of grey, (H, W, 2) with alpha, (H, W, 3) of RGB, (H, W, 4) with alpha: a PNG, or a TIFF,
    `big`-endian or little, `deflated` or without compression, with `more` tags."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    stored = samples.astype(">u2").tobytes()
    if path.suffix == ".png":
        rows = np.frombuffer(stored, np.uint8).reshape(height, -1)
        lines = b"".join(b"\0" + row.tobytes() for row in rows)
        kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
        content = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
        content += b"" if profile is None else png_chunk(b"iCCP", b"a profile\0\0" + zlib.compress(profile))
        if artist or orientation != 1:
            exif = Image.Exif()
            exif[ARTIST], exif[ORIENTATION] = artist, orientation
            content += png_chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
        content += png_chunk(b"IDAT", zlib.compress(lines, 1)) + png_chunk(b"IEND", b"")
        path.write_bytes(content)
        return path
    stored = stored if big else samples.astype("<u2").tobytes()
    stored = zlib.compress(stored) if deflated else stored
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"MM" if big else b"II")
    tags[256], tags[257], tags[258], tags[259] = width, height, (16,) * channels, 8 if deflated else 1
    tags[262], tags[277], tags[278], tags[284] = 1 if channels < 3 else 2, channels, height, 1
    tags[273], tags[279], tags[339] = 0, len(stored), (1,) * channels
    if channels in (2, 4):
        tags[338] = 2
    if profile is not None:
        tags.tagtype[ICC], tags[ICC] = 7, profile
    if artist:
        tags[ARTIST] = artist
    tags[ORIENTATION] = orientation
    for tag, value in (more or {}).items():
        tags[tag] = value
    with open(path, "wb") as file:
        tags.save(file)
        file.write(stored)
    return path


def read_deep(path: Path) -> np.ndarray:
    """The samples of a 16-bit file as OpenCV reads them: (H, W) uint16 of grey, (H, W, 3) of RGB, (H, W, 4) with alpha."""
    flags = cv2.IMREAD_UNCHANGED
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flags)
    assert found is not None and found.dtype == np.uint16, "not 16 bits"
    return found if found.ndim == 2 else np.ascontiguousarray(found[..., [2, 1, 0, 3][: found.shape[2]]])
