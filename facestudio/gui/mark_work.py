"""What of a photo would be mended, found on a worker thread and made ready to be painted over it.

Separate from `work` because only marks need it. Nothing here touches a widget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QImage

from facestudio.gui.qimage import SMALLEST, Pyramid
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.faces.face import Face
    from facestudio.photo import Photo
    from facestudio.studio import Studio

BOLDER = 3  # times as opaque as it would be is what of a smaller level is covered in part: else thin marks are not seen


@dataclass(frozen=True, eq=False)
class Marks:
    """What was found in `photo` by `strength`, when it shows `faces`: a `pyramid` of opacity, and how large a `share` that is."""

    photo: Photo
    strength: str
    faces: tuple[Face, ...]
    pyramid: Pyramid
    share: float

    @property
    def words(self) -> str:
        """How much was found."""
        return share_words(self.share)


def share_words(share: float) -> str:
    """A `share` of a photo, 0 to 1, in words."""
    if not share:
        return "nothing"
    return f"{share:.1%} of the photo" if share >= 0.0005 else "less than 0.1% of the photo"


def find_marks(studio: Studio, photo: Photo, strength: str, faces: tuple[Face, ...], progress: Progress) -> Marks:
    """What of `photo` would be mended by `strength`; what hides in a face that is not known yet is still among it."""
    mask = studio.marks(photo, strength, faces, progress)
    return Marks(photo, strength, faces, opacity(mask), float(mask.mean()))


def opacity(mask: np.ndarray) -> Pyramid:
    """The pyramid of `mask` (H, W) bool, of images that are opaque where it is set."""
    import cv2

    current: np.ndarray = mask.astype(np.uint8) * 255
    levels: list[QImage] = []
    arrays: list[np.ndarray] = []
    while True:
        height, width = current.shape
        bold = current if not levels else np.minimum(current.astype(np.uint16) * BOLDER, 255).astype(np.uint8)
        bold = np.ascontiguousarray(bold)
        levels.append(QImage(bold.data, width, height, width, QImage.Format.Format_Alpha8))
        arrays.append(bold)
        if max(current.shape) < SMALLEST * 2:
            break
        current = cv2.resize(current, (max(width // 2, 1), max(height // 2, 1)), interpolation=cv2.INTER_AREA)
    return Pyramid(tuple(levels), (mask.shape[1], mask.shape[0]), tuple(arrays))
