"""The small things that the viewer paints over a photo: tags, outlines, the handle of the split, the preview's card.

Plain functions of a painter and a place, separate from the viewer, which decides what is painted where.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QWidget

from facestudio.gui.theme import Theme

PREVIEW = 168
SHADOW, DARK, WHITE = QColor(0, 0, 0, 100), QColor(0, 0, 0, 165), QColor(255, 255, 255)
HINT = QColor(0, 0, 0, 205)


def paint_pill(painter: QPainter, where: QRectF, words: str, colour: QColor) -> None:
    """Words in white on a rounded ground of `colour`."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawRoundedRect(where, 6, 6)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(WHITE)
    painter.drawText(where, Qt.AlignmentFlag.AlignCenter, words)


def paint_hint(painter: QPainter, over: QWidget, hints: Sequence[str]) -> None:
    """What can be done, at the lower edge of the widget `over`: the first of the `hints` for which there is room, or the last."""
    metrics = over.fontMetrics()
    words = next((hint for hint in hints if metrics.horizontalAdvance(hint) + 48 <= over.width()), hints[-1])
    width, height = metrics.horizontalAdvance(words) + 32, metrics.height() + 18
    painter.setFont(over.font())
    place = QRectF((over.width() - width) / 2, over.height() - 16 - height, width, height)
    paint_pill(painter, place, words, HINT)


def tag_place(words: str, pane: QRectF, font: QFont, *, left: bool) -> QRectF:
    """Where `paint_tag` paints; a null rectangle when there is no room."""
    width = QFontMetricsF(font).horizontalAdvance(words) + 20
    if pane.width() < width + 20:
        return QRectF()
    return QRectF(pane.left() + 12 if left else pane.right() - 12 - width, pane.top() + 12, width, 26)


def paint_tag(painter: QPainter, words: str, pane: QRectF, font: QFont, *, left: bool) -> None:
    """What a picture is, in an upper corner of its pane; nothing when there is no room."""
    painter.setFont(font)
    place = tag_place(words, pane, font, left=left)
    if not place.isNull():
        paint_pill(painter, place, words, DARK)


def paint_leader(painter: QPainter, place: QRectF, box: QRectF, colour: QColor) -> None:
    """A line from a number that stands away from its `box` to the nearest point of that."""
    start = place.center()
    end = QPointF(
        min(max(start.x(), box.left()), box.right()),
        min(max(start.y(), box.top()), box.bottom()),
    )
    for line, width in ((SHADOW, 3.0), (colour, 1.5)):
        painter.setPen(QPen(line, width))
        painter.drawLine(start, end)


def paint_handle(painter: QPainter, x: float, height: float, held: QColor | None) -> None:
    """The line of the split with its knob, which has the colour `held` while it is dragged."""
    for colour, width in ((SHADOW, 4), (WHITE, 2)):
        painter.setPen(QPen(colour, width))
        painter.drawLine(QPointF(x, 0), QPointF(x, height))
    knob = QPointF(x, height / 2)
    painter.setPen(QPen(SHADOW, 1))
    painter.setBrush(held or WHITE)
    painter.drawEllipse(knob, 15, 15)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(WHITE if held else QColor(40, 44, 52), 2))
    for side in (-1, 1):
        tip = knob + QPointF(9 * side, 0)
        painter.drawLine(tip, tip + QPointF(-4 * side, -4))
        painter.drawLine(tip, tip + QPointF(-4 * side, 4))


def paint_outline(painter: QPainter, path: QPainterPath, colour: QColor, width: float, style: Qt.PenStyle) -> None:
    """A line with a shadow, so that it is seen on any photo."""
    painter.setPen(QPen(SHADOW, width + 2))
    painter.drawPath(path)
    painter.setPen(QPen(colour, width, style))
    painter.drawPath(path)


def paint_points(painter: QPainter, points: list[QPointF], colour: QColor) -> None:
    """Dots with a rim, such as the landmarks of a face."""
    painter.setPen(QPen(WHITE, 1))
    painter.setBrush(colour)
    for point in points:
        painter.drawEllipse(point, 3.5, 3.5)
    painter.setBrush(Qt.BrushStyle.NoBrush)


def paint_preview(painter: QPainter, image: QImage, height: float, font: QFont, theme: Theme) -> None:
    """A card with what the work has so far, in the lower left corner of a view of `height`."""
    card = QRectF(12, height - PREVIEW - 44, PREVIEW + 16, PREVIEW + 32)
    painter.setPen(QPen(theme.colour("border"), 1))
    painter.setBrush(theme.colour("raised"))
    painter.drawRoundedRect(card, 8, 8)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(QRectF(card.left() + 8, card.top() + 8, PREVIEW, PREVIEW), image)
    painter.setPen(theme.colour("muted"))
    painter.setFont(font)
    painter.drawText(
        QRectF(card.left(), card.bottom() - 24, card.width(), 24), Qt.AlignmentFlag.AlignCenter, "Live preview"
    )


def rounded(box: QRectF) -> QPainterPath:
    """The whole outline."""
    path = QPainterPath()
    path.addRoundedRect(box, 5, 5)
    return path


def corners(box: QRectF) -> QPainterPath:
    """The four corners only, so that a result can be looked at."""
    path, length = QPainterPath(), min(box.width(), box.height()) * 0.18
    for x, y, across, down in (
        (box.left(), box.top(), 1, 1),
        (box.right(), box.top(), -1, 1),
        (box.right(), box.bottom(), -1, -1),
        (box.left(), box.bottom(), 1, -1),
    ):
        path.moveTo(x + across * length, y)
        path.lineTo(x, y)
        path.lineTo(x, y + down * length)
    return path
