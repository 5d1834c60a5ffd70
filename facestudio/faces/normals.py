"""Pose pictures: how the surface of a head stands to the camera, in colours, as a ControlNet of poses is shown it.

A normal of length 1 (x to the right, y up, z to the camera) is the colour n / 2 + 1 / 2, and around the head is plain grey: so
the published pose ControlNet of Arc2Face saw meshes that were fitted to photos. What fits them is not part of Face Studio, as it
may not be given on; so a user brings the picture, and here it is only looked whether it can be one.
"""

from __future__ import annotations

import cv2
import numpy as np

from facestudio.errors import UsageError
from facestudio.photo import Photo

SMALLEST = 128  # pixels of a side
GREY = 127  # around the head; no normal
LENGTHS = (0.7, 1.3)  # of a normal, after interpolation and JPEG
BACK = -0.2  # z of a normal that cannot be seen
FITTING = 0.8  # of what is seen, the least share that are normals
HEAD = 0.05  # of the picture
SIDES = 0.02  # of the head that looks to the left, and to the right, by more than TURNED
TURNED = 0.3
PLAIN = 0.2  # how near to grey, black or white the surroundings are
_HINT = (
    "A pose picture is a normal map of a head, as EMOCA and similar tools render it from a photo: square, framed "
    "as the face is to be, bluish at the front, red to the right, green above."
)


def normals(photo: Photo) -> np.ndarray:
    """The colours (S, S, 3) uint8 of the pose picture `photo`, grey where it is transparent.

    UsageError in one sentence where it is not square, smaller than `SMALLEST`, or no picture of a head's normals.
    """
    width, height = photo.size
    name = photo.path.name if photo.path else "The picture"
    if width != height:
        raise UsageError(f"{name} is not a pose picture: at {width} x {height} px it is not square.", hint=_HINT)
    if width < SMALLEST:
        raise UsageError(
            f"{name} is too small for a pose picture: it has {width} px and needs at least {SMALLEST}.", hint=_HINT
        )
    colours: np.ndarray = photo.pixels
    if photo.alpha is not None:
        seen = photo.alpha[..., None].astype(np.float32) / 255
        colours = np.rint(seen * colours + (1 - seen) * GREY).astype(np.uint8)
    if not _of_a_head(colours):
        raise UsageError(f"{name} is not a pose picture: its colours are not those of a normal map.", hint=_HINT)
    return colours


def resized(colours: np.ndarray, side: int) -> np.ndarray:
    """`colours` (S, S, 3) uint8 with `side` pixels a side; themselves where they have so many."""
    if len(colours) == side:
        return colours
    way = cv2.INTER_AREA if len(colours) > side else cv2.INTER_LINEAR
    smaller: np.ndarray = cv2.resize(colours, (side, side), interpolation=way)
    return smaller


def _of_a_head(colours: np.ndarray) -> bool:
    """Whether `colours` are, in the main, unit normals of something round, and what is around it is plain."""
    vectors = colours.astype(np.float32) / 127.5 - 1
    plain = np.any([np.abs(vectors - level).max(axis=2) < PLAIN for level in (-1, 0, 1)], axis=0)
    head = vectors[~plain]
    if len(head) < HEAD * plain.size:
        return False
    lengths = np.linalg.norm(head, axis=1)
    fitting = head[(lengths > LENGTHS[0]) & (lengths < LENGTHS[1]) & (head[:, 2] > BACK)]
    if len(fitting) < FITTING * len(head):
        return False
    left, right = (fitting[:, 0] < -TURNED).mean(), (fitting[:, 0] > TURNED).mean()
    return bool(min(left, right) > SIDES)
