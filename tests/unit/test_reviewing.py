"""A person decides on a face of a photo that was done: result, journal and report follow, and nothing is passed off."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio import batch, renewing
from facestudio.anonymize_settings import Settings, complete
from facestudio.anonymized import ADDED, AGAIN, HIDDEN, LEFT, NOT_A_FACE, Anonymized, AnonymizedFace
from facestudio.checkpoints import checkpoint
from facestudio.ensemble import Ensemble
from facestudio.errors import FaceStudioError, UsageError
from facestudio.faces.face import Face
from facestudio.faces.judging import Judges
from facestudio.journal import DAMAGED, DONE, Journal
from facestudio.methods.base import load_method
from facestudio.photo import Photo
from facestudio.planning import Item, Plan, survey
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.renewing import Books, Undo, bring_back, renew, settle
from facestudio.report_tables import write_tables
from facestudio.reporting import ReportFile, read_records, renew_record, report_of, write_records
from facestudio.reviewing import Decision, Finished, again, faces_of
from facestudio.secret import Secret
from facestudio.studio import Studio
from facestudio.trying import Resort
from tests.asking import anonymized
from tests.batches import run_batch
from tests.fakes import FakeEmbedder, picture, write_picture
from tests.unit.test_anonymizing import FACES, NOBODY, Eyes, Stubborn, Stuck, changed_near, method

LAX: Any = {"embedders": [FakeEmbedder(thresholds={"1e-3": 0.9999, "1e-1": 0.999})]}  # blur is enough for it
MISSED = Face(FACES[2].box, FACES[2].landmarks, 0.25)


def photo() -> Photo:
    return Photo.from_pixels(picture(190, 400, FACES))


def told(result: Anonymized) -> dict[str, Any]:
    """What the report's line would say, as it is read back."""
    outcome = batch.Outcome(Path("a.png"), None, result.status, result.error, 0.0, result=result)
    return json.loads(json.dumps(outcome.record()))


def review(
    of: Photo, record: dict[str, Any], decision: Decision | None, anonymizer: Any = None, **settings: Any
) -> Any:
    """The photo done again, over a generator if there is one."""
    settings = {"detector": NOBODY, "embedders": [FakeEmbedder()], "fallback": method("solid"), **settings}

    def methods(id: str) -> Any:
        return (
            anonymizer
            if anonymizer is not None and id == anonymizer.checkpoint.id
            else load_method(checkpoint(id), "cpu")
        )

    resort = Resort(settings.pop("tries", 4), settings.pop("fallback"), method("solid"))
    judges = Judges(settings.pop("embedders"), settings.pop("panel", None))
    finished = Finished(of, record, settings.pop("shown", None))
    return again(finished, decision, methods, resort, judges, settings.pop("detector"), **settings)


def done(of: Photo, anonymizer: Any, faces: Any = FACES[:2], **settings: Any) -> Anonymized:
    settings = {"detector": NOBODY, "embedders": [FakeEmbedder()], "fallback": method("solid"), **settings}
    return anonymized(of, faces, anonymizer, **settings)


def face(result: Anonymized, index: int) -> AnonymizedFace:
    found = result.faces[index]
    assert isinstance(found, AnonymizedFace)
    return found


def alike(one: Anonymized, other: Anonymized) -> bool:
    """Whether both look the same: a record has a hundredth of a pixel, so what is made by it again may differ by a level."""
    return bool(np.abs(one.after.pixels.astype(int) - other.after.pixels).max() <= 1)


def near(of: Photo, index: int) -> np.ndarray:
    left, top, right, bottom = FACES[index].box.round().astype(int)
    return of.pixels[top:bottom, left:right]


def test_without_a_decision_it_comes_out_as_it_was() -> None:
    before, generator = photo(), Stubborn(idle=0)
    result = done(before, generator)
    same = review(before, told(result), None, generator)
    assert alike(same, result)
    assert (same.status, [len(one.tries) for one in same.faces]) == ("verified", [1, 1])


def test_a_face_is_tried_again_with_another_seed_and_the_others_are_not_made_anew() -> None:
    before, generator = photo(), Stubborn(idle=0)
    result = done(before, generator)
    calls = len(generator.seeds)
    after = review(before, told(result), Decision(AGAIN, 1), generator, shown=result.after)
    assert len(generator.seeds) == calls + 1
    assert len(set(generator.seeds)) == 3, "a seed that was not tried yet"
    assert [one.obstacle for one in face(after, 1).tries] == ["A person wanted another try.", ""]
    assert (face(after, 1).decisions, face(after, 0).decisions) == ((AGAIN,), ())
    assert np.array_equal(near(after.after, 0), near(result.after, 0))


def test_a_possible_missed_face_stays_one_until_somebody_decides_on_it() -> None:
    before, generator = photo(), Stubborn(idle=0)
    result = done(before, generator, detector=Eyes((MISSED,)))
    assert (result.status, len(result.missed)) == ("needs review", 1)
    other = review(before, told(result), Decision(AGAIN, 1), generator, shown=result.after)
    assert other.status == "needs review", "the detector does not see it this time, but nobody looked at it"
    assert np.allclose(other.missed[0].box, MISSED.box, atol=0.01) and "Possible missed face" in (other.error or "")
    seen = review(before, told(result), Decision(AGAIN, 1), generator, shown=result.after, detector=Eyes((MISSED,)))
    assert len(seen.missed) == 1
    for how in (HIDDEN, AGAIN, LEFT, NOT_A_FACE):
        decided = review(before, told(other), Decision(how, 2), generator, shown=other.after)
        assert not decided.missed and len(decided.faces) == 3
    near_by = Face(FACES[2].box + 8, FACES[2].landmarks + 8, 0.3)
    below = review(before, told(other), Decision(ADDED, face=near_by), generator, shown=other.after)
    assert not below.missed, "what is laid over the one beside it hides it, too"


def test_a_missed_face_is_hidden_where_its_box_is_also_when_its_landmarks_are_wrong() -> None:
    before, solid = photo(), method("solid")
    wrong = Face(MISSED.box, MISSED.landmarks - np.float32([0, 25]), 0.25)
    result = done(before, solid, detector=Eyes((wrong,)))
    hidden = review(before, told(result), Decision(HIDDEN, 2), solid, shown=result.after)
    left, top, right, bottom = np.rint(MISSED.box).astype(int)
    rows, columns = np.mgrid[top:bottom, left:right]
    middle = (
        np.hypot((columns - (left + right) / 2) * 2 / (right - left), (rows - (top + bottom) / 2) * 2 / (bottom - top))
        < 0.8
    )
    assert not hidden.after.pixels[top:bottom, left:right][middle].any()


def test_other_settings_are_tried_and_a_blur_of_the_same_ones_becomes_stronger() -> None:
    before, blur = photo(), method("blur")
    result = done(before, blur, options=blur.Options(radius=20.0), **LAX)
    assert result.status == "verified"
    used = {n: face(result, n).tries[-1].options["radius"] for n in (0, 1)}
    stronger = review(before, told(result), Decision(AGAIN, 0), **LAX)
    assert face(stronger, 0).tries[-1].options["radius"] > used[0]
    squares = review(before, told(result), Decision(AGAIN, 0, recipe=Recipe("pixelate", "pixelate")), **LAX)
    assert (face(squares, 0).method, face(squares, 1).method) == ("pixelate", "blur")
    assert face(squares, 0).details()["tries"][-1]["checkpoint"] == "pixelate"
    kept = review(before, told(squares), None, **LAX)
    assert alike(kept, squares), "what was done by several methods is made by them again"


def test_a_face_is_not_verified_because_another_one_is_tried_by_a_method_that_listens_to_its_judge() -> None:
    before, generator = photo(), Stubborn(idle=0, conditioned_on=("knowing",))
    blind = FakeEmbedder("blind", thresholds={"1e-3": 2.0, "1e-1": 1.9})
    judges: dict[str, Any] = {"embedders": [Stuck("knowing"), blind], "fallback": None}
    result = done(before, method("blur"), **judges)
    assert [one.status for one in result.faces] == ["needs review", "needs review"]
    recipe = Recipe(generator.checkpoint.id, generator.id)
    after = review(before, told(result), Decision(AGAIN, 1, recipe=recipe), generator, **judges)
    assert [one.status for one in after.faces] == ["needs review", "verified"]
    assert "knowing says same person" in (face(after, 0).error or "")
    assert set(face(after, 1).similarity) == {"blind"}


def test_a_face_that_a_person_wants_hidden_is_hidden_and_it_is_said_why() -> None:
    before, generator = photo(), Stubborn(idle=0)
    result = done(before, generator)
    hidden = review(before, told(result), Decision(HIDDEN, 0), generator, shown=result.after)
    assert (face(hidden, 0).status, face(hidden, 0).method, hidden.status) == ("fallback", "solid", "fallback")
    assert face(hidden, 0).notes[0] == "Hidden by solid, because a person decided so."
    later = review(before, told(hidden), Decision(AGAIN, 1), generator, shown=hidden.after)
    assert face(later, 0).notes[0] == "Hidden by solid, because a person decided so."
    assert not near(later.after, 0)[20:30, 20:30].any()


def test_a_face_that_is_kept_brings_nothing_back_of_one_that_is_hidden() -> None:
    before, generator = photo(), Stubborn(idle=0)
    beside = Face(FACES[0].box + [25, 0, 25, 0], FACES[0].landmarks + np.float32([25, 0]))
    result = done(before, generator, (FACES[0], beside))
    hidden = review(before, told(result), Decision(HIDDEN, 0), generator, shown=result.after)
    assert face(hidden, 0).status == "fallback"
    left, top, right, bottom = FACES[0].box.round().astype(int)
    both = hidden.after.pixels[top + 15 : bottom - 15, left + 30 : right - 5]
    assert both.size and not both.any(), "the block covers what both faces share"


def test_a_face_that_was_hidden_by_the_fallback_is_not_verified_when_another_is_reviewed() -> None:
    before, generator, squares = photo(), Stubborn(idle=99), method("pixelate")
    judge: Any = {**LAX, "fallback": squares}
    result = done(before, generator, tries=1, **judge)
    assert [one.status for one in result.faces] == ["fallback", "fallback"]
    same = review(before, told(result), None, generator, shown=result.after, **judge)
    assert [one.status for one in same.faces] == ["fallback", "fallback"]
    assert face(same, 0).notes[0].startswith("Hidden by pixelate, because it was not verified")


def test_what_is_left_as_it_is_is_never_called_verified() -> None:
    before, blur = photo(), method("blur")
    weak = done(before, blur, options=blur.Options(radius=1.0), tries=1, fallback=None)
    assert (weak.status, weak.writable) == ("needs review", False)
    one = review(before, told(weak), Decision(LEFT, 0), fallback=None)
    assert ([face.status for face in one.faces], one.writable) == ([LEFT, "needs review"], False)
    both = review(before, told(one), Decision(LEFT, 1), fallback=None)
    assert (both.status, both.writable) == (LEFT, True)
    assert "A person left it as it is, although it is not verified." in (both.error or "")
    assert "says same person" in (face(both, 0).error or "")
    assert alike(both, weak)
    still = review(before, told(both), Decision(HIDDEN, 1))
    assert ([one.status for one in still.faces], still.status) == ([LEFT, "fallback"], LEFT)


def test_a_face_that_failed_and_is_left_shows_the_original() -> None:
    before, broken = photo(), Stubborn(idle=0, fails=range(99))
    failed = done(before, broken, FACES[:1], tries=1, fallback=None)
    left = review(before, told(failed), Decision(LEFT, 0), broken, fallback=None)
    assert (left.status, left.writable, face(left, 0).error) == (
        LEFT,
        True,
        "A person left it as it is: it is not changed.",
    )
    assert np.array_equal(left.after.pixels, before.pixels)


@pytest.mark.parametrize(("how", "status", "decisions"), [(LEFT, LEFT, (LEFT,)), (HIDDEN, "verified", (HIDDEN,))])
def test_a_possible_missed_face_is_decided_on(how: str, status: str, decisions: tuple[str, ...]) -> None:
    before = photo()
    result = done(before, method("solid"), detector=Eyes([MISSED]))
    assert result.status == "needs review"
    record = told(result)
    assert len(faces_of(record)) == 3
    after = review(before, record, Decision(how, 2), detector=Eyes([MISSED]))
    assert (after.missed, face(after, 2).decisions) == ((), decisions)
    assert face(after, 2).status in (status, "fallback")
    assert changed_near(before, after.after)[2] == (how == HIDDEN)
    assert told(after)["faces"][2]["decisions"] == list(decisions)
    assert after.status == (LEFT if how == LEFT else "fallback")


def test_what_is_no_face_is_put_back_and_the_face_below_it_is_made_again() -> None:
    before, generator = photo(), Stubborn(idle=0)
    middle = (FACES[0].box[:2] + FACES[0].box[2:]) / 2
    large = Face(
        np.concatenate([middle - 70, middle + 70]).astype(np.float32), (FACES[0].landmarks - middle) * 2 + middle, 0.4
    )
    result = done(before, method("solid"), (large, FACES[0], FACES[2]))
    record = told(result)
    assert not result.after.pixels[60, 30:130].any(), "a block over much more than the face"
    seen = Eyes([large, MISSED])  # the detector is as wrong as before
    put_back = review(before, record, Decision(NOT_A_FACE, 0), generator, shown=result.after, detector=seen)
    first, second = face(put_back, 0), face(put_back, 1)
    assert (first.status, first.error, first.method) == (
        LEFT,
        "A person said that it is not a face: the original photo is shown there.",
        "",
    )
    assert (put_back.status, put_back.writable, first.decisions) == (LEFT, True, (NOT_A_FACE,))
    assert "Face 1: A person said that it is not a face" in (put_back.error or "")
    assert second.status == "verified" and not near(put_back.after, 0)[20:30, 20:30].any()
    alone = done(before, method("solid"), (FACES[0], FACES[2]))
    assert alike(put_back, alone), "nothing of the large block is left"
    assert put_back.missed == (), "what is no face is not a missed one"
    kept = review(before, told(put_back), Decision(AGAIN, 2), shown=put_back.after)
    assert (face(kept, 0).decisions, face(kept, 0).method, face(kept, 0).error) == ((NOT_A_FACE,), "", first.error)
    hidden = review(before, told(put_back), Decision(HIDDEN, 0), shown=put_back.after)
    assert face(hidden, 0).method == "solid" and face(hidden, 0).decisions == (NOT_A_FACE, HIDDEN)


def test_a_face_inside_of_what_is_none_is_still_pointed_out() -> None:
    before = photo()
    large = Face(np.array([40, 20, 390, 180], np.float32), FACES[1].landmarks * 1.1, 0.4)
    result = done(before, method("solid"), (large,))
    inside = Eyes([large, MISSED])
    put_back = review(before, told(result), Decision(NOT_A_FACE, 0), shown=result.after, detector=inside)
    assert put_back.missed == (MISSED,) and put_back.status == "needs review"
    assert np.array_equal(put_back.after.pixels, before.pixels)


def test_a_possible_missed_face_that_is_none_needs_no_review() -> None:
    before = photo()
    result = done(before, method("solid"), detector=Eyes([MISSED]))
    after = review(before, told(result), Decision(NOT_A_FACE, 2), shown=result.after, detector=Eyes([MISSED]))
    assert (after.status, after.missed, face(after, 2).decisions) == (LEFT, (), (NOT_A_FACE,))
    assert np.array_equal(after.after.pixels, result.after.pixels)


def test_a_face_is_added_by_hand() -> None:
    before = photo()
    result = done(before, method("solid"))
    after = review(before, told(result), Decision(ADDED, face=MISSED), shown=result.after)
    assert (after.status, len(after.faces), face(after, 2).decisions) == ("verified", 3, (ADDED,))
    assert changed_near(before, after.after) == [True] * 3
    assert np.array_equal(near(after.after, 0), near(result.after, 0))


def test_a_face_is_added_where_none_was_found() -> None:
    before = photo()
    result = done(before, method("solid"), ())
    assert result.status == "no face"
    after = review(before, told(result), Decision(ADDED, face=FACES[0]), shown=result.after)
    assert (after.status, changed_near(before, after.after)) == ("verified", [True, False, False])


def test_who_was_not_chosen_stays_so() -> None:
    before = photo()
    result = done(before, method("solid"), selected={0})
    after = review(before, told(result), Decision(AGAIN, 0))
    assert [one.status for one in after.faces] == ["verified", "skipped"]


def test_nonsense_is_refused() -> None:
    before = photo()
    record = told(done(before, method("solid")))
    with pytest.raises(UsageError, match="no face 8"):
        review(before, record, Decision(LEFT, 7))
    with pytest.raises(UsageError, match="cannot be read"):
        review(before, {**record, "faces": [{"box": [1, 2, 3, 4]}]}, None)


# ---- files


@pytest.fixture
def run(tmp_path: Path) -> tuple[Item, Settings, Path]:
    """A photo in a folder, blurred; its settings, and the folder of the results."""
    write_picture(tmp_path / "in" / "a.png", picture(190, 400, FACES))
    write_picture(tmp_path / "in" / "b.png", picture(190, 400, FACES, 1))
    settings = Settings(complete(Recipe("blur", "blur", {"radius": 60.0}), method("blur").Options))
    out = tmp_path / "out"
    planned = survey([tmp_path / "in"], out)
    run_batch(
        [tmp_path / "in"],
        out,
        lambda photo, progress: done(photo, method("blur"), options=method("blur").Options(radius=60.0), **LAX),
        report=report_of(out),
        writing=batch.Writing(metadata="strip"),
        journal=Journal(out, settings.to_text()),
    )
    return planned.items[0], settings, out


def renewed(run: tuple[Item, Settings, Path], decision: Decision, **more: Any) -> batch.Outcome:
    item, settings, out = run
    record = next(line for line in read_records(report_of(out)) if line["input"] == str(item.source))

    def work(photo: Photo, shown: Photo | None, progress: Progress) -> Anonymized:
        assert shown is not None
        return review(photo, record, decision, shown=shown, progress=progress, **LAX | more)

    undo = Undo(more.pop("told"), more.pop("most", 0)) if "told" in more else None
    writing, journal = batch.Writing(metadata="strip"), Journal(out, settings.to_text())
    return renew(item, work, Books(journal, report_of(out)), writing, undo=undo)


@pytest.mark.parametrize("back", [False, True])
def test_a_crash_in_between_leaves_no_line_that_claims_what_is_not_there_any_more(
    run: tuple[Item, Settings, Path], back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, settings, out = run
    stood: list[Any] = []
    if back:
        renewed(run, Decision(HIDDEN, 0), told=lambda *how: stood.append(how), most=1 << 30)
    before = item.target.read_bytes()

    class Crash(BaseException):
        pass

    really, calls = renewing.renew_record, []

    def crashing(report: Path, record: dict[str, Any]) -> None:
        calls.append(record)
        if len(calls) > 1:
            raise Crash
        really(report, record)

    monkeypatch.setattr(renewing, "renew_record", crashing)
    with pytest.raises(Crash):
        if back:
            ((standing, trace),) = stood
            bring_back(item, standing, trace, Books(Journal(out, settings.to_text()), report_of(out)))
        else:
            renewed(run, Decision(NOT_A_FACE, 0))
    assert item.target.read_bytes() != before, "the result is another one"
    record = line_of(run)
    assert (record["status"], record["faces"]) == ("failed", []) and "being done again" in record["error"]
    assert "being done again" in report_of(out).with_suffix(".html").read_text()


def line_of(run: tuple[Item, Settings, Path]) -> dict[str, Any]:
    """What the report says of the photo."""
    item, _, out = run
    return next(line for line in read_records(report_of(out)) if line["input"] == str(item.source))


class Crash(BaseException):
    """As if Face Studio ended; what a journal wrote is on the disk by then (tests/crashing.py)."""


def crashed(run: tuple[Item, Settings, Path], moment: str, stood: list[Any]) -> None:
    """Hide a face, or bring back how the photo `stood`, and end in the middle of that: when the report says nothing of the photo
    any more (`said`), when the journal knows the other result (`entered`), or when that is in place, too (`named`)."""
    item, settings, out = run
    reports = count(1)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Crash):

        def instead(of: Any, name: str, here: Any) -> None:
            really = getattr(of, name)

            def call(*args: Any, **how: Any) -> Any:
                if here(*args) == moment:
                    raise Crash
                return really(*args, **how)

            patch.setattr(of, name, call)

        for name in ("write", "put"):
            instead(Journal, name, lambda *_: "said")
        instead(os, "replace", lambda _, target: "entered" if target == item.target else "")
        instead(renewing, "renew_record", lambda *_: "named" if next(reports) == 2 else "")
        for standing, trace in stood:
            bring_back(item, standing, trace, Books(Journal(out, settings.to_text()), report_of(out)))
        renewed(run, Decision(HIDDEN, 0))


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("moment", ["said", "entered", "named"])
def test_after_a_crash_while_a_photo_is_done_again_what_is_true_is_said_without_a_run(
    run: tuple[Item, Settings, Path], moment: str, back: bool
) -> None:
    item, settings, out = run
    stood: list[Any] = []
    if back:
        renewed(run, Decision(HIDDEN, 0), told=lambda *how: stood.append(how), most=1 << 30)
    before, line, journal = item.target.read_bytes(), line_of(run), Journal(out, settings.to_text())
    crashed(run, moment, stood)
    assert "being done again" in line_of(run)["error"]
    assert (item.target.read_bytes() != before) == (moment == "named")
    settle(Books(journal, report_of(out)))
    with journal:
        assert journal.state(item.source, item.target) == DONE
        assert journal.record(item.source)["faces"] == line_of(run)["faces"]
    assert (line_of(run) == line) == (moment != "named")
    hidden = back != (moment == "named")
    assert line_of(run)["faces"][0].get("decisions", []) == ([HIDDEN] if hidden else [])
    assert "being done again" not in report_of(out).with_suffix(".html").read_text()
    as_it_is = report_of(out).read_bytes()
    settle(Books(journal, report_of(out)))
    assert report_of(out).read_bytes() == as_it_is, "that is said once"


def test_after_a_crash_and_a_change_by_somebody_a_person_must_look(run: tuple[Item, Settings, Path]) -> None:
    item, settings, out = run
    journal = Journal(out, settings.to_text())
    crashed(run, "entered", [])
    item.target.write_bytes(item.target.read_bytes() + b"more")
    settle(Books(journal, report_of(out)))
    assert line_of(run)["status"] == "needs review"
    assert "neither the earlier result nor the new one" in line_of(run)["error"]
    with journal:
        assert journal.state(item.source, item.target) == DAMAGED, "so it is made anew when the run goes on"


def test_after_a_crash_what_is_taken_away_is_to_be_made(run: tuple[Item, Settings, Path]) -> None:
    item, settings, out = run
    crashed(run, "said", [])
    item.target.unlink()
    settle(Books(Journal(out, settings.to_text()), report_of(out)))
    assert line_of(run)["status"] == "failed" and "its result is not there" in line_of(run)["error"]


def everything(run: tuple[Item, Settings, Path]) -> dict[str, Any]:
    """All that a decision changes: files with their times, report, table and page, and the journal's entry."""
    item, settings, out = run
    files = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in sorted(out.iterdir())}
    tables = {path.name: path.read_bytes() for path in sorted(out.parent.glob("out-report.*"))}
    with Journal(out, settings.to_text()) as journal:
        return {
            **files,
            **tables,
            "entry": journal.entry(item.source),
            "state": journal.state(item.source, item.target),
        }


def test_result_journal_and_report_are_renewed_together(run: tuple[Item, Settings, Path]) -> None:
    item, settings, out = run
    source, other = item.source.read_bytes(), (out / "b.png").read_bytes()
    outcome = renewed(run, Decision(HIDDEN, 0))
    assert (outcome.status, outcome.output) == ("fallback", item.target)
    assert not near(Photo.open(item.target), 0)[20:30, 20:30].any()
    with Journal(out, settings.to_text()) as journal:
        assert journal.state(item.source, item.target) == DONE
        assert journal.record(item.source)["faces"][0]["decisions"] == [HIDDEN]
        assert Settings.from_text(journal.settings(item.source)) == settings
    first, second = read_records(report_of(out))
    assert (first["status"], second["status"]) == ("fallback", "verified")
    with report_of(out).with_suffix(".csv").open(newline="") as file:
        assert [row["face status"] for row in csv.DictReader(file)] == ["fallback", "verified", "verified", "verified"]
    assert (item.source.read_bytes(), (out / "b.png").read_bytes()) == (source, other)


def test_a_decision_is_taken_back_exactly_and_taken_again(run: tuple[Item, Settings, Path]) -> None:
    item, settings, out = run
    write_tables(report_of(out))
    first = everything(run)
    changes: list[Any] = []
    for decision in (Decision(HIDDEN, 0), Decision(HIDDEN, 1)):
        renewed(run, decision, told=lambda *change: changes.append(change), most=10**9)
    third = everything(run)
    journal = Journal(out, settings.to_text())
    (before, trace), (between, last) = changes
    redo_last = bring_back(item, between, last, Books(journal, report_of(out)))
    second = everything(run)
    redo_first = bring_back(item, before, trace, Books(journal, report_of(out)))
    assert everything(run) == first != second != third
    assert set(first) == {
        "a.png",
        "b.png",
        "entry",
        "state",
        *(f"out-report.{end}" for end in ("csv", "html", "jsonl")),
    }
    bring_back(item, redo_first, before.trace, Books(journal, report_of(out)))
    assert everything(run) == second
    bring_back(item, redo_last, between.trace, Books(journal, report_of(out)))
    assert everything(run) == third


def test_what_was_not_written_before_is_taken_away_again(run: tuple[Item, Settings, Path]) -> None:
    item, settings, out = run
    item.target.unlink()
    with Journal(out, settings.to_text()) as journal:
        record = journal.record(item.source) | {"output": None, "status": "needs review"}
        journal.write(item.source, record)
    lines = [record if line["input"] == str(item.source) else line for line in read_records(report_of(out))]
    write_records(report_of(out), lines)
    write_tables(report_of(out))
    first, changes = everything(run), []

    def work(photo: Photo, shown: Photo | None, progress: Progress) -> Anonymized:
        return review(photo, record, Decision(HIDDEN, 0), shown=shown, **LAX)

    undo = Undo(lambda *change: changes.append(change), 10**9)
    renew(item, work, Books(Journal(out, settings.to_text()), report_of(out)), batch.Writing(), undo=undo)
    ((before, trace),) = changes
    assert item.target.exists() and before.content is None
    bring_back(item, before, trace, Books(Journal(out, settings.to_text()), report_of(out)))
    assert everything(run) == first and not item.target.exists()


@pytest.mark.parametrize("how", ["another picture", "gone", "another run"])
def test_what_somebody_changed_since_is_not_taken_back(run: tuple[Item, Settings, Path], how: str) -> None:
    item, settings, out = run
    changes: list[Any] = []
    renewed(run, Decision(HIDDEN, 0), told=lambda *change: changes.append(change), most=10**9)
    if how == "another picture":
        item.target.write_bytes((out / "b.png").read_bytes())
    elif how == "gone":
        item.target.unlink()
    else:
        with Journal(out, "other settings") as journal:
            journal.write(item.source, {"status": "verified"}, item.target, "0" * 64)
    now, ((before, trace),) = everything(run), changes
    with pytest.raises(UsageError, match="not as that decision left it"):
        bring_back(item, before, trace, Books(Journal(out, settings.to_text()), report_of(out)))
    assert everything(run) == now


@pytest.mark.parametrize("end", [".csv", ".html", ".jsonl"])
def test_where_a_report_cannot_be_made_all_stays_as_it_was(run: tuple[Item, Settings, Path], end: str) -> None:
    item, settings, out = run
    changes: list[Any] = []
    renewed(run, Decision(HIDDEN, 0), told=lambda *change: changes.append(change), most=10**9)
    foreign, record = report_of(out).with_suffix(end), next(read_records(report_of(out)))
    foreign.write_text("my own notes")
    now, ((before, trace),) = everything(run), changes

    def work(photo: Photo, shown: Photo | None, progress: Progress) -> Anonymized:
        return review(photo, record, Decision(HIDDEN, 1), shown=shown, **LAX)

    with pytest.raises(UsageError, match="is not a report and would be overwritten"):
        renew(item, work, Books(Journal(out, settings.to_text()), report_of(out)), batch.Writing())
    assert everything(run) == now
    with pytest.raises(UsageError, match="is not a report and would be overwritten"):
        bring_back(item, before, trace, Books(Journal(out, settings.to_text()), report_of(out)))
    assert everything(run) == now


def test_how_a_large_result_stood_is_not_kept(run: tuple[Item, Settings, Path]) -> None:
    changes: list[Any] = []
    size = run[0].target.stat().st_size
    renewed(run, Decision(HIDDEN, 0), told=lambda *change: changes.append(change), most=size - 1)
    assert changes[0][0] is None and changes[0][1][0]


def test_who_stops_when_the_result_is_written_still_has_it_reported(run: tuple[Item, Settings, Path]) -> None:
    item, settings, out = run
    progress = Progress()
    record = next(read_records(report_of(out)))

    def work(photo: Photo, shown: Photo | None, inside: Progress) -> Anonymized:
        result = review(photo, record, Decision(HIDDEN, 0), shown=shown, **LAX)
        progress.cancel()
        return result

    renew(item, work, Books(Journal(out, settings.to_text()), report_of(out)), batch.Writing(), progress=progress)
    assert next(read_records(report_of(out)))["faces"][0]["decisions"] == [HIDDEN]


def test_what_is_left_stands_in_table_and_page(run: tuple[Item, Settings, Path]) -> None:
    item, _, out = run
    record = next(read_records(report_of(out)))
    record["possible_missed_faces"] = [
        {"box": MISSED.box.tolist(), "landmarks": MISSED.landmarks.tolist(), "score": 0.25}
    ]

    def work(photo: Photo, shown: Photo | None, progress: Progress) -> Anonymized:
        return review(photo, record, Decision(LEFT, 2), shown=shown, **LAX)

    outcome = renew(item, work, Books(Journal(out, run[1].to_text()), report_of(out)), batch.Writing())
    assert outcome.status == LEFT
    page = report_of(out).with_suffix(".html").read_text()
    assert "Left as they are by a person, unverified" in page
    assert "left as is" in report_of(out).with_suffix(".csv").read_text()


def test_a_result_that_must_not_be_written_leaves_the_earlier_one(run: tuple[Item, Settings, Path]) -> None:
    item, _, out = run
    before = item.target.read_bytes(), report_of(out).read_bytes()
    weak = Decision(AGAIN, 0, recipe=Recipe("blur", "blur", {"radius": 1.0}))
    with pytest.raises(FaceStudioError, match="earlier result stays"):
        renewed(run, weak, fallback=None, tries=1, embedders=[FakeEmbedder()])
    assert (item.target.read_bytes(), report_of(out).read_bytes()) == before


def test_what_another_run_left_there_is_not_taken_for_the_result(run: tuple[Item, Settings, Path]) -> None:
    item, _, out = run
    weak = Settings(complete(Recipe("blur", "blur", {"radius": 1.0}), method("blur").Options), fallback="none")
    options = method("blur").Options(radius=1.0)
    run_batch(
        [item.source],
        out,
        lambda photo, progress: done(photo, method("blur"), options=options, tries=1, fallback=None),
        report=report_of(out),
        writing=batch.Writing(overwrite=True),
        planned=Plan((item,)),
        journal=Journal(out, weak.to_text()),
    )
    (record,) = read_records(report_of(out))
    assert record["status"] == "needs review" and item.target.exists(), "the first run's"
    given: list[Photo | None] = []

    def work(photo: Photo, shown: Photo | None, progress: Progress) -> Anonymized:
        given.append(shown)
        return review(photo, record, Decision(HIDDEN, 0), shown=shown, fallback=None)

    with pytest.raises(FaceStudioError, match="earlier result stays"):
        renew(item, work, Books(Journal(out, weak.to_text()), report_of(out)), batch.Writing())
    assert given == [None]

    album: list[Path] = []
    people: Any = type(
        "Album",
        (),
        {
            "look": lambda *_: None,
            "assign": lambda *_: None,
            "people": 1,
            "keep": lambda _, path, record: album.append(path),
        },
    )()
    find: Any = None
    ensemble = Ensemble(Studio("cpu"), "starter-redraw", Secret())
    ensemble.album = people
    assert ensemble.gather(Plan((item,)), find, Progress(), Journal(out, weak.to_text())).startswith("1 person was")
    assert not album, "whom they became in what was not written is nobody's to keep"


def test_a_photo_that_is_another_one_by_now_is_not_gone_on_with(run: tuple[Item, Settings, Path]) -> None:
    item, settings, out = run
    with pytest.raises(UsageError, match="other settings"):
        renewed((item, replace(settings, tries=9), out), Decision(HIDDEN, 0))
    write_picture(item.source, picture(190, 400, FACES, 5))
    with pytest.raises(UsageError, match="another one by now"):
        renewed(run, Decision(HIDDEN, 0))


def test_settings_are_the_same_line_whoever_says_them() -> None:
    options = method("blur").Options
    said = complete(Recipe("blur", "blur", {"radius": 60}), options)
    assert (
        Settings(said).to_text()
        == Settings(complete(Recipe("blur", "blur", {"radius": 60.0, "area": "face"}), options)).to_text()
    )
    assert Settings.from_text(Settings(said, box=("1,2,3,4",)).to_text()).box == ("1,2,3,4",)
    assert Settings(said, fallback="none").hiding is None
    with pytest.raises(UsageError, match="not the settings"):
        Settings.from_text('{"recipe": 3}')


def test_a_report_is_renewed_whole_and_nothing_else_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    with ReportFile(path) as report:
        report.write({"input": "a", "status": "x"})
        report.write({"input": "b", "status": "x"})
    renew_record(path, {"input": "a", "status": "y"})
    renew_record(path, {"input": "c", "status": "z"})
    assert [(r["input"], r["status"]) for r in read_records(path)] == [("a", "y"), ("b", "x"), ("c", "z")]
    foreign = tmp_path / "notes.txt"
    foreign.write_text("notes")
    with pytest.raises(UsageError, match="not a report"):
        renew_record(foreign, {"input": "a"})
