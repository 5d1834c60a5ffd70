"""Scratches on the command line: how they are asked for, and masks that are written to be corrected and handed back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facestudio.cli.console import printable
from facestudio.errors import FaceStudioError, UsageError
from facestudio.files import make_folder, real
from facestudio.formats import supported_suffix
from facestudio.journal import sha256_of
from facestudio.mending import OFF, STRENGTHS
from facestudio.planning import FolderPath, Item, Plan, as_written
from facestudio.results import Result
from facestudio.scratch_masks import MaskFolder, mask_beside
from facestudio.studio import Studio

if TYPE_CHECKING:
    from facestudio.mending.by_hand import ByHand

_NAMED = 5  # masks of no photo; a folder of other pictures may hold thousands
Scratches = Annotated[
    str,
    typer.Option(
        metavar="off|careful|strong",
        help="Mend scratches and specks of the photo first; strong takes more of them, and some things for scratches.",
    ),
]
ScratchMask = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE|FOLDER",
        help="Mend what is white in this picture, which is as large as the photo, and look for no scratches. From a folder each "
        "photo takes the mask of its name, such as sub/a.png for sub/a.jpg; those without one are done as --scratches says.",
        readable=False,
        parser=as_written,
    ),
]
SaveScratchMask = Annotated[
    bool,
    typer.Option(
        "--save-scratch-mask",
        help="Write what is mended beside each result, as NAME.EXT.scratches.png, to be corrected and handed back; with a folder "
        "as --scratch-mask into that, of the photos that have no mask there.",
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
        self._studio, self._saved, self._out = studio, saved, out
        self._items = {item.source: item for item in planned.items}
        self._one: ByHand | None = None
        self._folder: MaskFolder | None = None
        self._known: dict[Path, str] = {}  # what was read or written of each photo's mask
        if mask is not None and _is_folder(mask, saved):
            self._folder = self._opened(mask, inputs)
        elif mask is not None:
            if len(planned.items) != 1:
                words = f"--scratch-mask is of one photo, and there are {len(planned.items)}."
                raise UsageError(words, hint="Name a folder of masks for several.")
            self._one = studio.open_scratch_mask(mask)

    def _opened(self, folder: Path, inputs: Sequence[Path]) -> MaskFolder:
        if not os.path.isdir(folder) and not self._saved:
            raise UsageError(f"There is no folder {folder}.", hint="Name a folder of masks.")
        for path in inputs:
            if os.path.isdir(path) and real(folder).is_relative_to(real(path)):
                words = f"The folder of masks {folder} is inside of the input folder {path}, so they would be taken for photos."
                raise UsageError(words, hint="Keep masks in a folder of their own.")
        return MaskFolder(folder, [path for item in self._items.values() for path in (item.source, item.target)])

    @property
    def about(self) -> str:
        """How many photos have a mask in the folder, and which masks have no photo, in a sentence; "" without a folder."""
        if self._folder is None:
            return ""
        places = [self._below(item) for item in self._items.values()]
        number = sum(self._there(place) is not None for place in places)
        lost = [printable(path.relative_to(self._folder.folder)) for path in self._folder.of_none(places)]
        said = f"Masks in {printable(self._folder.folder)}: {number} of {len(places)} photos have one"
        more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        return f"{said}; {len(lost)} of no photo: {', '.join(lost[:_NAMED])}{more}." if lost else f"{said}."

    def of(self, source: Path | None) -> ByHand | None:
        """What a person says of the scratches of a photo; None of nobody. UsageError when its mask cannot be used."""
        if self._folder is None or source is None:
            return self._one
        path = self._folder.of(self._below(self._items[source]))
        if path is None:
            return None
        try:
            found = self._studio.open_scratch_mask(path)
            self._known[source] = _hash(path)
        except FaceStudioError as error:
            raise UsageError(f"The mask of its scratches cannot be used. {error}", hint=error.hint) from error
        return found

    def save(self, result: Result, overwrite: bool) -> None:
        """Write the mask of a `result` where it belongs, if that was asked for; errors as of `Studio.save_scratch_mask`."""
        source = result.before.path
        if not self._saved or source not in self._items or source in self._known or not result.writable:
            return
        target = self._target(self._items[source])
        make_folder(target.parent)
        if self._folder is None:
            self._studio.save_scratch_mask(result, target, overwrite)
        elif written := self._studio.save_scratch_mask(result, target):  # no mask there is ever replaced
            self._known[source] = _hash(written)

    def written(self, source: Path, output: Path) -> str:
        """Where the mask of a photo with its result at `output` is, in a sentence; "" when none is written."""
        if not self._saved:
            return ""
        if self._folder is None:
            return f"  What was mended is white in {mask_beside(output).name}."
        item = self._items[source]
        path = self._there(self._below(item)) or mask_beside(self._target(item))
        return f"  What was mended is white in {printable(path)}."

    @property
    def settings(self) -> list[str]:
        """What all photos share of the masks, for the journal."""
        return [*([self._one.key] if self._one else ()), *(["masks"] if self._saved else ())]

    def own_settings(self, source: Path) -> str:
        """What tells the mask of a photo in the folder from others, for the journal, so that another is seen; "" without one."""
        if self._folder is None or source not in self._items:
            return ""
        path = self._there(self._below(self._items[source]))
        known = self._known.get(source) or ("" if path is None else _hash(path))
        return f" mask {known}" if known else ""

    def _there(self, below: Path) -> Path | None:
        """The mask in the folder of the photo at `below`; None as well where nobody can tell which, as its photo says that."""
        try:
            return None if self._folder is None else self._folder.of(below)
        except UsageError:
            return None

    def _below(self, item: Item) -> Path:
        """Where a photo lies below its folder, under its own name."""
        return (
            Path(item.source.name)
            if item.target == self._out
            else item.target.relative_to(self._out).parent / item.source.name
        )

    def _target(self, item: Item) -> Path:
        """What its mask is written beside."""
        return item.target if self._folder is None else self._folder.folder / self._below(item)


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return sha256_of(file)
    except OSError:  # which is said when its photo's turn comes
        return "unreadable"
