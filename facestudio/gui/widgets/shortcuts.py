"""The list of everything that can be done and its keys, which can be searched."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

Entry = tuple[str, str, str]  # menu, what it does, keys
MARGIN, SPARE = 16, 24  # px around the table, and beside its columns for frame and lines


class ShortcutsDialog(QDialog):
    """Shows `entries`; typing filters them."""

    def __init__(self, entries: Sequence[Entry], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("shortcutsDialog")
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.search = QLineEdit()
        self.search.setAccessibleName("Search the shortcuts")
        self.search.setPlaceholderText("Search for an action or a key")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.table = QTableWidget(len(entries), 3)
        self.table.setHorizontalHeaderLabels(["Menu", "Action", "Keys"])
        self.table.verticalHeader().hide()
        self.table.horizontalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        for row, entry in enumerate(entries):
            for column, text in enumerate(entry):
                self.table.setItem(row, column, QTableWidgetItem(text))
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(10)
        layout.addWidget(self.search)
        layout.addWidget(self.table)
        wide = sum(map(self.table.sizeHintForColumn, range(3))) + self.table.verticalScrollBar().sizeHint().width()
        self.resize(max(560, wide + 2 * MARGIN + SPARE), 560)  # nothing is cut off

    @Slot(str)
    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        for row in range(self.table.rowCount()):
            items = [self.table.item(row, column) for column in range(3)]
            line = " ".join(item.text() for item in items if item).casefold()
            self.table.setRowHidden(row, not all(word in line for word in words))

    def visible(self) -> list[str]:
        """The actions that the search leaves."""
        rows = [row for row in range(self.table.rowCount()) if not self.table.isRowHidden(row)]
        items = [self.table.item(row, 1) for row in rows]
        return [item.text() for item in items if item]


def keys_of(shortcuts: Sequence[QKeySequence]) -> str:
    """Key sequences as people write them."""
    return "  or  ".join(keys.toString(QKeySequence.SequenceFormat.NativeText) for keys in shortcuts)
