"""A result larger than the photo: asked for in the panel, looked at, taken back, restored again, saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.view import SIDE, SINGLE
from facestudio.metadata import read_recipe
from facestudio.recipe import Recipe
from tests.gui.conftest import FACES, FakeStudio, draw, open_photo, restore, shown
from tests.gui.test_missed_face import add, place
from tests.gui.windows import alike, toast

CONTROL = Qt.KeyboardModifier.ControlModifier


def choose(window: MainWindow, times: int) -> None:
    """Choose a size in the panel, as the keyboard does."""
    box = window.workspace.panel.times
    box.setFocus()
    while box.currentData() != times:
        before = box.currentIndex()
        QTest.keyClick(box, Qt.Key.Key_Down if box.currentData() < times else Qt.Key.Key_Up)
        assert box.currentIndex() != before


def enlarged(qtbot: QtBot, window: MainWindow, path: Path, times: int = 2) -> None:
    """Open a drawn photo and restore it `times` as large."""
    open_photo(qtbot, window, draw(path))
    choose(window, times)
    restore(qtbot, window)
    window.workspace.toast.hide()


def settled(qtbot: QtBot, window: MainWindow) -> None:
    """Wait until the strip is as high as the chips with their results need, and the viewer has the rest."""
    viewer, strip, whole = window.viewer, window.workspace.strip, window.workspace.centre
    qtbot.waitUntil(lambda: strip.height() >= max(chip.needed_height for chip in strip.chips) + 20)
    qtbot.waitUntil(lambda: viewer.height() + strip.height() == whole.height())


def painted(window: MainWindow, original: bool = False) -> np.ndarray:
    """What the viewer paints of the result, or of the photo, without the outlines; floats."""
    window.viewer.show_boxes(False)
    window.viewer.show_original(original)
    window.workspace.toast.hide()
    pixels = shown(window).astype(float)
    window.viewer.show_original(False)
    window.viewer.show_boxes(True)
    return pixels


def test_the_result_is_twice_as_large_and_is_read_like_any(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    enlarged(qtbot, window, photo_path)
    step = window.session.history.current
    assert step is not None
    assert step.result.recipe.upscale == 2
    assert step.result.after.size == step.result.before.size == (1200, 720)
    assert step.before.size == step.pyramid.size == (1200, 720)
    assert window.session.faces == FACES, "the faces of the photo are where they were"
    for chip, result in zip(window.workspace.strip.chips, step.result.faces, strict=True):
        assert result.summary is not None and chip.words.text() == result.summary.words
        assert chip.gauge.isVisible()
        assert chip.crop.image is step.crops[chip.index]
    assert window._about_photo.text().startswith("two people.jpg   600 × 360, enlarged to 1200 × 720")
    assert window.session.judged == [0, 1]


@pytest.mark.parametrize("mode", [SINGLE, SIDE])
def test_what_is_shown_stays_where_it_was(qtbot: QtBot, window: MainWindow, photo_path: Path, mode: str) -> None:
    open_photo(qtbot, window, draw(photo_path))
    window.viewer.set_mode(mode)
    restore(qtbot, window)  # as large as it is
    settled(qtbot, window)
    same, box = painted(window, original=True), window.viewer._box(1, window.viewer.panes()[-1])
    choose(window, 2)
    restore(qtbot, window)
    assert window.viewer._box(1, window.viewer.panes()[-1]) == box
    larger = painted(window, original=True)
    assert np.abs(larger - same).mean() < 2
    assert np.abs(larger[2:] - same[:-2]).mean() > 3 * np.abs(larger - same).mean(), "a shift would be seen"
    outlined = shown(window)
    inside = np.s_[int(box.top()) + 4 : int(box.bottom()) - 4, int(box.left()) + 4 : int(box.right()) - 4]
    assert np.abs(outlined[inside].astype(float) - painted(window)[inside]).mean() < 1
    assert np.abs(painted(window)[inside] - larger[inside]).mean() > 20, "the restored face is in its box"


def test_landmarks_of_the_face_under_the_mouse_are_on_the_larger_face(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    enlarged(qtbot, window, photo_path)
    before = shown(window)
    QTest.mouseMove(window.viewer, place(window, 180, 170))
    qtbot.waitUntil(lambda: window.viewer._hovered == 0)
    during = shown(window)
    for x, y in FACES[0].landmarks:
        at = place(window, float(x), float(y))
        assert not np.array_equal(before[at.y(), at.x()], during[at.y(), at.x()])


def test_100_percent_shows_a_pixel_of_the_result_for_each_of_the_screen(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    enlarged(qtbot, window, photo_path)
    settled(qtbot, window)
    viewer, step = window.viewer, window.session.history.current
    assert step is not None
    viewer.set_mode(SINGLE)
    viewer.show_boxes(False)
    QTest.keyClick(window, Qt.Key.Key_0, CONTROL)
    assert viewer.zoom == 1.0 and window._about_zoom.text() == "100%"
    pane = viewer.panes()[0]
    viewer.pan(QPointF(100, 100) - viewer.to_widget(QPointF(100, 150), pane))  # a whole pixel to a whole pixel
    assert viewer.to_widget(QPointF(100, 150), pane) == QPointF(100, 100)
    wanted = step.result.after.pixels[300:400, 200:320]
    assert alike(shown(window)[100:200, 100:220], wanted)
    centre = QPointF(viewer.centre)
    window.session.undo()
    assert viewer.centre == centre and viewer.zoom == 2.0, "the view is the same, of fewer pixels"
    assert window._about_zoom.text() == "200%"
    window.session.redo()
    assert window._about_zoom.text() == "100%"
    for _ in range(40):
        viewer.zoom_in()
    assert viewer.zoom == 32.0


def test_undo_goes_back_to_the_photo_and_the_next_result_begins_there(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    enlarged(qtbot, window, photo_path)
    first = window.session.history.current
    restore(qtbot, window)
    second = window.session.history.current
    assert first is not None and second is not None and second is not first
    assert second.result.after.size == (1200, 720), "made from the photo, not from the result"
    assert second.before is first.before and second.result.before is first.result.before, "kept once"
    assert second.bytes > 2 * second.result.after.pixels.nbytes
    choose(window, 4)
    restore(qtbot, window)
    third = window.session.history.current
    assert third is not None and third.result.after.size == (2400, 1440)
    assert third.before.size == (2400, 1440)
    window.session.undo()
    assert window.viewer._before is second.before
    window.session.undo()
    window.session.undo()
    opened = window.session.opened
    assert opened is not None
    assert window.viewer._before is opened.pyramid and not window.viewer.comparing
    assert window._about_photo.text().startswith("two people.jpg   600 × 360   JPEG")
    choose(window, 1)
    restore(qtbot, window)
    fourth = window.session.history.current
    assert fourth is not None and fourth.result.after.size == (600, 360)
    assert fourth.before is opened.pyramid
    assert fourth.bytes < first.bytes / 3


def test_the_saved_file_is_as_large_and_says_so(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    enlarged(qtbot, window, photo_path)
    with qtbot.waitSignal(window.session.results.saved) as saved:
        window.commands["save"].trigger()
    with Image.open(saved.args[0]) as picture:
        assert picture.size == (1200, 720)
    assert Recipe.from_json(read_recipe(saved.args[0]) or "").upscale == 2
    assert not window.session.history.unsaved
    with Image.open(photo_path) as picture:
        assert picture.size == (600, 360)


def test_a_missed_face_is_drawn_on_the_larger_result(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    enlarged(qtbot, window, photo_path)
    add(qtbot, window, (260, 230, 340, 330))
    assert np.abs(window.session.faces[2].box - (260, 240, 340, 320)).max() < 4
    qtbot.waitUntil(window.workspace.strip.chips[0].gauge.isVisible)  # the result stays in view
    restore(qtbot, window)
    step = window.session.history.current
    assert step is not None and step.result.faces[2].status == "restored"
    assert step.result.faces[2].face.interocular == pytest.approx(2 * window.session.faces[2].interocular)


def test_the_size_stays_with_the_next_photo_and_its_pixels_are_told(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    panel = window.workspace.panel
    assert panel.times.currentText() == "Original size"
    assert not panel.about_size.isVisible()
    open_photo(qtbot, window, draw(photo_path))
    assert panel.about_size.text().startswith("These faces are small: “2 times as large” shows")
    choose(window, 4)
    assert panel.about_size.text() == "600 × 360 pixels become 2400 × 1440."
    open_photo(qtbot, window, draw(photo_path.with_name("other.png"), seed=2))
    assert panel.times.currentText() == "4 times as large"
    assert window.session.recipe is not None and window.session.recipe.upscale == 4


def test_a_photo_too_large_for_it_says_so_before_anything_runs(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.max_megapixels = 1
    open_photo(qtbot, window, draw(photo_path))
    panel = window.workspace.panel
    choose(window, 4)
    sentence = "Enlarged 4 times the photo would have 3 megapixels; at most 1 are made."
    assert panel.about_size.text() == sentence and panel.about_size.isVisible()
    assert panel.hint.text() == "The photo is too large to enlarge 4 times."
    assert not panel.button.isEnabled()
    assert not window.commands["restore"].isEnabled()
    window.session.restore()
    assert not window.session.doing
    choose(window, 2)
    assert panel.hint.text() == ""
    restore(qtbot, window)
    assert "Restored 2 faces" in toast(window)
