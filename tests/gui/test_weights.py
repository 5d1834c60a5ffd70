"""The dialog of the weights: what it shows, and getting, importing, verifying and removing from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QAbstractButton, QFileDialog
from pytestqt.qtbot import QtBot

from facestudio import fetching, importing, store
from facestudio.checkpoints import checkpoint, verify
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.question import Question
from facestudio.gui.widgets.weights_dialog import WeightsDialog
from tests import fakes, published
from tests.gui.conftest import FakeStudio
from tests.published import LICENCE, Server
from tests.unit.test_importing import in_this_process


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The manifest names published weights and one of ours; "tiny" can be fetched. Conversion needs no other process."""
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)
    monkeypatch.setattr(fetching, "PAUSES", (0.01,))
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path / "weights"))
    with published.serving() as server:
        ours = {"path": "ours.bin", "sha256": "0" * 64, "bytes": 3}
        tables = published.tables(server.address)
        tables["ours"] = {**tables["tiny"], "title": "Ours", "source": "starter", "files": {"weights": ours}}
        published.write_manifest(tmp_path / "weights", tables)
        (tmp_path / "weights" / "ours.bin").write_bytes(b"xyz")
        published.write_tiny(tmp_path / "tiny.ckpt")
        server.files["tiny.ckpt"] = (tmp_path / "tiny.ckpt").read_bytes()
        yield server


@pytest.fixture
def window(server: Server, make_window: Callable[[], MainWindow]) -> MainWindow:
    return make_window()


def opened(qtbot: QtBot, window: MainWindow, id: str = "tiny") -> WeightsDialog:
    """The dialog, as the menu opens it, with a checkpoint chosen."""
    window.commands["weights"].trigger()
    dialog = window.findChildren(WeightsDialog)[-1]
    qtbot.waitUntil(lambda: dialog.table.rowCount() == 4)
    dialog.choose_row(id)
    return dialog


def idle(qtbot: QtBot, window: MainWindow) -> None:
    """Wait until the work is done and the rows were looked at again."""
    weights = window.session.weights
    qtbot.waitUntil(lambda: not weights.doing and weights._queue.live == 0, timeout=20_000)


def answer(qtbot: QtBot, dialog: WeightsDialog, words: str) -> Question:
    """Click the button `words` of the question over the dialog."""
    qtbot.waitUntil(lambda: any(question.isVisible() for question in dialog.findChildren(Question)))
    (question,) = [question for question in dialog.findChildren(Question) if question.isVisible()]
    button = next(b for b in question.findChildren(QAbstractButton) if b.text().replace("&", "") == words)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    return question


def state(dialog: WeightsDialog) -> str:
    item = dialog.table.item(dialog.table.currentRow(), 4)
    return item.text() if item else ""


def enabled(dialog: WeightsDialog) -> list[str]:
    buttons = {"download": dialog.download, "import": dialog.choose, "verify": dialog.verify, "remove": dialog.remove}
    return [name for name, button in buttons.items() if button.isEnabled()]


def test_the_table_tells_all_and_the_buttons_know_what_can_be_done(
    qtbot: QtBot, window: MainWindow, server: Server
) -> None:
    dialog = opened(qtbot, window)
    texts = [[dialog.table.item(line, column).text() for column in range(5)] for line in range(4)]
    assert [line[0] for line in texts] == ["Pair", "Shapes", "Tiny", "Ours"], "the published ones first"
    assert texts[2] == ["Tiny", "Proves a point", "about 0.2 MB", LICENCE, "not here"]
    assert texts[3][4] == "comes with Face Studio"
    assert enabled(dialog) == ["download", "import"]
    assert LICENCE in dialog.licence.text() and "to be accepted" in dialog.licence.text()
    assert "https://example.org/weights" in dialog.source.text()
    assert dialog.state.text() == "Not here. Download tiny.ckpt, or import the file if you have it."
    dialog.choose_row("shapes")
    assert enabled(dialog) == ["import"], "it is on no server"
    assert dialog.state.text().startswith(
        "Not here. Download eye_32_center.npy, nose_32_center.npy from https://example.org"
    )
    dialog.choose_row("ours")
    assert enabled(dialog) == ["verify"], "what is ours is neither downloaded nor removed"
    assert not dialog.job.isVisible()
    assert server.asked == [], "looking uses no network"


def test_a_download_asks_for_the_licence_once(qtbot: QtBot, window: MainWindow, server: Server) -> None:
    dialog = opened(qtbot, window)
    dialog.download.click()
    question = answer(qtbot, dialog, "Cancel")
    assert LICENCE in question.informativeText() and "https://example.org/weights" in question.informativeText()
    assert server.asked == [] and not store.accepted("tiny", LICENCE)
    dialog.download.click()
    answer(qtbot, dialog, "Accept and download")
    assert enabled(dialog) == [], "one thing at a time"
    idle(qtbot, window)
    assert verify(checkpoint("tiny")) == "present"
    assert (state(dialog), enabled(dialog)) == ("here", ["import", "verify", "remove"])
    assert dialog.state.text().startswith("Here: 0.")
    assert store.accepted("tiny", LICENCE)
    dialog.remove.click()
    assert " will be free again. They can be downloaded again." in answer(qtbot, dialog, "Keep").informativeText()
    assert verify(checkpoint("tiny")) == "present"
    dialog.remove.click()
    answer(qtbot, dialog, "Remove")
    idle(qtbot, window)
    assert (state(dialog), enabled(dialog)) == ("not here", ["download", "import"])
    dialog.download.click()
    idle(qtbot, window)
    assert state(dialog) == "here" and len(server.asked) == 2, "not asked a second time"


def test_a_download_shows_progress_is_stopped_and_goes_on_with_the_dialog_closed(
    qtbot: QtBot, window: MainWindow, server: Server
) -> None:
    store.accept("tiny", LICENCE)
    server.gate.clear()
    dialog = opened(qtbot, window)
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    stages = ("Getting Tiny", "Downloading tiny.ckpt (0.1 MB)")  # the second one when the first took a moment
    qtbot.waitUntil(lambda: dialog.stage.text() in stages and dialog.bar.maximum() > 0)
    assert dialog.job.isVisible() and dialog.stop.isEnabled()
    server.started.wait(30)
    qtbot.wait(100)
    dialog.stop.click()
    assert dialog.stage.text() == "Stopping…" and not dialog.stop.isEnabled()
    idle(qtbot, window)
    assert state(dialog) == "not here" and not dialog.job.isVisible()
    server.gate.set()
    server.gate.clear()
    server.started.clear()
    dialog.download.click()
    assert server.started.wait(30)
    dialog.leave.click()
    server.gate.set()
    with qtbot.waitSignal(window.session.notified, timeout=20_000) as told:
        pass
    assert told.args[0] == "Tiny is here."
    idle(qtbot, window)
    assert server.asked[-1].startswith("bytes="), "it went on where it was stopped"
    assert state(opened(qtbot, window)) == "here"


def test_files_are_imported_by_the_chooser_and_by_dropping(
    qtbot: QtBot, window: MainWindow, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = opened(qtbot, window)
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *args: ([str(tmp_path / "tiny.ckpt")], ""))
    dialog.choose.click()
    idle(qtbot, window)
    assert state(dialog) == "here"
    published.write_pair(tmp_path / "pair")
    dialog.choose_row("pair")
    drop(dialog, tmp_path / "pair" / "first.pth")
    idle(qtbot, window)
    assert dialog.state.text() == "Here in part; second.pth missing."
    assert enabled(dialog) == ["download", "import", "remove"]
    drop(dialog, tmp_path / "pair")
    idle(qtbot, window)
    assert state(dialog) == "here"
    assert server.asked == []


def drop(dialog: WeightsDialog, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    dialog.dropEvent(QDropEvent(QPointF(QPoint(20, 20)), Qt.DropAction.CopyAction, data, *none))


def test_what_is_imported_is_offered_at_once_and_the_choice_stays(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, tmp_path: Path
) -> None:
    session = window.session
    session.choose("other-checkpoint")
    session.set_option("strength", 0.4)
    studio._kept["method tiny"] = object()
    studio.fake_offers.append(fakes.fake_checkpoint("tiny", title="Tiny weights", method="tiny:Tiny"))
    opened(qtbot, window)
    with qtbot.waitSignal(session.offers_changed):
        session.weights.import_files("tiny", [tmp_path / "tiny.ckpt"])
    method = window.workspace.panel.method
    assert [method.itemText(index) for index in range(method.count())] == ["Slow", "Tiny"]
    assert session.offer is not None and session.offer.checkpoint.id == "other-checkpoint"
    assert session.options["strength"] == 0.4
    assert window.workspace.panel.options.rows["strength"].value == 0.4
    assert window.workspace.panel.checkpoint.currentData() == "other-checkpoint"
    assert "method tiny" not in studio._kept, "what was loaded before is loaded anew"
    studio.fake_offers[1:] = []
    session.look_again()
    qtbot.waitUntil(lambda: session.offer is not None and session.offer.checkpoint.id == "slow-checkpoint")
    idle(qtbot, window)


def test_what_was_loaded_is_forgotten_behind_what_is_being_loaded_and_nobody_waits_but_the_worker(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    asked, forget = threading.Event(), studio.forget

    def watched(id: str) -> None:
        threads.append(threading.current_thread().name)
        asked.set()
        forget(id)

    monkeypatch.setattr(studio, "forget", watched)
    loading, go_on = threading.Event(), threading.Event()

    def load() -> str:
        loading.set()
        assert go_on.wait(60)
        return "of the files before"

    opened(qtbot, window)
    weights = window.session.weights
    job = window.session.compute.submit(lambda progress: studio._keep("method tiny", load))
    with qtbot.waitSignal(job.finished, timeout=60_000):
        assert loading.wait(20)
        weights.import_files("tiny", [tmp_path / "tiny.ckpt"])
        qtbot.waitUntil(asked.is_set, timeout=20_000)
        qtbot.wait(20)
        assert weights.doing, "it waits, and the window does not"
        go_on.set()
    idle(qtbot, window)
    assert threading.main_thread().name not in threads and threads
    assert "method tiny" not in studio._kept


def test_what_was_loaded_is_forgotten_when_only_some_of_its_files_came(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, tmp_path: Path
) -> None:
    dialog = opened(qtbot, window, "pair")
    published.write_pair(tmp_path / "pair")
    (tmp_path / "pair" / "second.pth").write_bytes(b"\x80nonsense")
    studio._kept["method pair"] = object()
    with qtbot.waitSignal(window.session.weights.failed):
        drop(dialog, tmp_path / "pair")
    idle(qtbot, window)
    dialog.findChildren(ErrorDialog)[0].reject()
    assert dialog.state.text() == "Here in part; second.pth missing." and "method pair" not in studio._kept


def test_verifying_finds_what_the_size_does_not_show(
    qtbot: QtBot, window: MainWindow, server: Server, tmp_path: Path
) -> None:
    store.accept("tiny", LICENCE)
    dialog = opened(qtbot, window)
    drop(dialog, tmp_path / "tiny.ckpt")
    idle(qtbot, window)
    dialog.verify.click()
    idle(qtbot, window)
    assert dialog.state.text().endswith(", and verified just now.")
    path = checkpoint("tiny").files["weights"].path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    dialog.verify.click()
    idle(qtbot, window)
    assert state(dialog) == "damaged"
    assert dialog.state.text().startswith("Damaged:")
    assert enabled(dialog) == ["download", "import", "verify", "remove"]
    dialog.download.click()
    idle(qtbot, window)
    assert state(dialog) == "here"


def test_an_error_is_a_dialog_with_its_sentence(
    qtbot: QtBot, window: MainWindow, server: Server, tmp_path: Path
) -> None:
    dialog = opened(qtbot, window)
    (tmp_path / "bad.ckpt").write_bytes(b"\x80nonsense")
    with qtbot.waitSignal(window.session.weights.failed):
        drop(dialog, tmp_path / "bad.ckpt")
    idle(qtbot, window)
    (shown,) = dialog.findChildren(ErrorDialog)
    assert shown.windowTitle() == "The weights cannot be used"
    shown.reject()
    assert state(dialog) == "not here" and dialog.isVisible()


def test_another_file_than_before_is_asked_about(
    qtbot: QtBot, window: MainWindow, server: Server, tmp_path: Path
) -> None:
    dialog = opened(qtbot, window)
    drop(dialog, tmp_path / "tiny.ckpt")
    idle(qtbot, window)
    before = store.pin("tiny", "weights")
    published.write_tiny(tmp_path / "other" / "tiny.ckpt", seed=5)
    drop(dialog, tmp_path / "other")
    question = answer(qtbot, dialog, "Cancel")
    assert "is not the file that was imported on" in question.text()
    idle(qtbot, window)
    assert store.pin("tiny", "weights") == before
    drop(dialog, tmp_path / "other")
    answer(qtbot, dialog, "Import it all the same")
    idle(qtbot, window)
    assert store.pin("tiny", "weights") != before and verify(checkpoint("tiny")) == "present"


def test_it_works_by_keyboard_alone(qtbot: QtBot, window: MainWindow, server: Server) -> None:
    dialog = opened(qtbot, window, "pair")
    table = dialog.table
    table.setFocus()
    for _ in range(2):
        qtbot.keyClick(table, Qt.Key.Key_Down)
    assert dialog.title.text() == "Tiny"
    qtbot.keyClick(table, Qt.Key.Key_Return)
    answer(qtbot, dialog, "Accept and download")
    idle(qtbot, window)
    assert state(dialog) == "here"
    qtbot.keyClick(table, Qt.Key.Key_Delete)
    answer(qtbot, dialog, "Remove")
    idle(qtbot, window)
    assert state(dialog) == "not here"
    mnemonics = [
        button.text()[button.text().index("&") + 1]
        for button in dialog.findChildren(QAbstractButton)
        if "&" in button.text()
    ]
    assert len(set(mnemonics)) == len(mnemonics) == 8
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_closing_the_window_ends_a_download(qtbot: QtBot, window: MainWindow, server: Server) -> None:
    store.accept("tiny", LICENCE)
    server.gate.clear()
    dialog = opened(qtbot, window)
    dialog.download.click()
    assert server.started.wait(30)
    window.close()
    assert window.session.shutdown(30.0)
