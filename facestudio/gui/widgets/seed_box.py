"""A field for a seed: a whole number from 0 on, as large as the command line takes it, where Qt's own field ends at 2^31."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QAbstractSpinBox, QWidget

from facestudio.gui.workplace import LARGEST_SEED


class SeedBox(QAbstractSpinBox):
    """Used as a QSpinBox: `value`, `setValue` and `valueChanged`, which comes while it is written, too."""

    valueChanged = Signal(object)  # int, which Signal(int) would cut to 32 bits

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._value = 0
        self.lineEdit().setText("0")
        self.lineEdit().textEdited.connect(self._written)
        self.editingFinished.connect(self._show)

    def value(self) -> int:
        """The seed."""
        return self._value

    def setValue(self, seed: int) -> None:
        """Show `seed`; one that is out of range becomes the nearest that is not."""
        self._take(seed)
        self._show()

    def stepBy(self, steps: int) -> None:
        self.setValue(self._value + steps)
        self.selectAll()

    def stepEnabled(self) -> QAbstractSpinBox.StepEnabledFlag:
        flags = QAbstractSpinBox.StepEnabledFlag
        down = flags.StepDownEnabled if self._value > 0 else flags.StepNone
        return down | (flags.StepUpEnabled if self._value < LARGEST_SEED else flags.StepNone)

    def validate(self, text: str, place: int) -> tuple[QValidator.State, str, int]:
        """Digits alone; nothing yet is on its way to a number."""
        if not text:
            state = QValidator.State.Intermediate
        elif text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_SEED)) and int(text) <= LARGEST_SEED:
            state = QValidator.State.Acceptable
        else:
            state = QValidator.State.Invalid
        return state, text, place

    @Slot(str)
    def _written(self, text: str) -> None:
        if text:
            self._take(int(text))

    def _take(self, seed: int) -> None:
        seed = min(max(seed, 0), LARGEST_SEED)
        if seed != self._value:
            self._value = seed
            self.valueChanged.emit(seed)

    @Slot()
    def _show(self) -> None:
        self.lineEdit().setText(str(self._value))
