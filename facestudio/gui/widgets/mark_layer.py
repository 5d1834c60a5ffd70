"""Marks painted over the photo in the viewer: what was found or loaded, and strokes over it, all of one translucent colour.

They are put together in a picture of their own as large as what is seen, so that an eraser takes away what lies below it and
nothing is twice as dense where strokes cross. That picture is kept until the view or the marks change; the stroke that is being
drawn comes on top.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from facestudio.gui.marking import Marking
from facestudio.gui.qimage import Pyramid, visible_part
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.viewer import Viewer
from facestudio.mending.by_hand import Stroke

OPACITY = 0.62
CRISP = 4.0  # from this zoom on, marks are shown as the pixels that they are


class MarkLayer:
    """Paints the marks of `marking` in `viewer`: over the photo before where a result is beside it, else, and with a tool in
    hand, over all that is shown."""

    def __init__(self, viewer: Viewer, marking: Marking, theme: Theme) -> None:
        self._viewer, self._marking, self._theme = viewer, marking, theme
        self._kept: dict[float, tuple[object, QImage]] = {}  # by the left edge of their pane
        viewer.layers.append(self)
        marking.changed.connect(viewer.update)
        marking.drawn.connect(viewer.update)

    def paint(self, painter: QPainter, pane: QRectF) -> None:
        """Paint what of the marks falls into `pane`."""
        marking = self._marking
        if not marking.visible:
            self._kept.clear()
            return
        where = pane if marking.tool else self._viewer.before_part(pane)
        if where.isEmpty():
            return
        picture = self._settled(pane)
        if marking.live is not None:
            picture = picture.copy()
            self._draw(picture, pane, None, (marking.live,))
        _tint(picture := picture.copy(), self._theme.colour("mark"))
        painter.save()
        painter.setClipRect(where)
        painter.setOpacity(OPACITY)
        painter.drawImage(pane.topLeft(), picture)
        painter.restore()

    def _settled(self, pane: QRectF) -> QImage:
        """Opacity of all but the stroke that is being drawn."""
        viewer, ground, strokes = self._viewer, self._marking.ground, self._marking.strokes
        place = viewer.to_photo(pane.topLeft(), pane), viewer.to_photo(pane.bottomRight(), pane)
        ratio = viewer.devicePixelRatioF()
        key = (place, pane.size(), ratio, ground, strokes)
        known = self._kept.get(pane.left())
        if known is not None and known[0] == key:
            return known[1]
        picture = QImage((pane.size() * ratio).toSize(), QImage.Format.Format_ARGB32_Premultiplied)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        self._draw(picture, pane, ground, strokes)
        self._kept[pane.left()] = key, picture
        return picture

    def _draw(self, picture: QImage, pane: QRectF, ground: Pyramid | None, strokes: Sequence[Stroke]) -> None:
        """Draw the `ground`, and `strokes` over it, opaque into `picture`, which shows what `pane` does."""
        viewer = self._viewer
        start, end = viewer.to_photo(pane.topLeft(), pane), viewer.to_photo(pane.bottomRight(), pane)
        scale = pane.width() / (end.x() - start.x())  # widget units a photo pixel
        painter = QPainter(picture)
        painter.scale(scale, scale)
        painter.translate(-start)
        painter.setClipRect(viewer.photo_rect)
        if ground is not None:
            zoom = scale * viewer.devicePixelRatioF()
            level = ground.level_for(zoom)
            part = visible_part(ground, level, start.x(), start.y(), end.x(), end.y())
            image, (width, height) = ground.levels[level], ground.size
            across, down = width / image.width(), height / image.height()
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, zoom < CRISP)
            target = QRectF(part.left() * across, part.top() * down, part.width() * across, part.height() * down)
            painter.drawImage(target, image, QRectF(part))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for stroke in strokes:
            mode = QPainter.CompositionMode
            painter.setCompositionMode(
                mode.CompositionMode_SourceOver if stroke.adds else mode.CompositionMode_DestinationOut
            )
            pen = QPen(QColor(0, 0, 0), 2 * stroke.radius)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
            painter.setPen(pen)
            points = [QPointF(x, y) for x, y in stroke.points]
            if len(points) == 1:
                painter.drawPoint(points[0])
            else:
                painter.drawPolyline(QPolygonF(points))
        painter.end()


def _tint(picture: QImage, colour: QColor) -> None:
    """Give what is opaque in `picture` the `colour`."""
    painter = QPainter(picture)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(QRectF(QPointF(), picture.deviceIndependentSize()), colour)
    painter.end()
