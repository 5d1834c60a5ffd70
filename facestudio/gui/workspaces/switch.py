"""The switch between the workspaces: which one is shown, and with it its actions. What is left stays as it was."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QStackedWidget, QWidget

from facestudio.gui.actions import ANONYMIZE, GENERATE, RESTORE, Actions
from facestudio.gui.widgets.reading_order import step
from facestudio.gui.workspaces.anonymize import AnonymizeWorkspace
from facestudio.gui.workspaces.generate import GenerateWorkspace
from facestudio.gui.workspaces.restore import RestoreWorkspace


class Workspaces(QStackedWidget):
    """Restore, Generate and Anonymize, of which one, the `place`, is shown."""

    place_changed = Signal()

    def __init__(
        self,
        restore: RestoreWorkspace,
        generate: GenerateWorkspace,
        anonymize: AnonymizeWorkspace,
        commands: Actions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.restore, self.generate, self.anonymize, self._commands = restore, generate, anonymize, commands
        self._focused: dict[str, QWidget] = {
            RESTORE: restore.viewer,
            GENERATE: generate.panel.button,
            ANONYMIZE: anonymize.empty.folder,
        }
        self.place = RESTORE
        for page in (restore, generate, anonymize):
            self.addWidget(page)
        commands["to_restore"].triggered.connect(self.show_restore)
        commands["to_generate"].triggered.connect(self.show_generate)
        commands["to_anonymize"].triggered.connect(self.show_anonymize)
        self._mark()

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab and Shift+Tab: to what comes next in the workspace as one reads."""
        page = self.currentWidget()
        return page is not None and step(page, self.window().focusWidget(), next)

    @Slot()
    def show_restore(self) -> None:
        self._show(RESTORE, self.restore)

    @Slot()
    def show_generate(self) -> None:
        self.generate.making.enter()
        self._show(GENERATE, self.generate)

    @Slot()
    def show_anonymize(self) -> None:
        self.anonymize.run.enter()
        self._show(ANONYMIZE, self.anonymize)

    @property
    def words(self) -> tuple[str, bool, str]:
        """Of a workspace other than Restore: what stands in the title, whether it is not saved, and in the status line."""
        if self.place == GENERATE:
            about = "Pictures are made on this computer. Saved files say that they were made by AI."
            return "Made faces", self.generate.making.unsaved, about
        names = ", ".join(path.name for path in self.anonymize.run.given)
        about = "Photos stay on this computer and are never changed. Results go into a separate folder."
        return f"Anonymize {names}".strip(), False, about

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
