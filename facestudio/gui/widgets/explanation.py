"""How a face was completed from a dictionary: which entry was taken for each part at each scale, and what was left alone."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from facestudio.faces.components import NAMES, Choice, Explanation

LEGEND = (
    "The dictionary entry used for each part of the face (numbered from 0, as in the report) and, below it, how "
    "strongly it was added: a mean weight, not a probability, which can exceed 1. The columns are feature maps by "
    "their size, the finest first. Left and right are as seen in the picture."
)
SKIPPED = "Not completed: mostly outside the crop, or turned away."
ROW = 48


class ExplanationDialog(QDialog):
    """What `explanation` says of the face called `who`, as a table of parts and scales."""

    def __init__(self, who: str, explanation: Explanation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("explanationDialog")
        self.setWindowTitle(f"{who}: how it was completed")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        legend = QLabel(LEGEND)
        legend.setObjectName("chipInfo")
        legend.setWordWrap(True)
        scales = sorted({choice.scale for choice in explanation.choices}, reverse=True)
        self.table = QTableWidget(len(NAMES), max(len(scales), 1))
        self.table.setAccessibleName("Parts of the face and entries of the dictionary")
        self.table.setHorizontalHeaderLabels([f"{scale} px" for scale in scales] or [""])
        self.table.setVerticalHeaderLabels([spoken(name).capitalize() for name in NAMES])
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setSectionsClickable(False)
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.table.verticalHeader().setDefaultSectionSize(ROW)
        self.table.verticalHeader().setSectionsClickable(False)
        for row, name in enumerate(NAMES):
            found = {choice.scale: choice for choice in explanation.of(name)}
            if not found:
                if len(scales) > 1:
                    self.table.setSpan(row, 0, 1, len(scales))
                self._put(row, 0, SKIPPED, f"{spoken(name)}: {SKIPPED}")
            for column, scale in enumerate(scales):
                if scale in found:
                    self._put(row, column, cell(found[scale]), sentence(found[scale]))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 18)
        layout.setSpacing(12)
        layout.addWidget(legend)
        layout.addWidget(self.table)
        layout.addStretch(1)
        self.table.setFixedHeight(self.table.horizontalHeader().sizeHint().height() + len(NAMES) * ROW + 2)
        self.table.setFocus()
        self.resize(620, layout.heightForWidth(620))

    def _put(self, row: int, column: int, text: str, said: str) -> None:
        item = QTableWidgetItem(text)
        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        item.setToolTip(said)
        item.setData(Qt.ItemDataRole.AccessibleTextRole, said)
        self.table.setItem(row, column, item)

    def rows(self) -> list[list[str]]:
        """What stands in the table, row by row."""
        found = []
        for row in range(self.table.rowCount()):
            items = [self.table.item(row, column) for column in range(self.table.columnCount())]
            found.append([item.text() for item in items if item])
        return found


def spoken(component: str) -> str:
    """A component's name in words."""
    return component.replace("_", " ")


def cell(choice: Choice) -> str:
    """A choice in two short lines."""
    return f"{choice.entry} of {choice.entries}\n{choice.confidence:.2f}"


def sentence(choice: Choice) -> str:
    """A choice in words."""
    return (
        f"{spoken(choice.component).capitalize()} at {choice.scale} px: entry {choice.entry} of {choice.entries}, "
        f"added with a mean weight of {choice.confidence:.3f}."
    )
