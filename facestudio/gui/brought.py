"""A result of Restore all brought back when its photo is opened again: before, afterwards, and the figures of each face.

Separate from `list_work`, which does many photos and can keep the pixels of none: those are read again from the file that was
written, so what is shown is what was saved. Nothing here touches a widget.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facestudio.errors import FaceStudioError
from facestudio.files import shown
from facestudio.gui import work
from facestudio.gui.found import Found
from facestudio.gui.qimage import pyramid, square
from facestudio.gui.work import CHIP, Opened
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.gui.history import Step
    from facestudio.outcomes import Outcome
    from facestudio.recipe import Recipe
    from facestudio.results import FaceResult
    from facestudio.studio import Studio

EARLIER = "restored by an earlier run; its measurements were not kept"
_SHOWABLE = ("ok", "partial")


@dataclass(frozen=True, eq=False)
class Kept:
    """What is kept of a result when its pixels go.

    Attributes:
        output: its file; metadata: the policy by which that was written.
        faces: of the result, without their crops. recipe, seconds: as the result has them.
        content: content hash of the result's photo before; "" of one that an earlier run made, which the journal vouches for.
        scratches: strength, by_hand and packed mask of what was mended; None where nobody asked for that.
    """

    output: Path
    metadata: str
    faces: tuple[FaceResult, ...]
    recipe: Recipe
    seconds: float
    content: str = ""
    scratches: tuple[str, str, bytes] | None = None


@dataclass(frozen=True, eq=False)
class Brought:
    """The faces of a photo, and the result that is shown of it; without one `why` says in a sentence what is wrong with it."""

    found: Found
    step: Step | None
    why: str = ""


def kept_of(outcome: Outcome, metadata: str) -> Kept | None:
    """What to keep of `outcome`; None where nothing was written that can be shown."""
    from facestudio.recipe import Recipe
    from facestudio.results import FaceResult
    from facestudio.reviewing import faces_of

    if outcome.output is None:
        return None
    if outcome.result is not None:
        result, mended = outcome.result, outcome.result.mended
        faces = tuple(replace(face, aligned_before=None, aligned_after=None) for face in result.faces)
        packed = None
        if mended is not None:
            packed = mended.strength, mended.by_hand, zlib.compress(np.packbits(mended.mask).tobytes())
        about = faces, result.recipe, result.seconds, result.before.content_hash, packed
        return Kept(outcome.output, metadata, *about)
    record = outcome.earlier
    if record is None or record["status"] not in _SHOWABLE or not record["recipe"]:
        return None
    faces = tuple(
        FaceResult(face, n, known["status"], known["error"] or EARLIER, {}, {}, notes=tuple(known["notes"]))
        for n, (face, known) in enumerate(zip(faces_of(record), record["faces"], strict=False))
    )
    return Kept(outcome.output, metadata, faces, Recipe.from_json(json.dumps(record["recipe"])), record["seconds"])


def bring(studio: Studio, opened: Opened, kept: Kept, progress: Progress) -> Brought:
    """Show `opened` with the result that was `kept` of it. Where that is another photo's by now, or its file cannot be read, the
    faces of `opened` are looked for instead."""
    why = ""
    with progress.step("Opening the result"):
        try:
            step = _step(studio, opened, kept, progress)
        except FaceStudioError as error:
            progress.check()
            step, why = None, f"The result {shown(kept.output)} cannot be shown. {error}"
    if step is None:
        return Brought(work.find_faces(studio, opened.photo, progress), None, why)
    crops = tuple(square(opened.photo.pixels, face.box, CHIP) for face in step.faces)
    return Brought(Found(opened.photo, step.faces, crops), step)


def _step(studio: Studio, opened: Opened, kept: Kept, progress: Progress) -> Step | None:
    """The result as the window shows it; None when it is not one of the photo as it is open."""
    from facestudio.gui.history import Step
    from facestudio.mending.mended import Mended
    from facestudio.results import Result

    times = kept.recipe.upscale
    photo = opened.photo.enlarged(times, studio.max_megapixels)
    if kept.content and photo.content_hash != kept.content:
        return None
    progress.check()
    saved = studio.open(kept.output)
    if saved.size != photo.size:
        return None
    mended = None
    if kept.scratches is not None:
        strength, by_hand, packed = kept.scratches
        (width, height), bits = opened.photo.size, np.unpackbits(np.frombuffer(zlib.decompress(packed), np.uint8))
        mended = Mended(bits[: width * height].reshape(height, width).astype(bool), strength, by_hand)
    after = photo.with_pixels(saved.pixels)
    result = Result(photo, after, kept.faces, kept.recipe, kept.seconds, mended)
    crops = {of.index: square(after.pixels, of.face.box, CHIP) for of in kept.faces if of.status == "restored"}
    faces = tuple(of.face.enlarged(1 / times) for of in kept.faces)
    before = opened.pyramid if times == 1 else pyramid(photo.pixels, progress.check)
    return Step(opened.photo, faces, result, before, pyramid(after.pixels, progress.check), crops)
