"""Blur: a Gaussian blur over the face, as wide as a fraction of the face.

A weak blur hides a person from people and not from recognisers, which is why its result is verified like any other. Even a
strong one keeps something of the face; a solid block does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from facestudio.methods.obscuring import FACE_WIDTH, Obscuring, area_option
from facestudio.options import option

WIDEST = 60.0  # hundredths of the face's width: hardly more than one colour is left
_GROWTH = 1.7
_FINE = 8.0  # pixels of sigma; a wider blur is done on a smaller picture, which looks the same and is quick


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    radius: float = option(
        30.0,
        title="Radius",
        help="Blur radius (sigma), in percent of the face's width. Up to 10, recognisers often still recognise the "
        "person.",
        minimum=1.0,
        maximum=WIDEST,
        step=1.0,
    )
    area: str = area_option()


class Blur(Obscuring):
    """The method; it has no weights."""

    id = "blur"
    erases = False
    Options: type[Any] = Options

    def obscured(self, pixels: np.ndarray, options: Any) -> np.ndarray:
        """The crop, blurred."""
        height, width = pixels.shape[:2]
        sigma = options.radius / 100 * FACE_WIDTH
        smaller = max(sigma / _FINE, 1.0)
        size = (round(width / smaller), round(height / smaller))
        small = cv2.resize(pixels.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        soft = cv2.GaussianBlur(small, (0, 0), sigma / smaller, borderType=cv2.BORDER_REFLECT_101)
        soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.clip(np.rint(soft), 0, 255).astype(np.uint8)

    def stronger(self, options: Any) -> Any | None:
        """A wider blur, then over the whole head."""
        if options.radius < WIDEST:
            return replace(options, radius=min(options.radius * _GROWTH, WIDEST))
        return replace(options, area="head") if options.area == "face" else None
