"""The galleries that were made, which of them is shown, what is chosen in it, and how pictures of it are saved.

The GUI thread only. Separate from `generating`, which makes them: this is about pictures that are there. It knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.gui import generate_work, saving
from facestudio.gui.jobs import JobQueue
from facestudio.gui.runs import Picture, Run, Runs
from facestudio.gui.workplace import Workplace
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.studio import Studio


class Made(Workplace):
    """Runs of pictures; `current` and `selected` are places in the shown one, `running` is the one that grows, if any."""

    run_changed = Signal()  # another run is shown, or the one that is shown has ended
    picture_added = Signal()
    selection_changed = Signal()
    plan_made = Signal(object)  # a saving.Plan of which some files exist: ask, then call `write`
    saved = Signal(object)  # path of the first
    compared = Signal(object)  # pictures, and their Likeness to each recogniser

    def __init__(self, studio: Studio, compute: JobQueue, light: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(studio, compute, light, parent)
        self.runs = Runs()
        self.running: Run | None = None
        self.current: int | None = None
        self.selected: frozenset[int] = frozenset()
        self.saving = False

    # ---- what is shown

    @property
    def shown(self) -> Run | None:
        """The gallery that is shown: the one that grows, or one of those that were made."""
        return self.running or self.runs.current

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Those of the shown gallery."""
        return self.shown.pictures if self.shown else ()

    @property
    def picture(self) -> Picture | None:
        """The current one: the one that is large, or that the readout is about."""
        return None if self.current is None else self.pictures[self.current]

    def show_picture(self, index: int | None) -> None:
        """Make picture `index` the current one, which the sliders move from where its recipe has them."""
        if index != self.current:
            self.current = index
            self._follow()
            self.selection_changed.emit()

    def _follow(self) -> None:
        """Another picture is the current one, or none."""

    def select(self, chosen: Iterable[int]) -> None:
        """Select exactly these pictures."""
        selected = frozenset(chosen) & frozenset(range(len(self.pictures)))
        if selected != self.selected:
            self.selected = selected
            self.selection_changed.emit()

    @Slot()
    def undo(self) -> None:
        """Show the gallery before."""
        if self.runs.can_undo and not self._doing:
            self.runs.undo()
            self._show_run()

    @Slot()
    def redo(self) -> None:
        """Show the gallery after."""
        if self.runs.can_redo and not self._doing:
            self.runs.redo()
            self._show_run()

    def show_run(self, index: int) -> None:
        """Show gallery `index` of those that were made."""
        if not self._doing and index != self.runs.shown:
            self.runs.show(index)
            self._show_run()

    def _show_run(self) -> None:
        alone = self.running is None and len(self.pictures) == 1
        self.current, self.selected = 0 if alone else None, frozenset()
        if self.running is None:
            self._follow()
        self.run_changed.emit()
        self.selection_changed.emit()

    @Slot()
    def compare(self) -> None:
        """Measure how alike the shown pictures are to each other; `compared` tells."""
        if len(self.pictures) > 1:
            todo = partial(generate_work.alike, self.studio, self.pictures)
            self._submit(self.light, todo, self.compared.emit).failed.connect(self.failed)

    # ---- saving

    @property
    def unsaved(self) -> bool:
        """Whether pictures are shown none of which was saved."""
        return self.shown is not None and bool(self.pictures) and not self.runs.is_saved(self.shown)

    @property
    def can_save(self) -> bool:
        return bool(self.pictures) and not self.saving

    def save_into(self, folder: Path, pictures: Iterable[Picture], extras: bool = False) -> None:
        """Save `pictures` of the shown gallery in `folder`; `plan_made` comes when files would be replaced. With `extras`
        embeddings and recipe stand beside each."""
        run = self.shown
        if self.can_save and run is not None:
            self._save(partial(saving.plan, run.key, tuple(pictures), folder, _path_of(run), extras), self._take_plan)

    def save_as(self, target: Path, picture: Picture) -> None:
        """Save one `picture` of the shown gallery as `target`."""
        run = self.shown
        if self.can_save and run is not None:
            self._save(partial(saving.save_picture_as, run.key, picture, target, _path_of(run)), self._take_saved)

    def write(self, plan: saving.Plan, overwrite: bool) -> None:
        """Save what was planned; a file that exists is replaced, or the picture gets another name."""
        self._save(partial(saving.save_pictures, plan, overwrite), self._take_saved)

    def _save(self, job: Callable[[Progress], object], done: Callable[[Any], None]) -> None:
        self.saving = True
        self._submit(self.light, job, done).failed.connect(self._saving_failed)
        self.work_changed.emit()

    @Slot(object)
    def _take_plan(self, plan: saving.Plan) -> None:
        if plan.taken:
            self._end_saving()
            self.plan_made.emit(plan)
        else:
            self.write(plan, overwrite=False)

    @Slot(object)
    def _take_saved(self, saved: tuple[object, list[Path], bool]) -> None:
        key, paths, extras = saved
        self.runs.mark_saved(key)
        self._end_saving()
        self.notified.emit(saving.words_of(paths, extras), paths[0])
        self.saved.emit(paths[0])

    @Slot(Exception)
    def _saving_failed(self, error: Exception) -> None:
        self._end_saving()
        self.failed.emit(error)

    def _end_saving(self) -> None:
        self.saving = False
        self.work_changed.emit()


def _path_of(run: Run) -> Path | None:
    """The file of the photo that `run` was drawn from."""
    return run.source.found.photo.path if run.source else None
