"""One face of a reviewed photo: its crops before and after, what each recogniser says, and what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from facestudio.faces.figures import beside
from facestudio.gui.anonymize_rows import FALLBACK, MISSED, TONES, VERIFIED
from facestudio.gui.review_work import ReviewFace
from facestudio.gui.reviewing import can_leave
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.face_chip import Crop
from facestudio.gui.widgets.gauge import Gauge, tone

WIDTH = 396
LONGEST = 150  # characters of the sentences on a card; the tooltip has all


class ReviewCard(QFrame):
    """Shows face `index`. The signals tell it."""

    chosen = Signal(int)
    again_asked = Signal(int)
    hide_asked = Signal(int)
    leave_asked = Signal(int)
    deny_asked = Signal(int)

    def __init__(self, index: int, face: ReviewFace, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("faceChip")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)
        self.index, self.face = index, face
        self._theme = theme
        self.title, self.status = QLabel(f"Face {index + 1}"), QLabel(face.status.capitalize())
        self.title.setObjectName("chipTitle")
        self.status.setObjectName("chipTitle")
        crops = QHBoxLayout()
        crops.setSpacing(5)
        for image, words in ((face.before, "before"), (face.after, "after")):
            crop = Crop()
            crop.setAccessibleName(f"Face {index + 1} {words}")
            crop.setToolTip(words.capitalize())
            if image is not None:
                crop.show_image(image)
            crops.addWidget(crop)
        self.sentences = QLabel()
        self.sentences.setObjectName("chipInfo")
        self.sentences.setWordWrap(True)
        self.sentences.setTextFormat(Qt.TextFormat.PlainText)
        self.sentences.setAlignment(Qt.AlignmentFlag.AlignTop)
        words = " ".join(face.sentences) or ("Nothing was done to it. Is it a face?" if face.missed else "")
        self.sentences.setText(words if len(words) <= LONGEST else words[: LONGEST - 1].rstrip() + "…")
        self.sentences.setToolTip(words)
        head = QHBoxLayout()
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.status)
        side = QVBoxLayout()
        side.setSpacing(3)
        side.addLayout(head)
        side.addLayout(self._figures())
        side.addStretch(1)
        top = QHBoxLayout()
        top.setSpacing(12)
        top.addLayout(crops)
        top.addLayout(side, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 9, 9, 9)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self.sentences, 1)
        layout.addLayout(self._buttons())
        theme.changed.connect(self.draw)
        self.draw()

    def sizeHint(self) -> QSize:
        return QSize(self._width(), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(self._width(), super().minimumSizeHint().height())

    def _width(self) -> int:
        """As all cards, unless the words of a status need more."""
        return max(WIDTH, super().minimumSizeHint().width())

    def _figures(self) -> QGridLayout:
        """A line for each recogniser: its name, where the cosine stands, the cosine."""
        figures = QGridLayout()
        figures.setHorizontalSpacing(6)
        figures.setVerticalSpacing(0)
        self._numbers: list[tuple[QLabel, str]] = []
        for line, verdict in enumerate(self.face.verdicts):
            name, number, gauge = QLabel(short(verdict.title or verdict.embedder)), QLabel(), Gauge(self._theme)
            name.setObjectName("chipInfo")
            name.setToolTip(verdict.title)
            number.setObjectName("chipInfo")
            cosine, changed, same = beside(verdict.cosine, verdict.changed_below, verdict.threshold)
            number.setText(cosine)
            gauge.show_verdicts([verdict])
            tip = (
                f"{verdict.title}: similarity {cosine}, {verdict.words}. It says “changed” below {changed} and "
                f"“same person” from {same} on."
            )
            for widget in (gauge, number):
                widget.setToolTip(tip)
            figures.addWidget(name, line, 0)
            figures.addWidget(gauge, line, 1)
            figures.addWidget(number, line, 2)
            settled = self.face.status in (
                VERIFIED,
                FALLBACK,
            )  # then a high figure means nothing, and the sentence says why
            self._numbers.append((number, "muted" if settled and not verdict.success else tone(verdict)))
        figures.setColumnStretch(1, 1)
        return figures

    def _buttons(self) -> QHBoxLayout:
        face, n = self.face, self.index + 1
        self.again = QPushButton("Work on it" if face.missed else "Try again")
        self.again.setToolTip("With the method and options on the right, and another seed (Ctrl+G)")
        self.hide_it = QPushButton("Obscure")
        self.hide_it.setToolTip("Hide it under a block, so that nothing of the face shows (Ctrl+B)")
        self.leave = QPushButton("Leave as is")
        self.leave.setToolTip("Leave it as it is, unverified. The report says that a person decided this (Ctrl+L)")
        self.deny = QPushButton("No face")
        self.deny.setToolTip("This is not a face: show the original photo here. The report says so (Ctrl+Shift+L)")
        row = QHBoxLayout()
        row.setSpacing(6)
        for button, name in (
            (self.again, "Try face {} again"),
            (self.hide_it, "Obscure face {}"),
            (self.leave, "Leave face {} as it is"),
            (self.deny, "Face {} is no face"),
        ):
            button.setAccessibleName(name.format(n))
            button.clicked.connect(self._ask)
            row.addWidget(button, 1)
        self._asks = {
            **{self.again: self.again_asked, self.hide_it: self.hide_asked},
            **{self.leave: self.leave_asked, self.deny: self.deny_asked},
        }
        return row

    @Slot()
    def _ask(self) -> None:
        button = self.sender()
        assert isinstance(button, QPushButton)
        self._asks[button].emit(self.index)

    @property
    def can_hide(self) -> bool:
        """Whether it is not below a block already."""
        return self.face.method != "solid"

    def show_state(self, free: bool, chosen: bool) -> None:
        """Show whether anything can be decided now, and whether this is the chosen face."""
        self.again.setEnabled(free)
        self.hide_it.setEnabled(free and self.can_hide)
        self.leave.setEnabled(free and can_leave(self.face))
        self.deny.setEnabled(free and not self.face.denied)
        if self.property("ticked") != chosen:
            self.setProperty("ticked", chosen)
            self.style().unpolish(self)
            self.style().polish(self)

    @Slot()
    def draw(self) -> None:
        """Draw the words in the theme's colours."""
        colour = "warn" if self.face.status == MISSED else TONES.get(self.face.status, "text")
        self.status.setStyleSheet(f"color: {self._theme.colour(colour).name()};")
        for label, name in self._numbers:
            label.setStyleSheet(f"color: {self._theme.colour(name).name()}; font-weight: 600;")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.chosen.emit(self.index)


def short(title: str) -> str:
    """A recogniser's title without what all of ours have: "A" of "Starter identity embedder A (network)"."""
    return title.removeprefix("Starter identity embedder").partition("(")[0].strip() or title
