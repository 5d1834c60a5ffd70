"""The strip of faces: a chip of each, and at its end adding a missed one; or why there is none."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from facestudio.gui.session import FINDING, Session
from facestudio.gui.text_size import widened
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.face_chip import CROP, FaceChip

HEIGHT = 214  # room for what two recognisers say; it grows where there is more
MARGIN = 10  # px above and below the chips
ADD = 104  # width of the button at the end


class FaceStrip(QWidget):
    """All faces of the photo, or why there is none. `add_asked`: a missed face is to be added."""

    face_shown = Signal(int)
    figures_asked = Signal(int)
    explanation_asked = Signal(int)
    add_asked = Signal()

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("faceStrip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        self._session, self._theme = session, theme
        self.chips: list[FaceChip] = []
        self.message = QLabel()
        self.message.setObjectName("stripMessage")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.offer = QPushButton("Add a missed face…")
        self.offer.setToolTip("Draw a box around a face that was missed (F4)")
        self.add = QToolButton()
        self.add.setObjectName("addFace")
        self.add.setText("Add a missed\nface…")
        self.add.setAccessibleName("Add a missed face")
        self.add.setToolTip("Draw a box around a face that was missed (F4)")
        self.add.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        self.add.setIconSize(QSize(28, 28))
        self.add.setFixedSize(widened(ADD), widened(CROP + 16))
        for button in (self.offer, self.add):
            button.clicked.connect(self.add_asked)
        nobody = QWidget()
        column = QVBoxLayout(nobody)
        column.setSpacing(12)
        column.addStretch(1)
        column.addWidget(self.message)
        column.addWidget(self.offer, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self._row = QWidget()
        self._row.setObjectName("chipRow")
        self._chips = QHBoxLayout(self._row)
        self._chips.setContentsMargins(12, MARGIN, 12, MARGIN)
        self._chips.setSpacing(10)
        self._chips.addWidget(self.add, 0, Qt.AlignmentFlag.AlignTop)
        self._chips.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it can be reached
        self._scroll.setObjectName("chipScroll")
        self._scroll.setWidgetResizable(True)
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._row)
        self._row.installEventFilter(self)
        self._scroll.viewport().installEventFilter(self)
        self._at_end = False  # whether the end is to be seen: a face was added, and nobody scrolled since
        self._scroll.horizontalScrollBar().rangeChanged.connect(self._show_end)
        self._scroll.horizontalScrollBar().actionTriggered.connect(self._leave_end)
        self._stack = QStackedWidget()
        self._stack.addWidget(nobody)
        self._stack.addWidget(self._scroll)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 1, 0, 0)
        layout.addWidget(self._stack)
        session.photo_changed.connect(self._forget_height)
        session.photo_changed.connect(self._rebuild)
        session.faces_changed.connect(self._rebuild)
        session.work_changed.connect(self._tell)
        session.selection_changed.connect(self._show_ticks)
        session.result_changed.connect(self._show_result)
        theme.changed.connect(self._draw)
        self._draw()

    @Slot()
    def _draw(self) -> None:
        self.offer.setIcon(self._theme.icon("add-face"))
        self.add.setIcon(self._theme.icon("add-face", "muted"))

    @Slot()
    def _rebuild(self) -> None:
        grown = 0 < len(self.chips) < len(self._session.faces)
        for chip in self.chips:
            self._chips.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self.chips = []
        for index, (face, crop) in enumerate(zip(self._session.faces, self._session.crops, strict=True)):
            added = self._session.history.state.is_added(index)
            info = f"eyes {face.interocular:.0f} px apart\nscore {face.score:.2f}{', by hand' if added else ''}"
            chip = FaceChip(index, crop, info, self._theme, added)
            chip.removed.connect(self._session.remove_face)
            chip.toggled.connect(self._session.toggle_face)
            chip.shown.connect(self.face_shown)
            chip.figures_asked.connect(self.figures_asked)
            chip.explanation_asked.connect(self.explanation_asked)
            self._chips.insertWidget(index, chip)
            self.chips.append(chip)
        self._show_ticks()
        self._show_result()
        self._tell()
        self._at_end = grown
        self._show_end()  # and again once the row has its new width

    @Slot()
    def _forget_height(self) -> None:
        self.setFixedHeight(HEIGHT)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._row and event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self._grow()
        if watched is self._scroll.viewport() and isinstance(event, QWheelEvent):
            return self._turn(event)
        return False

    def _turn(self, event: QWheelEvent) -> bool:
        """Let a wheel that turns up and down move the chips, which lie in a row."""
        by, bar = event.angleDelta(), self._scroll.horizontalScrollBar()
        if abs(by.x()) > abs(by.y()) or bar.maximum() == 0:
            return False
        self._at_end = False
        pixels = event.pixelDelta().y() or by.y()
        bar.setValue(bar.value() - pixels)
        return True

    @Slot(int)
    def bring(self, index: int) -> None:
        """Show the chip of face `index`."""
        self._at_end = False
        self._scroll.ensureWidgetVisible(self.chips[index], 2 * MARGIN, 0)

    def _grow(self) -> None:
        """Be as high as the highest chip needs; not lower again with the same photo, or the picture would jump."""
        bar = self._scroll.horizontalScrollBar()
        below = bar.sizeHint().height() if bar.maximum() > 0 else 0
        needed = max((chip.needed_height for chip in self.chips), default=0) + 2 * MARGIN + 1 + below
        if needed > self.height():
            self.setFixedHeight(needed)

    @Slot()
    def _show_end(self) -> None:
        if self._at_end:
            bar = self._scroll.horizontalScrollBar()
            bar.setValue(bar.maximum())

    @Slot()
    def _leave_end(self) -> None:
        self._at_end = False

    @Slot()
    def _tell(self) -> None:
        if self._session.doing == FINDING:
            words = "Looking for faces…"
        elif self._session.looked:
            words = "No face was found in this photo. If there is one, draw a box around it."
        else:
            words = "This photo has not been searched for faces. Photo > Find faces again (F5) starts the search."
        self.message.setText(words)
        self.offer.setVisible(self._session.looked and self._session.can_add)
        self.add.setEnabled(self._session.can_add)
        self._stack.setCurrentIndex(1 if self.chips else 0)

    @Slot()
    def _show_ticks(self) -> None:
        for chip in self.chips:
            chip.show_ticked(chip.index in self._session.selected)

    @Slot()
    def _show_result(self) -> None:
        step = self._session.history.current
        for chip in self.chips:
            face = self._session.faces[chip.index]
            if step is None:
                chip.show_result(None, None)
            else:
                chip.show_result(
                    step.result_of(face), step.crop_of(face), step.reference.name if step.reference else ""
                )

    def show_original(self, on: bool) -> None:
        """Show the crops of the original while `on`."""
        for chip in self.chips:
            chip.show_original(on)
