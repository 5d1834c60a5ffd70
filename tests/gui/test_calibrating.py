"""Calibrating a published recogniser in the dialog of the weights: what it asks, shows, keeps, and forgets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtWidgets import QAbstractButton, QFileDialog
from pytestqt.qtbot import QtBot

from facestudio import importing, store
from facestudio.checkpoints import checkpoint
from facestudio.errors import FaceStudioError
from facestudio.formats import supported_suffix
from facestudio.gui.app import user_settings
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.weights import Weights
from facestudio.gui.widgets.weights_dialog import WeightsDialog
from facestudio.progress import Progress
from tests import fakes, published
from tests.gui.conftest import MADE, FakeStudio, SeesMade
from tests.gui.test_weights import answer, idle, state
from tests.unit.test_importing import in_this_process

PEOPLE = 20


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of each, and one in which nobody is found."""
    folder = tmp_path_factory.mktemp("people")
    for person in range(PEOPLE):
        for take in range(2):
            pixels = fakes.picture(256, 256, [MADE], seed=person)
            pixels = np.clip(pixels.astype(int) + 10 * take, 0, 255).astype(np.uint8)
            pixels[0, 0] = 255
            fakes.write_picture(folder / f"{person:02d}" / f"{take}.png", pixels)
    pixels[0, 0] = 0
    fakes.write_picture(folder / "00" / "nobody.png", pixels)
    return folder


@pytest.fixture
def dialog(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_window: Callable[[], MainWindow]
) -> WeightsDialog:
    """The dialog with a recogniser that was imported, and one that is ours."""
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path / "weights"))
    table = {**published.tables()["tiny"], **published.BACKBONE}
    ours = {"path": "ours.bin", "sha256": "0" * 64, "bytes": 3}
    tables = {"tiny": table, "ours": {**table, "title": "Ours", "source": "starter", "files": {"weights": ours}}}
    published.write_manifest(tmp_path / "weights", tables)
    (tmp_path / "weights" / "ours.bin").write_bytes(b"xyz")
    torch.save(published.network(published.BACKBONE).state_dict(), tmp_path / "tiny.ckpt")
    importing.import_files(checkpoint("tiny"), [tmp_path / "tiny.ckpt"], Progress())
    window = make_window()
    window.commands["weights"].trigger()
    shown = window.findChildren(WeightsDialog)[-1]
    qtbot.waitUntil(lambda: shown.table.rowCount() == 2)
    shown.choose_row("tiny")
    return shown


def main_window(dialog: WeightsDialog) -> MainWindow:
    window = dialog.parent()
    assert isinstance(window, MainWindow)
    return window


def choosing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(folder))


def test_a_recogniser_is_calibrated_and_forgotten_again(
    qtbot: QtBot, dialog: WeightsDialog, studio: FakeStudio, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = main_window(dialog)
    choosing(monkeypatch, people)
    assert state(dialog) == "here, not calibrated"
    assert "judges nothing until it is calibrated" in dialog.state.text()
    assert dialog.calibrate.isVisible() and dialog.calibrate.isEnabled()
    dialog.choose_row("ours")
    assert not dialog.calibrate.isVisible(), "ours are calibrated as they come"
    dialog.choose_row("tiny")
    dialog.calibrate.click()
    question = answer(qtbot, dialog, "Cancel")
    assert "at least 20 people" in question.informativeText() and "only read" in question.informativeText()
    assert "Forget the calibration" not in [button.text() for button in question.findChildren(QAbstractButton)]
    assert not checkpoint("tiny").recognises

    studio._kept["embedder tiny"] = object()
    dialog.calibrate.click()
    with qtbot.waitSignal(window.session.notified, timeout=60_000) as told:
        answer(qtbot, dialog, "Choose the folder…")
        assert not dialog.calibrate.isEnabled(), "one thing at a time"
    assert told.args[0].startswith("Tiny is calibrated on 20 people (40 faces), down to one stranger in 10, and judges")
    assert "One file was left out." in told.args[0]
    idle(qtbot, window)
    assert checkpoint("tiny").recognises
    assert state(dialog) == "here, calibrated"
    assert "Calibrated on 20 people you know (40 faces, " in dialog.state.text()
    assert "embedder tiny" not in studio._kept, "it is loaded anew, with what it means"
    assert [name.split()[0] for name in studio.own_judges()] == ["tiny"]

    assert dialog.others.isVisible() and dialog.others.isChecked()
    dialog.others.click()
    assert not studio.own_judges() and "judging is turned off" in dialog.state.text()
    assert not Weights(FakeStudio(), user_settings()).others_judge, "it is remembered"
    dialog.others.click()
    assert studio.own_judges() and Weights(FakeStudio(), user_settings()).others_judge

    dialog.calibrate.click()
    answer(qtbot, dialog, "Forget the calibration")
    idle(qtbot, window)
    assert state(dialog) == "here, not calibrated" and not studio.own_judges()
    assert not dialog.others.isVisible(), "there is nothing to ask"


def test_it_shows_how_far_it_is_and_keeps_nothing_when_stopped(
    qtbot: QtBot, dialog: WeightsDialog, studio: FakeStudio, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going, seen = threading.Event(), []

    class Waiting(SeesMade):
        def detect(self, photo: Any, progress: Any = None, minimum_score: float = 0.5) -> Any:
            seen.append(photo)
            if len(seen) == 3:
                going.wait(30)
            return super().detect(photo, progress, minimum_score)

    window = main_window(dialog)
    monkeypatch.setattr(studio, "_detector", lambda: Waiting([MADE]))
    dialog.weights.calibrate("tiny", people)
    qtbot.waitUntil(lambda: "of 41 photos" in dialog.stage.text(), timeout=30_000)
    assert dialog.stage.text().startswith("Looking at people (")
    assert dialog.job.isVisible() and dialog.bar.maximum() > 0
    dialog.stop.click()
    with qtbot.waitSignal(window.session.notified, timeout=30_000) as told:
        going.set()
    assert told.args[0] == "Stopped. Nothing was kept."
    idle(qtbot, window)
    assert len(seen) <= 4 and not checkpoint("tiny").recognises
    assert {path.name for path in store.folder("tiny").iterdir()} == {"weights.json", "weights.safetensors"}


def test_two_folders_of_one_person_are_pointed_out_by_names_that_break_nothing(
    qtbot: QtBot, dialog: WeightsDialog, people: Path, tmp_path: Path
) -> None:
    window, names = main_window(dialog), ["Ann\nStopped.", "B" * 100]
    for person in range(PEOPLE):
        for take in range(2):
            pixels = fakes.picture(256, 256, [MADE], seed=0 if person < 2 else person)
            pixels = np.clip(pixels.astype(int) + 10 * take + person, 0, 255).astype(np.uint8)
            pixels[0, 0] = 255
            fakes.write_picture(
                tmp_path / "two" / ([*names, *map(str, range(2, PEOPLE))][person]) / f"{take}.png", pixels
            )
    with qtbot.waitSignal(window.session.notified, timeout=60_000) as told:
        dialog.weights.calibrate("tiny", tmp_path / "two")
    assert f"Please check whether Ann?Stopped. and {'B' * 32}…{'B' * 27} are the same person." in told.args[0]
    idle(qtbot, window)


def test_a_recogniser_that_says_nothing_is_a_sentence(
    qtbot: QtBot, dialog: WeightsDialog, people: Path, tmp_path: Path
) -> None:
    zeros = {
        name: torch.zeros_like(value) for name, value in published.network(published.BACKBONE).state_dict().items()
    }
    torch.save(zeros, tmp_path / "tiny.ckpt")
    dialog.weights.import_files("tiny", [tmp_path / "tiny.ckpt"], any_hash=True)
    idle(qtbot, main_window(dialog))
    with qtbot.waitSignal(dialog.weights.failed, timeout=30_000) as failed:
        dialog.weights.calibrate("tiny", people)
    (error,) = failed.args
    assert isinstance(error, FaceStudioError) and str(error).startswith("Only 0 people have two faces or more")
    assert "tiny gives no usable identity for this face: its embedding is zero" in error.hint
    idle(qtbot, main_window(dialog))
    (shown,) = dialog.findChildren(ErrorDialog)
    shown.reject()


def test_it_stops_while_it_looks_for_photos(
    qtbot: QtBot, dialog: WeightsDialog, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a folder of thousands on a slow disk."""
    going, seen = threading.Event(), []

    def slow(path: Path) -> bool:
        seen.append(path)
        going.wait(0.1 if len(seen) == 1 else 30)  # so long that the next file is told
        return supported_suffix(path)

    window = main_window(dialog)
    monkeypatch.setattr("facestudio.planning.supported_suffix", slow)
    dialog.weights.calibrate("tiny", people)
    qtbot.waitUntil(lambda: dialog.stage.text() == "Looking for photos (1 found)", timeout=20_000)
    dialog.stop.click()
    with qtbot.waitSignal(window.session.notified, timeout=30_000) as told:
        going.set()
    assert told.args[0] == "Stopped. Nothing was kept."
    idle(qtbot, window)
    assert len(seen) == 2 and not checkpoint("tiny").recognises


def test_a_folder_that_is_not_sorted_is_a_sentence(
    qtbot: QtBot, dialog: WeightsDialog, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choosing(monkeypatch, people / "00")
    dialog.calibrate.click()
    with qtbot.waitSignal(dialog.weights.failed, timeout=30_000) as failed:
        answer(qtbot, dialog, "Choose the folder…")
    assert "20 people with two or more are needed" in str(failed.args[0])
    idle(qtbot, main_window(dialog))
    (shown,) = dialog.findChildren(ErrorDialog)
    shown.reject()


def test_other_weights_are_not_taken_for_those_that_were_measured(
    qtbot: QtBot, dialog: WeightsDialog, people: Path, tmp_path: Path
) -> None:
    window = main_window(dialog)
    dialog.weights.calibrate("tiny", people)
    idle(qtbot, window)
    assert checkpoint("tiny").recognises
    (tmp_path / "other").mkdir()
    torch.save(published.network(published.BACKBONE, seed=3).state_dict(), tmp_path / "other" / "tiny.ckpt")
    dialog.weights.import_files("tiny", [tmp_path / "other" / "tiny.ckpt"], any_hash=True)
    idle(qtbot, window)
    assert state(dialog) == "here, not calibrated" and not checkpoint("tiny").recognises
    assert "It was calibrated with other weights, so it judges nothing." in dialog.state.text()
    dialog.weights.remove("tiny")
    idle(qtbot, window)
    assert store.own_calibration("tiny") is None, "it goes with the weights"
