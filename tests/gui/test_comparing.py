"""Comparing a face of the open photo with one of another: choosing, dropping, reading, stopping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication, QImage
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.compare_dialog import CompareDialog
from facestudio.gui.widgets.distributions import DistributionsDialog
from tests import fakes
from tests.gui.conftest import FACES, FakeStudio, draw, open_photo


@pytest.fixture
def window(make_window: Callable[[], MainWindow]) -> MainWindow:
    return make_window()


def opened(qtbot: QtBot, window: MainWindow, photo: Path) -> CompareDialog:
    """The dialog, as the menu opens it."""
    open_photo(qtbot, window, photo)
    window.commands["compare"].trigger()
    (dialog,) = window.findChildren(CompareDialog)
    return dialog


def drop(dialog: CompareDialog, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    dialog.dropEvent(QDropEvent(QPointF(QPoint(20, 20)), Qt.DropAction.CopyAction, data, *none))


def compared(qtbot: QtBot, dialog: CompareDialog) -> None:
    qtbot.waitUntil(lambda: dialog.comparing.comparison is not None and not dialog.comparing.doing)


def test_it_needs_a_face(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    assert not window.commands["compare"].isEnabled()
    open_photo(qtbot, window, draw(tmp_path / "empty.png"))
    assert not window.commands["compare"].isEnabled()


def test_two_photos_are_compared_and_another_face_is_chosen(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, tmp_path: Path
) -> None:
    studio.panel = fakes.fake_panel(["judge-a", "judge-b"], [0.8])
    photo = draw(tmp_path / "one.png")
    dialog = opened(qtbot, window, photo)
    assert not dialog.figures.isEnabled()
    assert dialog.words.isHidden()
    drop(dialog, photo)
    compared(qtbot, dialog)
    assert dialog.words.text() == "Same person"
    assert window.theme.colour("good").name() in dialog.words.styleSheet()
    assert "both recognisers agree" in dialog.sentence.text()
    assert dialog.quality.text() == "Recognisable: 80% and 80%"
    assert len(dialog.gauge.verdicts) == 2
    assert [line.partition(";")[0] for line in dialog.gauge.toolTip().splitlines()[:2]] == [
        f"{verdict.title}: cosine {verdict.cosine:.3f}, same person" for verdict in dialog.gauge.verdicts
    ]
    assert [chooser.faces.count() for chooser in dialog.choosers] == [len(FACES)] * 2
    dialog.choosers[1].faces.setCurrentRow(1)
    compared(qtbot, dialog)
    assert dialog.comparing.comparison is not None
    assert dialog.comparing.comparison.face_b is FACES[1]
    assert dialog.words.text() != "Same person"
    assert "hanged" not in dialog.words.text() + dialog.sentence.text(), "between photos nothing changes"
    dialog.show_figures()
    qtbot.waitUntil(lambda: bool(dialog.findChildren(DistributionsDialog)))


def test_a_photo_without_a_face_says_so_and_leaves_the_dialog(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    dialog = opened(qtbot, window, draw(tmp_path / "one.png"))
    with qtbot.waitSignal(dialog.comparing.failed) as failure:
        drop(dialog, draw(tmp_path / "empty.png"))
    assert str(failure.args[0]) == "No face was found in empty.png."
    assert dialog.isVisible()
    qtbot.waitUntil(lambda: not dialog.comparing.doing)
    drop(dialog, tmp_path / "one.png")
    compared(qtbot, dialog)


def test_closing_stops_the_work_and_the_first_ticked_face_is_taken(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    photo = draw(tmp_path / "one.png")
    open_photo(qtbot, window, photo)
    window.session.toggle_face(0)
    window.commands["compare"].trigger()
    (dialog,) = window.findChildren(CompareDialog)
    assert dialog.comparing.chosen[0] == 1
    drop(dialog, photo)
    comparing = dialog.comparing
    dialog.reject()
    assert comparing.doing == ""
    qtbot.waitUntil(lambda: window.session.compute.live == 0)


def test_the_other_photo_is_pasted(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    photo = draw(tmp_path / "one.png")
    dialog = opened(qtbot, window, photo)
    QGuiApplication.clipboard().setText("no picture")
    qtbot.waitUntil(dialog.isActiveWindow)
    QTest.keyClick(dialog, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert dialog.sentence.text() == "There is no picture on the clipboard."
    QGuiApplication.clipboard().setImage(QImage(str(photo)))
    QTest.keyClick(dialog, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    compared(qtbot, dialog)
    assert dialog.comparing.names[1] == "Pasted picture"
    assert dialog.choosers[1].faces.accessibleName() == "Faces of Pasted picture"


def test_the_faces_of_a_group_stand_in_one_row(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, tmp_path: Path
) -> None:
    studio.faces = FACES * 4
    dialog = opened(qtbot, window, draw(tmp_path / "group.png"))
    faces = dialog.choosers[0].faces
    qtbot.waitUntil(lambda: faces.horizontalScrollBar().maximum() > 0)
    assert not faces.verticalScrollBar().isVisible()
    assert faces.item(7).data(Qt.ItemDataRole.AccessibleTextRole) == "Face 8"
