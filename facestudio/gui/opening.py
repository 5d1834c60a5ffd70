"""Photos are opened: one, several or a folder, dropped, pasted or the next of the list; and which were opened lately.

The GUI thread only; reading is work of the light queue. Separate from the session, which says what becomes of an open photo. It
knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtGui import QImage

from facestudio.files import is_text, shown
from facestudio.gui import work
from facestudio.gui.files import PhotoFiles
from facestudio.gui.jobs import Job, JobQueue
from facestudio.gui.work import Listed, Opened
from facestudio.gui.workplace import Workplace
from facestudio.progress import Progress, Update

if TYPE_CHECKING:
    from facestudio.studio import Studio

RECENTS = 9


class Opening(Workplace):
    """The open photo, the list that it is of (`files`), and the photo that is being opened."""

    photo_changed = Signal()
    recents_changed = Signal()
    opening_changed = Signal()
    opening_told = Signal(str)  # how much of it was read

    def __init__(
        self, studio: Studio, compute: JobQueue, light: JobQueue, settings: QSettings, parent: QObject | None = None
    ) -> None:
        super().__init__(studio, compute, light, parent)
        self.settings = settings
        self.files = PhotoFiles(studio, light, self)
        self.opened: Opened | None = None
        self.opening = ""  # name of what is being opened
        self.refused: Exception | None = None  # why the last photo that could not be opened was not
        self._opening_job: Job | None = None

    @property
    def recents(self) -> list[Path]:
        """Photos that were opened lately, the latest first."""
        stored = self.settings.value("recents", [])
        names = [stored] if isinstance(stored, str) else stored  # a list of one is read back as a word
        return [Path(name) for name in names] if isinstance(names, list) else []

    def clear_recents(self) -> None:
        """Forget which photos were opened."""
        self.settings.setValue("recents", [])
        self.recents_changed.emit()

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open photos and folders: the first photo is shown, several are listed."""
        if paths:
            self._open(shown(paths[0]), partial(work.list_photos, tuple(paths)), self._take_list)

    def open(self, path: Path, salvage: bool = False) -> None:
        """Open one photo, or what is readable of it with `salvage`, and leave the list as it is."""
        self._open(shown(path), partial(work.open_photo, self.studio, path, salvage=salvage), self._take_photo)

    def paste(self, image: QImage) -> None:
        """Open a picture from the clipboard."""
        self._open("the pasted picture", partial(work.open_pasted, self.studio, image), self._take_photo)

    def open_neighbour(self, step: int) -> None:
        """Open the photo `step` places further in the list."""
        path = self.files.neighbour(self.opened.source if self.opened else None, step)
        if path is not None:
            self.open(path)

    def _open(self, name: str, job: Callable[[Progress], object], done: Callable[[Any], None]) -> None:
        self._drop(self._opening_job)
        self._opening_job = self._submit(self.light, job, done)
        self._opening_job.failed.connect(self._opening_failed)
        self._opening_job.progressed.connect(self._tell_opening)
        self._set_opening(name)

    @Slot(object)
    def _tell_opening(self, update: Update) -> None:
        self.opening_told.emit(update.tally)

    @Slot()
    def stop_opening(self) -> None:
        """Open nothing after all: the photo that is open stays, with all that was made of it."""
        if self.opening:
            self._drop(self._opening_job)
            self._opening_job = None
            self._set_opening("")

    def _set_opening(self, name: str) -> None:
        self.opening = name
        self.opening_changed.emit()

    @Slot(object)
    def _take_list(self, listed: Listed) -> None:
        self._opening_job = None
        self.files.show(listed.paths if listed.several else (), listed.given)
        self._open(shown(listed.paths[0]), partial(work.open_first, self.studio, listed.paths), self._take_photo)

    @Slot(Exception)
    def _opening_failed(self, error: Exception) -> None:
        self._opening_job = None
        self._set_opening("")
        self.refused = error
        self.failed.emit(error)

    @Slot(object)
    def _take_photo(self, opened: Opened) -> None:
        self._opening_job = None
        self.opened = opened
        if opened.source not in self.files.paths:
            self.files.show(())
        if opened.source is not None:
            recents = [opened.source, *(path for path in self.recents if path != opened.source)]
            names = [str(path) for path in recents if is_text(path)]
            self.settings.setValue("recents", names[:RECENTS])
            self.recents_changed.emit()
        self._set_opening("")
        self.photo_changed.emit()
        for note in opened.photo.notes:
            self.notified.emit(note, None)
