"""The marks of scratches on the open photo: whether they are shown, what was found or loaded, and the brush that corrects it.

Strokes and masks themselves are states of the history, so that they are undone as anything else. Separate from the session
because it is a rule of its own. The GUI thread only; finding marks is a job on the compute queue. It knows no widget.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.gui import mark_work
from facestudio.gui.mark_work import Marks, share_words
from facestudio.gui.mask_work import given
from facestudio.gui.mending import CHOICES
from facestudio.gui.workplace import FINDING, counted
from facestudio.mending import BY_HAND, CAREFUL
from facestudio.mending.by_hand import Stroke

if TYPE_CHECKING:
    from facestudio.faces.face import Face
    from facestudio.gui.history import State
    from facestudio.gui.jobs import Job
    from facestudio.gui.mask_work import LoadedMask
    from facestudio.gui.qimage import Pyramid
    from facestudio.gui.session import Session
    from facestudio.mending.by_hand import ByHand
    from facestudio.photo import Photo

BRUSH, ERASER = TOOLS = ("brush", "eraser")
SMALLEST, LARGEST = 1.0, 400.0  # px of the photo across
STEP = 1.25  # of a key
USUAL = 80  # how many brushes of the size it has at first the photo is long


class Marking(QObject):
    """What is seen of the marks, and the tool in hand. `live` is the stroke that is being drawn."""

    changed = Signal()  # whether they are shown, what is found, the tool or its size
    drawn = Signal()  # another `live`

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.shown = False
        self.tool = ""  # one of TOOLS, or "" for none
        self.live: Stroke | None = None
        self._size = 0.0  # 0: as fits the photo
        self._found: Marks | None = None
        self._job: Job | None = None
        self._asked: tuple[Photo, str, tuple[Face, ...]] | None = None  # what the job is about
        session.photo_changed.connect(self._take_photo)
        session.mending.changed.connect(self._take_strength)
        for changed in (session.faces_changed, session.work_changed, session.result_changed):
            changed.connect(self._look)

    # ---- what is shown

    @property
    def wanted(self) -> bool:
        """Whether there are marks to speak of: a photo is open, and its scratches are mended."""
        return bool(self._session.mending.strength) and self._session.opened is not None

    @property
    def visible(self) -> bool:
        """Whether marks are to be seen."""
        return self.shown and self.wanted

    @property
    def found(self) -> Marks | None:
        """What was found in the photo as it is, by the strength that is chosen; None until it is known."""
        return self._found if self._found is not None and self._fits(self._found) else None

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """What a person painted over it."""
        return self._session.history.state.strokes

    @property
    def mask(self) -> LoadedMask | None:
        """The mask from a file that is mended by: nothing is searched for then. None without one, or where something is."""
        return self._session.history.state.mask if self._session.mending.strength == BY_HAND else None

    @property
    def by_hand(self) -> ByHand | None:
        """All that a person says of the scratches; None of nothing."""
        return given(self.strokes, self.mask)

    @property
    def ground(self) -> Pyramid | None:
        """The opacity of what `strokes` lie over; None of nothing, or while it is not known."""
        if self.mask is not None:
            return self.mask.pyramid
        return None if self.found is None else self.found.pyramid

    @property
    def looking(self) -> bool:
        """Whether marks are being found."""
        return self._job is not None

    @Slot(bool)
    def show(self, on: bool) -> None:
        """Show the marks, or not. Where scratches were to be left, they are mended carefully from now on."""
        if on == self.shown:
            return
        self.shown = on
        if on:
            self._want_mending()
        else:
            self.tool = ""
        self.changed.emit()
        self._look()

    def _want_mending(self) -> None:
        if not self._session.mending.strength:
            self._session.mending.choose(CAREFUL)
            self._session.notified.emit(
                "Scratches will now be mended carefully; choose another way under “Scratches”.", None
            )

    @property
    def about(self) -> str:
        """What is marked, in sentences; "" when nothing is to be said."""
        if not self.visible:
            return ""
        found, strokes, loaded = self.found, self.strokes, self._session.history.state.mask
        step = self._session.history.current
        if step is not None and step.result.mended is None:
            step = None
        words = []
        if self.mask is not None:
            words.append(f"From {self.mask.name}: {share_words(self.mask.share)}.")
        elif self.looking:
            words.append("Looking for scratches…")
        elif found is not None and step is None:  # else how much was mended is said
            words.append(f"Found: {found.words}.")
        if strokes:
            words.append(f"By you: {counted(len(strokes), 'stroke')}.")
        if loaded is not None and self.mask is None:
            words.append(f"{loaded.name} is not used: choose “{CHOICES[BY_HAND]}” for that.")
        if step is not None and (step.strokes != strokes or step.mask is not self.mask):
            words.append("Restore again to mend what you changed.")
        return " ".join(words)

    def follow(self, before: State, after: State) -> None:
        """`after` is shown, where `before` was: mend by a mask that is loaded, and once that is undone as was chosen before."""
        if before.mask is after.mask and before.step is after.step:
            return
        mending = self._session.mending
        if after.mask is not None and (after.step is None or after.step.mask is not after.mask):
            mending.choose(BY_HAND)
        elif after.mask is None and before.mask is not None and mending.strength == BY_HAND:
            mending.choose(before.mask.instead_of)

    # ---- the tool

    @property
    def can_paint(self) -> bool:
        """Whether a stroke can be made now."""
        return bool(self.tool) and self.visible and self._session.can_add

    def use(self, tool: str) -> None:
        """Take the brush or the eraser, or with "" neither; marks are shown with them."""
        if tool == self.tool:
            return
        self.tool, self.live = tool, None
        if tool and not self.shown:
            self.show(True)  # says that something changed
            return
        if tool:
            self._want_mending()
        self.changed.emit()

    @Slot(bool)
    def use_brush(self, on: bool) -> None:
        """Take the brush, or put the tool away."""
        self.use(BRUSH if on else "")

    @Slot(bool)
    def use_eraser(self, on: bool) -> None:
        """Take the eraser, or put the tool away."""
        self.use(ERASER if on else "")

    @property
    def size(self) -> float:
        """How wide the brush is, in px of the photo."""
        opened = self._session.opened
        usual = max(round(max(opened.photo.size) / USUAL), 4) if opened is not None else 4
        return self._size or float(usual)

    def resize(self, size: float) -> None:
        """Make the brush `size` px of the photo wide."""
        size = min(max(size, SMALLEST), LARGEST)
        if size != self.size:
            self._size = size
            self.changed.emit()

    @Slot()
    def enlarge(self) -> None:
        """A larger brush; at least a px."""
        self.resize(max(round(self.size * STEP), round(self.size) + 1))

    @Slot()
    def reduce(self) -> None:
        """A smaller brush; at least a px."""
        self.resize(min(round(self.size / STEP), round(self.size) - 1))

    def draw(self, points: list[tuple[float, float]]) -> None:
        """Show the stroke through `points`, x and y in px of the photo, as it is so far; none of no points."""
        self.live = Stroke(tuple(points), self.size / 2, self.tool == BRUSH) if points else None
        self.drawn.emit()

    def finish(self) -> None:
        """The stroke is done: one step to undo."""
        stroke, self.live = self.live, None
        if stroke is not None and self._session.can_add:
            self._session.change(self._session.history.state.with_stroke(stroke))
        self.drawn.emit()

    # ---- finding

    def _fits(self, marks: Marks) -> bool:
        session = self._session
        of = session.opened is not None and marks.photo is session.opened.photo
        return of and marks.strength == session.mending.strength and marks.faces == session.faces

    @Slot()
    def _take_photo(self) -> None:
        self._drop()
        self._found, self.live, self.tool = None, None, ""
        self.changed.emit()
        self._look()

    @Slot()
    def _take_strength(self) -> None:
        if not self._session.mending.strength:
            self.shown, self.tool, self.live = False, "", None
        self._drop()
        self.changed.emit()
        self._look()

    @Slot()
    def _look(self) -> None:
        """Find marks where they are to be seen and not known yet; then say that something changed."""
        session = self._session
        strength, opened = session.mending.strength, session.opened
        known = self._found is not None and self._fits(self._found)
        if not self.visible or opened is None or strength == BY_HAND or known or session.doing == FINDING:
            self._drop()
        elif self._job is None or self._asked != (opened.photo, strength, session.faces):
            self._drop()
            self._asked = opened.photo, strength, session.faces
            self._job = session.compute.submit(partial(mark_work.find_marks, session.studio, *self._asked))
            self._job.finished.connect(self._take_marks)
            self._job.failed.connect(self._lack_marks)
        self.changed.emit()

    def _drop(self) -> None:
        """Hear no more of the search that runs."""
        if self._job is not None:
            self._job.cancel()
            self._job.finished.disconnect()
            self._job.failed.disconnect()
            self._job = None

    @Slot(object)
    def _take_marks(self, marks: Marks) -> None:
        self._job, self._found = None, marks
        self.changed.emit()

    @Slot(Exception)
    def _lack_marks(self, error: Exception) -> None:
        self._job, self.shown, self.tool = None, False, ""
        self.changed.emit()
        self._session.failed.emit(error)
