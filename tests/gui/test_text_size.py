"""Text twice as large as usual, small windows and long names: nothing is cut off, and the window stays as large as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QComboBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from facestudio.gui.text_size import scaled, sheet_scaled, times, widened
from tests.gui.anonymizing import opened
from tests.gui.conftest import draw, open_photo, restore


@pytest.fixture
def large_text(qapp: QApplication) -> Iterator[None]:
    usual = qapp.font()
    large = qapp.font()
    large.setPointSizeF(2 * usual.pointSizeF())
    qapp.setFont(large)
    yield
    qapp.setFont(usual)


def cut(place: QWidget) -> list[str]:
    """What of the fields and buttons that are seen in `place` stands out of it at the right, or is lower than its text."""
    kinds = (QComboBox, QAbstractSpinBox, QPushButton)
    found = [widget for kind in kinds for widget in place.findChildren(kind) if widget.isVisibleTo(place)]
    wide = [w for w in found if w.mapTo(place, w.rect().topRight()).x() >= place.width()]
    low = [w for w in found if w.height() < w.fontMetrics().height()]
    return [f"{type(w).__name__} {w.accessibleName()}" for w in {*wide, *low}]


def test_lengths_are_those_of_usual_text_and_grow_with_it(qapp: QApplication) -> None:
    assert times() == 1 and scaled(76) == widened(76) == 76
    assert sheet_scaled("a { font-size: 8pt; min-height: 18px; }") == "a { font-size: 8pt; min-height: 18px; }"


@pytest.mark.usefixtures("large_text")
def test_lengths_of_large_text(qapp: QApplication) -> None:
    assert times() == pytest.approx(2, abs=0.1) and scaled(76) > 140 and 100 < widened(76) < scaled(76)
    bar = "b { min-height: 6px; max-height: 6px; }"
    assert sheet_scaled("a { font-size: 8pt; min-height: 18px; }") == "a { font-size: 16pt; min-height: 36px; }"
    assert sheet_scaled(bar) == bar


@pytest.mark.usefixtures("large_text")
def test_nothing_in_the_panels_is_cut_off_where_text_is_large(
    qtbot: QtBot, make_window: Callable[[], MainWindow], photo_path: Path
) -> None:
    window = make_window()
    window.resize(1280, 800)
    open_photo(qtbot, window, draw(photo_path))
    window.session.mending.choose("careful")
    restore(qtbot, window)
    chip, strip = window.workspace.strip.chips[0], window.workspace.strip
    qtbot.waitUntil(lambda: chip.height() >= chip.needed_height and strip.height() > chip.needed_height)
    assert chip.chance.geometry().left() >= chip.tick.geometry().left() + chip.tick.sizeHint().width()
    for show, panel in (
        (None, window.workspace.panel),
        (window.workspaces.show_generate, window.generate.panel),
        (window.workspaces.show_anonymize, window.anonymize.panel),
    ):
        if show is not None:
            show()
        qtbot.waitUntil(lambda panel=panel: panel.isVisible() and not cut(panel))


@pytest.mark.usefixtures("large_text")
@pytest.mark.parametrize("width", [1100, 1600])
def test_the_heads_of_the_table_are_not_cut_off_where_text_is_large(
    qtbot: QtBot, make_window: Callable[[], MainWindow], tmp_path: Path, width: int
) -> None:
    window = make_window()
    window.resize(width, 805)
    window.workspaces.show_anonymize()
    opened(qtbot, window, *(draw(tmp_path / f"{name}.png") for name in "ab"))
    table = window.anonymize.table
    header = table.horizontalHeader()
    qtbot.waitUntil(lambda: table.isVisible() and table.width() > 0)
    heads = {
        str(table.photos.headerData(column, Qt.Orientation.Horizontal)): column for column in range(header.count())
    }
    assert "Worst\nsimilarity" in heads
    words = header.fontMetrics()
    cut_off = [head for head, column in heads.items() if header.sectionSize(column) < words.size(0, head).width() + 8]
    assert not cut_off


def test_a_long_name_that_is_opened_leaves_the_window_as_it_is(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    window.resize(1024, 640)
    name = "1912 wedding of aunt Mathilde and uncle Ferdinand in the courtyard, with <b>all guests.jpg"
    window.open_paths([draw(tmp_path / name)])
    title = window.workspace.drop_zone.title
    assert title.text().endswith(f"{name[-20:]}…") and title.textFormat() == Qt.TextFormat.PlainText
    assert title.minimumSizeHint().width() < 100
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    assert (window.width(), window.height()) == (1024, 640)
