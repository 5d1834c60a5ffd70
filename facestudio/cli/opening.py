"""How the commands open photos: those with a damaged file only by --salvage, and what they say of these."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facestudio.errors import DamagedPhoto
from facestudio.faces.face import Face
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.studio import Studio

Salvage = Annotated[
    bool,
    typer.Option(
        "--salvage",
        help="Read as much as possible of damaged JPEG, PNG and TIFF files. The unreadable part is left untouched, "
        "and faces that reach into it are incomplete.",
    ),
]


def opened(studio: Studio, path: Path, salvage: bool, progress: Progress | None = None) -> Photo:
    """The photo in `path`; errors as of `Studio.open`, with the flag as the next move where it may help. While it is read, a stop
    that `progress` was asked for is heard."""
    try:
        return studio.open(path, salvage=salvage, reading=None if progress is None else lambda share: progress.check())
    except DamagedPhoto as error:
        hint = f"{error.hint.removesuffix('.')}, or use --salvage to read as much of it as possible."
        raise DamagedPhoto(str(error), hint=hint) from error


def lacks(photo: Photo, face: Face) -> tuple[str, ...]:
    """A note when not all of `face` could be read of the damaged file of `photo`."""
    lacking = photo.damage.of_face(face.box) if photo.damage is not None else ""
    return (f"Incomplete: {lacking}.",) if lacking else ()
