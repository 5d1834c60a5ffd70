"""What the Anonymize workspace shows, and every decision about it: the photos, how they are done, where results go, and the run.

The GUI thread only, like the session and `generating`, with which it shares the queues. A run that was stopped, or that the
window was closed on, is gone on with by opening the same photos again: what the journal knows is not done twice. The work itself
is in `anonymize_work`, looking at one photo in `reviewing`. It knows no widget and shows no dialog.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSettings, Qt, Signal, Slot

from facestudio.anonymize_settings import Settings
from facestudio.errors import FaceStudioError, UsageError
from facestudio.files import same_file
from facestudio.gui import anonymize_work as work
from facestudio.gui.anonymize_choices import Choices
from facestudio.gui.anonymize_rows import FAILED, LEFT_OUT, NOBODY, REVIEW, TO_DO, WORKING, Row, counts
from facestudio.gui.going_on import settings_before
from facestudio.gui.jobs import Job, JobQueue
from facestudio.gui.workplace import Workplace, counted
from facestudio.methods.base import method_title
from facestudio.progress import Update

if TYPE_CHECKING:
    from facestudio.studio import Studio

ANONYMIZING, LOOKING_AT = "anonymizing", "opening a photo"


class Anonymizing(Workplace):
    """The state of the Anonymize workspace; `rows` are its photos."""

    rows_changed = Signal()  # other photos, or what is known of all of them
    row_changed = Signal(int)
    given_changed = Signal()  # the photos that are asked for, or where results go, or how
    doubts_found = Signal(object)  # rows whose results were made otherwise: ask, then call `run`
    exported = Signal(object)  # path
    thumbnails_made = Signal(object, object)  # path, (before, after)
    _done = Signal(object)  # from the thread that computes
    _begun = Signal(object)
    _full = Signal(str)
    _said = Signal(str)

    def __init__(
        self, studio: Studio, compute: JobQueue, light: JobQueue, settings: QSettings, parent: QObject | None = None
    ) -> None:
        super().__init__(studio, compute, light, parent)
        self.choices = Choices(settings, self)
        self.given: tuple[Path, ...] = ()
        self.output: Path | None = None
        self.rows: list[Row] = []
        self.listing = False
        self._company = work.Company()
        self._refused = ""  # what to do about photos that could not be listed, in a sentence
        self._former: tuple[Path | None, work.Company, list[Row], str] | None = (
            None  # before the output that is looked at
        )
        self.running = False
        self.tally = ""
        self.waits = ""  # why the run waits, in a sentence
        self._places: dict[Path, int] = {}
        self._counts: dict[str, int] | None = None
        self._looking: Job | None = None
        self._then_run = False
        self._just_opened = False  # so that rows which come may say how they were made
        self._entered = self.closed = False
        self._done.connect(self._take_done, Qt.ConnectionType.QueuedConnection)
        self._begun.connect(self._take_begun, Qt.ConnectionType.QueuedConnection)
        self._full.connect(self._take_full, Qt.ConnectionType.QueuedConnection)
        self._said.connect(self._take_said, Qt.ConnectionType.QueuedConnection)
        self.progressed.connect(self._take_update)
        self.choices.changed.connect(self.given_changed)
        self.choices.places_changed.connect(self._renew_rows)

    # ---- starting

    @Slot()
    def start(self) -> None:
        """Learn what there is to offer; called once the window has been painted."""
        self._learn_offers("change")

    def close(self) -> None:
        """The window closes: stop the run, and begin nothing any more."""
        self.closed = True
        self.stop()

    # ---- what is done, and how

    @property
    def asked(self) -> work.Asked | None:
        """All that decides how photos come out; None while there is no method to choose or no place for results."""
        recipe, output = self.recipe, self.output
        if recipe is None or output is None:
            return None
        choices, told = self.choices, not self.untold
        settings = Settings(
            recipe,
            fallback=choices.fallback,
            metadata=choices.metadata,
            times=choices.reset_times,
            far=self.studio.far,
            numbers=choices.names is not None,
            similar=choices.similar and told,
        )
        secret = choices.secret(output) if choices.consistent and told else None
        return work.Asked(settings, secret, choices.names)

    @property
    def known(self) -> work.Known:
        """What is known of who becomes whom, for a photo that is done again."""
        secrets = self.choices.secrets(self.output) if self.output is not None else ()
        return work.Known(secrets, self._company)

    @property
    def untold(self) -> str:
        """Why the chosen method cannot be told whom a face becomes, in a sentence; "" when it can."""
        if self.offer is None or self.offer.replacing:
            return ""
        able = [method_title(offer.method) for offer in self.offers or () if offer.replacing]
        how = f" {' or '.join(dict.fromkeys(able))} does." if able else ""
        return f"{method_title(self.offer.method)} hides faces and does not replace people by others.{how}"

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Take these photos and folders instead of those that are there; results go where they went the last time."""
        if self.running or not paths:
            return
        self.given, self._company, self._former = tuple(paths), work.Company(), None
        self.output = self.choices.place(_key(self.given)) or work.default_output(self.given)
        self._just_opened = True
        self._renew_rows()

    def choose_output(self, folder: Path) -> None:
        """Let results go into `folder`; where they cannot, that is said, and all stays as it was."""
        if not self.running and self.given:
            self._former = self._former or (self.output, self._company, self.rows, self._refused)
            self.output, self._company = folder, work.Company()
            self._renew_rows()

    @Slot()
    def _renew_rows(self) -> None:
        self._then_run, self._refused = False, ""  # that was asked of what was there before
        self._show_rows([])
        self.given_changed.emit()
        self._look()

    @property
    def obstacle(self) -> str:
        """Why no run can begin now, in a few words; "" when it can."""
        if self.busy:
            return self.busy
        if not self.given:
            return "Drop photos or a folder first."
        if self.listing:
            return "Looking through the photos…"
        if self.offer is None:
            return "" if self.offers is None else "No anonymization method is installed."
        if not self.photos:
            return self._refused or "There are no photos to do."
        return ""

    @property
    def ready(self) -> bool:
        return self.offer is not None and not self.obstacle

    @property
    def to_do(self) -> int:
        """How many photos are still to do, as far as is known."""
        return self.counts.get(TO_DO, 0) + self.counts.get(WORKING, 0)

    # ---- going on with a run of another day

    @property
    def _touched(self) -> bool:
        """Whether somebody chose a method, options or a seed."""
        offer = self.offers[0] if self.offers else None
        defaults = {field.name: field.default for field in offer.options} if offer is not None else {}
        return self.offer is not offer or self.options != defaults or self.seed != 0

    @property
    def made_before(self) -> Settings | None:
        """What the results that are there were made with, if that is something else, and can be asked for here."""
        before = settings_before(self.rows, self.studio.far)
        offered = {offer.checkpoint.id for offer in self.offers or ()}
        if before is None or before.recipe.checkpoint not in offered:
            return None
        known = self.output is not None and bool(self.choices.secrets(self.output))
        lost = (before.secret and not known) or (before.numbers and self.choices.names is None)
        return None if lost else before

    def go_on_as(self, before: Settings, begin: bool = False) -> None:
        """Ask for everything as `before` says it, and look at the photos anew; `begin` the run then."""
        self.choose(before.recipe.checkpoint)
        shown = {field.name for field in self.offer.options} if self.offer is not None else set()
        self.options.update({name: value for name, value in before.recipe.options.items() if name in shown})
        self.recipe_changed.emit()
        self.set_seed(before.recipe.seed)
        choices = self.choices
        choices.set_fallback(before.fallback)
        choices.set_metadata(before.metadata)
        choices.set_reset_times(before.times)
        choices.set_consistent(bool(before.secret))
        choices.set_similar(before.similar)
        self._renew_rows()
        self._then_run = begin

    # ---- what is there

    def _look(self) -> None:
        """List the photos, and look what earlier runs did."""
        asked = self.asked
        self._drop(self._looking)
        if asked is None or self.output is None:
            self.listing = self.offers is None and bool(self.given)  # again as soon as the methods are known
            self.work_changed.emit()
            return
        self.listing = True
        job = self._submit(
            self.light, partial(work.list_rows, self.studio, self.given, self.output, asked), self._take_rows
        )
        job.failed.connect(self._listing_failed)
        self._looking = job
        self.work_changed.emit()

    @Slot(object)
    def _take_offers(self, offers: Any) -> None:
        super()._take_offers(offers)
        if self.given and not self.rows and not self.running:
            self._look()

    @Slot(Exception)
    def _lack_offers(self, error: Exception) -> None:
        super()._lack_offers(error)
        self._look()

    @Slot(object)
    def _take_rows(self, rows: list[Row]) -> None:
        self._looking, self.listing, self._refused = None, False, ""
        if self._former is not None and self.output is not None:
            self._former = None
            self.choices.remember_place(_key(self.given), self.output)
        then_run, self._then_run = self._then_run, False
        opened, self._just_opened = self._just_opened, False
        self._show_rows(rows)
        if opened and not self._touched and (before := self.made_before) is not None:
            self.go_on_as(before)
            self.notified.emit("The settings were taken from the existing results.", self.report)
            return
        self.work_changed.emit()
        if not then_run:
            return
        doubts = [row for row in rows if row.doubt]
        if doubts:
            self.doubts_found.emit(doubts)
        else:
            self.run(overwrite=False)

    @Slot(Exception)
    def _listing_failed(self, error: Exception) -> None:
        self._looking, self.listing, self._then_run = None, False, False
        former, self._former = self._former, None
        if former is not None:
            self.output, self._company, rows, self._refused = former
            self._show_rows(rows)
            self.given_changed.emit()
            if not rows and not self._refused:
                self._look()  # it was not listed yet
        elif isinstance(error, FaceStudioError):
            self._refused = error.hint
        self.work_changed.emit()
        self.failed.emit(error)

    def _show_rows(self, rows: list[Row]) -> None:
        self.rows, self._counts = rows, None
        self._places = {row.path: n for n, row in enumerate(rows)}
        self.rows_changed.emit()

    def place_of(self, path: Path) -> int | None:
        """Where among the rows the photo `path` is."""
        return self._places.get(path)

    def set_row(self, row: Row) -> None:
        """Show `row` in the place of the one of its photo."""
        n = self._places.get(row.path)
        if n is not None:
            if row.status != self.rows[n].status:
                self._counts = None
            self.rows[n] = row
            self.row_changed.emit(n)

    @property
    def counts(self) -> dict[str, int]:
        """How many photos have which status."""
        if self._counts is None:
            self._counts = counts(self.rows)  # kept, because it is asked for often and there may be many rows
        return self._counts

    @property
    def photos(self) -> int:
        """How many of the rows are photos to do, or done."""
        return len(self.rows) - self.counts.get(LEFT_OUT, 0)

    # ---- the run

    @Slot()
    def anonymize(self) -> None:
        """Do what is to do; `doubts_found` comes first when results are there that were made otherwise."""
        if self.ready:
            self._then_run = True
            self._look()

    def run(self, overwrite: bool) -> None:
        """Do all photos whose result is not there; `overwrite` also those whose result was made otherwise."""
        asked, output = self.asked, self.output
        if not self.ready or asked is None or output is None:
            return
        self.choices.remember_place(_key(self.given), output)
        rows = [row for row in self.rows if overwrite or not row.doubt]
        kept = [row for row in self.rows if row.doubt and not overwrite]
        self._show_rows([replace(row, doubt="", record=None) if overwrite and row.doubt else row for row in self.rows])
        self.running, self.tally, self.waits = True, "", ""
        told = work.Told(self._done.emit, self._begun.emit, self._full.emit, self._said.emit)
        todo = partial(work.run, self.studio, rows, kept, output, asked, overwrite, self._company, told)
        self.carry_out(ANONYMIZING, todo, self._take_end)

    @Slot(object)
    def _take_begun(self, path: Path) -> None:
        n = self._places.get(path)
        if n is not None and self.running:
            self.waits = ""
            self.set_row(replace(self.rows[n], working=True))

    @Slot(object)
    def _take_done(self, done: work.Done) -> None:
        n = self._places.get(done.path)
        if n is None:
            return
        row = self.rows[n]
        item = done.item or row.item
        self.set_row(replace(row, record=done.record, settings=done.settings, working=False, doubt="", item=item))
        if done.thumbnails is not None:
            self.thumbnails_made.emit(done.path, done.thumbnails)

    @Slot(str)
    def _take_full(self, words: str) -> None:
        self.waits = f"{words} The run waits until there is room."
        self.work_changed.emit()

    @Slot(str)
    def _take_said(self, words: str) -> None:
        self.notified.emit(words, None)

    @Slot(object)
    def _take_update(self, update: Update) -> None:
        if self.running and update.tally:
            self.tally = update.tally

    @Slot(object)
    def _take_end(self, made: int) -> None:
        words = {FAILED: "failed", REVIEW: "to be looked at", NOBODY: "in which no face was found"}
        found = {words[status]: self.counts.get(status, 0) for status in words}
        doubts = "".join(f"; {number} {what}" for what, number in found.items() if number)
        self.notified.emit(f"Done: {counted(made, 'photo')}{doubts or ' anonymized'}", self.report)

    @Slot()
    def _work_cancelled(self) -> None:
        if self.running:
            self.notified.emit("Stopped. What is done is kept; start again to continue, today or another day.", None)
        elif self.doing != LOOKING_AT:
            super()._work_cancelled()

    @Slot(object)
    def _work_ended(self, job: Job) -> None:
        if job is self._work_job and self.running:
            self.running, self.tally, self.waits = False, "", ""
            for row in [row for row in self.rows if row.working]:
                self.set_row(replace(row, working=False))
        super()._work_ended(job)

    # ---- the report

    @property
    def report(self) -> Path | None:
        """Where the run's report lies."""
        return work.report_of(self.output) if self.output is not None else None

    @property
    def reported(self) -> bool:
        """Whether there is anything to report: of what is no photo to do alone there is not."""
        return any(row.line is not None and row.item is not None for row in self.rows)

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """The lines of the report on all photos of which something is known."""
        return [row.line for row in self.rows if row.line is not None]

    def export(self, target: Path) -> None:
        """Write the report as `target`, and its table and page beside it."""
        if self.running and self.report is not None and same_file(target, self.report):
            self.failed.emit(UsageError("The run is writing this report.", hint="Choose another name."))
            return
        job = self._submit(self.light, partial(work.export, self.records, target), self._take_exported)
        job.failed.connect(self.failed)

    @Slot(object)
    def _take_exported(self, paths: tuple[Path, ...]) -> None:
        self.notified.emit(f"Report saved as {', '.join(path.name for path in paths)}", paths[0])
        self.exported.emit(paths[0])


def _key(given: Sequence[Path]) -> str:
    """A settings key for these photos."""
    names = "\n".join(sorted(os.path.abspath(path) for path in given))
    return "output/" + hashlib.sha256(os.fsencode(names)).hexdigest()[:16]
