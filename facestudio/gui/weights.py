"""The checkpoints as the window shows them, and what is done with them: one download, import, check or calibration at a time.

Separate from the session because no photo is concerned: work here goes on while faces are restored, and when the dialog
is closed. The GUI thread only, but for the functions at the end, which are jobs. It knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Signal, Slot

from facestudio import checkpoints, importing, store
from facestudio.checkpoints import Checkpoint
from facestudio.files import shown
from facestudio.gui.jobs import Job, JobQueue
from facestudio.judges import ALL, STARTER_ONLY
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.studio import Studio

PRESENT, MISSING, CORRUPT = "present", "missing", "corrupt"
JUDGES = "weights/judges"  # key of what is remembered
_KEPT, _NOTHING = "What was downloaded so far is kept for the next try.", "Nothing was kept."  # when work was stopped


@dataclass(frozen=True)
class Row:
    """One checkpoint: its `state` (PRESENT, MISSING, CORRUPT), the bytes it takes, and why it cannot be downloaded.

    `verified` says whether the state is by the hash and not by the size alone; `accepted` whether nothing about its
    licence is left to be asked.
    """

    entry: Checkpoint
    state: str
    bytes: int
    obstacle: str
    accepted: bool
    verified: bool


class Weights(QObject):
    """The rows, and the work on one of them: `doing` in words, and `about`, its id.

    Signals: `changed` when any of these is another; `progressed` with an Update; `renewed` when weights came, changed or
    went; `notified` with a sentence and None; `other_file` with the error and a callable that imports all the same.
    """

    changed = Signal()
    progressed = Signal(object)
    renewed = Signal()
    notified = Signal(str, object)
    failed = Signal(Exception)
    other_file = Signal(Exception, object)

    def __init__(self, studio: Studio, settings: QSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._studio, self._settings = studio, settings
        if settings.value(JUDGES) == STARTER_ONLY:
            studio.who_judges = STARTER_ONLY
        self._queue = JobQueue("weights", 1, self)
        self._verified: dict[str, str] = {}
        self._job: Job | None = None
        self._over = False
        self._anyway: Callable[[], None] | None = None
        self._left = _KEPT
        self.rows: tuple[Row, ...] | None = None  # None: not known yet
        self.doing = self.about = ""

    def row(self, id: str) -> Row | None:
        """The row of a checkpoint; None when it is not known."""
        return next((row for row in self.rows or () if row.entry.id == id), None)

    @property
    def others_judge(self) -> bool:
        """Whether recognisers that the user calibrated judge beside ours."""
        return self._studio.who_judges == ALL

    def let_others_judge(self, wanted: bool) -> None:
        """Let them, or leave them out; remembered from one start to the next."""
        if wanted != self.others_judge:
            self._studio.who_judges = ALL if wanted else STARTER_ONLY
            self._settings.setValue(JUDGES, self._studio.who_judges)
            self.changed.emit()
            self.renewed.emit()

    @property
    def stopping(self) -> bool:
        """Whether the work was asked to stop and has not stopped yet."""
        return self._job is not None and self._job.stopping

    @Slot()
    def look(self) -> None:
        """Look what there is."""
        if self._over:
            return
        job = self._queue.submit(partial(rows, self._studio, dict(self._verified)))
        job.finished.connect(self._take_rows)
        job.failed.connect(self.failed)

    def download(self, id: str, accept: bool = False) -> None:
        """Fetch what is missing of published weights; `accept` says that the user has just accepted the licence."""
        self._begin(id, "Downloading", partial(get, self._studio, id, accept), self._renew)

    def import_files(self, id: str, paths: Sequence[Path], any_hash: bool = False) -> None:
        """Make weights of files that are here already."""
        self._anyway = None if any_hash else partial(self.import_files, id, tuple(paths), True)
        self._begin(id, "Importing", partial(import_files, self._studio, id, tuple(paths), any_hash), self._renew)

    def verify(self, id: str) -> None:
        """Hash the files."""
        self._begin(id, "Verifying", partial(verify, id), self._take_state)

    def remove(self, id: str) -> None:
        """Delete the files."""
        self._begin(id, "Removing", partial(remove, self._studio, id), self._renew)

    def calibrate(self, id: str, folder: Path) -> None:
        """Measure what a recogniser's cosines mean by photos of people in `folder`."""
        work = partial(calibrate, self._studio, id, folder)
        self._begin(id, "Calibrating", work, self._renew, _NOTHING)

    def uncalibrate(self, id: str) -> None:
        """Forget what was measured so."""
        self._begin(id, "Forgetting the calibration of", partial(uncalibrate, self._studio, id), self._renew)

    @Slot()
    def cancel(self) -> None:
        """Ask the work to stop; what was downloaded by then is kept."""
        if self._job is not None:
            self._job.cancel()
            self.changed.emit()

    def shutdown(self, timeout: float) -> bool:
        """Stop the work, for good; False when it did not stop in time."""
        self._over = True
        return self._queue.shutdown(timeout)

    def _begin(
        self,
        id: str,
        doing: str,
        work: Callable[[Progress], object],
        done: Callable[[tuple[str, str]], None],
        left: str = _KEPT,
    ) -> None:
        row = self.row(id)
        if self._job is not None or row is None:
            return
        self._left = left
        self._job, self.doing, self.about = self._queue.submit(work), f"{doing} {row.entry.title}", id
        self._job.finished.connect(done)
        self._job.progressed.connect(self.progressed)
        self._job.failed.connect(self._lost)
        self._job.cancelled.connect(self._stopped)
        self._job.ended.connect(self._ended)
        self.changed.emit()

    @Slot(object)
    def _take_rows(self, rows: tuple[Row, ...]) -> None:
        self.rows = rows
        self.changed.emit()

    @Slot(object)
    def _renew(self, told: tuple[str, str]) -> None:
        """Other weights are here now."""
        id, words = told
        self._verified.pop(id, None)
        self.notified.emit(words, None)
        self.renewed.emit()

    @Slot(object)
    def _take_state(self, told: tuple[str, str]) -> None:
        id, state = told
        self._verified[id] = state
        row = self.row(id)
        title = row.entry.title if row else id
        words = {PRESENT: "matches its SHA-256", MISSING: "is not here", CORRUPT: "is damaged"}
        self.notified.emit(f"{title} {words[state]}.", None)

    @Slot(Exception)
    def _lost(self, error: Exception) -> None:
        if isinstance(error, importing.OtherFile) and self._anyway is not None:
            self.other_file.emit(error, self._anyway)
        else:
            self.failed.emit(error)

    @Slot()
    def _stopped(self) -> None:
        self.notified.emit(f"Stopped. {self._left}", None)

    @Slot(object)
    def _ended(self, job: Job) -> None:
        if job is self._job:
            self._job, self.doing, self.about = None, "", ""
            self.changed.emit()
            self.look()


# ---- on the worker


def rows(studio: Studio, verified: Mapping[str, str], progress: Progress) -> tuple[Row, ...]:
    """All checkpoints, the published ones first; what was `verified` in this run is told as it was found."""
    found = []
    for entry in studio.checkpoints():
        state = checkpoints.glance(entry)
        known = verified.get(entry.id) if state == PRESENT else None
        accepted = not entry.accept or store.accepted(entry.id, entry.licence)
        taken = store.size(entry.id) if entry.published else entry.bytes
        obstacle = importing.obstacle(entry)
        found.append(Row(entry, known or state, taken or entry.bytes, obstacle, accepted, known is not None))
    return tuple(sorted(found, key=lambda row: not row.entry.published))


@contextmanager
def _exchanging(studio: Studio, id: str) -> Iterator[None]:
    """Files of a checkpoint change in here: what was loaded of them is forgotten, however it ends, as some may have changed.

    Here because it waits for whatever is being loaded, which may be of the files before.
    """
    try:
        yield
    finally:
        studio.forget(id)


def get(studio: Studio, id: str, accept: bool, progress: Progress) -> tuple[str, str]:
    """Download; the id, and what to tell."""
    entry = checkpoints.checkpoint(id)
    if accept:
        store.accept(id, entry.licence)
    with _exchanging(studio, id):
        importing.get(entry, progress)
    return id, f"{entry.title} is here."


def import_files(studio: Studio, id: str, paths: Sequence[Path], any_hash: bool, progress: Progress) -> tuple[str, str]:
    """Import; the id, and what to tell."""
    with _exchanging(studio, id):
        importing.import_files(checkpoints.checkpoint(id), paths, progress, any_hash=any_hash)
    entry = checkpoints.checkpoint(id)
    lacking = importing.listed(importing.names(entry, missing=True))
    return id, f"{entry.title} is here in part; {lacking} missing." if lacking else f"{entry.title} is here."


def verify(id: str, progress: Progress) -> tuple[str, str]:
    """Hash the files; the id, and the state."""
    return id, checkpoints.verify(checkpoints.checkpoint(id), progress)


def calibrate(studio: Studio, id: str, folder: Path, progress: Progress) -> tuple[str, str]:
    """Calibrate; the id, and what to tell."""
    found = studio.calibrate(id, folder, progress)
    words = [found.sentence]
    if found.left_out:
        count = len(found.left_out)
        words.append(f"{count} files were left out." if count > 1 else "One file was left out.")
    words += [
        f"Please check whether {shown(one)} and {shown(other)} are the same person."
        for one, other, _ in found.alike[:1]
    ]
    return id, " ".join(words)


def uncalibrate(studio: Studio, id: str, progress: Progress) -> tuple[str, str]:
    """Forget a calibration; the id, and what to tell."""
    studio.uncalibrate(id)
    return id, f"The calibration of {checkpoints.checkpoint(id).title} was forgotten; it no longer judges."


def remove(studio: Studio, id: str, progress: Progress) -> tuple[str, str]:
    """Delete the files; the id, and what to tell."""
    entry = checkpoints.checkpoint(id)
    with _exchanging(studio, id):
        freed = importing.remove(entry)
    return id, f"{entry.title} was removed; {store.in_words(freed)} are free again."
