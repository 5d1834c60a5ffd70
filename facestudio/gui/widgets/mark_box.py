"""Marks in the panel: whether they are shown, the brush and the eraser, how large these are, and marks as files."""

from __future__ import annotations

import math

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QToolButton, QVBoxLayout, QWidget

from facestudio.gui.marking import BRUSH, ERASER, LARGEST, SMALLEST, Marking
from facestudio.gui.theme import Theme

FINE = 200  # steps of the slider


class MarkBox(QWidget):
    """Shows `marking`, and in the label `about` what there is to say of it; both are seen where scratches are mended."""

    load_asked = Signal()  # of a mask from a file
    save_asked = Signal()

    def __init__(self, marking: Marking, about: QLabel, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._marking, self._theme, self.about = marking, theme, about
        self.marks = _button("Show what is mended", "Show on the photo what will be mended as damage (Ctrl+M)")
        self.brush = _button("Brush", "Paint over damage that was not found (B)")
        self.eraser = _button("Eraser", "Erase marks; unmarked places are not mended (E)")
        self.load, self.save = QPushButton("Load mask…"), QPushButton("Save mask…")
        self.load.setToolTip("Load a scratch mask from a file: what is white in it will be mended (Ctrl+L)")
        self.save.setToolTip("Save what is marked as a picture, to correct it or to use it again (Ctrl+Shift+M)")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, FINE)
        self.slider.setPageStep(FINE // 10)
        self.slider.setAccessibleName("Size of the brush")
        self.slider.setToolTip("How wide the brush is, in pixels of the photo ([ and ])")
        self.width_label = QLabel()
        self.width_label.setMinimumWidth(self.width_label.fontMetrics().horizontalAdvance("400 px"))
        self.width_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        tools, files, column = QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        tools.setSpacing(4)
        for widget in (self.marks, self.brush, self.eraser):
            tools.addWidget(widget)
        tools.addWidget(self.slider, 1)
        tools.addWidget(self.width_label)
        for button in (self.load, self.save):
            button.setAutoDefault(False)
            files.addWidget(button, 1)
        for row in (tools, files):
            column.addLayout(row)
        self.marks.toggled.connect(marking.show)
        self.brush.clicked.connect(marking.use_brush)
        self.eraser.clicked.connect(marking.use_eraser)
        self.load.clicked.connect(self.load_asked)
        self.save.clicked.connect(self.save_asked)
        self.slider.valueChanged.connect(self._resize)
        marking.changed.connect(self.refresh)
        theme.changed.connect(self._draw)
        self._draw()
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what is chosen."""
        marking = self._marking
        self.setVisible(marking.wanted)
        for button, on in (
            (self.marks, marking.visible),
            (self.brush, marking.tool == BRUSH),
            (self.eraser, marking.tool == ERASER),
        ):
            with QSignalBlocker(button):
                button.setChecked(on)
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(FINE * math.log(marking.size / SMALLEST) / math.log(LARGEST / SMALLEST)))
        self.width_label.setText(f"{marking.size:.0f} px")
        self.about.setText(marking.about)
        self.about.setVisible(bool(marking.about))

    @Slot(int)
    def _resize(self, value: int) -> None:
        self._marking.resize(float(round(SMALLEST * (LARGEST / SMALLEST) ** (value / FINE))))

    @Slot()
    def _draw(self) -> None:
        for button, icon in ((self.marks, "marks"), (self.brush, "brush"), (self.eraser, "eraser")):
            button.setIcon(self._theme.icon(icon))


def _button(name: str, words: str) -> QToolButton:
    button = QToolButton()
    button.setObjectName("markTool")
    button.setCheckable(True)
    button.setIconSize(QSize(20, 20))
    button.setAccessibleName(name)
    button.setToolTip(words)
    return button
