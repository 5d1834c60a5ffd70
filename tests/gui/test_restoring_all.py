"""All photos of the list restored into a folder, through the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from facestudio.gui.brought import EARLIER
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.restoring_all import RESTORING_ALL
from facestudio.gui.widgets.list_outcome import ListOutcomeDialog
from facestudio.metadata import read_recipe
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.scratch_masks import write_mask
from tests import fakes
from tests.gui.conftest import FakeStudio, draw, is_open, open_photo
from tests.gui.windows import answer, dialog, toast


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two photos of one name in two folders, one without a face, one damaged, and something else."""
    folder = tmp_path / "album"
    draw(folder / "a.jpg")
    draw(folder / "summer" / "a.jpg", 1)
    draw(folder / "empty.png", 2)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    (folder / "notes.txt").write_text("not a photo")
    return folder


def open_album(qtbot: QtBot, window: MainWindow, album: Path) -> None:
    window.open_paths([album])
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing and is_open(window, album / "a.jpg"))


def restore_all(window: MainWindow, out: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(out))
    window.commands["restore_all"].trigger()


def names(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def lines(window: MainWindow) -> list[str]:
    shown = window.workspace.files.list
    return [shown.item(row).text() for row in range(shown.count())]


def test_every_photo_is_restored_into_a_folder_and_the_others_are_listed_with_reasons(
    qtbot: QtBot, window: MainWindow, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in album.rglob("*") if path.is_file()}
    open_album(qtbot, window, album)
    out = tmp_path / "out"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(out))
    QTest.keyClick(window, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    shown = dialog(qtbot, window, ListOutcomeDialog)
    assert isinstance(shown, ListOutcomeDialog)
    told = [shown.list.item(row).text() for row in range(shown.list.count())]
    assert len(told) == 2 and told[0].startswith("broken.jpg\n") and told[1].startswith("empty.png\nNo face")
    shown.reject()
    assert toast(window) == "Restored 2 of 4 photos into out; 1 without a face, 1 failed"
    assert names(out) == {"a.jpg", "summer/a.jpg"}
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(lines(window)) == [
        *("album/a.jpg\nrestored", "broken.jpg\nfailed", "empty.png\nwithout a face", "summer/a.jpg\nrestored")
    ]
    for name in names(out):
        with Image.open(out / name) as made, Image.open(album / name) as original:
            assert made.size == original.size and made.tobytes() != original.tobytes()
    assert is_open(window, album / "a.jpg") and not window.session.history.unsaved


def test_it_is_stopped_after_a_photo_and_gone_on_with(
    qtbot: QtBot,
    window: MainWindow,
    studio: FakeStudio,
    album: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_album(qtbot, window, album)
    out = tmp_path / "out"
    studio.restorer = fakes.SlowRestorer(steps=400, seconds=0.005)
    with qtbot.waitSignal(window.session.progressed):
        restore_all(window, out, monkeypatch)
    assert window.session.doing == RESTORING_ALL and not window.commands["restore"].isEnabled()
    assert not window.workspace.files.all.isEnabled() and not window.commands["find_faces"].isEnabled()
    qtbot.waitUntil(lambda: "of 4 photos" in window.workspace.panel.job_bar.stage.text())
    assert window.viewer._preview is None  # it would be another photo's
    window.open_next()
    answer(qtbot, window, "Keep running")
    assert window.session.doing == RESTORING_ALL and is_open(window, album / "a.jpg")
    QTest.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.session.doing)
    assert toast(window) == "Stopped. What was finished is in out; restore all into the same folder again to continue."
    assert not names(out)

    studio.restorer = fakes.SlowRestorer()
    with qtbot.waitSignal(window.session.restoring_all.done):
        restore_all(window, out, monkeypatch)
    dialog(qtbot, window, ListOutcomeDialog).reject()
    stamps = {name: (out / name).stat().st_mtime_ns for name in names(out)}
    done = studio.restorer.finished
    qtbot.waitUntil(lambda: not window.session.doing)
    with qtbot.waitSignal(window.session.restoring_all.done):
        window.workspace.files.all.click()
    assert {name: (out / name).stat().st_mtime_ns for name in names(out)} == stamps
    assert studio.restorer.finished == done and "Restored 2 of 4" in toast(window)


def test_a_folder_among_the_photos_is_refused_and_one_photo_has_no_list(
    qtbot: QtBot, window: MainWindow, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_photo(qtbot, window, album / "summer" / "a.jpg")
    assert not window.commands["restore_all"].isEnabled()
    open_album(qtbot, window, album)
    assert window.commands["restore_all"].isEnabled() and window.workspace.files.all.isVisible()
    restore_all(window, album / "out", monkeypatch)
    error = dialog(qtbot, window, ErrorDialog)
    error.close()
    assert not (album / "out").exists() and not window.session.doing


def test_what_is_saved_by_hand_is_marked_in_the_list(qtbot: QtBot, window: MainWindow, album: Path) -> None:
    open_album(qtbot, window, album)
    with qtbot.waitSignal(window.session.result_changed):
        window.session.restore()
    with qtbot.waitSignal(window.session.results.saved):
        window.commands["save"].trigger()
    assert lines(window).count("album/a.jpg\nsaved") == 1


def test_a_folder_whose_first_photo_is_damaged_opens_at_the_next(qtbot: QtBot, window: MainWindow, album: Path) -> None:
    (album / "a.jpg").write_bytes(b"")
    (album / "summer" / "a.jpg").unlink()
    window.open_paths([album])
    qtbot.waitUntil(lambda: is_open(window, album / "empty.png"))
    assert not window.findChildren(ErrorDialog) and lines(window) == ["a.jpg", "broken.jpg", "empty.png"]
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    (album / "empty.png").unlink()
    window.open_paths([album])
    error = dialog(qtbot, window, ErrorDialog)
    assert any("a.jpg is empty" in label.text() for label in error.findChildren(QLabel))
    error.close()


def done_in_list(qtbot: QtBot, window: MainWindow, album: Path, out: Path, patch: pytest.MonkeyPatch) -> None:
    """Restore all, and wait until the open photo shows what became of it."""
    with qtbot.waitSignal(window.session.restoring_all.done, timeout=60000):
        restore_all(window, out, patch)
    dialog(qtbot, window, ListOutcomeDialog).reject()
    qtbot.waitUntil(lambda: not window.session.doing)


def open_again(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    window.open_listed(path)
    qtbot.waitUntil(lambda: is_open(window, path) and window.session.looked and not window.session.doing)


def test_a_restored_photo_of_the_list_shows_its_result_beside_the_original(
    qtbot: QtBot, window: MainWindow, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_album(qtbot, window, album)
    out = tmp_path / "out"
    window.session.enlarging.choose(2)
    done_in_list(qtbot, window, album, out, monkeypatch)
    for path in (album / "a.jpg", album / "summer" / "a.jpg"):  # the open one, then one that is clicked
        if not is_open(window, path):
            open_again(qtbot, window, path)
        session, step = window.session, window.session.history.current
        assert step is not None and step.times == 2 and not session.history.unsaved
        written = Photo.open(out / path.relative_to(album))
        assert np.array_equal(step.result.after.pixels, written.pixels)
        assert step.result.before.size == written.size == (1200, 720)
        assert session.judged == [0, 1] and session.selected == {0, 1}
        qtbot.waitUntil(lambda: all(chip.gauge.isVisible() for chip in window.workspace.strip.chips))
        assert window.commands["original"].isEnabled()
        window.commands["save"].trigger()
        qtbot.waitUntil(lambda: toast(window).startswith("It is saved already, as"))
    window.commands["undo"].trigger()
    assert window.session.history.current is None and window.commands["redo"].isEnabled()
    open_again(qtbot, window, album / "empty.png")
    assert window.session.history.current is None and not window.session.faces


def test_a_result_of_an_earlier_run_is_shown_and_says_that_its_figures_were_not_kept(
    qtbot: QtBot, window: MainWindow, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_album(qtbot, window, album)
    done_in_list(qtbot, window, album, tmp_path / "out", monkeypatch)
    window.session.restoring_all._forget_kept()  # as after a new start
    done_in_list(qtbot, window, album, tmp_path / "out", monkeypatch)
    open_again(qtbot, window, album / "summer" / "a.jpg")
    step = window.session.history.current
    assert step is not None and not window.session.judged
    assert {face.error for face in step.result.faces} == {EARLIER}


def test_a_photo_that_is_another_one_by_now_and_a_result_that_is_gone_show_the_original(
    qtbot: QtBot, window: MainWindow, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_album(qtbot, window, album)
    out = tmp_path / "out"
    done_in_list(qtbot, window, album, out, monkeypatch)
    draw(album / "summer" / "a.jpg", 5)
    open_again(qtbot, window, album / "summer" / "a.jpg")
    assert window.session.history.current is None and len(window.session.faces) == 2
    (out / "a.jpg").unlink()
    open_again(qtbot, window, album / "a.jpg")
    assert window.session.history.current is None and len(window.session.faces) == 2
    assert toast(window).startswith("The result a.jpg cannot be shown.")


def test_each_photo_of_the_list_is_mended_by_the_mask_of_its_name(
    qtbot: QtBot, window: MainWindow, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks, out, mask = tmp_path / "masks", tmp_path / "out", np.zeros((360, 600), bool)
    mask[300:330, 20:80] = True
    (masks / "summer").mkdir(parents=True)
    write_mask(masks / "summer" / "a.png", mask)
    write_mask(masks / "empty.png.scratches.png", mask[:9])
    open_album(qtbot, window, album)
    window.session.mending.choose("by hand")
    choose = window.commands["list_masks"]
    assert window.session.restoring_all.obstacle and choose.isEnabled() and not choose.isChecked()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(masks))
    choose.trigger()
    assert toast(window) == "Restore all mends by the scratch masks in masks."
    assert choose.isChecked() and toast(window) in window.workspace.files.all.toolTip()
    with qtbot.waitSignal(window.session.restoring_all.done, timeout=60000):
        restore_all(window, out, monkeypatch)
    shown = dialog(qtbot, window, ListOutcomeDialog)
    assert isinstance(shown, ListOutcomeDialog)
    told = " ".join(shown.list.item(row).text() for row in range(shown.list.count()))
    assert "The mask of scratches is 600 × 9 pixels" in told and toast(window).endswith(
        "; 2 failed, 2 with a scratch mask"
    )
    shown.reject()
    plain, mended = (Recipe.from_json(read_recipe(out / name) or "") for name in ("a.jpg", "summer/a.jpg"))
    assert (plain.scratches, mended.scratches) == ("", "by hand") and mended.scratch_mask
    qtbot.waitUntil(lambda: not window.session.doing)
    open_again(qtbot, window, album / "summer" / "a.jpg")
    step = window.session.history.current
    assert step is not None and step.result.mended is not None and np.array_equal(step.result.mended.mask, mask)

    write_mask(masks / "summer" / "a.png", np.roll(mask, 40, axis=1), overwrite=True)  # corrected
    with qtbot.waitSignal(window.session.restoring_all.done, timeout=60000):
        restore_all(window, out, monkeypatch)
    shown = dialog(qtbot, window, ListOutcomeDialog)
    assert isinstance(shown, ListOutcomeDialog)
    told = " ".join(shown.list.item(row).text() for row in range(shown.list.count()))
    assert "made with other settings" in told, "a result that another mask made is not passed off"
    shown.reject()
    choose.trigger()
    assert not choose.isChecked() and window.session.restoring_all.obstacle
