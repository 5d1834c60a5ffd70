"""Marks of scratches in the window: seen, corrected by brush and eraser, undone, kept with the result, gone with the photo."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from facestudio.gui.marking import BRUSH, ERASER
from facestudio.gui.widgets.view import SIDE, SINGLE, SPLIT
from facestudio.mending.by_hand import painted
from tests import fakes
from tests.gui.conftest import FACES, FakeStudio, open_photo, restore, shown
from tests.gui.test_mending import old_photo
from tests.gui.windows import toast

STAIN = (slice(40, 60), slice(300, 330))


def stained(path: Path) -> Path:
    """As `old_photo`, with a stain that nothing looks for."""
    pixels = cv2.imread(str(old_photo(path)))
    assert pixels is not None
    pixels[STAIN] = (70, 160, 70)
    cv2.imwrite(str(path), pixels)
    return path


def until_found(qtbot: QtBot, window: MainWindow) -> None:
    """Wait until marks are there."""
    qtbot.waitUntil(lambda: window.session.marking.found is not None, timeout=60000)


@pytest.fixture
def marked(qtbot: QtBot, window: MainWindow, photo_path: Path) -> MainWindow:
    """A window in which the marks of a photo are shown."""
    open_photo(qtbot, window, stained(photo_path.with_suffix(".png")))
    window.session.mending.choose("careful")
    window.commands["marks"].trigger()
    until_found(qtbot, window)
    return window


def stroke(window: MainWindow, *points: tuple[float, float], pane: int = 0) -> None:
    """Draw a stroke with the mouse through `points` of the photo."""
    viewer, brush = window.viewer, window.workspace.brush
    where = [viewer.to_widget(QPointF(*point), viewer.panes()[pane]).toPoint() for point in points]
    QTest.mousePress(brush, Qt.MouseButton.LeftButton, pos=where[0])
    for place in where[1:]:
        QTest.mouseMove(brush, place)
    QTest.mouseRelease(brush, Qt.MouseButton.LeftButton, pos=where[-1])


def pinkness(window: MainWindow, x: float, y: float, pane: int = 0) -> int:
    """How much more red and blue than green is shown around a place of the photo."""
    viewer = window.viewer
    at = viewer.to_widget(QPointF(x, y), viewer.panes()[pane]).toPoint()
    ratio = viewer.devicePixelRatioF()
    r, g, b = shown(window)[round(at.y() * ratio), round(at.x() * ratio)].astype(int)
    return int(min(r, b) - g)


def test_what_is_found_is_shown_over_the_photo(qtbot: QtBot, marked: MainWindow) -> None:
    session, panel = marked.session, marked.workspace.panel
    found = session.marking.found
    assert found is not None and 0.002 < found.share < 0.1
    assert f"{found.share:.1%} of the photo" in panel.marks.about.text() and panel.marks.isVisibleTo(panel)
    on_scratch = (40.0, 347.5)
    assert pinkness(marked, *on_scratch) > 40 and pinkness(marked, 560, 30) < 20
    QTest.keyClick(marked, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    assert not session.marking.shown and pinkness(marked, *on_scratch) < 20 and not panel.marks.marks.isChecked()
    panel.marks.marks.click()
    assert marked.commands["marks"].isChecked() and pinkness(marked, *on_scratch) > 40


def test_marks_are_seen_on_any_ground(qtbot: QtBot, marked: MainWindow) -> None:
    for theme in ("light", "dark"):
        marked.theme.choose(theme)
        assert pinkness(marked, 40.0, 347.5) > 40, theme


def test_showing_marks_of_scratches_that_were_to_be_left_mends_them(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    assert not window.commands["marks"].isEnabled() and not window.commands["brush"].isEnabled()
    open_photo(qtbot, window, old_photo(photo_path))
    assert not window.workspace.panel.marks.isVisibleTo(window)
    window.commands["marks"].trigger()
    assert window.session.mending.strength == "careful" and "mended carefully" in toast(window)
    assert window.workspace.panel.marks.isVisibleTo(window)
    until_found(qtbot, window)
    window.session.mending.choose("")
    assert not window.commands["marks"].isChecked() and not window.session.marking.visible


def test_a_brush_adds_and_an_eraser_takes_away_and_that_is_what_is_mended(qtbot: QtBot, marked: MainWindow) -> None:
    session = marked.session
    opened = session.opened
    assert opened is not None
    found = session.studio.marks(opened.photo, "careful", session.faces)
    QTest.keyClick(marked, Qt.Key.Key_B)
    assert session.marking.tool == BRUSH and marked.workspace.brush.isVisible()
    session.marking.resize(26)
    stroke(marked, (306, 50), (324, 50))
    assert pinkness(marked, 315, 50) > 40
    QTest.keyClick(marked, Qt.Key.Key_E)
    stroke(marked, (40, 347.5))
    assert session.marking.tool == ERASER and pinkness(marked, 40, 347.5) < 20
    assert len(session.history.state.strokes) == 2 and "2 strokes" in marked.workspace.panel.marks.about.text()

    restore(qtbot, marked)
    step = session.history.current
    assert step is not None and step.result.mended is not None
    mask = step.result.mended.mask
    assert np.array_equal(mask, painted(found, session.history.state.strokes))
    assert mask[STAIN].all() and found[342:352, 30:50].any() and not mask[342:352, 33:47].any()
    assert np.array_equal(step.result.after.pixels[345:350, 36:44], opened.photo.pixels[345:350, 36:44])
    assert "corrected by hand" in toast(marked) and "careful, marks corrected" in marked._about_photo.text()
    assert step.result.recipe.scratch_mask

    restore(qtbot, marked)
    again = session.history.current
    assert again is not step and again is not None and again.result.mended is not None
    assert np.array_equal(again.result.mended.mask, mask), "restoring again uses them"


def test_the_tools_are_brought_into_view_in_a_small_window(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    window.resize(1000, 700)
    open_photo(qtbot, window, old_photo(photo_path))
    window.commands["brush"].trigger()
    box = window.workspace.panel.marks
    qtbot.waitUntil(lambda: box.visibleRegion().boundingRect() == box.rect())


def test_strokes_are_undone_and_redone_with_everything_else(qtbot: QtBot, marked: MainWindow) -> None:
    session = marked.session
    session.marking.use(BRUSH)
    stroke(marked, (300, 50), (330, 50))
    stroke(marked, (500, 90))
    restore(qtbot, marked)
    stroke(marked, (100, 60))
    assert "Restore again" in marked.workspace.panel.marks.about.text()
    QTest.keyClick(marked, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert len(session.history.state.strokes) == 2 and session.history.current is not None
    assert "Restore again" not in marked.workspace.panel.marks.about.text()
    for left in (2, 1, 0):
        QTest.keyClick(marked, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
        assert session.history.current is None and len(session.history.state.strokes) == left
    assert pinkness(marked, 315, 50) < 20
    for _ in range(3):
        session.redo()
    assert session.history.current is not None and len(session.history.state.strokes) == 2
    assert pinkness(marked, 315, 50) > 40


def test_strokes_go_with_their_photo(qtbot: QtBot, marked: MainWindow, photo_path: Path) -> None:
    session = marked.session
    session.marking.use(BRUSH)
    stroke(marked, (300, 50), (330, 50))
    open_photo(qtbot, marked, old_photo(photo_path.with_name("other.png")))
    assert not session.history.state.strokes and not session.marking.tool and session.marking.shown
    assert not marked.workspace.brush.isVisible()
    until_found(qtbot, marked)
    found = session.marking.found
    assert found is not None and session.opened is not None and found.photo is session.opened.photo


def test_a_stroke_is_where_the_pointer_was_at_any_zoom(qtbot: QtBot, marked: MainWindow) -> None:
    viewer, marking = marked.viewer, marked.session.marking
    marking.use(BRUSH)
    for zoom in (0.4, 1.0, 7.0):
        viewer.zoom_to(1.0)
        viewer.centre = QPointF(315, 50)
        viewer.zoom_to(zoom)
        marking.resize(10)
        place = viewer.to_photo(
            viewer.to_widget(QPointF(315, 50), viewer.panes()[0]).toPoint().toPointF(), viewer.panes()[0]
        )
        assert pinkness(marked, 315, 50) < 20, zoom
        stroke(marked, (315, 50))
        (made,) = marking.strokes
        assert made.radius == 5 and made.points[0] == pytest.approx((place.x(), place.y()), abs=0.01), zoom
        assert pinkness(marked, 315, 50) > 40 and pinkness(marked, 323, 50) < 20, zoom
        marked.session.undo()


def test_marks_of_a_large_photo_are_where_they_belong_and_thin_ones_are_seen(
    qtbot: QtBot, window: MainWindow, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.zeros((2000, 3000), bool)
    mask[1500:1503, 200:2800] = True  # less than a pixel of the screen
    monkeypatch.setattr(FakeStudio, "marks", lambda *_: mask)
    open_photo(qtbot, window, fakes.write_picture(photo_path, np.full((2000, 3000, 3), 128, np.uint8)))
    window.commands["marks"].trigger()
    until_found(qtbot, window)
    found = window.session.marking.found
    assert found is not None and len(found.pyramid.levels) > 1 and window.viewer.zoom < 0.4
    assert max(pinkness(window, 1500, 1501.5 + off) for off in (-3, 0, 3)) > 40
    assert pinkness(window, 1500, 1460) < 10 and pinkness(window, 100, 1501.5) < 10
    window.viewer.zoom_to(8.0)
    window.viewer.centre = QPointF(1500, 1500)
    window.viewer.zoom_to(8.0)
    assert pinkness(window, 1500, 1501.5) > 40 and pinkness(window, 1500, 1498.5) < 10
    assert pinkness(window, 1500, 1504.5) < 10


def test_the_size_is_set_by_slider_and_keys(qtbot: QtBot, marked: MainWindow) -> None:
    marking, box = marked.session.marking, marked.workspace.panel.marks
    assert marking.size == 8, "as fits a photo of 600 px"
    QTest.keyClick(marked, Qt.Key.Key_BracketRight)
    assert marking.size == 10 and box.width_label.text() == "10 px"
    for _ in range(30):
        QTest.keyClick(marked, Qt.Key.Key_BracketLeft)
    assert marking.size == 1 and box.slider.value() == 0
    box.slider.setFocus()
    sizes = []
    for _ in range(3):
        QTest.keyClick(box.slider, Qt.Key.Key_PageUp)
        sizes.append(marking.size)
    assert 1 < sizes[0] < sizes[1] < sizes[2]
    box.slider.setValue(box.slider.maximum())
    assert marking.size == 400
    QTest.keyClick(marked, Qt.Key.Key_BracketRight)
    assert marking.size == 400


def test_escape_puts_the_tool_away_and_the_box_of_a_missed_face_too(qtbot: QtBot, marked: MainWindow) -> None:
    marking, brush = marked.session.marking, marked.workspace.brush
    marked.commands["brush"].trigger()
    assert brush.isVisible() and marked.commands["brush"].isChecked() and marked.workspace.panel.marks.brush.isChecked()
    QTest.keyClick(marked, Qt.Key.Key_Escape)
    assert not marking.tool and not brush.isVisible() and marking.shown
    marked.commands["eraser"].trigger()
    marked.commands["add_face"].trigger()
    assert not marking.tool and marked.viewer.drawing.active
    marked.commands["brush"].trigger()
    assert marking.tool == BRUSH and not marked.viewer.drawing.active
    marked.commands["brush"].trigger()
    assert not marking.tool
    marked.commands["brush"].trigger()
    marked.commands["marks"].trigger()
    assert not marking.tool and not marking.shown, "nobody paints what is not seen"


def test_wheel_and_arrows_still_move_the_photo_while_painting(qtbot: QtBot, marked: MainWindow) -> None:
    viewer = marked.viewer
    marked.session.marking.use(BRUSH)
    viewer.zoom_to(4.0)
    brush = marked.workspace.brush
    before = QPointF(viewer.centre)
    assert viewer.hasFocus() or not marked.isActiveWindow()
    QTest.keyClick(viewer, Qt.Key.Key_Up)
    assert viewer.centre.y() < before.y()
    before = QPointF(viewer.centre)
    QTest.mousePress(brush, Qt.MouseButton.MiddleButton, pos=QPoint(200, 200))
    QTest.mouseMove(brush, QPoint(230, 200))
    QTest.mouseMove(brush, QPoint(260, 200))
    QTest.mouseRelease(brush, Qt.MouseButton.MiddleButton, pos=QPoint(260, 200))
    assert viewer.centre.x() < before.x() and not marked.session.history.state.strokes
    turn = QWheelEvent(
        *(QPointF(200, 200), brush.mapToGlobal(QPointF(200, 200)), QPoint(), QPoint(0, 120)),
        *(Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False),
    )
    QApplication.sendEvent(brush, turn)
    assert not turn.isAccepted(), "so it goes on to the viewer"


def test_marks_lie_over_the_photo_before_where_both_are_seen(qtbot: QtBot, marked: MainWindow) -> None:
    session, viewer = marked.session, marked.viewer
    restore(qtbot, marked)
    viewer.set_mode(SIDE)
    assert pinkness(marked, 40, 347.5, 0) > 40 and pinkness(marked, 40, 347.5, 1) < 20
    viewer.set_mode(SPLIT)
    viewer.move_handle(1.0)
    assert pinkness(marked, 40, 347.5) > 40
    viewer.move_handle(0.0)
    assert pinkness(marked, 40, 347.5) < 20
    session.marking.use(BRUSH)
    assert pinkness(marked, 40, 347.5) > 40, "with a tool in hand they are seen where one paints"
    viewer.set_mode(SIDE)
    stroke(marked, (300, 50), (330, 50), pane=1)
    assert pinkness(marked, 315, 50, 0) > 40 and pinkness(marked, 315, 50, 1) > 40
    viewer.set_mode(SINGLE)
    session.marking.use("")
    assert pinkness(marked, 40, 347.5) > 40


def test_only_what_is_marked_by_hand_can_be_mended(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    session, panel = window.session, window.workspace.panel
    open_photo(qtbot, window, stained(photo_path.with_name("empty.png")))
    session.mending.choose("by hand")
    assert panel.scratches.currentText() == "Mend what I mark" and "brush" in panel.about_scratches.text()
    assert panel.hint.text() == "Mark what is damaged first." and not panel.button.isEnabled()
    window.commands["brush"].trigger()
    session.marking.resize(26)
    stroke(window, (306, 50), (324, 50))
    assert not session.marking.looking and session.marking.found is None and panel.button.isEnabled()
    restore(qtbot, window)
    step = session.history.current
    assert step is not None and step.result.mended is not None and step.result.recipe.scratches == "by hand"
    mask = step.result.mended.mask
    assert mask[STAIN].all() and 0.8 < mask[30:70, 280:350].sum() / mask.sum() <= 1
    assert "by marks made by hand" in toast(window)


def test_marks_are_found_on_another_thread(
    qtbot: QtBot, studio: FakeStudio, window: MainWindow, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    let_go = threading.Event()
    real = FakeStudio.marks

    def marks(self: FakeStudio, *given: Any) -> np.ndarray:
        threads.append(threading.current_thread())
        let_go.wait(20)
        return real(self, *given)

    monkeypatch.setattr(FakeStudio, "marks", marks)
    open_photo(qtbot, window, old_photo(photo_path))
    window.session.mending.choose("careful")
    window.commands["marks"].trigger()
    assert window.session.marking.looking and "Looking for scratches" in window.workspace.panel.marks.about.text()
    window.session.mending.choose("strong")
    let_go.set()
    until_found(qtbot, window)
    found = window.session.marking.found
    assert found is not None and found.strength == "strong", "of what was asked before nothing is shown"
    assert threading.main_thread() not in threads


def test_marks_that_cannot_be_found_are_told(
    qtbot: QtBot, window: MainWindow, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def marks(*_: Any) -> np.ndarray:
        raise MemoryError

    open_photo(qtbot, window, old_photo(photo_path))
    monkeypatch.setattr(FakeStudio, "marks", marks)
    with qtbot.waitSignal(window.session.failed):
        window.commands["marks"].trigger()
    assert not window.session.marking.shown and not window.session.marking.looking
    for box in window.findChildren(QMessageBox):
        box.close()


def test_a_face_that_is_added_is_spared(qtbot: QtBot, marked: MainWindow) -> None:
    session = marked.session
    before = session.marking.found
    session.add_face((20.0, 20.0, 120.0, 120.0))
    qtbot.waitUntil(lambda: len(session.faces) == 3)
    until_found(qtbot, marked)
    now = session.marking.found
    assert now is not None and now is not before and now.faces == session.faces


def test_all_photos_are_not_mended_by_marks_of_one(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    for name in ("a.png", "b.png"):
        old_photo(photo_path.with_name(name))
    window.open_paths([photo_path.parent])
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    window.session.mending.choose("by hand")
    assert window.session.restoring_all.obstacle.startswith("Marks are for one photo: choose scratch masks for all")
    window.session.mending.choose("careful")
    assert not window.session.restoring_all.obstacle


def test_nothing_is_painted_while_a_restoration_runs(qtbot: QtBot, studio: FakeStudio, marked: MainWindow) -> None:
    studio.restorer = fakes.SlowRestorer(steps=400, seconds=0.02)
    marked.session.marking.use(BRUSH)
    marked.session.restore()
    assert not marked.workspace.brush.isVisible() and marked.session.marking.tool == BRUSH
    marked.session.stop()
    qtbot.waitUntil(lambda: not marked.session.doing)
    assert marked.workspace.brush.isVisible()
    assert len(FACES) == len(marked.session.faces)
