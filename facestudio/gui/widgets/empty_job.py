"""What stands where no photos are yet in Anonymize: what to drop, and what will become of it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from facestudio.gui.anonymizing import Anonymizing
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.drop_zone import paint_frame

ICON = 72
WIDTH = 640
TITLE = "Drop a folder of photos here"
WHAT = (
    "Every face is hidden or made somebody else's, and recognisers check that nobody is known any more. "
    "What they are not sure of is shown to you.\n\n"
    "Your photos are never written to: results go into a folder of their own. "
    "A run can be paused, or stopped and gone on with on another day."
)


class EmptyJob(QWidget):
    """The empty state of `anonymizing`."""

    open_asked = Signal()
    folder_asked = Signal()

    def __init__(self, anonymizing: Anonymizing, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dropZone")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._run, self._theme = anonymizing, theme
        self._icon, self.title, self.text = QLabel(), QLabel(TITLE), QLabel(WHAT)
        self.title.setObjectName("dropTitle")
        self.text.setObjectName("dropText")
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
        middle = QWidget()
        middle.setMaximumWidth(WIDTH)
        column = QVBoxLayout(middle)
        column.setSpacing(12)
        for label in (self._icon, self.title, self.text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
            column.addWidget(label)
        column.addSpacing(8)
        column.addLayout(buttons)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(middle, 1000)  # as wide as it may be
        across.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addLayout(across)
        layout.addStretch(1)
        anonymizing.work_changed.connect(self.refresh)
        theme.changed.connect(self._draw)
        self._draw()

    @Slot()
    def refresh(self) -> None:
        """Say what is looked through."""
        self.title.setText("Looking through the photos…" if self._run.listing else TITLE)

    @Slot()
    def _draw(self) -> None:
        pixmap = self._theme.pixmap("anonymize", ICON * 2, "muted")
        pixmap.setDevicePixelRatio(2)
        self._icon.setPixmap(pixmap)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        paint_frame(self, self._theme)
