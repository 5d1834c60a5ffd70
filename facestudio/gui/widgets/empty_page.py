"""What a workspace shows while there is nothing in it: an icon, a title and words in the middle, no wider than they read well."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from facestudio.gui.theme import Theme

ICON = 72


class EmptyPage(QWidget):
    """The `icon` (its name), `title` and `words`, at most `width` wide; subclasses add to `column` what comes below."""

    def __init__(
        self, theme: Theme, icon: str, title: str, words: str, width: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dropZone")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._theme, self._icon_name = theme, icon
        self._icon, self.title, self.text = QLabel(), QLabel(title), QLabel(words)
        self.title.setObjectName("dropTitle")
        self.text.setObjectName("dropText")
        middle = QWidget()
        middle.setMaximumWidth(width)
        self.column = QVBoxLayout(middle)
        self.column.setSpacing(12)
        for label in (self._icon, self.title, self.text):
            self.add_words(label)
        across = QHBoxLayout()
        across.addStretch(1)
        across.addWidget(middle, 1000)  # as wide as it may be
        across.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addStretch(1)
        layout.addLayout(across)
        layout.addStretch(1)
        theme.changed.connect(self._draw)
        self._draw()

    def add_words(self, label: QLabel) -> None:
        """Put `label` below what there is."""
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        self.column.addWidget(label)

    @Slot()
    def _draw(self) -> None:
        pixmap = self._theme.pixmap(self._icon_name, ICON * 2, "muted")
        pixmap.setDevicePixelRatio(2)
        self._icon.setPixmap(pixmap)
