"""Menus and controls for people who work by keyboard or by screen reader: each has a name, and each letter means one thing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QListView, QMenu, QScrollBar, QWidget
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow

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


@pytest.mark.parametrize("workspace", WORKSPACES)
def test_whatever_the_tab_key_reaches_has_a_name(qtbot: QtBot, window: MainWindow, workspace: str) -> None:
    qtbot.keyClick(window, WORKSPACES[workspace], Qt.KeyboardModifier.AltModifier)
    reached = [
        widget
        for widget in window.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible()
        if not isinstance(widget, QScrollBar) and not widget.objectName().startswith("qt_")  # parts of Qt's own
        if not (isinstance(widget, QListView) and widget.window() is not window)
    ]
    assert len(reached) > 5
    for widget in reached:
        known = QAccessible.queryAccessibleInterface(widget)
        named = known is not None and known.text(QAccessible.Text.Name)
        assert named, f"{type(widget).__name__} {widget.objectName()} in {type(widget.parentWidget()).__name__}"
