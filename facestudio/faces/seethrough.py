"""What a photo's transparency tells of its faces: levelled below a changed face, and shown to whoever looks for missed ones.

A picture cut out of its background is transparent around a face; another one may hold the face itself in its transparency, as a
drawing of one colour does. Over paper both are seen, while recognisers look at colours alone. Knows no networks and no files.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from facestudio.faces.align import align
from facestudio.faces.face import FFHQ_512, Face
from facestudio.faces.paste import touched
from facestudio.photo import Photo

_FEATURES = ((256, 290), (115, 150))  # centre and half axes in pixels of an FFHQ_512 crop, from brow to chin
_CUT_OUT = 0.98  # part of the features that is of one transparency in a picture that was cut out
_ALIKE = 2  # levels


def levelled(photo: Photo, face: Face, hidden: np.ndarray) -> Photo:
    """`photo` of one transparency where eyes, nose and mouth of `face` are, and wherever `hidden` (H, W) bool is set, too, unless
    they had one already: then the rest is but how the picture was cut out, and stays."""
    if photo.alpha is None:
        return photo
    crop = align(photo, face, FFHQ_512)
    mask = np.zeros((FFHQ_512.size, FFHQ_512.size), np.float32)
    cv2.ellipse(mask, *_FEATURES, 0, 0, 360, 1, -1)
    features = touched(photo, crop, mask)
    if not features.any():
        return photo
    level = int(np.median(photo.alpha[features]))
    alike = np.abs(photo.alpha[features].astype(np.int16) - level) <= _ALIKE
    where = features if alike.mean() >= _CUT_OUT else features | hidden
    return photo.with_alpha(np.where(where, np.uint8(level), photo.alpha))


def unseen(photo: Photo) -> np.ndarray:
    """Where `photo` is wholly transparent, (H, W) bool: colours there are seen by nobody, and yet in its file."""
    return np.zeros(photo.pixels.shape[:2], bool) if photo.alpha is None else photo.alpha == 0


def over_papers(photo: Photo) -> Iterator[np.ndarray]:
    """How a partly transparent `photo` looks over white and over black paper, (H, W, 3) uint8; nothing of an opaque one."""
    if photo.alpha is None or bool((photo.alpha == 255).all()):
        return
    weight = photo.alpha[..., None].astype(np.uint16)
    for paper in (255, 0):
        yield ((photo.pixels * weight + paper * (255 - weight) + 127) // 255).astype(np.uint8)
