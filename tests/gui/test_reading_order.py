"""Tab goes through the window as one reads it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.reading_order import step, stops
from tests.gui.conftest import draw, open_photo


def test_the_order_is_where_things_stand_and_not_when_they_were_made(qtbot: QtBot) -> None:
    root = QWidget()
    qtbot.addWidget(root)
    last, spin, box, first, off, gone = QPushButton(), QSpinBox(), QComboBox(), QLineEdit(), QLineEdit(), QLineEdit()
    spin.setMinimumHeight(40)
    inside, area = QWidget(), QScrollArea()
    row = QHBoxLayout()
    row.addWidget(spin)
    row.addWidget(box, 0, Qt.AlignmentFlag.AlignVCenter)
    column = QVBoxLayout(inside)
    for widget in (first, QLabel("words"), off, gone):
        column.addWidget(widget)
    column.addLayout(row)
    area.setWidget(inside)
    area.setWidgetResizable(True)
    outer = QVBoxLayout(root)
    outer.addWidget(area)
    outer.addWidget(last)
    off.setEnabled(False)
    gone.hide()
    root.resize(300, 120)  # too low for all of it: what is below scrolls
    root.show()
    qtbot.waitExposed(root)
    assert stops(root) == [first, spin, box, last]
    first.setFocus()
    following: list[QWidget] = [spin, box, last, first]
    for one in following:
        assert step(root, root.focusWidget(), True)
        assert root.focusWidget() is one
        assert one is last or inside.visibleRegion().intersects(one.geometry())
    assert step(root, first, False) and root.focusWidget() is last
    assert not step(last, None, True)


def test_faces_come_before_the_panel_and_the_button_after_the_settings(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    draw(photo_path)
    draw(photo_path.with_name("b.jpg"))
    window.open_paths([photo_path.parent])
    qtbot.waitUntil(lambda: window.session.looked and len(window.workspace.strip.chips) == 2)
    open_photo(qtbot, window, photo_path)
    panel, files, strip = window.workspace.panel, window.workspace.files, window.workspace.strip
    window.viewer.setFocus()
    been: list[QWidget | None] = []
    for _ in range(40):
        QTest.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
        been.append(window.focusWidget())
        if been[-1] is window.viewer:
            break
    ticks = [chip.findChild(QCheckBox) for chip in strip.chips]
    wanted = [*ticks, strip.add, panel.method, panel.checkpoint, panel.times, panel.more.title, panel.button]
    places = [been.index(widget) for widget in wanted if widget is not panel.checkpoint or panel.checkpoint.isEnabled()]
    assert places == sorted(places)
    rows = [been.index(w) for row in panel.options.rows.values() for w in stops(row) if not row.field.rare]
    assert all(been.index(panel.checkpoint) < place < been.index(panel.times) for place in rows)
    assert been[-1] is window.viewer and been.index(panel.button) < len(been) - 1
    if files.isVisible():
        assert been.index(panel.button) < been.index(files.list) < been.index(files.all) < len(been) - 1
