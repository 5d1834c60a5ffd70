"""What lies over the rim of a face and is no skin: hair, hats, what is behind a face that looks aside.

Somebody else's face is drawn into an oval of the crop. Above the brows and beside the jaw there may be hair in it, or a hat, and
a forehead drawn over these is seen at once, while they say little of who somebody is. Skin is what has the colours of cheeks and
nose (in Lab, by how far these vary); only what lies beyond the features, and is joined to what surrounds the oval, can be fringe.
Only colour and geometry, no network.
"""

from __future__ import annotations

import cv2
import numpy as np

CHEEKS = (1, 3, 5, 48, 31, 30, 35, 54, 11, 13, 15, 27)  # landmarks around cheeks and nose, in iBUG-68 order
SHADED = np.array([0.08, 0.0, 0.0], np.float32)  # deviations of L, a, b at least, in shares of the skin's lightness
LEAST = 5.0  # the same in levels of OpenCV's 8-bit Lab
NEAR, FAR = 2.5, 4.5  # deviations up to which a colour is skin, and from which it is not
REACH = 0.05  # of the eyes' distance by which the features' outline is widened: within it, nothing is fringe
SOFT = 0.03  # of the eyes' distance: deviation of the blur of its edge


def fringe(pixels: np.ndarray, points: np.ndarray, area: np.ndarray) -> np.ndarray:
    """How much of each pixel is no face (S, S) float32 in 0..1, within the soft mask `area` (S, S) in 0..1 of a crop.

    Args:
        pixels: (S, S, 3) uint8 RGB. points: (68, 2) its landmarks in pixels.
    """
    eyes = float(np.linalg.norm(points[36:42].mean(0) - points[42:48].mean(0)))
    lab = cv2.cvtColor(cv2.GaussianBlur(pixels, (0, 0), max(0.5, SOFT * eyes)), cv2.COLOR_RGB2Lab).astype(np.float32)
    skin = lab[_filled(points[list(CHEEKS)], area.shape) > 0]
    if not len(skin) or eyes < 1:
        return np.zeros(area.shape, np.float32)
    middle = np.median(skin, axis=0)
    least = np.maximum(SHADED * middle[0], LEAST)
    spread = np.maximum(1.5 * np.median(np.abs(skin - middle), axis=0), least)
    off = np.sqrt((((lab - middle) / spread) ** 2).mean(axis=2))
    other = np.clip((off - NEAR) / (FAR - NEAR), 0, 1)
    inner = _filled(points[:27], area.shape)
    reach = 2 * round(REACH * eyes) + 1
    other[cv2.dilate(inner, np.ones((reach, reach), np.uint8)) > 0] = 0
    joined = _joined(other > 0.5, area)
    return cv2.GaussianBlur(other * joined, (0, 0), max(0.5, SOFT * eyes))


def _filled(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The convex hull of `points` (N, 2), (S, S) uint8, 1 inside."""
    canvas = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(canvas, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return canvas


def _joined(other: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Where the parts of `other` (S, S) bool are that reach out of `area`."""
    _, labels = cv2.connectedComponents((other | (area <= 0)).astype(np.uint8))
    outside = np.unique(labels[area <= 0])
    return np.isin(labels, outside[outside > 0]) & other
