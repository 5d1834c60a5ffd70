"""Names in the list of photos: whole where there is room, else with the end by which photos of a series are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QStyleOptionViewItem
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.names import lines_of
from tests.gui.conftest import draw

SERIES = [f"Scan 1931-04-12 Grandmother at the window, Vienna ({which} print).jpg" for which in ("second", "third")]


def of(name: str, width: int = 18, most: int = 3) -> list[str]:
    return lines_of(name, width, len, most)


def test_a_short_name_stays_as_it_is() -> None:
    assert of("press.jpg") == ["press.jpg"]


def test_a_longer_one_is_broken_at_spaces_and_nothing_is_lost() -> None:
    lines = of("Grandmother at the window (print).jpg")
    assert "".join(lines) == "Grandmother at the window (print).jpg"
    assert lines == ["Grandmother at the ", "window (print).jpg"]


def test_names_of_a_series_are_told_apart_by_their_ends() -> None:
    second, third = (of(name) for name in SERIES)
    assert second[0] == third[0] == "Scan 1931-04-12"
    assert "".join(second).endswith("(second print).jpg") and "".join(third).endswith("(third print).jpg")
    assert second[1].startswith("…") and len(second) <= 3


@pytest.mark.parametrize("name", ["x" * 200 + ".jpg", "IMG_20260101_123456789_" * 9 + "7.png", "…", "日本" * 60])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_every_name_fits(name: str, most: int) -> None:
    lines = of(name, most=most)
    assert 1 <= len(lines) <= most and all(0 < len(line.rstrip()) <= 18 for line in lines)
    assert lines[-1].endswith(name[-3:])


def test_the_full_name_is_said_by_tip_and_status_line_and_marks_stay(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    for seed, name in enumerate(SERIES):
        draw(tmp_path / "photos" / name, seed)
    window.open_paths([tmp_path / "photos"])
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    files = window.workspace.files
    item = files.list.item(1)
    assert SERIES[1] in item.toolTip() and item.statusTip() == SERIES[1]
    assert SERIES[0] in window._about_photo.text() and SERIES[0] in window.windowTitle()
    window.session.files.mark(tmp_path / "photos" / SERIES[1], "restored in part")
    delegate, row = files.list.itemDelegate(), files.list.visualItemRect(item)
    shown = QStyleOptionViewItem()
    shown.initFrom(files.list)
    shown.rect, shown.decorationSize = row, files.list.iconSize()
    delegate.initStyleOption(shown, files.list.indexFromItem(item))
    lines = shown.text.split("\u2028")
    assert lines[-1] == "restored in part" and "third" in "".join(lines[:-1]) and len(lines) == 3
    assert row.height() >= 3 * shown.fontMetrics.lineSpacing()
