"""A reference in the Restore workspace: a better picture of the person, chosen, used, read and taken away again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from facestudio.faces.face import Identity
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.qimage import to_pixels, to_qimage
from facestudio.gui.widgets.distributions import DistributionsDialog
from facestudio.gui.widgets.source_box import SourceBox
from facestudio.gui.workplace import LOOKING
from facestudio.metadata import read_recipe
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from tests import fakes
from tests.gui.conftest import FACES, FakeStudio, draw, open_photo, restore
from tests.gui.windows import dialog, drag, toast
from tests.unit.test_reference import LISTENER, Listening

LEFT = Qt.MouseButton.LeftButton
CONTROL_SHIFT = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def window(make_window: Callable[[], MainWindow], studio: FakeStudio) -> MainWindow:
    """A window over a method that can be told who the person is ("Slow weights"), and one that cannot ("Other weights")."""
    studio.restorer = Listening()
    studio.listening = {"slow-checkpoint"}
    studio.judges = [fakes.FakeEmbedder(LISTENER), *studio.judges]
    return make_window()


def box(window: MainWindow) -> SourceBox:
    return window.workspace.panel.reference


def drop(widget: Any, data: QMimeData) -> None:
    widget.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier))


def file(path: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    return data


def looked(qtbot: QtBot, window: MainWindow, name: str) -> None:
    """Wait until the reference called `name` is there."""
    reference = window.session.reference
    qtbot.waitUntil(lambda: reference.source is not None and reference.source.name == name and not window.session.doing)


def with_reference(qtbot: QtBot, window: MainWindow, photo: Path, clean: Path) -> None:
    """Open `photo`, tick its first face alone, and drop `clean` as the reference."""
    open_photo(qtbot, window, draw(photo))
    window.session.select(frozenset({0}))
    drop(box(window), file(draw(clean, seed=9)))
    looked(qtbot, window, clean.name)


# ---- choosing


def test_it_is_offered_where_the_method_can_be_told(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    assert box(window).isVisible()
    assert not box(window).choose.isEnabled()  # there is no photo that it could belong to
    assert not window.commands["reference"].isEnabled()
    open_photo(qtbot, window, draw(photo_path))
    assert box(window).choose.isEnabled()
    assert window.commands["reference"].isEnabled()
    window.session.choose("other-checkpoint")
    assert not box(window).isVisible()
    assert not window.commands["reference"].isEnabled()
    window.session.choose("slow-checkpoint")
    assert box(window).isVisible()


def test_a_photo_is_dropped_and_one_of_its_faces_is_told(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Identity] = []
    really = Listening.guided

    def guided(self: Listening, identity: Identity) -> Listening:
        told.append(identity)
        return really(self, identity)

    monkeypatch.setattr(Listening, "guided", guided)
    with_reference(qtbot, window, photo_path, photo_path.with_name("clean.png"))
    chooser = box(window).chooser
    assert chooser.name.text() == "clean.png"
    assert chooser.faces.count() == len(FACES)
    assert window.session.opened is not None and window.session.opened.source == photo_path
    chooser.faces.setCurrentRow(1)
    restore(qtbot, window)
    clean = Photo.open(photo_path.with_name("clean.png"))
    wanted = studio.judges[0].embed(clean.pixels, FACES[1].landmarks)
    (identity,) = told
    assert np.array_equal(identity.embedding, wanted.embedding)


def test_while_a_file_is_dragged_over_the_window_its_place_is_seen(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    window.workspace.toast.hide()
    where = box(window).visibleRegion().boundingRect().translated(box(window).mapTo(window, QPoint(0, 0)))
    left, top, right, bottom = where.getCoords()
    before = to_pixels(window.grab().toImage())
    drag(window, file(photo_path))
    assert window.overlay.isVisible()
    during = to_pixels(window.grab().toImage())
    assert np.array_equal(before[top : bottom + 1, left : right + 1], during[top : bottom + 1, left : right + 1])
    assert not np.array_equal(before[top - 20 : top], during[top - 20 : top])


def test_the_first_photo_is_no_reference_wherever_it_is_dropped(window: MainWindow, photo_path: Path) -> None:
    assert box(window).isVisible() and not box(window).acceptDrops()  # so the window takes it
    where = box(window).mapTo(window, box(window).rect().center())
    before = window.grab().toImage().pixelColor(where)
    drag(window, file(photo_path))
    assert window.grab().toImage().pixelColor(where) != before, "the whole window is covered"
    window.session.reference.use_photo(photo_path)
    assert toast(window).startswith("Open a photo first")
    assert not window.session.doing


def test_it_comes_by_dialog_by_clipboard_and_without_a_file(
    qtbot: QtBot, window: MainWindow, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    asked: list[Any] = []

    def chosen(*args: Any) -> tuple[str, str]:
        asked.append(args[2])
        return str(draw(photo_path.with_name("a.png"))), ""

    monkeypatch.setattr(QFileDialog, "getOpenFileName", chosen)
    QTest.keyClick(window, Qt.Key.Key_O, CONTROL_SHIFT)
    looked(qtbot, window, "a.png")
    assert asked == [str(photo_path.parent)]
    QGuiApplication.clipboard().setImage(to_qimage(fakes.picture(120, 160)))
    QTest.keyClick(window, Qt.Key.Key_V, CONTROL_SHIFT)
    looked(qtbot, window, "Pasted picture")
    assert window.session.opened is not None and window.session.opened.source == photo_path, "the photo was left alone"
    QTest.mouseClick(box(window).remove, LEFT)
    picture = QMimeData()
    picture.setImageData(to_qimage(fakes.picture(120, 160, seed=4)))
    drop(box(window), picture)
    looked(qtbot, window, "Pasted picture")
    QGuiApplication.clipboard().setText("words")
    window.commands["paste_reference"].trigger()
    assert toast(window) == "There is no picture on the clipboard."


def test_one_without_a_face_is_explained_and_the_one_of_before_stays(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    with_reference(qtbot, window, photo_path, photo_path.with_name("clean.png"))
    drop(box(window), file(draw(photo_path.with_name("empty.png"))))
    error = dialog(qtbot, window, ErrorDialog)
    assert "No face was found in empty.png." in [label.text() for label in error.findChildren(QLabel)]
    error.close()
    looked(qtbot, window, "clean.png")
    assert window.workspace.panel.button.isEnabled()


def test_looking_for_it_is_shown_and_can_be_stopped(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    clean = draw(photo_path.with_name("clean.png"))

    def patient(photo: Any, progress: Any) -> Any:
        for _ in progress.track(range(1000), "Finding faces"):
            time.sleep(0.005)
        return FACES

    monkeypatch.setattr(studio, "detect", patient)
    drop(box(window), file(clean))
    assert window.session.doing == LOOKING
    assert window.workspace.panel.job_bar.isVisible()
    assert len(window.workspace.strip.chips) == 2, "the photo's own faces stay"
    qtbot.waitUntil(lambda: window.workspace.panel.job_bar.stage.text() == "Finding faces")
    QTest.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.session.doing)
    assert window.session.reference.source is None
    assert box(window).choose.text() == "Choose a photo…"


# ---- whom it belongs to


def test_it_is_for_one_face_and_that_is_said_before_anything_runs(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    with_reference(qtbot, window, photo_path, photo_path.with_name("clean.png"))
    panel = window.workspace.panel
    assert panel.button.isEnabled()
    window.session.select_all()
    assert not panel.button.isEnabled()
    assert not window.commands["restore"].isEnabled()
    assert panel.hint.text() == "Tick only the one face that the reference shows."
    window.session.restore()
    assert not window.session.doing
    QTest.mouseClick(box(window).remove, LEFT)
    assert panel.button.isEnabled() and panel.hint.text() == ""
    assert window.commands["restore"].isEnabled()


def test_it_is_taken_away_by_its_button(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    with_reference(qtbot, window, photo_path, photo_path.with_name("clean.png"))
    assert box(window).remove.isVisible()
    assert box(window).choose.text() == "Change…"
    QTest.mouseClick(box(window).remove, LEFT)
    assert window.session.reference.source is None
    assert not box(window).remove.isVisible()
    assert box(window).chooser.name.text() == ""
    assert box(window).chooser.faces.count() == 0
    restore(qtbot, window)
    step = window.session.history.current
    assert step is not None and step.result.recipe.reference == ""
    assert not step.result.faces[0].to_reference


def test_it_goes_with_the_photo_whose_person_it_shows(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    with_reference(qtbot, window, photo_path, photo_path.with_name("clean.png"))
    window.session.find_faces()
    qtbot.waitUntil(lambda: not window.session.doing)
    assert window.session.reference.source is not None, "the photo is the same"
    open_photo(qtbot, window, draw(photo_path.with_name("other.png"), seed=3))
    assert window.session.reference.source is None
    assert "reference was removed" in toast(window)
    assert window.workspace.panel.button.text() == "Restore 2 faces"
    assert window.workspace.panel.button.isEnabled()


def test_another_photo_ends_the_look_for_it(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    other, clean = (draw(photo_path.with_name(name), seed=5) for name in ("other.png", "clean.png"))
    really = studio.detect

    def slow(photo: Any, progress: Any = None) -> Any:
        for _ in progress.track(range(40 if photo.path == clean else 1), "Finding faces"):
            time.sleep(0.01)
        return really(photo, progress)

    monkeypatch.setattr(studio, "detect", slow)
    drop(box(window), file(clean))
    open_photo(qtbot, window, other)
    qtbot.waitUntil(lambda: window.session.compute.live == 0)
    assert window.session.reference.source is None
    assert len(window.session.faces) == 2


def test_it_waits_while_another_method_is_chosen_and_is_not_told(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    with_reference(qtbot, window, photo_path, photo_path.with_name("clean.png"))
    window.session.choose("other-checkpoint")
    window.session.select_all()
    studio.restorer = fakes.SlowRestorer()  # it would refuse to be told
    restore(qtbot, window)
    step = window.session.history.current
    assert step is not None and step.result.recipe.reference == ""
    window.session.choose("slow-checkpoint")
    assert box(window).chooser.name.text() == "clean.png"
    assert window.session.reference.used is not None


def test_while_the_photo_is_restored_no_other_is_taken(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.restorer = Listening(steps=300, seconds=0.01)
    open_photo(qtbot, window, draw(photo_path))
    clean = draw(photo_path.with_name("clean.png"))
    window.workspace.panel.button.click()
    assert not box(window).choose.isEnabled()
    drop(box(window), file(clean))
    assert toast(window) == "Wait until the running job is done, or stop it."
    assert window.session.doing == "restoring"
    window.session.stop()
    qtbot.waitUntil(lambda: not window.session.doing)
    assert window.session.reference.source is None
    assert box(window).choose.isEnabled()


def test_undo_and_redo_bring_the_reference_of_the_result(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    first, second = (photo_path.with_name(name) for name in ("clean.png", "younger.png"))
    undo, redo = window.commands["undo"].trigger, window.commands["redo"].trigger
    with_reference(qtbot, window, photo_path, first)
    box(window).chooser.faces.setCurrentRow(1)
    restore(qtbot, window)
    drop(box(window), file(draw(second, seed=11)))
    looked(qtbot, window, second.name)
    restore(qtbot, window)
    QTest.mouseClick(box(window).remove, LEFT)
    restore(qtbot, window)
    undo()
    assert box(window).chooser.name.text() == second.name
    undo()
    assert box(window).chooser.name.text() == first.name
    assert box(window).chooser.faces.currentRow() == 1, "the face that was told"
    step, used = window.session.history.current, window.session.reference.used
    assert step is not None and used is not None
    assert step.result.recipe.reference == used.who[0].content_hash, "restored again it comes out the same"
    QTest.mouseClick(box(window).remove, LEFT)  # what was chosen meanwhile is not lost either
    redo()
    assert box(window).chooser.name.text() == second.name
    undo()
    assert box(window).chooser.name.text() == ""
    redo()
    redo()
    assert box(window).chooser.name.text() == "", "the last result was told nobody"


def test_a_result_of_a_method_that_cannot_be_told_takes_no_reference_away(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    with_reference(qtbot, window, photo_path, photo_path.with_name("clean.png"))
    window.session.choose("other-checkpoint")
    studio.restorer = fakes.SlowRestorer()
    studio.restorer.checkpoint = studio.fake_offers[1]
    restore(qtbot, window)
    restore(qtbot, window)
    window.commands["undo"].trigger()
    window.session.choose("slow-checkpoint")
    assert box(window).chooser.name.text() == "clean.png"


# ---- what comes of it


def test_both_similarities_are_read(qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path) -> None:
    shares: dict[str, Any] = {
        "shares_from": -0.5,
        "shares_to": 1.0,
        "same_shares": [0.0, 1.0],
        "different_shares": [1.0, 0.0],
    }
    studio.judges[1] = fakes.FakeEmbedder("judge-a", **shares)
    with_reference(qtbot, window, photo_path, photo_path.with_name("clean.png"))
    restore(qtbot, window)
    step = window.session.history.current
    assert step is not None
    result = step.result.faces[0]
    assert set(result.similarity) == set(result.to_reference) == {"judge-a", "judge-b"}, "the listener does not judge"
    chip, other = window.workspace.strip.chips
    photo, reference = chip.to_reference.text().split("\n")
    assert photo == "photo " + "  ".join(f"{result.similarity[name]:.2f}" for name in ("judge-a", "judge-b"))
    assert reference == "reference " + "  ".join(f"{result.to_reference[name]:.2f}" for name in ("judge-a", "judge-b"))
    assert chip.to_reference.isVisible()
    assert f"to the reference clean.png: cosine {result.to_reference['judge-b']:.3f}" in chip.toolTip()
    assert f"to the reference {result.to_reference['judge-a']:.2f}" in chip.gauge.accessibleName()
    assert not other.to_reference.isVisible()
    with_ring = to_pixels(chip.gauge.grab().toImage())
    chip.gauge.show_verdicts(chip.gauge.verdicts)
    assert not np.array_equal(with_ring, to_pixels(chip.gauge.grab().toImage()))
    window.commands["figures"].trigger()
    figures = dialog(qtbot, window, DistributionsDialog)
    assert isinstance(figures, DistributionsDialog)
    (plot,) = figures.plots
    assert f"to the reference {result.to_reference['judge-a']:.3f}" in plot.accessibleName()
    marked = to_pixels(plot.grab().toImage())
    plot.to_reference = None
    assert not np.array_equal(marked, to_pixels(plot.grab().toImage()))
    window.session.undo()
    assert not chip.to_reference.isVisible()


def test_a_poor_face_with_a_reference_fits_its_chip(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.panel = fakes.fake_panel(["judge-a", "judge-b"], qualities=[0.12, 0.9])
    face = fakes.face_at(400, 400, 700)
    studio.faces = (face,)
    photo = fakes.write_picture(photo_path, fakes.picture(800, 800, [face]))
    open_photo(qtbot, window, photo)
    drop(box(window), file(draw(photo.with_name("clean.png"))))
    looked(qtbot, window, "clean.png")
    restore(qtbot, window)
    (chip,) = window.workspace.strip.chips
    qtbot.waitUntil(chip.to_reference.isVisible)
    assert chip.words.text() == "cannot be judged"
    assert "larger than the 256 px" in chip.toolTip()
    strip = window.workspace.strip  # grows with its chips, less what the row leaves around them
    qtbot.waitUntil(lambda: chip.heightForWidth(chip.width()) <= strip.height() - 20)


def test_the_saved_file_names_the_reference_by_its_content(
    qtbot: QtBot, window: MainWindow, photo_path: Path, tmp_path: Path
) -> None:
    with_reference(qtbot, window, photo_path.with_suffix(".png"), tmp_path / "clean.png")
    restore(qtbot, window)
    with qtbot.waitSignal(window.session.results.saved) as saved:
        window.commands["save"].trigger()
    recipe = Recipe.from_json(read_recipe(saved.args[0]) or "")
    assert recipe.reference == Photo.open(tmp_path / "clean.png").content_hash
    step = window.session.history.current
    assert step is not None and recipe == replace(step.result.recipe, version=recipe.version)


def test_the_real_methods_that_can_be_told_are_known_without_torch() -> None:
    code = (
        "import sys; from facestudio.studio import Studio; s = Studio(); "
        "print(*[c.id for c in s.checkpoints() if c.method and s.can_be_told(c.id)]); assert 'torch' not in sys.modules"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    told = run.stdout.split()
    assert "starter-difface" in told and "starter-estimator" not in told
