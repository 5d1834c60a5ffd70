"""What `restore` says of faces: one line each, what is the same for several said once, plain words where nobody can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facestudio.cli.face_table import NOBODY, face_lines
from facestudio.cli.report import outcome_text
from facestudio.faces.identity import Verdict
from facestudio.faces.panel import UNJUDGED, Summary
from facestudio.outcomes import Outcome
from facestudio.photo import Photo
from facestudio.pipeline import restore
from facestudio.results import FaceResult
from facestudio.subject import Subject
from tests.fakes import SlowRestorer, face_at, picture

SAID = {"same person": 0.61, "changed": 0.05, "uncertain": 0.3}


def face(index: int, *words: str, together: str = "", **more: Any) -> FaceResult:
    """A restored face of which two recognisers say `words`."""
    verdicts = {
        name: Verdict(word, SAID[word], 0.34, 0.2, 0.9, name, 1e-3)
        for name, word in zip(("judge-one", "judge-two"), words, strict=False)
    }
    quality = (0.12, 0.2) if together == UNJUDGED else (0.9, 0.9)
    summary = (
        Summary(together or words[0], 0.97, tuple(verdicts.values()), quality=quality, gate=0.5) if words else None
    )
    similarity = {name: verdict.cosine for name, verdict in verdicts.items()}
    given = {"status": "restored", "error": None, "summary": summary} | more
    return FaceResult(face_at(90, 90, 60), index, **given, similarity=similarity, verdicts=verdicts)


def test_every_face_has_one_line_with_its_verdict_and_cosines_beside_their_thresholds() -> None:
    lines = face_lines([face(n, "same person", "same person") for n in range(12)])
    assert len(lines) == 13
    assert lines[0].split() == ["face", "person", "chance", "judge-one", "judge-two"]
    assert lines[12].split() == ["12", "same", "person", "97%", "0.61", ">", "0.34", "0.61", ">", "0.34"]


def test_recognisers_that_do_not_agree_are_said_to() -> None:
    lines = face_lines([face(0, "same person", "changed", together="uncertain")])
    assert "0.61 > 0.34" in lines[1] and "0.05 < 0.34" in lines[1] and "uncertain" in lines[1]
    assert lines[2:] == ["face 1: One of two says same person."]


def test_what_is_the_same_for_several_faces_is_said_once() -> None:
    soft = "Fine detail is lost."
    faces = [face(n, "same person", "same person", notes=(soft,) if n != 1 else ()) for n in range(4)]
    assert face_lines(faces)[5:] == [f"faces 1, 3 and 4: {soft}"]
    assert (
        face_lines([face(0, "same person", notes=(soft,)), face(1, "same person", notes=(soft,))])[-1]
        == f"both faces: {soft}"
    )


def test_of_many_faces_not_all_numbers_are_listed() -> None:
    faces = [face(n, "same person", notes=("Soft.",) if n < 15 else ()) for n in range(20)]
    assert face_lines(faces)[-1] == "faces 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 3 more: Soft."


def test_where_nobody_can_be_judged_no_figure_says_otherwise() -> None:
    lines = face_lines([face(n, "same person", "same person", together=UNJUDGED) for n in range(2)])
    assert all("cannot be judged" in line and "%" not in line and "0.61" not in line for line in lines[1:3])
    assert lines[3].startswith("both faces: Cannot be judged: both faces are too poor to be recognised")
    assert lines[4] == NOBODY and len(lines) == 5


def test_a_face_that_failed_and_one_that_was_not_chosen() -> None:
    lines = face_lines(
        [face(0, status="failed", error="The brush broke."), face(1, status="skipped", notes=("Incomplete.",))]
    )
    assert lines[1].split() == ["1", "failed"] and lines[2:] == ["face 1: The brush broke.", "face 2: Incomplete."]
    assert face_lines([face(0, status="skipped")]) == []


def test_without_a_recogniser_a_face_is_restored_and_no_more() -> None:
    assert [line.split() for line in face_lines([face(0)])] == [["face"], ["1", "restored"]]


def test_the_bits_of_the_written_file_are_said_in_plain_words(tmp_path: Path) -> None:
    deep = np.asarray(Image.fromarray(picture(130, 150, [face_at(70, 60, 90)])).convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    result = restore(Subject(Photo.open(tmp_path / "deep.png"), (face_at(70, 60, 90),)), SlowRestorer())
    for name, few in (("out.jpg", True), ("out.png", False), ("out.tif", False)):
        outcome = Outcome(tmp_path / "deep.png", tmp_path / name, "ok", None, 1.0, result=result)
        said = outcome_text(outcome).splitlines()
        assert (said[1] == "  Saved with 8 bits per colour; the original has 16.") == few
        assert not any("It holds" in line for line in said)
