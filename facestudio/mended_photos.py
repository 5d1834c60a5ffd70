"""Photos without their scratches: looked for and mended once, as long as a photo lives.

Between `mending`, which knows of a photo no more than its pixels, and whoever finds and restores faces in it. Knows no methods.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facestudio.faces.face import Face
from facestudio.mending import BY_HAND
from facestudio.mending.by_hand import ByHand
from facestudio.mending.kept import Kept
from facestudio.mending.mended import Mended, Mending
from facestudio.photo import Photo
from facestudio.progress import Progress


class MendedPhotos:
    """What was found and mended of photos; may be asked from several threads.

    Everywhere, `scratches` is "careful", "strong" or "by hand", or "" for nothing but what a person says of it (`by_hand`).
    """

    def __init__(self) -> None:
        self._kept = Kept()

    def seen(
        self, photo: Photo, scratches: str, progress: Progress | None = None, by_hand: ByHand | None = None
    ) -> Photo:
        """`photo` without anything that looks like a scratch, parts of faces included; `photo` itself when it has none."""
        if not scratches and by_hand is None:
            return photo
        mending = self._mending(photo, scratches, progress, by_hand)
        return photo.with_pixels(mending.pixels) if mending.mask.any() else photo

    def marks(
        self,
        photo: Photo,
        scratches: str,
        faces: Sequence[Face] = (),
        progress: Progress | None = None,
        by_hand: ByHand | None = None,
    ) -> np.ndarray:
        """What would be mended in `photo` when it shows `faces`, as (H, W) bool."""
        mask = self._kept.search(photo, scratches, progress).mask(_parts(faces))
        if by_hand is not None:
            mask = by_hand.applied(mask)
        return mask if photo.damage is None else mask & ~photo.damage.unread

    def sparing(
        self,
        photo: Photo,
        scratches: str,
        faces: Sequence[Face],
        progress: Progress | None = None,
        by_hand: ByHand | None = None,
    ) -> tuple[np.ndarray, Mended]:
        """The pixels (H, W, 3) of `photo` without its scratches, but with the parts of its `faces` as they were; and what of them
        is mended."""
        return self._mending(photo, scratches, progress, by_hand).sparing(_parts(faces), progress)

    def _mending(self, photo: Photo, scratches: str, progress: Progress | None, by_hand: ByHand | None) -> Mending:
        unread = None if photo.damage is None else photo.damage.unread
        return self._kept.mending(photo, scratches or BY_HAND, progress, unread, by_hand)


def _parts(faces: Sequence[Face]) -> list[tuple[float, float, float]]:
    """Where small things stay."""
    return [part for face in faces for part in face.parts]
