"""A photo turned about its middle, and what was found there, turned back.

Networks know heads that are tilted by thirty degrees or so; a tilt beyond that is seen when the photo itself is turned.
Only geometry lives here; it knows no networks.
"""

from __future__ import annotations

import cv2
import numpy as np

from facestudio.faces.align import transform


def turned(pixels: np.ndarray, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """`pixels` (H, W, 3) uint8 turned clockwise by `degrees`, on a canvas that holds all of it, black where nothing was;
    and the affine matrix (2, 3) float64 that carries points of `pixels` there."""
    size = np.array(pixels.shape[1::-1])
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    linear = np.array([[cosine, -sine], [sine, cosine]])
    # rounded first, or a turn by 90 degrees would be a pixel larger
    canvas = np.ceil(np.round(np.abs(linear) @ size, 6)).astype(int)
    matrix = np.column_stack([linear, (canvas - 1) / 2 - linear @ ((size - 1) / 2)])
    view = cv2.warpAffine(np.ascontiguousarray(pixels), matrix, tuple(canvas.tolist()), flags=cv2.INTER_LINEAR)
    return view, matrix


def carried_boxes(matrix: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The boxes (N, 4) around what `boxes` (N, 4) hold, after the affine `matrix` (2, 3).

    A face fills its box as an ellipse does, so this is the box around the ellipse; the one around the corners would be
    twice as large for a turn by 45 degrees.
    """
    middles = transform(matrix, (boxes[:, :2] + boxes[:, 2:]) / 2)
    halves = np.linalg.norm(matrix[:, :2] * ((boxes[:, 2:] - boxes[:, :2]) / 2)[:, None], axis=2)
    return np.concatenate([middles - halves, middles + halves], axis=1)
