"""What the table of an anonymizing run says of a photo, from its line of the report alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facestudio import anonymized
from facestudio.gui.anonymize_rows import WRITTEN, Row, counts, reviewed_next
from facestudio.planning import Item

ITEM = Item(Path("in/a.jpg"), Path("out/a.jpg"))


def face(
    status: str = "verified", error: str | None = None, verdict: str | None = "changed", **cosines: float
) -> dict[str, Any]:
    notes = ["Hidden by solid, because it was not verified."] if status == "fallback" else ["A note."]
    thresholds = dict.fromkeys(cosines, 0.5)
    said = {"similarity": cosines, "threshold": thresholds, "verdict": verdict}
    return {"status": status, "error": error, "notes": notes, **said}


def row(status: str | None = None, *faces: dict[str, Any], **more: Any) -> Row:
    """A row whose photo was written, unless more is said."""
    if status is None:
        return Row(ITEM.source, "a.jpg", ITEM, doubt=more.get("doubt", ""))
    record = {"status": status, "error": None, "output": "out/a.jpg", "recipe": {}, "faces": list(faces), **more}
    return Row(ITEM.source, "a.jpg", ITEM, record)


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (row(), ""),
        (row("verified", face(a=0.4)), ""),
        (row("verified", face(a=0.6)), "Face 1: A note."),
        (row("fallback", face(), face("fallback")), "Face 2: Hidden by solid, because it was not verified."),
        (
            row("needs review", face("needs review", "A knows it."), output=None),
            "Face 1: A knows it. Nothing was written.",
        ),
        (row("needs review", face(), possible_missed_faces=[{}, {}]), f"2 possible missed faces. {WRITTEN}"),
        (row("needs review", possible_missed_faces=[{}], output=None), "1 possible missed face. Nothing was written."),
        (
            row("needs review", face(), face("skipped", "It was not chosen."), face("skipped", "It was not chosen.")),
            "2 faces were not chosen, and left as is.",
        ),
        (row("failed", error="It is damaged.", recipe=None, output=None), "It is damaged."),
        (row("verified", face(a=0.4), notes=["It holds several pictures."]), "It holds several pictures."),
        (
            row("needs review", face(), possible_missed_faces=[{}], notes=["B."]),
            f"1 possible missed face. {WRITTEN} B.",
        ),
        (row(doubt="other settings"), "Its result was made with other settings."),
    ],
)
def test_the_reason_is_a_sentence_with_faces_counted_from_one(of: Row, reason: str) -> None:
    assert of.reason == reason


def test_report_and_window_say_the_same_of_what_is_written() -> None:
    assert WRITTEN == anonymized.WRITTEN


def test_the_worst_of_all_judges_and_faces_is_shown() -> None:
    assert row("verified", face(a=0.1, b=-0.2), face(a=-0.3, b=0.15)).worst == (0.15, "b")
    assert row("no face").worst is None and row().worst is None


def test_faces_that_cannot_be_judged_are_left_out_of_the_worst() -> None:
    poor, known = face(verdict="cannot be judged", a=0.9), face(a=0.1)
    some = row("verified", poor, known, poor)
    assert some.worst == (0.1, "a") and some.unjudged == "Faces 1 and 3 cannot be judged, and are left out."
    assert row("verified", known, poor).unjudged == "Face 2 cannot be judged, and is left out."
    none = row("verified", poor, face("skipped", verdict=None), poor)
    assert none.worst is None and none.unjudged.startswith("None of the faces can be judged: they are too poor")
    assert row("verified", poor).unjudged.startswith("The face cannot be judged: it is too poor")
    assert row("verified", known).unjudged == row("no face").unjudged == row().unjudged == ""


def test_what_can_be_looked_at_and_which_status_it_has() -> None:
    unread = row("failed", error="It is damaged.", recipe=None, output=None)
    assert [one.reviewable for one in (row(), row("verified", face()), unread)] == [False, True, False]
    assert [one.status for one in (row(), row("verified"), row(doubt="foreign"))] == [
        "to do",
        "verified",
        "exists already",
    ]
    assert row("needs review", output=None).output is None and row("verified").output == ITEM.target


def test_statuses_are_counted_in_their_order_and_the_next_in_question_is_found_round_the_end() -> None:
    rows = [row("verified"), row("needs review"), row(), row("needs review"), row("verified")]
    assert counts(rows) == {"to do": 1, "needs review": 2, "verified": 2}
    assert list(counts(rows)) == ["to do", "needs review", "verified"]
    assert [reviewed_next(rows, after) for after in (-1, 1, 3)] == [1, 3, 1]
    assert reviewed_next(rows[:1], 0) is None
