"""The panel at a workspace's side: sections of settings that scroll, and at the foot the button or what runs.

Method, weights, options and seed are the same everywhere; what a workspace is about stands in its own subclass, which
puts the sections into their order.
"""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from facestudio.gui.theme import Theme
from facestudio.gui.widgets.job_bar import JobBar
from facestudio.gui.widgets.options_form import OptionsForm
from facestudio.gui.workplace import LARGEST_SEED, Workplace
from facestudio.methods.base import method_title

SIDE = 300


class WorkPanel(QWidget):
    """Shows the recipe of `session`.

    Args:
        icon: of the button; lack: what is said when no weights are offered.
    """

    BAR: type[JobBar] = JobBar  # what shows the work

    def __init__(self, session: Workplace, theme: Theme, icon: str, lack: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidePanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(SIDE - 50)
        self._workplace, self._theme, self._icon, self._lack = session, theme, icon, lack
        self.method, self.checkpoint = QComboBox(), QComboBox()
        self.method.setAccessibleName("Method")
        self.checkpoint.setAccessibleName("Weights")
        self.method.activated.connect(self._choose_method)
        self.checkpoint.activated.connect(self._choose_checkpoint)
        self.licence, self.problem = note(), note("problem")
        self.problem.hide()
        self.options = OptionsForm(session)
        self.seed = QSpinBox()
        self.seed.setRange(0, LARGEST_SEED)
        self.seed.lineEdit().setTextMargins(6, 0, 6, 0)
        self.seed.setAccessibleName("Seed")
        self.seed.valueChanged.connect(session.set_seed)
        self.dice = QToolButton()
        self.dice.setIconSize(QSize(20, 20))
        self.dice.setToolTip("Another seed, by chance")
        self.dice.setAccessibleName("Another seed")
        self.dice.clicked.connect(session.shuffle_seed)
        self.seed_row = QWidget()
        row = QHBoxLayout(self.seed_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self.seed, 1)
        row.addWidget(self.dice)
        content = QWidget()
        content.setObjectName("sideContent")
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(16, 14, 16, 14)
        self._column.setSpacing(8)
        scroll = QScrollArea()
        scroll.setObjectName("sideScroll")
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)

        self.button = QPushButton()
        self.button.setObjectName("restoreButton")
        self.hint = note()
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        idle = QWidget()
        idle_column = QVBoxLayout(idle)
        idle_column.setContentsMargins(0, 0, 0, 0)
        idle_column.setSpacing(6)
        idle_column.addWidget(self.button)
        idle_column.addWidget(self.hint)
        self.job_bar = self.BAR(session, theme)
        self.foot = QStackedWidget()
        self.foot.addWidget(idle)
        self.foot.addWidget(self.job_bar)
        self.foot.setFixedHeight(70)
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.addWidget(self.foot)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(scroll, 1)
        layout.addLayout(foot)
        session.offers_changed.connect(self._show_offers)
        session.recipe_changed.connect(self._show_recipe)
        session.seed_changed.connect(self._show_seed)
        theme.changed.connect(self._draw)
        self._draw()

    def add_section(self, title: str, *widgets: QWidget) -> QWidget:
        """Put a titled section below those that are there, and return it."""
        heading = QLabel(title)
        heading.setObjectName("section")
        section = QWidget()
        column = QVBoxLayout(section)
        column.setContentsMargins(0, 0, 0, 10)
        column.setSpacing(8)
        for widget in (heading, *widgets):
            column.addWidget(widget)
        self._column.addWidget(section)
        return section

    def end_sections(self) -> None:
        """All sections are there."""
        self._column.addStretch(1)

    @Slot()
    def _show_seed(self) -> None:
        self.seed.setValue(self._workplace.seed)

    @Slot()
    def _draw(self) -> None:
        self.button.setIcon(self._theme.icon(self._icon, "accent-text"))
        self.dice.setIcon(self._theme.icon("dice"))

    @Slot()
    def _show_offers(self) -> None:
        offers = self._workplace.offers or ()
        with QSignalBlocker(self.method):
            self.method.clear()
            for name in dict.fromkeys(offer.method for offer in offers):
                self.method.addItem(method_title(name), name)
        error = self._workplace.offers_error
        self.problem.setVisible(not offers)
        hint = getattr(error, "hint", "")
        self.problem.setText(f"{error} {hint}".strip() if error else self._lack)
        self.method.setEnabled(bool(offers))
        self.checkpoint.setEnabled(bool(offers))

    @Slot()
    def _show_recipe(self) -> None:
        offer = self._workplace.offer
        if offer is None:
            return
        self.method.setCurrentIndex(self.method.findData(offer.method))
        with QSignalBlocker(self.checkpoint):
            self.checkpoint.clear()
            for other in self._workplace.offers or ():
                if other.method == offer.method:
                    self.checkpoint.addItem(other.checkpoint.title or other.checkpoint.id, other.checkpoint.id)
            self.checkpoint.setCurrentIndex(self.checkpoint.findData(offer.checkpoint.id))
        self.checkpoint.setToolTip(offer.checkpoint.id)
        self.licence.setText(f"Licence: {offer.checkpoint.licence}")

    @Slot(int)
    def _choose_method(self, index: int) -> None:
        name = self.method.itemData(index)
        first = next(offer for offer in self._workplace.offers or () if offer.method == name)
        if self._workplace.offer is None or self._workplace.offer.method != name:
            self._workplace.choose(first.checkpoint.id)

    @Slot(int)
    def _choose_checkpoint(self, index: int) -> None:
        self._workplace.choose(self.checkpoint.itemData(index))


def note(name: str = "note") -> QLabel:
    """A label for plain sentences; `name` is its style's."""
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
