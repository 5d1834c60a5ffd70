"""Between arrays and Qt's images, and the pyramid of sizes from which the viewer paints.

Everything here may run on a worker thread, and for photos it must: OpenCV and numpy do the work, because they let the GUI
thread run meanwhile, and Qt only wraps what they made. It knows no widgets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRect
from PySide6.QtGui import QImage, QPainter

RGB32 = QImage.Format.Format_RGB32
SMALLEST = 512  # the pyramid ends when the longer side is below this


@dataclass(frozen=True, eq=False)
class Pyramid:
    """A photo at full size, half, a quarter and so on: `levels` of RGB32 images, `size` (width, height) of the first.

    The images stand on the memory of `arrays`, which must live as long as they do.
    """

    levels: tuple[QImage, ...]
    size: tuple[int, int]
    arrays: tuple[np.ndarray, ...]

    @property
    def bytes(self) -> int:
        """The memory it holds."""
        return sum(level.sizeInBytes() for level in self.levels)

    def level_for(self, scale: float) -> int:
        """The smallest level that still has a pixel for each screen pixel at `scale` screen pixels a photo pixel."""
        level = 0
        while level + 1 < len(self.levels) and scale * 2 ** (level + 1) <= 1.0:
            level += 1
        return level


def pyramid(pixels: np.ndarray, step: Callable[[], None] = lambda: None) -> Pyramid:
    """The pyramid of `pixels` (H, W, 3) uint8 RGB; `step` is called between levels and may raise to stop."""
    import cv2

    levels, arrays = [], []
    current = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGRA)  # the bytes of Qt's RGB32
    height, width = current.shape[:2]
    while True:
        step()
        levels.append(QImage(current.data, current.shape[1], current.shape[0], 4 * current.shape[1], RGB32))
        arrays.append(current)
        if max(current.shape[:2]) < SMALLEST * 2:
            break
        half = (max(current.shape[1] // 2, 1), max(current.shape[0] // 2, 1))
        current = cv2.resize(current, half, interpolation=cv2.INTER_AREA)
    return Pyramid(tuple(levels), (width, height), tuple(arrays))


def to_qimage(pixels: np.ndarray) -> QImage:
    """A QImage of its own from `pixels` (H, W, 3) uint8 RGB."""
    pixels = np.ascontiguousarray(pixels)
    height, width = pixels.shape[:2]
    return QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def to_pixels(image: QImage) -> np.ndarray:
    """(H, W, 3) uint8 RGB from any QImage, its transparency laid on white."""
    if image.hasAlphaChannel():
        flat = QImage(image.size(), RGB32)
        flat.fill(0xFFFFFFFF)
        painter = QPainter(flat)
        painter.drawImage(0, 0, image)
        painter.end()
        image = flat
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def fitted(pixels: np.ndarray, side: int) -> QImage:
    """`pixels` (H, W, 3) uint8 RGB made small, so that the longer side is at most `side`."""
    import cv2

    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale < 1:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return to_qimage(pixels)


def square(pixels: np.ndarray, box: np.ndarray, side: int, margin: float = 0.25) -> QImage:
    """The square around `box` (4,) left, top, right, bottom of `pixels` (H, W, 3), widened by `margin`, `side` px wide.

    What of the box is in the photo stands in the middle, with less around it near an edge: else a neighbour's face may be there.
    It is moved into the photo where it would stand out, and made smaller where the photo is too small.
    """
    import cv2

    height, width = pixels.shape[:2]
    left, right = (float(x) for x in np.clip(box[[0, 2]], 0, width))
    top, bottom = (float(x) for x in np.clip(box[[1, 3]], 0, height))
    least = max(right - left, bottom - top, 2.0)
    inside = min(left + right, 2 * width - left - right, top + bottom, 2 * height - top - bottom)
    want = max(min(least * (1 + 2 * margin), inside), least)
    length = max(int(min(want, width, height)), 1)
    x = int(np.clip((left + right - length) / 2, 0, width - length))
    y = int(np.clip((top + bottom - length) / 2, 0, height - length))
    crop = pixels[y : y + length, x : x + length]
    way = cv2.INTER_AREA if length > side else cv2.INTER_CUBIC
    return to_qimage(cv2.resize(np.ascontiguousarray(crop), (side, side), interpolation=way))


def visible_part(pyramid: Pyramid, level: int, left: float, top: float, right: float, bottom: float) -> QRect:
    """The whole pixels of `level` that cover a region given in photo pixels."""
    image = pyramid.levels[level]
    across, down = image.width() / pyramid.size[0], image.height() / pyramid.size[1]
    x0, y0 = max(int(left * across), 0), max(int(top * down), 0)
    x1 = min(int(right * across) + 1, image.width())
    y1 = min(int(bottom * down) + 1, image.height())
    return QRect(x0, y0, max(x1 - x0, 0), max(y1 - y0, 0))
