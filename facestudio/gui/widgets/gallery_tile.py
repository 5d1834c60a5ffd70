"""How one place of the gallery is painted: the picture with its seed and its words, or that it is still to come."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from facestudio.gui.runs import Picture
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.painting import DARK, WHITE, paint_pill
from facestudio.gui.widgets.portrait_readout import tone_of, words_of

PICTURE = Qt.ItemDataRole.UserRole  # a Picture, None while it is to come
PREVIEW = Qt.ItemDataRole.UserRole + 1  # a QImage of what is being drawn there, or None
CAPTION = Qt.ItemDataRole.UserRole + 2  # what stands below
SIDE = 176  # px that a picture should have; it gets some more or less, so that a row is full
RIM = 5  # around it, for the outline
LINE = 22  # below it, for the words
TICK = 22


class TileDelegate(QStyledItemDelegate):
    """Paints the items of a GalleryModel."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.side = SIDE

    def fill(self, width: int, spacing: int) -> bool:
        """Make tiles as large as fills rows of `width` px; whether that is another size."""
        around = 2 * RIM + spacing
        columns = max(round((width - spacing) / (SIDE + around)), 1)
        side = max((width - 2 * spacing) // columns - around, SIDE // 2)
        changed, self.side = side != self.side, side
        return changed

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(self.side + 2 * RIM, self.side + 2 * RIM + LINE)

    def tick(self, tile: QRect) -> QRect:
        """Where a tile's tick is: as large as a finger needs, larger than it is painted."""
        return QRect(tile.topLeft() + QPoint(RIM, RIM), QSize(TICK + 14, TICK + 14))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        rect: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        picture: Picture | None = index.data(PICTURE)
        where = QRectF(rect.left() + RIM, rect.top() + RIM, self.side, self.side)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        if picture is None:
            self._paint_place(painter, where, index.data(PREVIEW))
        else:
            self._paint_image(painter, where, picture.thumbnail)
            if picture.portrait.face is None:
                badge = QRectF(where.left() + 8, where.bottom() - 30, where.width() - 16, 22)
                paint_pill(painter, badge, "no face found", QColor(150, 96, 10))
            selected = bool(state & QStyle.StateFlag.State_Selected)
            hovered = bool(state & QStyle.StateFlag.State_MouseOver)
            self._paint_rim(painter, where, selected, bool(state & QStyle.StateFlag.State_HasFocus))
            if selected or hovered:
                self._paint_tick(painter, where.topLeft() + QPointF(8, 8), selected)
        line = QRectF(where.left() + 2, where.bottom() + 4, where.width() - 4, LINE - 4)
        self._paint_words(painter, line, index.data(CAPTION), picture)
        painter.restore()

    def _paint_image(self, painter: QPainter, where: QRectF, image: QImage) -> None:
        painter.save()
        painter.setClipPath(_rounded(where))
        painter.drawImage(where, image)
        painter.restore()

    def _paint_place(self, painter: QPainter, where: QRectF, preview: QImage | None) -> None:
        if preview is not None:
            self._paint_image(painter, where, preview)
        pen = QPen(self._theme.colour("disabled"), 1.2, Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawPath(_rounded(where.adjusted(0.5, 0.5, -0.5, -0.5)))

    def _paint_rim(self, painter: QPainter, where: QRectF, selected: bool, focused: bool) -> None:
        if selected:
            painter.setPen(QPen(self._theme.colour("accent"), 3))
            painter.drawPath(_rounded(where.adjusted(-2, -2, 2, 2)))
        if focused:
            painter.setPen(QPen(self._theme.colour("text"), 1.4))
            painter.drawPath(_rounded(where.adjusted(-4, -4, 4, 4)))

    def _paint_tick(self, painter: QPainter, at: QPointF, selected: bool) -> None:
        circle = QRectF(at, QSize(TICK, TICK))
        painter.setPen(QPen(WHITE, 1.6))
        painter.setBrush(self._theme.colour("accent") if selected else DARK)
        painter.drawEllipse(circle)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if selected:
            painter.setPen(QPen(WHITE, 2.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
            x, y = circle.left(), circle.top()
            painter.drawPolyline(
                QPolygonF([QPointF(x + 6, y + 11.5), QPointF(x + 9.6, y + 15), QPointF(x + 16, y + 7.5)])
            )

    def _paint_words(self, painter: QPainter, line: QRectF, caption: str, picture: Picture | None) -> None:
        font = QFont(painter.font())
        font.setPointSizeF(max(font.pointSizeF() - 1, 7))
        painter.setFont(font)
        painter.setPen(self._theme.colour("muted" if picture else "disabled"))
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(line, left, caption)
        words = words_of(picture.portrait) if picture else ""
        if picture is not None and words:
            painter.setPen(self._theme.colour(tone_of(picture.portrait)))
            font.setBold(True)
            painter.setFont(font)
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, words)


def _rounded(where: QRectF) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(where, 8, 8)
    return path
