"""Scratches on the command line: how they are asked for, and masks that are written to be corrected and handed back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facestudio.errors import UsageError
from facestudio.files import make_folder
from facestudio.mending import OFF, STRENGTHS
from facestudio.planning import Plan
from facestudio.results import Result
from facestudio.scratch_masks import mask_beside
from facestudio.studio import Studio

if TYPE_CHECKING:
    from facestudio.mending.by_hand import ByHand

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
        metavar="FILE",
        help="Mend what is white in this picture, which is as large as the photo, and look for no scratches; for one photo.",
        readable=False,
    ),
]
SaveScratchMask = Annotated[
    bool,
    typer.Option(
        "--save-scratch-mask",
        help="Write what is mended beside each result, as NAME.EXT.scratches.png, to be corrected and handed back.",
    ),
]


def check_scratches(scratches: str, mask: Path | None, saved: bool) -> str:
    """How a recipe calls the `scratches` that were asked for; UsageError when they, or flags about a mask, make no sense."""
    if scratches not in STRENGTHS:
        raise UsageError(f"--scratches takes {', '.join(STRENGTHS[:-1])} or {STRENGTHS[-1]}, not {scratches}.")
    if mask is not None and scratches != OFF:
        raise UsageError("--scratch-mask says what is mended, so --scratches cannot be given with it.")
    if saved and mask is None and scratches == OFF:
        raise UsageError("--save-scratch-mask needs --scratches careful or strong, else there is nothing to write.")
    return "" if scratches == OFF else scratches


def opened_mask(studio: Studio, mask: Path | None, planned: Plan) -> ByHand | None:
    """What the file `mask` says of the one photo that is `planned`; errors as of `Studio.open_scratch_mask`."""
    if mask is None:
        return None
    if len(planned.items) != 1:
        raise UsageError(f"--scratch-mask is of one photo, and there are {len(planned.items)}.")
    return studio.open_scratch_mask(mask)


def save_mask(studio: Studio, result: Result, planned: Plan, overwrite: bool) -> None:
    """Write the mask of a `result` beside where its file will be; errors as of `Studio.save_scratch_mask`."""
    target = next((item.target for item in planned.items if item.source == result.before.path), None)
    if target is not None and result.writable:
        make_folder(target.parent)
        studio.save_scratch_mask(result, target, overwrite)


def about_mask(output: Path) -> str:
    """Where the mask of a result is, in a sentence."""
    return f"  What was mended is white in {mask_beside(output).name}."
