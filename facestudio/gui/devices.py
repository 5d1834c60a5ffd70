"""What computes: the menu that chooses it among what is there, and the change, which waits for the work that runs.

What is really used is shown in the panel of Restore. Separate from the window because it is one choice with a life of its own.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Qt, Slot
from PySide6.QtGui import QAction

from facestudio.device import NAMES
from facestudio.gui import window_settings, work
from facestudio.gui.jobs import Job

if TYPE_CHECKING:
    from facestudio.gui.main_window import MainWindow

AUTO = NAMES[0]
WORDS = {
    "auto": "the best device available",
    "cpu": "the processor",
    "cuda": "the NVIDIA graphics card",
    "mps": "Apple graphics",
}


class Devices(QObject):
    """The menu of `window`. `chosen` is what shall compute; `there` what can, None until that is known."""

    def __init__(self, window: MainWindow, settings: QSettings) -> None:
        super().__init__(window)
        self._window, self._session, self._settings = window, window.session, settings
        self.chosen = window.session.studio.device
        self.there: tuple[str, ...] | None = None
        self._job: Job | None = None
        for name in NAMES:
            action = self._action(name)
            action.setData(name)
            action.triggered.connect(self._triggered)
        window.workspaces.place_changed.connect(self.refresh)
        window.painted.connect(self.start, Qt.ConnectionType.QueuedConnection)
        self.refresh()

    @Slot()
    def start(self) -> None:
        """Learn what there is; called once the window has been painted."""
        job = self._session.compute.submit(partial(work.devices, self._session.studio))
        job.finished.connect(self._take_there)

    def choose(self, name: str) -> None:
        """Let `name` compute, this time and the next, as soon as the work that runs is done."""
        if name == self.chosen:
            return
        self.chosen = name
        window_settings.remember_device(self._settings, name)
        self.refresh()
        compute = self._session.compute
        if compute.live:
            self._tell(f"After the current job, {WORDS[name]} will be used.")
        self._job = compute.submit(partial(work.use_device, self._session.studio, name))
        self._job.finished.connect(self._take_used)
        self._job.failed.connect(self._lost)

    @Slot()
    def refresh(self) -> None:
        """Show what can be chosen, and what is."""
        for name in NAMES:
            action = self._action(name)
            action.setVisible(name in (self.there if self.there is not None else (AUTO, "cpu", self.chosen)))
            action.setChecked(name == self.chosen)

    def _action(self, name: str) -> QAction:
        return self._window.commands[f"device_{name}"]

    @Slot()
    def _triggered(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self.choose(action.data())

    @Slot(object)
    def _take_there(self, there: tuple[str, ...]) -> None:
        self.there = there
        if self.chosen not in there:
            gone = WORDS[self.chosen]
            self.choose(AUTO)
            self._tell(f"{gone[0].upper()}{gone[1:]} is no longer available; {WORDS[AUTO]} is used instead.")
        self.refresh()

    @Slot(object)
    def _take_used(self, words: str) -> None:
        self._session.learn_device()
        self._tell(f"Now computing on: {words}.")
        for workplace in (self._session, self._window.making, self._window.anonymizing):
            workplace.load_again()

    @Slot(Exception)
    def _lost(self, error: Exception) -> None:
        """It is not to be had: go on with what computed until now."""
        self.chosen = self._session.studio.device
        window_settings.remember_device(self._settings, self.chosen)
        self.refresh()
        self._session.failed.emit(error)

    def _tell(self, words: str) -> None:
        window = self._window
        for workspace in (window.workspace, window.generate, window.anonymize):
            workspace.toast.tell(words)
