"""What stands where no photos are yet in Anonymize: what to drop, and what will become of it."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from facestudio.gui.anonymizing import Anonymizing
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.drop_zone import paint_frame
from facestudio.gui.widgets.empty_page import EmptyPage

WIDTH = 640
TITLE = "Drop a folder of photos here"
WHAT = (
    "Every face is hidden or replaced by somebody else's, and recognisers check that nobody can be recognised any "
    "more. Doubtful cases are shown to you.\n\nYour photos are never changed: results go into a separate folder. A "
    "run can be paused, or stopped and continued another day."
)


class EmptyJob(EmptyPage):
    """The empty state of `anonymizing`."""

    open_asked = Signal()
    folder_asked = Signal()

    def __init__(self, anonymizing: Anonymizing, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "anonymize", TITLE, WHAT, WIDTH, parent)
        self._run = anonymizing
        self.folder = QPushButton("Open a folder…")
        self.folder.setObjectName("primary")
        self.folder.setToolTip("Choose a folder of photos (Ctrl+U)")
        self.folder.clicked.connect(self.folder_asked)
        self.choose = QPushButton("Open photos…")
        self.choose.setToolTip("Choose several photos (Ctrl+O)")
        self.choose.clicked.connect(self.open_asked)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(self.folder)
        buttons.addWidget(self.choose)
        buttons.addStretch(1)
        self.column.addSpacing(8)
        self.column.addLayout(buttons)
        anonymizing.work_changed.connect(self.refresh)

    @Slot()
    def refresh(self) -> None:
        """Say what is looked through."""
        self.title.setText("Looking through the photos…" if self._run.listing else TITLE)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        paint_frame(self, self._theme)
