"""Whether a photo shows a face in finer detail than its crop can hold, and whether that detail is worth keeping.

A face larger than a method's crop would come back softer than it was. What the crop leaves out is either fine detail, which
stands at edges and is nearly nothing on plain skin, or noise, which is everywhere alike. Knows no networks and no methods.
"""

from __future__ import annotations

import cv2
import numpy as np

from facestudio.device import enough_memory
from facestudio.faces.align import warp
from facestudio.faces.face import AlignedFace
from facestudio.photo import Photo

TILE = 8  # pixels: a tile's side
FAINT = 2.0  # levels: deviation below which detail cannot be seen
ABOVE = 1.75  # times the noise that detail must be


@enough_memory()
def beyond(photo: Photo, crop: AlignedFace) -> np.ndarray:
    """What `photo` shows of the face and `crop`, cut from it, does not: (N, N) float32 in levels of grey, upright.

    N is the side of the middle half of the crop in photo pixels, at most 1024; the background counts for nothing.
    """
    side = crop.template.size
    count = int(np.clip(side / 2 / crop.scale, 16, 1024))
    step = side / 2 / count
    # photo to a finer crop that shows the middle half, and from the crop to the same
    fine = np.array([[1 / step, 0.0], [0.0, 1 / step]]) @ (crop.matrix - [[0, 0, side / 4], [0, 0, side / 4]])
    own = np.array([[1 / step, 0.0, -side / 4 / step], [0.0, 1 / step, -side / 4 / step]])
    shown = warp(photo.pixels, fine, (count, count), border=cv2.BORDER_REPLICATE)
    held = warp(crop.pixels, own, (count, count), border=cv2.BORDER_REPLICATE)
    off: np.ndarray = cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return off - cv2.cvtColor(held, cv2.COLOR_RGB2GRAY)


def is_sharp(photo: Photo, crop: AlignedFace) -> bool:
    """Whether `photo` shows detail of the face that `crop` leaves out, and not just noise."""
    left_out = beyond(photo, crop)
    count = len(left_out) // TILE
    tiles = left_out[: count * TILE, : count * TILE].reshape(count, TILE, count, TILE)
    noise = float(np.percentile(tiles.std(axis=(1, 3)), 15))  # of the plainest parts: skin
    detail = max(float(left_out.var()) - noise**2, 0.0) ** 0.5
    return detail >= FAINT and detail >= ABOVE * noise
