"""The pose picture of Generate: which one was chosen, and whether the chosen weights can be shown one.

The GUI thread only; reading the file is work of the light queue. It knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.gui import generate_work
from facestudio.gui.generate_work import PosePicture

if TYPE_CHECKING:
    from facestudio.checkpoints import Checkpoint
    from facestudio.gui.jobs import Job
    from facestudio.gui.workplace import Workplace


class Posing(QObject):
    """The `picture` whose pose is held where the method of `workplace` can be shown one; None without any.

    Args:
        weights: with which the chosen weights can be shown a pose picture, here or not; None where they cannot.
    """

    changed = Signal()

    def __init__(self, workplace: Workplace, weights: Callable[[], Checkpoint | None]) -> None:
        super().__init__(workplace)
        self._workplace, self._weights = workplace, weights
        self.picture: PosePicture | None = None
        self._reading: Job | None = None  # the last one; files are read side by side, and may end in any order

    @property
    def weights(self) -> Checkpoint | None:
        """With which the chosen weights can be shown a pose picture, here or not; None where they cannot."""
        return self._weights()

    @property
    def possible(self) -> bool:
        """Whether a pose picture can be shown now."""
        return self.weights is not None and self.weights.here

    @property
    def used(self) -> PosePicture | None:
        """What is shown to the method."""
        return self.picture if self.possible else None

    @property
    def lack(self) -> str:
        """Why how strictly a pose is held has no effect, in a sentence; "" when it has one."""
        if self.weights is not None and not self.weights.here:
            return f"This needs the weights {self.weights.title} (F9)."
        return "" if self.used else "This has no effect without a pose picture: choose one."

    def use_picture(self, path: Path) -> None:
        """Read the pose picture `path`; what is none is said, and the one before stays."""
        offer = self._workplace.offer
        if offer is not None and self.possible:
            self._forget_reading()
            todo = partial(generate_work.read_pose, self._workplace.studio, path, offer.checkpoint.id)
            self._reading = self._workplace.light.submit(todo)
            self._reading.finished.connect(self._take)
            self._reading.failed.connect(self._workplace.failed)
            self._reading.ended.connect(self._end_reading)

    @Slot()
    def remove(self) -> None:
        """Hold no pose."""
        self._forget_reading()
        if self.picture is not None:
            self.picture = None
            self.changed.emit()

    def follow(self, wanted: str) -> bool:
        """Keep the picture whose content hash is `wanted` ("": none), or have none; whether it is that one now."""
        if self.picture is not None and self.picture.photo.content_hash != wanted:
            self.remove()
        return (self.picture is not None) == bool(wanted)

    def _forget_reading(self) -> None:
        """Hear no more of a picture that is being read."""
        if self._reading is not None:
            self._reading.finished.disconnect(self._take)
            self._reading.failed.disconnect(self._workplace.failed)
            self._reading.cancel()
            self._reading = None

    @Slot(object)
    def _end_reading(self, job: Job) -> None:
        if job is self._reading:
            self._reading = None

    @Slot(object)
    def _take(self, picture: PosePicture) -> None:
        self.picture = picture
        self.changed.emit()
