"""The drawing mode of the viewer: a rectangle is dragged around a face that was missed.

A layer over the viewer that takes the left mouse button while it is shown; wheel, middle button and arrow keys go on to the
viewer below, so that one can still zoom and move. It knows where the viewer shows the photo, and nothing of faces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from facestudio.gui.theme import Theme
from facestudio.gui.widgets.painting import paint_outline, paint_pill, rounded

if TYPE_CHECKING:
    from facestudio.gui.widgets.viewer import Viewer

SHADE, GROUND = QColor(0, 0, 0, 90), QColor(0, 0, 0, 205)
HINTS = ("Drag a box around the missed face.  Esc leaves.", "Drag a box.  Esc leaves.", "Drag a box")
DRAG = 4  # a press that moves less draws nothing


class BoxDrawing(QWidget):
    """Hidden until `begin`; `drawn` comes with (left, top, right, bottom) in photo pixels, after `ended`."""

    drawn = Signal(object)
    begun = Signal()
    ended = Signal()

    def __init__(self, viewer: Viewer, theme: Theme) -> None:
        super().__init__(viewer)
        self.setObjectName("boxDrawing")
        self.setAccessibleName(HINTS[0])
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._viewer, self._theme = viewer, theme
        self._pane = QRectF()
        self._from: QPointF | None = None  # photo pixels, so that zooming meanwhile does no harm
        self._to = QPointF()
        viewer.installEventFilter(self)
        viewer.view_changed.connect(self.update)
        theme.changed.connect(self.update)
        self.hide()

    @property
    def active(self) -> bool:
        """Whether the mode is on."""
        return not self.isHidden()

    def begin(self) -> None:
        """Take the mouse until a box is drawn or `end` is called."""
        if not self.active:
            self._from = None
            self.setGeometry(self._viewer.rect())
            self.show()
            self.raise_()
            self.setFocus()
            self.begun.emit()

    def end(self) -> None:
        """Leave the mode without a box."""
        if self.active:
            self._from = None
            self.hide()
            self._viewer.setFocus()
            self.ended.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._viewer.rect())
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._pane = self._viewer.pane_at(event.position())
        self._from = self._to = self._viewer.to_photo(event.position(), self._pane)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._from is None:
            event.ignore()
            return
        self._to = self._viewer.to_photo(event.position(), self._pane)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._from is None:
            event.ignore()
            return
        self._to = self._viewer.to_photo(event.position(), self._pane)
        seen = self._seen(self._pane)
        box = QRectF(self._from, self._to).normalized()
        self._from = None
        self.update()
        if seen.width() + seen.height() >= DRAG:  # a click is no box
            self.end()
            # places between pixels to pixel centres, which stand at whole numbers
            self.drawn.emit((box.left() - 0.5, box.top() - 0.5, box.right() - 0.5, box.bottom() - 0.5))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.end()
        else:
            event.ignore()

    def _seen(self, pane: QRectF) -> QRectF:
        """Where `pane` shows what is being drawn; empty while nothing is."""
        if self._from is None:
            return QRectF()
        start, end = (self._viewer.to_widget(point, pane) for point in (self._from, self._to))
        return QRectF(start, end).normalized()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        accent = self._theme.colour("accent")
        for pane in self._viewer.panes():
            painter.save()
            painter.setClipRect(pane)
            shade, box = QPainterPath(), self._seen(pane)
            shade.addRect(pane)
            if not box.isEmpty():
                shade.addRect(box)  # odd-even filling leaves a hole
            painter.fillPath(shade, SHADE)
            if not box.isEmpty():
                paint_outline(painter, rounded(box), accent, 2.0, Qt.PenStyle.SolidLine)
            painter.restore()
        self._paint_hint(painter)

    def _paint_hint(self, painter: QPainter) -> None:
        """What to do, at the lower edge and as long as there is room for."""
        metrics = self.fontMetrics()
        words = next((w for w in HINTS if metrics.horizontalAdvance(w) + 48 <= self.width()), HINTS[-1])
        width = metrics.horizontalAdvance(words) + 32
        painter.setFont(self.font())
        paint_pill(painter, QRectF((self.width() - width) / 2, self.height() - 48, width, 32), words, GROUND)
