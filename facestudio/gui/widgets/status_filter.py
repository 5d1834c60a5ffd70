"""A row of buttons, one for each status that occurs with how often it does; the one that is down says what the table shows.

Where they have no room beside one another they stand in several lines, so that many statuses ask for no wider window.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QToolButton, QWidget

from facestudio.gui.anonymize_rows import MEANINGS
from facestudio.gui.anonymizing import Anonymizing

ALL = ""
APART = 2  # px
NARROWEST = 200  # px


class StatusFilter(QWidget):
    """Shows the counts of `anonymizing`. `chosen` tells a status, ALL for every one."""

    chosen = Signal(str)

    def __init__(self, anonymizing: Anonymizing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Show only photos of one status")
        self._run = anonymizing
        self.status = ALL
        self.buttons: dict[str, QToolButton] = {}
        self._group = QButtonGroup(self)
        self._group.buttonClicked.connect(self._clicked)
        anonymizing.rows_changed.connect(self.refresh)
        anonymizing.row_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what there is by now; a status that is gone is not shown any more, and neither is it chosen."""
        counts = {ALL: len(self._run.rows), **self._run.counts}
        for status, number in counts.items():
            button = self.buttons.get(status) or self._add(status)
            button.setText(f"{status.capitalize() if status else 'All'}  {number}")
        for status in set(self.buttons) - set(counts):
            button = self.buttons.pop(status)
            self._group.removeButton(button)
            button.hide()
            button.deleteLater()
        self.buttons = {status: self.buttons[status] for status in counts}
        self._lay_out()
        if self.status not in counts:
            self.choose(ALL)

    def minimumSizeHint(self) -> QSize:
        return QSize(NARROWEST, self.minimumHeight())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        """Put the buttons beside one another, and what has no room there into the next line."""
        left = top = height = 0
        for button in self.buttons.values():
            size = button.sizeHint()
            if left and left + size.width() > self.width():
                left, top = 0, top + height + APART
            button.setGeometry(left, top, size.width(), size.height())
            left, height = left + size.width() + APART, size.height()
        self.setFixedHeight(top + height)

    def _add(self, status: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName("statusButton")
        button.setCheckable(True)
        button.setChecked(status == self.status)
        button.setProperty("status", status)
        button.setToolTip(f"Show only these. {MEANINGS.get(status, '')}".strip() if status else "Show every photo")
        self._group.addButton(button)
        self.buttons[status] = button
        button.show()
        return button

    def choose(self, status: str) -> None:
        """Show only photos of `status`."""
        self.status = status
        self.buttons[status].setChecked(True)
        self.chosen.emit(status)

    @Slot(object)
    def _clicked(self, button: QToolButton) -> None:
        self.choose(button.property("status"))
