"""What Generate asks about files: where pictures go, whether files are replaced, and which picture or photo is taken.

Separate from the workspace, which lays out. Where the user was last is remembered for all of these questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from facestudio.gui.generating import Making
from facestudio.gui.runs import Picture
from facestudio.gui.saving import Plan, picture_name
from facestudio.gui.widgets.photo_dialog import WRITTEN, ask_for_photo
from facestudio.gui.widgets.question import ask, nothing
from facestudio.gui.workplace import counted

Role = QMessageBox.ButtonRole


class PictureDialogs(QObject):
    """Asks over the window of `widget`, for `making`."""

    def __init__(self, making: Making, widget: QWidget) -> None:
        super().__init__(widget)
        self._making, self._widget = making, widget
        self._folder = ""
        making.plan_made.connect(self._ask_about_files)

    @Slot()
    def choose_source(self) -> None:
        """Ask for a photo of the person."""
        path = self._photo("A photo of the person")
        if path is not None:
            self._making.person.use_photo(path)

    @Slot()
    def choose_pose(self) -> None:
        """Ask for a pose picture."""
        path = self._photo("A normal map of a head")
        if path is not None:
            self._making.posing.use_picture(path)

    @Slot()
    def choose_recipe(self) -> None:
        """Ask for a picture that was made, and put everything as its recipe says."""
        path = self._photo("A picture made by Face Studio")
        if path is not None:
            self._making.use_recipe(path)

    def _photo(self, title: str) -> Path | None:
        path = ask_for_photo(self._widget.window(), title, self._folder)
        if path is not None:
            self._folder = str(path.parent)
        return path

    def save(self, pictures: Sequence[Picture]) -> None:
        """Ask where `pictures` go: a file for one, a folder for several."""
        if len(pictures) != 1:
            self.save_into(pictures)
            return
        start = str(Path(self._folder, picture_name(pictures[0])))
        name, _ = QFileDialog.getSaveFileName(self._widget.window(), "Save the picture", start, WRITTEN)
        if name:
            path = Path(name)
            self._folder = str(path.parent)
            self._making.save_as(path if path.suffix else path.with_suffix(".png"), pictures[0])

    def save_into(self, pictures: Sequence[Picture], extras: bool = False) -> None:
        """Ask for a folder for `pictures`; with `extras` embeddings and recipe go there, too."""
        words = f"A folder for {counted(len(pictures), 'picture')}"
        name = QFileDialog.getExistingDirectory(self._widget.window(), words, self._folder) if pictures else ""
        if name:
            self._folder = name
            self._making.save_into(Path(name), pictures, extras)

    @Slot(object)
    def _ask_about_files(self, plan: Plan) -> None:
        taken, all_of = len(plan.taken), len(plan.targets)
        there = f"{taken} of {all_of} files" if all_of > 1 else next(iter(plan.taken)).name
        ask(
            self._widget.window(),
            "Files with these names exist already" if taken > 1 else "A file with this name exists already",
            f"{there[:1].upper()}{there[1:]} {'are' if taken > 1 else 'is'} there already.",
            {
                "Keep both": (Role.AcceptRole, partial(self._making.write, plan, False)),
                "Replace": (Role.DestructiveRole, partial(self._making.write, plan, True)),
                "Cancel": (Role.RejectRole, nothing),
            },
        )
