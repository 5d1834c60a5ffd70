"""Scratches mended in the window: asked for in the panel, told in words, undone as any other setting."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from tests import fakes
from tests.gui.conftest import FACES, open_photo, restore
from tests.gui.test_window import toast


def old_photo(path: Path) -> Path:
    """A drawn photo with two scratches."""
    pixels = cv2.GaussianBlur(fakes.picture(360, 600, FACES), (0, 0), 0.7)
    cv2.line(pixels, (10, 350), (590, 300), (248, 248, 246), 2, cv2.LINE_AA)
    cv2.line(pixels, (300, 5), (330, 350), (245, 246, 248), 2, cv2.LINE_AA)
    return fakes.write_picture(path, pixels)


def test_scratches_are_mended_when_chosen(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    panel, session = window.workspace.panel, window.session
    open_photo(qtbot, window, old_photo(photo_path))
    assert panel.scratches.currentText() == "Leave them" and not panel.about_scratches.isVisibleTo(panel)
    restore(qtbot, window)
    first = session.history.current
    assert first is not None and first.result.mended is None

    panel.scratches.setFocus()
    QTest.keyClick(panel.scratches, Qt.Key.Key_Down)
    assert panel.scratches.currentText() == "Mend carefully"
    assert session.recipe is not None and session.recipe.scratches == "careful"
    restore(qtbot, window)
    second = session.history.current
    assert second is not None and second.result.mended is not None
    assert second.result.mended.mask[300:352].any() and second.before is first.before
    sentence = second.result.mended.sentence
    assert sentence.endswith("of the photo mended.") and sentence in toast(window)
    assert panel.about_scratches.text() == sentence
    assert "scratches mended, careful" in window._about_photo.text()
    opened = session.opened
    assert opened is not None and np.array_equal(second.result.before.pixels, opened.photo.pixels)

    session.undo()
    assert panel.scratches.currentText() == "Leave them" and panel.about_scratches.text() == ""
    session.redo()
    assert panel.scratches.currentText() == "Mend carefully" and panel.about_scratches.text() == sentence


def test_strong_says_what_it_risks_and_stays_with_the_next_photo(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    panel = window.workspace.panel
    open_photo(qtbot, window, old_photo(photo_path))
    for _ in range(2):
        QTest.keyClick(panel.scratches, Qt.Key.Key_Down)
    assert "for a scratch" in panel.about_scratches.text()
    open_photo(qtbot, window, old_photo(photo_path.with_name("other.png")))
    assert window.session.recipe is not None and window.session.recipe.scratches == "strong"
