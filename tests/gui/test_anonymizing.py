"""The Anonymize workspace, as a privacy officer works with it: a folder in, a run, a table, a review, a report."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from facestudio.cli.main import run as command
from facestudio.gui.anonymize_rows import ORDER, WRITTEN
from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.photo_table import AFTER, NAME, PICTURE, REASON, STATUS, WORST
from facestudio.gui.widgets.photo_table import FACES as FACES_COLUMN
from facestudio.gui.workspaces.anonymize import EMPTY, PHOTO, TABLE, AnonymizeWorkspace
from facestudio.photo import Photo
from tests import fakes
from tests.gui.anonymizing import (
    CONTROL,
    LEFT,
    MISSED,
    PATIENCE,
    HidingStudio,
    album,
    cell,
    decided,
    done,
    drop,
    ended,
    names,
    opened,
    page,
    records,
    reviewed,
    said,
    shown,
    studio,
    toast,
    window,
)
from tests.gui.conftest import FACES, draw
from tests.gui.windows import answer, dialog

__all__ = ["album", "page", "studio", "window"]


def test_reasons_are_read_without_scrolling_in_a_window_of_a_thousand_pixels(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    table = page.table
    opened(qtbot, window, album)
    done(qtbot, window)
    wide = table.columnWidth(NAME)
    window.resize(1000, 800)
    qtbot.waitUntil(lambda: window.width() == 1000 and table.columnWidth(NAME) < wide)
    qtbot.waitUntil(lambda: table.horizontalScrollBar().maximum() == 0)
    row = next(n for n in range(table.shown.rowCount()) if table.shown.index(n, NAME).data() == "crowd.png")
    reason = table.shown.index(row, REASON)
    where = table.visualRect(reason)
    assert table.viewport().rect().contains(where)
    needed = table.fontMetrics().boundingRect(
        0, 0, where.width() - 8, 1000, Qt.TextFlag.TextWordWrap, str(reason.data())
    )
    assert table.wordWrap() and needed.height() <= where.height(), "it wraps, and nothing of it is cut off"
    assert reason.data(Qt.ItemDataRole.ToolTipRole) == reason.data()
    table.setColumnWidth(NAME, 150)  # somebody's choice stays
    window.resize(1280, 800)
    qtbot.waitUntil(lambda: window.width() == 1280)
    assert table.columnWidth(NAME) == 150


def test_a_folder_is_anonymized_reviewed_and_reported(
    qtbot: QtBot,
    window: MainWindow,
    page: AnonymizeWorkspace,
    album: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    originals = {path: path.read_bytes() for path in album.rglob("*") if path.is_file()}
    assert page.centre.currentIndex() == EMPTY
    assert not page.panel.button.isEnabled() and "Drop photos" in page.panel.hint.text()
    opened(qtbot, window, album)
    assert page.centre.currentIndex() == TABLE
    assert names(page) == ["a.png", "broken.jpg", "crowd.png", "empty.png", "summer/b.jpg", "notes.txt"]
    assert page.panel.button.text() == "Anonymize 5 photos"
    assert cell(page, "a.png", STATUS) == "To do"
    told: list[str] = []
    page.run.notified.connect(lambda words, path: told.append(words))
    done(qtbot, window)
    out = album.with_name("holiday-anonymized")
    assert {name: cell(page, name, STATUS) for name in names(page)} == {
        **{"a.png": "Verified", "broken.jpg": "Failed", "crowd.png": "Needs review", "empty.png": "No face"},
        **{"summer/b.jpg": "Verified", "notes.txt": "Left out"},
    }
    assert "broken.jpg" in cell(page, "broken.jpg", REASON) and "damaged" in cell(page, "broken.jpg", REASON)
    assert cell(page, "crowd.png", REASON) == f"1 possible missed face. {WRITTEN}"
    assert (cell(page, "a.png", FACES_COLUMN), cell(page, "broken.jpg", FACES_COLUMN)) == ("2", "")
    assert float(cell(page, "a.png", WORST)) < 0.4
    qtbot.waitUntil(lambda: cell(page, "a.png", AFTER, PICTURE) is not None, timeout=PATIENCE)
    assert {p.name for p in out.rglob("*") if p.is_file()} == {"a.png", "crowd.png", "empty.png", "b.jpg"}
    assert told == ["Done: 5 photos; 1 failed; 1 to be looked at; 1 in which no face was found"]
    assert "written as it is" in cell(page, "empty.png", REASON), "nobody takes it for anonymized"
    tip = cell(page, "broken.jpg", STATUS, Qt.ItemDataRole.ToolTipRole)
    assert tip.splitlines() == ["It could not be processed.", cell(page, "broken.jpg", REASON)], (
        "its column may be out of sight"
    )

    # only what needs review
    assert [button.text() for button in page.filter.buttons.values()][:2] == ["All  6", "Needs review  1"]
    QTest.mouseClick(page.filter.buttons["needs review"], LEFT)
    assert names(page) == ["crowd.png"]

    # the face that nobody worked on is obscured
    assert page.look.text() == "Review 1 photo"
    QTest.mouseClick(page.look, LEFT)
    qtbot.waitUntil(lambda: page.review.reviewed is not None, timeout=PATIENCE)
    assert page.centre.currentIndex() == PHOTO
    cards = page.page.cards
    assert [card.status.text() for card in cards] == ["Verified", "Verified", "Possible missed face"]
    assert [len(card.face.verdicts) for card in cards] == [2, 2, 0]
    qtbot.waitUntil(lambda: all(card.status.width() >= card.status.sizeHint().width() for card in cards))
    assert not cards[0].leave.isEnabled() and not cards[0].hide_it.isEnabled(), "it is verified, below a block"
    decided(qtbot, page, cards[2].hide_it)
    assert [card.status.text() for card in page.page.cards] == ["Verified", "Verified", "Fallback"]
    assert page.page.status.text() == "Fallback"
    after = Photo.open(out / "crowd.png")
    x, y = np.rint(MISSED.landmarks[:2].mean(axis=0)).astype(int)
    assert not after.pixels[y, x].any()
    assert records(page.run.report)["crowd.png"]["faces"][2]["decisions"] == ["hidden"]
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert page.centre.currentIndex() == TABLE
    assert cell(page, "crowd.png", STATUS) == "Fallback"

    # the report
    target = tmp_path / "for the file" / "october.jsonl"
    target.parent.mkdir()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(target), ""))
    with qtbot.waitSignal(page.run.exported, timeout=PATIENCE):
        QTest.mouseClick(page.export, LEFT)
    assert {name: record["status"] for name, record in records(target).items()} == {
        **{"a.png": "verified", "b.jpg": "verified", "crowd.png": "fallback", "empty.png": "no face"},
        **{"broken.jpg": "failed", "notes.txt": "left out"},
    }
    with target.with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        assert sum("crowd.png" in row["photo"] for row in csv.DictReader(file)) == 3
    assert "crowd.png" in target.with_suffix(".html").read_text()
    assert {path: path.read_bytes() for path in album.rglob("*") if path.is_file()} == originals


def test_what_is_left_as_it_is_is_said_to_be_so(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album)
    done(qtbot, window)
    reviewed(qtbot, page, "crowd.png")
    QTest.keyClick(window, Qt.Key.Key_L, CONTROL)  # the one in question
    qtbot.waitUntil(lambda: page.page.status.text() == "Left as is" and not page.run.doing, timeout=PATIENCE)
    assert page.page.cards[2].status.text() == "Left as is"
    record = records(page.run.report)["crowd.png"]
    assert (record["status"], record["faces"][2]["status"]) == ("left as is", "left as is")
    assert "A person left it as it is" in record["error"]
    assert "Left as they are by a person" in page.run.report.with_suffix(".html").read_text()
    before, after = Photo.open(album / "crowd.png"), Photo.open(page.run.output / "crowd.png")
    x, y = np.rint(MISSED.landmarks[:2].mean(axis=0)).astype(int)
    assert np.array_equal(before.pixels[y, x], after.pixels[y, x])


def test_a_face_is_tried_again_as_the_panel_says_and_one_is_added(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album / "a.png")
    done(qtbot, window)
    reviewed(qtbot, page, "a.png")
    page.run.choose("blur")
    page.panel.options.rows["radius"].set_value(60.0)
    page.panel.options.rows["radius"]._changed()
    decided(qtbot, page, page.page.cards[1].again)
    (record,) = records(page.run.report).values()
    tried = [face["tries"] for face in record["faces"]]
    assert len(tried[0]) == 1 and tried[1][1]["method"] == "blur" and tried[1][1]["options"]["radius"] == 60.0
    assert tried[1][0]["obstacle"] == "A person wanted another try."
    QTest.keyClick(window, Qt.Key.Key_F4)
    assert page.page.viewer.drawing.active
    before = page.review.reviewed
    page.page.viewer.drawing.drawn.emit((290.0, 50.0, 350.0, 110.0))
    qtbot.waitUntil(lambda: page.review.reviewed is not before and not page.run.doing, timeout=PATIENCE)
    assert len(page.page.cards) == 3
    (record,) = records(page.run.report).values()
    assert record["faces"][2]["decisions"] == ["added by hand"]
    QTest.keyClick(window, Qt.Key.Key_F4)
    page.page.viewer.drawing.drawn.emit(tuple(float(x) for x in FACES[0].box))
    assert "shows face 1" in said(qtbot, window)
    assert len(page.page.cards) == 3


def test_a_review_is_named_while_it_works(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album / "a.png")
    done(qtbot, window)
    reviewed(qtbot, page, "a.png")
    seen: list[str] = []
    page.run.progressed.connect(lambda update: seen.append(page.panel.job_bar.stage.text()))
    decided(
        qtbot, page, page.page.cards[1].hide_it if page.page.cards[1].hide_it.isEnabled() else page.page.cards[1].again
    )
    assert seen and set(seen) == {"Doing a photo again…"}


def test_many_statuses_ask_for_no_wider_window(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album / "a.png")
    row = page.run.rows[0]
    nothing = {"output": None, "error": None, "recipe": None, "faces": []}
    page.run._show_rows([replace(row, record={**nothing, "status": status}) for status in ORDER])
    window.resize(1000, 700)
    qtbot.waitUntil(lambda: window.width() == 1000)
    buttons = list(page.filter.buttons.values())
    assert len(buttons) == len(ORDER) + 1
    qtbot.waitUntil(lambda: all(one.visibleRegion().boundingRect() == one.rect() for one in buttons))
    assert len({button.y() for button in buttons}) > 1, "in several lines"
    boxes = [button.geometry() for button in buttons]
    assert not any(a.intersects(b) for n, a in enumerate(boxes) for b in boxes[:n])
    window.resize(1800, 900)
    qtbot.waitUntil(lambda: len({button.y() for button in buttons}) == 1)


def test_there_is_no_report_on_what_is_no_photo(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album)
    assert page.run.counts["left out"] == 1 and not page.export.isEnabled()
    assert not window.commands["export_report"].isEnabled()


def test_a_high_figure_of_a_hidden_face_is_explained(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album / "a.png")
    done(qtbot, window)
    row = page.run.rows[0]
    assert row.record is not None
    note = "It was too poor to be recognised before, and nothing of it is left."
    face = {**row.record["faces"][0], "status": "fallback", "notes": ["Hidden by solid.", note]}
    face["similarity"] = {"starter-embedder-b": 0.77}
    page.run.set_row(replace(row, record={**row.record, "status": "fallback", "faces": [face]}))
    tip = cell(page, "a.png", WORST, Qt.ItemDataRole.ToolTipRole)
    assert tip == f"0.770 by starter-embedder-b. It is of face 1, and says nothing: {note}"


def test_faces_that_cannot_be_judged_are_left_out_of_the_worst_similarity(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    opened(qtbot, window, album / "a.png")
    done(qtbot, window)
    row = page.run.rows[0]
    assert row.record is not None
    face, tip = row.record["faces"][0], Qt.ItemDataRole.ToolTipRole
    known = {**face, "similarity": {"starter-embedder-b": 0.12}, "verdict": "changed", "notes": []}
    poor = {**known, "similarity": {"starter-embedder-b": 0.77}, "verdict": "cannot be judged"}
    page.run.set_row(replace(row, record={**row.record, "faces": [poor, known]}))
    assert cell(page, "a.png", WORST) == "0.12"
    assert cell(page, "a.png", WORST, tip) == ("0.120 by starter-embedder-b. Face 1 cannot be judged, and is left out.")
    page.run.set_row(replace(row, record={**row.record, "faces": [poor, poor]}))
    assert cell(page, "a.png", WORST) == "Cannot be judged"
    assert cell(page, "a.png", WORST, tip).startswith("None of the faces can be judged: they are too poor")


def test_a_run_is_paused_stopped_and_gone_on_with_another_day(
    qtbot: QtBot, make_window: Callable[[], MainWindow], window: MainWindow, studio: HidingStudio, album: Path
) -> None:
    page = window.anonymize
    studio.held = {"crowd"}
    opened(qtbot, window, album)
    QTest.mouseClick(page.panel.button, LEFT)
    qtbot.waitUntil(
        lambda: cell(page, "a.png", STATUS) == "Verified" and cell(page, "crowd.png", STATUS) == "Working",
        timeout=PATIENCE,
    )
    assert "photos" in page.about.text() and page.panel.job_bar.isVisible()
    assert not page.panel.method.isEnabled()
    QTest.mouseClick(page.panel.job_bar.pause, LEFT)
    assert page.panel.job_bar.pause.text() == "Resume" and page.panel.job_bar.stage.text() == "Paused"
    studio.held = {"b"}
    qtbot.wait(60)
    assert cell(page, "crowd.png", STATUS) == "Working", "it waits"
    QTest.keyClick(window, Qt.Key.Key_P, CONTROL)
    assert page.panel.job_bar.pause.text() == "Pause"
    qtbot.waitUntil(lambda: cell(page, "crowd.png", STATUS) == "Needs review", timeout=PATIENCE)
    drop(window, album / "a.png")
    assert "stop it first" in toast(page)
    qtbot.waitUntil(lambda: cell(page, "summer/b.jpg", STATUS) == "Working", timeout=PATIENCE)
    reviewed(qtbot, page, "a.png")
    assert not page.page.cards[0].again.isEnabled() and not page.page.add.isEnabled(), "while the run goes on"
    QTest.keyClick(window, Qt.Key.Key_Escape)
    QTest.mouseClick(page.panel.job_bar.stop, LEFT)
    ended(qtbot, window)
    assert cell(page, "summer/b.jpg", STATUS) == "To do"
    assert page.panel.button.text() == "Continue with 1 photo"
    assert page.about.text() == "5 photos, 1 to do, 1 failed."
    window.close()

    studio.held, studio.worked = set(), []
    window = shown(qtbot, make_window())
    page = window.anonymize
    opened(qtbot, window, album)
    assert cell(page, "a.png", STATUS) == "Verified", "the journal knows"
    assert page.panel.button.text() == "Continue with 1 photo", "what failed is known to have failed"
    reviewed(qtbot, page, "crowd.png")
    assert len(page.page.cards) == 3, "what was done yesterday can be looked at"
    decided(qtbot, page, page.page.cards[2].leave)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    done(qtbot, window)
    assert studio.worked == ["b"]
    assert cell(page, "crowd.png", STATUS) == "Left as is"
    assert set(records(page.run.report)) == {"a.png", "b.jpg", "broken.jpg", "crowd.png", "empty.png", "notes.txt"}


def test_results_of_other_settings_are_asked_about(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, studio: HidingStudio
) -> None:
    opened(qtbot, window, album / "a.png", album / "empty.png")
    done(qtbot, window)
    kept = (page.run.output / "a.png").read_bytes()
    page.run.choose("pixelate")
    QTest.mouseClick(page.panel.button, LEFT)
    question = dialog(qtbot, window, QMessageBox)
    assert isinstance(question, QMessageBox)
    assert "2: Its result was made with other settings." in question.informativeText()
    answer(qtbot, window, "Keep what is there")
    ended(qtbot, window)
    assert (page.run.output / "a.png").read_bytes() == kept
    assert cell(page, "a.png", STATUS) == "Exists already"
    assert len(records(page.run.report)) == 2, "what stays stands in the report"
    QTest.mouseClick(page.panel.button, LEFT)
    answer(qtbot, window, "Make again")
    qtbot.waitUntil(
        lambda: cell(page, "a.png", STATUS) in ("Verified", "Fallback") and not page.run.doing, timeout=PATIENCE
    )
    assert (page.run.output / "a.png").read_bytes() != kept


def test_the_next_day_a_run_is_gone_on_with_as_it_was_begun(
    qtbot: QtBot, make_window: Callable[[], MainWindow], studio: HidingStudio, album: Path
) -> None:
    window = shown(qtbot, make_window())
    run = window.anonymizing
    run.choose("blur")
    run.set_option("radius", 40.0)
    run.set_seed(7)
    run.choices.set_metadata("technical")
    run.choices.set_reset_times(True)
    opened(qtbot, window, album)
    studio.held = {"empty"}
    QTest.mouseClick(window.anonymize.panel.button, LEFT)
    qtbot.waitUntil(lambda: "empty" in [row.path.stem for row in run.rows if row.working], timeout=PATIENCE)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    ended(qtbot, window)
    window.leaving.certain = True
    window.close()
    studio.held = set()
    window = shown(qtbot, make_window())
    run, page = window.anonymizing, window.anonymize
    assert run.offer is not None and run.offer.checkpoint.id == "solid"
    opened(qtbot, window, album)
    qtbot.waitUntil(lambda: run.offer.checkpoint.id == "blur" and bool(run.rows) and not run.listing)
    assert (run.options["radius"], run.seed, run.choices.metadata) == (40.0, 7, "technical")
    assert "settings were taken" in toast(page)
    assert "exists already" not in run.counts and run.counts["to do"] >= 1
    studio.worked.clear()
    QTest.mouseClick(page.panel.button, LEFT)
    ended(qtbot, window)
    assert "a" not in studio.worked and "empty" in studio.worked


def test_somebody_who_chose_a_method_keeps_it_and_may_go_on_as_before(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path
) -> None:
    page.run.choose("blur")
    opened(qtbot, window, album / "a.png", album / "crowd.png")
    done(qtbot, window)
    page.run.choose("pixelate")
    opened(qtbot, window, album / "a.png", album / "crowd.png")
    assert page.run.offer is not None and page.run.offer.checkpoint.id == "pixelate"
    assert cell(page, "a.png", STATUS) == "Exists already"
    QTest.mouseClick(page.panel.button, LEFT)
    answer(qtbot, window, "Continue with their settings")
    qtbot.waitUntil(lambda: toast(page).startswith("Done: 0 photos"), timeout=PATIENCE)
    assert page.run.offer.checkpoint.id == "blur" and cell(page, "a.png", STATUS) != "Exists already"
    ended(qtbot, window)


def test_what_was_in_the_way_and_kept_stands_in_the_report(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, tmp_path: Path
) -> None:
    out = album.with_name("holiday-anonymized")
    draw(out / "a.png", 5)  # with a face, and made by no run
    opened(qtbot, window, album / "a.png", album / "empty.png")
    page.run.choose_output(out)
    qtbot.waitUntil(lambda: bool(page.run.rows) and not page.run.listing, timeout=PATIENCE)
    QTest.mouseClick(page.panel.button, LEFT)
    answer(qtbot, window, "Keep what is there")
    qtbot.waitUntil(lambda: cell(page, "empty.png", STATUS) == "No face" and not page.run.doing, timeout=PATIENCE)
    assert page.run.report is not None
    assert records(page.run.report)["a.png"]["status"] == "failed", "nothing says what that file shows"
    assert "a.png: A file with the name of its result" in page.run.report.with_suffix(".html").read_text()
    draw(album / "empty.png", 6)
    opened(qtbot, window, album / "a.png", album / "empty.png")
    copy = tmp_path / "copy.jsonl"
    with qtbot.waitSignal(page.run.exported, timeout=PATIENCE):
        page.run.export(copy)
    found = records(copy)
    assert found["a.png"]["status"] == "failed" and found["empty.png"]["kept"].startswith(
        "The result was made from a different photo"
    )


def test_a_report_saved_before_the_run_names_nothing_where_names_are_numbers(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, tmp_path: Path
) -> None:
    (album / "jane.png").symlink_to("a.png")
    (album / "jane.txt").write_text("Jane")
    page.run.choices.choose_names(tmp_path / "names.csv")
    opened(qtbot, window, album)
    copy = tmp_path / "copy.jsonl"
    with qtbot.waitSignal(page.run.exported, timeout=PATIENCE):
        page.run.export(copy)
    assert "left out" in copy.read_text()
    for suffix in (".jsonl", ".csv", ".html"):
        words = copy.with_suffix(suffix).read_text()
        assert not any(name in words for name in ("jane", "a.png", "holiday"))


def test_a_photo_of_which_nothing_was_written_is_made_again_to_be_looked_at(
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
    assert not (page.run.output / "a.png").exists()
    assert cell(page, "a.png", REASON).startswith("Face 1: starter-embedder-")
    assert cell(page, "a.png", REASON).endswith("Nothing was written.")
    reviewed(qtbot, page, "a.png")
    assert "No result was written" in page.page.message.text()
    decided(qtbot, page, page.page.cards[0].leave)
    assert not (page.run.output / "a.png").exists(), "the other face is in question still"
    assert [card.status.text() for card in page.page.cards] == ["Left as is", "Needs review"]
    decided(qtbot, page, page.page.cards[1].leave)
    assert (page.run.output / "a.png").exists()
    assert (page.page.status.text(), page.page.message.text()) == ("Left as is", "")


def test_a_folder_that_cannot_be_written_is_said_so(
    qtbot: QtBot,
    window: MainWindow,
    page: AnonymizeWorkspace,
    album: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    opened(qtbot, window, album)
    out, listed = page.run.output, names(page)
    for folder, words in ((blocked / "out", "a file is a file, and no folder."), (album / "inside", "is inside")):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args, folder=folder: str(folder))
        QTest.mouseClick(page.panel.choose_output, LEFT)
        heard = said(qtbot, window)
        assert words in heard and "Choose another folder for the results." in heard
        assert (page.run.output, names(page)) == (out, listed), "the former folder and its table are there again"
        assert page.panel.output.toolTip() == str(out) and page.panel.button.isEnabled()
    good = tmp_path / "good"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(good))
    QTest.mouseClick(page.panel.choose_output, LEFT)
    qtbot.waitUntil(lambda: bool(page.run.rows) and not page.run.listing, timeout=PATIENCE)
    opened(qtbot, window, album)
    assert page.run.output == good, "what could be written is remembered, and nothing else"


def test_photos_whose_usual_folder_cannot_be_written_are_done_into_another(
    qtbot: QtBot,
    window: MainWindow,
    page: AnonymizeWorkspace,
    album: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    album.with_name("holiday-anonymized").write_text("in the way")
    drop(window, album)
    assert "is a file" in said(qtbot, window)
    assert page.run.given == (album,) and not page.run.rows
    assert not page.panel.button.isEnabled()
    assert page.panel.hint.text() == "Choose another folder for the results."
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(tmp_path / "good"))
    QTest.mouseClick(page.panel.choose_output, LEFT)
    qtbot.waitUntil(lambda: bool(page.run.rows) and not page.run.listing, timeout=PATIENCE)
    done(qtbot, window)
    assert (tmp_path / "good" / "a.png").is_file()


def test_the_command_line_goes_on_with_a_run_of_the_window(
    qtbot: QtBot,
    window: MainWindow,
    page: AnonymizeWorkspace,
    album: Path,
    studio: HidingStudio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened(qtbot, window, album)
    done(qtbot, window)
    studio.worked = []
    monkeypatch.setattr("facestudio.cli.anonymize.Studio", lambda *args, **kwargs: studio)
    out = page.run.output
    code = command(["anonymize", str(album), "-o", str(out), "--method", "solid", "--resume", "--quiet"])
    assert (code, studio.worked) == (1, []), "nothing is done twice; the damaged photo fails again"
    assert records(page.run.report)["a.png"]["status"] == "verified"


def test_it_is_asked_before_a_run_is_closed(
    qtbot: QtBot, window: MainWindow, studio: HidingStudio, album: Path
) -> None:
    studio.held = {"a"}
    opened(qtbot, window, album)
    QTest.mouseClick(window.anonymize.panel.button, LEFT)
    qtbot.waitUntil(lambda: window.anonymizing.running, timeout=PATIENCE)
    window.close()
    assert window.isVisible()
    answer(qtbot, window, "Keep running")
    assert window.anonymizing.running
    window.close()
    answer(qtbot, window, "Stop and close")
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=PATIENCE)
    ended(qtbot, window)


def test_other_photos_may_be_opened_while_the_table_is_sorted_and_shows_one_status(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, tmp_path: Path
) -> None:
    opened(qtbot, window, album)
    page.table.sortByColumn(NAME, Qt.SortOrder.DescendingOrder)
    QTest.mouseClick(page.filter.buttons["left out"], LEFT)
    assert names(page) == ["notes.txt"]
    draw(tmp_path / "other" / "z.png", 3)
    opened(qtbot, window, tmp_path / "other")
    qtbot.waitUntil(lambda: names(page) == ["z.png"], timeout=PATIENCE)


def test_what_was_asked_of_other_photos_is_not_done_to_these(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, tmp_path: Path
) -> None:
    opened(qtbot, window, album)
    QTest.mouseClick(page.panel.button, LEFT)
    assert page.run.listing, "it looks once more before it begins"
    draw(tmp_path / "other" / "z.png", 3)
    opened(qtbot, window, tmp_path / "other")
    assert not page.run.running and not (tmp_path / "other-anonymized").exists()
    assert cell(page, "z.png", STATUS) == "To do"
