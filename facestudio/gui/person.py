"""Somebody in another photo than the one that is worked on: who is drawn in Generate, and the reference in Restore.

The GUI thread only; opening the photo and finding its faces is work of the workplace that asks. It knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from facestudio.gui import work
from facestudio.gui.found import Found, Source
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.gui.workplace import Workplace


class Person(QObject):
    """Which photo shows the person, and which of its faces it is; None while nobody was chosen.

    Args:
        hindrance: why no other person can be chosen now, in a sentence; "" when one can.
    """

    asked = Signal()  # a photo is being looked at
    changed = Signal()  # another photo or face, or none

    def __init__(self, workplace: Workplace, hindrance: Callable[[], str]) -> None:
        super().__init__(workplace)
        self.workplace = workplace
        self.source: Source | None = None
        self._hindrance = hindrance

    @property
    def hindrance(self) -> str:
        """Why no other person can be chosen now, in a sentence; "" when one can."""
        return self._hindrance()

    def use_photo(self, path: Path) -> None:
        """Take somebody in the photo `path`: the largest face, until another one is chosen."""
        self._look(partial(work.look_at, self.workplace.studio, path))

    def use_pasted(self, image: QImage) -> None:
        """Take somebody in a picture that was pasted or dropped."""
        self._look(partial(work.look_at_pasted, self.workplace.studio, image))

    def choose_face(self, index: int) -> None:
        """Take another face of the photo."""
        if self.source is not None and index != self.source.index:
            self.source = replace(self.source, index=index)
            self.changed.emit()

    @Slot()
    def remove(self) -> None:
        """Take nobody."""
        if self.source is not None:
            self.source = None
            self.changed.emit()

    def _look(self, job: Callable[[Progress], object]) -> None:
        if self.hindrance:
            self.workplace.notified.emit(self.hindrance, None)
            return
        self.asked.emit()
        self.workplace.look(job, self._take)

    @Slot(object)
    def _take(self, looked: tuple[str, Found]) -> None:
        self.source = Source(*looked)
        self.changed.emit()
