"""The strip of faces: a crop of each to tick, and under it how much of the person is left; at its end, adding a missed one.

The crop shows the result when there is one, and the original while that is held. The readout says in words what all
recognisers come to; the gauge has a line for every one, the tooltip its figures, and a click what they rest on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from facestudio.faces.panel import UNJUDGED, Summary
from facestudio.gui.session import FINDING, Session
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.gauge import Gauge, tone

if TYPE_CHECKING:
    from facestudio.pipeline import FaceResult

CROP = 88
CHIP = 150
HEIGHT = 272  # room for three recognisers' gauges
ADD = 104  # width of the button at the end
REMOVE = 24  # side of the button that removes
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

    A face that was `added` by hand has a button that removes it; the Delete key does too.
    """

    toggled = Signal(int)
    shown = Signal(int)
    figures_asked = Signal(int)
    removed = Signal(int)

    def __init__(
        self, index: int, crop: QImage, info: str, theme: Theme, added: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("faceChip")
        self.setFixedWidth(CHIP)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.index = index
        self._theme, self._before = theme, crop
        self._after: QImage | None = None
        self._tone = ""
        self.crop = Crop()
        self.crop.show_image(crop)
        self.tick = QCheckBox(f"Face {index + 1}")
        self.tick.setToolTip("Restore this face")
        self.tick.clicked.connect(self._clicked)
        self.info = info
        self.chance, self.words = QLabel(), QLabel()
        self.gauge = Gauge(theme)
        self.gauge.clicked.connect(self._ask)
        self.chance.setObjectName("chipTitle")
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
        self.remove: QToolButton | None = None
        if added:
            self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
            self.remove = QToolButton(self)
            self.remove.setObjectName("removeFace")
            self.remove.setToolTip("Remove this face (Del)")
            self.remove.setAccessibleName(f"Remove face {index + 1}")
            self.remove.setGeometry(CHIP - REMOVE - 5, 5, REMOVE, REMOVE)
            self.remove.clicked.connect(self._remove)
        theme.changed.connect(self._draw)
        self.show_result(None, None)
        self._draw()

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
        cosines = result.to_reference if result else {}
        self.gauge.show_verdicts(summary.verdicts if summary else (), cosines)
        self.gauge.setVisible(summary is not None)
        self.to_reference.setVisible(bool(cosines))
        self.to_reference.setText(both(summary, cosines) if summary else "")
        self.agreement.setVisible(summary is not None)
        self.agreement.setText(_why(summary) if summary else "")
        note = result.notes[0] if result and result.notes else ""
        self.note.setVisible(bool(note))
        self.note.setText(self.note.fontMetrics().elidedText(note, Qt.TextElideMode.ElideRight, CHIP - 24))
        judged = summary is not None and summary.words != UNJUDGED
        self.chance.setText(f"{summary.chance:.0%}" if summary and judged else "")
        if result is None or result.status == "skipped":
            self._say(self.info if result is None else "left as it was", "muted", self.info)
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
        self._paint_words()

    def _paint_words(self) -> None:
        weight = "" if self._tone == "muted" else "font-weight: 600;"
        self.words.setStyleSheet(f"color: {self._theme.colour(self._tone).name()}; {weight}")

    @Slot()
    def _ask(self) -> None:
        self.figures_asked.emit(self.index)

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


class FaceStrip(QWidget):
    """All faces of the photo, or why there is none. `add_asked`: a missed face is to be added."""

    face_shown = Signal(int)
    figures_asked = Signal(int)
    add_asked = Signal()

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("faceStrip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT)
        self._session, self._theme = session, theme
        self.chips: list[FaceChip] = []
        self.message = QLabel()
        self.message.setObjectName("stripMessage")
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        self.offer = QPushButton("Add a missed face…")
        self.offer.setToolTip("Draw a box around a face that was missed (F4)")
        self.add = QToolButton()
        self.add.setObjectName("addFace")
        self.add.setText("Add a missed\nface…")
        self.add.setAccessibleName("Add a missed face")
        self.add.setToolTip("Draw a box around a face that was missed (F4)")
        self.add.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        self.add.setIconSize(QSize(28, 28))
        self.add.setFixedSize(ADD, CROP + 16)
        for button in (self.offer, self.add):
            button.clicked.connect(self.add_asked)
        nobody = QWidget()
        column = QVBoxLayout(nobody)
        column.setSpacing(12)
        column.addStretch(1)
        column.addWidget(self.message)
        column.addWidget(self.offer, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self._row = QWidget()
        self._row.setObjectName("chipRow")
        self._chips = QHBoxLayout(self._row)
        self._chips.setContentsMargins(12, 10, 12, 10)
        self._chips.setSpacing(10)
        self._chips.addWidget(self.add, 0, Qt.AlignmentFlag.AlignTop)
        self._chips.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setObjectName("chipScroll")
        self._scroll.setWidgetResizable(True)
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._row)
        self._stack = QStackedWidget()
        self._stack.addWidget(nobody)
        self._stack.addWidget(self._scroll)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 1, 0, 0)
        layout.addWidget(self._stack)
        session.photo_changed.connect(self._rebuild)
        session.faces_changed.connect(self._rebuild)
        session.work_changed.connect(self._tell)
        session.selection_changed.connect(self._show_ticks)
        session.result_changed.connect(self._show_result)
        theme.changed.connect(self._draw)
        self._draw()

    @Slot()
    def _draw(self) -> None:
        self.offer.setIcon(self._theme.icon("add-face"))
        self.add.setIcon(self._theme.icon("add-face", "muted"))

    @Slot()
    def _rebuild(self) -> None:
        grown = 0 < len(self.chips) < len(self._session.faces)
        for chip in self.chips:
            self._chips.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self.chips = []
        for index, (face, crop) in enumerate(zip(self._session.faces, self._session.crops, strict=True)):
            added = self._session.history.state.is_added(index)
            info = f"eyes {face.interocular:.0f} px apart\nscore {face.score:.2f}{', by hand' if added else ''}"
            chip = FaceChip(index, crop, info, self._theme, added)
            chip.removed.connect(self._session.remove_face)
            chip.toggled.connect(self._session.toggle_face)
            chip.shown.connect(self.face_shown)
            chip.figures_asked.connect(self.figures_asked)
            self._chips.insertWidget(index, chip)
            self.chips.append(chip)
        self._show_ticks()
        self._show_result()
        self._tell()
        if grown:
            QTimer.singleShot(0, self._show_end)  # once the row has its new width

    @Slot()
    def _show_end(self) -> None:
        bar = self._scroll.horizontalScrollBar()
        bar.setValue(bar.maximum())

    @Slot()
    def _tell(self) -> None:
        if self._session.doing == FINDING:
            words = "Looking for faces…"
        elif self._session.looked:
            words = "No face was found in this photo. If there is one, draw a box around it."
        else:
            words = "The faces were not looked for. Photo > Find faces again (F5) starts the search."
        self.message.setText(words)
        self.offer.setVisible(self._session.looked and self._session.can_add)
        self.add.setEnabled(self._session.can_add)
        self._stack.setCurrentIndex(1 if self.chips else 0)

    @Slot()
    def _show_ticks(self) -> None:
        for chip in self.chips:
            chip.show_ticked(chip.index in self._session.selected)

    @Slot()
    def _show_result(self) -> None:
        step = self._session.history.current
        for chip in self.chips:
            face = self._session.faces[chip.index]
            if step is None:
                chip.show_result(None, None)
            else:
                chip.show_result(step.result_of(face), step.crop_of(face), step.reference)

    def show_original(self, on: bool) -> None:
        """Show the crops of the original while `on`."""
        for chip in self.chips:
            chip.show_original(on)


def _short(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…"


def _why(summary: Summary) -> str:
    """What stands under the words on a chip: who agrees, or what the face lacks."""
    if summary.words != UNJUDGED:
        return summary.agreement.replace(" recognisers", "")
    return f"too poor: recognisable at {min(summary.quality or (0.0,)):.0%}, {summary.gate:.0%} is needed"


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
            f"{name}: cosine {verdict.cosine:.3f}, {verdict.words}\n"
            f'    "same person" from {verdict.threshold:.3f} (one stranger in {1 / verdict.far:,.0f} reaches it)\n'
            f'    "changed" below {verdict.changed_below:.3f}; probability of the same person {verdict.probability:.0%}'
        )
        if name in result.to_reference:
            lines.append(f"    to the reference {reference}: cosine {result.to_reference[name]:.3f}")
    return "\n".join([*lines, *([result.error] if result.error else []), *result.notes])
