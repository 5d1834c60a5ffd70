"""The sliders of a made face, in groups: a title, what stands at its ends, the slider, its value.

A double click on title or slider sets it back; Left and Right move it by one step. While one is dragged its value is told at
once, and that it was let go when it was; keys are let go when they rest. Nothing is seen where nothing is offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSlider, QVBoxLayout, QWidget

from facestudio.faces.sliders import PERSON
from facestudio.gui.generating import Making
from facestudio.gui.widgets.options_form import ResetLabel

if TYPE_CHECKING:
    from facestudio.faces.sliders import Slider

STEPS = 20  # from the middle to an end
APART = 4  # px between groups
REST = 500  # ms without a key after which a slider is let go


class ResettingSlider(QSlider):
    """A slider that a double click sets back to the middle."""

    reset = Signal()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.reset.emit()


class SliderRow(QWidget):
    """One slider. `moved` tells its id and value at each step, `let_go` that it rests."""

    moved = Signal(str, float)
    let_go = Signal()

    def __init__(self, about: Slider, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.about = about
        back = "the middle" if about.least else "its beginning"
        self._help = f"{about.help} Left: {about.low}; right: {about.high}.\nDouble-click sets it back to {back}."
        self.title, self.number = ResetLabel(about.title), QLabel()
        self.number.setObjectName("chipInfo")
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.slider = ResettingSlider(Qt.Orientation.Horizontal)
        if about.least:
            self.slider.setObjectName("twoSided")
        self.slider.setRange(round(about.least * STEPS), STEPS)
        self.slider.setPageStep(STEPS // 4)
        self.slider.setAccessibleName(about.title)
        self.slider.setAccessibleDescription(self._help)
        self.title.setBuddy(self.slider)
        row = QGridLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setHorizontalSpacing(8)
        row.setVerticalSpacing(0)
        row.addWidget(self.title, 0, 0)
        row.addWidget(self.number, 0, 1)
        row.addWidget(self.slider, 1, 0, 1, 2)
        row.setColumnStretch(0, 1)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST)
        self._rest.timeout.connect(self.let_go)
        self.title.reset.connect(self.reset)
        self.slider.reset.connect(self.reset)
        self.slider.valueChanged.connect(self._slid)
        self.slider.sliderReleased.connect(self._released)
        self.show_value(0.0)
        self.show_lack("")

    def show_lack(self, why: str) -> None:
        """Grey it and say `why` it has no effect; "" when it has one."""
        for widget in (self.title, self.slider, self.number):
            widget.setEnabled(not why)
            widget.setToolTip(why or self._help)

    def show_value(self, value: float) -> None:
        """Show where it stands, and tell nobody."""
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(value * STEPS))
        self._say()

    @property
    def value(self) -> float:
        """Where it stands, -1 or 0 to 1."""
        return self.slider.value() / STEPS

    @Slot()
    def reset(self) -> None:
        """Back to 0, as if it had been let go there."""
        self._rest.stop()
        self.slider.setValue(0)
        self._rest.stop()
        self.let_go.emit()

    def _say(self) -> None:
        end = self.about.high if self.value > 0 else self.about.low
        self.number.setText(f"{end} {abs(self.value):.2f}" if self.value else "0")

    @Slot()
    def _slid(self) -> None:
        self._say()
        self.moved.emit(self.about.id, self.value)
        if not self.slider.isSliderDown():
            self._rest.start()

    @Slot()
    def _released(self) -> None:
        self._rest.stop()
        self.let_go.emit()


class SliderRows(QWidget):
    """All sliders that `making` offers, a heading for each group."""

    def __init__(self, making: Making, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._making = making
        self.rows: dict[str, SliderRow] = {}
        self._headings: list[QLabel] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(3)
        making.sliding.offered_changed.connect(self._rebuild)
        making.sliding.values_changed.connect(self.refresh)
        making.who_changed.connect(self.refresh)
        making.selection_changed.connect(self.refresh)
        self._rebuild()

    @Slot()
    def _rebuild(self) -> None:
        for widget in (*self.rows.values(), *self._headings):
            self._column.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self.rows, self._headings = {}, []
        group = ""
        for about in self._making.sliding.offered:
            if about.group != group:
                group = about.group
                heading = QLabel(group)
                heading.setObjectName("chipTitle")
                heading.setContentsMargins(0, APART if self._headings else 0, 0, 0)
                self._headings.append(heading)
                self._column.addWidget(heading)
            row = SliderRow(about)
            row.moved.connect(self._making.slide)
            row.let_go.connect(self._making.slid)
            self.rows[about.id] = row
            self._column.addWidget(row)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show where the sliders stand."""
        unmoved = self._making.unmoved
        for name, row in self.rows.items():
            row.show_value(self._making.sliding.value(name))
            row.show_lack(unmoved if row.about.group == PERSON else "")
