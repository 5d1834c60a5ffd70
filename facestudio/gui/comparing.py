"""Comparing a face of the open photo with one of another photo: which two, and what the recognisers say.

Separate from the session because the open photo is not changed by it. The GUI thread only; the work is in `work`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from facestudio.gui import work
from facestudio.gui.found import Found
from facestudio.gui.jobs import Job, JobQueue
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.results import Comparison
    from facestudio.studio import Studio


class Comparing(QObject):
    """Two photos with their faces, which of each is `chosen`, and the `comparison` of those when it is made.

    Signals: `changed` when any of these, or `doing`, is another; `failed` with an error.
    """

    changed = Signal()
    failed = Signal(Exception)

    def __init__(
        self, studio: Studio, compute: JobQueue, name: str, found: Found, chosen: int, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._studio, self._compute = studio, compute
        self.names = [name, ""]
        self.sides: list[Found | None] = [found, None]
        self.chosen = [chosen, 0]
        self.comparison: Comparison | None = None
        self.doing = ""
        self._job: Job | None = None

    def open(self, path: Path) -> None:
        """Take the photo `path` as the other one."""
        self._begin(f"Looking for faces in {path.name}…", partial(work.look_at, self._studio, path))
        assert self._job is not None
        self._job.finished.connect(self._take_other)

    def open_pasted(self, image: QImage) -> None:
        """Take a picture from the clipboard as the other one."""
        self._begin("Looking for faces in the pasted picture…", partial(work.look_at_pasted, self._studio, image))
        assert self._job is not None
        self._job.finished.connect(self._take_other)

    def choose(self, side: int, index: int) -> None:
        """Compare face `index` of side 0 (the open photo) or 1 (the other)."""
        if self.chosen[side] != index or self.comparison is None:
            self.chosen[side] = index
            self._compare()

    def stop(self) -> None:
        """Stop what is being done and hear no more of it."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()
            job.finished.disconnect()
            job.failed.disconnect()
            job.ended.disconnect(self._ended)
        self.doing = ""

    def _begin(self, doing: str, job: Callable[[Progress], object]) -> None:
        self.stop()
        self.doing = doing
        self._job = self._compute.submit(job)
        self._job.failed.connect(self.failed)
        self._job.ended.connect(self._ended)
        self.changed.emit()

    def _compare(self) -> None:
        here, there = self.sides
        self.comparison = None
        if here is None or there is None:
            self.changed.emit()
            return
        faces = here.faces[self.chosen[0]], there.faces[self.chosen[1]]
        self._begin("Comparing…", partial(work.compare, self._studio, here.photo, there.photo, faces))
        assert self._job is not None
        self._job.finished.connect(self._take_comparison)

    @Slot(object)
    def _take_other(self, looked: tuple[str, Found]) -> None:
        self.names[1], self.sides[1] = looked
        self.chosen[1] = 0
        self._compare()

    @Slot(object)
    def _take_comparison(self, comparison: Comparison) -> None:
        self.comparison = comparison

    @Slot(object)
    def _ended(self, job: Job) -> None:
        if job is self._job:
            self._job, self.doing = None, ""
            self.changed.emit()
