"""The window's dialogs that show something: shortcuts, figures, two people compared, the weights, a dataset, and what this is.

Separate from the window, which lays out; what they are about is read from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from facestudio.gui.comparing import Comparing
from facestudio.gui.found import Found
from facestudio.gui.list_work import Restored
from facestudio.gui.widgets.about import show_about
from facestudio.gui.widgets.compare_dialog import CompareDialog
from facestudio.gui.widgets.dataset_dialog import DatasetDialog
from facestudio.gui.widgets.distributions import DistributionsDialog
from facestudio.gui.widgets.list_outcome import ListOutcomeDialog
from facestudio.gui.widgets.shortcuts import ShortcutsDialog
from facestudio.gui.widgets.weights_dialog import WeightsDialog

if TYPE_CHECKING:
    from facestudio.gui.main_window import MainWindow


class Dialogs(QObject):
    """Shows them over `window`."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._session, self._theme = window, window.session, window.theme
        self._dataset: DatasetDialog | None = None

    @Slot()
    def show_shortcuts(self) -> None:
        """The list of shortcuts, to be searched."""
        ShortcutsDialog(self._window.commands.entries(), self._window).open()

    @Slot()
    def show_figures(self) -> None:
        """Show what the figures of the first ticked face that has some rest on; of the first with some when none is."""
        judged = self._session.judged
        ticked = [index for index in judged if index in self._session.selected]
        if judged:
            self.show_figures_of((ticked or judged)[0])

    @Slot(int)
    def show_figures_of(self, index: int) -> None:
        """Show what the figures of face `index` of the shown result rest on, if it has some."""
        step = self._session.history.current
        result = step.result_of(self._session.faces[index]) if step else None
        if result is not None and result.summary is not None:
            who = f"Face {index + 1}"
            DistributionsDialog(who, result.summary, self._theme, self._window, result.to_reference).open()

    @Slot()
    def compare(self) -> None:
        """Compare the first ticked face, or the first of all, with one of another photo."""
        session = self._session
        if session.opened is None or not session.faces:
            return
        found = Found(session.opened.photo, session.faces, session.crops)
        comparing = Comparing(session.studio, session.compute, session.opened.name, found, min(session.selected or {0}))
        CompareDialog(comparing, self._theme, self._window.folder(), self._window).open()

    @Slot()
    def show_weights(self) -> None:
        """All checkpoints; published ones are downloaded, imported and removed there."""
        WeightsDialog(self._session.weights, self._theme, self._window.folder(), self._window).open()

    @Slot()
    def show_dataset(self) -> None:
        """A dataset of people who do not exist: what is asked for, the run, or what it came to."""
        if self._dataset is None:  # kept, because a run may outlive its being seen
            self._dataset = DatasetDialog(self._window.populating, self._theme, self._window)
        self._dataset.show_it()

    @Slot(object)
    def show_all_restored(self, restored: Restored) -> None:
        """Show which photos of the list are not there, or not whole, if there are any."""
        if restored.reasons:
            ListOutcomeDialog(restored, self._window).open()

    @Slot()
    def show_about(self) -> None:
        """What this is."""
        show_about(self._window, self._theme)
