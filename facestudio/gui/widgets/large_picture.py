"""One picture of the gallery as large as there is room, with the keys and buttons that go on and back.

While a slider is moved it shows the draft, and while a single picture is drawn what there is of it.
"""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QToolButton, QWidget

from facestudio.gui.generating import Making
from facestudio.gui.qimage import to_qimage
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.painting import paint_tag
from facestudio.progress import Update

MARGIN = 20
LARGEST = 3.0  # screen pixels a picture pixel: beyond, nothing is to be seen that is there
BUTTON = 44


class LargePicture(QWidget):
    """Shows the current picture of `making`; `closed` asks for the grid."""

    closed = Signal()

    def __init__(self, making: Making, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("largePicture")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._making, self._theme = making, theme
        self.back, self.earlier, self.later = QToolButton(self), QToolButton(self), QToolButton(self)
        for button, words, help in (
            (self.back, "All pictures", "Back to all pictures (Esc)"),
            (self.earlier, "The picture before", "The picture before (Left)"),
            (self.later, "The picture after", "The picture after (Right)"),
        ):
            button.setObjectName("overPicture")
            button.setAccessibleName(words)
            button.setToolTip(help)
            button.setIconSize(QSize(22, 22))
        self.back.setText("All pictures")
        self.back.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.back.clicked.connect(self.closed)
        self.earlier.clicked.connect(self.go_back)
        self.later.clicked.connect(self.go_on)
        self._coming: QImage | None = None  # what there is of a single picture
        making.progressed.connect(self._take_update)
        making.sliding.draft_changed.connect(self.refresh)
        making.selection_changed.connect(self.refresh)
        making.picture_added.connect(self.refresh)
        making.run_changed.connect(self.refresh)
        theme.changed.connect(self._draw)
        self._draw()

    @Slot()
    def go_back(self) -> None:
        """Show the picture before."""
        self._go(-1)

    @Slot()
    def go_on(self) -> None:
        """Show the picture after."""
        self._go(1)

    def _go(self, step: int) -> None:
        if self._making.current is not None:
            self._show(self._making.current + step)

    def _show(self, index: int) -> None:
        self._making.show_picture(min(max(index, 0), len(self._making.pictures) - 1))

    @property
    def image(self) -> QImage | None:
        """What is painted: the draft, the current picture, or what there is of the one that is drawn."""
        if self._making.sliding.draft is not None:
            return self._making.sliding.draft
        picture = self._making.picture
        return self._coming if picture is None else picture.image

    @Slot(object)
    def _take_update(self, update: Update) -> None:
        run = self._making.running
        if run is not None and run.count == 1 and update.preview is not None:
            self._coming = to_qimage(np.asarray(update.preview))
            self.refresh()

    def picture_rect(self) -> QRectF:
        """Where the picture is painted."""
        image = self.image
        if image is None:
            return QRectF()
        room = QRectF(self.rect()).adjusted(MARGIN + BUTTON, MARGIN, -MARGIN - BUTTON, -MARGIN)
        width, height = image.width(), image.height()
        scale = min(room.width() / width, room.height() / height, LARGEST if image is not self._coming else 2 * LARGEST)
        size = QPointF(width, height) * max(scale, 0.1)
        return QRectF(room.center() - size / 2, room.center() + size / 2)

    @Slot()
    def _draw(self) -> None:
        for button, icon in ((self.back, "gallery"), (self.earlier, "earlier"), (self.later, "later")):
            button.setIcon(self._theme.icon(icon))
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the current picture."""
        current, count = self._making.current, len(self._making.pictures)
        self.earlier.setEnabled(current is not None and current > 0)
        self.later.setEnabled(current is not None and current + 1 < count)
        if current is not None or self._making.running is None:
            self._coming = None
        self.setAccessibleName(self._tag() or "No picture yet")
        self.update()

    def _tag(self) -> str:
        picture, current = self._making.picture, self._making.current
        if self._making.sliding.draft is not None:
            return "Draft"
        if picture is None or current is None:
            return "Being drawn" if self._coming is not None else ""
        count = len(self._making.pictures)
        return f"Seed {picture.seed}" + (f", {current + 1} of {count}" if count > 1 else "")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), self._theme.colour("canvas"))
        image = self.image
        if image is not None:
            where = self.picture_rect()
            painter.drawImage(where, image)
            paint_tag(painter, self._tag(), where, self.font(), left=not where.intersects(QRectF(self.back.geometry())))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.back.adjustSize()
        self.back.move(MARGIN, MARGIN)
        middle = (self.height() - BUTTON) // 2
        for button, left in ((self.earlier, MARGIN // 2), (self.later, self.width() - BUTTON - MARGIN // 2)):
            button.setGeometry(left, middle, BUTTON, BUTTON)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        current, last = self._making.current, len(self._making.pictures) - 1
        key = event.key()
        if current is None:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Up, Qt.Key.Key_PageUp):
            self.go_back()
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_PageDown):
            self.go_on()
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._show(0 if key == Qt.Key.Key_Home else last)
        else:
            super().keyPressEvent(event)
