"""A veil over the photo while another one is opened, which takes seconds when it is large, with a button that ends that.

A photo that opens at once is not announced. It takes the mouse, so that nobody works on what is about to go.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, Slot
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from facestudio.gui.session import Session
from facestudio.gui.text_size import scaled
from facestudio.gui.theme import Theme

PATIENCE = 250  # ms in which nothing is announced
VEIL = 0.86  # of the ground's colour
BAR = 220


class OpeningCover(QWidget):
    """Lies over its parent as long as the session opens something."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("openingCover")
        self._session, self._theme = session, theme
        self.words = QLabel()
        self.words.setObjectName("dialogTitle")
        self.words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setRange(0, 0)  # how long is not known
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(scaled(BAR))
        self.about = QLabel()
        self.about.setObjectName("dialogHint")
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        self.about.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(session.stop_opening)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(14)
        layout.addStretch(1)
        layout.addWidget(self.words)
        for widget in (self.bar, self.about, self.cancel):
            layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addStretch(1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE)
        self._timer.timeout.connect(self._cover)
        session.opening_changed.connect(self._follow)
        session.opening_told.connect(self.about.setText)
        theme.changed.connect(self.update)
        parent.installEventFilter(self)
        self.hide()

    @Slot()
    def _follow(self) -> None:
        name = self._session.opening
        self.words.setText(f"Opening {name}…")
        self.about.clear()
        self.cancel.setToolTip("Keep the photo that is open (Esc)" if self._session.opened else "Do not open it (Esc)")
        if not name:
            self._timer.stop()
            self.hide()
        elif self.isHidden() and not self._timer.isActive():
            self._timer.start()

    @Slot()
    def _cover(self) -> None:
        self._fill()
        self.show()
        self.raise_()  # a page of a stack comes before its other children

    def _fill(self) -> None:
        parent = self.parentWidget()
        if parent is not None:
            self.setGeometry(parent.rect())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self._fill()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        veil = self._theme.colour("canvas")
        veil.setAlphaF(VEIL if self._session.opened else 1.0)  # there are words in the middle while nothing is open
        QPainter(self).fillRect(self.rect(), veil)
