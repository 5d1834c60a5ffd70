"""Scratches mended in the window: asked for in the panel, told in words, undone as any other setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from facestudio.faces.face import Face
from facestudio.gui.main_window import MainWindow
from tests import fakes
from tests.gui.conftest import FACES, FakeStudio, open_photo, restore
from tests.gui.windows import toast


def old_photo(path: Path) -> Path:
    """A drawn photo with two scratches."""
    pixels = cv2.GaussianBlur(fakes.picture(360, 600, FACES), (0, 0), 0.7)
    cv2.line(pixels, (10, 350), (590, 300), (248, 248, 246), 2, cv2.LINE_AA)
    cv2.line(pixels, (300, 5), (330, 350), (245, 246, 248), 2, cv2.LINE_AA)
    return fakes.write_picture(path, pixels)


def test_scratches_are_mended_when_chosen(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    panel, session = window.workspace.panel, window.session
    open_photo(qtbot, window, old_photo(photo_path))
    assert panel.scratches.currentText() == "Leave them" and not panel.about_scratches.isVisibleTo(panel)
    restore(qtbot, window)
    first = session.history.current
    assert first is not None and first.result.mended is None

    panel.scratches.setFocus()
    QTest.keyClick(panel.scratches, Qt.Key.Key_Down)
    assert panel.scratches.currentText() == "Mend carefully"
    assert session.recipe is not None and session.recipe.scratches == "careful"
    restore(qtbot, window)
    second = session.history.current
    assert second is not None and second.result.mended is not None
    assert second.result.mended.mask[300:352].any() and second.before is first.before
    sentence = second.result.mended.sentence
    assert sentence.endswith("of the photo mended.") and sentence in toast(window)
    assert panel.about_scratches.text() == sentence
    assert "scratches mended, careful" in window._about_photo.text()
    opened = session.opened
    assert opened is not None and np.array_equal(second.result.before.pixels, opened.photo.pixels)

    session.undo()
    assert panel.scratches.currentText() == "Leave them" and panel.about_scratches.text() == ""
    session.redo()
    assert panel.scratches.currentText() == "Mend carefully" and panel.about_scratches.text() == sentence


def test_strong_says_what_it_risks_and_stays_with_the_next_photo(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    panel = window.workspace.panel
    open_photo(qtbot, window, old_photo(photo_path))
    for _ in range(2):
        QTest.keyClick(panel.scratches, Qt.Key.Key_Down)
    assert "mistakes thin lines" in panel.about_scratches.text()
    open_photo(qtbot, window, old_photo(photo_path.with_name("other.png")))
    assert window.session.recipe is not None and window.session.recipe.scratches == "strong"


def crack(pixels: np.ndarray) -> np.ndarray:
    """`pixels` with a crack through the second of FACES, which CrackedStudio does not see then."""
    left, top, right, bottom = (int(x) for x in FACES[1].box)
    cv2.line(pixels, (left - 60, bottom + 60), (right + 60, top - 60), (250, 250, 250), 2, cv2.LINE_AA)
    return pixels


def blinded(studio: FakeStudio) -> None:
    """Let `studio` see of FACES those that no white line crosses."""

    def detect(photo: Any, progress: Any = None, *, unsure: bool = False) -> tuple[Face, ...]:
        def white(face: Face) -> int:
            left, top, right, bottom = face.box.astype(int)
            return int((photo.pixels[top:bottom, left:right] > 235).all(axis=2).sum())

        return tuple(face for face in studio.faces if white(face) < 100)  # eyes are white, too

    studio.detect = detect  # type: ignore[method-assign]


def test_a_landscape_is_mended_and_says_so(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    session, panel = window.session, window.workspace.panel
    open_photo(qtbot, window, old_photo(photo_path.with_name("empty.png")))
    assert not session.faces and not panel.button.isEnabled()
    session.mending.choose("careful")
    assert (
        panel.button.isEnabled() and panel.button.text() == "Mend scratches" and "face that shows" in panel.hint.text()
    )
    restore(qtbot, window)
    step = session.history.current
    assert step is not None and step.result.status == "mended" and not session.faces
    assert "No face was found" in toast(window) and "no identity" in toast(window)
    assert window._about_photo.text().count("scratches mended, careful") == 1
    assert "restored by" not in window._about_photo.text()
    with qtbot.waitSignal(session.results.saved):
        session.results.save()
    saved = photo_path.with_name("empty_restored.png").read_bytes()
    assert b"compositeWithTrainedAlgorithmicMedia" not in saved and b"algorithmicallyEnhanced" in saved
    session.undo()
    assert session.history.current is None


def test_without_scratches_there_is_nothing_to_make_of_a_landscape(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    session = window.session
    open_photo(
        qtbot, window, fakes.write_picture(photo_path.with_name("empty.png"), np.full((90, 90, 3), 120, np.uint8))
    )
    session.mending.choose("careful")
    with qtbot.waitSignal(session.failed) as failure:
        session.restore()
    assert str(failure.args[0]) == "Neither a face nor a scratch was found in this photo."
    qtbot.waitUntil(lambda: not session.doing)
    for box in window.findChildren(QMessageBox):
        box.close()


def test_with_no_face_ticked_scratches_alone_are_mended(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    session, panel = window.session, window.workspace.panel
    open_photo(qtbot, window, old_photo(photo_path))
    session.select_none()
    assert not panel.button.isEnabled()
    session.mending.choose("careful")
    assert panel.button.isEnabled() and panel.button.text() == "Mend scratches"
    restore(qtbot, window)
    step = session.history.current
    assert step is not None and step.result.status == "mended" and "No face was chosen" in toast(window)
    assert [step.result_of(face).status for face in session.faces] == ["skipped", "skipped"]  # type: ignore[union-attr]


def test_a_face_behind_a_crack_is_found_and_restored(
    qtbot: QtBot, studio: FakeStudio, window: MainWindow, photo_path: Path
) -> None:
    session = window.session
    pixels = crack(cv2.GaussianBlur(fakes.picture(360, 600, FACES), (0, 0), 0.7))
    blinded(studio)
    open_photo(qtbot, window, fakes.write_picture(photo_path, pixels))
    assert len(session.faces) == 1
    session.mending.choose("strong")
    with qtbot.waitSignal(session.faces_changed, timeout=20000):
        session.restore()
    qtbot.waitUntil(lambda: not session.doing)
    step = session.history.current
    assert step is not None and len(session.faces) == len(session.crops) == 2 and session.selected == {0, 1}
    assert [step.result_of(face).status for face in session.faces] == ["restored"] * 2  # type: ignore[union-attr]
    assert "1 face was found only without the scratches." in toast(window)
    assert session.judged == [0, 1], "an identity number of the face before, as it was, and after"
    session.undo()
    assert len(session.faces) == 1 and session.selected == {0}
    session.redo()
    assert len(session.faces) == 2 and session.selected == {0, 1}
    restore(qtbot, window)
    assert len(session.faces) == 2, "it is known by now"


def test_who_unticked_a_face_is_told_of_new_ones_and_no_more(
    qtbot: QtBot, studio: FakeStudio, window: MainWindow, photo_path: Path
) -> None:
    session = window.session
    studio.faces = (*FACES, fakes.face_at(60, 60, 60))  # type: ignore[assignment]
    pixels = crack(cv2.GaussianBlur(fakes.picture(360, 600, studio.faces), (0, 0), 0.7))
    blinded(studio)
    open_photo(qtbot, window, fakes.write_picture(photo_path, pixels))
    assert len(session.faces) == 2
    session.select(frozenset({0}))
    session.mending.choose("strong")
    with qtbot.waitSignal(session.faces_changed, timeout=20000):
        session.restore()
    qtbot.waitUntil(lambda: not session.doing)
    assert len(session.faces) == 3 and session.selected == {0}
