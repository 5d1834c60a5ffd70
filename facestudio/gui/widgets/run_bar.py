"""The job bar of a run that may take days: it can be paused as well."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QPushButton, QWidget

from facestudio.gui.theme import Theme
from facestudio.gui.widgets.job_bar import JobBar
from facestudio.gui.workplace import Workplace
from facestudio.progress import Update


class RunBar(JobBar):
    """Shows the workplace's work, with a button that lets it wait."""

    def __init__(self, session: Workplace, theme: Theme, parent: QWidget | None = None) -> None:
        self.pause = QPushButton()
        self.pause.setToolTip("Pause the run where it is (Ctrl+P)")
        self.pause.clicked.connect(session.pause_or_go_on)
        super().__init__(session, theme, parent)
        self.buttons.insertWidget(self.buttons.count() - 1, self.pause)
        self._show_work()

    @Slot()
    def _show_work(self) -> None:
        super()._show_work()
        session = self._session
        self.pause.setText("Resume" if session.paused else "Pause")
        self.pause.setEnabled(bool(session.doing) and not session.stopping)
        if session.paused and not session.stopping:
            self.stage.setText("Paused")
            self.left.clear()

    @Slot(object)
    def _show_update(self, update: Update) -> None:
        super()._show_update(update)
        if self._session.paused:
            self.stage.setText("Paused")
            self.left.clear()
