"""Turning photos on the command line: how it is asked for, and what is said of it."""

from __future__ import annotations

from typing import Annotated

import typer

from facestudio.errors import UsageError
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.quarters import QUARTERS, words
from facestudio.studio import Studio

AUTO = "auto"
Turn = Annotated[
    str | None,
    typer.Option(
        metavar="90|180|270|auto",
        help="Turn the photo first: clockwise by this many degrees, or upright, judging by its faces if they agree "
        "(auto). --box and --scratch-mask refer to the turned photo.",
    ),
]


def check_turn(turn: str | None, aligned: bool) -> int | None:
    """How a recipe calls the `turn` that was asked for, None for AUTO; UsageError when that makes no sense."""
    if turn == AUTO and aligned:
        raise UsageError("With --aligned no face is looked for, so --turn takes 90, 180 or 270, not auto.")
    if turn == AUTO:
        return None
    known = {str(degrees): degrees for degrees in QUARTERS}
    if turn is not None and turn not in known:
        raise UsageError(f"--turn takes {', '.join(known)} or {AUTO}, not {turn}.")
    return 0 if turn is None else known[turn]


def turned(studio: Studio, photo: Photo, turn: int | None, progress: Progress) -> tuple[Photo, str]:
    """`photo` turned by `turn`, or None: so that its faces stand upright; and what was done, in a sentence, "" for nothing."""
    if turn is None:
        found = studio.standing(photo, progress)
        return photo.turned(found.turn), found.why
    return photo.turned(turn), f"Turned by {words(turn)}." if turn else ""
