"""The viewer: the photo before and after, alone, split or side by side, with zoom and pan that are the same for both.

Both pictures are painted through one pair of numbers, how many screen pixels a photo pixel is and `centre` (the photo pixel
in the middle of a pane), so they cannot drift apart. A photo pixel is one of the open photo also where an enlarged result is
shown: faces stay where they are, and so does the view. Painting takes the smallest sufficient level of a pyramid and only the
part that is visible, so a photo of fifty megapixels costs what the screen costs. Faces are outlined and can be clicked.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from facestudio.gui.qimage import Pyramid, to_qimage, visible_part
from facestudio.gui.reviewing import Review
from facestudio.gui.session import RESTORING, Session
from facestudio.gui.theme import Theme
from facestudio.gui.widgets import face_labels
from facestudio.gui.widgets.box_drawing import BoxDrawing
from facestudio.gui.widgets.painting import (
    DARK,
    WHITE,
    corners,
    paint_handle,
    paint_leader,
    paint_outline,
    paint_pill,
    paint_points,
    paint_preview,
    paint_tag,
    rounded,
    tag_place,
)
from facestudio.progress import Update

SINGLE, SPLIT, SIDE = "single", "split", "side by side"
MODES = (SINGLE, SPLIT, SIDE)
LARGEST_ZOOM = 32.0
LARGEST_FIT = 4.0
STEP = 1.25  # of a key or a notch of the wheel
CRISP = 4.0  # from this zoom on, pixels are shown as they are
GAP = 3  # between the two pictures side by side
GRIP = 14  # how near to the handle the mouse takes it
CLICK = 4  # a press that moves less is a click


class Layer(Protocol):
    """Something that is painted over the photo, below the outlines of faces."""

    def paint(self, painter: QPainter, pane: QRectF) -> None: ...


class Viewer(QWidget):
    """Shows the photo and result of the session, or of a review."""

    mode_changed = Signal(str)
    view_changed = Signal()  # zoom or centre
    original_changed = Signal()
    drawing_changed = Signal(bool)  # whether a box is being drawn around a missed face

    def __init__(self, session: Session | Review, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("viewer")
        self.setAccessibleName("Photo")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumSize(240, 180)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._session, self._theme = session, theme
        self.mode = SPLIT
        self.centre = QPointF(0, 0)
        self.handle = 0.5  # where the split stands, 0..1 of the width
        self.original = False
        self.boxes = True
        self.layers: list[Layer] = []
        self._zoom = 1.0
        self._fitted = True
        self._before: Pyramid | None = None  # as large as `_after`
        self._after: Pyramid | None = None
        self._times = 1  # how many times as large as the photo both are
        self._preview: QImage | None = None
        self._hovered: int | None = None
        self._numbers = face_labels.FaceNumbers()
        self._pressed: QPointF | None = None
        self._last = QPointF()
        self._moved = False
        self._on_handle = False
        self.drawing = BoxDrawing(self, theme)
        self.drawing.begun.connect(self._drawing_begun)
        self.drawing.ended.connect(self._drawing_ended)
        self.drawing.drawn.connect(session.add_face)
        session.photo_changed.connect(self._take_photo)
        session.result_changed.connect(self._take_result)
        session.faces_changed.connect(self._faces_changed)
        session.selection_changed.connect(self.update)
        session.progressed.connect(self._take_update)
        session.work_changed.connect(self._work_changed)
        theme.changed.connect(self.update)

    # ---- what is shown

    @Slot()
    def _take_photo(self) -> None:
        self._before = self._session.opened.pyramid if self._session.opened else None
        self._after = self._preview = self._hovered = None
        self._times = 1
        self.drawing.end()
        self.fit()

    @Slot()
    def _take_result(self) -> None:
        step, opened = self._session.history.current, self._session.opened
        had = self._after is not None, self._times
        self._before = step.before if step else opened.pyramid if opened else None
        self._after = step.pyramid if step else None
        self._times = step.times if step else 1
        if had != (self._after is not None, self._times):
            self._settle()  # side by side has panes of another width, and what is enlarged may be zoomed more
        self.update()

    @Slot()
    def _faces_changed(self) -> None:
        self._hovered = None
        self.update()

    @Slot(object)
    def _take_update(self, update: Update) -> None:
        if update.preview is not None and self._session.doing == RESTORING:  # of all photos, it is another one's
            pixels = np.asarray(getattr(update.preview, "pixels", update.preview))
            self._preview = to_qimage(pixels)
            self.update()

    @Slot()
    def _work_changed(self) -> None:
        if self._session.doing:
            self.drawing.end()
        if self._session.doing != RESTORING and self._preview is not None:
            self._preview = None
            self.update()

    @property
    def comparing(self) -> bool:
        """Whether there is a result to compare with."""
        return self._after is not None

    def set_mode(self, mode: str) -> None:
        """Show one picture, the split, or both side by side."""
        if mode != self.mode:
            self.mode = mode
            self._settle()
            self.mode_changed.emit(mode)

    def show_original(self, on: bool) -> None:
        """Show the original in place of the result."""
        if on != self.original:
            self.original = on
            self.update()
            self.original_changed.emit()

    def show_boxes(self, on: bool) -> None:
        """Outline the faces."""
        self.boxes = on
        self.update()

    @Slot(bool)
    def draw_box(self, on: bool) -> None:
        """Let the user draw a box around a missed face, or leave that."""
        if on and self._session.can_add:
            self.drawing.begin()
        else:
            self.drawing.end()

    @Slot()
    def _drawing_begun(self) -> None:
        self.drawing_changed.emit(True)

    @Slot()
    def _drawing_ended(self) -> None:
        self.drawing_changed.emit(False)

    # ---- zoom and pan

    @property
    def zoom(self) -> float:
        """Screen pixels a pixel of what is shown: 1 is 100 %."""
        return self._zoom / self._times

    @property
    def fitted(self) -> bool:
        """Whether the whole photo is kept in view."""
        return self._fitted

    def panes(self) -> list[QRectF]:
        """Where pictures are painted: one region, or two side by side."""
        whole = QRectF(self.rect())
        if self.mode != SIDE or not self.comparing:
            return [whole]
        width = (whole.width() - GAP) / 2
        return [QRectF(0, 0, width, whole.height()), QRectF(width + GAP, 0, width, whole.height())]

    def before_part(self, pane: QRectF) -> QRectF:
        """What of `pane` shows the photo before, where a result is seen beside it; else all of it. It may be empty."""
        if not self.comparing or self.mode == SINGLE or self.original:
            return pane
        if self.mode == SIDE:
            return pane if pane.left() == 0 else QRectF()
        return QRectF(0, 0, self._handle_x(), pane.height())

    @Slot()
    def fit(self) -> None:
        """Show the whole photo."""
        self._fitted = True
        self._settle()

    @Slot()
    def actual_size(self) -> None:
        """One pixel of what is shown a screen pixel."""
        self.zoom_to(1.0)

    @Slot()
    def zoom_in(self) -> None:
        self.zoom_to(self.zoom * STEP)

    @Slot()
    def zoom_out(self) -> None:
        self.zoom_to(self.zoom / STEP)

    def zoom_to(self, zoom: float, at: QPointF | None = None) -> None:
        """Zoom, keeping the photo pixel under the widget point `at` (None: the middle) where it is."""
        if self._before is None:
            return
        pane = self.pane_at(at) if at is not None else self.panes()[0]
        anchor = at if at is not None else pane.center()
        point = self.to_photo(anchor, pane)
        self._fitted = False
        least = min(self._fit_zoom(), self._times) / 2
        self._zoom = min(max(zoom * self._times, least), LARGEST_ZOOM * self._times)
        self.centre = point - (anchor - pane.center()) / self._scale
        self._settle()

    def pan(self, by: QPointF) -> None:
        """Move the photo by `by` widget pixels."""
        self._fitted = False
        self.centre -= by / self._scale
        self._settle()

    def show_face(self, index: int) -> None:
        """Zoom so that the face fills a good part of the view."""
        box = self._session.faces[index].box
        side = max(float(box[2] - box[0]), float(box[3] - box[1]), 1.0)
        pane = self.panes()[0]
        self._fitted = False
        wanted = min(pane.width(), pane.height()) * 0.5 / side * self.devicePixelRatioF()
        self._zoom = min(max(wanted, self._fit_zoom()), LARGEST_ZOOM * self._times)
        self.centre = QPointF(float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
        self._settle()

    @property
    def _size(self) -> tuple[int, int]:
        """Width and height of the open photo, also while something larger is shown."""
        width, height = self._before.size if self._before else (1, 1)
        return width // self._times, height // self._times

    @property
    def photo_rect(self) -> QRectF:
        """The open photo in its own pixels, from corner to corner."""
        return QRectF(0, 0, *self._size)

    @property
    def _scale(self) -> float:
        """Widget units a photo pixel."""
        return self._zoom / self.devicePixelRatioF()

    def _fit_zoom(self) -> float:
        if self._before is None:
            return 1.0
        pane, (width, height) = self.panes()[0], self._size
        scale = min((pane.width() - 24) / width, (pane.height() - 24) / height)
        return max(scale, 1e-4) * self.devicePixelRatioF()

    def _settle(self) -> None:
        """Keep zoom and centre within what makes sense, and show it."""
        if self._before is not None:
            width, height = self._size
            if self._fitted:
                self._zoom = min(self._fit_zoom(), LARGEST_FIT * self._times)
            pane = self.panes()[0]
            self.centre = QPointF(
                _kept(self.centre.x(), width, pane.width() / self._scale),
                _kept(self.centre.y(), height, pane.height() / self._scale),
            )
        self.update()
        self.view_changed.emit()

    def to_photo(self, point: QPointF, pane: QRectF) -> QPointF:
        """The photo pixel under a widget point of `pane`."""
        return self.centre + (point - pane.center()) / self._scale

    def to_widget(self, point: QPointF, pane: QRectF) -> QPointF:
        """Where `pane` shows a photo pixel."""
        return pane.center() + (point - self.centre) * self._scale

    def pane_at(self, point: QPointF) -> QRectF:
        """The pane under a widget point."""
        panes = self.panes()
        return panes[-1] if len(panes) == 2 and point.x() >= panes[1].left() else panes[0]

    # ---- painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # beyond its edges, because at 150 % they may lie within a pixel, and nobody else paints the rest of that
        painter.fillRect(self.rect().adjusted(-1, -1, 1, 1), self._theme.colour("canvas"))
        if self._before is None:
            return
        before, after = self._before, self._before if self.original else self._after
        panes = self.panes()
        if after is None or self.mode == SINGLE:
            self._paint_picture(painter, after or before, panes[0], panes[0])
            if self.comparing:
                paint_tag(painter, self._after_word(), panes[0], self.font(), left=True)
        elif self.mode == SIDE:
            for pane, picture, words in zip(panes, (before, after), ("Before", self._after_word()), strict=True):
                self._paint_picture(painter, picture, pane, pane)
                paint_tag(painter, words, pane, self.font(), left=True)
        else:
            self._paint_split(painter, before, after, panes[0])
        for pane in panes:
            for layer in self.layers:
                layer.paint(painter, pane)
        if after is not None and self.mode == SPLIT:
            held = self._theme.colour("accent") if self._on_handle else None
            paint_handle(painter, self._handle_x(), self.height(), held)
        for pane in panes:
            self._paint_boxes(painter, pane)
        if self._preview is not None:
            paint_preview(painter, self._preview, self.height(), self.font(), self._theme)

    def _after_word(self) -> str:
        return "Original" if self.original else "After"

    def _paint_picture(self, painter: QPainter, picture: Pyramid, pane: QRectF, clip: QRectF) -> None:
        """Paint what of `picture` falls into `clip`, which lies in `pane`; the clip does not change how it is sampled."""
        top_left, bottom_right = self.to_photo(pane.topLeft(), pane), self.to_photo(pane.bottomRight(), pane)
        level = picture.level_for(self.zoom)
        ends = (top_left.x(), top_left.y(), bottom_right.x(), bottom_right.y())
        part = visible_part(picture, level, *(end * self._times for end in ends))
        if part.isEmpty():
            return
        image, (width, height) = picture.levels[level], self._size
        across, down = width / image.width(), height / image.height()
        target = QRectF(
            self.to_widget(QPointF(part.left() * across, part.top() * down), pane),
            self.to_widget(QPointF((part.right() + 1) * across, (part.bottom() + 1) * down), pane),
        )
        painter.save()
        painter.setClipRect(clip)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.zoom < CRISP)
        painter.drawImage(target, image, QRectF(part))
        painter.restore()

    def _paint_split(self, painter: QPainter, before: Pyramid, after: Pyramid, pane: QRectF) -> None:
        x = self._handle_x()
        left, right = QRectF(0, 0, x, pane.height()), QRectF(x, 0, pane.width() - x, pane.height())
        self._paint_picture(painter, before, pane, left)
        self._paint_picture(painter, after, pane, right)
        paint_tag(painter, "Before", left, self.font(), left=True)
        paint_tag(painter, self._after_word(), right, self.font(), left=False)

    def _paint_boxes(self, painter: QPainter, pane: QRectF) -> None:
        if not self.boxes:
            return
        painter.save()
        painter.setClipRect(pane)
        boxes = [self._box(index, pane) for index in range(len(self._session.faces))]
        colours = [self._theme.colour("accent") if n in self._session.selected else WHITE for n in range(len(boxes))]
        for index, (box, colour) in enumerate(zip(boxes, colours, strict=True)):
            outline = corners(box) if self.comparing and index != self._hovered else rounded(box)
            style = Qt.PenStyle.SolidLine if index in self._session.selected else Qt.PenStyle.DashLine
            paint_outline(painter, outline, colour, 3.0 if index == self._hovered else 2.0, style)
        if self._hovered is not None:
            marks = self._session.faces[self._hovered].landmarks
            points = [self.to_widget(QPointF(float(x), float(y)), pane) for x, y in marks]
            paint_points(painter, points, colours[self._hovered])
        font, places = self.number_places(pane)
        painter.setFont(font)
        for index, (box, place) in enumerate(zip(boxes, places, strict=True)):
            ground = colours[index] if index in self._session.selected else DARK
            if face_labels.is_apart(box, place):
                paint_leader(painter, place, box, colours[index])
            paint_pill(painter, place, str(index + 1), ground)
        painter.restore()

    def number_places(self, pane: QRectF) -> tuple[QFont, list[QRectF]]:
        """Where the number of each face stands in `pane`, and the font that it is written in."""
        boxes = [self._box(index, pane) for index in range(len(self._session.faces))]
        return self._numbers.places(boxes, pane, self._tags(pane), self.font())

    def _tags(self, pane: QRectF) -> list[QRectF]:
        """Where the words over the pictures of `pane` stand."""
        if not self.comparing:
            return []
        words = (self._after_word(),) if self.mode == SINGLE or pane.left() > 0 else ("Before",)
        tags = [tag_place(*words, pane, self.font(), left=True)]
        if self.mode == SPLIT:
            tags.append(tag_place(self._after_word(), pane, self.font(), left=False))
        return tags

    def _box(self, index: int, pane: QRectF) -> QRectF:
        """Where `pane` shows the box of a face."""
        left, top, right, bottom = (float(x) for x in self._session.faces[index].box)
        start, end = self.to_widget(QPointF(left, top), pane), self.to_widget(QPointF(right, bottom), pane)
        return QRectF(start.toPoint(), end.toPoint()).normalized()

    def face_at(self, point: QPointF) -> int | None:
        """The smallest face whose box is under a widget point."""
        if not self.boxes:
            return None
        pane = self.pane_at(point)
        boxes = [(index, self._box(index, pane)) for index in range(len(self._session.faces))]
        under = [(box.width() * box.height(), index) for index, box in boxes if box.contains(point)]
        return min(under)[1] if under else None

    # ---- mouse and keys

    def _handle_x(self) -> float:
        return self.handle * self.width()

    def _over_handle(self, point: QPointF) -> bool:
        return self.mode == SPLIT and self.comparing and abs(point.x() - self._handle_x()) <= GRIP

    def wheelEvent(self, event: QWheelEvent) -> None:
        notches = event.angleDelta().y() / 120
        if notches:
            self.zoom_to(self.zoom * STEP**notches, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton) and self._before is not None:
            self._pressed = self._last = event.position()
            self._moved = False
            self._on_handle = event.button() == Qt.MouseButton.LeftButton and self._over_handle(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        where = event.position()
        if self._pressed is None:
            self._hover(where)
            return
        if not self._moved and (where - self._pressed).manhattanLength() < CLICK:
            return
        self._moved = True
        if self._on_handle:
            self.move_handle(where.x() / max(self.width(), 1))
        else:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.pan(where - self._last)
        self._last = where

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        clicked = self._pressed is not None and not self._moved and not self._on_handle
        self._pressed, self._on_handle = None, False
        if clicked and event.button() == Qt.MouseButton.LeftButton:
            index = self.face_at(event.position())
            if index is not None:
                self._session.toggle_face(index)
        self._hover(event.position())
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self.face_at(event.position()) is not None:
            self.mousePressEvent(event)  # two quick clicks on a box are two clicks
        elif self._fitted:
            self.zoom_to(1.0, event.position())
        else:
            self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {Qt.Key.Key_Left: (1, 0), Qt.Key.Key_Right: (-1, 0), Qt.Key.Key_Up: (0, 1), Qt.Key.Key_Down: (0, -1)}
        move = moves.get(Qt.Key(event.key()))
        if move is None or self._before is None:
            super().keyPressEvent(event)
        elif self.mode == SPLIT and self.comparing and move[0]:
            self.move_handle(self.handle - 0.02 * move[0])
        else:
            self.pan(QPointF(*move) * 40)

    def move_handle(self, to: float) -> None:
        """Put the split at `to`, 0..1 of the width."""
        self.handle = min(max(to, 0.0), 1.0)
        self.update()

    def _hover(self, point: QPointF) -> None:
        over = self._over_handle(point)
        hovered = None if over else self.face_at(point)
        if over:
            self.setCursor(Qt.CursorShape.SplitHCursor)
        elif hovered is not None:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        elif self._fitted:
            self.unsetCursor()
        else:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        if hovered != self._hovered:
            self._hovered = hovered
            self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._settle()

    def sizeHint(self) -> QSize:
        return QSize(900, 640)


def _kept(centre: float, length: float, seen: float) -> float:
    """The middle of the view on one axis: in the middle when all of `length` is seen, else never beyond an edge."""
    if seen >= length:
        return length / 2
    return min(max(centre, seen / 2), length - seen / 2)
