"""The Anonymize workspace on another day: what failed, what was left as it was, and whose photos are gone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from facestudio.cli.main import run as command
from facestudio.gui.main_window import MainWindow
from facestudio.gui.review_work import NOT_A_FACE, Wish, decide
from facestudio.gui.widgets.photo_table import REASON, STATUS
from facestudio.progress import Progress
from facestudio.reporting import renew_record, report_of
from tests.gui.anonymizing import (
    PATIENCE,
    HidingStudio,
    album,
    cell,
    done,
    opened,
    records,
    reviewed,
    shown,
    studio,
)
from tests.gui.conftest import draw

__all__ = ["album", "studio"]


def test_a_photo_that_failed_is_failed_still_and_says_why(
    qtbot: QtBot, make_window: Callable[[], MainWindow], album: Path
) -> None:
    window = shown(qtbot, make_window())
    opened(qtbot, window, album)
    done(qtbot, window)
    why = cell(window.anonymize, "broken.jpg", REASON)
    window.close()
    window = shown(qtbot, make_window())
    page = window.anonymize
    opened(qtbot, window, album)
    assert (cell(page, "broken.jpg", STATUS), cell(page, "broken.jpg", REASON)) == ("Failed", why) and why
    draw(album / "broken.jpg", 8)  # it is whole now
    opened(qtbot, window, album)
    assert (cell(page, "broken.jpg", STATUS), cell(page, "broken.jpg", REASON)) == ("To do", "")
    done(qtbot, window)
    assert cell(page, "broken.jpg", STATUS) == "Verified"


def test_faces_that_the_command_line_did_not_choose_are_seen_and_can_be_left(
    qtbot: QtBot,
    make_window: Callable[[], MainWindow],
    studio: HidingStudio,
    album: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("facestudio.cli.anonymize.Studio", lambda *args, **settings: studio)
    out = album.with_name("holiday-anonymized")
    base = ["anonymize", str(album / "a.png"), "-o", f"{out}/", "--method", "solid", "--faces", "largest", "--quiet"]
    assert command(base) == 1
    window = shown(qtbot, make_window())
    page = window.anonymize
    opened(qtbot, window, album / "a.png")
    page.run.choose_output(out)
    qtbot.waitUntil(lambda: bool(page.run.rows) and not page.run.listing)
    row = page.run.rows[0]
    assert row.record is not None and row.record["status"] == "needs review"
    reviewed(qtbot, page, "a.png")
    (place,) = [n for n, face in enumerate(page.review.shown_faces) if face.status == "skipped"]
    assert page.review.selected == {place}
    page.review.leave(place)
    qtbot.waitUntil(
        lambda: page.review.shown_faces[place].status == "left as is" and not page.run.doing, timeout=PATIENCE
    )
    assert records(report_of(out))["a.png"]["status"] == "left as is"
    assert records(report_of(out))["a.png"]["settings"]["faces"] == "largest"


def test_the_report_lists_results_whose_photos_are_gone_and_the_table_does_not(
    qtbot: QtBot, make_window: Callable[[], MainWindow], album: Path
) -> None:
    window = shown(qtbot, make_window())
    opened(qtbot, window, album)
    done(qtbot, window)
    (album / "a.png").unlink()
    opened(qtbot, window, album)
    done(qtbot, window)
    page = window.anonymize
    assert page.run.report is not None
    told = records(page.run.report)
    assert "no longer among the inputs" in told["a.png"]["kept"] and "kept" not in told["crowd.png"]
    assert "a.png" not in [row.name for row in page.run.rows]
    assert told["crowd.png"]["settings"]["metadata"] == "strip"


class Crash(BaseException):
    """As if Face Studio ended."""


def crashed(qtbot: QtBot, window: MainWindow, album: Path, monkeypatch: pytest.MonkeyPatch, new: bool) -> None:
    """Anonymize the album, say of a face of a.png that it is none, and end in the middle of that: when the result is a `new`
    one and the report does not say so yet, or before that."""
    opened(qtbot, window, album)
    done(qtbot, window)
    run = window.anonymize.run
    row = next(row for row in run.rows if row.name == "a.png")
    assert run.output is not None and row.output is not None
    as_it_was, output = row.output.read_bytes(), row.output
    where, really, calls = (
        "facestudio.renewing.renew_record" if new else "os.replace",
        renew_record if new else os.replace,
        [],
    )

    def crash(*given: Any) -> None:
        calls.append(given)
        if len(calls) == 2 if new else given[1] == output:
            raise Crash
        really(*given)

    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(where, crash)
        decide(run.studio, row, run.output, Wish(NOT_A_FACE, 0), run.known, 0, Progress())
    window.close()
    assert "being done again" in records(report_of(run.output))["a.png"]["error"]
    assert (output.read_bytes() != as_it_was) == new


@pytest.mark.parametrize("new", [False, True])
def test_a_crash_in_a_review_leaves_what_is_true_in_window_and_report(
    qtbot: QtBot, make_window: Callable[[], MainWindow], album: Path, monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    crashed(qtbot, shown(qtbot, make_window()), album, monkeypatch, new)
    window = shown(qtbot, make_window())
    page = window.anonymize
    opened(qtbot, window, album)
    assert page.run.output is not None and not page.run.running
    status, report = ("Left as is" if new else "Verified"), report_of(page.run.output)
    line = records(report)["a.png"]
    assert cell(page, "a.png", STATUS) == status and line["status"] == status.lower()
    assert len(line["faces"]) == 2 and "decisions" not in (line["faces"][1] if new else line["faces"][0])
    assert "being done again" not in report.with_suffix(".html").read_text()
    reviewed(qtbot, page, "a.png")
    assert [card.status.text() for card in page.page.cards][0] == status


def test_after_a_crash_in_a_review_the_command_line_keeps_the_earlier_result(
    qtbot: QtBot,
    make_window: Callable[[], MainWindow],
    studio: HidingStudio,
    album: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crashed(qtbot, shown(qtbot, make_window()), album, monkeypatch, False)
    studio.worked = []
    monkeypatch.setattr("facestudio.cli.anonymize.Studio", lambda *args, **settings: studio)
    out = album.with_name("holiday-anonymized")
    assert command(["anonymize", str(album), "-o", str(out), "--method", "solid", "--resume", "--quiet"]) == 1
    assert studio.worked == [] and records(report_of(out))["a.png"]["status"] == "verified"
