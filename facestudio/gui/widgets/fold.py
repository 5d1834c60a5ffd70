"""A part of a panel that is folded away until somebody wants it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget


class Fold(QWidget):
    """A `title` that shows and hides the `widgets` below it."""

    def __init__(self, title: str, *widgets: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = QToolButton()
        self.title.setObjectName("fold")
        self.title.setText(title)
        self.title.setCheckable(True)
        self.title.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.body = QWidget()
        column = QVBoxLayout(self.body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in widgets:
            column.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 10)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addWidget(self.body)
        self.title.toggled.connect(self.show_all)
        self.show_all(False)

    @Slot(bool)
    def show_all(self, on: bool) -> None:
        """Show what is in it, or the title alone."""
        self.title.setChecked(on)
        self.title.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.body.setVisible(on)
