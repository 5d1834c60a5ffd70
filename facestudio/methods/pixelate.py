"""Pixelate: the face in a few squares of one colour each.

Many squares hide a person from people and not from recognisers, which is why the result is verified like any other. Even
few keep something of the face; a solid block does not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from facestudio.methods.obscuring import FACE_WIDTH, Obscuring, area_option
from facestudio.options import option

FEWEST = 2
_GROWTH = 1.7


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    blocks: int = option(
        4,
        title="Blocks",
        help="Number of squares from ear to ear: fewer hide more. From 8 on, recognisers often still recognise the "
        "person.",
        minimum=FEWEST,
        maximum=64,
        step=1,
    )
    area: str = area_option()


class Pixelate(Obscuring):
    """The method; it has no weights."""

    id = "pixelate"
    erases = False
    Options: type[Any] = Options

    def obscured(self, pixels: np.ndarray, options: Any) -> np.ndarray:
        """The crop in squares."""
        height, width = pixels.shape[:2]
        across = max(round(width / FACE_WIDTH * options.blocks), 1)
        few = cv2.resize(pixels, (across, across), interpolation=cv2.INTER_AREA)
        return cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST)

    def stronger(self, options: Any) -> Any | None:
        """Fewer squares, then over the whole head."""
        if options.blocks > FEWEST:
            return replace(options, blocks=max(int(options.blocks / _GROWTH), FEWEST))
        return replace(options, area="head") if options.area == "face" else None
