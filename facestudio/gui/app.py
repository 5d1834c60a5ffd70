"""Starts the window and ends it: `main` returns the exit code. Imports no torch, so that the first frame comes at once."""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import TracebackType

from PySide6.QtCore import QCoreApplication, QEvent, QSettings, Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from facestudio import paths
from facestudio.gui import window_settings
from facestudio.gui.anonymizing import Anonymizing
from facestudio.gui.errors import show_error
from facestudio.gui.generating import Making
from facestudio.gui.main_window import MainWindow
from facestudio.gui.session import Session
from facestudio.gui.theme import SYSTEM, Theme
from facestudio.gui.widgets.about import APP
from facestudio.studio import Studio

log = logging.getLogger(__name__)
SWITCH = (
    0.001  # seconds that a worker's Python may run on while the GUI thread waits for its turn; Python's own is 5 ms
)
PATIENCE = 10.0  # seconds that work may take to stop when the window is gone


def application() -> QApplication:
    """The QApplication, made and named when there is none yet."""
    present = QApplication.instance()
    app = present if isinstance(present, QApplication) else QApplication(sys.argv[:1])
    app.setApplicationName("facestudio")
    app.setApplicationDisplayName(APP)
    app.setDesktopFileName("facestudio")
    app.setStyle("Fusion")
    sys.setswitchinterval(SWITCH)
    app.setWindowIcon(QIcon(str(paths.resources_dir() / "icons" / "facestudio.svg")))
    return app


def user_settings() -> QSettings:
    """The window's settings, in a file in the user's folder."""
    return QSettings(str(paths.settings_dir() / "window.ini"), QSettings.Format.IniFormat)


def build_window(studio: Studio, settings: QSettings) -> MainWindow:
    """The window, not shown yet; its session starts work after the first frame."""
    theme = Theme(str(settings.value("theme", SYSTEM)))
    session = Session(studio, settings)
    making = Making(studio, session.compute, session.light, session)
    anonymizing = Anonymizing(studio, session.compute, session.light, settings, session)
    window = MainWindow(session, making, anonymizing, theme, settings)
    session.setParent(window)
    theme.setParent(window)
    for workplace in (session, making, anonymizing):
        window.painted.connect(workplace.start, Qt.ConnectionType.QueuedConnection)
    return window


def main() -> int:
    """Open the window and stay until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C in the terminal ends it; Qt would never hear of it
    app = application()
    settings = user_settings()
    window = build_window(Studio(window_settings.device(settings)), settings)

    def unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, Exception):
            show_error(window, error)
        else:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = unexpected
    window.show()
    code = app.exec()
    sys.excepthook = sys.__excepthook__
    settings.sync()
    if not window.session.shutdown(PATIENCE):
        log.warning("work did not stop in time; the process ends without it")
        os._exit(code)  # waiting for the thread would hang, and Qt must not be taken down under it
    take_down(window)
    return code


def take_down(window: MainWindow) -> None:
    """Delete `window` and all that is of it, once its work has ended: else Python and Qt do it at exit in any order."""
    window.deleteLater()
    QCoreApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)
