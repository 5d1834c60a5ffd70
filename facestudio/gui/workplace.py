"""What every workspace has: checkpoints to choose from, a recipe, and one piece of work at a time that it waits for.

The GUI thread only. Separate from the session and from `generating`, which add what their workspace is about; panels and
job bars know a workspace by no more than this. It knows no widget.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.errors import UsageError
from facestudio.generating import MOST
from facestudio.gui import work
from facestudio.gui.jobs import Job, JobQueue
from facestudio.gui.work import Offer
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.whom import LARGEST

if TYPE_CHECKING:
    from facestudio.studio import Studio

LARGEST_SEED = LARGEST - MOST  # so that each picture of a gallery has a seed
LARGEST_DRAWN = 2**31 - 1  # of a seed by chance, which people can read
FINDING = "finding faces"
LOOKING = "looking at another photo"


class Workplace(QObject):
    """Offers, recipe and work. Signals are past participles; what they are about is read from the object.

    Args:
        compute, light: the queues; several workplaces may share them.
    """

    recipe_changed = Signal()  # another checkpoint, and so other options
    seed_changed = Signal()
    offers_changed = Signal()
    work_changed = Signal()  # `doing` or `stopping` is another, or what is saved
    progressed = Signal(object)  # Update of the work that is shown
    notified = Signal(str, object)  # a sentence, and the path it is about or None
    failed = Signal(Exception)

    def __init__(self, studio: Studio, compute: JobQueue, light: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.studio, self.compute, self.light = studio, compute, light
        self.offers: tuple[Offer, ...] | None = None  # None: not known yet
        self.offers_error: Exception | None = None
        self.offer: Offer | None = None
        self.options: dict[str, Any] = {}
        self.seed = 0
        self._goal = ""
        self._entered = True  # False where nothing is to be loaded before somebody comes
        self._work_job: Job | None = None
        self._doing = ""
        self._occupied = ""  # why nothing can be computed here, though nothing of this workplace is

    # ---- the recipe

    @property
    def recipe(self) -> Recipe | None:
        """What the panel says is to be done; None while there is nothing to choose from."""
        if self.offer is None:
            return None
        return Recipe(self.offer.checkpoint.id, self.offer.method, dict(self.options), self.seed)

    def choose(self, checkpoint_id: str) -> None:
        """Work with another checkpoint; its options start at their defaults."""
        offer = next((offer for offer in self.offers or () if offer.checkpoint.id == checkpoint_id), None)
        if offer is None:
            raise UsageError(f"There are no weights called {checkpoint_id}.")
        if offer is not self.offer:
            self.offer = offer
            self.options = {field.name: field.default for field in offer.options}
            self._warm_up()
            self.recipe_changed.emit()

    def set_option(self, name: str, value: Any) -> None:
        self.options[name] = value

    def set_seed(self, seed: int) -> None:
        """Draw from `seed` on; from the nearest that is allowed, where a file asks for another."""
        seed = min(max(seed, 0), LARGEST_SEED)
        if seed != self.seed:
            self.seed = seed
            self.seed_changed.emit()

    @Slot()
    def shuffle_seed(self) -> None:
        """Choose a seed by chance."""
        self.set_seed(random.randint(0, LARGEST_DRAWN))

    def _learn_offers(self, goal: str) -> None:
        """Look which checkpoints there are for `goal`: "keep", "change" or "create"."""
        self._goal = goal
        offers = self.light.submit(partial(work.catalogue, self.studio, goal))
        offers.finished.connect(self._take_offers)
        offers.failed.connect(self._lack_offers)

    @Slot()
    def look_again(self) -> None:
        """Weights came or went: look which there are now. What is chosen stays chosen while it is there."""
        if self._goal:
            self._learn_offers(self._goal)

    def enter(self) -> None:
        """The workspace is shown: load what it needs, which nobody pays for who never comes here."""
        if not self._entered:
            self._entered = True
            self._warm_up()

    @Slot()
    def load_again(self) -> None:
        """What was loaded was let go of: load what is needed here, as when the workspace was shown first."""
        self._warm_up()

    def _warm_up(self) -> None:
        """Load the chosen checkpoint, so that the first use does not wait."""
        if self._entered and self.offer is not None:
            self.compute.submit(partial(work.warm_up, self.studio, self.offer.checkpoint.id))

    @Slot(object)
    def _take_offers(self, offers: tuple[Offer, ...]) -> None:
        before = self.offer.checkpoint.id if self.offer else ""
        self.offers, self.offers_error = offers, None
        self.offers_changed.emit()
        same = next((offer for offer in offers if offer.checkpoint.id == before), None)
        if same is not None:
            self.offer = same
            self._warm_up()
            self.recipe_changed.emit()
        elif offers:
            self.choose(offers[0].checkpoint.id)
        elif self.offer is not None:
            self.offer, self.options = None, {}
            self.recipe_changed.emit()

    @Slot(Exception)
    def _lack_offers(self, error: Exception) -> None:
        self.offers, self.offers_error = (), error
        self.offers_changed.emit()

    # ---- the work

    def look(self, job: Callable[[Progress], object], done: Callable[[Any], None]) -> None:
        """Look for a person in another photo; what was done until now is stopped."""
        self._stop_work_now()
        self.carry_out(LOOKING, job, done)

    @property
    def doing(self) -> str:
        """What is computed for the user now, such as FINDING, or ""."""
        return self._doing

    @property
    def busy(self) -> str:
        """Why no other work can begin now, in a sentence; "" when it can."""
        return "Wait until the running job is done, or stop it." if self._doing else self._occupied

    def occupy(self, why: str) -> None:
        """Begin nothing until told otherwise by "": something else computes for long, and `why` says what, in a sentence."""
        self._occupied = why
        self.work_changed.emit()

    @property
    def stopping(self) -> bool:
        """Whether the work was asked to stop and has not stopped yet."""
        return self._work_job is not None and self._work_job.stopping

    @property
    def paused(self) -> bool:
        """Whether the work waits until it is told to go on."""
        return self._work_job is not None and self._work_job.paused

    @Slot()
    def pause_or_go_on(self) -> None:
        """Let the work wait at its next step, or go on."""
        if self._work_job is not None and not self.stopping:
            if self._work_job.paused:
                self._work_job.resume()
            else:
                self._work_job.pause()
            self.work_changed.emit()

    @Slot()
    def stop(self) -> None:
        """Ask the work to stop."""
        if self._work_job is not None:
            self._work_job.cancel()
            self.work_changed.emit()

    def _submit(self, queue: JobQueue, job: Callable[[Progress], object], done: Callable[[Any], None]) -> Job:
        submitted = queue.submit(job)
        submitted.finished.connect(done)
        return submitted

    def _drop(self, job: Job | None) -> None:
        """Stop `job` and hear no more of it."""
        if job is not None:
            job.cancel()
            job.finished.disconnect()
            job.failed.disconnect()
            if job is self._work_job:
                job.cancelled.disconnect()

    def carry_out(self, name: str, job: Callable[[Progress], object], done: Callable[[Any], None]) -> Job:
        """Compute something that the user waits for; `name` is what `doing` says until it ends, `done` takes what it brings."""
        self._doing, self._work_job = name, self._submit(self.compute, job, done)
        submitted = self._work_job
        submitted.progressed.connect(self.progressed)
        submitted.failed.connect(self.failed)
        submitted.cancelled.connect(self._work_cancelled)
        submitted.ended.connect(self._work_ended)
        self.work_changed.emit()
        return submitted

    def _stop_work_now(self) -> None:
        """Stop the work, and show at once that there is none."""
        self._drop(self._work_job)
        self._doing, self._work_job = "", None
        self.work_changed.emit()

    @Slot()
    def _work_cancelled(self) -> None:
        self.notified.emit("Stopped. Nothing was changed.", None)

    @Slot(object)
    def _work_ended(self, job: Job) -> None:
        if job is self._work_job:
            self._doing, self._work_job = "", None
            self.work_changed.emit()


def counted(number: int, noun: str) -> str:
    """ "1 picture", "2 pictures"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
