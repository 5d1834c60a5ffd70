"""What a user does in the window, done through the window."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragLeaveEvent, QGuiApplication, QKeySequence, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLabel, QMessageBox, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from facestudio.errors import UnreadablePhoto
from facestudio.gui import saving
from facestudio.gui.actions import GENERATE, RESTORE, SPECS
from facestudio.gui.errors import ErrorDialog, show_error
from facestudio.gui.main_window import MainWindow
from facestudio.gui.qimage import to_pixels, to_qimage
from facestudio.gui.session import FINDING, RESTORING
from facestudio.gui.theme import colours_of, sheet_of
from facestudio.gui.widgets.distributions import DistributionsDialog
from facestudio.gui.widgets.options_form import OptionRow
from facestudio.gui.widgets.view import SIDE, SINGLE, SPLIT
from facestudio.methods import difface
from facestudio.options import describe, option
from tests import fakes
from tests.gui.conftest import FakeStudio, draw, is_open, open_photo, restore, shown
from tests.gui.windows import alike, answer, dialog, drag, drop, files, toast

LEFT = Qt.MouseButton.LeftButton
PLACES = (RESTORE, GENERATE)


@dataclass(frozen=True)
class Options:
    """One option of every kind."""

    steps: int = option(20, title="Steps", minimum=1, maximum=100)
    amount: float = option(0.5, title="Amount", minimum=0.0, maximum=1.0)
    tidy: bool = option(False, title="Tidy")
    kind: str = option("a", title="Kind", choices=("a", "b"))
    word: str = option("x", title="Word")
    free: int = option(3, title="Free", minimum=0)


# ---- opening


def test_the_empty_window_says_what_to_drop(window: MainWindow) -> None:
    zone = window.workspace.drop_zone
    assert zone.isVisible()
    for word in ("JPEG", "HEIC", "folder", "Ctrl+V"):
        assert word in zone.text.text()
    assert not window.workspace.panel.button.isEnabled()
    assert window.workspace.panel.hint.text() == "Open a photo first."


def test_dropping_a_photo_opens_it_and_finds_its_faces(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    data = files(draw(photo_path))
    drag(window, data)
    assert window.overlay.isVisible()
    drop(window, data)
    assert not window.overlay.isVisible()
    qtbot.waitUntil(lambda: len(window.workspace.strip.chips) == 2)
    assert window.viewer.isVisible()
    assert photo_path.name in window.windowTitle()
    assert not window.workspace.files.isVisible()
    assert window.workspace.panel.button.isEnabled()
    assert window.workspace.panel.button.text() == "Restore 2 faces"


def test_dragging_away_takes_the_frame_away_and_text_is_not_taken(window: MainWindow, photo_path: Path) -> None:
    drag(window, files(photo_path))
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert not window.overlay.isVisible()
    text = QMimeData()
    text.setText("hello")
    drag(window, text)
    assert not window.overlay.isVisible()


def test_pasting_a_picture_and_saving_it_asks_where(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = fakes.picture(120, 160)
    QGuiApplication.clipboard().setImage(to_qimage(pixels))
    window.commands["paste"].trigger()
    qtbot.waitUntil(lambda: window.session.opened is not None and window.session.looked)
    assert window.session.opened is not None
    assert window.session.opened.source is None
    assert np.array_equal(window.session.opened.photo.pixels, pixels)
    assert window.session.recents == []
    restore(qtbot, window)
    target = tmp_path / "mine.png"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(target), ""))
    window.commands["save"].trigger()
    qtbot.waitUntil(target.exists)
    qtbot.waitUntil(lambda: not window.session.history.unsaved)


def test_pasting_a_file(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    QGuiApplication.clipboard().setMimeData(files(draw(photo_path)))
    window.commands["paste"].trigger()
    qtbot.waitUntil(lambda: is_open(window, photo_path))


def test_pasting_nothing_says_so(window: MainWindow) -> None:
    QGuiApplication.clipboard().setText("only words")
    window.commands["paste"].trigger()
    assert toast(window) == "There is no picture on the clipboard."


def test_opening_through_the_dialog(
    qtbot: QtBot, window: MainWindow, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *args: ([str(draw(photo_path))], ""))
    QTest.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: is_open(window, photo_path))


def test_a_bad_file_is_explained_and_the_photo_stays(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    bad = photo_path.with_name("bad.jpg")
    bad.write_bytes(b"this is no photo")
    window.open_paths([bad])
    error = dialog(qtbot, window, ErrorDialog)
    assert "bad.jpg" in " ".join(label.text() for label in error.findChildren(QLabel))
    error.close()
    assert is_open(window, photo_path)
    assert len(window.workspace.strip.chips) == 2
    assert window.session.recents == [photo_path]


def test_a_folder_is_listed_a_to_z_and_a_click_opens(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    for name in ("c.png", "A.png", "b.png"):
        draw(folder / name)
    (folder / "d.jpg").write_bytes(b"broken")
    (folder / "notes.txt").write_text("not a photo")
    window.open_paths([folder])
    qtbot.waitUntil(lambda: is_open(window, folder / "A.png"))
    listed = window.workspace.files
    assert listed.isVisible()
    assert [listed.list.item(row).text() for row in range(listed.list.count())] == ["A.png", "b.png", "c.png", "d.jpg"]
    qtbot.waitUntil(lambda: len(window.session.files._made) == 4)
    assert "\n" in listed.list.item(3).toolTip()  # the reason stands under the path
    item = listed.list.item(2)
    QTest.mouseClick(listed.list.viewport(), LEFT, pos=listed.list.visualItemRect(item).center())
    qtbot.waitUntil(lambda: is_open(window, folder / "c.png"))
    qtbot.waitUntil(lambda: window.commands["previous"].isEnabled())
    window.commands["previous"].trigger()
    qtbot.waitUntil(lambda: is_open(window, folder / "b.png"))
    assert listed.list.currentRow() == 1


def test_a_folder_without_photos_is_explained(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()
    window.open_paths([tmp_path / "bare"])
    assert "no photo in bare" in dialog(qtbot, window, ErrorDialog).findChild(QLabel, "dialogCause").text()


def test_a_photo_without_a_face_says_so(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    open_photo(qtbot, window, draw(tmp_path / "empty.png"))
    assert "No face was found" in window.workspace.strip.message.text()
    assert "--" not in window.workspace.strip.message.text()  # flags are the command line's
    assert window.workspace.strip.message.isVisible()
    assert not window.workspace.panel.button.isEnabled()


def test_recent_photos_are_offered_and_forgotten(
    qtbot: QtBot, make_window: Callable[[], MainWindow], tmp_path: Path
) -> None:
    window = make_window()
    for name in ("one.png", "two.png", "one.png"):
        open_photo(qtbot, window, draw(tmp_path / name))
    texts = [action.text() for action in window.recent_menu.actions()]
    assert texts[:2] == ["one.png", "two.png"]
    window.close()
    other = make_window()
    other.recent_menu.actions()[1].trigger()
    qtbot.waitUntil(lambda: is_open(other, tmp_path / "two.png"))
    other.recent_menu.actions()[-1].trigger()
    assert other.session.recents == []
    assert not other.recent_menu.isEnabled()


# ---- faces, recipe, restoring


def test_faces_are_ticked_by_chip_and_by_box(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    assert window.session.selected == {0, 1}
    QTest.mouseClick(window.workspace.strip.chips[0], LEFT, pos=QPoint(20, 40))
    assert window.session.selected == {1}
    assert not window.workspace.strip.chips[0].tick.isChecked()
    window.workspace.strip.chips[1].tick.click()
    assert window.session.selected == set()
    assert window.workspace.panel.hint.text() == "Tick at least one face."
    box = window.viewer._box(0, window.viewer.panes()[0])
    QTest.mouseClick(window.viewer, LEFT, pos=box.center().toPoint())
    assert window.session.selected == {0}
    window.commands["tick_all"].trigger()
    assert window.session.selected == {0, 1}


def test_restoring_shows_the_result_and_the_readout(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    before = shown(window)
    window.session.toggle_face(1)
    restore(qtbot, window)
    step = window.session.history.current
    assert step is not None
    summary = step.result.faces[0].summary
    assert summary is not None
    first, second = window.workspace.strip.chips
    assert first.words.text() == summary.words
    assert first.chance.text() == f"{summary.chance:.0%} same"
    assert first.agreement.text() == "both agree"
    assert first.gauge.isVisible()
    assert [v.embedder for v in first.gauge.verdicts] == ["judge-a", "judge-b"]
    assert summary.sentence in first.toolTip()
    assert "judge-a" in first.toolTip()
    assert "judge-b" in first.toolTip()
    tone = "good" if summary.success else "bad" if summary.words == "changed" else "warn"
    assert window.theme.colour(tone).name() in first.words.styleSheet()
    assert second.words.text() == "left as it was"
    assert not np.array_equal(before, shown(window))
    assert "Restored 1 face" in toast(window)
    assert window.isWindowModified()


def test_a_click_on_the_gauge_shows_what_the_figures_rest_on(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    shares = {
        "shares_from": -0.5,
        "shares_to": 1.0,
        "same_shares": [0.0, 0.3, 0.7],
        "different_shares": [0.6, 0.4, 0.0],
    }
    intervals = {"thresholds_low": {"1e-3": 0.75}, "thresholds_high": {"1e-3": 0.85}}
    studio.judges = [fakes.FakeEmbedder("judge-a", **shares, **intervals), fakes.FakeEmbedder("judge-b")]
    open_photo(qtbot, window, draw(photo_path))
    assert not window.commands["figures"].isEnabled()
    restore(qtbot, window)
    chip = window.workspace.strip.chips[1]
    ticked = window.session.selected
    qtbot.mouseClick(chip.gauge, Qt.MouseButton.LeftButton)
    assert window.session.selected == ticked, "the gauge is not the tick"
    (dialog,) = window.findChildren(DistributionsDialog)
    assert dialog.windowTitle().startswith("Face 2")
    (plot,) = dialog.plots  # judge-b carries no distributions, and says so
    assert "0.75 to 0.85" in plot.accessibleName()
    assert any("No distributions were measured" in label.text() for label in dialog.findChildren(QLabel))
    with_pair = to_pixels(plot.grab().toImage())
    plot.verdict = replace(plot.verdict, cosine=-0.3)
    assert not np.array_equal(with_pair, to_pixels(plot.grab().toImage()))
    dialog.close()
    window.commands["figures"].trigger()
    qtbot.waitUntil(lambda: any(d.isVisible() for d in window.findChildren(DistributionsDialog)))


def test_a_face_that_is_too_poor_is_said_to_be_so(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.panel = fakes.fake_panel(["judge-a", "judge-b"], qualities=[0.9, 0.12])
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    good, poor = window.workspace.strip.chips
    assert good.words.text() == "changed"
    assert good.agreement.text() == "both agree"
    assert poor.words.text() == "cannot be judged"
    assert poor.chance.text() == ""
    assert poor.agreement.text() == "too poor: recognisable at 12%, 30% is needed"
    assert window.theme.colour("warn").name() in poor.words.styleSheet()
    assert "Recognisable: 12% before, 12% after" in poor.toolTip()
    qtbot.mouseClick(good.gauge, Qt.MouseButton.LeftButton)
    (dialog,) = window.findChildren(DistributionsDialog)
    said = [label.text() for label in dialog.findChildren(QLabel)]
    assert any("Log-odds of all recognisers together" in text and "90% and 90%" in text for text in said)


def test_a_large_face_carries_its_note(qtbot: QtBot, window: MainWindow, studio: FakeStudio, tmp_path: Path) -> None:
    face = fakes.face_at(400, 400, 700)
    studio.faces = (face,)
    path = fakes.write_picture(tmp_path / "large.png", fakes.picture(800, 800, [face]))
    open_photo(qtbot, window, path)
    restore(qtbot, window)
    (chip,) = window.workspace.strip.chips
    assert chip.note.isVisible()
    assert chip.note.text().startswith("Fine detail")  # what matters comes first, because the end is cut
    assert "larger than the 256 px" in chip.toolTip()


def test_an_animation_is_said_to_show_its_first_frame(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    frames = [Image.fromarray(fakes.picture(80, 100, seed=seed)) for seed in range(3)]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    open_photo(qtbot, window, path)
    (note,) = window.session.opened.photo.notes  # type: ignore[union-attr]
    assert toast(window) == note
    assert note in window._about_photo.text()


def test_a_failed_face_says_why_and_the_other_is_done(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.restorer = fakes.SlowRestorer(fails=[0])
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    first, second = window.workspace.strip.chips
    assert first.words.text().startswith("Failed: Call 0 was told to fail")
    assert second.gauge.isVisible()
    assert "1 could not be restored" in toast(window)


def test_when_every_face_fails_nothing_changes(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.restorer = fakes.SlowRestorer(fails=[0, 1])
    open_photo(qtbot, window, draw(photo_path))
    window.workspace.panel.button.click()
    dialog(qtbot, window, ErrorDialog).close()
    assert window.session.history.current is None
    assert window.workspace.panel.button.isEnabled()


def test_an_error_nobody_foresaw_is_shown_with_its_details(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_photo(qtbot, window, draw(photo_path))

    def broken(*args: object, **named: object) -> None:
        raise ZeroDivisionError("by accident")

    monkeypatch.setattr(studio, "restore", broken)
    window.workspace.panel.button.click()
    error = dialog(qtbot, window, ErrorDialog)
    assert isinstance(error, ErrorDialog)
    assert "ZeroDivisionError: by accident" in error.findChild(QLabel, "dialogCause").text()
    error.copy_button.click()
    assert "Traceback" in QGuiApplication.clipboard().text()
    error.close()


def test_the_work_shows_progress_and_preview_and_escape_stops_it(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.restorer = fakes.SlowRestorer(steps=400, seconds=0.01)
    open_photo(qtbot, window, draw(photo_path))
    window.workspace.panel.button.click()
    assert window.session.doing == RESTORING
    bar = window.workspace.panel.job_bar
    assert bar.isVisible()
    qtbot.waitUntil(lambda: bar.bar.maximum() > 0 and bar.bar.value() > 0)
    qtbot.waitUntil(lambda: window.viewer._preview is not None)
    qtbot.waitUntil(lambda: "left" in bar.left.text())
    window.grab()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert bar.stage.text() == "Stopping…"
    qtbot.waitUntil(lambda: not window.session.doing)
    assert window.session.history.current is None
    assert window.viewer._preview is None
    assert toast(window) == "Stopped. Nothing was changed."
    assert window.workspace.panel.button.isVisible()
    assert window.workspace.panel.button.isEnabled()


def test_options_and_seed_reach_the_method(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    row = window.workspace.panel.options.rows["strength"]
    assert row.slider is not None
    row.slider.setValue(10)
    assert row.value == pytest.approx(0.5)
    window.workspace.panel.seed.setValue(77)
    restore(qtbot, window)
    step = window.session.history.current
    assert step is not None
    assert step.result.recipe.options == {"strength": 0.5}
    assert step.result.recipe.seed == 77
    QTest.mouseDClick(row.label, LEFT)
    assert row.value == 1.0
    assert window.session.options == {"strength": 1.0}
    window.commands["shuffle_seed"].trigger()
    assert window.workspace.panel.seed.value() == window.session.seed != 77


def test_every_kind_of_option_has_its_row(qtbot: QtBot, window: MainWindow) -> None:
    wanted = {"steps": 41, "amount": 0.25, "tidy": True, "kind": "b", "word": "hello", "free": 1000}
    for field in describe(Options):
        row = OptionRow(field, field.default)
        qtbot.addWidget(row)
        assert row.value == field.default
        told: list[str] = []
        row.edited.connect(told.append)
        row.set_value(wanted[field.name])
        assert row.value == wanted[field.name]
        assert (row.slider is not None) == (field.name in ("steps", "amount"))
        row.reset()
        assert row.value == field.default
        assert told


def test_an_option_without_an_effect_is_grey_and_says_why(
    make_window: Callable[[], MainWindow], studio: FakeStudio
) -> None:
    studio.restorer.Options = difface.Options  # type: ignore[assignment]
    form = make_window().workspace.panel.options
    eta, sampler = form.rows["eta"], form.rows["sampler"]
    assert not eta.box.isEnabled() and not eta.label.isEnabled()
    assert eta.box.toolTip() == "This has no effect with sampler dpm."
    sampler.set_value("ddim")
    assert eta.box.isEnabled() and "fresh noise" in eta.box.toolTip()
    sampler.set_value("dpm")
    assert not eta.box.isEnabled()
    form.show_lacks({"person": "Nobody is told."})
    assert not eta.box.isEnabled()  # what is lacking besides changes nothing


def test_the_panel_shows_weights_licence_and_device(window: MainWindow) -> None:
    panel = window.workspace.panel
    assert [panel.checkpoint.itemText(i) for i in range(panel.checkpoint.count())] == ["Slow weights", "Other weights"]
    assert panel.licence.text() == "Licence: Apache-2.0"
    panel.checkpoint.setCurrentIndex(1)
    panel.checkpoint.activated.emit(1)
    assert panel.licence.text() == "Licence: MIT"
    assert window.session.recipe is not None
    assert window.session.recipe.checkpoint == "other-checkpoint"
    assert panel.device.text() == "A pretended processor, 2 threads (cpu)"


def test_undo_and_redo_go_through_the_results(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    first = window.session.history.current
    window.session.toggle_face(1)
    restore(qtbot, window)
    second = window.session.history.current
    assert first is not second
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.session.history.current is first
    window.commands["undo"].trigger()
    assert window.session.history.current is None
    assert not window.commands["undo"].isEnabled()
    assert not window.commands["save"].isEnabled()
    assert not window.viewer.comparing
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert window.session.history.current is first
    restore(qtbot, window)
    assert not window.commands["redo"].isEnabled()


# ---- saving


def test_saving_goes_beside_the_photo_and_never_over_a_file(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    untouched = draw(photo_path).read_bytes()
    taken = photo_path.with_name("two people_restored.jpg")
    taken.write_bytes(b"somebody's file")
    open_photo(qtbot, window, photo_path)
    restore(qtbot, window)
    assert window.session.history.unsaved
    with qtbot.waitSignal(window.session.results.saved):
        QTest.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    written = photo_path.with_name("two people_restored_2.jpg")
    assert toast(window) == f"Saved as {written.name}"
    assert not window.session.history.unsaved
    assert photo_path.read_bytes() == untouched
    assert taken.read_bytes() == b"somebody's file"
    with Image.open(written) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (600, 360)


def test_saving_as_refuses_the_original(
    qtbot: QtBot, window: MainWindow, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched = draw(photo_path).read_bytes()
    open_photo(qtbot, window, photo_path)
    restore(qtbot, window)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(photo_path), ""))
    window.commands["save_as"].trigger()
    dialog(qtbot, window, ErrorDialog).close()
    assert photo_path.read_bytes() == untouched
    assert window.session.history.unsaved
    other = photo_path.with_name("other.png")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(other), ""))
    with qtbot.waitSignal(window.session.results.saved):
        window.commands["save_as"].trigger()
    with Image.open(other) as picture:
        assert picture.format == "PNG"


def test_what_the_format_cannot_hold_is_said_when_it_is_saved(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "clear.png"
    picture = Image.fromarray(fakes.picture(360, 600))
    picture.putalpha(Image.new("L", picture.size, 200))
    picture.save(source)
    open_photo(qtbot, window, source)
    restore(qtbot, window)
    target = tmp_path / "flat.bmp"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(target), ""))
    with qtbot.waitSignal(window.session.results.saved):
        window.commands["save_as"].trigger()
    assert toast(window).startswith("Saved as flat.bmp. BMP has no transparency") and "AI had a hand" in toast(window)
    label = window.workspace.toast.label
    assert label.text() == toast(window) and label.height() >= label.heightForWidth(label.width())
    high = window.workspace.toast.height()
    window.workspace.toast.tell("Short.")
    assert label.height() < high / 2 and window.workspace.toast.height() < high


def test_a_name_without_an_ending_gets_one_and_replaces_nothing(
    qtbot: QtBot, window: MainWindow, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = photo_path.with_name("scan.1931.jpg")
    open_photo(qtbot, window, draw(photo_path))
    taken.write_bytes(b"somebody's file")
    restore(qtbot, window)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(photo_path.with_name("scan.1931")), ""))
    window.commands["save_as"].trigger()  # the dialog did not ask about the name with the ending
    dialog(qtbot, window, ErrorDialog).close()
    assert taken.read_bytes() == b"somebody's file"
    taken.unlink()
    with qtbot.waitSignal(window.session.results.saved):
        window.commands["save_as"].trigger()
    with Image.open(taken) as saved:
        assert saved.format == "JPEG"


def test_a_mistyped_ending_is_refused_with_a_hint(
    qtbot: QtBot, window: MainWindow, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    there = sorted(photo_path.parent.iterdir())
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(photo_path.with_name("x.jgp")), ""))
    window.commands["save_as"].trigger()
    error = dialog(qtbot, window, ErrorDialog)
    assert error.windowTitle() == "The result was not saved"
    words = [label.text() for label in error.findChildren(QLabel)]
    assert any(text.startswith("x.jgp ends in .jgp, which is none of .jpg, .jpeg") for text in words)
    assert any("a name without an ending becomes JPG" in text for text in words)
    error.close()
    assert (
        sorted(photo_path.parent.iterdir()) == there
        and window.session.history.unsaved
        and not window.session.results.saving
    )


def test_a_name_that_is_no_text_is_opened_shown_on_one_line_and_not_remembered(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    odd = draw(photo_path).with_name(os.fsdecode(b"two\nlines \xe9.jpg"))
    try:
        photo_path.rename(odd)
    except OSError:
        pytest.skip("no such names here")
    open_photo(qtbot, window, odd)
    assert "two?lines ?.jpg" in window.windowTitle()
    assert window.session.recents == []


# ---- the viewer


def test_the_three_modes_and_the_original(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    viewer = window.viewer
    restore(qtbot, window)
    viewer.show_boxes(False)
    window.workspace.toast.hide()
    pictures = {}
    for keys, mode in (("Alt+Y", SINGLE), ("Y", SIDE), ("Shift+Y", SPLIT)):
        QTest.keySequence(window, QKeySequence(keys))
        assert viewer.mode == mode
        assert (
            next(a for a in ("single", "side", "split") if window.commands[a].isChecked())
            == {SINGLE: "single", SIDE: "side", SPLIT: "split"}[mode]
        )
        pictures[mode] = shown(window)
    assert len(viewer.panes()) == 1
    middle = viewer._handle_x()
    before, after = np.s_[60:-60, : int(middle) - 30], np.s_[60:-60, int(middle) + 30 :]
    assert alike(pictures[SPLIT][after], pictures[SINGLE][after])
    assert not alike(pictures[SPLIT][before], pictures[SINGLE][before])
    viewer.setFocus()
    QTest.keyPress(window, Qt.Key.Key_Backslash)
    assert viewer.original
    assert window.workspace.strip.chips[0].crop.image == window.session.crops[0]
    original = shown(window)
    assert alike(original[before], pictures[SPLIT][before])
    assert not alike(original[after], pictures[SPLIT][after])
    QTest.keyRelease(window, Qt.Key.Key_Backslash)
    assert not viewer.original


def test_the_handle_is_dragged(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    viewer = window.viewer
    start = QPoint(round(viewer._handle_x()), 200)
    QTest.mousePress(viewer, LEFT, pos=start)
    QTest.mouseMove(viewer, QPoint(round(viewer.width() * 0.3), 200))
    QTest.mouseRelease(viewer, LEFT, pos=QPoint(round(viewer.width() * 0.3), 200))
    assert viewer.handle == pytest.approx(0.3, abs=0.02)
    assert window.session.selected == {0, 1}  # it was no click on a face
    assert viewer.fitted


def test_zoom_and_pan_are_the_same_on_both_sides(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    viewer = window.viewer
    restore(qtbot, window)
    viewer.set_mode(SIDE)
    left, right = viewer.panes()
    assert left.size() == right.size()
    at = right.center() + QPointF(20, 30)
    under = viewer.to_photo(at, right)
    wheel = QWheelEvent(
        at,
        QPointF(viewer.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, 1200),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    zoom = viewer.zoom
    QApplication.sendEvent(viewer, wheel)
    assert viewer.zoom == pytest.approx(zoom * 1.25**10)
    assert (viewer.to_photo(at, right) - under).manhattanLength() < 1e-6
    twin = at - QPointF(right.left() - left.left(), 0)
    assert (viewer.to_photo(twin, left) - under).manhattanLength() < 1e-6
    centre = QPointF(viewer.centre)
    QTest.mousePress(viewer, LEFT, pos=QPoint(60, 40))
    QTest.mouseMove(viewer, QPoint(30, 60))
    QTest.mouseRelease(viewer, LEFT, pos=QPoint(30, 60))
    assert viewer.centre != centre
    assert (viewer.to_photo(twin, left) - viewer.to_photo(at, right)).manhattanLength() < 1e-6
    viewer.show_boxes(False)
    window.workspace.toast.hide()
    window.session.undo()  # both sides the same picture: then both panes must be painted the same
    window.session.redo()
    viewer.show_original(True)
    painted = shown(window)
    width = int(left.width())
    offset = round(right.left())
    assert alike(painted[60:, 5 : width - 5], painted[60:, offset + 5 : offset + width - 5])


def test_the_keys_of_zoom(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    viewer = window.viewer
    assert viewer.fitted
    control = Qt.KeyboardModifier.ControlModifier
    QTest.keyClick(window, Qt.Key.Key_0, control)
    assert viewer.zoom == 1.0
    assert window._about_zoom.text() == "100%"
    QTest.keyClick(window, Qt.Key.Key_Equal, control)
    assert viewer.zoom == 1.25
    QTest.keyClick(window, Qt.Key.Key_Minus, control)
    assert viewer.zoom == 1.0
    QTest.keyClick(window, Qt.Key.Key_F, control)
    assert viewer.fitted
    window.resize(window.width() - 120, window.height())
    width, height = 600 * viewer.zoom, 360 * viewer.zoom
    assert width <= viewer.width()
    assert height <= viewer.height()


def test_a_double_click_on_a_chip_shows_the_face(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    chip = window.workspace.strip.chips[1]
    QTest.mouseDClick(chip, LEFT, pos=QPoint(40, 40))
    assert window.session.selected == {0, 1}
    assert not window.viewer.fitted
    face = window.session.faces[1]
    box = window.viewer._box(1, window.viewer.panes()[0])
    assert window.viewer.rect().contains(box.toRect())
    assert box.width() > 0.3 * min(window.viewer.width(), window.viewer.height())
    assert face.area > 0


# ---- looks, keys, settings


def test_every_action_has_a_menu_entry_and_keys(window: MainWindow) -> None:
    reached = {action for menu in window.commands.menus.values() for action in menu.actions()}
    taken: dict[str, str] = {}
    for spec in SPECS:
        action = window.commands[spec.name]
        assert action in reached
        assert action.shortcuts() or spec.keys[0].startswith("hold")
        for keys in action.shortcuts():
            assert not keys.isEmpty(), spec
            for place in PLACES if not spec.place else (spec.place,):  # only what is never seen together may share keys
                other = taken.setdefault(f"{place} {keys.toString()}", spec.name)
                assert other == spec.name, f"{spec.name} and {other} share {keys.toString()}"
    letters = [menu.title().partition("&")[2][:1] for menu in window.commands.menus.values()]
    assert all(letters)


def test_the_list_of_shortcuts_can_be_searched(qtbot: QtBot, window: MainWindow) -> None:
    QTest.keySequence(window, QKeySequence("Shift+?"))
    listed = dialog(qtbot, window, QDialog)
    everything = listed.visible()  # type: ignore[attr-defined]
    assert "Side by side" in everything
    QTest.keyClicks(listed.search, "ctrl+z")  # type: ignore[attr-defined]
    assert listed.visible() == ["Undo"]  # type: ignore[attr-defined]
    listed.close()


def test_about_names_version_and_licence(qtbot: QtBot, window: MainWindow) -> None:
    window.commands["about"].trigger()
    box = dialog(qtbot, window, QMessageBox)
    assert isinstance(box, QMessageBox)
    assert "Apache License 2.0" in box.informativeText()
    box.close()


def test_both_themes_have_every_colour_and_every_rule_is_filled() -> None:
    assert colours_of("dark").keys() == colours_of("light").keys()
    for name in ("dark", "light"):
        assert "@" not in sheet_of(name)


@pytest.mark.parametrize("name", ["dark", "light"])
@pytest.mark.parametrize("colour", ["text", "muted", "good", "warn", "bad", "link"])
@pytest.mark.parametrize("ground", ["window", "panel", "raised"])
def test_words_can_be_read(name: str, colour: str, ground: str) -> None:
    """WCAG 2: contrast of text is at least 4.5."""
    colours = colours_of(name)
    assert contrast(colours[colour], colours[ground]) >= 4.5
    assert contrast(colours["accent-text"], colours["accent"]) >= 3.0  # large and bold


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_theme_is_chosen_and_remembered(qtbot: QtBot, make_window: Callable[[], MainWindow]) -> None:
    window = make_window()
    painted = {}
    for name in ("dark", "light"):
        window.commands[f"theme_{name}"].trigger()
        assert window.theme.name == name
        painted[name] = window.grab().toImage().pixelColor(5, window.height() - 5).lightness()
    assert painted["dark"] < 80 < 180 < painted["light"]
    window.commands["theme_dark"].trigger()
    window.close()
    other = make_window()
    assert other.theme.name == "dark"
    assert other.commands["theme_dark"].isChecked()


def test_geometry_and_view_are_restored(qtbot: QtBot, make_window: Callable[[], MainWindow]) -> None:
    window = make_window()
    window.resize(741, 655)
    window.commands["panel"].trigger()
    window.commands["single"].trigger()
    assert not window.workspace.panel.isVisible()
    window.close()
    other = make_window()
    assert (other.width(), other.height()) == (741, 655)
    assert not other.workspace.panel.isVisible()
    assert other.viewer.mode == SINGLE


def test_an_error_is_shown_with_title_cause_and_hint(qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    shown_dialog = show_error(parent, UnreadablePhoto("<b>x</b>.jpg is damaged.", hint="Copy it again."))
    texts = [label.text() for label in shown_dialog.findChildren(QLabel)]
    assert "This photo cannot be opened" in texts
    assert "<b>x</b>.jpg is damaged." in texts
    assert "Copy it again." in texts
    assert all(
        label.textFormat() == Qt.TextFormat.PlainText for label in shown_dialog.findChildren(QLabel) if label.text()
    )
    shown_dialog.close()


# ---- leaving


def test_closing_asks_about_an_unsaved_result(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    window.close()
    answer(qtbot, window, "Cancel")
    assert window.isVisible()
    window.close()
    answer(qtbot, window, "Save")
    qtbot.waitUntil(lambda: not window.isVisible())
    assert photo_path.with_name("two people_restored.jpg").exists()


def test_opening_another_asks_about_an_unsaved_result(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    other = draw(photo_path.with_name("other.png"), seed=3)
    restore(qtbot, window)
    drop(window, files(other))
    answer(qtbot, window, "Cancel")
    assert is_open(window, photo_path)
    drop(window, files(other))
    answer(qtbot, window, "Don't save")
    qtbot.waitUntil(lambda: is_open(window, other))
    assert window.session.history.current is None
    assert not photo_path.with_name("two people_restored.jpg").exists()


def test_closing_while_it_restores_asks_and_stops(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.restorer = fakes.SlowRestorer(steps=2000, seconds=0.005)
    open_photo(qtbot, window, draw(photo_path))
    window.workspace.panel.button.click()
    qtbot.waitUntil(lambda: len(studio.restorer.seeds) > 0)
    window.close()
    answer(qtbot, window, "Keep running")
    assert window.isVisible()
    assert window.session.doing == RESTORING
    window.close()
    answer(qtbot, window, "Stop and close")
    assert not window.isVisible()
    assert window.session.shutdown(30.0)
    assert studio.restorer.finished == 0


def test_closing_while_it_saves_waits_for_the_file(
    qtbot: QtBot, window: MainWindow, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, really = threading.Event(), saving.save_beside

    def slow(*args: object) -> Path:
        assert gate.wait(30)
        return really(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(saving, "save_beside", slow)
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    window.commands["save"].trigger()
    window.close()
    assert window.isVisible()
    gate.set()
    qtbot.waitUntil(lambda: not window.isVisible())
    assert photo_path.with_name("two people_restored.jpg").exists()


def test_another_photo_takes_over_while_faces_are_looked_for(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, really = threading.Event(), FakeStudio.detect

    def slow(photo: object, progress: object = None) -> object:
        assert gate.wait(30)
        return really(studio, photo, progress)

    monkeypatch.setattr(studio, "detect", slow)
    first, second = draw(tmp_path / "first.png"), draw(tmp_path / "empty second.png")
    window.open_paths([first])
    qtbot.waitUntil(lambda: is_open(window, first) and window.session.doing == FINDING)
    window.open_paths([second])
    qtbot.waitUntil(lambda: is_open(window, second))
    gate.set()
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    assert window.session.faces == ()  # the first photo's faces came too late and were not taken


def test_losing_focus_ends_the_hold(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    window.viewer.show_original(True)
    assert window.commands["original"].isChecked()
    other = QWidget()
    qtbot.addWidget(other)
    other.show()
    other.activateWindow()
    QApplication.sendEvent(window, QEvent(QEvent.Type.ActivationChange))
    qtbot.waitUntil(lambda: window.isActiveWindow() or not window.viewer.original)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_tools_that_have_no_room_are_behind_an_arrow_that_is_seen(window: MainWindow, qtbot: QtBot, theme: str) -> None:
    window.commands[f"theme_{theme}"].trigger()
    window.resize(800, 600)
    more = window.commands.tools.findChild(QToolButton, "qt_toolbar_ext_button")
    assert more is not None
    qtbot.waitUntil(more.isVisible)
    pixels = to_pixels(more.grab().toImage()).astype(int)
    assert np.ptp(pixels.mean(axis=2)) > 100


def test_what_is_readable_of_a_damaged_photo_is_opened_when_asked(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = draw(tmp_path / "scan.png")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 55 // 100])  # within both faces
    window.open_paths([path])
    error = dialog(qtbot, window, ErrorDialog)
    assert error.offer_button.text() == "Open what is readable"
    error.offer_button.click()
    qtbot.waitUntil(lambda: is_open(window, path) and window.session.looked and not window.session.doing)
    assert window.session.opened is not None and window.session.opened.photo.damage is not None
    assert len(window.session.faces) == 2 and not window.session.selected
    assert "2 faces reach into the part of the photo that could not be read; not ticked." in toast(window)
    window.session.select_all()
    restore(qtbot, window)
    step = window.session.history.current
    assert step is not None and step.result.recipe.salvaged is not None
    assert all("Incomplete" in " ".join(face.notes) for face in step.result.faces)


def test_nothing_is_offered_of_a_file_that_is_no_photo(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"this is no photo")
    window.open_paths([tmp_path / "bad.jpg"])
    error = dialog(qtbot, window, ErrorDialog)
    assert not hasattr(error, "offer_button")
    error.close()
