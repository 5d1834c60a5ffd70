"""Grain of the photo in the window: laid over faces unless it is left off, told in words, undone as any other setting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from tests.gui.conftest import open_photo, restore


def test_grain_is_matched_where_that_is_asked_for(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    panel, session = window.workspace.panel, window.session
    open_photo(qtbot, window, photo_path)
    assert panel.grain.currentText() == "Leave off" and not panel.unusual
    panel.more.title.click()
    panel.grain.setFocus()
    QTest.keyClick(panel.grain, Qt.Key.Key_Down)
    assert panel.grain.currentText() == "Match" and panel.unusual == ["grain of the photo"]
    assert session.recipe is not None and session.recipe.photo_grain == "match"
    restore(qtbot, window)
    first = session.history.current
    assert first is not None and first.result.recipe.photo_grain == "match"
    assert panel.about_grain.text() == first.result.grain_sentence != ""

    assert "grain of the photo matched" in window._about_photo.text()
    QTest.keyClick(panel.grain, Qt.Key.Key_Up)
    assert panel.grain.currentText() == "Leave off" and not panel.unusual
    assert session.recipe.photo_grain == ""
    restore(qtbot, window)
    second = session.history.current
    assert second is not None and second.result.recipe.photo_grain == ""
    assert "grain of the photo" not in window._about_photo.text() and panel.about_grain.text() == ""
    assert not any(face.grain for face in second.result.faces)

    session.undo()
    assert panel.grain.currentText() == "Match"
    session.redo()
    assert panel.grain.currentText() == "Leave off"
    assert np.array_equal(second.result.before.pixels, first.result.before.pixels)


def test_the_smallest_window_cuts_no_heading_off_at_the_button(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    window.resize(1000, 700)
    open_photo(qtbot, window, photo_path)
    panel = window.workspace.panel
    assert window.height() == 700
    scroll = panel._scroll
    qtbot.waitUntil(lambda: scroll.verticalScrollBar().maximum() == 0)  # all of it is seen
    assert panel.more.title.isVisible()


def test_a_seed_that_is_folded_away_is_not_in_force_unseen(qtbot: QtBot, window: MainWindow) -> None:
    panel = window.workspace.panel
    assert not panel.more.body.isVisibleTo(panel)
    window.session.set_seed(7)
    assert panel.seed.isVisibleTo(panel) and "1 CHANGED" in panel.more.title.text()
