"""The brush and the eraser in the viewer: a stroke is drawn by the left mouse button, round and as wide as is shown.

A layer over the viewer that takes the left mouse button while a tool is in hand; wheel and middle button go on to the viewer
below, and so do all keys, so that one can still zoom and move. It knows where the viewer shows the photo, and nothing of what
is marked.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from facestudio.gui.marking import ERASER, Marking
from facestudio.gui.widgets.painting import SHADOW, WHITE, paint_hint
from facestudio.gui.widgets.viewer import Viewer

NEAR = 0.5  # widget units; points that are nearer than that are one
LEAST = 3.0  # widget units that the circle is wide at least, so that it is seen
HINTS = {
    True: (
        "Erase marks: unmarked places are not mended.  [ and ] change the size.  Esc stops.",
        "Erase marks.  Esc stops.",
        "Erase",
    ),
    False: (
        "Paint over damage to have it mended.  [ and ] change the size.  Esc stops.",
        "Paint over damage.  Esc stops.",
        "Paint",
    ),
}


class Brush(QWidget):
    """Hidden unless a stroke can be made. `told` says in a sentence what can be done, for who does not see it."""

    begun = Signal()  # another tool is in hand
    ended = Signal()
    told = Signal(str)

    def __init__(self, viewer: Viewer, marking: Marking) -> None:
        super().__init__(viewer)
        self.setObjectName("brush")
        self.setAccessibleName("Brush")
        self.setMouseTracking(True)
        self.setCursor(Qt.CursorShape.BlankCursor)
        self._viewer, self._marking = viewer, marking
        self._points: list[tuple[float, float]] = []
        self._pane = QRectF()
        self._at: QPointF | None = None
        self._tool = ""  # that was in hand last
        viewer.installEventFilter(self)
        viewer.view_changed.connect(self.update)
        viewer.drawing.begun.connect(self._leave)
        marking.changed.connect(self.refresh)
        self.hide()

    @Slot()
    def refresh(self) -> None:
        """Take the mouse, or leave it to the viewer."""
        tool, before = self._marking.tool, self._tool
        self._tool = tool
        if self._marking.can_paint:
            if self.isHidden():
                self._viewer.drawing.end()
                self.setGeometry(self._viewer.rect())
                self.show()
                self._viewer.setFocus()
            self.setAccessibleName(HINTS[tool == ERASER][0])
        else:
            if self._points:  # what came between is not for the stroke to be done
                self._points = []
                self._marking.draw([])
            self.hide()
        self.update()
        if tool and tool != before:
            self.begun.emit()
            self.told.emit(HINTS[tool == ERASER][0])
        elif before and not tool:
            self.ended.emit()

    @Slot()
    def _leave(self) -> None:
        self._marking.use("")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._viewer.rect())
        return False

    # ---- the mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._pane = self._viewer.pane_at(event.position())
        self._points = []
        self._add(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._at = event.position()
        self.update()
        if self._points and event.buttons() & Qt.MouseButton.LeftButton:
            self._add(event.position())
        else:
            event.ignore()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self._points:
            event.ignore()
            return
        self._add(event.position())
        self._points = []
        self._marking.finish()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        self._at = None
        self.update()

    def _add(self, at: QPointF) -> None:
        """The stroke goes on to a widget point."""
        place = self._viewer.to_photo(at, self._pane)
        if self._points:
            off = self._viewer.to_widget(QPointF(*self._points[-1]), self._pane) - at
            if abs(off.x()) + abs(off.y()) < NEAR:
                return
        self._points.append((place.x(), place.y()))
        self._marking.draw(self._points)

    # ---- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        erases = self._marking.tool == ERASER
        if self._at is not None:
            pane = self._viewer.pane_at(self._at)
            unit = self._viewer.to_widget(QPointF(1, 0), pane).x() - self._viewer.to_widget(QPointF(), pane).x()
            radius = max(self._marking.size * unit, LEAST) / 2
            for colour, width in ((SHADOW, 3.0), (WHITE, 1.5)):
                style = Qt.PenStyle.DashLine if erases and colour is WHITE else Qt.PenStyle.SolidLine
                painter.setPen(QPen(colour, width, style))
                painter.drawEllipse(self._at, radius, radius)
        paint_hint(painter, self, HINTS[erases])
