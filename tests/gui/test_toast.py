"""Where the toast stands: at the lower edge, over no face at the top of the photo and over nothing that is to be read."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.toast import Toast
from tests.gui.conftest import draw, open_photo, restore

LONG = "Saved as flat.bmp. BMP has no transparency, and it has no place for words on how the picture was made. " * 2


def place(widget: QWidget | None, window: MainWindow) -> QRect:
    """Where the window shows `widget`."""
    assert widget is not None
    return QRect(widget.mapTo(window, QPoint(0, 0)), widget.size())


def check(toast: Toast, window: MainWindow, edge: int) -> None:
    """The toast ends above `edge`, near it, and within its parent; in pixels of the window."""
    for words in ("Short.", LONG):
        toast.tell(words)
        where, whole = place(toast, window), place(toast.parentWidget(), window)
        assert toast.isVisible() and whole.contains(where)
        assert edge - 24 < where.bottom() < edge - 8
        assert abs(where.center().x() - whole.center().x()) <= 1


def test_it_stands_above_the_strip_of_faces(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    toast, strip = window.workspace.toast, window.workspace.strip
    check(toast, window, place(window.workspace.centre, window).bottom())  # where one drops photos
    open_photo(qtbot, window, draw(photo_path))
    check(toast, window, place(strip, window).top())
    toast.tell("It goes along with the strip.")
    for move in (lambda: restore(qtbot, window), lambda: window.resize(900, 620)):
        move()
        qtbot.waitUntil(lambda: 8 < place(strip, window).top() - place(toast, window).bottom() < 24)
    window.commands["strip"].trigger()
    assert not strip.isVisible()
    qtbot.waitUntil(lambda: place(toast, window).bottom() > place(window.viewer, window).bottom() - 24)


def test_it_leaves_room_for_what_to_do_with_a_box(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    window.workspace.toast.tell("Something that was done.")
    window.commands["add_face"].trigger()
    assert window.workspace.toast.isHidden()  # it would cover the hint


def test_it_stands_at_the_lower_edge_in_the_other_workspaces(window: MainWindow) -> None:
    window.workspaces.show_generate()
    check(window.generate.toast, window, place(window.generate.centre, window).bottom())
    window.workspaces.show_anonymize()
    anonymize = window.anonymize
    check(anonymize.toast, window, place(anonymize.centre, window).bottom())
    for page, foot in ((1, anonymize.foot), (2, anonymize.page.findChild(QWidget, "faceStrip"))):
        anonymize.centre.setCurrentIndex(page)
        anonymize.centre.grab()  # lays out
        check(anonymize.toast, window, place(foot, window).top())
