"""The options of a method as form rows, built from their descriptions alone: slider, tick box, choice or text.

A double click on an option's label sets it back to its default. Those that are rare stand in a widget of their own, which a
panel folds away. No method is known here by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from facestudio.gui.text_size import scaled
from facestudio.gui.workplace import Workplace
from facestudio.options import OptionField

LARGEST = 2**31 - 1
STEPS = 100  # of a slider whose option names none


class ResetLabel(QLabel):
    """An option's title."""

    reset = Signal()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset.emit()


class OptionRow(QWidget):
    """One option: its title, and the control that fits its type. `edited` tells its name."""

    edited = Signal(str)

    def __init__(self, field: OptionField, value: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = field
        self.label = ResetLabel(field.title)
        self.label.setToolTip(f"{field.help}\nDouble-click sets it back to {field.default}.".strip())
        self.label.reset.connect(self.reset)
        self.slider: QSlider | None = None
        self.box: QWidget
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(self.label, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(top)
        self.box = self._control(field)
        self.box.setToolTip(field.help)
        self.box.setAccessibleName(field.title)
        self.label.setBuddy(self.box)
        top.addWidget(self.box)
        if isinstance(self.box, QSpinBox | QDoubleSpinBox) and field.minimum is not None and field.maximum is not None:
            self.slider = QSlider(Qt.Orientation.Horizontal)
            self.slider.setRange(0, round((field.maximum - field.minimum) / self._step()))
            self.slider.setPageStep(max(self.slider.maximum() // 10, 1))
            self.slider.setToolTip(field.help)
            self.slider.setAccessibleName(field.title)
            self.slider.valueChanged.connect(self._slid)
            layout.addWidget(self.slider)
        self.set_value(value)

    def _step(self) -> float:
        field = self.field
        if field.step:
            return float(field.step)
        if field.type is int or field.minimum is None or field.maximum is None:
            return 1.0 if field.type is int else 0.1
        return (field.maximum - field.minimum) / STEPS or 1.0

    def _control(self, field: OptionField) -> QWidget:
        if field.choices:
            choice = QComboBox()
            for value in field.choices:
                choice.addItem(str(value), value)
            choice.currentIndexChanged.connect(self._changed)
            return choice
        if field.type is bool:
            tick = QCheckBox()
            tick.toggled.connect(self._changed)
            return tick
        if field.type is str:
            line = QLineEdit()
            line.textEdited.connect(self._changed)
            return line
        spin: QSpinBox | QDoubleSpinBox
        if field.type is int:
            spin = QSpinBox()
            spin.setRange(
                -LARGEST if field.minimum is None else int(field.minimum),
                LARGEST if field.maximum is None else int(field.maximum),
            )
            spin.setSingleStep(max(int(self._step()), 1))
        else:
            spin = QDoubleSpinBox()
            spin.setDecimals(2 if self._step() >= 0.01 else 4)
            spin.setRange(
                -1e9 if field.minimum is None else field.minimum, 1e9 if field.maximum is None else field.maximum
            )
            spin.setSingleStep(self._step())
        spin.lineEdit().setTextMargins(6, 0, 6, 0)
        spin.setFixedWidth(scaled(76))
        spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        spin.valueChanged.connect(self._changed)
        return spin

    @property
    def value(self) -> Any:
        """What the control shows."""
        if isinstance(self.box, QComboBox):
            return self.box.currentData()
        if isinstance(self.box, QCheckBox):
            return self.box.isChecked()
        if isinstance(self.box, QLineEdit):
            return self.box.text()
        assert isinstance(self.box, QSpinBox | QDoubleSpinBox)
        return self.box.value()

    def set_value(self, value: Any) -> None:
        """Show `value`."""
        if isinstance(self.box, QComboBox):
            self.box.setCurrentIndex(self.box.findData(value))
        elif isinstance(self.box, QCheckBox):
            self.box.setChecked(value)
        elif isinstance(self.box, QLineEdit):
            self.box.setText(value)
        elif isinstance(self.box, QSpinBox | QDoubleSpinBox):
            self.box.setValue(value)
            self._follow()

    @Slot()
    def reset(self) -> None:
        """Back to the default."""
        self.set_value(self.field.default)
        self.edited.emit(self.field.name)

    def limit(self, others: Mapping[str, Any]) -> None:
        """Let the number go no farther than it may beside the values of the `others`; one that is beyond comes back to there."""
        field = self.field
        if not field.limits or field.minimum is None or field.maximum is None or self.slider is None:
            return
        assert isinstance(self.box, QSpinBox | QDoubleSpinBox)
        limit = field.limit(others)
        most = field.maximum if limit is None else min(limit.maximum, field.maximum)
        with QSignalBlocker(self.slider):
            self.slider.setMaximum(round((most - field.minimum) / self._step()))
        self.box.setMaximum(int(most) if isinstance(self.box, QSpinBox) else most)  # type: ignore[arg-type]
        self._follow()

    def show_lack(self, why: str) -> None:
        """Grey it and say `why` it has no effect; "" when it has one."""
        for widget in (self.box, self.slider, self.label):
            if widget is not None:
                widget.setEnabled(not why)
                widget.setToolTip(why or self.field.help)
        if not why:
            self.label.setToolTip(f"{self.field.help}\nDouble-click sets it back to {self.field.default}.".strip())

    @Slot()
    def _changed(self) -> None:
        self._follow()
        self.edited.emit(self.field.name)

    def _follow(self) -> None:
        """Put the slider where the number is."""
        if self.slider is not None and self.field.minimum is not None:
            with QSignalBlocker(self.slider):
                self.slider.setValue(round((self.value - self.field.minimum) / self._step()))

    @Slot(int)
    def _slid(self, position: int) -> None:
        if isinstance(self.box, QSpinBox | QDoubleSpinBox) and self.field.minimum is not None:
            value = min(self.field.minimum + position * self._step(), self.box.maximum())
            self.box.setValue(int(value) if isinstance(self.box, QSpinBox) else value)  # type: ignore[arg-type]


class OptionsForm(QWidget):
    """All options of the workplace's checkpoint; those that are rare are in `rare`, beside it. `changed` comes with every
    value, and with other options."""

    changed = Signal()

    def __init__(self, session: Workplace, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.rows: dict[str, OptionRow] = {}
        self._lacking: Mapping[str, str] = {}
        self.rare = QWidget()
        for widget, below in ((self, 0), (self.rare, 10)):
            column = QVBoxLayout(widget)
            column.setContentsMargins(0, 0, 0, below)
            column.setSpacing(12)
        session.recipe_changed.connect(self._rebuild)

    @property
    def open(self) -> bool:
        """Whether there is an option that is not rare."""
        return any(not row.field.rare for row in self.rows.values())

    @property
    def unusual(self) -> list[str]:
        """The titles of the rare options that are not at their defaults."""
        rare = [row for row in self.rows.values() if row.field.rare]
        return [row.field.title for row in rare if row.value != row.field.default]

    @Slot()
    def _rebuild(self) -> None:
        for row in self.rows.values():
            self._column(row.field).removeWidget(row)
            row.hide()
            row.deleteLater()
        offer = self._session.offer
        fields = offer.options if offer else ()
        self.rows = {field.name: OptionRow(field, self._session.options[field.name]) for field in fields}
        for row in self.rows.values():
            row.edited.connect(self._take_value)
            self._column(row.field).addWidget(row)
        self.rare.setVisible(any(row.field.rare for row in self.rows.values()))
        self._limit()
        self.changed.emit()

    def _limit(self) -> None:
        values = {name: row.value for name, row in self.rows.items()}
        for row in self.rows.values():
            row.limit(values)
            idle = row.field.idle(values)
            row.show_lack(self._lacking.get(row.field.needs) or (f"This has no effect with {idle}." if idle else ""))

    def _column(self, field: OptionField) -> QLayout:
        column = (self.rare if field.rare else self).layout()
        assert column is not None
        return column

    def show_lacks(self, lacking: Mapping[str, str]) -> None:
        """Grey the options that need something which is `lacking`, which says why."""
        self._lacking = lacking
        self._limit()

    @Slot(str)
    def _take_value(self, name: str) -> None:
        self._session.set_option(name, self.rows[name].value)
        self._limit()
        self.changed.emit()

    @Slot()
    def reset(self) -> None:
        """Every option back to its default."""
        for row in self.rows.values():
            row.reset()
