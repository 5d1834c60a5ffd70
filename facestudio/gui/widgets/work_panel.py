"""The panel at a workspace's side: sections of settings that scroll, and at the foot the button or what runs.

Method, weights, options and seed are the same everywhere; what a workspace is about stands in its own subclass, which
puts the sections into their order. What few people change is folded away, as long as it is as usual.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, QSize, Qt, QTimer, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from facestudio.gui.text_size import scaled, widened
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.fold import Fold
from facestudio.gui.widgets.job_bar import JobBar
from facestudio.gui.widgets.options_form import OptionsForm
from facestudio.gui.widgets.seed_box import SeedBox
from facestudio.gui.workplace import Workplace
from facestudio.methods.base import method_title

SIDE = 300
MOST = 560  # px that the panel takes at least, however large the text is


class WorkPanel(QWidget):
    """Shows the recipe of `session`.

    Args:
        icon: of the button; lack: what is said when no weights are offered.

    Attributes:
        more: the fold of what few people change: the rare options, and what a subclass adds.
    """

    BAR: type[JobBar] = JobBar  # what shows the work

    def __init__(self, session: Workplace, theme: Theme, icon: str, lack: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidePanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(widened(SIDE - 50))
        self._workplace, self._theme, self._icon, self._lack = session, theme, icon, lack
        self.method, self.checkpoint = QComboBox(), QComboBox()
        self.method.setAccessibleName("Method")
        self.checkpoint.setAccessibleName("Weights")
        self.method.activated.connect(self._choose_method)
        self.checkpoint.activated.connect(self._choose_checkpoint)
        self.licence, self.problem = note(), note("problem")
        self.problem.hide()
        self.options = OptionsForm(session)
        self.more = Fold("MORE", self.options.rare)
        self.more.opened.connect(self._show_more)
        self.seed = SeedBox()
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
        content = self._content = QWidget()
        content.setObjectName("sideContent")
        content.installEventFilter(self)
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(16, 14, 16, 14)
        self._column.setSpacing(8)
        self._scroll = QScrollArea()
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it can be reached
        self._scroll.setObjectName("sideScroll")
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(content)

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
        self.foot.setFixedHeight(scaled(70))
        foot = QVBoxLayout()
        foot.setContentsMargins(16, 8, 16, 12)
        foot.addWidget(self.foot)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._scroll, 1)
        layout.addLayout(foot)
        session.offers_changed.connect(self._show_offers)
        session.recipe_changed.connect(self._show_recipe)
        session.seed_changed.connect(self._show_seed)
        theme.changed.connect(self._draw)
        self._draw()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._content and event.type() == QEvent.Type.LayoutRequest:
            wide = self._content.minimumSizeHint().width() + self._scroll.verticalScrollBar().sizeHint().width()
            self.setMinimumWidth(
                min(max(widened(SIDE - 50), wide), MOST)
            )  # nothing scrolls sideways, so nothing is cut off
        return False

    def add_section(self, title: str, *widgets: QWidget) -> QWidget:
        """Put a titled section below those that are there, and return it."""
        section = titled(title, *widgets)
        self._column.addWidget(section)
        return section

    def add_options(self) -> None:
        """Put the options that are not rare below what is there; nothing where there are none."""
        self.about_options = self.add_section("OPTIONS", self.options)

    def add_more(self, *sections: QWidget) -> None:
        """Put the fold of what few people change below what is there, with `sections` below the rare options."""
        for section in sections:
            self.more.add(section)
        self._always_more = bool(sections)
        self._column.addWidget(self.more)

    def end_sections(self) -> None:
        """All sections are there."""
        self._column.addStretch(1)
        for changed in (self.options.changed, self._workplace.recipe_changed, self._workplace.seed_changed):
            changed.connect(self.show_unusual)
        self.show_unusual()

    @property
    def unusual(self) -> list[str]:
        """What is not as usual of all that is folded away, in a word or two each."""
        return self.options.unusual

    @Slot()
    def show_unusual(self) -> None:
        """Let nothing that is folded away be in force unseen."""
        self.about_options.setVisible(self.options.open)
        self.more.setVisible(self._always_more or any(row.field.rare for row in self.options.rows.values()))
        self.more.show_unusual(self.unusual)

    @Slot()
    def _show_more(self) -> None:
        self.bring_into_view(self.more)

    def bring_into_view(self, part: QWidget) -> None:
        """Show `part` of the panel, such as a fold that was just opened, also where the panel is short."""
        self._brought = part
        QTimer.singleShot(0, self._scroll_to_brought)  # once it has its place

    @Slot()
    def _scroll_to_brought(self) -> None:
        bar, top = self._scroll.verticalScrollBar(), self._brought.y()
        below = top + self._brought.height() - self._scroll.viewport().height()
        bar.setValue(min(top, max(below, bar.value())))  # all of it, or its beginning where it is too high

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


def titled(title: str, *widgets: QWidget) -> QWidget:
    """A section: a heading, and `widgets` below it."""
    heading = QLabel(title)
    heading.setObjectName("section")
    section = QWidget()
    column = QVBoxLayout(section)
    column.setContentsMargins(0, 0, 0, 10)
    column.setSpacing(8)
    for widget in (heading, *widgets):
        column.addWidget(widget)
    return section


def note(name: str = "note") -> QLabel:
    """A label for plain sentences; `name` is its style's."""
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
