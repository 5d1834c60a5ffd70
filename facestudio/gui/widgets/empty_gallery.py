"""What stands where no gallery is yet: what this workspace is for, or what it lacks."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from facestudio.gui.generating import Making
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.generate_panel import LACK, LACK_HINT

ICON = 72
TITLE = "Make faces"
WHAT = (
    "Draw people who do not exist, or new pictures of the person in a photo, with what the recognisers say of each.\n"
    "The starter weights are small: their pictures are 256 px wide."
)
WIDTH = 560


class EmptyGallery(QWidget):
    """The empty state of `making`."""

    def __init__(self, making: Making, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dropZone")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._making, self._theme = making, theme
        self._icon, self.title, self.text, self.problem = QLabel(), QLabel(TITLE), QLabel(WHAT), QLabel()
        self.title.setObjectName("dropTitle")
        self.text.setObjectName("dropText")
        self.problem.setObjectName("galleryProblem")
        middle = QWidget()
        middle.setMaximumWidth(WIDTH)
        column = QVBoxLayout(middle)
        column.setSpacing(12)
        for label in (self._icon, self.title, self.text, self.problem):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            column.addWidget(label)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(middle, 1000)  # as wide as it may be
        across.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addLayout(across)
        layout.addStretch(1)
        making.offers_changed.connect(self.refresh)
        theme.changed.connect(self._draw)
        self._draw()
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Say what is lacking, if anything is."""
        making = self._making
        error = making.offers_error
        self.problem.setVisible(making.offers == ())
        hint = getattr(error, "hint", "")
        self.problem.setText(f"{error} {hint}".strip() if error else f"{LACK} {LACK_HINT}")

    @Slot()
    def _draw(self) -> None:
        pixmap = self._theme.pixmap("gallery", ICON * 2, "muted")
        pixmap.setDevicePixelRatio(2)
        self._icon.setPixmap(pixmap)
