"""What a person does to a window, and sees of it, in tests of any workspace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow

LEFT = Qt.MouseButton.LeftButton


def drag(window: MainWindow, data: QMimeData) -> None:
    event = QDragEnterEvent(
        window.rect().center(), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(window, event)


def drop(window: MainWindow, data: QMimeData) -> None:
    at = QPointF(window.rect().center())
    event = QDropEvent(at, Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    window.dropEvent(event)  # Qt delivers it only to the target of a real drag


def files(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def dialog(qtbot: QtBot, window: MainWindow, kind: type[QDialog]) -> QDialog:
    """The visible dialog of `kind` over the window."""
    qtbot.waitUntil(lambda: any(found.isVisible() for found in window.findChildren(kind)))
    return next(found for found in window.findChildren(kind) if found.isVisible())


def answer(qtbot: QtBot, window: MainWindow, words: str) -> None:
    question = dialog(qtbot, window, QMessageBox)
    assert isinstance(question, QMessageBox)
    next(button for button in question.buttons() if button.text() == words).click()


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """The same but for rounding."""
    return int(np.abs(one.astype(int) - other).max()) <= 1


def toast(window: MainWindow) -> str:
    return window.workspace.toast._words if window.workspace.toast.isVisible() else ""
