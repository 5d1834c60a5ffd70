"""What 16 bits per colour show of faces and 8 do not: in shadows and lights a face may lie within a few levels of 8 bits.

The detector sees 8 bits and nothing there, while whoever pulls the shadows of the file up sees a face. (A portrait squeezed into
8 levels of 256 is not found; made 16 times as bright, the same is found with a score of 0.94, and of one level with 0.88.)
Separate from `seethrough`, whose subject is transparency. Knows no networks and no files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from facestudio.faces.face import Face
from facestudio.photo import Photo

_BITS = 4  # by which shadows are made brighter, and lights darker
_RANGE = 65536 >> _BITS
_SIDE = 16  # pixels; the detector finds faces from some 14 on
_MOSTLY = 0.6  # part of a square of that side that lies in shadows, or in lights, where a face could
_BEYOND = 0.5  # of a face's box to each side that belongs to the face


def in_depths(photo: Photo) -> Iterator[np.ndarray]:
    """How the shadows of a `photo` of 16 bits look made bright, and its lights made dark, (H, W, 3) uint8; nothing where it has
    none that a face could lie in, or is saved with 8 bits."""
    deep = photo.in_16_bits()
    if deep is None:
        return
    for shadows in (True, False):
        from_end = deep if shadows else 65535 - deep
        if _holds_a_face(from_end < _RANGE):
            seen = np.minimum(from_end >> (8 - _BITS), 255).astype(np.uint8)
            seen = seen if shadows else 255 - seen
            yield seen if seen.ndim == 3 else np.dstack([seen] * 3)


def without_depth(photo: Photo, faces: Sequence[Face]) -> Photo:
    """`photo` with 8 bits per colour where the `faces` are, and around them."""
    if not faces:
        return photo
    where = np.zeros(photo.pixels.shape[:2], bool)
    for face in faces:
        beyond = _BEYOND * (face.box[2:] - face.box[:2])
        left, top = np.floor(face.box[:2] - beyond).astype(int).clip(0)
        right, bottom = np.ceil(face.box[2:] + beyond).astype(int).clip(0)
        where[top:bottom, left:right] = True
    return photo.without_depth(where)


def _holds_a_face(near: np.ndarray) -> bool:
    """Whether the samples that are `near` the end, (H, W[, C]) bool, fill a place as large as a small face."""
    every: np.ndarray = near if near.ndim == 2 else np.asarray(near.all(axis=2))
    share = cv2.boxFilter(every.view(np.uint8), cv2.CV_32F, (_SIDE, _SIDE), borderType=cv2.BORDER_REFLECT)
    return float(share.max()) >= _MOSTLY
