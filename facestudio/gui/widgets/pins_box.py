"""Two pinned pictures and the way between them: A, B, how many steps, and the button that draws them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSpinBox, QVBoxLayout, QWidget

from facestudio.generating import MOST
from facestudio.gui.casting import PINS, A
from facestudio.gui.generating import Making
from facestudio.gui.widgets.work_panel import note

SIDE = 64  # px of a pinned picture
HINT = "Pin one picture as A and another as B (Ctrl+Alt+A, Ctrl+Alt+B)."


class PinsBox(QWidget):
    """The pins of `making`."""

    def __init__(self, making: Making, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._making = making
        self.places = {name: QLabel(name) for name in PINS}
        pins = QHBoxLayout()
        pins.setSpacing(8)
        for name, place in self.places.items():
            place.setObjectName("compareFace")
            place.setFixedSize(SIDE, SIDE)
            place.setAlignment(Qt.AlignmentFlag.AlignCenter)
            place.setToolTip(f"Where the walk {'begins' if name == A else 'ends'} (Ctrl+Alt+{name})")
            pins.addWidget(place)
        self.steps = QSpinBox()
        self.steps.setRange(2, min(MOST, 100))
        self.steps.setValue(making.casting.steps)
        self.steps.lineEdit().setTextMargins(6, 0, 6, 0)
        self.steps.setSuffix(" pictures")
        self.steps.setAccessibleName("Pictures of the walk")
        self.steps.setToolTip("Number of pictures from A to B, including both")
        self.steps.valueChanged.connect(making.casting.set_steps)
        self.walk = QPushButton("Walk")
        self.walk.clicked.connect(making.walk)
        right = QVBoxLayout()
        right.setSpacing(6)
        right.addWidget(self.steps)
        right.addWidget(self.walk)
        pins.addLayout(right, 1)
        self.hint = note()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(pins)
        column.addWidget(self.hint)
        making.casting.pins_changed.connect(self.refresh)
        making.work_changed.connect(self.refresh)
        making.who_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the pins there are."""
        pins = self._making.casting.pins
        for name, place in self.places.items():
            pin = pins.get(name)
            if pin is None:
                place.setText(name)
                place.setAccessibleName(f"{name}: nobody yet")
            else:
                pixmap = QPixmap.fromImage(pin.image).scaled(
                    2 * SIDE - 4,
                    2 * SIDE - 4,
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
                pixmap.setDevicePixelRatio(2)
                place.setPixmap(pixmap)
                place.setAccessibleName(f"{name}: {pin.who}, seed {pin.seed}")
        self.walk.setEnabled(self._making.ready_to_walk)
        why = self._making.casting.wayless
        self.walk.setToolTip(f"Draw the people between A and B, in the pose of A (Ctrl+Alt+W). {why}".rstrip())
        self.hint.setText(HINT if len(pins) < len(PINS) else why)
        self.hint.setVisible(bool(why))
