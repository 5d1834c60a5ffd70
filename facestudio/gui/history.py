"""What was done to the open photo, step by step, for undo and redo: turned, faces added and marks corrected by hand, results.

Every result is whole and made from the original, so undoing is only showing another state. Separate from the session
because it is all rules and no Qt. Big photos make big results: the oldest are forgotten when the budget is spent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

from facestudio.gui.qimage import Pyramid

if TYPE_CHECKING:
    from facestudio.faces.face import Face
    from facestudio.gui.found import Source
    from facestudio.gui.mask_work import LoadedMask
    from facestudio.gui.work import Opened
    from facestudio.mending.by_hand import Stroke
    from facestudio.photo import Photo
    from facestudio.results import FaceResult, Result

BUDGET = 1_000_000_000  # bytes


@dataclass(frozen=True, eq=False)
class Step:
    """One result as the window shows it.

    Attributes:
        photo: that was restored, as it is open; faces: its faces, in its pixels and in the order of the result's. Both differ
            from those in the result when that is larger.
        before, pyramid: the photo before and afterwards, both of the result's size.
        crops: of the restored faces, by index.
        reference: the person that the method was told, None without one.
        found: faces that were found only once scratches were mended, among `faces`, and a crop of each.
        strokes: that corrected the marks of scratches.
        mask: that was loaded from a file and mended by, None without one.
    """

    photo: Photo
    faces: tuple[Face, ...]
    result: Result
    before: Pyramid
    pyramid: Pyramid
    crops: Mapping[int, QImage]
    reference: Source | None = None
    found: tuple[tuple[Face, QImage], ...] = ()
    strokes: tuple[Stroke, ...] = ()
    mask: LoadedMask | None = None

    @property
    def times(self) -> int:
        """How many times as large as the open photo the result is."""
        return self.result.recipe.upscale

    @property
    def bytes(self) -> int:
        """The memory it holds."""
        larger = self.before.bytes + self.result.before.pixels.nbytes if self.times > 1 else 0  # else the open photo's
        return self.pyramid.bytes + self.result.after.pixels.nbytes + larger

    def result_of(self, face: Face) -> FaceResult | None:
        """What happened to `face`; None when this result knows nothing of it."""
        return next((of for known, of in zip(self.faces, self.result.faces, strict=True) if known is face), None)

    def crop_of(self, face: Face) -> QImage | None:
        """The crop of `face` in this result; None when it was not restored."""
        result = self.result_of(face)
        return self.crops.get(result.index) if result else None


@dataclass(frozen=True, eq=False)
class State:
    """What the window shows at one point.

    Attributes:
        faces: those of the photo; the last `added` of them were added by hand.
        crops: one of each face.
        step: the result; None for the original.
        strokes: that correct the marks of scratches, in the order in which they were made; the next result is made with them.
        opened: the photo as it lies; faces, crops, strokes and mask are of it. None while none is open.
        mask: of scratches, loaded from a file; strokes lie over it. None without one.
    """

    faces: tuple[Face, ...] = ()
    crops: tuple[QImage, ...] = ()
    added: int = 0
    step: Step | None = None
    strokes: tuple[Stroke, ...] = ()
    opened: Opened | None = None
    mask: LoadedMask | None = None

    def with_face(self, face: Face, crop: QImage) -> State:
        """With one more face, added by hand."""
        return replace(self, faces=(*self.faces, face), crops=(*self.crops, crop), added=self.added + 1)

    def with_found(self, found: Sequence[tuple[Face, QImage]]) -> State:
        """With faces that were found later, and a crop of each; they stand before those added by hand."""
        place = len(self.faces) - self.added
        faces = (*self.faces[:place], *(face for face, _ in found), *self.faces[place:])
        crops = (*self.crops[:place], *(crop for _, crop in found), *self.crops[place:])
        return replace(self, faces=faces, crops=crops) if found else self

    def with_stroke(self, stroke: Stroke) -> State:
        """With one more stroke."""
        return replace(self, strokes=(*self.strokes, stroke))

    def with_mask(self, mask: LoadedMask) -> State:
        """With a mask in the place of all that was marked by hand."""
        return replace(self, mask=mask, strokes=())

    def without_face(self, index: int) -> State:
        """Without the face `index`, which was added by hand."""
        rest = [n for n in range(len(self.faces)) if n != index]
        faces, crops = tuple(self.faces[n] for n in rest), tuple(self.crops[n] for n in rest)
        return replace(self, faces=faces, crops=crops, added=self.added - 1)

    def is_added(self, index: int) -> bool:
        """Whether the face `index` was added by hand."""
        return len(self.faces) - self.added <= index < len(self.faces)

    def ticks(self, before: State, ticked: frozenset[int]) -> frozenset[int]:
        """Which faces are ticked after a move from `before`, where `ticked` were: those, and faces that are new. In a photo that
        is turned they are others, in the same order."""
        if before.opened is not self.opened:
            return frozenset(n for n in ticked if n < len(self.faces))
        kept = {id(before.faces[index]) for index in ticked}
        known = {id(face) for face in before.faces}
        return frozenset(n for n, face in enumerate(self.faces) if id(face) in kept or id(face) not in known)


class History:
    """States and which of them is shown. The first is the original with the faces that were found."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._states: list[State] = [State()]
        self._shown = 0
        self._saved: dict[int, Path] = {}
        self._turns_saved: dict[int, Path] = {}  # of the photo alone, by how it lies

    @property
    def state(self) -> State:
        """What is shown."""
        return self._states[self._shown]

    @property
    def current(self) -> Step | None:
        """The result that is shown; None for the original."""
        return self.state.step

    @property
    def can_undo(self) -> bool:
        return self._shown > 0

    @property
    def can_redo(self) -> bool:
        return self._shown + 1 < len(self._states)

    @property
    def unsaved(self) -> bool:
        """Whether what is shown is a result, or a photo that was turned, that was not saved."""
        return (self.current is not None or self.turn != 0) and self.saved_as is None

    @property
    def turn(self) -> int:
        """By how many degrees the photo that is shown was turned; 0 without one."""
        return 0 if self.state.opened is None else self.state.opened.photo.turn

    def begin(self, state: State) -> None:
        """Forget everything and show `state`: another photo is open, or its faces are other ones."""
        if state.opened is not self.state.opened:
            self._turns_saved = {}
        self._states, self._shown, self._saved = [state], 0, {}

    def add(self, step: Step) -> None:
        """Show the result `step` with the faces there are, and those that it found."""
        self.change(replace(self.state.with_found(step.found), step=step))

    def change(self, state: State) -> None:
        """Show `state`; what was undone is forgotten, and the oldest results where memory asks for it."""
        self._states = [*self._states[: self._shown + 1], state]
        while len(steps := self._steps()) > 2 and _bytes(steps) > self._budget:
            self._states = [known for known in self._states if known.step is not steps[0]]
        self._shown = len(self._states) - 1
        kept = {id(step) for step in self._steps()}
        self._saved = {of: path for of, path in self._saved.items() if of in kept}

    def undo(self) -> None:
        """Show the state before."""
        self._shown = max(self._shown - 1, 0)

    def redo(self) -> None:
        """Show the state after."""
        self._shown = min(self._shown + 1, len(self._states) - 1)

    @property
    def saved_as(self) -> Path | None:
        """Where the result that is shown, or the turned photo without one, was saved last; None when it was not."""
        return self._turns_saved.get(self.turn) if self.current is None else self._saved.get(id(self.current))

    def lying(self, turn: int) -> Opened | None:
        """The photo turned by `turn` degrees in all, if it has been."""
        openeds = (state.opened for state in self._states)
        return next((opened for opened in openeds if opened is not None and opened.photo.turn == turn), None)

    def mark_saved(self, step: Step, path: Path) -> None:
        """Remember that `step` was saved as `path`."""
        if any(step is known for known in self._steps()):
            self._saved[id(step)] = path

    def mark_turn_saved(self, photo: Photo, path: Path) -> None:
        """Remember that `photo`, which was turned and not restored, was saved as `path`."""
        if any(state.opened is not None and state.opened.photo is photo for state in self._states):
            self._turns_saved[photo.turn] = path

    def _steps(self) -> list[Step]:
        """Every result once, the oldest first."""
        return list({id(s.step): s.step for s in self._states if s.step is not None}.values())


def _bytes(steps: Iterable[Step]) -> int:
    """The memory that `steps` hold; a reference that several were told is there once."""
    steps = tuple(steps)
    told = {id(step.reference.found): step.reference.found for step in steps if step.reference is not None}
    return sum(step.bytes for step in steps) + sum(found.photo.pixels.nbytes for found in told.values())
