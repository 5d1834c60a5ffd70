"""What the Generate workspace shows, and every decision about it: who is drawn, how, and the galleries that were made.

The GUI thread only, like the session, beside which it stands: it shares the queues, and nothing of the open photo. The
work itself is in `work` and `saving`. It knows no widget and shows no dialog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from facestudio.generating import MOST
from facestudio.gui import saving, work
from facestudio.gui.jobs import Job, JobQueue
from facestudio.gui.person import Person, Source
from facestudio.gui.runs import Picture, Run, Runs
from facestudio.gui.workplace import Workplace
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.generating import Gallery
    from facestudio.studio import Studio

GENERATING = "drawing faces"
COUNT = 8


class Making(Workplace):
    """The state of the Generate workspace; `current` and `selected` are places in the shown run's pictures."""

    who_changed = Signal()  # nobody or a photo, another photo, another face of it
    run_changed = Signal()  # another run is shown, or the one that is shown has ended
    picture_added = Signal()
    selection_changed = Signal()
    plan_made = Signal(object)  # a saving.Plan of which some files exist: ask, then call `write`
    saved = Signal(object)  # path of the first
    _made = Signal(object, object)  # from the thread that computes

    def __init__(self, studio: Studio, compute: JobQueue, light: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(studio, compute, light, parent)
        self.from_photo = False
        self.person = Person(self, self._why_nobody_else)
        self.person.asked.connect(self._draw_asked)
        self.person.changed.connect(self.who_changed)
        self.count = COUNT
        self.runs = Runs()
        self.running: Run | None = None
        self.current: int | None = None
        self.selected: frozenset[int] = frozenset()
        self.saving = False
        self._entered = False
        self._made.connect(self._take_picture, Qt.ConnectionType.QueuedConnection)

    # ---- starting

    @Slot()
    def start(self) -> None:
        """Learn what there is to offer; called once the window has been painted."""
        self._learn_offers("create")

    def enter(self) -> None:
        """The workspace is shown: load what it needs, which nobody pays for who never comes here."""
        if not self._entered:
            self._entered = True
            self._warm_up()

    def _warm_up(self) -> None:
        if self._entered:
            super()._warm_up()

    # ---- who is drawn

    def draw_from_photo(self, on: bool) -> None:
        """Draw the person in a photo, or people of nobody."""
        if on != self.from_photo:
            self.from_photo = on
            self.who_changed.emit()

    @property
    def source(self) -> Source | None:
        """The person in a photo, if one was chosen."""
        return self.person.source

    def _why_nobody_else(self) -> str:
        return "" if self.running is None else "Stop the drawing first, or wait until it is done."

    @Slot()
    def _draw_asked(self) -> None:
        self.draw_from_photo(True)

    # ---- making

    def set_count(self, count: int) -> None:
        self.count = count

    @property
    def obstacle(self) -> str:
        """Why nothing can be made now, in a few words; "" when it can."""
        if self.busy:
            return self.busy
        if self.offer is None:
            return "" if self.offers is None else "There are no weights that make faces."
        return "Choose a photo of the person first." if self.from_photo and self.source is None else ""

    @property
    def ready(self) -> bool:
        """Whether pictures can be made now."""
        return self.offer is not None and not self.obstacle

    @Slot()
    def generate(self) -> None:
        """Make `count` pictures by the recipe; what is there when it ends or is stopped is one step to undo."""
        self._generate(self.count)

    @Slot()
    def again(self) -> None:
        """Draw the current picture's seed once more, with the options and the person as they are now."""
        if self.ready and self.picture is not None:
            self.set_seed(self.picture.seed)
            self._generate(1)

    def _generate(self, count: int) -> None:
        recipe = self.recipe
        if not self.ready or recipe is None:
            return
        source = self.source if self.from_photo else None
        run = Run(recipe, min(count, MOST), source)
        self.running, self.current, self.selected = run, None, frozenset()
        made = partial(self._made.emit, run.key)
        todo = partial(work.make, self.studio, recipe, run.count, source.who if source else None, made)
        self._begin(GENERATING, todo, self._take_gallery)
        self._show_run()

    @Slot(object, object)
    def _take_picture(self, key: object, picture: Picture) -> None:
        if self.running is not None and self.running.key is key:
            self.running = self.running.with_picture(picture)
            self.picture_added.emit()

    @Slot(object)
    def _take_gallery(self, gallery: Gallery) -> None:
        if self.running is None:
            return
        self.running = replace(self.running, seconds=gallery.seconds)
        faceless = sum(portrait.face is None for portrait in gallery.portraits)
        words = f"Made {counted(len(gallery.portraits), 'picture')} in {gallery.seconds:.1f} s"
        self.notified.emit(f"{words}; no face was found in {faceless}" if faceless else words, None)

    @Slot()
    def _work_cancelled(self) -> None:
        run = self.running
        if run is not None and run.pictures:
            self.notified.emit(f"Stopped. {len(run.pictures)} of {counted(run.count, 'picture')} are there.", None)
        else:
            super()._work_cancelled()

    @Slot(object)
    def _work_ended(self, job: Job) -> None:
        ended = self.running if job is self._work_job else None
        if ended is not None:
            self.running = None
            if ended.pictures:
                self.runs.add(ended)
        super()._work_ended(job)
        if ended is not None and ended.pictures:
            self.run_changed.emit()
        elif ended is not None:
            self._show_run()

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
        """Make picture `index` the current one."""
        if index != self.current:
            self.current = index
            self.selection_changed.emit()

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

    def _show_run(self) -> None:
        self.current, self.selected = None, frozenset()
        self.run_changed.emit()
        self.selection_changed.emit()

    # ---- saving

    @property
    def unsaved(self) -> bool:
        """Whether pictures are shown none of which was saved."""
        return self.shown is not None and bool(self.pictures) and not self.runs.is_saved(self.shown)

    @property
    def can_save(self) -> bool:
        return bool(self.pictures) and not self.saving

    def save_into(self, folder: Path, pictures: Iterable[Picture]) -> None:
        """Save `pictures` of the shown gallery in `folder`; `plan_made` comes when files would be replaced."""
        run = self.shown
        if self.can_save and run is not None:
            self._save(partial(saving.plan, run.key, tuple(pictures), folder, _path_of(run)), self._take_plan)

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
    def _take_saved(self, saved: tuple[object, list[Path]]) -> None:
        key, paths = saved
        self.runs.mark_saved(key)
        self._end_saving()
        alone = f"Saved as {paths[0].name}"
        words = alone if len(paths) == 1 else f"Saved {counted(len(paths), 'picture')} in {paths[0].parent.name}"
        self.notified.emit(words, paths[0])
        self.saved.emit(paths[0])

    @Slot(Exception)
    def _saving_failed(self, error: Exception) -> None:
        self._end_saving()
        self.failed.emit(error)

    def _end_saving(self) -> None:
        self.saving = False
        self.work_changed.emit()


def counted(number: int, noun: str) -> str:
    """ "1 picture", "2 pictures"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _path_of(run: Run) -> Path | None:
    """The file of the photo that `run` was drawn from."""
    return run.source.found.photo.path if run.source else None
