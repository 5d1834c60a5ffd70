"""The photos that were opened together, and their thumbnails.

Separate from the session because it has one job: thumbnails are made one after another on the light queue, those that
are asked for first, so that the other lane stays free for opening and saving.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from facestudio.files import told_apart, whole
from facestudio.gui import work
from facestudio.gui.jobs import Job, JobQueue

if TYPE_CHECKING:
    from facestudio.studio import Studio


class PhotoFiles(QObject):
    """A list of paths. `changed` when it is another list, `thumbnail_made` with path, image or None, and the reason, `marked`
    with a path and the words for what became of it."""

    changed = Signal()
    thumbnail_made = Signal(object, object, str)
    marked = Signal(object, str)

    def __init__(self, studio: Studio, light: JobQueue, parent: QObject) -> None:
        super().__init__(parent)
        self.paths: tuple[Path, ...] = ()
        self.given: tuple[Path, ...] = ()  # the folders and files that these were found in
        self.names: dict[Path, str] = {}  # of each in the list
        self._studio, self._light = studio, light
        self._made: dict[Path, tuple[QImage | None, str]] = {}
        self._wanted: list[Path] = []
        self._job: Job | None = None

    def show(self, paths: Sequence[Path], given: Sequence[Path] = ()) -> None:
        """Make `paths` the list, found in the folders and files `given`."""
        self.given = tuple(given or paths)
        if tuple(paths) == self.paths:
            return
        self.paths = tuple(paths)
        self.names = told_apart(self.paths, whole)
        self._wanted, self._made = [], {}
        self.changed.emit()

    def neighbour(self, path: Path | None, step: int) -> Path | None:
        """The path `step` places after `path`; None at the ends, and when `path` is not in the list."""
        if path not in self.paths:
            return None
        index = self.paths.index(path) + step
        return self.paths[index] if 0 <= index < len(self.paths) else None

    @Slot(object, str)
    def mark(self, path: Path, words: str) -> None:
        """Say what became of `path`."""
        if path in self.paths:
            self.marked.emit(path, words)

    def want(self, paths: Sequence[Path]) -> None:
        """Make the thumbnails of `paths` next: what is visible now."""
        self._wanted = [path for path in paths if path not in self._made]
        self._next()

    def _next(self) -> None:
        if self._job is None and self._wanted:
            self._job = self._light.submit(partial(work.thumbnail, self._studio, self._wanted.pop(0)))
            self._job.finished.connect(self._done)
            self._job.ended.connect(self._ended)

    @Slot(object)
    def _done(self, made: tuple[Path, QImage | None, str]) -> None:
        path, image, reason = made
        if path in self.paths:
            self._made[path] = (image, reason)
            self.thumbnail_made.emit(path, image, reason)

    @Slot(object)
    def _ended(self, job: Job) -> None:
        self._job = None
        self._wanted = [path for path in self._wanted if path not in self._made]
        self._next()
