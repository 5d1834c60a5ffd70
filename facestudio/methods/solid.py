"""Solid: a block of one colour over the face.

The only one of the obscuring methods that leaves nothing: what it shows does not depend on the face, so nothing can be
guessed back from it (see Todt et al., "Fantomas: Understanding Face Anonymization Reversibility", 2022, for those from
which much can). Hence it is what other methods fall back to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facestudio.methods.obscuring import Obscuring, area_option
from facestudio.options import option

COLOURS = {"black": 0, "grey": 128, "white": 255}


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    colour: str = option("black", title="Colour", help="The colour of the block.", choices=tuple(COLOURS))
    area: str = area_option()


class Solid(Obscuring):
    """The method; it has no weights."""

    id = "solid"
    erases = True
    Options: type[Any] = Options

    def obscured(self, pixels: np.ndarray, options: Any) -> np.ndarray:
        """One colour all over."""
        return np.full_like(pixels, COLOURS[options.colour])

    def stronger(self, options: Any) -> Any | None:
        """The head instead of the face."""
        return replace(options, area="head") if options.area == "face" else None
