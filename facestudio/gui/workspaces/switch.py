"""The switch between the workspaces: which one is shown, and with it its actions. What is left stays as it was."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QStackedWidget, QWidget

from facestudio.gui.actions import GENERATE, RESTORE, Actions
from facestudio.gui.workspaces.generate import GenerateWorkspace
from facestudio.gui.workspaces.restore import RestoreWorkspace


class Workspaces(QStackedWidget):
    """Restore and Generate, of which one, the `place`, is shown."""

    place_changed = Signal()

    def __init__(
        self, restore: RestoreWorkspace, generate: GenerateWorkspace, commands: Actions, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.restore, self.generate, self._commands = restore, generate, commands
        self._focused: dict[str, QWidget] = {RESTORE: restore.viewer, GENERATE: generate.panel.button}
        self.place = RESTORE
        self.addWidget(restore)
        self.addWidget(generate)
        commands["to_restore"].triggered.connect(self.show_restore)
        commands["to_generate"].triggered.connect(self.show_generate)
        self._mark()

    @Slot()
    def show_restore(self) -> None:
        self._show(RESTORE, self.restore)

    @Slot()
    def show_generate(self) -> None:
        self.generate.making.enter()
        self._show(GENERATE, self.generate)

    def _show(self, place: str, page: QWidget) -> None:
        if place == self.place:
            return
        focused = self.focusWidget()
        if focused is not None and self.currentWidget().isAncestorOf(focused):
            self._focused[self.place] = focused
        self.place = place
        self.setCurrentWidget(page)
        self._focused[place].setFocus()
        self._mark()
        self.place_changed.emit()

    def _mark(self) -> None:
        self._commands[f"to_{self.place}"].setChecked(True)
        self._commands.show_place(self.place)
