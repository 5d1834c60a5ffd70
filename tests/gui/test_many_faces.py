"""A strip of more faces than the window is wide: the wheel moves it, and a face that is clicked in the photo is shown in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from tests import fakes
from tests.gui.conftest import FakeStudio, draw, open_photo


@pytest.fixture
def group(qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path) -> MainWindow:
    """A window that shows twelve faces."""
    studio.faces = tuple(fakes.face_at(60 + 90 * (n % 6), 110 + 150 * (n // 6), 60) for n in range(12))
    window.resize(1000, 700)
    open_photo(qtbot, window, draw(photo_path))
    qtbot.waitUntil(lambda: window.workspace.strip._scroll.horizontalScrollBar().maximum() > 500)
    return window


def turn(window: MainWindow, notches: int) -> int:
    """Turn the wheel over the first chip, and return how far the strip has moved."""
    strip = window.workspace.strip
    viewport = strip._scroll.viewport()
    at = QPointF(viewport.rect().center())
    buttons, keys = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    phase = Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(
        at, viewport.mapToGlobal(at), QPoint(0, 0), QPoint(0, 120 * notches), buttons, keys, phase, False
    )
    QApplication.sendEvent(viewport, event)
    return strip._scroll.horizontalScrollBar().value()


def test_the_wheel_moves_the_strip(group: MainWindow) -> None:
    assert turn(group, -1) > 50
    assert turn(group, -2) > 200
    assert turn(group, 9) == 0


def test_a_face_that_is_clicked_in_the_photo_is_shown_in_the_strip(qtbot: QtBot, group: MainWindow) -> None:
    viewer, strip = group.viewer, group.workspace.strip
    last = strip.chips[11]
    seen = strip._scroll.viewport().rect()
    assert not seen.contains(last.mapTo(strip._scroll.viewport(), last.rect().center()))
    at = viewer._box(11, viewer.panes()[0]).center().toPoint()
    QTest.mouseClick(viewer, Qt.MouseButton.LeftButton, pos=at)
    assert 11 not in group.session.selected
    assert seen.contains(last.mapTo(strip._scroll.viewport(), last.rect().center()))
