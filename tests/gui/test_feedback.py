"""What the window says belongs to what it shows, names what it is about, and can be answered by one key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from tests.gui.conftest import draw, is_open, open_photo, restore
from tests.gui.windows import answer, dialog, toast


def test_what_was_said_of_a_result_goes_with_it(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    assert toast(window).startswith("Restored")
    window.commands["undo"].trigger()
    assert toast(window) == ""
    window.commands["redo"].trigger()
    restore(qtbot, window)
    window.open_paths([draw(photo_path.with_name("other.jpg"), 1)])
    answer(qtbot, window, "Don't save")
    qtbot.waitUntil(lambda: is_open(window, photo_path.with_name("other.jpg")))
    assert toast(window) == ""


def test_where_a_result_was_saved_is_said_beside_the_next_photo(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    window.open_paths([draw(photo_path.with_name("other.jpg"), 1)])
    answer(qtbot, window, "Save")
    qtbot.waitUntil(lambda: is_open(window, photo_path.with_name("other.jpg")))
    assert toast(window).startswith("Saved as two people_restored.jpg")


def test_what_is_said_of_a_photo_that_is_opened_stays(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    for suffix, depth, said in (("png", np.uint16, "keeps all 16"), ("tif", np.int32, "saves 8")):
        Image.fromarray(np.full((360, 600), 30000, depth)).save(tmp_path / f"deep.{suffix}")
        open_photo(qtbot, window, tmp_path / f"deep.{suffix}")
        assert said in toast(window)


def test_the_question_about_a_result_names_its_photo(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    window.open_paths([draw(photo_path.with_name("other.jpg"), 1)])
    question = dialog(qtbot, window, QMessageBox)
    assert isinstance(question, QMessageBox) and photo_path.name in question.informativeText()
    question.close()


def test_enter_closes_what_says_that_a_photo_cannot_be_opened(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    window.open_paths([tmp_path / "notes.txt"])
    shown = dialog(qtbot, window, ErrorDialog)
    focused = shown.focusWidget()
    assert isinstance(focused, QPushButton) and "Close" in focused.text().replace("&", "")
    QTest.keyClick(shown, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not any(d.isVisible() for d in window.findChildren(ErrorDialog)))


def test_photos_of_the_list_that_are_saved_with_fewer_bits_are_counted(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    draw(folder / "a.jpg")
    for name, depth in (("b.tif", np.int32), ("c.tif", np.int32), ("d.tif", np.uint16)):
        Image.fromarray(np.full((360, 600), 30000, depth)).save(folder / name)
    window.open_paths([folder])
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    with qtbot.waitSignal(window.session.restoring_all.done, timeout=20000) as restored:
        window.session.restoring_all.restore(tmp_path / "out")
    assert restored.args[0].words.endswith("; 2 of them are saved with 8 bits per colour, the originals have more"), (
        restored.args[0].words
    )
