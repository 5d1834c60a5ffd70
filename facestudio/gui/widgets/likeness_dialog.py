"""How alike the pictures of a gallery are: a heat map of all pairs for each recogniser, with the threshold and the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QImage, QKeyEvent, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from facestudio.gui.qimage import to_qimage
from facestudio.gui.theme import Theme
from facestudio.gui.workplace import counted

if TYPE_CHECKING:
    from facestudio.alike import Likeness

LOWEST, HIGHEST = -0.2, 1.0  # cosines that have colours of their own
FACE = 34  # px of the pictures at the edges
OUTLINED = 40  # pictures up to which cells at or above the threshold have an outline of their own
LEGEND = 44
STOPS = (
    (0.0, (24, 28, 62)),
    (0.35, (48, 88, 160)),
    (0.6, (104, 166, 172)),
    (0.8, (238, 208, 110)),
    (1.0, (232, 110, 58)),
)
NOWHERE = (-1, -1)


def colours_of(cosines: np.ndarray) -> np.ndarray:
    """The colours (..., 3) uint8 of `cosines`; from dark blue for strangers to orange for the same picture."""
    shares = (np.clip(cosines, LOWEST, HIGHEST) - LOWEST) / (HIGHEST - LOWEST)
    stops = [stop for stop, _ in STOPS]
    channels = [np.interp(shares, stops, [rgb[channel] for _, rgb in STOPS]) for channel in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)


class HeatMap(QWidget):
    """One Likeness, a cell a pair. `pointed` tells the two pictures under the pointer, or (-1, -1)."""

    pointed = Signal(int, int)

    def __init__(
        self, faces: Sequence[QImage], names: Sequence[str], theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._faces, self._names, self._theme = faces, names, theme
        self._likeness: Likeness | None = None
        self._sheet = QImage()
        self.cell = NOWHERE
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        theme.changed.connect(self.update)

    def show_likeness(self, likeness: Likeness) -> None:
        """Show what another recogniser says."""
        self._likeness = likeness
        nowhere = np.isnan(likeness.cosines)
        sheet = colours_of(np.where(nowhere, 0, likeness.cosines))
        blank = self._theme.colour("raised")
        sheet[nowhere] = (blank.red(), blank.green(), blank.blue())
        self._sheet = to_qimage(sheet)
        self._point(self.cell)

    @property
    def side(self) -> float:
        """Of a cell in px."""
        room = min(self.width(), self.height() - LEGEND) - FACE - 4
        return max(room, 10) / max(len(self._faces), 1)

    def place(self, row: int, column: int) -> QRectF:
        """Where a pair is painted."""
        return QRectF(FACE + 4 + column * self.side, FACE + 4 + row * self.side, self.side, self.side)

    def under(self, point: QPointF) -> tuple[int, int]:
        """The pair at a point, row first; `NOWHERE` beside all."""
        column, row = (int((value - FACE - 4) // self.side) for value in (point.x(), point.y()))
        inside = 0 <= row < len(self._faces) and 0 <= column < len(self._faces)
        return (row, column) if inside else NOWHERE

    def words(self, row: int, column: int) -> str:
        """What is known of a pair."""
        if self._likeness is None or (row, column) == NOWHERE:
            return ""
        cosine = float(self._likeness.cosines[row, column])
        names = f"{self._names[row]} and {self._names[column]}"
        if np.isnan(cosine):
            return f"{names}: no face was found in one of them"
        if row == column:
            return f"{self._names[row]} itself"
        side = "at or above" if cosine >= self._likeness.threshold else "below"
        return f"{names}: cosine {cosine:.3f}, {side} the threshold of {self._likeness.threshold:.2f}"

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._likeness is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        count, cosines = len(self._faces), self._likeness.cosines
        whole = QRectF(self.place(0, 0).topLeft(), self.place(count - 1, count - 1).bottomRight())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)  # cells have edges
        painter.drawImage(whole, self._sheet)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setPen(QPen(self._theme.colour("text"), 2))
        for row, column in np.argwhere(cosines >= self._likeness.threshold) if count <= OUTLINED else ():
            if row != column:
                painter.drawRect(self.place(row, column).adjusted(1.5, 1.5, -1.5, -1.5))
        face = min(self.side - 2, FACE)
        for index, image in enumerate(self._faces if face >= 10 else ()):
            middle = FACE + 4 + (index + 0.5) * self.side
            painter.drawImage(QRectF(middle - face / 2, FACE - face, face, face), image)
            painter.drawImage(QRectF(FACE - face, middle - face / 2, face, face), image)
        if self.cell != NOWHERE:
            painter.setPen(QPen(self._theme.colour("accent"), 3))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.place(*self.cell))
        self._paint_legend(painter)

    def _paint_legend(self, painter: QPainter) -> None:
        """The colours from left to right, with the threshold marked."""
        assert self._likeness is not None
        bar = QRectF(FACE + 4, FACE + 10 + len(self._faces) * self.side, max(self.side * len(self._faces), 160), 10)
        ramp = QLinearGradient(bar.topLeft(), bar.topRight())
        for stop, rgb in STOPS:
            ramp.setColorAt(stop, QColor(*rgb))
        painter.fillRect(bar, ramp)
        painter.setPen(self._theme.colour("muted"))
        text = QRectF(bar.left(), bar.bottom() + 2, bar.width(), 20)
        painter.drawText(text, Qt.AlignmentFlag.AlignLeft, f"{LOWEST:g}")
        painter.drawText(text, Qt.AlignmentFlag.AlignRight, f"{HIGHEST:g}")
        x = bar.left() + (self._likeness.threshold - LOWEST) / (HIGHEST - LOWEST) * bar.width()
        painter.setPen(QPen(self._theme.colour("text"), 2))
        painter.drawLine(QPointF(x, bar.top() - 3), QPointF(x, bar.bottom() + 3))
        words = f"same person from {self._likeness.threshold:.2f}"
        painter.drawText(QRectF(x - 110, bar.bottom() + 2, 220, 20), Qt.AlignmentFlag.AlignHCenter, words)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point(self.under(event.position()))

    def leaveEvent(self, event: object) -> None:
        self._point(NOWHERE)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: QPoint(-1, 0),
            Qt.Key.Key_Right: QPoint(1, 0),
            Qt.Key.Key_Up: QPoint(0, -1),
            Qt.Key.Key_Down: QPoint(0, 1),
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        last = len(self._faces) - 1
        row, column = self.cell if self.cell != NOWHERE else (0, 0)
        self._point((min(max(row + step.y(), 0), last), min(max(column + step.x(), 0), last)))

    def _point(self, cell: tuple[int, int]) -> None:
        self.cell = cell
        self.setToolTip(self.words(*cell))
        self.setAccessibleName(self.words(*cell) or "How alike all pairs are")
        self.pointed.emit(*cell)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(560, 560 + LEGEND)

    def minimumSizeHint(self) -> QSize:
        return QSize(320, 320 + LEGEND)


class LikenessDialog(QDialog):
    """A heat map, which recogniser it is of, and what comes to it in a sentence.

    Args:
        faces, names: of the pictures, in the order of the rows.
    """

    def __init__(
        self,
        likenesses: Sequence[Likeness],
        faces: Sequence[QImage],
        names: Sequence[str],
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("likenessDialog")
        self.setWindowTitle("How alike these pictures are")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._likenesses = likenesses
        self.judge = QComboBox()
        self.judge.setAccessibleName("Recogniser")
        for one in likenesses:
            self.judge.addItem(one.title + (" (the one the method is conditioned on)" if one.told else ""))
        self.sentence, self.pair = QLabel(), QLabel()
        for label in (self.sentence, self.pair):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
        self.pair.setObjectName("note")
        self.map = HeatMap(faces, names, theme)
        self.map.pointed.connect(self._point)
        self.judge.currentIndexChanged.connect(self._choose)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        top = QHBoxLayout()
        top.addWidget(QLabel("By"))
        top.addWidget(self.judge, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 14)
        column.setSpacing(10)
        column.addLayout(top)
        column.addWidget(self.sentence)
        column.addWidget(self.map, 1)
        column.addWidget(self.pair)
        column.addWidget(buttons)
        self.resize(640, 780)
        self._choose(0)

    @Slot(int)
    def _choose(self, index: int) -> None:
        if not 0 <= index < len(self._likenesses):
            self.sentence.setText("No recogniser that could judge is installed.")
            return
        likeness = self._likenesses[index]
        above, pairs = likeness.above
        words = (
            f"{above} of {counted(pairs, 'pair')} {'is' if 1 in (above, pairs) else 'are'} at or above the cosine of "
        )
        words += f"{likeness.threshold:.2f}, which one pair of strangers in {round(1 / likeness.far):,} reaches."
        if likeness.told:
            words += " This recogniser tells the method whom to draw, so it does not judge."
        self.sentence.setText(words)
        self.map.show_likeness(likeness)

    @Slot(int, int)
    def _point(self, row: int, column: int) -> None:
        self.pair.setText(self.map.words(row, column) or "Point at a cell, or use the arrow keys, for its numbers.")
