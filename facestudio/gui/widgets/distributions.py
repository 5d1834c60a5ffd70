"""What an identity readout rests on: how often pairs of the same person and of strangers had which cosine, and where
this pair stands."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QDialog, QLabel, QScrollArea, QVBoxLayout, QWidget

from facestudio.faces.calibration import Distributions, same_chance
from facestudio.faces.identity import Verdict
from facestudio.faces.panel import Summary
from facestudio.gui.theme import Theme

HEIGHT = 190
LOWEST, HIGHEST = -0.4, 1.0
LEFT, RIGHT, TOP, BOTTOM = 14, 14, 26, 40  # margins of the plot in px
TICKS = (-0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class Plot(QWidget):
    """Both distributions of one embedder, its threshold with the interval of confidence, the cosine of this pair, and that
    of the result to a reference where there is one."""

    def __init__(
        self,
        verdict: Verdict,
        measured: Distributions,
        theme: Theme,
        to_reference: float | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.verdict, self._measured, self._theme = verdict, measured, theme
        self.to_reference = to_reference
        self.setMinimumHeight(HEIGHT)
        self.setAccessibleName(describe(verdict, to_reference))
        theme.changed.connect(self.update)

    def place(self, cosine: float) -> float:
        """Where a cosine stands, in widget pixels."""
        share = (min(max(cosine, LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)
        return LEFT + share * (self.width() - LEFT - RIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        base = self.height() - BOTTOM
        if self.verdict.interval is not None:
            low, high = (self.place(cosine) for cosine in self.verdict.interval)
            band = QColor(self._theme.colour("muted"))
            band.setAlphaF(0.18)
            painter.fillRect(QRectF(low, TOP, high - low, base - TOP), band)
        highest = max(float(self._measured.same.max()), float(self._measured.different.max()), 1e-9)
        keep = self.verdict.goal != "change"
        for shares, name in (
            (self._measured.different, "bad" if keep else "good"),
            (self._measured.same, "good" if keep else "bad"),
        ):
            self._hill(painter, shares / highest, self._theme.colour(name), base)
        self._axis(painter, base)
        threshold = self.place(self.verdict.threshold)
        painter.setPen(QPen(self._theme.colour("text"), 1.5, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(threshold, TOP), QPointF(threshold, base))
        if self.to_reference is not None:
            self._mark_reference(painter, self.place(self.to_reference), base)
        self._mark(painter, base)

    def _hill(self, painter: QPainter, heights: np.ndarray, colour: QColor, base: float) -> None:
        middles = (self._measured.edges[:-1] + self._measured.edges[1:]) / 2
        inside = (middles >= LOWEST) & (middles <= HIGHEST)
        points = [
            QPointF(self.place(float(x)), base - float(y) * (base - TOP))
            for x, y in zip(middles[inside], heights[inside], strict=True)
        ]
        if not points:
            return
        outline = QPolygonF([QPointF(points[0].x(), base), *points, QPointF(points[-1].x(), base)])
        fill = QColor(colour)
        fill.setAlphaF(0.3)
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(fill)
        painter.drawPolygon(outline)

    def _axis(self, painter: QPainter, base: float) -> None:
        painter.setPen(QPen(self._theme.colour("border"), 1))
        painter.drawLine(QPointF(LEFT, base), QPointF(self.width() - RIGHT, base))
        painter.setPen(self._theme.colour("muted"))
        for tick in TICKS:
            x = self.place(tick)
            painter.drawLine(QPointF(x, base), QPointF(x, base + 4))
            painter.drawText(QRectF(x - 24, base + 5, 48, 16), Qt.AlignmentFlag.AlignHCenter, f"{tick:.1f}")
        painter.drawText(
            QRectF(LEFT, base + 20, self.width() - LEFT - RIGHT, 18), Qt.AlignmentFlag.AlignHCenter, "cosine similarity"
        )

    def _mark(self, painter: QPainter, base: float) -> None:
        """The pair's own cosine: a line with its figure above."""
        x = self.place(self.verdict.cosine)
        painter.setPen(QPen(self._theme.colour("accent"), 2.5))
        painter.drawLine(QPointF(x, TOP - 4), QPointF(x, base))
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        words = f"this pair {self.verdict.cosine:.2f}"
        width = painter.fontMetrics().horizontalAdvance(words) + 4
        left = min(max(x - width / 2, 0), self.width() - width)
        painter.drawText(QRectF(left, 2, width, TOP - 8), Qt.AlignmentFlag.AlignCenter, words)

    def _mark_reference(self, painter: QPainter, x: float, base: float) -> None:
        """The cosine to the reference: a thin line with a ring on the axis, as in the gauge."""
        painter.setPen(QPen(self._theme.colour("accent"), 1.5, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(x, TOP), QPointF(x, base))
        painter.setPen(QPen(self._theme.colour("accent"), 2))
        painter.setBrush(self._theme.colour("window"))
        painter.drawEllipse(QPointF(x, base), 5, 5)

    def sizeHint(self) -> QSize:
        return QSize(560, HEIGHT)


class DistributionsDialog(QDialog):
    """What the embedders come to about the face called `who`, and one plot of each with its sentence.

    With `to_reference`, the cosines of a result to its reference by embedder id, those are told as well.
    """

    def __init__(
        self,
        who: str,
        summary: Summary,
        theme: Theme,
        parent: QWidget | None = None,
        to_reference: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(parent)
        known = to_reference or {}
        self.setObjectName("distributionsDialog")
        self.setWindowTitle(f"{who}: what the figures are based on")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.plots: list[Plot] = []
        page = QWidget()
        rows = QVBoxLayout(page)
        rows.setContentsMargins(18, 16, 18, 16)
        rows.setSpacing(6)
        together = QLabel(told(summary))
        together.setObjectName("chipTitle")
        together.setWordWrap(True)
        rows.addWidget(together)
        rows.addSpacing(6)
        legend = QLabel(
            "Measured on people the recogniser was not trained on. Left hill: pairs of strangers. Right hill: "
            "pairs of the same person. Dashed line: the threshold; the grey band is its 95 % confidence interval."
            + (" Dotted line with a ring: the cosine to the reference." if known else "")
        )
        legend.setObjectName("chipInfo")
        legend.setWordWrap(True)
        rows.addWidget(legend)
        for verdict in summary.verdicts:
            name = QLabel(verdict.title or verdict.embedder)
            name.setObjectName("chipTitle")
            rows.addSpacing(8)
            rows.addWidget(name)
            sentence = QLabel(describe(verdict, known.get(verdict.embedder)))
            sentence.setWordWrap(True)
            rows.addWidget(sentence)
            if verdict.measured is None:
                rows.addWidget(QLabel("No distributions were measured for this recogniser."))
                continue
            plot = Plot(verdict, verdict.measured, theme, known.get(verdict.embedder))
            self.plots.append(plot)
            rows.addWidget(plot)
        rows.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.resize(620, min(200 + 270 * len(summary.verdicts), 860))


def told(summary: Summary) -> str:
    """The summary's sentence, how recognisable both faces are, and the panel's figures, as far as there are any."""
    sentences = [summary.sentence]
    if summary.quality is not None:
        one, other = summary.quality
        sentences.append(f"Recognisable: {one:.0%} and {other:.0%}; below {summary.gate:.0%} no verdict is given.")
    if summary.score is not None and summary.threshold is not None:
        sentences.append(
            f"Log-odds of all recognisers together {summary.score:.2f}; "
            f'"same person" is said from {summary.threshold:.2f}, which one stranger in '
            f"{1 / summary.far:,.0f} reaches."
        )
    return " ".join(sentences)


def describe(verdict: Verdict, to_reference: float | None = None) -> str:
    """A verdict with its raw figures, in two sentences; one more with the cosine to a reference."""
    interval = "" if verdict.interval is None else f" ({verdict.interval[0]:.2f} to {verdict.interval[1]:.2f})"
    return (
        f"Cosine {verdict.cosine:.3f}: {verdict.words}, {same_chance(verdict.probability)}. "
        f'"Same person" is said from {verdict.threshold:.2f}{interval}, which one stranger in {1 / verdict.far:,.0f} reaches.'
        + ("" if to_reference is None else f" Cosine of the result to the reference {to_reference:.3f}.")
    )
