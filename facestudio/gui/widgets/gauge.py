"""The identity gauge: a cosine on a line, with the calibrated threshold marked and the three zones in their colours."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize
from PySide6.QtGui import QPainter, QPainterPath, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from facestudio.faces.identity import CHANGED, SAME, Verdict
from facestudio.gui.theme import Theme

LOWEST, HIGHEST = -0.2, 1.0


def tone(verdict: Verdict) -> str:
    """The colour that a verdict's words have: good when the method's goal is reached, bad when it is missed."""
    if verdict.success:
        return "good"
    return "bad" if verdict.words in (SAME, CHANGED) else "warn"


class Gauge(QWidget):
    """Shows one verdict."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.verdict: Verdict | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_verdict(self, verdict: Verdict | None) -> None:
        """Show `verdict`; None leaves the line empty."""
        self.verdict = verdict
        if verdict is not None:
            self.setAccessibleName(f"Cosine {verdict.cosine:.2f}, threshold {verdict.threshold:.2f}")
        self.update()

    def place(self, cosine: float) -> float:
        """Where a cosine stands on the line, in widget pixels."""
        share = (min(max(cosine, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)
        return 4 + share * (self.width() - 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        line = QRectF(4, 8, self.width() - 8, 6)
        path = QPainterPath()
        path.addRoundedRect(line, 3, 3)
        if self.verdict is None:
            painter.fillPath(path, self._theme.colour("border"))
            return
        keep = self.verdict.goal != "change"
        changed, same = self.place(self.verdict.changed_below), self.place(self.verdict.threshold)
        painter.setClipPath(path)
        for left, right, colour in (
            (line.left(), changed, "bad" if keep else "good"),
            (changed, same, "warn"),
            (same, line.right(), "good" if keep else "bad"),
        ):
            painter.fillRect(QRectF(left, line.top(), right - left, line.height()), self._theme.colour(colour))
        painter.setClipping(False)
        painter.setPen(QPen(self._theme.colour("text"), 2))
        painter.drawLine(QPointF(same, 5), QPointF(same, 17))
        x = self.place(self.verdict.cosine)
        painter.setPen(QPen(self._theme.colour("raised"), 1.5))
        painter.setBrush(self._theme.colour("text"))
        painter.drawPolygon(QPolygonF([QPointF(x - 5, 0), QPointF(x + 5, 0), QPointF(x, 9)]))

    def sizeHint(self) -> QSize:
        return QSize(110, 19)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, 19)
