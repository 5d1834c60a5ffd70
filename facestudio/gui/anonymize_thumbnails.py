"""Thumbnails of the photos of a run and of their results, made one after another on the light queue as they come into view.

A row that was done just now brings its own. The latest are kept, because a folder may hold more than memory does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from facestudio.gui import anonymize_work as work
from facestudio.gui.anonymize_rows import Row
from facestudio.gui.anonymizing import Anonymizing
from facestudio.gui.jobs import Job

KEPT = 1000
Pair = tuple[QImage | None, QImage | None]


class Thumbnails(QObject):
    """Pictures by path. `made` when those of a path are there."""

    made = Signal(object)

    def __init__(self, anonymizing: Anonymizing) -> None:
        super().__init__(anonymizing)
        self._run = anonymizing
        self._pairs: OrderedDict[Path, Pair] = OrderedDict()
        self._of: dict[Path, Path | None] = {}  # of which result the second was made
        self._wanted: list[Row] = []
        self._job: Job | None = None
        anonymizing.thumbnails_made.connect(self._take)
        anonymizing.given_changed.connect(self._forget)

    def of(self, path: Path) -> Pair:
        """The pictures of a photo and its result; None for what is not there (yet)."""
        return self._pairs.get(path, (None, None))

    def want(self, rows: Sequence[Row]) -> None:
        """Make those of `rows` next: what is visible now."""
        self._wanted = [row for row in rows if row.item is not None and self._of.get(row.path, ...) != row.output]
        self._next()

    def _next(self) -> None:
        if self._job is None and self._wanted and not self._run.closed:
            row = self._wanted.pop(0)
            self._of[row.path] = row.output
            self._job = self._run.light.submit(partial(work.thumbnails, self._run.studio, row.path, row.output))
            self._job.finished.connect(self._done)
            self._job.ended.connect(self._ended)

    @Slot(object)
    def _done(self, made: tuple[Path, Pair]) -> None:
        self._keep(*made)

    @Slot(object)
    def _ended(self, job: Job) -> None:
        self._job = None
        self._next()

    @Slot(object, object)
    def _take(self, path: Path, pair: Pair) -> None:
        place = self._run.place_of(path)
        self._of[path] = None if place is None else self._run.rows[place].output
        self._keep(path, pair)

    def _keep(self, path: Path, pair: Pair) -> None:
        self._pairs[path] = pair
        self._pairs.move_to_end(path)
        while len(self._pairs) > KEPT:
            gone, _ = self._pairs.popitem(last=False)
            self._of.pop(gone, None)
        self.made.emit(path)

    @Slot()
    def _forget(self) -> None:
        self._pairs.clear()
        self._of.clear()
        self._wanted = []
