"""How light skin, hair and background of an aligned face are, measured in its pixels where the 68 landmarks say they are.

Plain measurements, for what no data set labels; what `sliders` are fitted to and judged by. CIELAB, L from 0 to 100.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

CORNER = (60, 30)  # rows and columns of the upper corners of a 256 px crop, where the background is


@dataclass(frozen=True)
class Colours:
    """Mean lightness L of the `left` and `right` cheek (as seen), the `hair` above the forehead, and the `background`."""

    left: float
    right: float
    hair: float
    background: float

    @property
    def skin(self) -> float:
        """Lightness of both cheeks."""
        return (self.left + self.right) / 2

    @property
    def side(self) -> float:
        """How much lighter the right cheek is."""
        return self.right - self.left


def colours(pixels: np.ndarray, landmarks: np.ndarray) -> Colours:
    """Of a face `pixels` (256, 256, 3) uint8 RGB, framed as FFHQ_256, with 68 `landmarks` (68, 2)."""
    p = np.asarray(landmarks, np.float64)
    light = cv2.cvtColor(np.asarray(pixels).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[..., 0]

    def mean(corners: list[np.ndarray]) -> float:
        mask = np.zeros(light.shape, np.uint8)
        cv2.fillConvexPoly(mask, np.rint(np.stack(corners)).astype(np.int32), 1)
        return float(light[mask > 0].mean()) if mask.any() else 0.0

    def cheek(jaw: int, temple: int, nostril: int, mouth: int) -> float:
        side, nose = p[jaw], p[33]
        return mean(
            [
                0.65 * side + 0.35 * nose,
                0.5 * p[temple] + 0.5 * p[nostril],
                0.3 * side + 0.7 * nose,
                0.4 * side + 0.6 * p[mouth],
            ]
        )

    left_eye, right_eye, brows = p[36:42].mean(0), p[42:48].mean(0), p[17:27].mean(0)
    eyes = float(np.linalg.norm(right_eye - left_eye))
    right = (right_eye - left_eye) / eyes
    up = (left_eye + right_eye) / 2 - p[8]
    up /= np.linalg.norm(up)
    top = brows + 1.05 * eyes * up
    band = [top - 0.75 * eyes * right, top + 0.75 * eyes * right]
    band += [top + 0.6 * eyes * right + 0.35 * eyes * up, top - 0.6 * eyes * right + 0.35 * eyes * up]
    rows, columns = CORNER
    corners = np.concatenate([light[:rows, :columns].ravel(), light[:rows, -columns:].ravel()])
    return Colours(cheek(3, 1, 31, 48), cheek(13, 15, 35, 54), mean(band), float(corners.mean()))
