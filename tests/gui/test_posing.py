"""The pose picture in Generate: chosen, shown to the method, recorded, taken away; and where there is none to choose."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from facestudio.checkpoints import Checkpoint, File
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.workspaces.generate import GenerateWorkspace
from facestudio.keeping import keep
from facestudio.manifest import Published
from facestudio.options import POSE, option
from facestudio.photo import Photo
from tests import fakes
from tests.gui.conftest import FakeStudio, Painter
from tests.gui.test_generating import LEFT, drop, ended, made, toast
from tests.gui.windows import dialog
from tests.poses import head

HERE = fakes.fake_checkpoint("pose-weights", title="Poses")


class Poser(Painter):
    """A painter that can be shown a pose."""

    posed_by = "pose"

    @dataclass(frozen=True)
    class Options(Painter.Options):
        """What a person may choose."""

        pose_strength: float = option(1.0, title="Pose", minimum=0.0, maximum=1.0, step=0.05, needs=POSE, rare=True)


class Posed(FakeStudio):
    def __init__(self) -> None:
        super().__init__()
        self.painter, self.pose = Poser(), HERE
        self.judges = [fakes.FakeEmbedder("listener")]

    def pose_weights(self, checkpoint_id: str) -> Checkpoint | None:
        return self.pose


@pytest.fixture
def studio() -> FakeStudio:
    return Posed()


@pytest.fixture
def open_page(make_window: Callable[[], MainWindow], qtbot: QtBot) -> Callable[[], GenerateWorkspace]:
    """Opens a window that shows Generate."""

    def opened() -> GenerateWorkspace:
        window = make_window()
        window.resize(1200, 900)
        QTest.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
        qtbot.waitUntil(lambda: bool(window.making.abilities))
        return window.generate

    return opened


@pytest.fixture
def pose(tmp_path: Path) -> Path:
    Image.fromarray(head()).save(tmp_path / "a pose.png")
    return tmp_path / "a pose.png"


def test_a_pose_picture_is_chosen_shown_and_taken_away(
    open_page: Callable[[], GenerateWorkspace],
    studio: FakeStudio,
    qtbot: QtBot,
    pose: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = open_page()
    panel, row = page.panel, page.panel.options.rows["pose_strength"]
    assert panel.pose.isVisible() and not panel.pose.remove.isVisible() and panel.pose.notice.isVisible()
    assert not row.box.isEnabled() and "without a pose picture" in row.box.toolTip()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(pose), ""))
    QTest.mouseClick(panel.pose.choose, LEFT)
    qtbot.waitUntil(lambda: page.making.posing.picture is not None)
    assert panel.pose.name.text() == "a pose.png" and panel.pose.image.pixmap().width() == 96
    assert panel.pose.remove.isVisible() and not panel.pose.notice.isVisible() and row.box.isEnabled()
    row.set_value(0.5)
    made(qtbot, page, count=2)
    wish, _, options = studio.painter.asked[-1]
    assert wish.pose is not None and np.array_equal(wish.pose, head()) and options.pose_strength == 0.5
    assert {one.portrait.recipe.pose for one in page.making.pictures} == {Photo.open(pose).content_hash}

    QTest.mouseClick(panel.pose.remove, LEFT)
    assert not panel.pose.image.isVisible() and not row.box.isEnabled()
    made(qtbot, page, count=1)
    assert studio.painter.asked[-1][0].pose is None and page.making.pictures[0].portrait.recipe.pose == ""


def test_a_picture_that_is_none_is_refused_and_the_one_before_stays(
    open_page: Callable[[], GenerateWorkspace], qtbot: QtBot, pose: Path, photo_path: Path
) -> None:
    page = open_page()
    drop(page.panel.pose, pose)
    qtbot.waitUntil(lambda: page.making.posing.picture is not None)
    drop(page.panel.pose, fakes.write_picture(photo_path, fakes.picture(200, 200)))
    window = page.window()
    assert isinstance(window, MainWindow)
    shown = dialog(qtbot, window, ErrorDialog)
    assert "two people.jpg is not a pose picture" in " ".join(label.text() for label in shown.findChildren(QLabel))
    shown.close()
    assert page.making.posing.picture is not None and page.making.posing.picture.name == "a pose.png"
    assert page.making.source is None, "it was not taken for a person"


def test_the_picture_that_was_chosen_last_is_held_whichever_is_read_first(
    open_page: Callable[[], GenerateWorkspace],
    studio: FakeStudio,
    qtbot: QtBot,
    pose: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, go_on, slow = open_page(), threading.Event(), pose.with_name("slow.png")
    pose.replace(slow)
    Image.fromarray(head()).save(pose)
    posing, open_pose = page.making.posing, studio.open_pose

    def opened(path: Any, checkpoint: str) -> Photo:
        assert path != slow or go_on.wait(20)
        return open_pose(path, checkpoint)

    monkeypatch.setattr(studio, "open_pose", opened)
    posing.use_picture(slow)
    posing.use_picture(pose)
    qtbot.waitUntil(lambda: posing.picture is not None)
    go_on.set()
    qtbot.waitUntil(lambda: page.making.light.live == 0)
    assert posing.picture is not None and posing.picture.name == "a pose.png"

    go_on.clear()
    posing.use_picture(slow)
    posing.remove()
    go_on.set()
    qtbot.waitUntil(lambda: page.making.light.live == 0)
    assert posing.picture is None, "it was taken away while another was read"


def test_a_saved_picture_asks_for_its_pose_picture_again(
    open_page: Callable[[], GenerateWorkspace], qtbot: QtBot, pose: Path, tmp_path: Path
) -> None:
    page = open_page()
    making, box = page.making, page.panel.pose
    made(qtbot, page, count=1)
    keep(making.pictures[0].portrait, tmp_path / "free.png")
    drop(box, pose)
    qtbot.waitUntil(lambda: making.posing.picture is not None)
    made(qtbot, page, count=1)
    keep(making.pictures[0].portrait, tmp_path / "posed.png")

    def opened(name: str) -> str:
        page.toast.hide()
        making.use_recipe(tmp_path / name)
        qtbot.waitUntil(lambda: toast(page).startswith("The settings are those"))
        return toast(page)

    assert "pose picture" not in opened("posed.png") and making.posing.picture is not None, "it is chosen"
    assert "pose picture" not in opened("free.png") and making.posing.picture is None
    assert "which is not in the file: choose that picture again" in opened("posed.png")


def test_without_the_weights_there_is_nothing_to_choose(
    open_page: Callable[[], GenerateWorkspace], studio: Posed, qtbot: QtBot, pose: Path, tmp_path: Path
) -> None:
    lacking = {"weights": File(tmp_path / "none.safetensors", "", 0, Published("none.bin"))}
    studio.pose = fakes.fake_checkpoint("pose-weights", title="Poses", files=lacking)
    page = open_page()
    row = page.panel.options.rows["pose_strength"]
    assert not page.panel.pose.isVisible()
    assert not row.box.isEnabled() and "needs the weights Poses (F9)" in row.box.toolTip()
    page.making.posing.use_picture(pose)
    made(qtbot, page, count=1)
    assert page.making.posing.picture is None and studio.painter.asked[-1][0].pose is None

    studio.pose = HERE  # they came, as the list of weights says
    page.making.look_again()
    qtbot.waitUntil(lambda: page.panel.pose.isVisible())
    ended(qtbot, page)
