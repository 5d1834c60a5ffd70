"""Making a dataset: the form, then the run, then what it came to. Closing it stops nothing; it is opened again to look.

What is asked, and what is done, is for `Populating` to say.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from facestudio.gui.errors import show_error
from facestudio.gui.populating import Populating
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.dataset_form import DatasetForm
from facestudio.gui.widgets.dataset_run import DatasetOutcome, DatasetRun

FORM, RUN, DONE = range(3)
WIDTH, HEIGHT = 620, 560


class DatasetDialog(QDialog):
    """Shows `populating`."""

    def __init__(self, populating: Populating, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("datasetDialog")
        self.setWindowTitle("Make a dataset")
        self.populating = populating
        self.form, self.run, self.outcome = (
            DatasetForm(populating, theme),
            DatasetRun(populating, theme),
            DatasetOutcome(),
        )
        self.pages = QStackedWidget()
        for page in (self.form, self.run, self.outcome):
            self.pages.addWidget(page)
        self.start = QPushButton("Start")
        self.start.setObjectName("primary")
        self.start.setDefault(True)
        self.open_folder, self.open_report = QPushButton("Open &folder"), QPushButton("Open &report")
        self.another, self.leave = QPushButton("&Another dataset…"), QPushButton("Close")
        self.open_folder.setToolTip("Show the dataset in the system's file browser")
        self.open_report.setToolTip("Show the report on how well people can be told apart, in the browser")
        for button, slot in (
            (self.start, populating.start),
            (self.open_folder, self.show_folder),
            (self.open_report, self.show_report),
            (self.another, populating.begin),
            (self.leave, self.reject),
        ):
            button.clicked.connect(slot)
            button.setAutoDefault(button is self.start)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.another, self.open_folder, self.open_report):
            buttons.addWidget(button)
        buttons.addStretch(1)
        for button in (self.leave, self.start):
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(22, 18, 22, 18)
        column.setSpacing(16)
        column.addWidget(self.pages, 1)
        column.addLayout(buttons)
        pause = QShortcut(QKeySequence("Ctrl+P"), self)
        pause.activated.connect(populating.pause_or_go_on)
        self.resize(WIDTH, HEIGHT)
        populating.asked_changed.connect(self.refresh)
        populating.work_changed.connect(self.refresh)
        populating.failed.connect(self._show_failure)
        self.refresh()

    def show_it(self) -> None:
        """Open it: on what runs or has ended since it was closed, else on a new dataset."""
        if self.isVisible():
            self.raise_()
            return
        if not self.populating.running and self.populating.outcome is None:
            self.populating.begin()
        self.open()
        self.refresh()
        if self.pages.currentIndex() == FORM:
            self.form.people.setFocus()
            self.form.people.selectAll()

    def done(self, code: int) -> None:
        """Closed: what it showed of a run that has ended was seen."""
        super().done(code)
        if not self.populating.running:
            self.populating.outcome = None

    @Slot()
    def refresh(self) -> None:
        """Show the page that there is something on, and what can be done now."""
        populating = self.populating
        page = RUN if populating.running else DONE if populating.outcome is not None else FORM
        if page == DONE and self.pages.currentIndex() != DONE and populating.outcome is not None:
            self.outcome.show_outcome(populating.outcome)
        turned = page != self.pages.currentIndex()
        self.pages.setCurrentIndex(page)
        for button in (self.open_folder, self.open_report, self.another):
            button.setVisible(page == DONE)
        self.start.setVisible(page == FORM)
        self.start.setEnabled(populating.ready)
        self.start.setText("Continue" if populating.going_on else "Start")
        self.leave.setText({FORM: "Cancel", RUN: "Close and let it continue", DONE: "Close"}[page])
        if turned and self.isVisible():
            (self.run.bar.stop if page == RUN else self.open_report if page == DONE else self.start).setFocus()

    @Slot()
    def show_folder(self) -> None:
        """Show the dataset in the system's file browser."""
        if self.populating.outcome is not None:
            _show(self.populating.outcome.out)

    @Slot()
    def show_report(self) -> None:
        """Show the dataset's page in the browser."""
        if self.populating.outcome is not None:
            _show(self.populating.outcome.report)

    @Slot(Exception)
    def _show_failure(self, error: Exception) -> None:
        show_error(self if self.isVisible() else self.parentWidget(), error)


def _show(path: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
