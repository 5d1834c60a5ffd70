"""Scratch masks as files in the window: what is marked is saved, and loaded again in its place; what goes wrong is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.marking import BRUSH, ERASER
from facestudio.mending.by_hand import painted
from facestudio.photo import Photo
from facestudio.scratch_masks import MaskFolder, read_mask, write_mask
from facestudio.studio import Studio
from tests import fakes
from tests.gui.conftest import open_photo, restore
from tests.gui.test_marking import STAIN, marked, pinkness, stained, stroke
from tests.gui.test_mending import old_photo
from tests.gui.windows import dialog, toast

__all__ = ["marked"]  # a fixture

Answer = Callable[[str, Path | str], None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Answers the next dialogs that ask for a file."""

    def answered(which: str, path: Path | str) -> None:
        monkeypatch.setattr(QFileDialog, which, lambda *args: (str(path), ""))

    return answered


def stain_mask() -> np.ndarray:
    """(H, W) bool: a mask of the stain and no more."""
    mask = np.zeros((360, 600), bool)
    mask[STAIN] = True
    return mask


def load(qtbot: QtBot, window: MainWindow, path: Path, answer: Answer) -> None:
    answer("getOpenFileName", path)
    window.commands["load_mask"].trigger()
    qtbot.waitUntil(lambda: not window.session.doing)


def save(qtbot: QtBot, window: MainWindow, path: Path, answer: Answer) -> None:
    answer("getSaveFileName", path)
    window.commands["save_mask"].trigger()
    qtbot.waitUntil(lambda: not window.session.doing)


def told(qtbot: QtBot, window: MainWindow) -> str:
    """Title, cause and hint of the error that is shown; it is closed."""
    shown = dialog(qtbot, window, ErrorDialog)
    words = " ".join([shown.windowTitle(), *(label.text() for label in shown.findChildren(QLabel))])
    shown.close()
    return words


def test_what_is_marked_is_saved_as_the_command_line_writes_and_reads_it(
    qtbot: QtBot, marked: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, asked = marked.session, []
    session.marking.use(BRUSH)
    session.marking.resize(26)
    stroke(marked, (306, 50), (324, 50))
    session.marking.use(ERASER)
    stroke(marked, (40, 347))
    assert session.opened is not None and session.opened.source is not None
    source, photo = session.opened.source, session.opened.photo
    wanted = painted(session.studio.marks(photo, "careful", session.faces), session.marking.strokes)
    folder = tmp_path / "masks"
    folder.mkdir()

    def ask(*args: object) -> tuple[str, str]:
        asked.append(args)
        return str(folder / "two people.png.scratches.png"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    QTest.keyClick(marked, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: toast(marked).startswith("Scratch mask saved as two people.png.scratches.png."))
    assert asked[0][2] == f"{source}.scratches.png", "beside the photo, until another folder was chosen"
    found = MaskFolder(folder).of(Path(source.name))
    assert found is not None and np.array_equal(read_mask(found), wanted), "as --scratch-mask FOLDER finds and reads it"
    assert f"{wanted.mean():.1%} of the photo" in toast(marked)

    restore(qtbot, marked)
    step = session.history.current
    assert step is not None
    by_command = tmp_path / "command.png"
    written = Studio("cpu").save_scratch_mask(step.result, by_command)
    assert written is not None and written.read_bytes() == found.read_bytes(), "as --save-scratch-mask writes it"
    assert session.mask_files.suggested(tmp_path).parent == folder


def test_a_mask_is_loaded_in_the_place_of_all_marks_and_taken_back(
    qtbot: QtBot, marked: MainWindow, tmp_path: Path, answer: Answer
) -> None:
    session, panel = marked.session, marked.workspace.panel
    session.marking.use(BRUSH)
    stroke(marked, (100, 60))
    path = write_mask(tmp_path / "corrected.png", stain_mask())
    load(qtbot, marked, path, answer)
    assert "corrected.png" in toast(marked) and panel.scratches.currentText() == "Mend what I mark"
    assert "From corrected.png: 0.3% of the photo." in panel.marks.about.text()
    assert pinkness(marked, 315, 50) > 40 and pinkness(marked, 40, 347.5) < 20 and pinkness(marked, 100, 60) < 20

    QTest.keyClick(marked, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert panel.scratches.currentText() == "Mend carefully" and session.history.state.mask is None
    qtbot.waitUntil(lambda: session.marking.found is not None, timeout=60000)
    assert pinkness(marked, 315, 50) < 20 and pinkness(marked, 40, 347.5) > 40 and pinkness(marked, 100, 60) > 40
    session.redo()
    assert panel.scratches.currentText() == "Mend what I mark" and pinkness(marked, 315, 50) > 40

    session.marking.use(BRUSH)
    session.marking.resize(10)
    stroke(marked, (500, 90))
    restore(qtbot, marked)
    step = session.history.current
    assert step is not None and step.result.mended is not None and step.result.recipe.scratches == "by hand"
    assert np.array_equal(step.result.mended.mask, painted(stain_mask(), session.marking.strokes))
    assert "Restore again" not in panel.marks.about.text()
    session.undo()
    session.undo()
    assert session.history.current is None and not session.marking.strokes and session.history.state.mask is not None
    session.undo()
    assert panel.scratches.currentText() == "Mend carefully" and len(session.marking.strokes) == 1


def test_a_mask_over_a_result_says_that_it_is_restored_again(
    qtbot: QtBot, marked: MainWindow, tmp_path: Path, answer: Answer
) -> None:
    session, panel = marked.session, marked.workspace.panel
    restore(qtbot, marked)
    load(qtbot, marked, write_mask(tmp_path / "a.png", stain_mask()), answer)
    assert session.history.current is not None and "Restore again" in panel.marks.about.text()
    restore(qtbot, marked)
    session.undo()
    assert panel.scratches.currentText() == "Mend what I mark", "the mask is still what is mended by"
    panel.scratches.chosen.emit("careful")
    qtbot.waitUntil(lambda: session.marking.found is not None, timeout=60000)
    assert "a.png is not used: choose “Mend what I mark” for that." in panel.marks.about.text()


def test_a_mask_is_loaded_where_scratches_were_to_be_left_and_lies_as_the_photo_does(
    qtbot: QtBot, window: MainWindow, photo_path: Path, tmp_path: Path, answer: Answer
) -> None:
    session = window.session
    assert not window.commands["load_mask"].isEnabled() and not window.commands["save_mask"].isEnabled()
    open_photo(qtbot, window, stained(photo_path.with_suffix(".png")))
    assert window.commands["load_mask"].isEnabled() and not window.commands["save_mask"].isEnabled()
    load(qtbot, window, write_mask(tmp_path / "a.png", stain_mask()), answer)
    assert session.marking.visible and window.commands["save_mask"].isEnabled()
    session.turning.right()
    qtbot.waitUntil(lambda: not session.doing)
    saved = tmp_path / "turned.png"
    save(qtbot, window, saved, answer)
    assert np.array_equal(read_mask(saved), np.rot90(stain_mask(), -1))
    session.undo()
    session.undo()
    assert session.mending.strength == "" and session.history.state.mask is None and not session.history.can_undo
    open_photo(qtbot, window, old_photo(photo_path.with_name("other.png")))
    assert session.history.state.mask is None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: write_mask(path, stain_mask()[:, :300]), ("300 × 360 pixels", "600 × 360", "this very photo")),
        (lambda path: fakes.write_picture(path, fakes.picture(360, 600, [])), ("is no mask", "Face Studio saved")),
        (lambda path: write_mask(path, ~stain_mask()), ("marks 100% of the photo", "black stays")),
        (lambda path: path.write_bytes(b"nothing that can be read"), ("mask.png",)),
        (lambda path: None, ("mask.png",)),
    ],
)
def test_what_cannot_be_loaded_is_said_and_changes_nothing(
    qtbot: QtBot,
    marked: MainWindow,
    tmp_path: Path,
    answer: Answer,
    make: Callable[[Path], object],
    words: tuple[str, ...],
) -> None:
    path = tmp_path / "mask.png"
    make(path)
    load(qtbot, marked, path, answer)
    said = told(qtbot, marked)
    assert all(part in said for part in words), said
    session = marked.session
    assert session.history.state.mask is None and not session.history.can_undo
    assert session.mending.strength == "careful" and session.marking.found is not None


def test_what_cannot_be_saved_is_said_and_nothing_is_lost(
    qtbot: QtBot, marked: MainWindow, tmp_path: Path, answer: Answer
) -> None:
    assert marked.session.opened is not None and marked.session.opened.source is not None
    source = marked.session.opened.source
    before = source.read_bytes()
    save(qtbot, marked, source, answer)
    assert "A photo is never written over" in told(qtbot, marked) and source.read_bytes() == before
    save(qtbot, marked, tmp_path / "mask.jpg", answer)
    assert "end its name in .png" in told(qtbot, marked) and not (tmp_path / "mask.jpg").exists()
    save(qtbot, marked, tmp_path / "no such folder" / "mask.png", answer)
    assert "no such folder" in told(qtbot, marked)

    other = fakes.write_picture(tmp_path / "mask.png", fakes.picture(40, 40, []))
    save(qtbot, marked, tmp_path / "mask", answer)
    assert "mask.png exists already" in told(qtbot, marked) and Photo.open(other).size == (40, 40)
    save(qtbot, marked, tmp_path / "mask.png", answer)
    assert read_mask(other).shape == (360, 600), "the dialog asked whether it may be replaced"


def test_marks_are_loaded_and_saved_from_the_panel_by_keys(
    qtbot: QtBot, marked: MainWindow, tmp_path: Path, answer: Answer
) -> None:
    box, path = marked.workspace.panel.marks, tmp_path / "mask.png"
    answer("getSaveFileName", path)
    box.save.setFocus()
    QTest.keyClick(box.save, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: path.exists() and not marked.session.doing)
    answer("getOpenFileName", path)
    box.load.setFocus()
    QTest.keyClick(box.load, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: marked.session.history.state.mask is not None)
