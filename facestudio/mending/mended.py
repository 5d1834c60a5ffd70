"""A photo mended: what was found in it (`scratches`) filled (`filling`), but for what is spared and what a person said.

The search and the filling are done once (`mend`); what is spared, and what a person changes by hand, comes afterwards, and only
the places around that are filled anew. Knows arrays only: no photo, no face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from facestudio.mending.filling import filled
from facestudio.mending.scratches import Search, search
from facestudio.mending.specks import Circle
from facestudio.progress import Progress


@dataclass(frozen=True, eq=False)
class Mended:
    """What of a photo was mended.

    Attributes:
        mask: (H, W) bool, read-only: what was mended.
        strength: "careful" or "strong".
    """

    mask: np.ndarray
    strength: str

    def __post_init__(self) -> None:
        self.mask.setflags(write=False)

    @cached_property
    def share(self) -> float:
        """How much of the photo was mended, 0 to 1."""
        return float(self.mask.mean())

    @property
    def sentence(self) -> str:
        """What a person is told."""
        if not self.share:
            return "Scratches: none were found."
        percent = f"{100 * self.share:.1f}%" if self.share >= 0.0005 else "less than 0.1%"
        return f"Scratches: {percent} of the photo mended."

    def details(self) -> dict[str, Any]:
        """What a report says, ready for JSON."""
        return {"scratches": self.strength, "share": round(self.share, 5)}


@dataclass(frozen=True, eq=False)
class Mending:
    """A photo without anything that looks like a scratch or speck; of it, what is to be kept is put back.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, read-only: mended, nothing spared. mask: (H, W) bool, what was mended in them.
        search: what was found. before: the pixels of the photo.
        unknown: (H, W) bool, set where the photo shows nothing; None of one that is whole.
    """

    pixels: np.ndarray
    mask: np.ndarray
    search: Search
    before: np.ndarray
    unknown: np.ndarray | None = None

    def sparing(self, spared: Sequence[Circle] = (), progress: Progress | None = None) -> tuple[np.ndarray, Mended]:
        """The pixels (H, W, 3) with what is `spared` as it was, and what of them is mended; as of `mended`."""
        mask = _known(self.search.mask(spared), self.unknown)
        if np.array_equal(mask, self.mask):
            return self.pixels, Mended(mask, self.search.strength)
        made = filled(self.before, mask, progress, (self.mask, self.pixels))
        return made, Mended(mask, self.search.strength)


def mend(
    pixels: np.ndarray, strength: str, progress: Progress | None = None, unknown: np.ndarray | None = None
) -> Mending:
    """Look for scratches and specks in `pixels` (H, W, 3) uint8 RGB and fill all of them; UsageError for another strength.

    `unknown`, (H, W) bool, is set where `pixels` show nothing; that stays as it is. The same photo always gives the same. It is
    filled tile by tile, so that what is needed beside a large photo is bounded.
    """
    progress = progress or Progress()
    found = search(pixels, strength, progress)
    mask = _known(found.mask(), unknown)
    made = filled(pixels, mask, progress)
    made.setflags(write=False)
    return Mending(made, mask, found, pixels, unknown)


def mended(
    pixels: np.ndarray,
    strength: str,
    progress: Progress | None = None,
    spared: Sequence[Circle] = (),
    unknown: np.ndarray | None = None,
) -> tuple[np.ndarray, Mended]:
    """`pixels` (H, W, 3) uint8 RGB without scratches and specks, and where these were; errors and arguments as of `mend`.

    `spared` are circles (x, y and radius in px) in which small things belong to the photo; see `Search.mask`.
    """
    return mend(pixels, strength, progress, unknown).sparing(spared, progress)


def _known(mask: np.ndarray, unknown: np.ndarray | None) -> np.ndarray:
    return mask if unknown is None else mask & ~unknown
