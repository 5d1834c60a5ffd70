"""The Anonymize workspace in tests: a studio that hides faces without weights, and what is done with it and seen of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from facestudio.checkpoints import checkpoint
from facestudio.faces.face import Face
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.photo_table import NAME
from facestudio.gui.workspaces.anonymize import AnonymizeWorkspace
from facestudio.methods.base import load_method
from facestudio.options import OptionField, describe
from facestudio.progress import Progress
from tests import fakes
from tests.gui import windows
from tests.gui.conftest import FACES, FakeStudio, draw
from tests.gui.windows import dialog, files

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
PATIENCE = 60000  # ms: a busy machine takes its time
MISSED = Face(fakes.face_at(320, 80, 60).box, fakes.face_at(320, 80, 60).landmarks, 0.25)


class Watcher(fakes.FakeDetector):
    """Finds FACES in every photo but "empty", and in "crowd" one more, of which it is not sure."""

    def detect(self, photo: Any, progress: Progress | None = None, minimum_score: float = 0.5) -> tuple[Face, ...]:
        found = super().detect(photo, progress, minimum_score)
        name = photo.path.stem if photo.path else ""
        return () if name == "empty" else (*found, MISSED) if name == "crowd" and minimum_score < 0.3 else found


class HidingStudio(FakeStudio):
    """Really hides faces, by methods without weights; whom it finds and knows is made up. Photos that are `held` wait."""

    def __init__(self) -> None:
        super().__init__()
        self.judges = [fakes.FakeEmbedder("starter-embedder-a"), fakes.FakeEmbedder("starter-embedder-b")]
        self.watcher = Watcher(FACES)
        self.worked: list[str] = []
        self.held: set[str] = set()

    def options_for(self, checkpoint_id: str) -> tuple[OptionField, ...]:
        if checkpoint_id in ("solid", "blur", "pixelate"):
            return describe(self.method_options(checkpoint_id))
        return super().options_for(checkpoint_id)

    def can_be_told(self, checkpoint_id: str) -> bool:
        return False

    def detect(self, photo: Any, progress: Any = None, *, unsure: bool = False) -> Any:
        name = photo.path.stem if photo.path else ""
        while name in self.held:
            (progress or Progress()).wait(0.005)
        self.worked.append(name)
        return () if name.startswith("empty") else FACES

    def _method(self, checkpoint_id: str) -> Any:
        return load_method(checkpoint(checkpoint_id), "cpu")

    def _detector(self) -> Any:
        return self.watcher


@pytest.fixture
def studio() -> HidingStudio:
    return HidingStudio()


@pytest.fixture
def window(make_window: Callable[[], MainWindow], qtbot: QtBot) -> MainWindow:
    return shown(qtbot, make_window())


@pytest.fixture
def page(window: MainWindow) -> AnonymizeWorkspace:
    return window.anonymize


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three photos of two people, in one of which somebody was missed, one without a face, one damaged, and a text."""
    folder = tmp_path / "holiday"
    for number, name in enumerate(("a.png", "crowd.png", "summer/b.jpg", "empty.png")):
        draw(folder / name, number)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    (folder / "notes.txt").write_text("not a photo")
    return folder


def shown(qtbot: QtBot, window: MainWindow) -> MainWindow:
    window.resize(1280, 800)
    QTest.keyClick(window, Qt.Key.Key_3, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: window.anonymizing.offer is not None, timeout=PATIENCE)
    return window


def drop(window: MainWindow, *paths: Path) -> None:
    windows.drop(window, files(*paths))


def opened(qtbot: QtBot, window: MainWindow, *paths: Path) -> None:
    """Drop files, and wait until they are listed."""
    drop(window, *paths)
    qtbot.waitUntil(lambda: bool(window.anonymizing.rows) and not window.anonymizing.listing, timeout=PATIENCE)


def done(qtbot: QtBot, window: MainWindow) -> None:
    """Click the button, and wait until the run has ended."""
    with qtbot.waitSignal(window.anonymizing.notified, timeout=PATIENCE):
        QTest.mouseClick(window.anonymize.panel.button, LEFT)
    ended(qtbot, window)


def ended(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: not window.anonymizing.doing and not window.anonymizing.listing, timeout=PATIENCE)


def cell(page: AnonymizeWorkspace, name: str, column: int, role: Qt.ItemDataRole = Qt.ItemDataRole.DisplayRole) -> Any:
    """What the table shows of the photo `name`."""
    model = page.table.model()
    line = next(n for n in range(model.rowCount()) if model.index(n, NAME).data() == name)
    return model.index(line, column).data(role)


def names(page: AnonymizeWorkspace) -> list[str]:
    model = page.table.model()
    return [model.index(n, NAME).data() for n in range(model.rowCount())]


def reviewed(qtbot: QtBot, page: AnonymizeWorkspace, name: str) -> None:
    """Double-click a row, and wait for the photo."""
    place = next(n for n, row in enumerate(page.run.rows) if row.name == name)
    page.table.choose(place)
    QTest.keyClick(page.table, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.review.reviewed is not None, timeout=PATIENCE)


def decided(qtbot: QtBot, page: AnonymizeWorkspace, button: Any) -> None:
    """Click a button of the review, and wait for what comes of it."""
    qtbot.waitUntil(button.isEnabled, timeout=PATIENCE)
    before = page.review.reviewed
    QTest.mouseClick(button, LEFT)
    qtbot.waitUntil(lambda: page.review.reviewed is not before and not page.run.doing, timeout=PATIENCE)


def records(report: Path) -> dict[str, dict[str, Any]]:
    return {Path(record["input"]).name: record for record in map(json.loads, report.read_text().splitlines())}


def said(qtbot: QtBot, window: MainWindow) -> str:
    """All that the error says which comes up; it is closed."""
    box = dialog(qtbot, window, ErrorDialog)
    words = " ".join(label.text() for label in box.findChildren(QLabel))
    box.close()
    return words


def toast(page: AnonymizeWorkspace) -> str:
    return page.toast._words if page.toast.isVisible() else ""
