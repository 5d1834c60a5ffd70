"""The actions of the window that are about marks and masks of scratches: what they do and ask, and which of them are on.

Separate from the window because they say something of one thing alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QFileDialog

from facestudio.gui.marking import BRUSH, ERASER
from facestudio.gui.mask_work import MASK_SUFFIX
from facestudio.gui.widgets.photo_dialog import READ

if TYPE_CHECKING:
    from facestudio.gui.main_window import MainWindow

MASKS = f"Scratch masks (*{MASK_SUFFIX})"


class MarkActions(QObject):
    """Connects the commands of `window` with the marks of its session."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        session, commands = window.session, window.commands
        self._window, self._commands, self._session, self._marking = window, commands, session, session.marking
        commands["marks"].toggled.connect(self._marking.show)
        commands["brush"].triggered.connect(self._marking.use_brush)
        commands["eraser"].triggered.connect(self._marking.use_eraser)
        commands["larger_brush"].triggered.connect(self._marking.enlarge)
        commands["smaller_brush"].triggered.connect(self._marking.reduce)
        commands["load_mask"].triggered.connect(self.choose_mask)
        commands["save_mask"].triggered.connect(self.save_mask)
        commands["list_masks"].triggered.connect(self.choose_list_masks)
        box = window.workspace.panel.marks
        box.load_asked.connect(self.choose_mask)
        box.save_asked.connect(self.save_mask)
        self._marking.changed.connect(self._mark)
        session.restoring_all.masks.changed.connect(self._mark_list)

    @property
    def states(self) -> dict[str, bool]:
        """Which of them can be done now."""
        session, marking = self._session, self._marking
        sized = dict.fromkeys(("larger_brush", "smaller_brush"), marking.wanted)
        listed = {"list_masks": len(session.files.paths) > 1 and not session.doing}
        return {
            "marks": session.opened is not None,
            "brush": session.can_add,
            "eraser": session.can_add,
            **sized,
            "load_mask": session.mask_files.can_load,
            "save_mask": session.mask_files.can_save,
            **listed,
        }

    def leave(self) -> bool:
        """Put the tool away; whether there was one, and nothing runs that is to be stopped first."""
        if not self._marking.tool or self._session.doing or self._session.opening:
            return False
        self._marking.use("")
        return True

    # ---- masks as files

    @Slot()
    def choose_mask(self) -> None:
        """Ask for the scratch mask of the open photo."""
        masks = self._session.mask_files
        if not masks.can_load:
            return
        folder = str(masks.folder or self._window.folder())
        name, _ = QFileDialog.getOpenFileName(self._window, "The scratch mask of this photo", folder, READ)
        if name:
            masks.load(Path(name))

    @Slot()
    def save_mask(self) -> None:
        """Ask where to save what is marked as damage."""
        masks = self._session.mask_files
        if not masks.can_save:
            return
        start = str(masks.suggested(Path(self._window.folder())))
        name, _ = QFileDialog.getSaveFileName(self._window, "Save the scratch mask", start, MASKS)
        if name:
            path = Path(name)
            whole = path if path.suffix else path.with_name(path.name + MASK_SUFFIX)
            masks.save(whole, overwrite=whole == path)  # the dialog asked about `path` alone

    @Slot()
    def choose_list_masks(self) -> None:
        """Ask for the folder of scratch masks for the photos of the list; where there is one already, take none any more."""
        masks = self._session.restoring_all.masks
        if masks.folder is not None:
            masks.forget()
            return
        name = QFileDialog.getExistingDirectory(self._window, "The folder of scratch masks", self._window.folder())
        if name:
            masks.choose(Path(name))
            self._session.notified.emit(masks.about, None)
        self._commands["list_masks"].setChecked(bool(name))

    # ---- what is on

    @Slot()
    def _mark(self) -> None:
        marking, commands = self._marking, self._commands
        commands["marks"].setChecked(marking.visible)
        commands["brush"].setChecked(marking.tool == BRUSH)
        commands["eraser"].setChecked(marking.tool == ERASER)

    @Slot()
    def _mark_list(self) -> None:
        self._commands["list_masks"].setChecked(self._session.restoring_all.masks.folder is not None)
