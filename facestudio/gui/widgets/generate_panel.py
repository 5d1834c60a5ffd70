"""The panel of Generate: who is drawn, how many, from which seed, and with which method."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Slot
from PySide6.QtWidgets import QRadioButton, QSpinBox, QWidget

from facestudio.generating import MOST
from facestudio.gui.generating import GENERATING, Making, counted
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.source_box import SourceBox
from facestudio.gui.widgets.work_panel import WorkPanel

LACK = "No weights are here that make faces."
LACK_HINT = "See which there are (F9), or run `facestudio doctor`."
CHOOSE_HELP = "Choose a photo of the person (Ctrl+O); one can also be dropped, or pasted with Ctrl+V"
NOTICE = (
    "Other people's faces are theirs: draw a real person only if they agree. "
    "Every saved picture says in its file that it was made by AI."
)


class GeneratePanel(WorkPanel):
    """Shows what `making` is to do."""

    def __init__(self, making: Making, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(making, theme, "gallery", f"{LACK} {LACK_HINT}", parent)
        self._making = making
        self.nobody = QRadioButton("People of nobody")
        self.nobody.setToolTip("Draw people who do not exist")
        self.person = QRadioButton("The person in a photo")
        self.person.setToolTip("Draw new pictures of somebody whom you show in a photo")
        self.nobody.setChecked(True)
        self.person.toggled.connect(making.draw_from_photo)
        self.source = SourceBox(making.person, CHOOSE_HELP, NOTICE)
        self.count = QSpinBox()
        self.count.setRange(1, MOST)
        self.count.setValue(making.count)
        self.count.lineEdit().setTextMargins(6, 0, 6, 0)
        self.count.setAccessibleName("How many pictures")
        self.count.setToolTip(f"How many pictures are drawn, 1 to {MOST}")
        self.count.valueChanged.connect(making.set_count)
        self.seed.setToolTip(
            "Of the first picture; each has the next one. The same seed and options draw the same picture."
        )
        self.add_section("WHO", self.nobody, self.person, self.source)
        self.add_section("HOW MANY", self.count)
        self.add_section("SEED OF THE FIRST", self.seed_row)
        self.add_section("OPTIONS", self.options)
        self.add_section("METHOD", self.method, self.problem)
        self.add_section("WEIGHTS", self.checkpoint, self.licence)
        self.end_sections()
        self.button.clicked.connect(making.generate)
        self.button.setToolTip("Draw the pictures (Ctrl+R)")
        self.count.valueChanged.connect(self.refresh)
        for changed in (making.who_changed, making.work_changed, making.recipe_changed, making.offers_changed):
            changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what can be done now."""
        making = self._making
        with QSignalBlocker(self.person):
            (self.person if making.from_photo else self.nobody).setChecked(True)
        for who in (self.nobody, self.person):
            who.setEnabled(making.doing != GENERATING)
        self.source.setVisible(making.from_photo)
        self.foot.setCurrentIndex(1 if making.doing else 0)
        self.button.setText(f"Generate {counted(making.count, 'picture')}")
        self.button.setEnabled(making.ready)
        self.hint.setText(making.obstacle)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
