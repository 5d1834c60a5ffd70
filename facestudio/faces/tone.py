"""Photos of a single tone, such as sepia prints and scans of black-and-white ones: whether a crop is one, and its tone given
to another crop.

A restorer that learned from colour photos paints colours where such a photo has none: reddish lips, greenish hair. Grey is the
tone without colour; `colourless` is its exact case. Knows no method.
"""

from __future__ import annotations

import numpy as np

from facestudio.faces.face import AlignedFace

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
BINS = 32  # levels of brightness at which the tone is looked at
TYPICAL, FARTHEST = 3.0, 10.0  # levels that a colour may be off its tone: root mean square, and 99 of 100 pixels


def tone_of(pixels: np.ndarray) -> np.ndarray | None:
    """How far red, green and blue are from the brightness, (BINS, 3) float32 at each of its levels; None of a colour photo.

    `pixels` is (H, W, 3) uint8 RGB. Each brightness has one colour in a photo of a single tone, up to what JPEG and paper add.
    """
    flat = pixels.reshape(-1, 3).astype(np.float32)
    bright = flat @ LUMA
    off = flat - bright[:, None]
    place = np.minimum((bright * (BINS / 256)).astype(np.intp), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    sums = np.stack([np.bincount(place, off[:, channel], BINS) for channel in range(3)], axis=1)
    known = np.flatnonzero(count)
    means = sums[known] / count[known, None]
    curve = np.stack([np.interp(np.arange(BINS), known, means[:, channel]) for channel in range(3)], axis=1)
    rest = np.abs(off - _at(curve, bright)).max(axis=1)
    if float(np.sqrt(np.mean(rest**2))) > TYPICAL or float(np.percentile(rest, 99)) > FARTHEST:
        return None
    return curve.astype(np.float32)


def with_tone(aligned: AlignedFace, tone: np.ndarray) -> AlignedFace:
    """The crop in a single `tone`: its brightness stays, and each has the colour that `tone_of` found for it."""
    bright = aligned.pixels.astype(np.float32) @ LUMA
    toned = bright[..., None] + _at(tone, bright)
    return aligned.with_pixels(np.clip(np.rint(toned), 0, 255).astype(np.uint8))


def colourless(aligned: AlignedFace) -> bool:
    """Whether a crop comes from a black-and-white photo: red, green and blue never differ by more than 3 levels."""
    return int(np.ptp(aligned.pixels, axis=2).max()) <= 3


def without_colour(aligned: AlignedFace) -> AlignedFace:
    """The crop in greys: a black-and-white photo shall not come back tinted."""
    grey = np.rint(aligned.pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return aligned.with_pixels(np.repeat(grey[..., None], 3, axis=2))


def in_tone(made: AlignedFace, before: AlignedFace) -> AlignedFace:
    """`made` without colours that the photo has none of: in greys where it is black and white, in its tone where it has one."""
    if colourless(before):
        return without_colour(made)
    tone = tone_of(before.pixels)
    return made if tone is None else with_tone(made, tone)


def _at(curve: np.ndarray, bright: np.ndarray) -> np.ndarray:
    """The `curve` between the middles of its bins, at each brightness."""
    middles = (np.arange(BINS) + 0.5) * (256 / BINS)
    return np.stack([np.interp(bright, middles, curve[:, channel]) for channel in range(3)], axis=-1)
