"""Scratches on the command line: how they are asked for, and masks that are written to be corrected and handed back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facestudio.cli.console import printable
from facestudio.errors import UsageError
from facestudio.files import make_folder
from facestudio.formats import supported_suffix
from facestudio.mending import OFF, STRENGTHS
from facestudio.planning import FolderPath, Plan, as_written, places
from facestudio.results import Result
from facestudio.scratch_masks import PhotoMasks, mask_beside
from facestudio.studio import Studio

if TYPE_CHECKING:
    from facestudio.mending.by_hand import ByHand

_NAMED = 5  # masks of no photo; a folder of other pictures may hold thousands
Scratches = Annotated[
    str,
    typer.Option(
        metavar="off|careful|strong",
        help=(
            "Mend scratches and specks first. strong finds more of them, but sometimes mistakes other things for "
            "scratches."
        ),
    ),
]
ScratchMask = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|FOLDER",
        help="Mend what is white in this mask, a picture as large as the photo, instead of searching for "
        "scratches. With a folder, each photo takes the mask of its own name, such as sub/a.png for "
        "sub/a.jpg; photos without one are done as --scratches says.",
        readable=False,
        parser=as_written,
    ),
]
SaveScratchMask = Annotated[
    bool,
    typer.Option(
        "--save-scratch-mask",
        help="Write a mask of what was mended beside each result, as NAME.EXT.scratches.png, which you can correct "
        "and use with --scratch-mask. If --scratch-mask is a folder, missing masks are written there.",
    ),
]


def check_scratches(scratches: str, mask: Path | None, saved: bool) -> str:
    """How a recipe calls the `scratches` that were asked for; UsageError when they, or flags about a mask, make no sense."""
    if scratches not in STRENGTHS:
        raise UsageError(f"--scratches takes {', '.join(STRENGTHS[:-1])} or {STRENGTHS[-1]}, not {scratches}.")
    one = mask is not None and not _is_folder(mask, saved)
    if one and scratches != OFF:
        raise UsageError("--scratch-mask says what is mended, so --scratches cannot be given with it.")
    if saved and not one and scratches == OFF:
        raise UsageError("--save-scratch-mask needs --scratches careful or strong, else there is nothing to write.")
    return "" if scratches == OFF else scratches


def _is_folder(mask: Path, saved: bool) -> bool:
    """Whether `mask` is a folder of masks; one into which masks are `saved` need not be there yet."""
    return os.path.isdir(mask) or isinstance(mask, FolderPath) or (saved and not supported_suffix(mask))


class Masks:
    """The masks of a run: which photo takes which, and where those that are asked for (`saved`) are written.

    `mask` is what --scratch-mask names: a file for the one photo that is `planned`, or a folder. UsageError when that makes no
    sense, errors as of `Studio.open_scratch_mask` for a single file.
    """

    def __init__(
        self, studio: Studio, inputs: Sequence[Path], planned: Plan, out: Path, mask: Path | None, saved: bool
    ) -> None:
        self._studio, self._saved = studio, saved
        self._targets = {item.source: item.target for item in planned.items}
        self._places = places(planned, out)
        self._one: ByHand | None = None
        self._many: PhotoMasks | None = None
        if mask is not None and _is_folder(mask, saved):
            if not os.path.isdir(mask) and not saved:
                raise UsageError(f"There is no folder {mask}.", hint="Name a folder of masks.")
            others = [*self._targets, *self._targets.values()]
            self._many = studio.scratch_masks(mask, self._places, inputs, others)
        elif mask is not None:
            if len(planned.items) != 1:
                words = f"--scratch-mask is of one photo, and there are {len(planned.items)}."
                raise UsageError(words, hint="Name a folder of masks for several.")
            self._one = studio.open_scratch_mask(mask)

    @property
    def about(self) -> str:
        """How many photos have a mask in the folder, and which masks have no photo, in a sentence; "" without a folder."""
        if self._many is None:
            return ""
        folder = self._many.folder
        lost = [printable(path.relative_to(folder.folder)) for path in folder.of_none(self._places.values())]
        said = f"Masks in {printable(folder.folder)}: {self._many.number} of {len(self._places)} photos have one"
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        return f"{said}; {len(lost)} of no photo: {', '.join(lost[:_NAMED])}{more}." if lost else f"{said}."

    def of(self, source: Path | None) -> ByHand | None:
        """What a person says of the scratches of a photo; None of nobody. UsageError when its mask cannot be used."""
        return self._one if self._many is None or source is None else self._many.of(source)

    def save(self, result: Result, overwrite: bool) -> None:
        """Write the mask of a `result` where it belongs, if that was asked for; errors as of `Studio.save_scratch_mask`."""
        source = result.before.path
        if not self._saved or source not in self._targets or not result.writable:
            return
        if self._many is None:
            make_folder(self._targets[source].parent)
            self._studio.save_scratch_mask(result, self._targets[source], overwrite)
        elif not self._many.takes(source):  # no mask that is there is ever replaced
            target = self._many.target_of(source)
            make_folder(target.parent)
            if written := self._studio.save_scratch_mask(result, target):
                self._many.written(source, written)

    def written(self, source: Path, output: Path) -> str:
        """Where the mask of a photo with its result at `output` is, in a sentence; "" when none is written."""
        if not self._saved:
            return ""
        if self._many is None:
            return f"  What was mended is white in {mask_beside(output).name}."
        path = self._many.path_of(source) or mask_beside(self._many.target_of(source))
        return f"  What was mended is white in {printable(path)}."

    @property
    def settings(self) -> list[str]:
        """What all photos share of the masks, for the journal."""
        return [*([self._one.key] if self._one else ()), *(["masks"] if self._saved else ())]

    def own_settings(self, source: Path) -> str:
        """What tells the mask of a photo in the folder from others, for the journal; "" without one."""
        return "" if self._many is None else self._many.own_settings(source)
