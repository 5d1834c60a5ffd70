"""How a face was completed from a dictionary, as the window tells it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from facestudio.faces.components import NAMES, Choice, Explanation
from facestudio.faces.face import AlignedFace
from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.explanation import SKIPPED, ExplanationDialog
from facestudio.progress import Progress
from tests import fakes
from tests.gui.conftest import FakeStudio, draw, open_photo, restore
from tests.gui.windows import dialog

SCALES = (256, 128, 64, 32)


class Telling(fakes.SlowRestorer):
    """A restorer that completes the second face from a dictionary of 512, but for its left eye; of the first it tells nothing."""

    def explained(
        self, aligned: AlignedFace, options: Any, progress: Progress, seed: int
    ) -> tuple[AlignedFace, Explanation | None]:
        first = not self.seeds
        restored = self(aligned, options, progress, seed)
        seen = [(part, scale) for part in NAMES if part != "left_eye" for scale in SCALES]
        choices = [Choice(part, scale, 7 * n, 512, n / 10) for n, (part, scale) in enumerate(seen)]
        return restored, None if first else Explanation(tuple(choices), ("left_eye",))


@pytest.fixture
def window(qtbot: QtBot, make_window: Callable[[], MainWindow], studio: FakeStudio, photo_path: Path) -> MainWindow:
    """A window in which both faces of a photo were restored."""
    studio.restorer = Telling()
    window = make_window()
    open_photo(qtbot, window, draw(photo_path))
    assert not window.commands["explanation"].isEnabled()
    restore(qtbot, window)
    return window


def shown(qtbot: QtBot, window: MainWindow) -> ExplanationDialog:
    found = dialog(qtbot, window, ExplanationDialog)
    assert isinstance(found, ExplanationDialog)
    return found


def test_a_face_that_tells_has_a_button_that_keys_reach(qtbot: QtBot, window: MainWindow) -> None:
    silent, telling = window.workspace.strip.chips
    qtbot.waitUntil(telling.explain.isVisible)
    assert not silent.explain.isVisible()
    ticked = window.session.selected
    telling.explain.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(telling.explain, Qt.Key.Key_Space)
    told = shown(qtbot, window)
    assert told.windowTitle() == "Face 2: how it was completed"
    assert window.session.selected == ticked, "the button is not the tick"
    QTest.keyClick(told, Qt.Key.Key_Escape)
    assert not told.isVisible()


def test_entry_and_weight_stand_in_the_table_and_what_was_skipped_why(qtbot: QtBot, window: MainWindow) -> None:
    QTest.keyClick(window, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    told = shown(qtbot, window)
    table = told.table
    across, down = (
        [table.model().headerData(n, way) for n in range(4)]
        for way in (Qt.Orientation.Horizontal, Qt.Orientation.Vertical)
    )
    assert across == ["256 px", "128 px", "64 px", "32 px"]
    assert down == ["Left eye", "Right eye", "Nose", "Mouth"]
    left, right, nose, mouth = told.rows()
    assert left == [SKIPPED] and table.columnSpan(0, 0) == 4
    assert right == ["0 of 512\n0.00", "7 of 512\n0.10", "14 of 512\n0.20", "21 of 512\n0.30"]
    assert nose[0] == "28 of 512\n0.40"
    assert mouth[3] == "77 of 512\n1.10"
    item = table.item(3, 3)
    assert item is not None
    assert item.toolTip() == "Mouth at 32 px: entry 77 of 512, added with a mean weight of 1.100."
    assert item.data(Qt.ItemDataRole.AccessibleTextRole) == item.toolTip()
    assert "left eye" in window.workspace.strip.chips[1].toolTip()


def test_nothing_is_told_of_the_photo_itself(qtbot: QtBot, window: MainWindow) -> None:
    assert window.commands["explanation"].isEnabled()
    window.session.undo()
    assert not window.commands["explanation"].isEnabled()
    assert not window.workspace.strip.chips[1].explain.isVisible()
    window.session.redo()
    assert window.commands["explanation"].isEnabled()


def test_a_face_of_which_nothing_was_completed(qtbot: QtBot) -> None:
    told = ExplanationDialog("Face 1", Explanation((), NAMES))
    qtbot.addWidget(told)
    assert told.rows() == [[SKIPPED]] * 4
