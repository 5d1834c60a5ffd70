"""Adding a face that was missed, through the window: drawing its box, what comes of it, and taking it back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.session import ADDING
from facestudio.gui.widgets.view import SIDE
from tests.gui.conftest import FACES, FakeStudio, draw, open_photo, restore, shown
from tests.gui.windows import dialog, toast

LEFT = Qt.MouseButton.LeftButton
MISSED = (260, 230, 340, 330)  # left, top, right, bottom in the photo, where no face is


def place(window: MainWindow, x: float, y: float, pane: int = 0) -> QPoint:
    """Where the viewer shows a photo pixel."""
    return window.viewer.to_widget(QPointF(x, y), window.viewer.panes()[pane]).toPoint()


def drag_box(window: MainWindow, box: tuple[float, float, float, float] = MISSED, pane: int = 0) -> None:
    """Draw `box` with the mouse, from its lower right to its upper left corner."""
    layer = window.viewer.drawing
    start, end = place(window, *box[2:], pane), place(window, *box[:2], pane)
    QTest.mousePress(layer, LEFT, pos=start)
    QTest.mouseMove(layer, (start + end) / 2)
    QTest.mouseMove(layer, end)
    QTest.mouseRelease(layer, LEFT, pos=end)


def add(qtbot: QtBot, window: MainWindow, box: tuple[float, float, float, float] = MISSED) -> None:
    """Add the face in `box` and wait for it."""
    count = len(window.session.faces)
    window.commands["add_face"].trigger()
    drag_box(window, box)
    qtbot.waitUntil(lambda: len(window.session.faces) == count + 1 and not window.session.doing)


def test_a_missed_face_is_drawn_found_and_ticked(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    assert not window.commands["add_face"].isEnabled()
    open_photo(qtbot, window, draw(photo_path))
    window.session.toggle_face(0)
    QTest.keyClick(window, Qt.Key.Key_F4)
    assert window.viewer.drawing.active
    assert window.commands["add_face"].isChecked()
    drag_box(window)
    assert not window.viewer.drawing.active
    assert not window.commands["add_face"].isChecked()
    assert window.session.doing == ADDING
    qtbot.waitUntil(lambda: len(window.workspace.strip.chips) == 3 and not window.session.doing)
    face = window.session.faces[2]
    assert np.abs(face.box - (260, 240, 340, 320)).max() < 4
    assert window.session.faces[:2] == FACES
    assert window.session.selected == {1, 2}
    chip = window.workspace.strip.chips[2]
    assert chip.tick.text() == "Face 3"
    assert chip.tick.isChecked()
    assert "score 0.12, by hand" in chip.words.text()
    assert toast(window) == "Face 3 was added."
    restore(qtbot, window)
    step = window.session.history.current
    assert step is not None
    assert [result.status for result in step.result.faces] == ["skipped", "restored", "restored"]


def test_the_button_at_the_faces_starts_it_and_a_hint_says_what_to_do(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    before = shown(window)
    window.workspace.strip.add.click()
    assert window.viewer.drawing.active
    assert window.viewer.drawing.cursor().shape() == Qt.CursorShape.CrossCursor
    during = shown(window)
    lower = np.s_[-48:-16, during.shape[1] // 2 - 60 : during.shape[1] // 2 + 60]
    assert during[lower].max() > 200 > 60 > np.median(during[lower])  # white words on a dark ground
    assert during[:-60].mean() < before[:-60].mean()
    window.workspace.strip.add.click()
    assert not window.viewer.drawing.active


@pytest.mark.parametrize("focus", ["layer", "strip"])
def test_escape_leaves_the_mode(qtbot: QtBot, window: MainWindow, photo_path: Path, focus: str) -> None:
    open_photo(qtbot, window, draw(photo_path))
    window.commands["add_face"].trigger()
    target = window.viewer.drawing if focus == "layer" else window.workspace.strip.chips[0].tick
    target.setFocus()
    QTest.mousePress(window.viewer.drawing, LEFT, pos=place(window, 260, 230))
    QTest.mouseMove(window.viewer.drawing, place(window, 300, 300))
    QTest.keyClick(target, Qt.Key.Key_Escape)
    assert not window.viewer.drawing.active
    assert not window.session.doing
    assert len(window.session.faces) == 2
    assert not window.commands["stop"].isEnabled()
    QTest.mouseClick(window.viewer, LEFT, pos=window.viewer._box(0, window.viewer.panes()[0]).center().toPoint())
    assert window.session.selected == {1}  # the mouse belongs to the viewer again


def test_a_click_draws_nothing_and_one_can_zoom_meanwhile(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    window.commands["add_face"].trigger()
    QTest.mouseClick(window.viewer.drawing, LEFT, pos=place(window, 300, 200))
    assert window.viewer.drawing.active
    assert not window.session.doing
    window.commands["zoom_in"].trigger()
    window.commands["zoom_in"].trigger()
    drag_box(window)
    qtbot.waitUntil(lambda: len(window.session.faces) == 3)
    assert np.abs(window.session.faces[2].box[[0, 2]] - (260, 340)).max() < 3


def test_a_box_is_drawn_on_either_side(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    window.viewer.set_mode(SIDE)
    for pane, count in ((1, 3), (0, 4)):
        window.commands["add_face"].trigger()
        left = 20 + 480 * pane
        drag_box(window, (left, 20, left + 70, 90), pane)
        qtbot.waitUntil(lambda count=count: len(window.session.faces) == count and not window.session.doing)
        assert abs(window.session.faces[-1].box[0] - left) < 4


def test_adding_and_restoring_are_undone_step_by_step(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    first = window.session.history.current
    window.session.toggle_face(0)
    add(qtbot, window)
    assert window.session.history.current is first  # the result stays in view
    assert window.workspace.strip.chips[2].words.text().endswith("score 0.12, by hand")
    qtbot.waitUntil(window.workspace.strip.chips[0].gauge.isVisible)
    restore(qtbot, window)
    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(window, Qt.Key.Key_Z, control)
    assert window.session.history.current is first
    assert len(window.workspace.strip.chips) == 3
    QTest.keyClick(window, Qt.Key.Key_Z, control)
    assert window.session.faces == FACES
    assert window.session.selected == {1}
    assert len(window.workspace.strip.chips) == 2
    QTest.keyClick(window, Qt.Key.Key_Z, control)
    assert window.session.history.current is None
    for count in (2, 3, 3):
        QTest.keyClick(window, Qt.Key.Key_Z, control | shift)
        assert len(window.workspace.strip.chips) == count
    assert window.session.selected == {1, 2}
    assert not window.commands["redo"].isEnabled()
    assert window.session.history.current is not first


def test_a_face_added_by_hand_is_removed_by_key_and_by_button(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    add(qtbot, window)
    add(qtbot, window, (20, 20, 100, 120))
    second = window.session.faces[3]
    restore(qtbot, window)
    chips = window.workspace.strip.chips
    assert chips[0].remove is None
    QTest.keyClick(chips[0], Qt.Key.Key_Delete)
    assert len(window.session.faces) == 4
    chips[2].tick.setFocus()
    QTest.keyClick(chips[2].tick, Qt.Key.Key_Delete)
    assert window.session.faces == (*FACES, second)
    qtbot.waitUntil(window.workspace.strip.chips[2].gauge.isVisible)  # the result of the one that stays
    assert window.workspace.strip.chips[2].tick.text() == "Face 3"
    assert toast(window) == "Face 3 was removed."
    remove = window.workspace.strip.chips[2].remove
    assert remove is not None
    remove.click()
    assert window.session.faces == FACES
    window.commands["undo"].trigger()
    window.commands["undo"].trigger()
    assert len(window.session.faces) == 4
    assert window.session.selected == {0, 1, 2, 3}


def test_a_face_that_is_there_already_is_not_added_again(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    window.session.toggle_face(1)
    window.commands["add_face"].trigger()
    drag_box(window, tuple(float(x) for x in FACES[1].box))  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: not window.session.doing and window.session.selected == {0, 1})
    assert len(window.session.faces) == 2
    assert toast(window) == "That is face 2, which is there already."
    assert not window.commands["undo"].isEnabled()


def test_a_box_too_small_is_explained(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    window.commands["add_face"].trigger()
    drag_box(window, (300, 300, 304, 304))
    error = dialog(qtbot, window, ErrorDialog)
    assert "too small for a face" in error.findChild(QLabel, "dialogCause").text()
    error.close()
    assert len(window.session.faces) == 2
    assert window.commands["add_face"].isEnabled()


def test_a_photo_without_faces_offers_it(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    open_photo(qtbot, window, draw(tmp_path / "empty.png"))
    strip = window.workspace.strip
    assert "draw a box" in strip.message.text()
    assert strip.offer.isVisible()
    strip.offer.click()
    drag_box(window)
    qtbot.waitUntil(lambda: len(strip.chips) == 1)
    assert window.workspace.panel.button.isEnabled()
    window.commands["undo"].trigger()
    assert strip.offer.isVisible()
    assert not window.workspace.panel.button.isEnabled()


def test_it_can_be_stopped_and_another_photo_ends_it(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.patience = 0.2
    open_photo(qtbot, window, draw(photo_path))
    window.commands["add_face"].trigger()
    drag_box(window)
    assert not window.workspace.strip.add.isEnabled()
    assert not window.commands["add_face"].isEnabled()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.session.doing)
    assert len(window.session.faces) == 2
    window.commands["add_face"].trigger()
    open_photo(qtbot, window, draw(photo_path.with_name("other.png"), seed=4))
    assert not window.viewer.drawing.active
    assert not window.commands["add_face"].isChecked()


def test_the_landmarks_of_the_face_under_the_mouse_are_shown(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    add(qtbot, window)
    window.workspace.toast.hide()
    before = shown(window)
    QTest.mouseMove(window.viewer, place(window, 300, 280))
    qtbot.waitUntil(lambda: window.viewer._hovered == 2)
    during = shown(window)
    for x, y in window.session.faces[2].landmarks:
        at = place(window, float(x), float(y))
        assert not np.array_equal(before[at.y(), at.x()], during[at.y(), at.x()])


def press(window: MainWindow, *keys: Qt.Key, shift: bool = False, times: int = 1) -> None:
    """Press `keys` on what has the focus."""
    modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
    for _ in range(times):
        for key in keys:
            QTest.keyClick(window.focusWidget(), key, modifier)


def box_of(window: MainWindow) -> tuple[float, float, float, float]:
    """The box that is drawn, in places of the photo."""
    layer = window.viewer.drawing
    assert layer._from is not None
    return layer._from.x(), layer._from.y(), layer._to.x(), layer._to.y()


def test_a_box_is_drawn_by_keys_alone(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    status, about = window.statusBar(), window._about_photo
    press(window, Qt.Key.Key_F4)
    assert "press an arrow key" in status.currentMessage()
    press(window, Qt.Key.Key_Right)  # puts it in the middle
    left, top, right, bottom = box_of(window)
    assert np.abs(np.subtract((left + right, top + bottom), (600, 360))).max() < 1e-6
    assert abs((right - left) - 0.3 * 360) < 1e-6 and abs((bottom - top) - 0.3 * 360) < 1e-6
    said = f"Box: left {left:.0f}, top {top:.0f}, 108 wide, 108 high, in pixels of the photo."
    assert status.currentMessage().startswith(said)
    press(window, Qt.Key.Key_Right, Qt.Key.Key_Down, times=2)
    step = 2 * 8 / window.viewer.zoom
    assert np.allclose(box_of(window), (left + step, top + step, right + step, bottom + step))
    press(window, Qt.Key.Key_Left, Qt.Key.Key_Up, shift=True, times=2)
    assert np.allclose(box_of(window), (left + step, top + step, right, bottom))
    drawn = box_of(window)
    press(window, Qt.Key.Key_Return)
    assert not window.viewer.drawing.active and not status.currentMessage()
    qtbot.waitUntil(lambda: len(window.session.faces) == 3 and not window.session.doing)
    box = window.session.faces[2].box
    assert abs((box[0] + box[2]) / 2 - (drawn[0] + drawn[2]) / 2) < 2
    assert about.isVisible()


def test_a_box_of_keys_stays_on_the_photo_and_in_view(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    window.commands["actual"].trigger()
    for _ in range(5):
        window.commands["zoom_in"].trigger()
    window.commands["add_face"].trigger()
    press(window, Qt.Key.Key_Return)
    assert window.viewer.drawing.active  # there was no box to take
    press(window, Qt.Key.Key_Left, Qt.Key.Key_Up, times=200)
    assert box_of(window)[:2] == (0, 0)
    pane = window.viewer.panes()[0]
    assert pane.adjusted(-1, -1, 1, 1).contains(window.viewer.drawing._seen(pane))
    press(window, Qt.Key.Key_Left, Qt.Key.Key_Up, shift=True, times=50)
    left, top, right, bottom = box_of(window)
    assert 0 < right - left < 20 and 0 < bottom - top < 20
    press(window, Qt.Key.Key_Right, Qt.Key.Key_Down, shift=True, times=400)
    assert np.allclose(box_of(window), (0, 0, 600, 360))
    press(window, Qt.Key.Key_Escape)
    assert not window.viewer.drawing.active and len(window.session.faces) == 2
    assert not window.statusBar().currentMessage()
    window.commands["add_face"].trigger()
    press(window, Qt.Key.Key_Down)
    drag_box(window)  # the mouse takes over
    qtbot.waitUntil(lambda: len(window.session.faces) == 3)
    assert np.abs(window.session.faces[2].box[[0, 2]] - (260, 340)).max() < 3
