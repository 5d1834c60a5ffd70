"""A part of a panel that is folded away until somebody wants it.

What is in force must be seen: it opens by itself when something within is not as it usually is, and its title says how much.
"""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

KEYS: dict[int, bool | None] = {
    **{Qt.Key.Key_Return: None, Qt.Key.Key_Enter: None},  # the other way round, as Space does
    **{Qt.Key.Key_Right: True, Qt.Key.Key_Left: False},  # as in a tree
}
USUAL = "Options that few people change; all have their usual values"


class FoldTitle(QToolButton):
    """The words that open and close a fold, by a click, Space, Enter, or Right and Left."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key not in KEYS:
            super().keyPressEvent(event)
        elif KEYS[key] in (None, not self.isChecked()):
            self.click()


class Fold(QWidget):
    """A `title` that shows and hides the `widgets` below it. `opened` tells that somebody opened it.

    Args:
        about: the title's tooltip while nothing within is unusual.

    Attributes:
        wanted: whether it is open by somebody's choice; that it opened by itself says nothing of that.
    """

    opened = Signal()

    def __init__(self, title: str, *widgets: QWidget, about: str = USUAL, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words, self._about, self._unusual = title, about, frozenset[str]()
        self.wanted = False
        self.title = FoldTitle()
        self.title.setObjectName("fold")
        self.title.setCheckable(True)
        self.title.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.title.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.title.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.body = QWidget()
        self._column = QVBoxLayout(self.body)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        for widget in widgets:
            self.add(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addWidget(self.body)
        self.title.toggled.connect(self.show_all)
        self.title.clicked.connect(self._choose)
        self.show_all(False)
        self._say()

    def add(self, widget: QWidget) -> None:
        """Put `widget` below those that are in it."""
        self._column.addWidget(widget)

    @Slot(bool)
    def show_all(self, on: bool) -> None:
        """Show what is in it, or the title alone."""
        self.title.setChecked(on)
        self.title.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self.body.setVisible(on)

    def want(self, on: bool) -> None:
        """As it was left the last time; what is not as usual is shown all the same."""
        self.wanted = on
        self.show_all(on or bool(self._unusual))

    def show_unusual(self, names: Iterable[str]) -> None:
        """Say how many things within are not as they usually are, by their `names`, and open when one more is."""
        before, self._unusual = self._unusual, frozenset(names)
        if self._unusual - before:
            self.show_all(True)
        self._say()

    def _say(self) -> None:
        count = len(self._unusual)
        words = f"{self._words} \N{MIDDLE DOT} {count} changed" if count else self._words
        self.title.setText(words.upper() if self._words.isupper() else words)
        self.title.setToolTip(f"Changed: {', '.join(sorted(self._unusual))}" if count else self._about)

    @Slot(bool)
    def _choose(self, on: bool) -> None:
        self.wanted = on
        if on:
            self.opened.emit()
