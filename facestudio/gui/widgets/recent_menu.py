"""The menu of photos that were opened lately."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from facestudio.gui.session import Session


class RecentMenu(QMenu):
    """Shows the session's recents; `asked` tells which path the user wants to open."""

    asked = Signal(object)

    def __init__(self, session: Session, parent: QWidget) -> None:
        super().__init__("Open &recent", parent)
        self.setToolTipsVisible(True)
        self._session = session
        session.recents_changed.connect(self._fill)
        self._fill()

    @Slot()
    def _fill(self) -> None:
        self.clear()
        recents = self._session.recents
        for number, path in enumerate(recents, start=1):
            action = QAction(path.name.replace("&", "&&"), self)
            action.setToolTip(str(path))
            action.setData(path)
            action.setShortcut(QKeySequence(f"Ctrl+{number}"))
            action.triggered.connect(self._ask)
            self.addAction(action)
        self.addSeparator()
        forget = QAction("&Forget them", self)
        forget.setShortcut(QKeySequence("Ctrl+Shift+Del"))
        forget.triggered.connect(self._session.clear_recents)
        self.addAction(forget)
        self.setEnabled(bool(recents))

    @Slot()
    def _ask(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self.asked.emit(action.data())
