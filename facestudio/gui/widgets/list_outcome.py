"""What became of the photos of the list: which are not there, or not whole, and why. Shown when there are any."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from facestudio.files import told_apart
from facestudio.gui.list_work import Restored


class ListOutcomeDialog(QDialog):
    """The sentence that sums up, and a line for each photo with a reason."""

    def __init__(self, restored: Restored, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Restored photos")
        self.resize(620, 380)
        title = QLabel(restored.words)
        title.setObjectName("dialogTitle")
        title.setTextFormat(Qt.TextFormat.PlainText)
        title.setWordWrap(True)
        self.list = QListWidget()
        self.list.setAccessibleName("Photos that failed or are incomplete")
        self.list.setWordWrap(True)
        names = told_apart(outcome.source for outcome in restored.outcomes)
        for path, reason in restored.reasons:
            item = QListWidgetItem(f"{names[path]}\n{reason}")
            item.setToolTip(str(path))
            self.list.addItem(item)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(12)
        for widget in (title, self.list, buttons):
            column.addWidget(widget)
