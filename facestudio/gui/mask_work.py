"""Masks of scratches as files, on worker threads: the marks on the open photo written, and a mask read in their place.

Separate from `mark_work`, which finds marks and knows no files. Nothing here touches a widget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from facestudio.errors import UnwritableOutput
from facestudio.files import same_file, shown
from facestudio.gui.mark_work import opacity, share_words
from facestudio.gui.qimage import Pyramid
from facestudio.mending.by_hand import ByHand
from facestudio.progress import Progress
from facestudio.scratch_masks import MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facestudio.faces.face import Face
    from facestudio.gui.work import Opened
    from facestudio.mending.by_hand import Stroke
    from facestudio.photo import Photo
    from facestudio.studio import Studio

MASK_SUFFIX = ".png"


@dataclass(frozen=True, eq=False)
class LoadedMask:
    """A mask that was read from the file `name`, for the open photo as it lies: a `pyramid` of opacity to be painted over it, and
    how large a `share` it marks. `instead_of`: how scratches were to be mended before, which undoing brings back."""

    name: str
    by_hand: ByHand
    pyramid: Pyramid
    share: float
    instead_of: str

    def turned(self, degrees: int, size: tuple[int, int]) -> LoadedMask:
        """The same of the photo of `size` (width, height) turned clockwise by `degrees`, 0, 90, 180 or 270."""
        by_hand = self.by_hand.turned(degrees, size)
        assert by_hand.mask is not None
        return replace(self, by_hand=by_hand, pyramid=opacity(by_hand.mask))


def load(studio: Studio, opened: Opened, path: Path, instead_of: str, progress: Progress) -> tuple[Opened, LoadedMask]:
    """The mask in the file `path`, for `opened`; errors as of `Studio.open_scratch_mask`."""
    with progress.step("Loading the scratch mask"):
        by_hand = studio.open_scratch_mask(path, opened.photo)
        progress.check()
        assert by_hand.mask is not None
        return opened, LoadedMask(shown(path), by_hand, opacity(by_hand.mask), float(by_hand.mask.mean()), instead_of)


def save(
    studio: Studio,
    photo: Photo,
    strength: str,
    faces: tuple[Face, ...],
    by_hand: ByHand | None,
    target: Path,
    overwrite: bool,
    originals: Sequence[Path],
    progress: Progress,
) -> tuple[Path, str]:
    """Write what would be mended in `photo`, as `Studio.marks` has it, as `target`; where it is, and in words that it is there.

    UnwritableOutput when that does not end like a PNG, is one of the `originals`, or cannot be written.
    """
    if target.suffix.lower() != MASK_SUFFIX:
        raise UnwritableOutput(
            f"{shown(target)} does not end in {MASK_SUFFIX}. Nothing was written.",
            hint=f"A scratch mask is a PNG file: end its name in {MASK_SUFFIX}.",
        )
    if any(same_file(target, original) for original in originals):
        raise UnwritableOutput("A photo is never written over by a mask.", hint="Choose another name or folder.")
    with progress.step("Saving the scratch mask"):
        mask = studio.marks(photo, strength, faces, progress, by_hand)
        progress.check()
        studio.write_scratch_mask(mask, target, overwrite)
    share = float(mask.mean())
    words = f"Scratch mask saved as {shown(target)}. White is damaged: {share_words(share)}"
    if share > MOST:
        words += ". A mask of more than half of a photo cannot be loaded again"
    return target, words


def given(strokes: tuple[Stroke, ...], mask: LoadedMask | None) -> ByHand | None:
    """What a person says of the scratches: `strokes`, over a `mask` that was loaded or over what is found; None of nothing."""
    if mask is None and not strokes:
        return None
    return ByHand(strokes, None if mask is None else mask.by_hand.mask)
