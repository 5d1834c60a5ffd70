"""The Generate workspace: left who is drawn and how, in the middle the gallery or one large picture with what is said of it and
what was before, right the sliders that move it.

Only lays out, connects, and asks where to save; `Making` decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QSignalBlocker, Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from facestudio.gui.actions import Actions
from facestudio.gui.casting import A, B
from facestudio.gui.generating import Making
from facestudio.gui.runs import Picture, Run
from facestudio.gui.text_size import widened
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.distributions import DistributionsDialog
from facestudio.gui.widgets.elided_label import ElidedLabel
from facestudio.gui.widgets.empty_gallery import EmptyGallery
from facestudio.gui.widgets.gallery_grid import GalleryGrid
from facestudio.gui.widgets.generate_panel import GeneratePanel
from facestudio.gui.widgets.history_strip import HistoryStrip
from facestudio.gui.widgets.large_picture import LargePicture
from facestudio.gui.widgets.likeness_dialog import LikenessDialog
from facestudio.gui.widgets.portrait_readout import PortraitReadout
from facestudio.gui.widgets.sliders_column import WIDTH, SlidersColumn
from facestudio.gui.widgets.toast import Toast
from facestudio.gui.widgets.work_panel import SIDE
from facestudio.gui.workplace import counted
from facestudio.gui.workspaces.picture_dialogs import PictureDialogs
from facestudio.whom import Between, Near

if TYPE_CHECKING:
    from facestudio.alike import Likeness

EMPTY, GRID, LARGE = range(3)


class GenerateWorkspace(QSplitter):
    """Everything for making faces."""

    def __init__(self, making: Making, theme: Theme, commands: Actions, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("generateWorkspace")
        self.setHandleWidth(1)
        self.making, self._theme, self._commands = making, theme, commands
        self.dialogs = PictureDialogs(making, self)
        self.empty = EmptyGallery(making, theme)
        self.grid = GalleryGrid(making, theme)
        self.large = LargePicture(making, theme)
        self.readout = PortraitReadout(making, theme)
        self.panel = GeneratePanel(making, theme)
        self.sliders = SlidersColumn(making)
        self.about = ElidedLabel()
        self.about.setObjectName("galleryAbout")
        self.history = HistoryStrip(making)
        self.alike = QPushButton("How alike…")
        self.alike.setToolTip("How alike the faces of this gallery are, each with each (Ctrl+M)")
        self.save_selected, self.save_gallery = QPushButton("Save selected…"), QPushButton("Save all…")
        self.save_selected.setToolTip("Save the selected pictures (Ctrl+S)")
        self.save_gallery.setToolTip("Save every picture of this gallery (Ctrl+Shift+S)")
        self.head = QWidget()
        self.head.setObjectName("galleryHead")
        self.head.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        head = QHBoxLayout(self.head)
        head.setContentsMargins(16, 7, 12, 7)
        head.addWidget(self.about, 1)
        head.addWidget(self.alike)
        head.addWidget(self.save_selected)
        head.addWidget(self.save_gallery)
        self.foot = QWidget()
        self.foot.setObjectName("galleryFoot")
        self.foot.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        foot = QVBoxLayout(self.foot)
        foot.setContentsMargins(0, 0, 0, 0)
        foot.setSpacing(0)
        foot.addWidget(self.readout)
        foot.addWidget(self.history)
        self.centre = QStackedWidget()
        for page in (self.empty, self.grid, self.large):
            self.centre.addWidget(page)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.head)
        column.addWidget(self.centre, 1)
        column.addWidget(self.foot)
        self.toast = Toast(self.centre)
        for widget in (self.panel, middle, self.sliders):
            self.addWidget(widget)
        for index, stretch in enumerate((0, 1, 0)):
            self.setStretchFactor(index, stretch)
            self.setCollapsible(index, False)
        self.setSizes([widened(SIDE), 1110 - WIDTH, widened(WIDTH)])
        self._connect()
        self._show_sliders()
        self.refresh()

    def _connect(self) -> None:
        making = self.making
        triggered: dict[str, Callable[[], object]] = {
            "open_source": self.dialogs.choose_source,
            "paste_source": self.paste,
            "save_pictures": self.save_chosen,
            "save_gallery": self.save_all,
            "undo_gallery": making.undo,
            "redo_gallery": making.redo,
            "copy_picture": self.copy,
            "select_all": self.select_all,
            "select_none": self.select_none,
            "generate": making.generate,
            "stop_generating": self.stop_or_go_back,
            "again": making.again,
            "others": making.vary,
            "walk": making.walk,
            "alike": making.compare,
            "pin_a": self.pin_a,
            "pin_b": self.pin_b,
            "open_recipe": self.dialogs.choose_recipe,
            "export_pictures": self.export,
            "reset_sliders": self.reset_sliders,
            "figures_of_picture": self.show_figures,
            "dice": making.shuffle_seed,
            "reset_making": self.panel.options.reset,
        }
        for name, slot in triggered.items():
            self._commands[name].triggered.connect(slot)
        self._commands["keep_person"].toggled.connect(making.keep_person)
        self._commands["panel"].toggled.connect(self._show_sliders)
        making.sliding.offered_changed.connect(self._show_sliders)
        self.sliders.reset.clicked.connect(self.reset_sliders)
        self.grid.shown.connect(self.show_large)
        self.large.closed.connect(self.show_grid)
        self.panel.source.choose_asked.connect(self.dialogs.choose_source)
        self.panel.pose.choose_asked.connect(self.dialogs.choose_pose)
        self.readout.copy.clicked.connect(self.copy)
        self.readout.again.clicked.connect(making.again)
        self.readout.vary.clicked.connect(making.vary)
        self.readout.pins[A].clicked.connect(self.pin_a)
        self.readout.pins[B].clicked.connect(self.pin_b)
        self.alike.clicked.connect(making.compare)
        making.compared.connect(self._show_likeness)
        self.readout.gauge.clicked.connect(self.show_figures)
        self.save_selected.clicked.connect(self.save_chosen)
        self.save_gallery.clicked.connect(self.save_all)
        making.run_changed.connect(self._show_run)
        making.notified.connect(self.toast.tell)
        for changed in (
            making.run_changed,
            making.picture_added,
            making.selection_changed,
            making.work_changed,
            making.who_changed,
            making.recipe_changed,
            making.offers_changed,
            making.casting.pins_changed,
            making.sliding.values_changed,
        ):
            changed.connect(self.refresh)

    # ---- what is shown

    @Slot()
    def refresh(self) -> None:
        """Show what can be done now, and what the gallery is."""
        making = self.making
        some, selected = bool(making.pictures), len(making.selected)
        idle, large = not making.doing, self.centre.currentIndex() == LARGE
        self._commands.enable(
            {
                "save_pictures": making.can_save and bool(self.chosen()),
                "save_gallery": making.can_save,
                "undo_gallery": making.runs.can_undo and idle,
                "redo_gallery": making.runs.can_redo and idle,
                "copy_picture": making.picture is not None,
                "select_all": some and not large,
                "select_none": bool(selected) and not large,
                "generate": making.ready,
                "stop_generating": large or (not idle and not making.stopping),
                "again": making.ready and making.picture is not None,
                "others": making.ready and not making.hindrance_to_vary,
                "keep_person": making.ability.people and not making.from_photo,
                "pin_a": not making.hindrance_to_pin,
                "pin_b": not making.hindrance_to_pin,
                "walk": making.ready_to_walk,
                "alike": len(making.pictures) > 1 and idle,
                "open_recipe": making.running is None,
                "export_pictures": making.can_save,
                "reset_sliders": any(making.sliding.values.values()),
                "figures_of_picture": bool(making.picture and making.picture.portrait.summary),
                "open_source": making.running is None,
                "paste_source": making.running is None,
                "reset_making": bool(making.offer and making.offer.options),
            }
        )
        with QSignalBlocker(self._commands["keep_person"]):
            self._commands["keep_person"].setChecked(making.casting.kept is not None)
        self.alike.setEnabled(len(making.pictures) > 1 and idle)
        self.head.setVisible(making.shown is not None)
        self.foot.setVisible(making.shown is not None)
        self.about.setText(self._about())
        self.save_selected.setEnabled(making.can_save and bool(self.chosen()))
        self.save_selected.setText(
            "Save this one…" if large else f"Save {selected} selected…" if selected else "Save selected…"
        )
        self.save_gallery.setEnabled(making.can_save)

    @Slot()
    def _show_sliders(self) -> None:
        """Sliders come and go with the panel, and are there for weights that have some."""
        self.sliders.setVisible(bool(self.making.sliding.offered) and self._commands["panel"].isChecked())

    def _about(self) -> str:
        run = self.making.shown
        if run is None:
            return ""
        who = f"the person in {run.source.name}" if run.source else _people_of(run)
        there = len(run.pictures)
        count = counted(there, "picture") if there == run.count else f"{there} of {counted(run.count, 'picture')}"
        reached = run.count if run is self.making.running else there
        first, last = run.plan[0].seed, run.plan[max(reached, 1) - 1].seed
        seeds = f"seed {first}" if first == last else f"seeds {first} to {last}"
        state = ["Saving…"] if self.making.saving else [f"{run.seconds:.1f} s"] if run.seconds is not None else []
        return "   ".join([f"{count} of {who}", seeds, *state])

    @Slot()
    def _show_run(self) -> None:
        if self.making.shown is None:
            self._show_page(EMPTY)
        elif self.making.shown.count == 1:
            self._show_page(LARGE)
        elif self.making.current is None or self.centre.currentIndex() != LARGE:
            self._show_page(GRID)

    @Slot(int)
    def show_large(self, index: int) -> None:
        """Show picture `index` alone."""
        self.making.show_picture(index)
        self._show_page(LARGE)

    @Slot()
    def show_grid(self) -> None:
        """Show all pictures."""
        self._show_page(GRID)

    def _show_page(self, page: int) -> None:
        left = self.centre.currentWidget()
        focused = left.isAncestorOf(self.focusWidget()) or self.focusWidget() is left if self.focusWidget() else False
        self.centre.setCurrentIndex(page)
        if page == LARGE or (focused and page == GRID):
            self.centre.currentWidget().setFocus()
        self.refresh()

    @Slot()
    def stop_or_go_back(self) -> None:
        """Leave the large picture; where there is none, stop the work."""
        if self.centre.currentIndex() == LARGE:
            self.show_grid()
        else:
            self.making.stop()

    # ---- who is drawn

    @Slot()
    def paste(self) -> None:
        """Take what is on the clipboard as the photo of the person."""
        if not self.take(QGuiApplication.clipboard().mimeData()):
            self.toast.tell("There is no picture on the clipboard.")

    def take(self, data: QMimeData | None) -> bool:
        """Take what `data` holds as the photo of the person; False when it holds nothing that could be one."""
        return self.panel.source.take(data)

    # ---- pictures

    def chosen(self) -> tuple[Picture, ...]:
        """What is saved: the large picture, or the selected ones."""
        making = self.making
        if self.centre.currentIndex() == LARGE:
            return () if making.picture is None else (making.picture,)
        return tuple(making.pictures[index] for index in sorted(making.selected))

    @Slot()
    def select_all(self) -> None:
        self.making.select(range(len(self.making.pictures)))

    @Slot()
    def select_none(self) -> None:
        self.making.select(())

    @Slot()
    def copy(self) -> None:
        """Put the current picture on the clipboard."""
        if self.making.picture is not None:
            QGuiApplication.clipboard().setImage(self.making.picture.image)
            self.toast.tell("The picture is on the clipboard.")

    @Slot()
    def show_figures(self) -> None:
        """Show what the figures of the current picture rest on."""
        picture = self.making.picture
        if picture is not None and picture.portrait.summary is not None:
            DistributionsDialog(f"Seed {picture.seed}", picture.portrait.summary, self._theme, self.window()).open()

    @Slot()
    def pin_a(self) -> None:
        """Let a walk begin at the current picture."""
        self._pin(A)

    @Slot()
    def pin_b(self) -> None:
        """Let a walk end at the current picture."""
        self._pin(B)

    def _pin(self, name: str) -> None:
        making = self.making
        if making.picture is not None and not making.hindrance_to_pin:
            making.casting.pin(name, making.picture)
            self.toast.tell(f"Pinned as {name}.")

    @Slot()
    def reset_sliders(self) -> None:
        """Every slider back to the middle, as if each had been let go there."""
        self.making.sliding.reset()
        self.making.slid()

    @Slot(object)
    def _show_likeness(self, compared: tuple[Sequence[Picture], tuple[Likeness, ...]]) -> None:
        pictures, likenesses = compared
        names = [f"seed {picture.seed}" for picture in pictures]
        if len(set(names)) < len(names):  # of a walk
            names = [f"picture {place}" for place in range(1, len(names) + 1)]
        faces = [picture.thumbnail for picture in pictures]
        if likenesses:
            LikenessDialog(likenesses, faces, names, self._theme, self.window()).open()
        else:
            self.toast.tell("These pictures show no face, or no recogniser that could judge is installed.")

    # ---- saving

    @Slot()
    def save_chosen(self) -> None:
        """Ask where the chosen pictures go."""
        self.dialogs.save(self.chosen())

    @Slot()
    def save_all(self) -> None:
        """Ask for a folder and save every picture there."""
        self.dialogs.save_into(self.making.pictures)

    @Slot()
    def export(self) -> None:
        """Ask for a folder and save the chosen pictures there, or all, with embeddings and recipe beside each."""
        self.dialogs.save_into(self.chosen() or self.making.pictures, extras=True)


def _people_of(run: Run) -> str:
    """Who is on the pictures of a run without a photo."""
    first, last = run.plan[0].who, run.plan[-1].who
    if first is None:
        return "somebody who does not exist" if run.count == 1 else "people who do not exist"
    if isinstance(first, Between) and isinstance(last, Between) and run.count > 1:
        return f"the way from {first.one} to {first.other}"
    if isinstance(first, Near):
        return f"{first.person}, varied by {first.amount:g}"
    return str(first)
