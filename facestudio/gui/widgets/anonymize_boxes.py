"""Two parts of the Anonymize panel: who becomes whom, and what results are called and their files say of when they were made.

Separate from the panel because each has rules of its own: what goes together, and what the chosen method can do.
"""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from facestudio.gui.anonymizing import Anonymizing
from facestudio.gui.widgets.work_panel import note

CONSISTENT = (
    "All photos are first searched for people. Each person gets one new face, of somebody who does not exist and "
    "resembles nobody else in the photos. A face that is too poor to be recognised gets a new face of its own."
)
SIMILAR = "The new face is of about the same age and gender presentation, as far as that can be told."
KEY = (
    "A small file with the secret that decides who becomes whom; it contains no faces or names. Whoever has this "
    "file and the photos can find out who became whom, so never give it away with the results. Choose an existing "
    "key, or where to create a new one, outside the results folder."
)
NO_KEY = (
    "Without a key file this applies until the window closes: people in photos done on another day get different faces."
)
NUMBERS = (
    "Results are named 000001 and so on, in an order that reveals nothing. A separate table says which number is which photo; "
    "whoever has it knows the names."
)
BELOW = 23  # px that what belongs to a tick box is set in, so that it stands below its words
TIMES = "Sets the modification time of the result files to 1980, so that it does not show when they were made."


class PathLabel(QLabel):
    """A path on one line, its middle left out where there is no room; all of it in the tooltip."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setMinimumWidth(40)
        self._words = ""

    def show_words(self, words: str, tip: str) -> None:
        """Show `words`."""
        self._words = words
        self.setToolTip(tip)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._words, Qt.TextElideMode.ElideMiddle, self.width()))


class PeopleBox(QWidget):
    """Who becomes whom. `key_asked` asks for a key file."""

    key_asked = Signal()

    def __init__(self, anonymizing: Anonymizing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run, choices = anonymizing, anonymizing.choices
        self.consistent = QCheckBox("The same person gets the same\nnew face in all photos")
        self.similar = QCheckBox("Similar people")
        self.consistent.toggled.connect(choices.set_consistent)
        self.similar.toggled.connect(choices.set_similar)
        self.key, self.notice = PathLabel(), note()
        self.choose, self.forget = QPushButton("Key file…"), QPushButton("Without")
        self.choose.clicked.connect(self.key_asked)
        self.forget.clicked.connect(self._forget)
        self.forget.setToolTip("Keep the secret only in memory; the file stays where it is")
        self.choose.setToolTip(KEY)
        self.below = _stack(QWidget(), self.key, row(self.choose, self.forget), self.notice, indent=BELOW)
        _stack(self, self.consistent, self.below, self.similar)

    def refresh(self) -> None:
        """Show what is chosen, and what the method can be told."""
        run, choices = self._run, self._run.choices
        untold = run.untold
        for box, on, about in (
            (self.consistent, choices.consistent, CONSISTENT),
            (self.similar, choices.similar, SIMILAR),
        ):
            with QSignalBlocker(box):
                box.setChecked(on and not untold)
            box.setEnabled(not untold)
            box.setToolTip(untold or about)
        self.below.setVisible(choices.consistent and not untold)
        self.key.setVisible(choices.key is not None)
        self.key.show_words(choices.key.name if choices.key else "", f"{choices.key}\n\n{KEY}")
        self.forget.setVisible(choices.key is not None)
        self.choose.setText("Key file…" if choices.key is None else "Another key…")
        self.notice.setText(NO_KEY)
        self.notice.setVisible(choices.key is None)

    @Slot()
    def _forget(self) -> None:
        self._run.choices.choose_key(None)


class FilesBox(QWidget):
    """What results are called, and what their files say. `names_asked` asks for the file of the mapping."""

    names_asked = Signal()

    def __init__(self, anonymizing: Anonymizing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._run, choices = anonymizing, anonymizing.choices
        self.numbers, self.times = QCheckBox("Number the results,\nmapping kept in…"), QCheckBox("Reset file times")
        self.numbers.setToolTip(NUMBERS)
        self.numbers.toggled.connect(self._choose_numbers)
        self.times.setToolTip(TIMES)
        self.times.toggled.connect(choices.set_reset_times)
        self.mapping, self.choose = PathLabel(), QPushButton("Change…")
        self.choose.setToolTip("Choose another file for the mapping")
        self.choose.clicked.connect(self.names_asked)
        self.below = _stack(QWidget(), self.mapping, row(self.choose), indent=BELOW)
        _stack(self, self.numbers, self.below, self.times)

    def refresh(self) -> None:
        """Show what is chosen."""
        choices = self._run.choices
        for box, on in ((self.numbers, choices.names is not None), (self.times, choices.reset_times)):
            with QSignalBlocker(box):
                box.setChecked(on)
        self.below.setVisible(choices.names is not None)
        self.mapping.show_words(choices.names.name if choices.names else "", str(choices.names or ""))

    @Slot(bool)
    def _choose_numbers(self, on: bool) -> None:
        if on:
            self.names_asked.emit()
            self.refresh()  # nothing may have been chosen
        else:
            self._run.choices.choose_names(None)


def row(*buttons: QPushButton) -> QWidget:
    """Buttons in a row, as wide as their words."""
    line = QWidget()
    layout = QHBoxLayout(line)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(6)
    for button in buttons:
        layout.addWidget(button)
    layout.addStretch(1)
    return line


def _stack(parent: QWidget, *widgets: QWidget, indent: int = 0) -> QWidget:
    """`parent` with `widgets` one below the other."""
    column = QVBoxLayout(parent)
    column.setContentsMargins(indent, 0, 0, 0)
    column.setSpacing(8)
    for widget in widgets:
        column.addWidget(widget)
    return parent
