"""What is to be said of the current picture: its seed, and with a source photo how alike the recognisers find it.

Where it is narrow the figures stand below the words, and buttons have icons alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from facestudio.faces.panel import UNJUDGED, between_photos
from facestudio.gui.casting import PINS, A, B
from facestudio.gui.generating import Making
from facestudio.gui.text_size import scaled
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.gauge import ROW, Gauge, tone
from facestudio.whom import Drawn

if TYPE_CHECKING:
    from facestudio.generating import Portrait
    from facestudio.gui.runs import Picture

HEIGHT = 124
NARROW = 620  # px: with less, the figures stand below the words
NARROWEST = 420
GAUGE = 190
COSINE = 170  # px that a line beside the gauge has
NOBODY = "This person does not exist, so there is nobody to compare with."
AGAIN_HELP = "Draw this seed once more, with the options and sliders as they are now (Ctrl+G)"
VARY_HELP = "Draw other pictures of the person on this one, from other seeds (Ctrl+Shift+G)"
PIN_HELP = {
    name: f"The walk {'begins' if name == A else 'ends'} at the person on this picture (Ctrl+Alt+{name})"
    for name in PINS
}
CHOOSE = "Click a picture to enlarge it. Select several with their ticks, Ctrl+click or Space."


class PortraitReadout(QWidget):
    """Shows the current picture of `making`, and has a button for each thing to do with it."""

    def __init__(self, making: Making, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._making, self._theme, self._narrow = making, theme, False
        self.seed, self.words, self.sentence = QLabel(), QLabel(), QLabel()
        self.seed.setObjectName("chipTitle")
        self.sentence.setObjectName("note")
        for label in (self.seed, self.words, self.sentence):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.gauge = Gauge(theme)
        self.gauge.setFixedWidth(GAUGE)
        self.cosines: list[QLabel] = []
        self.copy, self.again, self.vary = QToolButton(), QToolButton(), QToolButton()
        self.pins = {name: QToolButton() for name in PINS}
        for button, words, help in (
            (self.copy, "Copy", "Put the picture on the clipboard (Ctrl+C)"),
            (self.again, "Again with this seed", AGAIN_HELP),
            (self.vary, "Others of this person", VARY_HELP),
            *((button, f"Pin as {name}", PIN_HELP[name]) for name, button in self.pins.items()),
        ):
            button.setAccessibleName(words)
            button.setToolTip(help)
            button.setIconSize(QSize(18, 18))
        said = QVBoxLayout()
        said.setSpacing(4)
        for label in (self.seed, self.words, self.sentence):
            said.addWidget(label)
        said.addStretch(1)
        self._figures = QGridLayout()
        self._figures.setHorizontalSpacing(12)
        self._figures.setVerticalSpacing(0)
        self._figures.addWidget(self.gauge, 0, 0, Qt.AlignmentFlag.AlignTop)
        self._figures.setRowStretch(1, 1)
        buttons = QGridLayout()
        buttons.setHorizontalSpacing(6)
        buttons.setVerticalSpacing(2)
        for row, pair in enumerate(((self.again, self.copy), (self.vary, self.pins[A]), (None, self.pins[B]))):
            for column, one in enumerate(pair):
                if one is not None:
                    buttons.addWidget(one, row, column, Qt.AlignmentFlag.AlignLeft)
        buttons.setRowStretch(3, 1)
        self._layout = QGridLayout(self)
        self._layout.setContentsMargins(16, 12, 12, 8)
        self._layout.setHorizontalSpacing(24)
        self._layout.setVerticalSpacing(0)
        self._layout.setColumnStretch(0, 1)
        self._layout.addLayout(said, 0, 0)
        self._layout.addLayout(buttons, 0, 2)
        self._lay_out()
        making.selection_changed.connect(self.refresh)
        making.run_changed.connect(self.refresh)
        making.work_changed.connect(self.refresh)
        making.who_changed.connect(self.refresh)
        theme.changed.connect(self._draw)
        self._draw()

    def minimumSizeHint(self) -> QSize:
        return QSize(NARROWEST, scaled(HEIGHT))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if (self.width() < NARROW) is not self._narrow:
            self._narrow = not self._narrow
            self._lay_out()

    def _lay_out(self) -> None:
        """Put the figures beside the words, or below them."""
        self._layout.removeItem(self._figures)
        self._layout.addLayout(self._figures, *((1, 0, 1, 3) if self._narrow else (0, 1)))
        style = Qt.ToolButtonStyle
        for button in (self.copy, self.again, self.vary, *self.pins.values()):
            name = button.accessibleName()
            pin = button in self.pins.values()
            button.setText(name.removeprefix("Pin as ") if self._narrow else name)
            button.setToolButtonStyle(
                style.ToolButtonIconOnly if self._narrow and not pin else style.ToolButtonTextBesideIcon
            )
        self._take_height()

    def _take_height(self) -> None:
        lines = len(self.cosines) if self._narrow else 0
        self.setFixedHeight(scaled(HEIGHT + lines * ROW) + (6 if lines else 0))

    @Slot()
    def _draw(self) -> None:
        self.vary.setIcon(self._theme.icon("gallery"))
        for button in self.pins.values():
            button.setIcon(self._theme.icon("pin"))
        self.copy.setIcon(self._theme.icon("copy"))
        self.again.setIcon(self._theme.icon("again"))
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the current picture."""
        picture = self._making.picture
        portrait = picture.portrait if picture else None
        summary = portrait.summary if portrait else None
        self.copy.setEnabled(picture is not None)
        self.again.setEnabled(picture is not None and self._making.ready)
        why = self._making.hindrance_to_vary
        self.vary.setEnabled(not why and self._making.ready)
        self.vary.setToolTip(why or VARY_HELP)
        unpinnable = self._making.hindrance_to_pin
        for name, button in self.pins.items():
            button.setEnabled(not unpinnable)
            button.setToolTip(unpinnable or PIN_HELP[name])
        self.seed.setText(title_of(portrait) if portrait else "")
        self.seed.setVisible(picture is not None)
        self.words.setVisible(bool(portrait and words_of(portrait)))
        self.gauge.setVisible(summary is not None)
        self.gauge.show_verdicts(summary.verdicts if summary else ())
        self.gauge.explain("Click to see what the figures are based on (Ctrl+I).")
        self._list_cosines(portrait)
        self.sentence.setText(CHOOSE if portrait is None else sentence_of(portrait))
        if portrait is not None:
            self.words.setText(words_of(portrait).capitalize())
            self.words.setStyleSheet(f"color: {self._theme.colour(tone_of(portrait)).name()}; font-weight: 600;")

    def _list_cosines(self, portrait: Portrait | None) -> None:
        """A line beside every line of the gauge."""
        for label in self.cosines:
            label.hide()
            label.deleteLater()
        column = QVBoxLayout()
        column.setContentsMargins(0, 3, 0, 0)
        column.setSpacing(0)
        self.cosines = []
        for verdict in portrait.verdicts.values() if portrait else ():
            words = f"{verdict.cosine:.2f}  {verdict.title or verdict.embedder}"
            label = QLabel(self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideMiddle, COSINE))
            label.setToolTip(words)
            label.setObjectName("chipInfo")
            label.setFixedHeight(scaled(ROW))
            column.addWidget(label)
            self.cosines.append(label)
        old = self._figures.itemAtPosition(0, 1)
        if old is not None:
            self._figures.removeItem(old)
        self._figures.addLayout(column, 0, 1, Qt.AlignmentFlag.AlignTop)
        self._take_height()


def title_of(portrait: Portrait) -> str:
    """The picture's seed, whom it shows if that is somebody else than the person of the seed, and which sliders were moved."""
    recipe = portrait.recipe
    own = recipe.person is None or recipe.person == Drawn(recipe.seed)
    moved = [f"{name} {value:+.2f}" for name, value in recipe.sliders.items() if value]
    return ", ".join([f"Seed {recipe.seed}", *([] if own else [str(recipe.person)]), *moved])


def words_of(portrait: Portrait) -> str:
    """What the recognisers come to, in two words; "" when they were not asked."""
    return between_photos(portrait.summary.words) if portrait.summary else ""


def tone_of(portrait: Portrait) -> str:
    """The colour of those words."""
    return tone(portrait.summary) if portrait.summary else "muted"


def sentence_of(portrait: Portrait) -> str:
    """What is to be said of a picture in a sentence."""
    if portrait.note or portrait.summary is None:
        return portrait.note or f"{NOBODY}{_nearest(portrait)}"
    if portrait.summary.words == UNJUDGED:
        return portrait.summary.sentence
    return (
        f"The chance of the same person as in the photo is {portrait.summary.chance:.0%}; {portrait.summary.agreement}."
    )


def _nearest(portrait: Portrait) -> str:
    """How far the picture is from the faces of the training, as a sentence to be added; "" where that is not known."""
    if portrait.nearest_known is None:
        return ""
    return (
        " The most similar training face has a cosine of {:.2f}; one real stranger in twenty reaches {:.2f}."
    ).format(*portrait.nearest_known)


def figures(portrait: Portrait) -> str:
    """All that is known of a picture, a line each, with the raw figures of every recogniser."""
    lines = [title_of(portrait)]
    if portrait.note:
        lines.append(portrait.note)
    elif portrait.nearest_known is not None:
        lines.append(
            "Nearest training face: cosine {:.3f} (one real stranger in twenty: {:.2f})".format(*portrait.nearest_known)
        )
    if portrait.summary is not None:
        lines.append(between_photos(portrait.summary.sentence))
        if portrait.summary.quality is not None:
            lines.append("Recognisable: {:.0%} in the photo, {:.0%} here".format(*portrait.summary.quality))
    for verdict in portrait.verdicts.values():
        lines.append(
            f"{verdict.title or verdict.embedder}: cosine {verdict.cosine:.3f}, {between_photos(verdict.words)}"
        )
    return "\n".join(lines)


def spoken(picture: Picture) -> str:
    """A picture in words for a screen reader."""
    said = words_of(picture.portrait) or ("no face was found" if picture.portrait.face is None else "")
    return f"Seed {picture.seed}" + (f", {said}" if said else "")
