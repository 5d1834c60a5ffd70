"""The viewer: the photo before and after, alone, split or side by side, as `view` says what is seen of them.

Painting takes the smallest sufficient level of a pyramid and only the part that is visible, so a photo of fifty megapixels
costs what the screen costs. Faces are outlined and can be clicked; mouse and keys zoom and move.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import (
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
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
from facestudio.gui.widgets.view import SIDE, SINGLE, SPLIT, STEP, View
from facestudio.progress import Update

CRISP = 4.0  # from this zoom on, pixels are shown as they are
GRIP = 14  # how near to the handle the mouse takes it
CLICK = 4  # a press that moves less is a click


class Layer(Protocol):
    """Something that is painted over the photo, below the outlines of faces."""

    def paint(self, painter: QPainter, pane: QRectF) -> None: ...


class Viewer(View):
    """Shows the photo and result of the session, or of a review."""

    face_clicked = Signal(int)  # it was ticked or unticked over the photo
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
        self.boxes = True
        self.layers: list[Layer] = []
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
    def show_anew(self) -> None:
        """The photo lies another way: show all of it."""
        self._take_photo()

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

    def show_face(self, index: int) -> None:
        """Zoom so that the face fills a good part of the view."""
        self.show_box(self._session.faces[index].box)

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
                self.face_clicked.emit(index)
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
