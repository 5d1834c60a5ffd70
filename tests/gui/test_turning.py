"""Turning the open photo in the window: with its faces and marks, undone and redone, offered by its faces, and saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from facestudio.faces.pose import estimate_pose
from facestudio.gui.main_window import MainWindow
from facestudio.mending.by_hand import Stroke
from facestudio.metadata import read_recipe
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from tests import fakes
from tests.gui.conftest import FACES, FakeStudio, draw, is_open, open_photo, restore, shown
from tests.gui.test_missed_face import add, drag_box
from tests.gui.windows import answer, dialog, drop, files, toast

SIZE = (600, 360)
STROKE = Stroke(((100.0, 40.0), (160.0, 60.0)), 6.0, True)


def turn(qtbot: QtBot, window: MainWindow, key: Qt.Key = Qt.Key.Key_Right) -> None:
    """Turn the photo by its keys and wait for it."""
    before = window.session.opened
    QTest.keyClick(window, key, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: window.session.opened is not before and not window.session.doing)


def photo_of(window: MainWindow) -> Photo:
    assert window.session.opened is not None
    return window.session.opened.photo


def test_a_photo_turns_with_its_faces_and_back(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    assert not window.commands["turn_right"].isEnabled()
    open_photo(qtbot, window, draw(photo_path))
    session, opened = window.session, window.session.opened
    session.toggle_face(1)
    turn(qtbot, window)
    photo = photo_of(window)
    assert photo.size == SIZE[::-1] and photo.turn == 90
    assert np.array_equal(photo.pixels, np.rot90(Photo.open(photo_path).pixels, -1))
    assert all(
        np.allclose(face.landmarks, was.turned(90, SIZE).landmarks)
        for face, was in zip(session.faces, FACES, strict=True)
    )
    assert session.selected == {0}
    assert toast(window) == "Turned right."
    assert "360 × 600, turned by 90 degrees clockwise" in window._about_photo.text()
    pane = window.viewer.panes()[0]
    assert pane.adjusted(-1, -1, 1, 1).contains(window.viewer._box(0, pane)), "all of it is seen"
    turn(qtbot, window, Qt.Key.Key_Left)
    assert photo_of(window).turn == 0 and session.opened is opened, "it is not made and kept a second time"
    for _ in range(2):
        window.commands["undo"].trigger()
    assert session.opened is opened and session.faces == FACES and session.selected == {0}
    assert not window.commands["undo"].isEnabled()
    window.commands["redo"].trigger()
    assert photo_of(window) is photo and session.selected == {0}
    assert window.viewer._before is session.opened.pyramid


def test_what_was_done_by_hand_turns_with_it(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    session = window.session
    session.mending.choose("careful")
    add(qtbot, window)
    added = session.faces[2]
    session.change(session.history.state.with_stroke(STROKE))
    turn(qtbot, window)
    assert session.history.state.is_added(2) and session.history.state.strokes == (STROKE.turned(90, SIZE),)
    assert np.allclose(session.faces[2].box, added.turned(90, SIZE).box)
    assert session.selected == {0, 1, 2}
    assert window.workspace.strip.chips[2].words.text().endswith("by hand")
    window.commands["add_face"].trigger()
    drag_box(window, (20, 20, 100, 120))
    qtbot.waitUntil(lambda: len(session.faces) == 4 and not session.doing)
    assert abs(session.faces[3].box[0] - 20) < 4, "a box is of the photo as it lies"
    for _ in range(4):
        window.commands["undo"].trigger()
    assert session.faces == FACES and not session.history.state.strokes


def test_a_result_is_of_the_photo_as_it_lay(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    as_it_was = photo_path.read_bytes()
    session = window.session
    restore(qtbot, window)
    first = session.history.current
    turn(qtbot, window, Qt.Key.Key_Left)
    assert session.history.current is None and session.history.unsaved, "neither the result nor the turned photo"
    assert "Restore it again as it lies now" in toast(window)
    restore(qtbot, window)
    second = session.history.current
    assert second is not None and second.result.recipe.turn == 270
    assert [face.status for face in second.result.faces] == ["restored", "restored"]
    with qtbot.waitSignal(session.results.saved, timeout=10000) as saved:
        window.commands["save"].trigger()
    path = saved.args[0]
    assert path.name == "two people_restored.jpg" and photo_path.read_bytes() == as_it_was
    written = Photo.open(path)
    assert written.size == SIZE[::-1] and Recipe.from_json(read_recipe(path) or "").turn == 270
    assert np.abs(written.pixels.astype(int) - second.result.after.pixels).mean() < 6
    for _ in range(2):
        window.commands["undo"].trigger()
    assert session.history.current is first and photo_of(window).turn == 0
    assert window.viewer._after is first.pyramid


def test_a_photo_that_is_only_turned_is_saved(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path.with_suffix(".png")))
    assert not window.commands["save"].isEnabled()
    turn(qtbot, window)
    assert window.commands["save"].isEnabled() and window.session.history.unsaved
    for words in ("Saved as two people_turned.png", "It is saved already, as two people_turned.png"):
        with qtbot.waitSignal(window.session.results.saved, timeout=10000) as saved:
            window.commands["save"].trigger()
        assert saved.args[0].name == "two people_turned.png" and read_recipe(saved.args[0]) is None
        assert toast(window).startswith(words) and not window.session.history.unsaved
        assert Photo.open(saved.args[0]).content_hash == photo_of(window).content_hash
    saved.args[0].unlink()
    saved.args[0].touch()
    turn(qtbot, window, Qt.Key.Key_Left)
    turn(qtbot, window, Qt.Key.Key_Left)
    with qtbot.waitSignal(window.session.results.saved, timeout=10000) as saved:
        window.commands["save"].trigger()
    assert saved.args[0].name == "two people_turned_2.png", "it lies otherwise"
    target = photo_path.with_name("other.png")
    with qtbot.waitSignal(window.session.results.saved, timeout=10000):
        window.session.results.save_as(target)
    assert Photo.open(target).size == SIZE[::-1]
    with qtbot.waitSignal(window.session.failed, timeout=10000):
        window.session.results.save_as(photo_path.with_suffix(".png"))
    assert Photo.open(photo_path.with_suffix(".png")).size == SIZE


def test_a_photo_that_is_only_turned_is_work_to_be_saved(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    other = draw(photo_path.with_name("other.png"), seed=3)
    turn(qtbot, window)
    assert window.isWindowModified()
    drop(window, files(other))
    question = dialog(qtbot, window, QMessageBox)
    assert isinstance(question, QMessageBox) and question.text() == "The turned photo is not saved"
    answer(qtbot, window, "Cancel")
    assert is_open(window, photo_path) and photo_of(window).turn == 90
    window.commands["undo"].trigger()
    assert (
        not window.session.history.unsaved and not window.isWindowModified() and not window.commands["save"].isEnabled()
    )
    window.commands["redo"].trigger()
    assert window.session.history.unsaved and window.commands["save"].isEnabled()
    for lies in (180, 270, 0):
        window.commands["turn_right"].trigger()  # the keys are the dialog's until the next window system's event
        qtbot.waitUntil(lambda lies=lies: photo_of(window).turn == lies and not window.session.doing)
    assert not window.session.history.unsaved, "it lies as its file has it"
    window.commands["undo"].trigger()
    drop(window, files(other))
    answer(qtbot, window, "Save")
    qtbot.waitUntil(lambda: is_open(window, other))
    assert Photo.open(photo_path.with_name("two people_turned.jpg")).size == SIZE[::-1]
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    window.commands["turn_left"].trigger()
    qtbot.waitUntil(lambda: window.session.history.unsaved)
    window.close()
    answer(qtbot, window, "Don't save")
    qtbot.waitUntil(lambda: not window.isVisible())
    assert not photo_path.with_name("other_turned.png").exists()


def test_faces_that_lie_offer_to_turn_it(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    upright = [replace(face, pose=estimate_pose(face.landmarks)) for face in FACES]
    lying = tuple(face.turned(90, SIZE) for face in upright)
    pixels = np.ascontiguousarray(np.rot90(fakes.picture(SIZE[1], SIZE[0], FACES), -1))
    studio.faces = lying
    open_photo(qtbot, window, fakes.write_picture(photo_path.with_suffix(".png"), pixels))
    act = window.workspace.toast.act
    assert toast(window) == "The faces in this photo lie on their side." and act.isVisible() and act.text() == "Turn it"
    assert photo_of(window).turn == 0, "nothing happens by itself"
    act.click()
    qtbot.waitUntil(lambda: photo_of(window).turn == 270 and not window.session.doing)
    assert np.array_equal(photo_of(window).pixels, np.rot90(pixels))
    assert all(np.allclose(a.box, b.box, atol=1e-3) for a, b in zip(window.session.faces, upright, strict=True))
    assert toast(window) == "Turned left." and not act.isVisible()
    window.commands["undo"].trigger()
    assert photo_of(window).turn == 0 and window.session.faces == lying


def test_faces_that_stand_offer_nothing(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    assert not window.workspace.toast.isVisible()


def test_where_no_face_was_found_the_turned_photo_is_looked_at(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.faces = ()
    open_photo(qtbot, window, draw(photo_path))
    assert not window.session.faces
    studio.faces = tuple(face.turned(90, SIZE) for face in FACES)
    turn(qtbot, window)
    qtbot.waitUntil(lambda: len(window.session.faces) == 2 and not window.session.doing)
    assert window.session.selected == {0, 1}
    window.commands["undo"].trigger()
    assert not window.session.faces and photo_of(window).turn == 90
    window.commands["undo"].trigger()
    assert photo_of(window).turn == 0


def test_nothing_is_turned_while_something_runs(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.restorer = fakes.SlowRestorer(steps=200, seconds=0.02)
    open_photo(qtbot, window, draw(photo_path))
    window.workspace.panel.button.click()
    assert not window.commands["turn_left"].isEnabled()
    window.session.turning.turn(90)
    assert photo_of(window).turn == 0
    window.session.stop()
    qtbot.waitUntil(lambda: not window.session.doing)
    assert window.commands["turn_left"].isEnabled()


def test_a_turn_is_of_one_photo_and_goes_with_it(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    draw(photo_path)
    other = draw(photo_path.with_name("other.jpg"), seed=3)
    open_photo(qtbot, window, photo_path)
    before = shown(window)
    turn(qtbot, window)
    assert not np.array_equal(shown(window), before)
    window.open_paths([other])
    answer(qtbot, window, "Don't save")
    qtbot.waitUntil(lambda: is_open(window, other) and window.session.looked and not window.session.doing)
    assert photo_of(window).turn == 0 and photo_of(window).size == SIZE
    assert window.session.recipe is not None and window.session.recipe.turn == 0
    assert not window.commands["undo"].isEnabled()


def test_the_other_photos_of_the_list_are_not_turned_with_it(
    qtbot: QtBot, window: MainWindow, photo_path: Path, tmp_path: Path
) -> None:
    paths = [draw(photo_path), draw(photo_path.with_name("other.jpg"), seed=3)]
    window.open_paths([photo_path.parent])
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    turn(qtbot, window)
    out = tmp_path / "out"
    with qtbot.waitSignal(window.session.restoring_all.done, timeout=60000):
        window.session.restoring_all.restore(out)
    for path in paths:
        assert Photo.open(out / path.name).size == SIZE
        assert Recipe.from_json(read_recipe(out / path.name) or "").turn == 0
    qtbot.waitUntil(lambda: not window.session.doing)
    assert photo_of(window).turn == 90, "what is open stays as it lies"
