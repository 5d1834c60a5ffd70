"""What computes, chosen in the menu: only what is there, remembered, and changed once the work that runs is done."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from facestudio import device
from facestudio.errors import UsageError
from facestudio.gui import window_settings
from facestudio.gui.app import user_settings
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.progress import Progress
from tests.gui.conftest import FakeStudio
from tests.gui.windows import dialog, toast

ENOUGH = 30_000  # ms on a machine that is busy


class Equipped(FakeStudio):
    """A FakeStudio that says what it computes on, and which devices its networks were loaded for."""

    def __init__(self) -> None:
        super().__init__()
        self._device = "auto"
        self.prepared: list[str] = []

    def device_name(self) -> str:
        return f"A pretended {device.resolve(self.device)}"

    def prepare(self, checkpoint_id: str | None = None, listening: bool = False) -> None:
        self._keep("network", lambda: self.prepared.append(self.device))


@pytest.fixture
def studio() -> Equipped:
    return Equipped()


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this computer has besides its processor."""
    has = ["cuda"]

    def resolve(name: str = "auto") -> str:
        if name not in ("auto", "cpu", *has):
            raise UsageError(f"This computer has no {name}.")
        return (has or ["cpu"])[0] if name == "auto" else name

    monkeypatch.setattr(device, "there", lambda: ("auto", "cpu", *has))
    monkeypatch.setattr(device, "resolve", resolve)
    return has


def opened(qtbot: QtBot, make_window: Callable[[], MainWindow]) -> MainWindow:
    window = make_window()
    qtbot.waitUntil(lambda: window.devices.there is not None and not window.session.compute.live, timeout=ENOUGH)
    return window


def offered(window: MainWindow) -> dict[str, bool]:
    """The entries of the menu that are seen, and whether each is ticked."""
    actions = window.commands.menus["&Device"].actions()
    return {action.data(): action.isChecked() for action in actions if action.isVisible()}


def test_only_what_is_there_can_be_chosen(
    qtbot: QtBot, make_window: Callable[[], MainWindow], studio: Equipped
) -> None:
    window = opened(qtbot, make_window)
    assert offered(window) == {"auto": True, "cpu": False, "cuda": False}
    window.commands["to_generate"].trigger()
    assert offered(window) == {"auto": True, "cpu": False, "cuda": False}, "in every workspace"
    assert window.workspace.panel.device.text() == "A pretended cuda"
    QTest.keyClick(window, Qt.Key.Key_F7, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: window.workspace.panel.device.text() == "A pretended cpu", timeout=ENOUGH)
    assert offered(window) == {"auto": False, "cpu": True, "cuda": False} and studio.device == "cpu"
    assert toast(window) == "" and window.generate.toast._words == "Now computing on: A pretended cpu."
    qtbot.waitUntil(lambda: studio.prepared == ["auto", "cpu"], timeout=ENOUGH)


def test_it_waits_for_the_work_that_runs(qtbot: QtBot, make_window: Callable[[], MainWindow], studio: Equipped) -> None:
    window = opened(qtbot, make_window)
    go_on, used = threading.Event(), list[str]()

    def work(progress: Progress) -> None:
        while not go_on.wait(0.002):
            progress.check()
        used.append(studio.device)

    window.session.compute.submit(work)
    window.commands["device_cpu"].trigger()
    assert toast(window).startswith("After the current job, the processor")
    QTest.qWait(30)
    assert studio.device == "auto"
    go_on.set()
    qtbot.waitUntil(lambda: studio.device == "cpu", timeout=ENOUGH)
    assert used == ["auto"]


def test_it_is_remembered_until_it_is_gone(
    qtbot: QtBot, make_window: Callable[[], MainWindow], studio: Equipped, card: list[str]
) -> None:
    window = opened(qtbot, make_window)
    window.commands["device_cuda"].trigger()
    qtbot.waitUntil(lambda: studio.device == "cuda", timeout=ENOUGH)
    window.close()
    assert window_settings.device(user_settings()) == "cuda"
    window = opened(qtbot, make_window)
    assert offered(window)["cuda"]
    window.close()
    card.clear()
    window = opened(qtbot, make_window)
    qtbot.waitUntil(lambda: studio.device == "auto", timeout=ENOUGH)
    assert offered(window) == {"auto": True, "cpu": False}
    qtbot.waitUntil(lambda: window.session.device == "A pretended cpu", timeout=ENOUGH)
    assert window_settings.device(user_settings()) == "auto"


def test_what_cannot_be_had_is_told_and_all_stays(
    qtbot: QtBot, make_window: Callable[[], MainWindow], studio: Equipped, card: list[str]
) -> None:
    window = opened(qtbot, make_window)
    card.clear()  # pulled out
    window.commands["device_cuda"].trigger()
    error = dialog(qtbot, window, ErrorDialog)
    assert "This computer has no cuda." in [label.text() for label in error.findChildren(QLabel)]
    error.close()
    assert studio.device == "auto" and offered(window)["auto"]
    assert window_settings.device(user_settings()) == "auto"


def test_a_damaged_setting_is_auto() -> None:
    settings = user_settings()
    settings.setValue("device", "toaster")
    assert window_settings.device(settings) == "auto"
