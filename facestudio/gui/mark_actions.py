"""The actions of the window that are about marks: what they do, and which of them are on.

Separate from the window because they say something of one thing alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from facestudio.gui.marking import BRUSH, ERASER

if TYPE_CHECKING:
    from facestudio.gui.actions import Actions
    from facestudio.gui.session import Session


class MarkActions(QObject):
    """Connects the `commands` with the marks of `session`."""

    def __init__(self, commands: Actions, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._commands, self._session, self._marking = commands, session, session.marking
        commands["marks"].toggled.connect(self._marking.show)
        commands["brush"].triggered.connect(self._marking.use_brush)
        commands["eraser"].triggered.connect(self._marking.use_eraser)
        commands["larger_brush"].triggered.connect(self._marking.enlarge)
        commands["smaller_brush"].triggered.connect(self._marking.reduce)
        self._marking.changed.connect(self._mark)
        session.list_masks.changed.connect(self._mark_list)

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
            **listed,
        }

    def leave(self) -> bool:
        """Put the tool away; whether there was one, and nothing runs that is to be stopped first."""
        if not self._marking.tool or self._session.doing or self._session.opening:
            return False
        self._marking.use("")
        return True

    @Slot()
    def _mark(self) -> None:
        marking, commands = self._marking, self._commands
        commands["marks"].setChecked(marking.visible)
        commands["brush"].setChecked(marking.tool == BRUSH)
        commands["eraser"].setChecked(marking.tool == ERASER)

    @Slot()
    def _mark_list(self) -> None:
        self._commands["list_masks"].setChecked(self._session.list_masks.folder is not None)
