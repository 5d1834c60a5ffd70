"""The window: lays out the workspaces, menus and status line, and takes what is dropped and pasted.

What is shown and done is decided by the session.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6 import QtGui
from PySide6.QtCore import QEvent, QMimeData, QSettings, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QPaintEvent,
)
from PySide6.QtWidgets import QFileDialog, QLabel, QMainWindow

from facestudio.errors import DamagedPhoto
from facestudio.formats import supported_suffix
from facestudio.gui import photo_state, window_settings
from facestudio.gui.actions import ANONYMIZE, GENERATE, RESTORE, Actions
from facestudio.gui.anonymizing import Anonymizing
from facestudio.gui.devices import Devices
from facestudio.gui.dialogs import Dialogs
from facestudio.gui.errors import show_error
from facestudio.gui.generating import Making
from facestudio.gui.leaving import Leaving
from facestudio.gui.mark_actions import MarkActions
from facestudio.gui.populating import Populating
from facestudio.gui.saving import MARK, TURNED, beside, ending_problem
from facestudio.gui.session import Session
from facestudio.gui.theme import CHOICES, Theme
from facestudio.gui.widgets.about import APP
from facestudio.gui.widgets.drop_zone import DropOverlay, image_in, paths_in
from facestudio.gui.widgets.elided_label import ElidedLabel
from facestudio.gui.widgets.photo_dialog import READ, WRITTEN
from facestudio.gui.widgets.recent_menu import RecentMenu
from facestudio.gui.window_settings import MODE_ACTIONS
from facestudio.gui.workspaces.anonymize import AnonymizeWorkspace
from facestudio.gui.workspaces.generate import GenerateWorkspace
from facestudio.gui.workspaces.restore import RestoreWorkspace
from facestudio.gui.workspaces.switch import Workspaces
from facestudio.metadata import saved_words


class MainWindow(QMainWindow):
    """Face Studio's window. `painted` comes once, after the first frame."""

    painted = Signal()

    def __init__(
        self, session: Session, making: Making, anonymizing: Anonymizing, theme: Theme, settings: QSettings
    ) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setAcceptDrops(True)
        self.session, self.making, self.anonymizing = session, making, anonymizing
        self.theme, self._settings = theme, settings
        self._painted = False
        self.workspace = RestoreWorkspace(session, theme)
        self.viewer = self.workspace.viewer
        self.commands = Actions(self)
        self.generate = GenerateWorkspace(making, theme, self.commands)
        self.anonymize = AnonymizeWorkspace(anonymizing, theme, self.commands)
        self.workspaces = Workspaces(self.workspace, self.generate, self.anonymize, self.commands)
        self.setCentralWidget(self.workspaces)
        self.leaving = Leaving(self)
        self.marks = MarkActions(self)
        self.populating = Populating(making, (session, anonymizing), settings, self)
        self.devices = Devices(self, settings)
        self.dialogs = Dialogs(self)
        self.overlay = DropOverlay(theme, self)
        self.recent_menu = RecentMenu(session, self)
        self.recent_menu.asked.connect(self.open_recent)
        self.commands.menus["&File"].insertMenu(self.commands["previous"], self.recent_menu)
        self._about_photo, self._about_zoom = ElidedLabel(), QLabel()
        self.statusBar().addWidget(self._about_photo, 1)
        self.statusBar().addPermanentWidget(self._about_zoom)
        self.statusBar().setSizeGripEnabled(False)
        self._connect_commands()
        self._connect_workspaces()
        self._connect_changes()
        window_settings.read(self, settings)
        self._draw()
        self.refresh()

    def _connect_commands(self) -> None:
        session, viewer, dialogs = self.session, self.viewer, self.dialogs
        triggered: dict[str, Callable[[], object]] = {
            "open": self.choose_photos,
            "open_folder": self.choose_folder,
            "save": self.save,
            "save_as": self.save_as,
            "kept_metadata": self._show_kept_metadata,
            "quit": self.close,
            "undo": session.undo,
            "redo": session.redo,
            "copy": self.workspace.copy,
            "paste": self.paste,
            "tick_all": session.select_all,
            "tick_none": session.select_none,
            "restore": session.restore,
            "restore_all": self.choose_folder_for_all,
            "stop": self._stop,
            "find_faces": session.find_faces,
            "turn_left": session.turning.left,
            "turn_right": session.turning.right,
            "shuffle_seed": session.shuffle_seed,
            "reset_options": self.workspace.panel.options.reset,
            "fit": viewer.fit,
            "actual": viewer.actual_size,
            "zoom_in": viewer.zoom_in,
            "zoom_out": viewer.zoom_out,
            "shortcuts": dialogs.show_shortcuts,
            "about": dialogs.show_about,
            "figures": dialogs.show_figures,
            "compare": dialogs.compare,
            "reference": self.workspace.choose_reference,
            "paste_reference": self.workspace.paste_reference,
            "explanation": self.workspace.show_explanation,
            "weights": dialogs.show_weights,
            "dataset": dialogs.show_dataset,
            "previous": self.open_previous,
            "next": self.open_next,
        }
        for name, slot in triggered.items():
            self.commands[name].triggered.connect(slot)
        for mode, name in MODE_ACTIONS.items():
            self.commands[name].setData(mode)
            self.commands[name].triggered.connect(self._choose_mode)
        for choice in CHOICES:
            self.commands[f"theme_{choice}"].setData(choice)
            self.commands[f"theme_{choice}"].triggered.connect(self._choose_theme)
        toggled: dict[str, Callable[[bool], object]] = {
            "original": viewer.show_original,
            "boxes": viewer.show_boxes,
            "add_face": viewer.draw_box,
            "files": self.workspace.show_files,
            "strip": self.workspace.strip.setVisible,
            "full_screen": self._show_full_screen,
        }
        for name, switch in toggled.items():
            self.commands[name].toggled.connect(switch)
        for side in (self.workspace.panel, self.generate.panel, self.anonymize.panel):
            self.commands["panel"].toggled.connect(side.setVisible)

    def _connect_workspaces(self) -> None:
        session, viewer, dialogs = self.session, self.viewer, self.dialogs
        self.workspace.strip.figures_asked.connect(dialogs.show_figures_of)
        self.workspace.strip.add_asked.connect(self.commands["add_face"].trigger)
        self.workspace.drop_zone.open_asked.connect(self.choose_photos)
        self.workspace.drop_zone.folder_asked.connect(self.choose_folder)
        self.workspace.files.asked.connect(self.open_listed)
        self.workspace.files.all_asked.connect(self.choose_folder_for_all)
        session.restoring_all.done.connect(dialogs.show_all_restored)
        viewer.view_changed.connect(self._show_zoom)
        viewer.original_changed.connect(self._mark_original)
        viewer.mode_changed.connect(self._mark_mode)
        viewer.drawing_changed.connect(self._mark_drawing)
        for drawing in (viewer.drawing, self.workspace.brush, self.anonymize.page.viewer.drawing):
            drawing.told.connect(self._announce)
            drawing.ended.connect(self.statusBar().clearMessage)
        self.workspaces.place_changed.connect(self.statusBar().clearMessage)
        self.populating.notified.connect(self.generate.toast.tell)

    def _connect_changes(self) -> None:
        session = self.session
        for changed in (
            session.photo_changed,
            session.faces_changed,
            session.selection_changed,
            session.result_changed,
            session.recipe_changed,
            session.work_changed,
            session.opening_changed,
            session.files.changed,
            session.reference.changed,
            session.enlarging.changed,
            session.marking.changed,
            session.restoring_all.masks.changed,
            self.making.run_changed,
            self.making.work_changed,
            self.anonymizing.given_changed,
            self.workspaces.place_changed,
        ):
            changed.connect(self.refresh)
        session.photo_changed.connect(self.viewer.setFocus)
        for workplace in (session, self.making, self.anonymizing):
            workplace.failed.connect(self._show_failure)
        for other in (self.making, self.anonymizing):
            session.weights.renewed.connect(other.look_again)
        self.theme.changed.connect(self._draw)

    # ---- opening

    @Slot()
    def choose_photos(self) -> None:
        """Ask which photos to open."""
        names, _ = QFileDialog.getOpenFileNames(self, "Open photos", self.folder(), READ)
        if names:
            self.open_paths([Path(name) for name in names])

    @Slot()
    def choose_folder(self) -> None:
        """Ask which folder of photos to open."""
        name = QFileDialog.getExistingDirectory(self, "Open a folder of photos", self.folder())
        if name:
            self.open_paths([Path(name)])

    def open_paths(self, paths: list[Path]) -> None:
        """Open photos and folders, after asking about what would be lost."""
        self.leaving.leave_photo(partial(self.session.open_paths, paths))

    @Slot(object)
    def open_listed(self, path: Path) -> None:
        """Open a photo of the list."""
        self.leaving.leave_photo(partial(self.session.open, path))

    @Slot()
    def open_previous(self) -> None:
        self.leaving.leave_photo(partial(self.session.open_neighbour, -1))

    @Slot()
    def open_next(self) -> None:
        self.leaving.leave_photo(partial(self.session.open_neighbour, 1))

    @Slot()
    def paste(self) -> None:
        """Open what is on the clipboard: files or a picture."""
        if not self._open_data(QGuiApplication.clipboard().mimeData()):
            self.workspace.toast.tell("There is no picture on the clipboard.")

    def _open_data(self, data: QMimeData | None) -> bool:
        """Open what `data` holds; False when it holds nothing that could be a photo."""
        if self.workspaces.place == ANONYMIZE:
            return self.anonymize.take(data)
        if data is None or self.workspaces.place == GENERATE:
            return self.generate.take(data)
        paths = paths_in(data)
        if paths:
            self.open_paths(paths)
            return True
        image = image_in(data)
        if image is None:
            return False
        self.leaving.leave_photo(partial(self.session.paste, image))
        return True

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if paths_in(event.mimeData()) or event.mimeData().hasImage():
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.overlay.show_over(self.workspace.panel.reference)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.overlay.hide()
        if self._open_data(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def folder(self) -> str:
        """Where a dialog that asks for a file begins."""
        source = self.session.opened.source if self.session.opened else None
        recent = source or next(iter(self.session.recents), None)
        return str(recent.parent) if recent else ""

    @Slot(object)
    def open_recent(self, path: Path) -> None:
        """Open a photo of the menu."""
        self.open_paths([path])

    # ---- saving

    @Slot()
    def save(self) -> None:
        """Save beside the photo; a pasted picture has no place, so ask for one."""
        if self.session.opened is not None and self.session.opened.source is None:
            self.save_as()
        else:
            self.session.results.save()

    @Slot()
    def save_as(self) -> None:
        """Ask where to save."""
        if not self.session.results.can_save or self.session.opened is None:
            return
        source, turned = self.session.opened.source, self.session.history.current is None
        start = beside(source or Path(self.folder(), "Pasted picture.png"), mark=TURNED if turned else MARK)
        kept = saved_words(self.session.kept_metadata.policy).rstrip(".")
        title = "Save the turned photo" if turned else "Save the result"
        title = f"{title}. {kept}" if kept else title
        name, _ = QFileDialog.getSaveFileName(self, title, str(start), WRITTEN)
        problem = ending_problem(Path(name), start.suffix) if name else None
        if problem is not None:
            self.leaving.forget()
            self.session.failed.emit(problem)
        elif name:
            path = Path(name)
            known = supported_suffix(path) or path.suffix == start.suffix
            whole = path if known else path.with_name(path.name + start.suffix)
            self.session.results.save_as(whole, overwrite=whole == path)  # the dialog asked about `path` alone
        else:
            self.leaving.forget()

    @Slot()
    def _show_kept_metadata(self) -> None:
        self.commands["panel"].setChecked(True)
        self.workspace.panel.show_kept_metadata()

    @Slot()
    def choose_folder_for_all(self) -> None:
        """Ask for the folder into which the photos of the list are restored."""
        title = f"A folder for {len(self.session.files.paths)} restored photos"
        name = QFileDialog.getExistingDirectory(self, title, self.folder())
        if name:
            self.session.restoring_all.restore(Path(name))

    @Slot(Exception)
    def _show_failure(self, error: Exception) -> None:
        offer = None
        if isinstance(error, DamagedPhoto) and error is self.session.refused and error.path is not None:
            salvage = partial(self.session.open, error.path, salvage=True)
            offer = ("Open what is readable", partial(self.leaving.leave_photo, salvage))
        show_error(self, error, offer)

    # ---- closing

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.leaving.may_close():
            event.ignore()
            return
        window_settings.write(self, self._settings)
        self.session.stop()
        self.making.stop()
        self.populating.close()
        self.anonymizing.close()
        event.accept()

    # ---- looks

    @Slot()
    def _choose_mode(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self.viewer.set_mode(action.data())

    @Slot(str)
    def _mark_mode(self, mode: str) -> None:
        self.commands[MODE_ACTIONS[mode]].setChecked(True)

    @Slot()
    def _mark_original(self) -> None:
        self.commands["original"].setChecked(self.viewer.original)

    @Slot(bool)
    def _mark_drawing(self, on: bool) -> None:
        self.commands["add_face"].setChecked(on)
        self.refresh()

    @Slot(str)
    def _announce(self, words: str) -> None:
        """Say `words` in the status line, and to who has the screen read aloud."""
        self.statusBar().showMessage(words)
        if hasattr(QtGui, "QAccessibleAnnouncementEvent"):  # Qt 6.8
            QtGui.QAccessible.updateAccessibility(QtGui.QAccessibleAnnouncementEvent(self.statusBar(), words))

    @Slot()
    def _stop(self) -> None:
        if self.viewer.drawing.active:
            self.viewer.draw_box(False)
        elif self.session.opening:
            self.session.stop_opening()
        elif not self.marks.leave():
            self.session.stop()

    @Slot()
    def _choose_theme(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self.theme.choose(action.data())
        self._settings.setValue("theme", action.data())

    @Slot(bool)
    def _show_full_screen(self, on: bool) -> None:
        if on:
            self.showFullScreen()
        else:
            self.showNormal()

    @Slot()
    def _draw(self) -> None:
        self.commands.draw(self.theme)

    @Slot()
    def _show_zoom(self) -> None:
        self._about_zoom.setText(f"{self.viewer.zoom:.0%}" if self.session.opened else "")

    @Slot()
    def refresh(self) -> None:
        """Show what can be done now, and what is open."""
        session, opened = self.session, self.session.opened
        drawing = self.viewer.drawing.active
        self.commands.enable({**photo_state.possible(session, drawing), **self.workspace.states, **self.marks.states})
        self.recent_menu.menuAction().setVisible(self.workspaces.place == RESTORE)
        if self.workspaces.place != RESTORE:
            title, unsaved, about = self.workspaces.words
            self.setWindowTitle(f"{title}[*] - {APP}")
            self.setWindowModified(unsaved)
            self._about_photo.setText(about)
            self._about_zoom.clear()
            return
        self.setWindowTitle(f"{photo_state.name_of(opened)}[*] - {APP}" if opened else APP)
        self.setWindowModified(session.history.unsaved)
        self._about_photo.setText(photo_state.words(session))
        self._show_zoom()

    # ---- keys and first frame

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Backslash and self.commands["original"].isEnabled():
            if not event.isAutoRepeat():
                self.viewer.show_original(True)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Backslash:
            if not event.isAutoRepeat():
                self.viewer.show_original(False)
        else:
            super().keyReleaseEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.ActivationChange and not self.isActiveWindow():
            self.viewer.show_original(False)  # the release of the key goes elsewhere
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self.painted.emit)
