"""A short message that comes over the picture and goes by itself: what went well, where the file is, or what may be done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

SHOWN = 4000
SHOWN_WITH_PATH = 8000
SHOWN_WITH_OFFER = 20000
MOVES = (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide)  # that place it anew


class Toast(QWidget):
    """Stands at the lower edge of its parent, where faces are seldom. One message at a time; the next replaces it.

    Args:
        below: widgets of `parent` that are to be read, at its lower edge; while one is seen the toast stands above it.
    """

    def __init__(self, parent: QWidget, *below: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("toast")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.label = QLabel()
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        self.folder = QPushButton("Show the folder")
        self.folder.clicked.connect(self.open_folder)
        self.act = QPushButton("Do it")  # until something is offered
        self.act.clicked.connect(self._do)
        self._action: Callable[[], object] | None = None
        self._path: Path | None = None
        self._words = ""
        self._layout = layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 9, 12, 9)
        layout.setSpacing(10)
        layout.addWidget(self.label)
        layout.addWidget(self.folder)
        layout.addWidget(self.act)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)
        self._below = below
        for widget in (parent, *below):
            widget.installEventFilter(self)
        self.hide()

    @Slot(str, object)
    def tell(self, words: str, path: Path | None = None) -> None:
        """Show `words`; with a `path` also a button that opens its folder."""
        self._tell(words, path, None)

    def offer(self, words: str, label: str, action: Callable[[], object]) -> None:
        """Show `words`, and a button called `label` that does what they offer; nothing happens when it is left."""
        self.act.setText(label)
        self._tell(words, None, action)

    def _tell(self, words: str, path: Path | None, action: Callable[[], object] | None) -> None:
        self._path, self._action = path, action
        self._words = words
        self.act.setVisible(action is not None)
        self.label.setToolTip(str(path) if path else "")
        self.folder.setVisible(path is not None)
        self._place()
        self.show()
        self.raise_()
        shown = SHOWN if path is None else SHOWN_WITH_PATH
        self._timer.start(shown if action is None else SHOWN_WITH_OFFER)

    @Slot()
    def _do(self) -> None:
        action, self._action = self._action, None
        self.hide()
        if action is not None:
            action()

    @Slot()
    def give_way(self) -> None:
        """Go, as something else is shown now; where a file was saved is still news."""
        if self._path is None:
            self.hide()

    @Slot()
    def open_folder(self) -> None:
        """Show the folder of the path in the system's file browser."""
        if self._path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._path.parent)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in MOVES:
            self._place()
        return False

    def _place(self) -> None:
        parent = self.parentWidget()
        if parent is not None and self._words:
            room = max(parent.width() - 24, 160)
            buttons = [self.folder] if self._path is not None else [self.act] if self._action is not None else []
            room_for_words = room - 40 - sum(button.sizeHint().width() + 10 for button in buttons)
            wide = min(self.label.fontMetrics().horizontalAdvance(self._words) + 2, room_for_words)
            self.label.setText(self._words)
            box = QRect(0, 0, wide, parent.height())
            box = self.label.fontMetrics().boundingRect(box, Qt.TextFlag.TextWordWrap, self._words)
            self.label.setFixedSize(wide, box.height())
            self._layout.activate()  # or it would stay as high as the message before
            self.adjustSize()
            seen = [widget.mapTo(parent, QPoint(0, 0)).y() for widget in self._below if widget.isVisibleTo(parent)]
            edge = min([parent.height(), *seen])
            self.move((parent.width() - self.width()) // 2, max(edge - 14 - self.height(), 14))
