"""Decisions of a review are taken back and taken again, exactly: the result's file, the journal, the report."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from facestudio import renewing
from facestudio.cli.main import run as command
from facestudio.gui.anonymize_rows import Row
from facestudio.gui.main_window import MainWindow
from facestudio.gui.review_history import Decisions, Step
from facestudio.gui.reviewing import REVIEWING
from facestudio.gui.workspaces.anonymize import AnonymizeWorkspace
from facestudio.journal import Journal
from facestudio.photo import Photo
from facestudio.planning import Item
from facestudio.renewing import Standing
from tests import fakes
from tests.gui.anonymizing import (
    CONTROL,
    PATIENCE,
    HidingStudio,
    decided,
    done,
    ended,
    opened,
    page,
    records,
    reviewed,
    said,
    studio,
    toast,
    window,
)
from tests.gui.conftest import FACES, draw
from tests.gui.windows import answer

__all__ = ["page", "studio", "window"]
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Two photos of two people, in one of which somebody was missed."""
    for number, name in enumerate(("a.png", "crowd.png")):
        draw(tmp_path / "holiday" / name, number)
    return tmp_path / "holiday"


def standing(page: AnonymizeWorkspace, name: str) -> dict[str, Any]:
    """All that is on the disk of a run: the results, what the journal knows of the photo `name`, report, table and page."""
    out = page.run.output
    row = next(row for row in page.run.rows if row.name == name)
    files = [*out.rglob("*"), *out.parent.glob("*-report.*")]
    found: dict[str, Any] = {path.name: path.read_bytes() for path in files}
    with Journal(out, row.settings) as journal:
        assert row.item is not None
        return {**found, "entry": journal.entry(row.path), "state": journal.state(row.path, row.item.target)}


def statuses(page: AnonymizeWorkspace) -> list[str]:
    return [card.status.text() for card in page.page.cards]


def pressed(qtbot: QtBot, window: MainWindow, key: Qt.Key, modifiers: Qt.KeyboardModifier = CONTROL) -> None:
    """Press keys, and wait for what comes of it."""
    review = window.anonymize.review
    before = review.reviewed
    QTest.keyClick(window, key, modifiers)
    qtbot.waitUntil(lambda: review.reviewed not in (before, None) and not review.doing, timeout=PATIENCE)


def test_what_is_no_face_is_put_back_and_that_is_taken_back(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album)
    done(qtbot, window)
    reviewed(qtbot, page, "a.png")
    first = standing(page, "a.png")
    before, blocks = Photo.open(album / "a.png"), Photo.open(page.run.output / "a.png")
    x, y = np.rint(FACES[1].landmarks[2]).astype(int)
    assert not blocks.pixels[y, x].any() and before.pixels[y, x].any()
    decided(qtbot, page, page.page.cards[1].deny)
    back = Photo.open(page.run.output / "a.png")
    assert np.array_equal(back.pixels[y, x], before.pixels[y, x])
    x, y = np.rint(FACES[0].landmarks[2]).astype(int)
    assert not back.pixels[y, x].any(), "the other one is still hidden"
    assert statuses(page) == ["Verified", "Left as is"] and page.page.status.text() == "Left as is"
    card = page.page.cards[1]
    assert card.sentences.text() == "A person said that it is not a face: the original photo is shown there."
    assert not card.deny.isEnabled() and not card.leave.isEnabled() and card.hide_it.isEnabled()
    record = records(page.run.report)["a.png"]
    assert record["faces"][1]["decisions"] == ["not a face"] and "said that it is not a face" in record["error"]
    second = standing(page, "a.png")
    assert json.loads(second["entry"].record)["faces"][1]["decisions"] == ["not a face"], "the journal knows, too"
    pressed(qtbot, window, Qt.Key.Key_Z)
    assert standing(page, "a.png") == first and toast(page) == "The decision that it is not a face was taken back."
    page.review.toggle_face(1)
    pressed(qtbot, window, Qt.Key.Key_L, CONTROL | SHIFT)
    assert Photo.open(page.run.output / "a.png").pixels.tobytes() == back.pixels.tobytes()


def test_a_decision_is_taken_back_and_taken_again(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(qtbot, window, album)
    done(qtbot, window)
    undo, redo = window.commands["undo_review"], window.commands["redo_review"]
    assert undo.isVisible() and not undo.isEnabled() and not window.commands["undo"].isVisible()
    reviewed(qtbot, page, "crowd.png")
    assert not undo.isEnabled() and not redo.isEnabled(), "nothing was decided"
    first, there = standing(page, "crowd.png"), set(album.parent.rglob("*"))
    shown_first = statuses(page)
    decided(qtbot, page, page.page.cards[2].hide_it)
    second = standing(page, "crowd.png")
    assert first != second and statuses(page)[2] == "Fallback"
    threads: list[str] = []
    really = renewing.bring_back

    def watched(*args: Any) -> Any:
        threads.append(threading.current_thread().name)
        return really(*args)

    monkeypatch.setattr(renewing, "bring_back", watched)
    pressed(qtbot, window, Qt.Key.Key_Z)
    assert standing(page, "crowd.png") == first and statuses(page) == shown_first
    assert page.page.status.text() == "Needs review"
    assert toast(page) == "The block was taken back; the photo still needs review."
    assert not undo.isEnabled() and redo.isEnabled()
    pressed(qtbot, window, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert standing(page, "crowd.png") == second and statuses(page)[2] == "Fallback"
    assert undo.isEnabled() and not redo.isEnabled()
    assert len(threads) == 2 and threading.main_thread().name not in threads
    assert set(album.parent.rglob("*")) == there, "nothing new lies anywhere"
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not undo.isEnabled(), "no photo is in view"
    reviewed(qtbot, page, "a.png")
    assert not undo.isEnabled(), "of this photo nothing was decided"
    window.workspaces.show_restore()
    assert not undo.isVisible() and window.commands["undo"].isVisible()


def test_several_decisions_are_taken_back_from_the_last_on(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album / "crowd.png")
    done(qtbot, window)
    reviewed(qtbot, page, "crowd.png")
    stood = [standing(page, "crowd.png")]
    page.run.choose("blur")
    page.panel.options.rows["radius"].set_value(60.0)
    page.panel.options.rows["radius"]._changed()
    decided(qtbot, page, page.page.cards[1].again)
    stood.append(standing(page, "crowd.png"))
    decided(qtbot, page, page.page.cards[2].leave)
    stood.append(standing(page, "crowd.png"))
    before = page.review.reviewed
    page.page.viewer.drawing.drawn.emit((520.0, 280.0, 580.0, 340.0))
    qtbot.waitUntil(lambda: page.review.reviewed is not before and not page.run.doing, timeout=PATIENCE)
    assert len(page.page.cards) == 4
    stood.append(standing(page, "crowd.png"))
    for step in (2, 1, 0):
        pressed(qtbot, window, Qt.Key.Key_Z)
        assert standing(page, "crowd.png") == stood[step], step
    assert page.page.status.text() == "Needs review"
    for step in (1, 2, 3):
        pressed(qtbot, window, Qt.Key.Key_Y)
        assert standing(page, "crowd.png") == stood[step], step
    pressed(qtbot, window, Qt.Key.Key_Z)
    decided(qtbot, page, page.page.cards[0].again)
    assert not page.review.can_redo, "what was decided instead ends what was taken back"
    pressed(qtbot, window, Qt.Key.Key_Z)
    assert standing(page, "crowd.png") == stood[2]


def test_a_result_that_was_not_there_is_taken_away_again(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, studio: HidingStudio
) -> None:
    page.run.choose("blur")
    page.panel.options.rows["radius"].set_value(1.0)
    page.panel.options.rows["radius"]._changed()
    page.panel.fallback.setCurrentIndex(1)
    strict = {"1e-3": -0.9, "1e-1": -0.95}  # whoever is asked knows the person
    studio.judges = [fakes.FakeEmbedder(f"starter-embedder-{letter}", thresholds=strict) for letter in "ab"]
    opened(qtbot, window, album / "a.png")
    done(qtbot, window)
    reviewed(qtbot, page, "a.png")
    first = standing(page, "a.png")
    for card in (0, 1):
        decided(qtbot, page, page.page.cards[card].leave)
    assert (page.run.output / "a.png").exists() and page.page.message.text() == ""
    for _ in range(2):
        pressed(qtbot, window, Qt.Key.Key_Z)
    assert not (page.run.output / "a.png").exists() and standing(page, "a.png") == first
    assert "No result was written" in page.page.message.text() and page.page.status.text() == "Needs review"


def test_what_was_changed_since_is_not_taken_back_and_it_says_so(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album / "crowd.png")
    done(qtbot, window)
    reviewed(qtbot, page, "crowd.png")
    decided(qtbot, page, page.page.cards[2].hide_it)
    target = page.run.output / "crowd.png"
    kept = target.read_bytes()
    draw(target, 9)
    changed = target.read_bytes(), page.run.report.read_bytes()
    QTest.keyClick(window, Qt.Key.Key_Z, CONTROL)
    assert "crowd.png is not as that decision left it, so it cannot be taken back." in said(qtbot, window)
    ended(qtbot, window)
    assert (target.read_bytes(), page.run.report.read_bytes()) == changed
    target.write_bytes(kept)
    window.activateWindow()
    qtbot.waitUntil(lambda: window.isActiveWindow() and window.commands["undo_review"].isEnabled(), timeout=PATIENCE)
    pressed(qtbot, window, Qt.Key.Key_Z)
    assert statuses(page)[2] == "Possible missed face"


def test_a_run_that_does_the_photo_anew_ends_its_decisions(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album)
    done(qtbot, window)
    reviewed(qtbot, page, "crowd.png")
    decided(qtbot, page, page.page.cards[2].hide_it)
    (page.run.output / "a.png").unlink()
    page.run.anonymize()
    ended(qtbot, window)
    assert page.run.counts == {"fallback": 1, "verified": 1}
    qtbot.waitUntil(lambda: page.review.can_undo, timeout=PATIENCE)
    (page.run.output / "crowd.png").unlink()
    page.run.anonymize()
    ended(qtbot, window)
    qtbot.waitUntil(lambda: not page.review.can_undo and not page.review.obstacle, timeout=PATIENCE)
    assert page.page.status.text() == "Fallback", "what a person wanted hidden is hidden again"


@pytest.mark.parametrize("how", ["it is gone", "by other settings", "by the command line"])
def test_who_was_added_by_hand_is_not_forgotten_when_the_photo_is_done_anew(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(qtbot, window, album)
    done(qtbot, window)
    reviewed(qtbot, page, "a.png")
    page.review.add_face((290.0, 50.0, 350.0, 110.0))
    qtbot.waitUntil(lambda: not page.run.doing and len(page.page.cards) == 3, timeout=PATIENCE)
    out = page.run.output
    if how == "it is gone":
        (out / "a.png").unlink()
        page.run.anonymize()
        ended(qtbot, window)
    elif how == "by other settings":
        page.run.choose("pixelate")
        page.run._renew_rows()
        ended(qtbot, window)
        page.run.run(overwrite=True)
        ended(qtbot, window)
    else:
        monkeypatch.setattr("facestudio.cli.anonymize.Studio", lambda *args, **settings: page.run.studio)
        command(["anonymize", str(album), "-o", str(out), "--method", "solid", "--overwrite", "--quiet"])
    record = records(page.run.report)["a.png"]
    assert [face.get("decisions") for face in record["faces"]] == [None, None, ["added by hand"]]
    assert record["faces"][2]["method"]
    before, after = Photo.open(album / "a.png"), Photo.open(out / "a.png")
    assert (before.pixels[75:85, 315:325] != after.pixels[75:85, 315:325]).any(axis=2).all()


def test_a_decision_is_not_lost_by_closing_the_window_without_a_question(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(qtbot, window, album)
    done(qtbot, window)
    reviewed(qtbot, page, "crowd.png")
    first = standing(page, "crowd.png")
    really, go_on = page.run.studio.anonymize_again, threading.Event()

    def slowly(finished: Any, decision: Any = None, progress: Any = None, **settings: Any) -> Any:
        while not go_on.is_set():
            progress.wait(0.005)
        return really(finished, decision, progress, **settings)

    monkeypatch.setattr(page.run.studio, "anonymize_again", slowly)
    QTest.mouseClick(page.page.cards[2].hide_it, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.run.doing == REVIEWING, timeout=PATIENCE)
    window.close()
    assert window.isVisible()
    answer(qtbot, window, "Keep running")
    go_on.set()
    qtbot.waitUntil(lambda: not page.run.doing and statuses(page)[2] == "Fallback", timeout=PATIENCE)
    second = standing(page, "crowd.png")
    assert first != second
    go_on.clear()
    QTest.mouseClick(page.page.cards[0].again, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.run.doing == REVIEWING, timeout=PATIENCE)
    window.close()
    answer(qtbot, window, "Stop and close")
    qtbot.waitUntil(lambda: not window.isVisible() and not page.run.doing, timeout=PATIENCE)
    assert standing(page, "crowd.png") == second, "result, journal and report are whole, and as they were"


def test_what_does_not_fit_into_memory_cannot_be_taken_back(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album / "crowd.png")
    done(qtbot, window)
    reviewed(qtbot, page, "crowd.png")
    decided(qtbot, page, page.page.cards[2].hide_it)
    assert page.review.can_undo and page.review.decisions.size == len(_earlier(page))
    page.review.decisions.most = 100
    decided(qtbot, page, page.page.cards[1].again)
    assert not page.review.can_undo and page.review.decisions.size == 0
    assert records(page.run.report)["crowd.png"]["faces"][1]["decisions"] == ["tried again"]


def _earlier(page: AnonymizeWorkspace) -> bytes:
    step = page.review.decisions.last(page.run.output / "crowd.png")
    assert step is not None and step.standing.content is not None
    return step.standing.content


def test_the_oldest_go_first_when_memory_is_full() -> None:
    decisions, a, b = Decisions(100), Path("out/a.png"), Path("out/b.png")
    steps = [_step(40) for _ in range(4)]
    decisions.decided(a, steps[0])
    decisions.decided(b, steps[1])
    assert decisions.last(a) is steps[0] and decisions.size == 80
    decisions.decided(a, steps[2])
    assert decisions.last(a) is steps[2] and decisions.last(b) is steps[1] and decisions.size == 80
    decisions.taken_back(a, steps[3])
    assert decisions.last(a) is None, "the first was forgotten"
    assert decisions.following(a) is steps[3]
    decisions.decided(a, None)
    assert decisions.following(a) is None and decisions.size == 40
    decisions.forget(b)
    assert decisions.last(b) is None and decisions.size == 0


def _step(size: int) -> Step:
    row = Row(Path("a.png"), "a.png", Item(Path("a.png"), Path("out/a.png")))
    return Step("hidden", row, Standing(bytes(size), 0, None, None), ("", None))
