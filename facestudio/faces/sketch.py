"""Where the features of a face are, as lines: what holds pose and expression while the person may change.

Separate from `landmarks`, which finds the points. Only geometry and OpenCV.
"""

from __future__ import annotations

import cv2
import numpy as np

# (kind of line, first and last landmark in iBUG-68 order, whether it is closed); kinds as in networks/prior.py
STROKES = (
    (0, 0, 16, False),
    (0, 17, 21, False),
    (0, 22, 26, False),
    (1, 36, 41, True),
    (1, 42, 47, True),
    (2, 27, 30, False),
    (2, 31, 35, False),
    (3, 48, 59, True),
    (3, 60, 67, True),
)
KINDS = 4
FINE = 8  # parts of a pixel that OpenCV draws in


def sketch(landmarks: np.ndarray, size: int = 256, side: int = 64) -> np.ndarray:
    """Lines (side, side, 4) float32 in 0..1 through 68 `landmarks` (68, 2), in pixels of a crop of `size`."""
    points = (np.asarray(landmarks, np.float64) + 0.5) * side / size - 0.5
    canvas = np.zeros((KINDS, side, side), np.uint8)
    for kind, first, last, closed in STROKES:
        line = np.rint(points[first : last + 1] * 2**FINE).astype(np.int32)
        cv2.polylines(canvas[kind], [line.reshape(-1, 1, 2)], closed, 255, 1, cv2.LINE_AA, FINE)
    return canvas.transpose(1, 2, 0).astype(np.float32) / 255
