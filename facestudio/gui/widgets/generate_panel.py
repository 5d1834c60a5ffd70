"""The panel of Generate: who is drawn, how many, from which seed, and with which method. Sliders stand at the other side."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QLabel, QRadioButton, QSpinBox, QWidget

from facestudio.generating import MOST
from facestudio.gui.generating import GENERATING, UNTOLD, Making
from facestudio.gui.text_size import scaled
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.fold import Fold
from facestudio.gui.widgets.options_form import OptionRow
from facestudio.gui.widgets.pins_box import PinsBox
from facestudio.gui.widgets.pose_box import PoseBox
from facestudio.gui.widgets.source_box import SourceBox
from facestudio.gui.widgets.work_panel import WorkPanel, note, titled
from facestudio.gui.workplace import counted
from facestudio.options import OptionField
from facestudio.whom import WIDEST

LACK = "No weights that draw faces are installed."
LACK_HINT = "Look under File > Weights (F9), or run `facestudio doctor`."
CHOOSE_HELP = "Choose a photo of the person (Ctrl+O); you can also drop one here, or paste one with Ctrl+V"
NOTICE = (
    "Other people's faces are theirs: draw a real person only if they agree. "
    "Every saved picture says in its file that it was made by AI."
)
COUNT = 84  # px
KEEP_HELP = (
    "All pictures show the same person (Ctrl+L); only what the seed decides changes: pose, light, background. How "
    "much the person's looks vary can then be chosen."
)
FREELY_HELP = (
    "Ask for nobody in particular. Such a person cannot be kept, varied or used for a walk, and may resemble "
    "people the weights were trained on."
)
WALK_HELP = "Pictures on the way from the person on one picture to the person on another"
VARY = OptionField(
    "vary",
    float,
    0.0,
    "Vary the person",
    "How much the looks of the kept person vary, as 1 - cosine: 0 is always exactly the same face.",
    0.0,
    WIDEST,
    0.01,
)


class GeneratePanel(WorkPanel):
    """Shows what `making` is to do."""

    def __init__(self, making: Making, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(making, theme, "gallery", f"{LACK} {LACK_HINT}", parent)
        self._making = making
        self.nobody = QRadioButton("People who do not exist")
        self.nobody.setToolTip("Each picture shows a different person, unless one is kept")
        self.person = QRadioButton("The person in a photo")
        self.person.setToolTip("Draw new pictures of the person in a photo of yours")
        self.nobody.setChecked(True)
        self.person.toggled.connect(making.draw_from_photo)
        self.source = SourceBox(making.person, CHOOSE_HELP, NOTICE)
        self.keep, self.freely, self.kept = QCheckBox("Keep the person"), QCheckBox("Anybody, drawn freely"), note()
        self.keep.toggled.connect(making.keep_person)
        self.freely.toggled.connect(making.casting.draw_freely)
        self.vary = OptionRow(VARY, making.casting.vary)
        self.vary.edited.connect(self._vary)
        self.pins = PinsBox(making)
        self.walk = Fold("WALK FROM A TO B", self.pins, about=WALK_HELP)
        self.walk.opened.connect(self._show_walk)
        making.casting.pins_changed.connect(self._pinned)
        self.count = QSpinBox()
        self.count.setRange(1, MOST)
        self.count.setValue(making.count)
        self.count.lineEdit().setTextMargins(6, 0, 6, 0)
        self.count.setFixedWidth(scaled(COUNT))
        self.count.setAccessibleName("How many pictures")
        self.count.setToolTip(f"How many pictures are drawn, 1 to {MOST}")
        self.count.valueChanged.connect(making.set_count)
        self.seed.setToolTip(
            "Seed of the first picture; each further picture takes the next number. The same seed and options "
            "draw the same picture."
        )
        self.add_section("WHO", self.nobody, self.person, self.source, self.keep, self.kept, self.vary, self.freely)
        self.pose = PoseBox(making.posing)
        self.about_pose = self.add_section("POSE", self.pose)
        self._column.addWidget(_beside({"HOW MANY": self.count, "SEED OF THE FIRST": self.seed_row}))
        self.add_options()
        self.add_section("METHOD", self.method, self.problem)
        self._column.addWidget(self.walk)
        self.add_more(titled("WEIGHTS", self.checkpoint, self.licence))
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
        self.about_pose.setVisible(making.posing.possible)
        self._show_people()
        self.options.show_lacks(making.lacking)
        with QSignalBlocker(self.count):
            self.count.setValue(making.count)
        self.foot.setCurrentIndex(1 if making.doing else 0)
        self.button.setText(f"Generate {counted(making.count, 'picture')}")
        self.button.setEnabled(making.ready)
        self.hint.setText(making.obstacle)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)

    @property
    def unusual(self) -> list[str]:
        return [*super().unusual, *(["weights"] if self.checkpoint.currentIndex() > 0 else [])]

    def _show_people(self) -> None:
        """What can be said of people who do not exist; greyed where the weights cannot be told any."""
        making, casting = self._making, self._making.casting
        told = making.ability.people
        for box, on, help in (
            (self.keep, casting.kept is not None, KEEP_HELP),
            (self.freely, casting.freely or not told, FREELY_HELP),
        ):
            with QSignalBlocker(box):
                box.setChecked(on)
            box.setEnabled(told)
            box.setToolTip(help if told else UNTOLD)
            box.setVisible(not making.from_photo)
        self.kept.setText(f"It is {casting.kept}." if casting.kept is not None else "")
        self.kept.setVisible(casting.kept is not None and not making.from_photo)
        with QSignalBlocker(self.vary):
            self.vary.set_value(casting.vary)
        self.vary.setVisible(casting.kept is not None and told and not making.from_photo)
        self.walk.setVisible(told)

    @Slot()
    def _pinned(self) -> None:
        """A pin that was set is seen, and how to go on from there."""
        if self._making.casting.pins:
            self.walk.show_all(True)
            self._show_walk()

    @Slot()
    def _show_walk(self) -> None:
        self.bring_into_view(self.walk)

    @Slot()
    def _vary(self) -> None:
        self._making.casting.set_vary(self.vary.value)


def _beside(parts: dict[str, QWidget]) -> QWidget:
    """Titled parts in a row, the last one with the room that is left."""
    section = QWidget()
    grid = QGridLayout(section)
    grid.setContentsMargins(0, 0, 0, 10)
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(8)
    for column, (title, widget) in enumerate(parts.items()):
        heading = QLabel(title)
        heading.setObjectName("section")
        grid.addWidget(heading, 0, column)
        grid.addWidget(widget, 1, column)
    grid.setColumnStretch(len(parts) - 1, 1)
    return section
