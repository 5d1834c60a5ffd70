"""The drawing mode of the viewer: a rectangle is drawn around a face that was missed, by mouse or by keys.

A layer over the viewer that takes the left mouse button and the arrow keys while it is shown; wheel and middle button go on
to the viewer below, so that one can still zoom and move. The first key puts a box in the middle of what is seen, arrows move
it, and with Shift its lower right corner. It knows where the viewer shows the photo, and nothing of faces.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QWidget

from facestudio.gui.theme import Theme
from facestudio.gui.widgets.painting import paint_hint, paint_outline, rounded
from facestudio.gui.widgets.view import View

SHADE = QColor(0, 0, 0, 90)
HINTS = (
    "Drag a box around the missed face, or press an arrow key.  Esc cancels.",
    "Drag a box around the missed face.  Esc cancels.",
    "Drag a box.  Esc cancels.",
    "Drag a box",
)
KEY_HINTS = (
    "Arrow keys move the box, Shift+arrows resize it.  Enter accepts, Esc cancels.",
    "Arrows, Shift+arrows.  Enter, Esc.",
    "Enter or Esc",
)
DRAG = 4  # a press that moves less draws nothing
STEP, LEAST = 8, 16  # screen units that a key moves, and that a box of keys is wide at least
SHARE = 0.3  # of what is seen of the photo, that a box of keys begins with
ARROWS = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
TAKES = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class BoxDrawing(QWidget):
    """Hidden until `begin`; `drawn` comes with (left, top, right, bottom) in photo pixels, after `ended`.

    `told` says in a sentence where the box of the keys is, for who does not see it.
    """

    drawn = Signal(object)
    begun = Signal()
    ended = Signal()
    told = Signal(str)

    def __init__(self, viewer: View, theme: Theme) -> None:
        super().__init__(viewer)
        self.setObjectName("boxDrawing")
        self.setAccessibleName(HINTS[0])
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._viewer, self._theme = viewer, theme
        self._pane = QRectF()
        self._from: QPointF | None = None  # photo pixels, so that zooming meanwhile does no harm
        self._to = QPointF()
        self._by_keys = False
        viewer.installEventFilter(self)
        viewer.view_changed.connect(self.update)
        theme.changed.connect(self.update)
        self.hide()

    @property
    def active(self) -> bool:
        """Whether the mode is on."""
        return not self.isHidden()

    def begin(self) -> None:
        """Take mouse and keys until a box is drawn or `end` is called."""
        if not self.active:
            self._clear()
            self.setGeometry(self._viewer.rect())
            self.show()
            self.raise_()
            self.setFocus()
            self.begun.emit()
            self.told.emit(HINTS[0])

    def end(self) -> None:
        """Leave the mode without a box."""
        if self.active:
            self._clear()
            self.hide()
            self._viewer.setFocus()
            self.ended.emit()

    def _clear(self) -> None:
        self._from, self._by_keys = None, False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.setGeometry(self._viewer.rect())
        return False

    # ---- by mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()
            return
        self._by_keys = False
        self._pane = self._viewer.pane_at(event.position())
        self._from = self._to = self._viewer.to_photo(event.position(), self._pane)
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._from is None or self._by_keys:
            event.ignore()
            return
        self._to = self._viewer.to_photo(event.position(), self._pane)
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or self._from is None or self._by_keys:
            event.ignore()
            return
        self._to = self._viewer.to_photo(event.position(), self._pane)
        seen = self._seen(self._pane)
        if seen.width() + seen.height() >= DRAG:  # a click is no box
            self._take()
        else:
            self._clear()
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)

    def _take(self) -> None:
        """What is drawn is the box."""
        assert self._from is not None
        box = QRectF(self._from, self._to).normalized()
        self.end()
        # places between pixels to pixel centres, which stand at whole numbers
        self.drawn.emit((box.left() - 0.5, box.top() - 0.5, box.right() - 0.5, box.bottom() - 0.5))

    # ---- by keys

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, resizes = Qt.Key(event.key()), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key == Qt.Key.Key_Escape:
            self.end()
        elif key in TAKES and self._by_keys:
            self._take()
        elif key in ARROWS or key in TAKES:
            self._put(self._moved(*ARROWS[key], resizes) if self._by_keys else self._first())
        else:
            event.ignore()

    def _first(self) -> QRectF:
        """A square in the middle of what is seen of the photo."""
        self._pane = self._viewer.panes()[0]
        corners = (self._viewer.to_photo(p, self._pane) for p in (self._pane.topLeft(), self._pane.bottomRight()))
        seen = QRectF(*corners) & self._viewer.photo_rect
        side = min(seen.width(), seen.height()) * SHARE
        box = QRectF(0, 0, side, side)
        box.moveCenter(seen.center())
        return box

    def _moved(self, across: int, down: int, resizes: bool) -> QRectF:
        """The box one step on, or with its lower right corner there; never beyond the photo."""
        assert self._from is not None
        unit = self._viewer.to_photo(QPointF(1, 0), self._pane).x() - self._viewer.to_photo(QPointF(), self._pane).x()
        photo, box, step = self._viewer.photo_rect, QRectF(self._from, self._to).normalized(), STEP * unit
        if resizes:
            least = LEAST * unit
            right = max(box.right() + across * step, box.left() + least)
            bottom = max(box.bottom() + down * step, box.top() + least)
            return QRectF(box.topLeft(), QPointF(min(right, photo.right()), min(bottom, photo.bottom())))
        box.moveLeft(min(max(box.left() + across * step, 0.0), photo.right() - box.width()))
        box.moveTop(min(max(box.top() + down * step, 0.0), photo.bottom() - box.height()))
        return box

    def _put(self, box: QRectF) -> None:
        """Show `box`, bring it into view and say where it is."""
        self._from, self._to, self._by_keys = box.topLeft(), box.bottomRight(), True
        seen, pane = self._seen(self._pane), self._pane
        beyond = QPointF(
            max(0.0, seen.right() - pane.right()) or min(0.0, seen.left() - pane.left()),
            max(0.0, seen.bottom() - pane.bottom()) or min(0.0, seen.top() - pane.top()),
        )
        if not beyond.isNull():
            self._viewer.pan(-beyond)
        self.update()
        places = f"left {box.left():.0f}, top {box.top():.0f}, {box.width():.0f} wide, {box.height():.0f} high"
        self.told.emit(f"Box: {places}, in pixels of the photo.  {KEY_HINTS[0]}")

    # ---- painting

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
        paint_hint(painter, self, KEY_HINTS if self._by_keys else HINTS)
