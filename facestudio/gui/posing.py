"""The pose picture of Generate: which one was chosen, and whether the chosen weights can be shown one.

The GUI thread only; reading the file is work of the light queue. It knows no widget.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.gui import generate_work
from facestudio.gui.generate_work import PosePicture

if TYPE_CHECKING:
    from facestudio.checkpoints import Checkpoint
    from facestudio.gui.generating import Making


class Posing(QObject):
    """The `picture` whose pose is held where the method of `making` can be shown one; None without any."""

    changed = Signal()

    def __init__(self, making: Making) -> None:
        super().__init__(making)
        self._making = making
        self.picture: PosePicture | None = None

    @property
    def weights(self) -> Checkpoint | None:
        """With which the chosen weights can be shown a pose picture, here or not; None where they cannot."""
        return self._making.ability.pose

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
            return f"This wants the weights {self.weights.title} (F9)."
        return "" if self.used else "Without a pose picture this has no effect: choose one."

    def use_picture(self, path: Path) -> None:
        """Read the pose picture `path`; what is none is said, and the one before stays."""
        offer = self._making.offer
        if offer is not None and self.possible:
            todo = partial(generate_work.read_pose, self._making.studio, path, offer.checkpoint.id)
            job = self._making.light.submit(todo)
            job.finished.connect(self._take)
            job.failed.connect(self._making.failed)

    @Slot()
    def remove(self) -> None:
        """Hold no pose."""
        if self.picture is not None:
            self.picture = None
            self.changed.emit()

    def follow(self, wanted: str) -> bool:
        """Keep the picture whose content hash is `wanted` ("": none), or have none; whether it is that one now."""
        if self.picture is not None and self.picture.photo.content_hash != wanted:
            self.remove()
        return (self.picture is not None) == bool(wanted)

    @Slot(object)
    def _take(self, picture: PosePicture) -> None:
        self.picture = picture
        self.changed.emit()
