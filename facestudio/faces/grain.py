"""Grain: how much of a face crop is plain noise, and the crop without it.

Noise that a sensor or film left in every pixel is another thing than what small, blurred or compressed photos have, and our
small restorer, which looks at blocks of pixels, leaves it. It is measured first, so nothing else is touched. Measure: the median
of the finest diagonal wavelet coefficients (Donoho and Johnstone, "Ideal spatial adaptation by wavelet shrinkage", 1994).
Filter: non-local means (Buades, Coll and Morel, 2005), by OpenCV.
"""

from __future__ import annotations

import cv2
import numpy as np

LEAST = 5.0  # levels of 255; sharp skin and hair reach 4.4
PATCH, SEARCH = 5, 15  # px


def noise_level(pixels: np.ndarray) -> float:
    """Standard deviation, in levels of 255, of the white noise in `pixels` (H, W, 3) uint8: that of the noisiest channel."""
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    if not height or not width:
        return 0.0
    x = pixels[:height, :width].astype(np.float32)
    diagonal = (x[::2, ::2] - x[1::2, ::2] - x[::2, 1::2] + x[1::2, 1::2]) / 2
    return float(np.median(np.abs(diagonal), axis=(0, 1)).max() / 0.6745)  # of a normal distribution


def without_grain(pixels: np.ndarray, share: float) -> np.ndarray:
    """`pixels` (H, W, 3) uint8 RGB smoothed by a `share` of what noise they have, 0..1; themselves when they have hardly any."""
    level = noise_level(pixels)
    if not share or level < LEAST:
        return pixels
    reach = share * level
    return cv2.fastNlMeansDenoisingColored(np.ascontiguousarray(pixels), None, reach, reach, PATCH, SEARCH)
