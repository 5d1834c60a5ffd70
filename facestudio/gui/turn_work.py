"""The open photo turned by quarters on a worker thread, with its faces and what is marked on it by hand.

Separate from `work` because only turning needs it. Nothing here touches a widget.
"""

from __future__ import annotations

from dataclasses import dataclass

from facestudio.gui.history import State
from facestudio.gui.qimage import pyramid, square
from facestudio.gui.work import CHIP, Opened
from facestudio.progress import Progress


@dataclass(frozen=True, eq=False)
class Turned:
    """What `opened` and all that was found and done on it is once it is turned clockwise by `degrees`: a `state`."""

    opened: Opened
    degrees: int
    state: State


def turn(opened: Opened, state: State, degrees: int, known: Opened | None, progress: Progress) -> Turned:
    """`opened`, as `state` shows it, turned clockwise by 90, 180 or 270 `degrees`; `known` is the photo so turned, if it was
    before. Faces, strokes and a mask are turned with it. A result is not: it was made of the photo as it lay."""
    with progress.step("Turning"):
        if known is None:
            photo = opened.photo.turned(degrees)
            known = Opened(photo, pyramid(photo.pixels, progress.check), opened.source, opened.name)
        size = opened.photo.size
        faces = tuple(face.turned(degrees, size) for face in state.faces)
        crops = tuple(square(known.photo.pixels, face.box, CHIP) for face in faces)
        strokes = tuple(stroke.turned(degrees, size) for stroke in state.strokes)
        mask = None if state.mask is None else state.mask.turned(degrees, size)
        turned = State(faces, crops, state.added, None, strokes, known, mask)
    return Turned(opened, degrees, turned)
