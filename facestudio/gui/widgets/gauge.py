"""The identity gauge: a cosine on a line, with the calibrated threshold marked and the three zones in their colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from facestudio.faces.identity import CHANGED, SAME, Verdict
from facestudio.faces.panel import Summary, between_photos
from facestudio.gui.theme import Theme

LOWEST, HIGHEST = -0.2, 1.0
ROW = 16  # px from one line to the next


def tone(verdict: Verdict | Summary) -> str:
    """The colour that a verdict's words have: good when the method's goal is reached, bad when it is missed."""
    if verdict.success:
        return "good"
    return "bad" if verdict.words in (SAME, CHANGED) else "warn"


class Gauge(QWidget):
    """Shows the verdicts of one face, a line each, the first on top; a click asks what they rest on.

    A triangle above a line is the cosine of its verdict; a ring on it is that to the reference, where there is one.
    """

    clicked = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.verdicts: tuple[Verdict, ...] = ()
        self.to_reference: Mapping[str, float] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_verdicts(self, verdicts: Sequence[Verdict], to_reference: Mapping[str, float] | None = None) -> None:
        """Show `verdicts`, and the cosines to a reference by embedder id; without any an empty line."""
        self.verdicts, self.to_reference = tuple(verdicts), to_reference or {}
        self.setAccessibleName("; ".join(self._spoken(verdict) for verdict in self.verdicts))
        self.updateGeometry()
        self.update()

    def explain(self, more: str) -> None:
        """Say under the pointer the raw cosines of two photos' verdicts, and then `more`."""
        lines = (
            f"{verdict.title or verdict.embedder}: cosine {verdict.cosine:.3f}, {between_photos(verdict.words)}; "
            f"same person from {verdict.threshold:.3f}"
            for verdict in self.verdicts
        )
        self.setToolTip("\n".join([*lines, more]))

    def _spoken(self, verdict: Verdict) -> str:
        known = self.to_reference.get(verdict.embedder)
        also = "" if known is None else f", to the reference {known:.2f}"
        return (
            f"{verdict.title or verdict.embedder}: cosine {verdict.cosine:.2f}{also}, threshold {verdict.threshold:.2f}"
        )

    def place(self, cosine: float) -> float:
        """Where a cosine stands on a line, in widget pixels."""
        share = (min(max(cosine, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)
        return 4 + share * (self.width() - 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.verdicts:
            painter.fillPath(_rounded(self._line(0)), self._theme.colour("border"))
        for row, verdict in enumerate(self.verdicts):
            self._paint(painter, self._line(row * ROW), verdict)

    def _line(self, top: float) -> QRectF:
        return QRectF(4, top + 8, self.width() - 8, 6)

    def _paint(self, painter: QPainter, line: QRectF, verdict: Verdict) -> None:
        keep = verdict.goal != "change"
        changed, same = self.place(verdict.changed_below), self.place(verdict.threshold)
        painter.setClipPath(_rounded(line))
        for left, right, colour in (
            (line.left(), changed, "bad" if keep else "good"),
            (changed, same, "warn"),
            (same, line.right(), "good" if keep else "bad"),
        ):
            painter.fillRect(QRectF(left, line.top(), right - left, line.height()), self._theme.colour(colour))
        painter.setClipping(False)
        painter.setPen(QPen(self._theme.colour("text"), 2))
        painter.drawLine(QPointF(same, line.top() - 2), QPointF(same, line.bottom() + 2))
        if verdict.embedder in self.to_reference:
            painter.setPen(QPen(self._theme.colour("text"), 2))
            painter.setBrush(self._theme.colour("raised"))
            painter.drawEllipse(QPointF(self.place(self.to_reference[verdict.embedder]), line.center().y()), 4, 4)
        x, top = self.place(verdict.cosine), line.top() - 8
        painter.setPen(QPen(self._theme.colour("raised"), 1.5))
        painter.setBrush(self._theme.colour("text"))
        painter.drawPolygon(QPolygonF([QPointF(x - 5, top), QPointF(x + 5, top), QPointF(x, top + 9)]))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # else what it stands on is clicked

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.clicked.emit()

    def sizeHint(self) -> QSize:
        return QSize(110, 19 + ROW * (max(len(self.verdicts), 1) - 1))

    def minimumSizeHint(self) -> QSize:
        return QSize(60, self.sizeHint().height())


def _rounded(line: QRectF) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(line, 3, 3)
    return path
