"""One photo of an anonymizing run that a person looks at: before and after, its faces, and what they decide on each.

Beside `anonymizing`, which holds the run; this holds the photo. To the viewer it looks like the session: a photo that is open,
its result, its faces. It knows no widget.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.gui import review_work as work
from facestudio.gui.anonymize_rows import FAILED, LEFT, REVIEW, SKIPPED, Row, reviewed_next
from facestudio.gui.anonymizing import LOOKING_AT, Anonymizing
from facestudio.gui.jobs import Job
from facestudio.gui.qimage import Pyramid
from facestudio.gui.review_history import Decisions, Step
from facestudio.gui.review_work import Decided, Reviewed, ReviewFace

if TYPE_CHECKING:
    from facestudio.faces.face import Face

REVIEWING, BACK = "doing a photo again", "taking a decision back"
# as `anonymized` has them, which takes its time to import
AGAIN, HIDDEN, ADDED, NOT_A_FACE = "tried again", "hidden", "added by hand", "not a face"
SAID = {
    **{AGAIN: "Tried again", HIDDEN: "Obscured", ADDED: "The face is added"},
    LEFT: "Left as it is; the report says so",
    NOT_A_FACE: "The original photo is shown there; the report says that it is not a face",
}
TAKEN_BACK = {
    **{
        AGAIN: "The new try was taken back",
        HIDDEN: "The block was taken back",
        ADDED: "The added face was taken back",
    },
    LEFT: "The decision to leave it as it is was taken back",
    NOT_A_FACE: "The decision that it is not a face was taken back",
}


@dataclass(frozen=True, eq=False)
class Shown:
    """A result as the viewer takes it."""

    before: Pyramid
    pyramid: Pyramid
    times: int = 1


@dataclass(frozen=True, eq=False)
class _Open:
    """A photo as the viewer takes it."""

    pyramid: Pyramid


@dataclass
class _History:
    current: Shown | None = None


class Review(QObject):
    """What is looked at; `row` is its photo, None when nothing is. `problem`: why it cannot be shown, in a sentence."""

    photo_changed = Signal()
    result_changed = Signal()
    faces_changed = Signal()
    selection_changed = Signal()
    work_changed = Signal()
    progressed = Signal(object)  # for the viewer, to which no preview is shown here

    def __init__(self, anonymizing: Anonymizing) -> None:
        super().__init__(anonymizing)
        self._run = anonymizing
        self.row: Row | None = None
        self.reviewed: Reviewed | None = None
        self.problem = ""
        self.selected: frozenset[int] = frozenset()
        self.opened: _Open | None = None
        self.history = _History()
        self.decisions = Decisions()
        self._job: Job | None = None
        anonymizing.work_changed.connect(self._work_changed)
        anonymizing.row_changed.connect(self._row_changed)
        anonymizing.rows_changed.connect(self._rows_changed)

    # ---- what is shown

    @property
    def shown_faces(self) -> tuple[ReviewFace, ...]:
        """The faces, then those that nobody worked on."""
        return self.reviewed.faces if self.reviewed is not None else ()

    @property
    def faces(self) -> tuple[Face, ...]:
        return tuple(face.face for face in self.shown_faces)

    @property
    def doing(self) -> str:
        """What is computed, or ""."""
        return self._run.doing

    @property
    def opening(self) -> bool:
        """Whether the photo is not here yet."""
        return self.row is not None and self.reviewed is None and not self.problem

    @property
    def obstacle(self) -> str:
        """Why nothing can be decided now, in a few words; "" when it can."""
        if self._run.running or self._run.listing:
            return "You can decide on faces once the run is stopped or done."
        return "" if self.reviewed is not None and not self._run.doing else "Wait a moment…"

    @property
    def can_add(self) -> bool:
        """Whether a face can be added by hand now."""
        return not self.obstacle

    @property
    def index(self) -> int:
        """The photo's place among the rows, -1 without one."""
        place = None if self.row is None else self._run.place_of(self.row.path)
        return -1 if place is None else place

    def neighbour(self, step: int) -> int | None:
        """The next place in the direction of `step` whose photo can be looked at."""
        rows, here = self._run.rows, self.index
        places = range(here + 1, len(rows)) if step > 0 else range(here - 1, -1, -1)
        return next((n for n in places if rows[n].reviewable), None)

    @property
    def next_waiting(self) -> int | None:
        """The place of the next photo that a person must look at."""
        found = reviewed_next(self._run.rows, self.index)
        return None if found == self.index else found

    @property
    def _target(self) -> Path | None:
        return self.row.item.target if self.row is not None and self.row.item is not None else None

    @property
    def can_undo(self) -> bool:
        """Whether the last decision on the photo can be taken back now."""
        return not self.obstacle and self._target is not None and self.decisions.last(self._target) is not None

    @property
    def can_redo(self) -> bool:
        """Whether a decision on the photo that was taken back can be taken again now."""
        return not self.obstacle and self._target is not None and self.decisions.following(self._target) is not None

    # ---- opening

    def open(self, index: int) -> None:
        """Look at the photo of row `index`."""
        row = self._run.rows[index]
        if row.reviewable and not (self.row is not None and row.path == self.row.path and self.reviewed is not None):
            self._look(row)

    def close(self) -> None:
        """Look at nothing."""
        self._drop()
        self._show(None, None)

    def _look(self, row: Row) -> None:
        self._drop()
        self._show(row, None)
        todo = partial(work.look, self._run.studio, row, self._run.known)
        if row.output is not None:
            job = self._run.light.submit(todo)
            job.finished.connect(self._take)
        elif self._run.doing:
            self._tell("No result was written for this photo. You can look at it once the work is stopped or done.")
            return
        else:
            job = self._run.carry_out(LOOKING_AT, todo, self._take)
        self._job = job
        job.failed.connect(self._failed)
        job.cancelled.connect(self._stopped)

    def _drop(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    @Slot(object)
    def _take(self, reviewed: Reviewed) -> None:
        if self.row is not None and reviewed.row.path == self.row.path:
            self._job = None
            self._show(reviewed.row, reviewed)

    @Slot(Exception)
    def _failed(self, error: Exception) -> None:
        if self.sender() is self._job:
            self._job = None
            self._tell(f"{error} {getattr(error, 'hint', '')}".strip())

    @Slot()
    def _stopped(self) -> None:
        if self.sender() is self._job:
            self._job = None
            self._tell("Opening it was stopped.")

    def _tell(self, problem: str) -> None:
        self.problem = problem
        self.photo_changed.emit()

    def _show(self, row: Row | None, reviewed: Reviewed | None) -> None:
        same = self.row is not None and row is not None and self.row.path == row.path and self.reviewed is not None
        self.row, self.reviewed, self.problem = row, reviewed, ""
        waiting = next((n for n, face in enumerate(self.shown_faces) if can_leave(face)), None)
        if waiting is not None:
            self.selected = frozenset({waiting})  # what is in question is shown first
        elif not same:
            self.selected = frozenset()
        self.opened = _Open(reviewed.before) if reviewed is not None else None
        self.history.current = Shown(reviewed.before, reviewed.after) if reviewed is not None else None
        if not same:
            self.photo_changed.emit()
        self.faces_changed.emit()
        self.result_changed.emit()
        self.work_changed.emit()

    @Slot(int)
    def _row_changed(self, index: int) -> None:
        row = self._run.rows[index]
        self._forget_if_done_anew(row)
        if self.row is None or row.path != self.row.path or row.record is None or row.record == self.row.record:
            return
        self._look(row)  # the run did it anew, so what is shown is not what is there

    def _forget_if_done_anew(self, row: Row) -> None:
        """Let decisions on an earlier result be no more, when a run made another one."""
        step = self.decisions.last(row.item.target) if self._run.running and row.item is not None else None
        if row.item is not None and step is not None and row.record is not None:
            entry = step.trace[1]
            if entry is None or json.dumps(row.record) != entry.record:
                self.decisions.forget(row.item.target)

    @Slot()
    def _rows_changed(self) -> None:
        if self.row is not None and self.index < 0:
            self.close()

    @Slot()
    def _work_changed(self) -> None:
        self.work_changed.emit()

    # ---- deciding

    def toggle_face(self, index: int) -> None:
        """Choose face `index`, or none."""
        self.selected = frozenset() if self.selected == {index} else frozenset({index})
        self.selection_changed.emit()

    def try_again(self, index: int) -> None:
        """Try face `index` again, as the panel says it is to be done."""
        self._decide(AGAIN, index)

    def obscure(self, index: int) -> None:
        """Hide face `index` below a block."""
        self._decide(HIDDEN, index)

    def leave(self, index: int) -> None:
        """Leave face `index` as the result shows it; the report says that it is not verified."""
        self._decide(LEFT, index)

    def deny(self, index: int) -> None:
        """Face `index` is none: put the photo back there as it was; the report says so."""
        self._decide(NOT_A_FACE, index)

    @Slot(object)
    def add_face(self, box: Sequence[float]) -> None:
        """Work on the face in a box (left, top, right, bottom) that a person drew."""
        left, top, right, bottom = (float(x) for x in box)
        self._decide(ADDED, -1, (left, top, right, bottom))

    def _decide(self, how: str, index: int, box: work.Box | None = None) -> None:
        row, output = self.row, self._run.output
        if self.obstacle or row is None or output is None:
            return
        recipe = self._run.recipe if how in (AGAIN, ADDED) else None
        wish = work.Wish(how, index, recipe, box)
        todo = partial(work.decide, self._run.studio, row, output, wish, self._run.known, self.decisions.most)
        self._run.carry_out(REVIEWING, todo, self._decided)

    @Slot()
    def undo(self) -> None:
        """Take the last decision on the photo back: result, journal and report stand as before."""
        if self.can_undo and self._target is not None:
            self._turn_back(self.decisions.last(self._target), self._taken_back)

    @Slot()
    def redo(self) -> None:
        """Take a decision again that was taken back."""
        if self.can_redo and self._target is not None:
            self._turn_back(self.decisions.following(self._target), self._taken_again)

    def _turn_back(self, step: Step | None, then: Callable[[Decided], None]) -> None:
        row, output = self.row, self._run.output
        if step is not None and row is not None and output is not None:
            self._run.carry_out(
                BACK, partial(work.turn_back, self._run.studio, row, output, step, self._run.known), then
            )

    @Slot(object)
    def _decided(self, made: Decided) -> None:
        assert made.row.item is not None
        self.decisions.decided(made.row.item.target, made.step)
        self._take_decided(made, SAID)

    @Slot(object)
    def _taken_back(self, made: Decided) -> None:
        assert made.row.item is not None and made.step is not None
        self.decisions.taken_back(made.row.item.target, made.step)
        self._take_decided(made, TAKEN_BACK)

    @Slot(object)
    def _taken_again(self, made: Decided) -> None:
        assert made.row.item is not None and made.step is not None
        self.decisions.taken_again(made.row.item.target, made.step)
        self._take_decided(made, SAID)

    def _take_decided(self, made: Decided, said: Mapping[str, str]) -> None:
        row = made.row
        if made.reviewed is not None:
            if self.row is not None and self.row.path == row.path:
                self._show(row, made.reviewed)
            self._run.thumbnails_made.emit(row.path, made.reviewed.thumbnails)
        self._run.set_row(row)  # without a review of it, it is opened anew
        more = "; the photo still needs review." if row.status == REVIEW else "."
        self._run.notified.emit(f"{said[made.how]}{more} {made.warning}".strip(), row.output)


def can_leave(face: ReviewFace) -> bool:
    """Whether there is anything to leave as it is: what is verified, or left already, is not in question."""
    return face.missed or face.status in (REVIEW, FAILED, SKIPPED)
