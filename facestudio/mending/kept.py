"""What was found and mended of photos, kept as long as they live: looking takes long, and faces are looked for in between.

Of each photo the last is kept, by the strength and the marks by hand that it was for. Knows of a photo no more than its pixels.
"""

from __future__ import annotations

import threading
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np

from facestudio.mending.by_hand import ByHand
from facestudio.mending.mended import Mending, mend
from facestudio.mending.scratches import Search, search
from facestudio.progress import Progress


class Pictured(Protocol):
    """A photo: a value whose `pixels` are (H, W, 3) uint8 RGB."""

    @property
    def pixels(self) -> np.ndarray: ...


class Kept:
    """Searches and mendings by photo; may be asked from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._searches: WeakKeyDictionary[Pictured, Search] = WeakKeyDictionary()
        self._mendings: WeakKeyDictionary[Pictured, Mending] = WeakKeyDictionary()

    def search(self, photo: Pictured, strength: str, progress: Progress | None = None) -> Search:
        """As of `scratches.search`."""
        with self._lock:
            known = self._searches.get(photo)
        if known is None or known.strength != strength:
            known = search(photo.pixels, strength, progress)
            with self._lock:
                self._searches[photo] = known
        return known

    def mending(
        self,
        photo: Pictured,
        strength: str,
        progress: Progress | None = None,
        unknown: np.ndarray | None = None,
        by_hand: ByHand | None = None,
    ) -> Mending:
        """As of `mended.mend`; what differs from the last of the photo is done anew, and no more."""
        with self._lock:
            known = self._mendings.get(photo)
        if known is not None and known.search.strength == strength:
            if _key(known.by_hand) == _key(by_hand):
                return known
            made = mend(photo.pixels, strength, progress, unknown, by_hand, known)
        else:
            made = mend(photo.pixels, strength, progress, unknown, by_hand, self.search(photo, strength, progress))
        with self._lock:
            self._mendings[photo] = made
        return made


def _key(by_hand: ByHand | None) -> str:
    """What tells marks by hand from others; "" where there are none."""
    return "" if by_hand is None else by_hand.key
