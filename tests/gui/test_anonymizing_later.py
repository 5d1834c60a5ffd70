"""The Anonymize workspace on another day: what failed, what was left as it was, and whose photos are gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from facestudio.cli.main import run as command
from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.photo_table import REASON, STATUS
from facestudio.reporting import report_of
from tests.gui.conftest import draw
from tests.gui.test_anonymizing import (
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
