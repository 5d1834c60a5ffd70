"""Menus and controls for people who work by keyboard or by screen reader: each has a name, and each letter means one thing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QDialog, QMenu, QScrollBar, QWidget
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from tests.gui.conftest import draw

WORKSPACES = {"restore": Qt.Key.Key_1, "generate": Qt.Key.Key_2, "anonymize": Qt.Key.Key_3}


def letters(menu: QMenu) -> Iterator[tuple[str, list[str | None]]]:
    """Of `menu` and those in it: what it is called, and the letter underlined in each of its entries that are shown."""
    menu.aboutToShow.emit()
    shown = [action for action in menu.actions() if action.isVisible() and not action.isSeparator()]
    underlined = [re.search(r"&([^&])", action.text()) for action in shown]
    yield menu.title(), [match and match[1].lower() for match in underlined]
    for action in shown:
        if isinstance(inner := action.menu(), QMenu):
            yield from letters(inner)


@pytest.mark.parametrize("workspace", WORKSPACES)
def test_a_letter_means_one_entry_of_a_menu(qtbot: QtBot, window: MainWindow, workspace: str) -> None:
    qtbot.keyClick(window, WORKSPACES[workspace], Qt.KeyboardModifier.AltModifier)
    seen = 0
    for action in window.menuBar().actions():
        menu = action.menu()
        if not action.isVisible() or not isinstance(menu, QMenu):
            continue
        for title, found in letters(menu):
            more = [letter for letter, count in Counter(found).items() if letter is None or count > 1]
            assert not more, f"{title}: {more}"
            seen += len(found)
    assert seen > 30


def without_a_name(window: QWidget) -> list[str]:
    """Of what the Tab key reaches in `window`, what says nothing of itself; there has to be something that is reached."""
    reached = [
        widget
        for widget in window.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and widget.window() is window
        if not isinstance(widget, QScrollBar) and not widget.objectName().startswith("qt_")  # parts of Qt's own
    ]
    assert reached
    known = [(widget, QAccessible.queryAccessibleInterface(widget)) for widget in reached]
    return [
        f"{type(widget).__name__} {widget.objectName()} in {type(widget.parentWidget()).__name__}"
        for widget, said in known
        if said is None or not said.text(QAccessible.Text.Name)
    ]


@pytest.mark.parametrize("workspace", WORKSPACES)
def test_whatever_the_tab_key_reaches_has_a_name(qtbot: QtBot, window: MainWindow, workspace: str) -> None:
    qtbot.keyClick(window, WORKSPACES[workspace], Qt.KeyboardModifier.AltModifier)
    assert not without_a_name(window)


@pytest.mark.parametrize("name", ["shortcuts", "weights", "dataset", "compare"])
def test_so_has_what_it_reaches_in_a_dialog(qtbot: QtBot, window: MainWindow, tmp_path: Path, name: str) -> None:
    draw(tmp_path / "photo.png", 1)
    window.open_paths([tmp_path / "photo.png"])
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    getattr(window.dialogs, "compare" if name == "compare" else f"show_{name}")()
    dialogs = [dialog for dialog in window.findChildren(QDialog) if dialog.isVisible()]
    assert len(dialogs) == 1
    found = without_a_name(dialogs[0])
    dialogs[0].close()
    assert not found
