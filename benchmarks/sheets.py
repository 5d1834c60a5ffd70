"""Sheets of pictures, for people to look at; they are written where they are asked for, and never committed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

STRIP = 28  # px, the height of the line of titles


def sheet(faces: np.ndarray, columns: int) -> np.ndarray:
    """`faces` (N, H, W, 3) uint8 side by side, row by row; what is left over is black."""
    rows = -(-len(faces) // columns)
    blank = np.zeros((rows * columns - len(faces), *faces.shape[1:]), np.uint8)
    grid = np.concatenate([faces, blank]).reshape(rows, columns, *faces.shape[1:])
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * faces.shape[1], columns * faces.shape[2], 3)


def titled(columns: Sequence[np.ndarray], titles: Sequence[str]) -> np.ndarray:
    """`columns`, each (N, H, W, 3) uint8 from top to bottom, side by side under their `titles`."""
    width = columns[0].shape[2]
    strip = np.full((STRIP, width * len(columns), 3), 255, np.uint8)
    for place, title in enumerate(titles):
        (wide, _), _ = cv2.getTextSize(title, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)
        size = 0.5 * min(1.0, (width - 8) / max(wide, 1))
        cv2.putText(strip, title, (place * width + 4, 19), cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)
    rows = np.stack(columns, axis=1).reshape(-1, *columns[0].shape[1:])
    return np.vstack([strip, sheet(rows, len(columns))])


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels[..., ::-1])  # OpenCV writes BGR
