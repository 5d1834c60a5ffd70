"""A row of buttons, one for each status that occurs with how often it does; the one that is down says what the table shows."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from facestudio.gui.anonymize_rows import MEANINGS
from facestudio.gui.anonymizing import Anonymizing

ALL = ""


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
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(2)
        self._row.addStretch(1)
        anonymizing.rows_changed.connect(self.refresh)
        anonymizing.row_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what there is by now; a status that is gone is not shown any more, and neither is it chosen."""
        counts = {ALL: len(self._run.rows), **self._run.counts}
        for place, (status, number) in enumerate(counts.items()):
            button = self.buttons.get(status) or self._add(status)
            if self._row.indexOf(button) != place:
                self._row.removeWidget(button)
                self._row.insertWidget(place, button)
            button.setText(f"{status.capitalize() if status else 'All'}  {number}")
        for status in set(self.buttons) - set(counts):
            button = self.buttons.pop(status)
            self._group.removeButton(button)
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = {status: self.buttons[status] for status in counts}
        if self.status not in counts:
            self.choose(ALL)

    def _add(self, status: str) -> QToolButton:
        button = QToolButton()
        button.setObjectName("statusButton")
        button.setCheckable(True)
        button.setChecked(status == self.status)
        button.setProperty("status", status)
        button.setToolTip(f"Show only these. {MEANINGS.get(status, '')}".strip() if status else "Show every photo")
        self._group.addButton(button)
        self.buttons[status] = button
        return button

    def choose(self, status: str) -> None:
        """Show only photos of `status`."""
        self.status = status
        self.buttons[status].setChecked(True)
        self.chosen.emit(status)

    @Slot(object)
    def _clicked(self, button: QToolButton) -> None:
        self.choose(button.property("status"))
