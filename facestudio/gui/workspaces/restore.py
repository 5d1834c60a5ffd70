"""The Restore workspace: files left, the picture and its faces in the middle, method and options right.

Only lays out and connects; the session decides.
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
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from facestudio.gui.session import LARGEST_SEED, Session
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.drop_zone import DropZone
from facestudio.gui.widgets.face_strip import FaceStrip
from facestudio.gui.widgets.files_list import FilesList
from facestudio.gui.widgets.job_bar import JobBar
from facestudio.gui.widgets.options_form import OptionsForm
from facestudio.gui.widgets.toast import Toast
from facestudio.gui.widgets.viewer import Viewer

SIDE = 300


class RestorePanel(QWidget):
    """Method, checkpoint, options, seed, device, and the button."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sidePanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(SIDE - 50)
        self._session, self._theme = session, theme
        self.method, self.checkpoint = QComboBox(), QComboBox()
        self.method.setAccessibleName("Method")
        self.checkpoint.setAccessibleName("Weights")
        self.method.activated.connect(self._choose_method)
        self.checkpoint.activated.connect(self._choose_checkpoint)
        self.licence, self.problem, self.device = QLabel(), QLabel(), QLabel("Starting…")
        self.options = OptionsForm(session)
        self.seed = QSpinBox()
        self.seed.setRange(0, LARGEST_SEED)
        self.seed.lineEdit().setTextMargins(6, 0, 6, 0)
        self.seed.setToolTip("Fixes all randomness: the same photo, options and seed give the same result.")
        self.seed.setAccessibleName("Seed")
        self.seed.valueChanged.connect(session.set_seed)
        self.dice = QToolButton()
        self.dice.setIconSize(QSize(20, 20))
        self.dice.setToolTip("Another seed, by chance")
        self.dice.clicked.connect(self.shuffle)
        for label, name in ((self.licence, "note"), (self.problem, "problem"), (self.device, "value")):
            label.setObjectName(name)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.hide()

        seed = QHBoxLayout()
        seed.setSpacing(6)
        seed.addWidget(self.seed, 1)
        seed.addWidget(self.dice)
        content = QWidget()
        content.setObjectName("sideContent")
        column = QVBoxLayout(content)
        column.setContentsMargins(16, 14, 16, 14)
        column.setSpacing(8)
        for title, widgets in (
            ("METHOD", (self.method, self.problem)),
            ("WEIGHTS", (self.checkpoint, self.licence)),
            ("OPTIONS", (self.options,)),
        ):
            column.addWidget(_section(title))
            for widget in widgets:
                column.addWidget(widget)
            column.addSpacing(10)
        column.addWidget(_section("SEED"))
        column.addLayout(seed)
        column.addSpacing(10)
        column.addWidget(_section("DEVICE"))
        column.addWidget(self.device)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setObjectName("sideScroll")
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)

        self.button = QPushButton("Restore")
        self.button.setObjectName("restoreButton")
        self.button.clicked.connect(session.restore)
        self.hint = QLabel()
        self.hint.setObjectName("note")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setWordWrap(True)
        idle = QWidget()
        idle_column = QVBoxLayout(idle)
        idle_column.setContentsMargins(0, 0, 0, 0)
        idle_column.setSpacing(6)
        idle_column.addWidget(self.button)
        idle_column.addWidget(self.hint)
        self.job_bar = JobBar(session, theme)
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
        session.device_changed.connect(self._show_device)
        for changed in (
            session.photo_changed,
            session.faces_changed,
            session.selection_changed,
            session.work_changed,
            session.recipe_changed,
            session.offers_changed,
        ):
            changed.connect(self.refresh)
        theme.changed.connect(self._draw)
        self._draw()
        self.refresh()

    @Slot()
    def _draw(self) -> None:
        self.button.setIcon(self._theme.icon("restore", "accent-text"))
        self.dice.setIcon(self._theme.icon("dice"))

    @Slot()
    def refresh(self) -> None:
        """Show what can be done now."""
        session = self._session
        self.foot.setCurrentIndex(1 if session.doing else 0)
        count = len(session.selected)
        self.button.setText("Restore" if count < 2 else f"Restore {count} faces")
        self.button.setEnabled(not session.obstacle)
        self.hint.setText(session.obstacle)

    @Slot()
    def _show_offers(self) -> None:
        offers = self._session.offers or ()
        with QSignalBlocker(self.method):
            self.method.clear()
            for name in dict.fromkeys(offer.method for offer in offers):
                self.method.addItem(name.capitalize(), name)
        error = self._session.offers_error
        self.problem.setVisible(not offers)
        hint = getattr(error, "hint", "")
        self.problem.setText(f"{error} {hint}".strip() if error else "There are no weights that restore a face.")
        self.method.setEnabled(bool(offers))
        self.checkpoint.setEnabled(bool(offers))

    @Slot()
    def _show_recipe(self) -> None:
        offer = self._session.offer
        if offer is None:
            return
        self.method.setCurrentIndex(self.method.findData(offer.method))
        with QSignalBlocker(self.checkpoint):
            self.checkpoint.clear()
            for other in self._session.offers or ():
                if other.method == offer.method:
                    self.checkpoint.addItem(other.checkpoint.title or other.checkpoint.id, other.checkpoint.id)
            self.checkpoint.setCurrentIndex(self.checkpoint.findData(offer.checkpoint.id))
        self.checkpoint.setToolTip(offer.checkpoint.id)
        self.licence.setText(f"Licence: {offer.checkpoint.licence}")

    @Slot(int)
    def _choose_method(self, index: int) -> None:
        name = self.method.itemData(index)
        first = next(offer for offer in self._session.offers or () if offer.method == name)
        if self._session.offer is None or self._session.offer.method != name:
            self._session.choose(first.checkpoint.id)

    @Slot(int)
    def _choose_checkpoint(self, index: int) -> None:
        self._session.choose(self.checkpoint.itemData(index))

    @Slot()
    def _show_device(self) -> None:
        self.device.setText(self._session.device)

    @Slot()
    def shuffle(self) -> None:
        """Another seed, by chance."""
        self.seed.setValue(self._session.shuffle_seed())


class RestoreWorkspace(QSplitter):
    """Everything for restoring. `files_wanted` and `panel_wanted` are what the user wants to see of the sides."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("restoreWorkspace")
        self.setHandleWidth(1)
        self._session = session
        self.files_wanted = True
        self.files = FilesList(session, theme)
        self.viewer = Viewer(session, theme)
        self.strip = FaceStrip(session, theme)
        self.drop_zone = DropZone(session, theme)
        self.panel = RestorePanel(session, theme)
        photo = QWidget()
        column = QVBoxLayout(photo)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.viewer, 1)
        column.addWidget(self.strip)
        self.centre = QStackedWidget()
        self.centre.addWidget(self.drop_zone)
        self.centre.addWidget(photo)
        self.toast = Toast(self.centre)
        for widget in (self.files, self.centre, self.panel):
            self.addWidget(widget)
        for index, stretch in enumerate((0, 1, 0)):
            self.setStretchFactor(index, stretch)
            self.setCollapsible(index, False)
        self.setSizes([210, 900, SIDE])
        self.viewer.original_changed.connect(self._show_original)
        self.strip.face_shown.connect(self.viewer.show_face)
        session.photo_changed.connect(self._show_photo)
        session.files.changed.connect(self.refresh)
        session.notified.connect(self.toast.tell)
        self.refresh()

    @Slot()
    def _show_photo(self) -> None:
        self.centre.setCurrentIndex(1 if self._session.opened else 0)

    @Slot()
    def _show_original(self) -> None:
        self.strip.show_original(self.viewer.original)

    @Slot()
    def refresh(self) -> None:
        """Show the list of files when there is one and it is wanted."""
        self.files.setVisible(self.files_wanted and len(self._session.files.paths) > 1)

    def show_files(self, on: bool) -> None:
        """Want the list of files, or not."""
        self.files_wanted = on
        self.refresh()


def _section(title: str) -> QLabel:
    label = QLabel(title)
    label.setObjectName("section")
    return label
