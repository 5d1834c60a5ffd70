"""What is asked of a dataset: how many people and pictures, which seed, where it goes; and what is known of that folder."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from facestudio.datasets.running import Shard
from facestudio.gui.populating import Populating
from facestudio.gui.text_size import scaled
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.fold import Fold
from facestudio.gui.widgets.seed_box import SeedBox
from facestudio.populating import MOST_PEOPLE, MOST_PICTURES, Order

WHAT = (
    "Each person gets a folder of pictures. Independent recognisers measure how well the people can be told apart, "
    "and pictures that show somebody else are drawn again. Tables and a report show the results."
)
NUMBER, SEED = 96, 180  # px of a field for a number, and for a seed, which may be long
MOST_PARTS = 1000


class DatasetForm(QWidget):
    """Shows what `populating` is asked for."""

    def __init__(self, populating: Populating, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._populating, self._theme = populating, theme
        self.title, self.what = _label("People who do not exist", "dialogTitle"), _label(WHAT, "note")
        self.last = QPushButton()
        self.last.setToolTip("This dataset was never finished: use its settings and continue where it stopped")
        self.people = _number(1, MOST_PEOPLE, "People")
        self.pictures = _number(1, MOST_PICTURES, "Pictures of each")
        self.seed = SeedBox()
        self.seed.setFixedWidth(scaled(SEED))
        self.seed.setAccessibleName("Seed")
        self.seed.setToolTip("The same seed, number and settings draw the same people on every machine")
        self.dice = QToolButton()
        self.dice.setIconSize(QSize(20, 20))
        self.dice.setToolTip("Another seed, by chance")
        self.dice.setAccessibleName("Another seed")
        self.folder = QLineEdit()
        self.folder.setAccessibleName("Folder")
        self.choose = QPushButton("C&hoose…")
        self.choose.setToolTip("Choose the folder. It must be empty or already contain this dataset")
        self.how = _label("", "value")
        self.how.setToolTip("Taken from the Generate workspace; change it there")
        self.vary = QDoubleSpinBox()
        self.vary.setRange(0.0, 0.5)
        self.vary.setSingleStep(0.01)
        self.vary.setFixedWidth(scaled(NUMBER))
        self.vary.setAccessibleName("Vary each person")
        self.vary.setToolTip("How much a person's looks vary, as 1 - cosine: 0 is always exactly the same face")
        self.tries = _number(1, 100, "Tries per picture")
        self.tries.setToolTip("How many times a picture is drawn at most until it shows its person")
        self.apart = QCheckBox("&Replace lookalikes")
        self.apart.setToolTip(
            "A person whose pictures look too much like somebody before is replaced by somebody else;\nat most "
            "eight people are drawn for one number, so it can take longer"
        )
        self.part, self.parts = _number(1, MOST_PARTS, "Part"), _number(1, MOST_PARTS, "Parts")
        for number in (self.part, self.parts):
            number.setToolTip(
                "Several machines can share a dataset: each draws its part, and the folders are merged afterwards"
            )
        self.more = Fold("More", self._make_more())
        self.going_on, self.estimate = _label("", "goingOn"), _label("", "estimate")
        self.problem = _label("", "problem")
        self.take = QPushButton("&Use the settings of that dataset")
        self._lay_out()
        for box in (self.people, self.pictures, self.vary, self.tries, self.part, self.parts):
            box.valueChanged.connect(self._asked)
        self.apart.toggled.connect(self._asked)
        self.seed.valueChanged.connect(populating.set_seed)
        self.dice.clicked.connect(populating.shuffle_seed)
        self.folder.textEdited.connect(self._folder_written)
        self.choose.clicked.connect(self.choose_folder)
        self.last.clicked.connect(populating.go_on_with_last)
        self.take.clicked.connect(populating.take_settings)
        populating.asked_changed.connect(self.refresh)
        populating.seed_changed.connect(self.refresh)
        theme.changed.connect(self._draw)
        self._draw()
        self.refresh()

    def _make_more(self) -> QWidget:
        grid = _grid()
        _row(grid, 0, "&Vary each person", self.vary)
        _row(grid, 1, "T&ries per picture", self.tries)
        _row(grid, 2, "&Only part", self.part, QLabel("of"), self.parts)
        grid.addWidget(self.apart, 3, 1)
        more = QWidget()
        more.setLayout(grid)
        return more

    def _lay_out(self) -> None:
        grid = _grid()
        _row(grid, 0, "&People", self.people)
        _row(grid, 1, "Pictures of &each", self.pictures)
        _row(grid, 2, "&Seed", self.seed, self.dice)
        _row(grid, 3, "&Folder", self.folder, self.choose, stretch=True)
        _row(grid, 4, "Drawn by", self.how, stretch=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.title)
        column.addWidget(self.what)
        column.addWidget(self.last, 0, Qt.AlignmentFlag.AlignLeft)
        column.addLayout(grid)
        column.addWidget(self.more)
        for label in (self.going_on, self.estimate, self.problem):
            column.addWidget(label)
        column.addWidget(self.take, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)

    @Slot()
    def refresh(self) -> None:
        """Show what is asked for and what is known."""
        populating = self._populating
        for box, value in (
            *((self.people, populating.people), (self.pictures, populating.pictures), (self.seed, populating.seed)),
            *(
                (self.tries, populating.tries),
                (self.part, populating.shard.index),
                (self.parts, populating.shard.count),
            ),
        ):
            with QSignalBlocker(box):
                box.setValue(value)
        with QSignalBlocker(self.vary):
            self.vary.setValue(populating.vary)
        with QSignalBlocker(self.apart):
            self.apart.setChecked(populating.apart)
        self.more.show_unusual(
            name
            for name, on in (
                ("vary each person", populating.vary != 0),
                ("tries per picture", populating.tries != Order(1, 1).tries),
                ("only part", populating.shard.count > 1),
                ("lookalikes stay", not populating.apart),
            )
            if on
        )
        folder = str(populating.out or "")
        if Path(self.folder.text()) != populating.out:  # while it is written it may end with a slash
            self.folder.setText(folder)
        self.folder.setToolTip(folder)
        self.how.setText(populating.how)
        before = populating.before
        fresh = before is not None and before.last != populating.out
        self.last.setVisible(fresh)
        if before is not None and before.last is not None:
            there = f"{before.place.people} of {before.place.asked} people"
            self.last.setText(f"&Continue the dataset in {before.last.name} ({there})".replace("&&", "&"))
        problem, place = populating.obstacle, populating.place
        for label, words in (
            (self.going_on, "" if problem else populating.going_on),
            (self.estimate, "" if problem else populating.estimate),
            (self.problem, problem),
        ):
            label.setText(words)
            label.setVisible(bool(words))
        self.take.setVisible(place is not None and bool(place.differs) and bool(place.obstacle))

    @Slot()
    def choose_folder(self) -> None:
        """Ask for the folder; a new one can be made in the dialog."""
        out = self._populating.out
        start = "" if out is None else str(out if out.is_dir() else out.parent)
        name = QFileDialog.getExistingDirectory(self.window(), "A folder for the dataset", start)
        if name:
            self._populating.choose_folder(Path(name))

    @Slot(str)
    def _folder_written(self, text: str) -> None:
        self._populating.choose_folder(Path(text).expanduser())

    @Slot()
    def _asked(self) -> None:
        parts = self.parts.value()
        shard = Shard(min(self.part.value(), parts), parts)
        self._populating.ask(
            self.people.value(),
            self.pictures.value(),
            round(self.vary.value(), 4),
            self.tries.value(),
            shard,
            self.apart.isChecked(),
        )

    @Slot()
    def _draw(self) -> None:
        self.dice.setIcon(self._theme.icon("dice"))


def _label(text: str, name: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    return label


def _number(least: int, most: int, name: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(least, most)
    box.setFixedWidth(scaled(NUMBER))
    box.setAccessibleName(name)
    return box


def _grid() -> QGridLayout:
    grid = QGridLayout()
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(14)
    grid.setVerticalSpacing(9)
    grid.setColumnMinimumWidth(0, 120)
    grid.setColumnStretch(1, 1)
    return grid


def _row(grid: QGridLayout, line: int, words: str, *widgets: QWidget, stretch: bool = False) -> None:
    """A line of a form; its words lead to the first of `widgets` by the keyboard."""
    name = QLabel(words)
    name.setBuddy(widgets[0])
    row = QHBoxLayout()
    row.setSpacing(8)
    for widget in widgets:
        row.addWidget(widget)
    if stretch:
        row.setStretch(0, 1)
    else:
        row.addStretch(1)
    grid.addWidget(name, line, 0, Qt.AlignmentFlag.AlignTop if isinstance(widgets[0], QLabel) else Qt.AlignmentFlag(0))
    grid.addLayout(row, line, 1)
