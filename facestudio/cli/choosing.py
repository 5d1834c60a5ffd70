"""What the flags of several commands mean: which checkpoint does the work and by which options, and which faces are in boxes that
a person drew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from facestudio.checkpoints import Checkpoint
from facestudio.cli import weights
from facestudio.cli.console import Screen
from facestudio.cli.flags import idle_options
from facestudio.errors import UsageError
from facestudio.faces.duplicates import known_as
from facestudio.faces.face import Face
from facestudio.faces.missed import filling
from facestudio.methods.base import method_name
from facestudio.options import options_of
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.studio import Studio

Box = tuple[float, float, float, float]
_DOES = {"keep": "restores", "change": "changes faces", "create": "makes faces"}


def chosen_checkpoint(studio: Studio, goal: str, method: str | None, checkpoint: str | None) -> Checkpoint:
    """The checkpoint that --method and --checkpoint mean, of those for `goal`; without them the first.

    UsageError names what there is, and what could be had.
    """
    offers = {"keep": studio.restore_checkpoints, "change": studio.anonymize_checkpoints}
    offered = offers.get(goal, studio.generate_checkpoints)()
    fitting = [c for c in offered if method in (None, method_name(c)) and checkpoint in (None, c.id)]
    if fitting:
        return fitting[0]
    asked = [f"the method {method}"] if method else []
    asked += [f"the checkpoint {checkpoint}"] if checkpoint else []
    known = ", ".join(f"{method_name(c)} ({c.id})" for c in offered) or "none"
    meant = (c for c in studio.checkpoints() if c.goal == goal and method in (None, method_name(c)))
    raise UsageError(
        f"Nothing here {_DOES[goal]} with {' and '.join(asked) or 'any method'}; available: {known}.",
        hint=weights.to_get(c for c in meant if checkpoint in (None, c.id)),
    )


def check_options(
    studio: Studio, checkpoint_id: str, values: Mapping[str, Any], given: Iterable[str], screen: Screen
) -> None:
    """UsageError unless the option `values` are allowed; `screen` is told which of those that were `given` have no effect."""
    cls = studio.method_options(checkpoint_id)
    options_of(cls, values)
    for said in idle_options(cls, given, values):
        screen.warn(said)


def with_boxes(
    studio: Studio,
    photo: Photo,
    faces: tuple[Face, ...],
    boxes: Sequence[Box],
    progress: Progress,
    screen: Screen | None = None,
    covered: bool = False,
) -> tuple[Face, ...]:
    """`faces` that were found in `photo`, then those in `boxes`; `screen` is told of a box whose face was found anyway.
    `covered`: what is laid over them is to cover the boxes, see `filling`."""
    for box in boxes:
        face = studio.face_at(photo, box, progress)
        face = filling(face, box) if covered else face
        known = known_as(face, faces)
        if known is None:
            faces = (*faces, face)
        elif screen is not None:
            screen.say(f"The box {','.join(f'{x:g}' for x in box)} shows face {known + 1} (--faces {known}).")
    return faces


def check_boxes(boxes: Sequence[Box], photos: int) -> None:
    """UsageError when there are boxes and not one photo that they could be in."""
    if boxes and photos != 1:
        raise UsageError(f"--box says where a face is in one photo, but {photos} photos were given.")
