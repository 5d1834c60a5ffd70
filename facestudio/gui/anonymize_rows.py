"""The photos of an anonymizing run as the table shows them: one row each, what its status means, and why.

All of it follows from a photo's line of the report, whoever wrote that: this run, one of yesterday, or a review. Separate because
it is all rules and no work. Faces are counted from 1, as everywhere in the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facestudio.planning import Item
from facestudio.report_facts import is_unjudged

TO_DO, WORKING, EXISTS = "to do", "working", "exists already"
VERIFIED, FALLBACK, REVIEW, FAILED, LEFT = "verified", "fallback", "needs review", "failed", "left as is"
NOBODY, SKIPPED, LEFT_OUT = "no face", "skipped", "left out"
ORDER = (TO_DO, WORKING, REVIEW, FAILED, EXISTS, LEFT, FALLBACK, VERIFIED, NOBODY, SKIPPED, LEFT_OUT)
TONES = {
    **{VERIFIED: "good", FALLBACK: "good", REVIEW: "warn", LEFT: "warn", EXISTS: "warn", FAILED: "bad"},
    **{TO_DO: "muted", WORKING: "link", NOBODY: "text", SKIPPED: "muted", LEFT_OUT: "muted"},
}
MEANINGS = {
    VERIFIED: "No recogniser knows any of the faces found in it any more.",
    FALLBACK: "The method's result for a face could not be verified, so that face is hidden.",
    REVIEW: "A person must look at it.",
    FAILED: "It could not be processed.",
    LEFT: "A person left a face as it is, unverified, or said that it is not a face.",
    NOBODY: "No face was found; the photo is written as it is.",
    SKIPPED: "None of its faces was chosen.",
    LEFT_OUT: "It was left out.",
    EXISTS: "A result with this name exists already, made in another way.",
    TO_DO: "It is not done yet.",
    WORKING: "It is being processed.",
}
DOUBTS = {
    "other settings": "Its result was made with other settings.",
    "changed": "The result was made from a different photo.",
    "foreign": "A file with the name of its result exists, but no run made it.",
}
WRITTEN = "The photo is written all the same: look at it before you give it away."  # as `anonymized` has it
MISSED = "possible missed face"


@dataclass(frozen=True)
class Row:
    """One photo.

    Attributes:
        path: its file; name: for people, below the folder that was opened. item: None for what is no photo to do.
        record: its line of the report, None before it is done. settings: of the run that did it, as the journal has them.
        doubt: why the result that is there is not this run's, a key of DOUBTS; "" when there is none.
        working: it is the one that is done now.
    """

    path: Path
    name: str
    item: Item | None
    record: Mapping[str, Any] | None = None
    settings: str = ""
    doubt: str = ""
    working: bool = False

    @property
    def status(self) -> str:
        """One of ORDER."""
        if self.working:
            return WORKING
        if self.doubt:
            return EXISTS
        return TO_DO if self.record is None else str(self.record["status"])

    @property
    def line(self) -> Mapping[str, Any] | None:
        """What the report says of it: its record, and why a result that is another one's was kept; None when nothing is known."""
        if not self.doubt:
            return self.record
        if self.record is not None:
            return {**self.record, "kept": DOUBTS[self.doubt]}
        name = self.item.label if self.item is not None else ""
        nothing: dict[str, Any] = {
            "output": None,
            "error": DOUBTS[self.doubt],
            "seconds": 0.0,
            "recipe": None,
            "faces": [],
        }
        return {"input": name or str(self.path), "status": FAILED, **nothing}

    @property
    def reviewable(self) -> bool:
        """Whether there is something to look at: what was done to it is known."""
        return self.item is not None and self.record is not None and self.record["recipe"] is not None

    @property
    def output(self) -> Path | None:
        """The result's file, if one was written."""
        written = self.record["output"] if self.record is not None else None
        return self.item.target if written and self.item is not None else None

    @property
    def faces(self) -> int | None:
        """How many faces it has; None before that is known."""
        return None if self.record is None or self.record["recipe"] is None else len(self.record["faces"])

    @property
    def worst(self) -> tuple[float, str] | None:
        """The highest cosine to the original of any changed face that can be judged, and whose; None when there is none."""
        faces = (self.record or {}).get("faces", ())
        judged = [face["similarity"] for face in faces if not is_unjudged(face)]
        return max(((float(cosine), judge) for said in judged for judge, cosine in said.items()), default=None)

    @property
    def unjudged(self) -> str:
        """That faces cannot be judged, whose figures would mean nothing, in a sentence; "" when all can."""
        poor = [n for n, face in enumerate((self.record or {}).get("faces", ()), 1) if is_unjudged(face)]
        if not poor:
            return ""
        why = "too poor or too small for what recognisers say of {} to mean anything"
        if self.worst is None and len(poor) == 1:
            return f"The face cannot be judged: it is {why.format('it')}."
        if self.worst is None:
            return f"None of the faces can be judged: they are {why.format('them')}."
        if len(poor) == 1:
            return f"Face {poor[0]} cannot be judged, and is left out."
        return f"Faces {', '.join(map(str, poor[:-1]))} and {poor[-1]} cannot be judged, and are left out."

    @property
    def reason(self) -> str:
        """Why it has its status, in a sentence or two; "" where the status says all."""
        if self.doubt:
            return DOUBTS[self.doubt]
        record = self.record
        if record is None:
            return ""
        words = [
            f"Face {n}: {face['error']}"
            for n, face in enumerate(record["faces"], 1)
            if face["error"] and face["status"] != SKIPPED
        ]
        others = sum(face["status"] == SKIPPED for face in record["faces"])
        if 0 < others < len(record["faces"]):
            words.append(f"{others} {'face was' if others == 1 else 'faces were'} not chosen, and left as is.")
        missed = record.get("possible_missed_faces", ())
        if missed:
            words.append(f"{len(missed)} possible missed {'face' if len(missed) == 1 else 'faces'}.")
            words += [WRITTEN] if record["output"] else []
        if record["recipe"] is not None and record["output"] is None and words:
            words.append("Nothing was written.")
        if not words and record["error"]:
            return str(record["error"])
        if not words:
            telling = [(n, face) for n, face in enumerate(record["faces"], 1) if face["notes"] and _asks(face)]
            words = [f"Face {n}: {face['notes'][0]}" for n, face in telling]
        words += record.get("notes", ())
        return " ".join(words)


def _asks(face: Mapping[str, Any]) -> bool:
    """Whether one would ask why a face without an error is as it is: hidden after all, or alike and verified all the same."""
    alike = any(cosine >= face["threshold"].get(judge, 1) for judge, cosine in face["similarity"].items())
    return bool(face["status"] == FALLBACK or (face["status"] == VERIFIED and alike))


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows have each status that occurs, in ORDER."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.status] = found.get(row.status, 0) + 1
    return {status: found[status] for status in sorted(found, key=lambda s: ORDER.index(s) if s in ORDER else 99)}


def reviewed_next(rows: Iterable[Row], after: int) -> int | None:
    """The next row behind `after` that a person must look at, from the top again at the end; None when there is none."""
    waiting = [n for n, row in enumerate(rows) if row.status == REVIEW and row.reviewable]
    return next((n for n in waiting if n > after), waiting[0] if waiting else None)
