"""Every decision about making a dataset in the window: what is asked for, the folder, the run, and what it came to.

A `Workplace` without panel or offers of its own: method, weights, options and sliders are those of Generate (`generating`) as
they stand, unless a dataset is gone on with, whose own count. A run always resumes, so one that was stopped, or that the window
was closed on, goes on when it is started again. The GUI thread only; the work is in `populate_work`. It knows no widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, QStandardPaths, Qt, Signal, Slot

from facestudio.datasets.asking import PER_IDENTITY
from facestudio.datasets.places import Place
from facestudio.datasets.running import Shard
from facestudio.errors import UsageError
from facestudio.gui import populate_work as work
from facestudio.gui.generating import UNTOLD, Making
from facestudio.gui.jobs import Job
from facestudio.gui.pace import Pace, duration
from facestudio.gui.populate_work import Beginning, Outcome, Wanted
from facestudio.gui.workplace import Workplace, counted
from facestudio.methods.base import method_title
from facestudio.options import PHOTO, POSE
from facestudio.populating import Order
from facestudio.progress import Update
from facestudio.recipe import Recipe

PEOPLE = 50
MAKING = "making a dataset"
BUSY = "A dataset is being made. Wait until it is complete, or stop it in Generate (Ctrl+Shift+N)."


class Populating(Workplace):
    """What is asked for (`people`, `pictures`, `seed`, `vary`, `tries`, `apart`, `shard`, `out`), and how far it is. `others` are
    the workspaces besides `making`; none of them begins anything while a dataset is made.

    Attributes:
        place: what is in the folder; None while that is looked at. before: a dataset that was never finished, to go on with.
        running: whether people are drawn. tally: how far it is, in words. outcome: of the last run that ended well.
    """

    asked_changed = Signal()  # what is asked for, or what is known of the folder
    shown = Signal(object)  # a person who was just drawn
    _person = Signal(object)  # the same, from the thread that computes

    def __init__(
        self, making: Making, others: Sequence[Workplace], settings: QSettings, parent: QObject | None = None
    ) -> None:
        super().__init__(making.studio, making.compute, making.light, parent)
        self._making, self._others, self._stored, self._pace = making, (making, *others), settings, Pace(settings)
        self.people, self.pictures = PEOPLE, PER_IDENTITY
        self.vary, self.tries, self.apart, self.shard = 0.0, Order(1, 1).tries, True, Shard()
        self.out: Path | None = None
        self.place: Place | None = None
        self.before: Beginning | None = None
        self.running, self.closed, self.tally = False, False, ""
        self.outcome: Outcome | None = None
        self.run_of: Wanted | None = None
        self._taken: Recipe | None = None  # of the dataset that is gone on with
        self._suffix = ".png"
        self._looking: Job | None = None
        self._person.connect(self.shown, Qt.ConnectionType.QueuedConnection)
        self.progressed.connect(self._take_update)
        self.seed_changed.connect(self._look)
        making.offers_changed.connect(self.asked_changed)
        making.who_changed.connect(self.asked_changed)
        making.work_changed.connect(self.asked_changed)

    def close(self) -> None:
        """The window closes: stop the run, and begin nothing any more."""
        self.closed = True
        self.stop()

    # ---- what is asked for

    def begin(self) -> None:
        """Somebody wants a dataset: start from Generate as it stands, and look for a folder."""
        if self.running:
            return
        self._taken, self._suffix, self.outcome, self.before = None, ".png", None, None
        self.out = self.place = None
        self.seed = self._making.seed
        self.seed_changed.emit()
        pictures = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation)
        last = self._stored.value("dataset/folder")
        last = Path(last) if isinstance(last, str) and last else None
        job = self._submit(self.light, partial(work.beginning, Path(pictures), last), self._take_beginning)
        job.failed.connect(self.failed)
        self.asked_changed.emit()

    @property
    def recipe(self) -> Recipe | None:
        """How people are drawn. Sliders in the middle move nobody, and are not asked for."""
        if self._taken is not None:
            return replace(self._taken, seed=self.seed)
        recipe = self._making.recipe
        if recipe is None:
            return None
        moved = {name: value for name, value in self._making.sliding.used(person=True).items() if value}
        return replace(recipe, seed=self.seed, sliders=moved, person=None)

    @property
    def wanted(self) -> Wanted | None:
        """All that is asked for; None while a part of it is lacking."""
        if self.recipe is None or self.out is None:
            return None
        order = Order(self.people, self.pictures, self.seed, self.vary, self.tries, self.apart)
        return Wanted(self.out, self.recipe, order, self.shard, self._suffix)

    def ask(
        self,
        people: int,
        pictures: int,
        vary: float | None = None,
        tries: int | None = None,
        shard: Shard | None = None,
        apart: bool | None = None,
    ) -> None:
        """Ask for so many people and pictures of each; what is None stays."""
        before = self.wanted, self.people
        self.people, self.pictures = people, pictures
        self.vary = self.vary if vary is None else vary
        self.tries = self.tries if tries is None else tries
        self.shard = self.shard if shard is None else shard
        self.apart = self.apart if apart is None else apart
        if before != (self.wanted, self.people):
            self._look()

    def choose_folder(self, folder: Path) -> None:
        """Let the dataset go into `folder`."""
        if folder != self.out:
            self.out = folder
            self._look()

    @Slot()
    def go_on_with_last(self) -> None:
        """Go on with the dataset that was never finished."""
        if self.before is not None and self.before.last is not None:
            self._take(self.before.place, self.before.last)

    @Slot()
    def take_settings(self) -> None:
        """Ask for what the dataset in the folder was made by."""
        if self.place is not None and self.out is not None:
            self._take(self.place, self.out)

    def _take(self, place: Place, out: Path) -> None:
        try:
            wanted = work.taken(place, out)
        except UsageError as error:
            self.failed.emit(error)
            return
        order = wanted.order
        self._taken, self._suffix, self.out, self.seed = wanted.recipe, wanted.suffix, out, order.seed
        self.people, self.pictures, self.vary, self.tries = order.people, order.pictures, order.vary, order.tries
        self.apart = order.apart
        self.shard = Shard()
        self.seed_changed.emit()

    @Slot(object)
    def _take_beginning(self, beginning: Beginning) -> None:
        self.before = beginning if beginning.last is not None else None
        if self.out is None:
            self.choose_folder(beginning.folder)

    @Slot()
    def _look(self) -> None:
        """Look what is in the folder; until that is known nothing can begin."""
        self._drop(self._looking)
        self._looking, self.place = None, None
        wanted = self.wanted
        if wanted is not None and not self.running and not self.closed:
            self._looking = self._submit(self.light, partial(work.look, self.studio, wanted), self._take_place)
            self._looking.failed.connect(self.failed)
        self.asked_changed.emit()

    @Slot(object)
    def _take_place(self, place: Place) -> None:
        self._looking, self.place = None, place
        self.asked_changed.emit()

    # ---- what is said of it

    @property
    def how(self) -> str:
        """Method, weights, options and sliders, in words."""
        recipe = self.recipe
        if recipe is None:
            return ""
        offer = next((o for o in self._making.offers or () if o.checkpoint.id == recipe.checkpoint), None)
        title = offer.checkpoint.title if offer is not None else recipe.checkpoint
        fields = {field.name: field for field in offer.options} if offer is not None else {}
        options = [
            f"{fields[name].title if name in fields else name}\N{NO-BREAK SPACE}{_said(value)}"
            for name, value in recipe.options.items()
            if name not in fields or fields[name].needs not in (PHOTO, POSE)
        ]
        moved = [f"{name}\N{NO-BREAK SPACE}{value:+.2f}" for name, value in recipe.sliders.items()]
        return "; ".join(
            filter(None, (f"{method_title(recipe.method)}, {title}", ", ".join(options), ", ".join(moved)))
        )

    @property
    def obstacle(self) -> str:
        """Why it cannot begin, in a sentence; "" when it can."""
        recipe, making = self.recipe, self._making
        if recipe is None:
            return "" if making.offers is None else "There are no weights that make faces."
        ability = making.abilities.get(recipe.checkpoint)
        if ability is not None and not ability.people:
            return f"{UNTOLD} Choose others in Generate, such as the starter weights."
        if making.doing:
            return "Wait until the current drawing is done, or stop it."
        if self.place is not None and self.place.obstacle:
            return f"{self.place.obstacle} {self.place.hint}".strip()
        return ""

    @property
    def ready(self) -> bool:
        """Whether it can begin now."""
        return not (self.running or self.obstacle) and self.wanted is not None and self.place is not None

    @property
    def going_on(self) -> str:
        """That a dataset is gone on with, and how far it is, in a sentence; "" where none is there."""
        place, out = self.place, self.out
        if place is None or out is None or place.obstacle or not place.people:
            return ""
        there = f"{place.people} of {max(self.people, place.people)} people are there"
        if place.people >= self.people:
            return f"The dataset in {out.name} is complete: {there}. Starting checks them and writes the report again."
        return f"Continue the dataset in {out.name}: {there}."

    @property
    def estimate(self) -> str:
        """How many pictures there are to be, and how long that takes as far as it was measured."""
        wanted = self.wanted
        if wanted is None:
            return ""
        there = self.place.people if self.place is not None and self.shard.count == 1 else 0
        left = max(wanted.pictures - there * self.pictures, 0)
        words = counted(left if there else wanted.pictures, "picture") + (" are left to draw." if there else ".")
        pace, whose = self._pace.of(wanted, self.place, self._making.runs.all)
        if not left:
            return ""
        if not pace:
            return f"{words} The remaining time is shown once the first are drawn."
        return f"{words} That takes {duration(left * pace)}, judging by {whose}."

    # ---- the run

    @Slot()
    def start(self) -> None:
        """Make the dataset, or go on with it."""
        wanted = self.wanted
        if not self.ready or wanted is None:
            return
        self._stored.setValue("dataset/folder", str(wanted.out))
        self._drop(self._looking)
        self.running, self.tally, self.outcome, self.run_of = True, "", None, wanted
        self._occupy(BUSY)
        self.carry_out(MAKING, partial(work.run, self.studio, wanted, self._person.emit), self._take_outcome)
        self.asked_changed.emit()

    def _occupy(self, why: str) -> None:
        """Let no other workspace begin what would have to wait for this; "" when it is over."""
        for other in self._others:
            other.occupy(why)

    @Slot(object)
    def _take_update(self, update: Update) -> None:
        if update.tally:
            self.tally = update.tally

    @Slot(object)
    def _take_outcome(self, outcome: Outcome) -> None:
        self.outcome = outcome
        if self.run_of is not None and outcome.pace:
            self._pace.remember(self.run_of, outcome.pace)
        self.notified.emit(f"The dataset is in {outcome.out.name}. {outcome.head}", outcome.report)

    @Slot()
    def _work_cancelled(self) -> None:
        self.notified.emit("Stopped. Complete people are kept; start again with the same folder to continue.", None)

    @Slot(object)
    def _work_ended(self, job: Job) -> None:
        ended = job is self._work_job
        if ended:
            self.running = False
            self._occupy("")
        super()._work_ended(job)
        if ended and self.outcome is None:
            self._look()


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
