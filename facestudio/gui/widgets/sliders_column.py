"""The column of sliders beside the pictures of Generate: all of them are seen at once, and what they move is next to them.

Separate from the panel at the other side, which says what the next pictures are: sliders are about the one that is looked at.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from facestudio.gui.generating import Making
from facestudio.gui.text_size import widened
from facestudio.gui.widgets.slider_rows import SliderRow, SliderRows

WIDTH = 230  # px, unless somebody drags its edge
NARROWEST = 190


class SlidersColumn(QWidget):
    """The sliders that `making` offers, and `reset`, the button that sets all of them back."""

    def __init__(self, making: Making, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidePanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(widened(NARROWEST))
        self._making = making
        self._all = SliderRows(making)
        heading = QLabel("SLIDERS")
        heading.setObjectName("section")
        self.reset = QToolButton()
        self.reset.setText("Reset all")
        self.reset.setToolTip("Set every slider back to the middle (Ctrl+Shift+D)")
        content = QWidget()
        content.setObjectName("sideContent")
        rows = QVBoxLayout(content)
        rows.setContentsMargins(14, 2, 14, 2)
        rows.setSpacing(0)
        rows.addWidget(self._all)
        rows.addStretch(1)
        scroll = QScrollArea()
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it can be reached
        scroll.setObjectName("sideScroll")
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        head = QHBoxLayout()
        head.setContentsMargins(14, 5, 6, 0)
        head.addWidget(heading, 1)
        head.addWidget(self.reset)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(scroll, 1)
        making.sliding.values_changed.connect(self.refresh)
        self.refresh()

    @property
    def rows(self) -> dict[str, SliderRow]:
        """Each slider by its id."""
        return self._all.rows

    @Slot()
    def refresh(self) -> None:
        """Show whether there is anything to set back."""
        self.reset.setEnabled(any(self._making.sliding.values.values()))
