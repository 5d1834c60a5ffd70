"""What of a damaged file can be read: the pixels that a decoder wrote before it gave up, and which these are.

A picture is decoded into memory that was filled beforehand, once with nothing and once with something else: what differs
afterwards was never written. So it is measured pixel by pixel what was read, whatever the format does about its rows, strips and
passes. Separate from `decoding`, which refuses such files unless it is asked for this; knows no photos.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

import numpy as np
from PIL import Image, ImageFile

from facestudio.formats import DECODER_ERRORS, open_image
from facestudio.quarters import turned

SALVAGED = ("JPEG", "MPO", "PNG", "TIFF")  # formats whose decoders write row by row into the picture's memory
_END_OF_JPEG = b"\xff\xd9"
_BLOCK = 8  # pixels of a JPEG's block
# of a TIFF and of a BigTIFF: where it says at which byte its directory is, how, how that counts its entries, and their bytes
_TIFFS = {b"*\x00": (4, "I", "H", 12), b"+\x00": (8, "Q", "Q", 20)}


@dataclass(frozen=True, eq=False)
class Damage:
    """What of a picture could not be read.

    Attributes:
        unread: (H, W) bool, upright, read-only; set where the file said nothing that could be read.
        coarse: whether what was read lacks fine detail, as of a progressive JPEG that is cut off.
    """

    unread: np.ndarray
    coarse: bool = False

    def __post_init__(self) -> None:
        view = self.unread.view()
        view.setflags(write=False)
        object.__setattr__(self, "unread", view)

    @property
    def readable(self) -> float:
        """The share of the picture that was read, 0 to 1."""
        return 1.0 - float(self.unread.mean())

    @property
    def sentence(self) -> str:
        """What a person is told."""
        share = "all" if not self.unread.any() else words_of(self.readable)
        detail = ", without its fine detail" if self.coarse else ""
        rest = "; the rest is not of the photo" if self.unread.any() else ""
        return f"The file is damaged: {share} of the picture could be read{detail}{rest}."

    def enlarged(self, times: int) -> Damage:
        """The same of a picture that is `times` as high and wide."""
        return Damage(self.unread.repeat(times, axis=0).repeat(times, axis=1), self.coarse)

    def turned(self, degrees: int) -> Damage:
        """The same of a picture that is turned clockwise by `degrees`."""
        return Damage(turned(self.unread, degrees), self.coarse)

    def share_in(self, box: np.ndarray | Sequence[float]) -> float:
        """How much of a `box` (left, top, right, bottom in pixels) was not read, 0 to 1; beyond the picture nothing counts."""
        height, width = self.unread.shape
        left, top = (max(0, math.floor(float(low))) for low in (box[0], box[1]))
        right, bottom = min(width, math.ceil(float(box[2]))), min(height, math.ceil(float(box[3])))
        inside = self.unread[top:bottom, left:right]
        return float(inside.mean()) if inside.size else 0.0

    def of_face(self, box: np.ndarray | Sequence[float]) -> str:
        """How much of the face in `box` is missing, in words; "" when it was read whole."""
        lacking = self.share_in(box)
        if not lacking:
            return ""
        return f"{words_of(lacking) if lacking < 1 else 'nothing'} of this face could {'not ' if lacking < 1 else ''}be read"


def words_of(share: float) -> str:
    """A share of less than all, in whole per cent and never more than it is."""
    return "less than 1%" if share < 0.01 else f"{min(math.floor(100 * share), 99)}%"


def salvage(file: IO[bytes]) -> tuple[Image.Image, np.ndarray, bool]:
    """What of the damaged picture in `file`, one of `SALVAGED`, can be read.

    Returns the picture, black where nothing was read; where that is, (H, W) bool, turned as the picture is; and whether fine
    detail is missing. Raises one of DECODER_ERRORS when nothing can be read.
    """
    image, unread = _twice(file)
    coarse, jpeg = bool(unread.all()), image.format in ("JPEG", "MPO")
    if coarse and jpeg:
        # scans that refine one another are shown when the last has come, or when the decoder is told that it has
        file.seek(0)
        image, unread = _twice(io.BytesIO(file.read() + _END_OF_JPEG))
    if jpeg:
        unread |= _never_coded(np.asarray(image))
    if unread.all():
        raise OSError("nothing can be read")
    return image, unread, coarse


def directory_end(file: IO[bytes]) -> int | None:
    """How many bytes the TIFF in `file` has at least where its directory was cut off with its end; else None.

    The directory (IFD; TIFF 6.0, section 2) says where a picture is, how large and how it is stored. Without it nothing of one
    can be read, and many programs write it last.
    """
    length = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(start[:2])
    kind = start[2:4] if order == "<" else start[3:1:-1]
    if order is None or kind not in _TIFFS:
        return None
    place, pointer, counter, entry = _TIFFS[kind]
    begin = start[place : place + struct.calcsize(pointer)]
    if len(begin) < struct.calcsize(pointer):
        return place + struct.calcsize(pointer)
    (offset,) = struct.unpack(order + pointer, begin)
    if offset < place + struct.calcsize(pointer):
        return (
            None  # it was never written: writers that were stopped leave 0 there, and then nobody knows how long it was
        )
    end: int = offset + struct.calcsize(counter)
    if end <= length:
        file.seek(offset)
        (entries,) = struct.unpack(order + counter, file.read(struct.calcsize(counter)))
        end += entries * entry
    return end if end > length else None


def _twice(file: IO[bytes]) -> tuple[Image.Image, np.ndarray]:
    """The picture in `file`, which stays open, as far as it can be decoded, and where nothing was."""
    image = _into(file, 0)
    one, other = np.asarray(image), np.asarray(_into(file, 255))
    if one.shape != other.shape:
        raise OSError("it is not the same picture twice")
    return image, one != other if one.ndim == 2 else (one != other).any(axis=2)


def _into(file: IO[bytes], level: int) -> Image.Image:
    """The picture in `file`, decoded as far as it goes into memory that was filled with `level`."""
    file.seek(0)
    image = open_image(file)
    assert isinstance(image, ImageFile.ImageFile)
    size = getattr(image, "_tile_size", image.size)  # a TIFF is turned at the end of its decoding
    bands = len(image.getbands())
    image.im = Image.new(image.mode, size, level if bands == 1 else (level,) * bands).im
    with suppress(*DECODER_ERRORS):
        image.load()
    if image.tile:
        image.tile = []  # it is not decoded once more
        with suppress(*DECODER_ERRORS):
            image.load_end()
    return image


def _never_coded(samples: np.ndarray) -> np.ndarray:
    """Where no coefficient came: blocks at the end that are all middle grey, which is what a JPEG's decoder makes of nothing."""
    grey = (samples == 127) | (samples == 128)
    grey = grey if grey.ndim == 2 else grey.all(axis=2)
    coded = np.flatnonzero(~grey.all(axis=1))
    end = int(coded[-1]) + 1 if coded.size else 0
    unread = np.zeros(grey.shape, dtype=bool)
    unread[end:] = True
    for top in (
        range(max(end - 2 * _BLOCK, 0), end, _BLOCK) if end < len(grey) else ()
    ):  # the row of blocks that was begun
        rows = slice(top, min(top + _BLOCK, end))
        begun = np.flatnonzero(~grey[rows].all(axis=0))
        unread[rows, begun[-1] + 1 if begun.size else 0 :] = True
    return unread
