"""One of a few values, shown in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QComboBox, QWidget


class Choice(QComboBox):
    """Called `name` for who has the screen read aloud; `words` say each value, in order. `chosen` comes with another value."""

    chosen = Signal(object)

    def __init__(self, name: str, tip: str, words: Mapping[Any, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setToolTip(tip)
        for value, said in words.items():
            self.addItem(said, value)
        self.currentIndexChanged.connect(self._tell)

    def set_value(self, value: Any) -> None:
        """Show `value` as chosen."""
        self.setCurrentIndex(self.findData(value))

    @Slot(int)
    def _tell(self, index: int) -> None:
        self.chosen.emit(self.itemData(index))
