"""One face of the photo: its crop to tick, and under it how much of the person is left.

The crop shows the result when there is one, and the original while that is held. The readout says in words what all
recognisers come to; the gauge has a line for every one, the tooltip its figures, and a click what they rest on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from facestudio.faces.calibration import same_chance
from facestudio.faces.panel import UNJUDGED, Summary
from facestudio.gui.text_size import widened
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.gauge import Gauge, tone

if TYPE_CHECKING:
    from facestudio.results import FaceResult

CROP = 88
CHIP = 150
BUTTON = 24  # side of a button beside the crop
SCORE = "The score says how sure the detector is that this is a face, from 0 to 1."
LONGEST = 62  # characters of an error on a chip; the tooltip has all


class Crop(QWidget):
    """A picture with round corners."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image: QImage | None = None
        self.setFixedSize(CROP, CROP)

    def show_image(self, image: QImage) -> None:
        self.image = image
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.image is None:
            return
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        path = QPainterPath()
        path.addRoundedRect(QRectF(self.rect()), 6, 6)
        painter.setClipPath(path)
        painter.drawImage(QRectF(self.rect()), self.image)

    def sizeHint(self) -> QSize:
        return QSize(CROP, CROP)


class FaceChip(QFrame):
    """One face: crop, tick, readout. A click anywhere ticks, a double click on the crop shows the face.

    A face that was `added` by hand has a button that removes it; the Delete key does too. Where the method told how it came to
    its result, another button asks for that.
    """

    toggled = Signal(int)
    shown = Signal(int)
    figures_asked = Signal(int)
    explanation_asked = Signal(int)
    removed = Signal(int)

    def __init__(
        self, index: int, crop: QImage, info: str, theme: Theme, added: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("faceChip")
        self.setFixedWidth(widened(CHIP))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.index = index
        self._theme, self._before = theme, crop
        self._after: QImage | None = None
        self._tone = ""
        self.crop = Crop()
        self.crop.show_image(crop)
        self.tick = QCheckBox(f"Face {index + 1}")
        self.tick.setToolTip("Restore this face")
        self.tick.setAccessibleDescription(info.replace("\n", ", "))
        self.tick.clicked.connect(self._clicked)
        self.info = info
        self.chance, self.words = QLabel(), QLabel()
        self.gauge = Gauge(theme)
        self.gauge.clicked.connect(self._ask)
        self.chance.setObjectName("chipInfo")
        self.chance.setAccessibleName("Chance of the same person")
        self.agreement, self.to_reference, self.note = QLabel(), QLabel(), QLabel()
        self.agreement.setWordWrap(True)
        for label in (self.agreement, self.to_reference, self.note):
            label.setObjectName("chipInfo")
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(2)
        top.addWidget(self.tick, 1)
        top.addWidget(self.chance)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 9, 9, 8)
        layout.setSpacing(5)
        layout.addWidget(self.crop, 0, Qt.AlignmentFlag.AlignHCenter)
        layout.addLayout(top)
        layout.addWidget(self.gauge)
        layout.addWidget(self.words)
        layout.addWidget(self.agreement)
        layout.addWidget(self.to_reference)
        layout.addWidget(self.note)
        layout.addStretch(1)
        self.explain = self._corner(5, "How this face was completed (Ctrl+E)", f"How face {index + 1} was completed")
        self.explain.clicked.connect(self._explain)
        self.remove: QToolButton | None = None
        if added:
            self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
            self.remove = self._corner(widened(CHIP) - BUTTON - 5, "Remove this face (Del)", f"Remove face {index + 1}")
            self.remove.clicked.connect(self._remove)
        theme.changed.connect(self._draw)
        self.show_result(None, None)
        self._draw()

    def _corner(self, left: int, help: str, name: str) -> QToolButton:
        """A small button beside the crop."""
        button = QToolButton(self)
        button.setObjectName("cornerButton")
        button.setToolTip(help)
        button.setAccessibleName(name)
        button.setGeometry(left, 5, BUTTON, BUTTON)
        return button

    @property
    def needed_height(self) -> int:
        """The height at which nothing on it is cut."""
        layout = self.layout()
        for label in self.findChildren(QLabel):
            label.ensurePolished()  # else it is measured in another size
        if layout is not None:
            layout.invalidate()
        return max(layout.totalHeightForWidth(widened(CHIP)), layout.totalMinimumSize().height()) if layout else 0

    def show_ticked(self, on: bool) -> None:
        """Show whether this face is ticked."""
        self.tick.setChecked(on)
        self.setProperty("ticked", on)
        self.style().unpolish(self)
        self.style().polish(self)

    def show_result(self, result: FaceResult | None, after: QImage | None, reference: str = "") -> None:
        """Show what happened to this face, whose `reference` was the photo of that name; None when there is no result."""
        self._after = after
        self.crop.show_image(after or self._before)
        summary = result.summary if result else None
        self.explain.setVisible(result is not None and result.explanation is not None)
        cosines = result.to_reference if result else {}
        self.gauge.show_verdicts(summary.verdicts if summary else (), cosines)
        self.gauge.setVisible(summary is not None)
        self.to_reference.setVisible(bool(cosines))
        self.to_reference.setText(both(summary, cosines) if summary else "")
        self.agreement.setVisible(summary is not None)
        self.agreement.setText(_why(summary) if summary else "")
        note = result.notes[0] if result and result.notes else ""
        crowded = bool(cosines) and summary is not None and summary.words == UNJUDGED
        self.note.setVisible(bool(note) and not crowded)  # the tooltip has all notes
        self.note.setText(self.note.fontMetrics().elidedText(note, Qt.TextElideMode.ElideRight, widened(CHIP) - 24))
        judged = summary is not None and summary.words != UNJUDGED
        self.chance.setText(f"{summary.chance:.0%} same" if summary and judged else "")
        if result is None or result.status == "skipped":
            self._say(self.info if result is None else "left as it was", "muted", f"{self.info}\n{SCORE}")
        elif result.status == "failed":
            self._say(_short(f"Failed: {result.error}"), "bad", result.error or "")
        elif summary is None:
            self._say(
                _short(result.error or "restored, not measured"), "warn", "\n".join((result.error or "", *result.notes))
            )
        else:
            self._say(summary.words, tone(summary), figures(result, reference))

    def show_original(self, on: bool) -> None:
        """Show the crop of the original while `on`."""
        self.crop.show_image(self._before if on or self._after is None else self._after)

    def _say(self, words: str, colour: str, tooltip: str) -> None:
        self.words.setText(words)
        self._tone = colour
        self.setToolTip(tooltip.strip())
        self.setAccessibleDescription(words)
        self._paint_words()

    @Slot()
    def _draw(self) -> None:
        if self.remove is not None:
            self.remove.setIcon(self._theme.icon("remove", "muted"))
        self.explain.setIcon(self._theme.icon("info", "muted"))
        self._paint_words()

    def _paint_words(self) -> None:
        weight = "" if self._tone == "muted" else "font-weight: 600;"
        self.words.setStyleSheet(f"color: {self._theme.colour(self._tone).name()}; {weight}")

    @Slot()
    def _ask(self) -> None:
        self.figures_asked.emit(self.index)

    @Slot()
    def _explain(self) -> None:
        self.explanation_asked.emit(self.index)

    @Slot()
    def _clicked(self) -> None:
        self.toggled.emit(self.index)

    @Slot()
    def _remove(self) -> None:
        self.removed.emit(self.index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.remove is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self._remove()
        else:
            super().keyPressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.toggled.emit(self.index)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.shown.emit(self.index)  # the release that follows takes the tick of the first click back


def _short(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"


def _why(summary: Summary) -> str:
    """What stands under the words on a chip: who agrees, or what the face lacks."""
    return summary.lack or summary.agreement.replace(" recognisers", "")


def both(summary: Summary, to_reference: Mapping[str, float]) -> str:
    """The cosines of a result to the photo and to the reference, a line each, in the order of the gauge's lines."""
    listed = [verdict for verdict in summary.verdicts if verdict.embedder in to_reference]
    photo = "  ".join(f"{verdict.cosine:.2f}" for verdict in listed)
    return f"photo {photo}\nreference {'  '.join(f'{to_reference[verdict.embedder]:.2f}' for verdict in listed)}"


def figures(result: FaceResult, reference: str = "") -> str:
    """What the recognisers come to, the raw figures of each, and what a person should read beside them. `reference` is the
    name of the photo that the method was told, "" without one."""
    lines = []
    if result.summary is not None:
        lines.append(result.summary.sentence)
        if result.summary.quality is not None:
            before, after = result.summary.quality
            lines.append(f"Recognisable: {before:.0%} before, {after:.0%} after")
    for name, verdict in result.verdicts.items():
        lines.append(
            f"{verdict.title or name}: cosine {verdict.cosine:.3f}, {verdict.words}\n"
            f'    "same person" from {verdict.threshold:.3f} (one stranger in {1 / verdict.far:,.0f} reaches it)\n'
            f'    "changed" below {verdict.changed_below:.3f}; {same_chance(verdict.probability)}'
        )
        if name in result.to_reference:
            lines.append(f"    to the reference {reference}: cosine {result.to_reference[name]:.3f}")
    return "\n".join([*lines, *([result.error] if result.error else []), *result.notes])
