"""What is seen while a large photo is opened, and that it can be ended without losing what is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from facestudio.errors import UnreadablePhoto
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.qimage import to_pixels
from tests.gui.conftest import FakeStudio, draw, is_open, open_photo, restore, shown
from tests.gui.windows import answer, dialog


@pytest.fixture
def gate(studio: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Photos whose names begin with "large" are not read before it is set."""
    opened, really = threading.Event(), FakeStudio.open

    def slow(path: Path, *args: Any, **named: Any) -> Any:
        if path.name.startswith("large"):
            assert opened.wait(20)
        if path.name.endswith("broken.png"):
            raise UnreadablePhoto("It is broken.", hint="Take another.")
        return really(studio, path, *args, **named)

    monkeypatch.setattr(studio, "open", slow)
    yield opened
    opened.set()


def centre(window: MainWindow) -> np.ndarray:
    """The middle of the window as it is seen, (H, W, 3) uint8 RGB."""
    return to_pixels(window.workspace.centre.grab().toImage()).astype(int)


def test_it_is_said_over_the_photo_and_cancelled_by_the_button(
    qtbot: QtBot, window: MainWindow, photo_path: Path, gate: threading.Event
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    window.workspace.toast.hide()
    step, before, cover = window.session.history.current, centre(window), window.workspace.cover
    window.open_paths([draw(photo_path.with_name("large.png"), 1)])
    answer(qtbot, window, "Don't save")
    qtbot.waitUntil(cover.isVisible)
    assert cover.words.text() == "Opening large.png…"
    assert cover.size() == window.workspace.centre.size()
    picture, during = shown(window), centre(window)
    assert np.ptp(during[:60]) < np.ptp(before[:60]) / 3  # what was there is hardly seen
    cover.cancel.click()
    assert cover.isHidden() and not window.session.opening
    assert is_open(window, photo_path) and window.session.history.current is step
    assert np.array_equal(shown(window), picture)
    gate.set()
    qtbot.waitUntil(lambda: not window.session.light.live)
    assert is_open(window, photo_path) and window.session.history.current is step
    assert window.workspace.panel.button.isEnabled()


def test_while_a_decoder_goes_on_another_photo_is_opened_restored_and_saved(
    qtbot: QtBot, window: MainWindow, photo_path: Path, gate: threading.Event
) -> None:
    window.open_paths([draw(photo_path.with_name("large.png"), 1)])
    qtbot.waitUntil(window.workspace.cover.isVisible)
    QTest.keyClick(window, Qt.Key.Key_Escape)  # the decoder does not hear of it, and keeps its thread
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    with qtbot.waitSignal(window.session.results.saved, timeout=20000) as saved:
        window.commands["save"].trigger()
    step = window.session.history.current
    assert not gate.is_set() and saved.args[0].is_file()
    gate.set()
    qtbot.waitUntil(lambda: not window.session.light.live)
    assert is_open(window, photo_path) and window.session.history.current is step, "what came late was thrown away"


def test_escape_cancels_also_where_nothing_was_open(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, gate: threading.Event
) -> None:
    window.open_paths([draw(tmp_path / "large.png")])
    qtbot.waitUntil(window.workspace.cover.isVisible)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.workspace.cover.isHidden() and not window.commands["stop"].isEnabled()
    assert window.workspace.drop_zone.title.text() == "Drop a photo here"
    gate.set()
    qtbot.waitUntil(lambda: not window.session.light.live)
    assert window.session.opened is None
    open_photo(qtbot, window, tmp_path / "large.png")  # it can be opened all the same


def test_it_goes_when_the_photo_is_there_or_cannot_be_read(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, gate: threading.Event
) -> None:
    large, broken = draw(tmp_path / "large.png"), draw(tmp_path / "large broken.png")
    window.open_paths([large])
    qtbot.waitUntil(window.workspace.cover.isVisible)
    gate.set()
    qtbot.waitUntil(lambda: is_open(window, large))
    assert window.workspace.cover.isHidden()
    gate.clear()
    window.open_paths([broken])
    qtbot.waitUntil(window.workspace.cover.isVisible)
    gate.set()
    dialog(qtbot, window, ErrorDialog).close()
    assert window.workspace.cover.isHidden() and is_open(window, large)


def test_the_list_shows_again_which_photo_is_open(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, gate: threading.Event
) -> None:
    first, large = draw(tmp_path / "first.png"), draw(tmp_path / "large.png", 1)
    window.open_paths([tmp_path])
    qtbot.waitUntil(lambda: is_open(window, first) and window.session.looked)
    files = window.workspace.files
    files.list.setCurrentItem(files._items[large])
    files.asked.emit(large)
    window.commands["add_face"].trigger()
    assert not window.viewer.drawing.active  # it would be a face of a photo that goes
    window.session.stop_opening()
    assert files.list.currentItem() is files._items[first]


def test_how_much_of_the_file_was_read_is_said(
    qtbot: QtBot, window: MainWindow, photo_path: Path, studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, go_on, really = threading.Event(), threading.Event(), FakeStudio.open

    def slow(path: Path, *args: Any, reading: Any = None, **named: Any) -> Any:
        if reading is not None:
            reading(0.45)
            told.set()
            assert go_on.wait(20)
            reading(0.5)
        return really(studio, path, *args, reading=reading, **named)

    monkeypatch.setattr(studio, "open", slow)
    window.open_paths([draw(photo_path)])
    qtbot.waitUntil(lambda: window.workspace.cover.isVisible() and told.is_set())
    qtbot.waitUntil(lambda: window.workspace.cover.about.text() == "45% read")
    window.workspace.cover.cancel.click()
    qtbot.waitUntil(window.workspace.cover.isHidden)
    go_on.set()
    qtbot.waitUntil(lambda: window.session.light.live == 0)
    assert window.session.opened is None and window.session.refused is None


def test_of_a_format_that_is_read_in_one_go_what_cancel_does_is_said(
    qtbot: QtBot, window: MainWindow, photo_path: Path, studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, really = threading.Event(), FakeStudio.open

    def slow(path: Path, *args: Any, reading: Any = None, **named: Any) -> Any:
        def waiting(share: float | None) -> None:
            reading(share)
            if share is None:
                assert go_on.wait(20)

        return really(studio, path, *args, reading=None if reading is None else waiting, **named)

    monkeypatch.setattr(studio, "open", slow)
    window.open_paths([draw(photo_path.with_suffix(".webp"))])
    qtbot.waitUntil(lambda: "in one step" in window.workspace.cover.about.text())
    go_on.set()
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    assert window.workspace.cover.isHidden()
