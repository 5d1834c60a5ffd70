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

from facestudio.mending import BY_HAND
from facestudio.mending.by_hand import ByHand, hash_of
from facestudio.mending.filling import filled
from facestudio.mending.scratches import Search, search
from facestudio.mending.specks import Circle
from facestudio.progress import Progress


@dataclass(frozen=True, eq=False)
class Mended:
    """What of a photo was mended.

    Attributes:
        mask: (H, W) bool, read-only: what was mended.
        strength: "careful", "strong", or "by hand" where nothing was looked for.
        by_hand: content hash of the mask, where a person made or corrected it; "" where nobody did.
    """

    mask: np.ndarray
    strength: str
    by_hand: str = ""

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
            return f"Scratches: {'nothing was marked' if self.strength == BY_HAND else 'none were found'}."
        percent = f"{100 * self.share:.1f}%" if self.share >= 0.0005 else "less than 0.1%"
        how = "by marks made by hand" if self.strength == BY_HAND else "by marks corrected by hand"
        return f"Scratches: {percent} of the photo mended{f', {how}' if self.by_hand else ''}."

    def details(self) -> dict[str, Any]:
        """What a report says, ready for JSON."""
        by_hand = {"by_hand": True} if self.by_hand else {}
        return {"scratches": self.strength, "share": round(self.share, 5), **by_hand}


@dataclass(frozen=True, eq=False)
class Mending:
    """A photo without anything that looks like a scratch or speck; of it, what is to be kept is put back.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, read-only: mended, nothing spared. mask: (H, W) bool, what was mended in them.
        search: what was found. before: the pixels of the photo.
        unknown: (H, W) bool, set where the photo shows nothing; None of one that is whole.
        by_hand: what a person said of it, None of nobody.
    """

    pixels: np.ndarray
    mask: np.ndarray
    search: Search
    before: np.ndarray
    unknown: np.ndarray | None = None
    by_hand: ByHand | None = None

    def sparing(self, spared: Sequence[Circle] = (), progress: Progress | None = None) -> tuple[np.ndarray, Mended]:
        """The pixels (H, W, 3) with what is `spared` as it was, unless it is marked by hand, and what of them is mended."""
        mask = _marks(self.search, spared, self.by_hand, self.unknown)
        about = Mended(mask, self.search.strength, "" if self.by_hand is None else hash_of(mask))
        if np.array_equal(mask, self.mask):
            return self.pixels, about
        return filled(self.before, mask, progress, (self.mask, self.pixels)), about


def mend(
    pixels: np.ndarray,
    strength: str,
    progress: Progress | None = None,
    unknown: np.ndarray | None = None,
    by_hand: ByHand | None = None,
    known: Mending | Search | None = None,
) -> Mending:
    """Look for scratches and specks in `pixels` (H, W, 3) uint8 RGB and fill all of them; UsageError for another strength.

    `unknown`, (H, W) bool, is set where `pixels` show nothing; that stays as it is. The same photo always gives the same. It is
    filled tile by tile, so that what is needed beside a large photo is bounded. `by_hand` corrects what is found, or says it all.
    What is `known` of the same pixels, by the same strength, is not done once more.
    """
    progress = progress or Progress()
    before = known if isinstance(known, Mending) else None
    found = known if isinstance(known, Search) else None if before is None else before.search
    if found is None:
        found = search(pixels, strength, progress)
    mask = _marks(found, (), by_hand, unknown)
    made = filled(pixels, mask, progress, None if before is None else (before.mask, before.pixels))
    made.setflags(write=False)
    return Mending(made, mask, found, pixels, unknown, by_hand)


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


def _marks(found: Search, spared: Sequence[Circle], by_hand: ByHand | None, unknown: np.ndarray | None) -> np.ndarray:
    """What is to be mended, (H, W) bool."""
    mask = found.mask(spared)
    return _known(mask if by_hand is None else by_hand.applied(mask), unknown)


def _known(mask: np.ndarray, unknown: np.ndarray | None) -> np.ndarray:
    return mask if unknown is None else mask & ~unknown
