"""What a person sees of a photo in the window is whole, and says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from facestudio.gui.anonymize_rows import MISSED
from facestudio.gui.app import application
from facestudio.gui.main_window import MainWindow
from facestudio.gui.review_work import ReviewFace
from facestudio.gui.theme import LIGHT, Theme
from facestudio.gui.widgets.files_list import ICON, icon_of
from facestudio.gui.widgets.painting import number_place
from facestudio.gui.widgets.review_card import ReviewCard
from tests import fakes
from tests.gui.conftest import draw, open_photo, restore

PANE = QRectF(0, 0, 400, 300)


@pytest.mark.parametrize(
    "box", [QRectF(100, 5, 30, 30), QRectF(-20, 100, 60, 60), QRectF(390, 100, 40, 40), QRectF(100, -20, 60, 60)]
)
def test_the_number_of_a_face_at_the_edge_is_seen_whole(box: QRectF) -> None:
    assert PANE.contains(number_place(box, PANE))


def test_the_number_of_a_face_stands_over_it_and_goes_with_it() -> None:
    assert number_place(QRectF(100, 80, 50, 60), PANE) == QRectF(100, 56, 24, 20)
    assert not number_place(QRectF(100, -90, 50, 60), PANE).intersects(PANE)  # scrolled out of view


@pytest.mark.parametrize("size", [8, 10, 14])  # points: fonts of other systems are wider
def test_the_status_of_a_face_in_the_review_is_not_cut(size: int) -> None:
    app = application()
    usual = app.font()
    font = app.font()
    font.setPointSize(size)
    app.setFont(font)
    try:
        theme = Theme(LIGHT)
        face = ReviewFace(fakes.face_at(50, 50, 60), MISSED, (), "", 0, (), QImage(), None, True)
        card = ReviewCard(11, face, theme)
        card.show()
        for label in (card.status, card.title):
            assert isinstance(label, QLabel)
            assert label.width() >= label.fontMetrics().horizontalAdvance(label.text())
        card.deleteLater()
    finally:
        app.setFont(usual)


@pytest.mark.parametrize("width, height", [(160, 90), (90, 160), (20, 20)])
def test_a_selected_photo_of_the_list_keeps_its_colours(width: int, height: int) -> None:
    application()
    picture = QPixmap(width, height)
    picture.fill("#a08060")
    icon = icon_of(picture)
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        drawn = icon.pixmap(ICON, 1.0, mode).toImage()
        assert drawn.size() == ICON  # names begin at one place
        assert drawn.pixelColor(drawn.rect().center()).name() == "#a08060"


def test_the_figures_of_a_face_are_in_words_and_nothing_is_certain(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    chip = window.workspace.strip.chips[0]
    assert "how sure the detector is" in chip.toolTip()
    assert chip.tick.accessibleDescription() == chip.info.replace("\n", ", ")
    restore(qtbot, window)
    assert "probability of the same person" in chip.toolTip()
    assert "100%" not in chip.toolTip()
