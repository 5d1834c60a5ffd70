"""What runs now: its stage, a bar, the time left, and the button that stops it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from facestudio.gui.theme import Theme
from facestudio.gui.workplace import FINDING, LOOKING, Workplace
from facestudio.progress import Update

STEPS = 1000


class JobBar(QWidget):
    """Shows the workplace's work."""

    def __init__(self, session: Workplace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("jobBar")
        self._session, self._theme = session, theme
        self.stage, self.left = QLabel(), QLabel()
        self.stage.setObjectName("jobStage")
        self.left.setObjectName("jobLeft")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop (Esc)")
        self.stop.clicked.connect(session.stop)
        top = QHBoxLayout()
        top.addWidget(self.stage, 1)
        top.addWidget(self.left, 0, Qt.AlignmentFlag.AlignRight)
        self.buttons = bottom = QHBoxLayout()
        bottom.setSpacing(8)
        bottom.addWidget(self.bar, 1)
        bottom.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addLayout(bottom)
        session.work_changed.connect(self._show_work)
        session.progressed.connect(self._show_update)
        theme.changed.connect(self._draw)
        self._doing = ""
        self._draw()

    @Slot()
    def _draw(self) -> None:
        self.stop.setIcon(self._theme.icon("stop"))

    @Slot()
    def _show_work(self) -> None:
        session = self._session
        self.stop.setEnabled(bool(session.doing) and not session.stopping)
        if session.stopping:
            self.stage.setText("Stopping…")
            self.left.clear()
        elif session.doing != self._doing:
            self.stage.setText("Looking for faces…" if session.doing in (FINDING, LOOKING) else "Starting…")
            self.left.clear()
            self.bar.setRange(0, 0)  # a bar that moves: how long is not known yet
        self._doing = session.doing

    @Slot(object)
    def _show_update(self, update: Update) -> None:
        self.bar.setRange(0, STEPS)
        self.bar.setValue(round(update.fraction * STEPS))
        self.stage.setText(update.tally or update.stage)
        self.left.setText(time_left(update.remaining))


def time_left(seconds: float | None) -> str:
    """Seconds in words that do not flicker."""
    if seconds is None or seconds <= 0:
        return ""
    if seconds < 60:
        return f"{max(round(seconds), 1)} s left"
    minutes = seconds / 60
    return f"{round(minutes)} min left" if minutes < 60 else f"{minutes / 60:.1f} h left"
