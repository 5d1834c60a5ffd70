"""Sixteen bits a colour: the lower bytes of a file's samples beside the upper ones, which all else works on, and files of both.

Pillow reads 16-bit colour as its upper bytes, and writes none. So the same decoder is asked twice, the second time told that the
bytes of a sample stand the other way round: what it gives then are the lower ones. Grey it reads whole. PNG and TIFF are written
here, with Pillow making all that stands in them beside the samples. Separate because no more than this knows of 16 bits; knows
bytes and arrays, and no photos.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin, TiffTags

FORMATS = ("PNG", "TIFF")  # that can hold them, and are written with them
GREY_ALPHA = "LA;16B"
_TURNED = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
_PORTION = 1 << 20  # bytes of samples that are filtered and compressed at once
_LEVEL = {"PNG": 4, "TIFF": 6}  # of deflate, as Pillow's for 8 bits
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INSTEAD = (b"IHDR", b"IDAT", b"IEND")
_GREY, _GREY_WITH_ALPHA, _COLOUR, _COLOUR_WITH_ALPHA = 0, 4, 2, 6  # a PNG's colour types
_ICC = 34675


def storage(image: Image.Image) -> str:
    """How the samples of an opened `image`, not decoded yet, stand in its file, in Pillow's words; "" when in several ways."""
    found = {
        tile.args if isinstance(tile.args, str) else str((tile.args or ("",))[0]) for tile in getattr(image, "tile", ())
    }
    return found.pop() if len(found) == 1 else ""


def in_two(stored: str) -> bool:
    """Whether the samples of a file, `stored` so, are read in two passes: the upper bytes, then the lower ones."""
    kind, _, order = stored.partition(";")
    return stored == GREY_ALPHA or (kind in ("RGB", "RGBA", "RGBX") and order in _TURNED)


def lower_bytes(image: Image.Image) -> np.ndarray | None:
    """The lower bytes (H, W, 3 or 4) uint8 of the 16-bit colours of an opened `image` of Pillow's, not decoded yet.

    None of those that are stored otherwise. Of grey with alpha (`GREY_ALPHA`) the answer is the bytes as they stand: upper and
    lower grey, upper and lower alpha. What the decoder raises passes through.
    """
    stored = storage(image)
    if not in_two(stored) or getattr(image, "tag_v2", {}).get(284) == 2:
        return None  # of planes behind one another Pillow looks at no order
    kind, _, order = stored.partition(";")
    other = "RGBA" if stored == GREY_ALPHA else f"{kind};{_TURNED[order]}"
    tiles = image.tile  # type: ignore[attr-defined]
    image.tile = [  # type: ignore[attr-defined]
        tile._replace(args=other if isinstance(tile.args, str) else (other, *tile.args[1:])) for tile in tiles
    ]
    image.load()
    return np.asarray(image)


def grey_and_alpha(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Grey and alpha (H, W) uint16 of a decoded TIFF that holds two channels of 16 bits, as `formats.open_image` opens it, whose
    mode shows the bytes of both; None of any other `image`. The second channel may be something else than alpha, then it is None.
    Grey that was multiplied by alpha is divided by it."""
    tags: Any = getattr(image, "tag_v2", {})
    if image.mode != "RGBA" or tags.get(258) != (16, 16):
        return None
    native = image.use_load_libtiff  # type: ignore[attr-defined]
    big = sys.byteorder == "big" if native else tags.prefix == b"MM"
    pixels = np.ascontiguousarray(np.asarray(image)).view(">u2" if big else "<u2").astype(np.uint16)
    grey, other = np.ascontiguousarray(pixels[..., 0]), np.ascontiguousarray(pixels[..., 1])
    kind = tags.get(338, (0,))[0]
    if kind == 1:
        whole = np.maximum(other, 1).astype(np.uint32)
        grey = np.minimum((grey.astype(np.uint32) * 65535 + whole // 2) // whole, 65535).astype(np.uint16)
    if tags.get(262) == 0:  # white
        grey = 65535 - grey
    return grey, other if kind else None


def png(samples: np.ndarray, alpha: np.ndarray | None, settings: dict[str, Any]) -> memoryview:
    """The bytes of a PNG of `samples` (H, W) or (H, W, 3) and `alpha` (H, W), uint16; `settings` for Pillow say the rest."""
    beside = io.BytesIO()
    Image.new("L" if samples.ndim == 2 else "RGB", (1, 1)).save(beside, "PNG", **settings)
    kind = (_GREY if samples.ndim == 2 else _COLOUR) if alpha is None else _GREY_WITH_ALPHA
    kind = _COLOUR_WITH_ALPHA if alpha is not None and samples.ndim == 3 else kind
    out = io.BytesIO()
    out.write(_SIGNATURE)
    height, width = samples.shape[:2]
    out.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)))
    for name, content in _chunks(beside.getvalue()):
        if name not in _INSTEAD:
            out.write(_chunk(name, content))
    squeeze = zlib.compressobj(_LEVEL["PNG"])
    above: np.ndarray | None = None
    for rows in _portions(samples, alpha):
        plain = np.ascontiguousarray(rows.astype(">u2")).view(np.uint8).reshape(rows.shape[0], -1)
        if above is None:
            above = np.zeros_like(plain[0])
        packed = squeeze.compress(_filtered(plain, above, 2 * rows.shape[2]))
        above = plain[-1]
        if packed:
            out.write(_chunk(b"IDAT", packed))
    out.write(_chunk(b"IDAT", squeeze.flush()))
    out.write(_chunk(b"IEND", b""))
    return out.getbuffer()


def tiff(samples: np.ndarray, alpha: np.ndarray | None, settings: dict[str, Any]) -> memoryview:
    """As `png`, a TIFF: in strips, deflated; of `settings` its tags, resolution and profile go in.

    Grey with alpha becomes colour with alpha, because hardly any program reads another 16-bit TIFF that has one.
    """
    if alpha is not None and samples.ndim == 2:
        samples = np.broadcast_to(samples[..., None], (*samples.shape, 3))
    strips, rows_each = deque[bytes](), 0
    for rows in _portions(samples, alpha):
        rows_each = rows_each or rows.shape[0]
        steps = rows.astype("<u2")
        steps[:, 1:] -= rows[:, :-1]  # how each sample differs from the one to its left
        packed = zlib.compress(steps.tobytes(), _LEVEL["TIFF"])
        strips.append(packed + bytes(len(packed) % 2))
    channels = (1 if samples.ndim == 2 else 3) + (alpha is not None)
    directory = _directory(settings)
    directory[256], directory[257] = samples.shape[1], samples.shape[0]
    directory[258], directory[277], directory[339] = (16,) * channels, channels, (1,) * channels
    directory[259], directory[317], directory[284] = 8, 2, 1  # deflated, by differences, colours side by side
    directory[262] = 1 if samples.ndim == 2 else 2
    if alpha is not None:
        directory[338] = 2  # one that the colours were not multiplied by
    lengths = [len(strip) for strip in strips]
    directory.tagtype[273] = directory.tagtype[279] = 4
    directory[278], directory[279] = rows_each, tuple(lengths)
    directory[273] = (0, *accumulate(lengths[:-1]))  # from the directory's end, as Pillow wants them
    out = io.BytesIO()
    directory.save(out)
    while strips:
        out.write(strips.popleft())
    return out.getbuffer()


def _portions(samples: np.ndarray, alpha: np.ndarray | None) -> Iterator[np.ndarray]:
    """Some rows at a time (h, W, channels) uint16."""
    height, width = samples.shape[:2]
    step = max(_PORTION // (8 * width), 1)
    for top in range(0, height, step):
        part = slice(top, top + step)
        yield np.atleast_3d(samples[part]) if alpha is None else np.dstack([samples[part], alpha[part]])


def _filtered(rows: np.ndarray, above: np.ndarray, apart: int) -> bytes:
    """`rows` (h, n) uint8 as a PNG stores them, below the row `above` (n,): each by the filter that leaves least, as its
    specification advises; `apart` bytes lie between a byte and that of the next pixel."""
    up = np.vstack([above, rows[:-1]])
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, apart:], corner[:, apart:] = rows[:, :-apart], up[:, :-apart]
    a, b, c = (side.astype(np.int16) for side in (left, up, corner))
    by_left, by_up, by_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest = np.where((by_left <= by_up) & (by_left <= by_corner), left, np.where(by_up <= by_corner, up, corner))
    tried = {1: rows - left, 2: rows - up, 4: rows - nearest}
    left_over = np.stack(
        [np.abs(one.view(np.int8).astype(np.int16)).sum(axis=1, dtype=np.int64) for one in tried.values()]
    )
    best = left_over.argmin(axis=0)
    stored = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    for n, (number, one) in enumerate(tried.items()):
        chosen = best == n
        stored[chosen, 0], stored[chosen, 1:] = number, one[chosen]
    return stored.tobytes()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(name)))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG that Pillow wrote."""
    at = len(_SIGNATURE)
    while at < len(content):
        length, name = struct.unpack_from(">I4s", content, at)
        yield name, content[at + 8 : at + 8 + length]
        at += 12 + length


def _directory(settings: dict[str, Any]) -> TiffImagePlugin.ImageFileDirectory_v2:
    """What stands in a TIFF's directory beside how its samples are stored."""
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    if "exif" in settings:
        said = Image.Exif()
        said.load(settings["exif"])
        for tag in said:
            directory[tag] = said.get_ifd(tag) if tag in TiffTags.TAGS_V2_GROUPS else said[tag]
    if settings.get("icc_profile"):
        directory.tagtype[_ICC] = 7
        directory[_ICC] = settings["icc_profile"]
    if settings.get("dpi"):
        directory[296], (directory[282], directory[283]) = 2, settings["dpi"]
    return directory
