"""A folder of scratch masks for the photos of the list: each takes the mask of its name when all of them are restored.

Separate from `marking`, whose marks are of the open photo. It knows no widget, and looks at no file: that is for the run.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.files import shown
from facestudio.gui.files import PhotoFiles


class ListMasks(QObject):
    """`folder` stays as long as the list of photos does; None: no photo has a mask."""

    changed = Signal()

    def __init__(self, files: PhotoFiles, parent: QObject) -> None:
        super().__init__(parent)
        self.folder: Path | None = None
        files.changed.connect(self.forget)

    def choose(self, folder: Path) -> None:
        """Take masks from `folder`."""
        self.folder = folder
        self.changed.emit()

    @Slot()
    def forget(self) -> None:
        """Take no masks any more."""
        if self.folder is not None:
            self.folder = None
            self.changed.emit()

    @property
    def about(self) -> str:
        """Where masks are taken from, in a sentence; "" without any."""
        return f"Restore all mends by the scratch masks in {shown(self.folder)}." if self.folder is not None else ""
