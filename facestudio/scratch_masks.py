"""Masks of scratches as files: written so that any paint program can correct them, and read whatever it made of them.

White is damaged and is mended, black stays. Separate from `mending`, which knows no files.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from facestudio.errors import UnwritableOutput, UsageError
from facestudio.files import shown, write_beside
from facestudio.photo import Photo

DAMAGED = 128  # levels from which on a place is damaged
BETWEEN, COLOURED = (64, 192), 64  # levels that are neither black nor white; by which those of a colour differ
ODD = 0.1  # the share of a mask that may be such
MOST = 0.5  # of a photo; a mask of more is surely one whose black is meant


def mask_beside(output: Path) -> Path:
    """The file of the mask that belongs to the result `output`: NAME.EXT.scratches.png."""
    return output.with_name(f"{output.name}.scratches.png")


def read_mask(path: Path, max_megapixels: float = 150.0) -> np.ndarray:
    """(H, W) bool, upright, set where the picture in `path` is white; what is transparent in it is black.

    UsageError when it is no mask: when much of it is grey or coloured, or most of it white. PhotoError as of `Photo.open`.
    """
    photo = Photo.open(path, max_megapixels)
    pixels = photo.pixels.astype(np.int16)
    grey = pixels.max(axis=2)
    if photo.alpha is not None:
        grey = np.minimum(grey, photo.alpha)
    odd = (grey > BETWEEN[0]) & (grey < BETWEEN[1])
    odd |= (np.ptp(pixels, axis=2) > COLOURED) & (grey > BETWEEN[0])
    mask: np.ndarray = grey >= DAMAGED
    hint = "Correct a mask that --save-scratch-mask wrote: white is damaged and is mended, black stays."
    if odd.mean() > ODD:
        raise UsageError(f"{shown(path)} is no mask: it shows more than black and white.", hint=hint)
    if mask.mean() > MOST:
        raise UsageError(f"{shown(path)} marks {mask.mean():.0%} of the photo as damaged.", hint=hint)
    return mask


def write_mask(path: Path, mask: np.ndarray, overwrite: bool = False) -> Path:
    """Write `mask` (H, W) bool as a PNG, whole or not at all. UnwritableOutput when that cannot be, or when something else than
    this very mask is there already and is not to be replaced."""
    data = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(data, "PNG", optimize=False)
    content = data.getvalue()

    def write(file: IO[bytes]) -> None:
        file.write(content)

    try:
        write_beside(path, write, overwrite)
    except UnwritableOutput:
        if not (path.is_file() and path.read_bytes() == content):
            raise
    return path
