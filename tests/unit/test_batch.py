from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facestudio import batch
from facestudio.errors import DiskFull, NoFaceFound, UnwritableOutput, UsageError
from facestudio.faces.judging import Judges
from facestudio.journal import Journal
from facestudio.photo import Photo
from facestudio.pipeline import restore
from facestudio.planning import as_written
from facestudio.progress import Cancelled, Progress
from facestudio.reporting import ReportFile, report_of
from facestudio.results import Result
from facestudio.subject import Subject
from tests.batches import run_batch
from tests.fakes import FakeEmbedder, SlowRestorer, face_at, picture, write_picture

FACE = face_at(70, 60, 90)


def work(photo: Photo, progress: Progress) -> Result:
    """Restores one face of every photo; photos called "empty" have none."""
    if photo.path is not None and photo.path.stem == "empty":
        raise NoFaceFound("No face was found in this photo.", hint="Try another one.")
    return restore(Subject(photo, (FACE,)), SlowRestorer(), judges=Judges([FakeEmbedder()]), progress=progress)


def shot(path: Path, seed: int = 0) -> Path:
    return write_picture(path, picture(130, 150, [FACE], seed))


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Six files below `album`: three sound photos, one without a face, one damaged, one that is no photo."""
    folder = tmp_path / "album"
    shot(folder / "a.png", 1)
    shot(folder / "empty.png", 2)
    shot(folder / "summer" / "b.jpg", 3)
    shot(folder / "summer" / "deep" / "c.webp", 4)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 this is no picture")
    (folder / "notes.txt").write_text("not a photo")
    shot(folder / ".hidden" / "d.png", 5)
    return folder


def records(report: Path) -> dict[str, dict]:
    lines = report.read_text(encoding="utf-8").splitlines()
    return {Path(record["input"]).name: record for record in map(json.loads, lines)}


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_comes_out_as_the_same_tree_and_one_bad_file_stops_nothing(album: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "reports" / "run.jsonl"
    told: list[str] = []
    outcomes = run_batch([album], out, work, report=report, done=lambda outcome: told.append(outcome.source.name))
    assert written(out) == {"a.png", "summer/b.jpg", "summer/deep/c.webp"}
    status = {outcome.source.name: outcome.status for outcome in outcomes}
    assert status == {"a.png": "ok", "broken.jpg": "failed", "empty.png": "skipped", "b.jpg": "ok", "c.webp": "ok"}
    assert told == [outcome.source.name for outcome in outcomes]
    assert set(records(report)) == set(status)


def test_the_report_is_complete(album: Path, tmp_path: Path) -> None:
    report = tmp_path / "run.jsonl"
    run_batch([album], tmp_path / "out", work, report=report)
    found = records(report)
    keys = {"input", "output", "status", "error", "seconds", "recipe", "faces"}
    assert all(set(record) == keys for record in found.values())
    good, bad, empty = found["b.jpg"], found["broken.jpg"], found["empty.png"]
    assert good["output"] == str(tmp_path / "out" / "summer" / "b.jpg")
    assert good["error"] is None
    assert good["seconds"] >= 0
    assert good["recipe"]["checkpoint"] == "slow-checkpoint"
    (face,) = good["faces"]
    assert np.allclose(face["landmarks"], FACE.landmarks, atol=0.01)
    assert np.allclose(face["box"], FACE.box, atol=0.01)
    assert face["score"] == pytest.approx(0.9)
    assert set(face["similarity"]) == set(face["threshold"]) == {"fake-embedder"}
    assert face["threshold"]["fake-embedder"] == pytest.approx(0.8)
    assert face["verdict"] == "changed"
    for record in (bad, empty):
        assert (record["output"], record["recipe"], record["faces"]) == (None, None, [])
        assert record["error"]
    assert empty["status"] == "skipped"


def test_each_line_is_on_disk_before_the_next_photo_starts(album: Path, tmp_path: Path) -> None:
    report = tmp_path / "run.jsonl"
    seen: list[int] = []

    def counting(photo: Photo, progress: Progress) -> Result:
        seen.append(len(report.read_text().splitlines()))
        return work(photo, progress)

    run_batch([album], tmp_path / "out", counting, report=report)
    assert seen == [0, 2, 3, 4]  # the damaged file, between the first and the second, never comes to the work


def test_out_inside_of_an_input_is_refused_and_nothing_is_written(album: Path) -> None:
    before = written(album)
    (album / "link").symlink_to(album / "summer")
    for out in (album, album / "out", album / "summer" / ".." / "out", album / "link" / "out"):
        with pytest.raises(UsageError, match="inside the input folder"):
            run_batch([album], out, work, report=album.parent / "r.jsonl")
    (album / "link").unlink()
    assert written(album) == before
    assert not (album.parent / "r.jsonl").exists()


def test_no_result_lies_among_the_photos(album: Path, tmp_path: Path) -> None:
    """Neither where a folder in the folder is called as that is, nor through a link: the next run would take it for a photo."""
    inner = album / album.name
    inner.mkdir()
    shot(inner / "deep.png")
    with pytest.raises(UsageError, match="which is inside the input folder"):
        batch.survey([album], album.parent)
    out = tmp_path / "elsewhere"
    out.mkdir()
    (out / album.name).symlink_to(album / "summer")
    with pytest.raises(UsageError, match="which is inside the input folder"):
        batch.survey([album], out)
    (out / album.name).unlink()
    assert batch.survey([album], out).items


def test_an_existing_output_is_an_error_without_overwrite(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    old = shot(out / "a.png", 77).read_bytes()
    worked: list[Path | None] = []

    def noting(photo: Photo, progress: Progress) -> Result:
        worked.append(photo.path)
        return work(photo, progress)

    outcomes = {o.source.name: o for o in run_batch([album], out, noting)}
    assert outcomes["a.png"].status == "failed"
    assert "exists already" in (outcomes["a.png"].error or "")
    assert "--overwrite" in outcomes["a.png"].hint
    assert (out / "a.png").read_bytes() == old
    assert album / "a.png" not in worked
    assert outcomes["b.jpg"].status == "ok"
    again = {o.source.name: o.status for o in run_batch([album], out, work, writing=batch.Writing(overwrite=True))}
    assert again["a.png"] == again["b.jpg"] == "ok"
    assert (out / "a.png").read_bytes() != old


def test_inputs_are_never_replaced_even_when_asked_to(tmp_path: Path) -> None:
    a = shot(tmp_path / "a.png")
    before = a.read_bytes()
    (outcome,) = run_batch([a], tmp_path, work, writing=batch.Writing(overwrite=True))
    assert outcome.status == "failed"
    assert "replace an input" in (outcome.error or "")
    assert a.read_bytes() == before


def test_two_inputs_with_one_output_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one, two = shot(tmp_path / "x" / "a.png", 1), shot(tmp_path / "y" / "a.png", 2)
    first, second = run_batch([one, two], tmp_path / "out", work, writing=batch.Writing(overwrite=True))
    assert (first.status, second.status) == ("ok", "failed")
    assert "Another input" in (second.error or "")


@pytest.mark.parametrize(("first", "second"), [("a.png", "A.PNG"), ("\u00fc.png", "u\u0308.png")])
def test_where_two_names_are_one_file_the_second_input_does_not_replace_the_result_of_the_first(
    tmp_path: Path, first: str, second: str
) -> None:
    inputs, out = [shot(tmp_path / "x" / first), shot(tmp_path / "y" / second, 9)], tmp_path / "out"

    def other_name(outcome: batch.Outcome) -> None:
        """What a file system does that ignores case, or how letters are composed."""
        if outcome.source == inputs[0] and not (out / second).exists():
            os.link(out / first, out / second)

    made, refused = run_batch(inputs, out, work, writing=batch.Writing(overwrite=True), done=other_name)
    assert (made.status, refused.status) == ("ok", "failed") and "Another input" in (refused.error or "")
    assert (out / second).samefile(out / first)


def test_one_photo_may_name_its_file_and_a_format(tmp_path: Path) -> None:
    a = shot(tmp_path / "a.png")
    (named,) = run_batch([a], tmp_path / "new" / "better.jpg", work)
    assert (named.status, named.output) == ("ok", tmp_path / "new" / "better.jpg")
    assert (tmp_path / "new" / "better.jpg").read_bytes()[:2] == b"\xff\xd8"
    (other,) = run_batch([a], tmp_path / "out", work, writing=batch.Writing("webp"))
    assert other.output == tmp_path / "out" / "a.webp"
    assert other.output.read_bytes()[8:12] == b"WEBP"
    a.rename(tmp_path / "scan.2024")
    assert batch.plan([tmp_path / "scan.2024"], tmp_path / "out", "png")[0].target.name == "scan.2024.png"


def test_plans_that_make_no_sense_are_refused(album: Path, tmp_path: Path) -> None:
    (tmp_path / "hollow").mkdir()
    a = album / "a.png"
    (tmp_path / "file").write_text("")
    for inputs, out, format, words in [
        ([], tmp_path / "out", None, "at least one"),
        ([tmp_path / "hollow"], tmp_path / "out", None, "no photo in"),
        ([a], tmp_path / "out", "docx", "not known"),
        ([a], tmp_path / "out.jpg", "png", "contradicts"),
        ([album], tmp_path / "file", None, "is a file"),
        ([a, a], tmp_path / "out.jpg", None, "looks like a single photo"),
        ([album], tmp_path / "out.jpg", None, "looks like a single photo"),
    ]:
        with pytest.raises(UsageError, match=words):
            batch.plan(inputs, out, format)


def test_a_name_that_is_not_there_fails_alone(tmp_path: Path) -> None:
    sound = shot(tmp_path / "a.png")
    gone, good = run_batch([tmp_path / "gone.png", sound], tmp_path / "out", work)
    assert (gone.status, good.status) == ("failed", "ok")
    assert gone.error


def test_links_to_folders_are_not_followed(album: Path) -> None:
    (album / "summer" / "loop").symlink_to(album)
    assert len(batch.find_photos(album)) == 5


def test_a_report_that_would_hit_a_photo_or_cannot_be_written_is_refused(album: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="looks like a photo"):
        run_batch([album], tmp_path / "out", work, report=tmp_path / "report.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableOutput, match="cannot be written"):
        run_batch([album], tmp_path / "out", work, report=tmp_path / "file" / "report.jsonl")
    notes = tmp_path / "notes.txt"
    notes.write_text("not a report")
    with pytest.raises(UsageError, match="would be overwritten"):
        run_batch([album], tmp_path / "out", work, report=notes)
    assert notes.read_text() == "not a report"
    own = tmp_path / "own.json"
    own.write_text('{"mine": "and nowhere else"}')
    with pytest.raises(UsageError, match="would be overwritten"):
        run_batch([album], tmp_path / "out", work, report=own)
    assert own.read_text() == '{"mine": "and nowhere else"}'
    assert not (tmp_path / "out").exists()


def test_a_report_is_called_by_the_whole_name_of_its_folder_before_that_is_made_too(tmp_path: Path) -> None:
    out = tmp_path / "scans.2024"
    before = report_of(out)
    out.mkdir()
    assert before == report_of(out) == tmp_path / "scans.2024-report.jsonl"
    assert report_of(tmp_path / "one.png") == tmp_path / "one-report.jsonl"


def test_a_report_goes_on_when_there_is_room_again_whether_the_disk_was_full_or_a_quota_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code in (errno.ENOSPC, errno.EDQUOT):
        with ReportFile(tmp_path / "run.jsonl") as report:
            assert report._file is not None
            full = SimpleNamespace(
                seek=report._file.seek, truncate=report._file.truncate, close=report._file.close, write=_raising(code)
            )
            monkeypatch.setattr(report, "_file", full)
            with pytest.raises(DiskFull):
                report.write({"input": "a"})


def _raising(code: int) -> Any:
    def write(data: bytes) -> int:
        raise OSError(code, os.strerror(code))

    return write


def test_cancel_keeps_what_was_finished(album: Path, tmp_path: Path) -> None:
    progress = Progress()
    with pytest.raises(Cancelled):
        report = tmp_path / "r.jsonl"
        run_batch([album], tmp_path / "out", work, progress=progress, report=report, done=lambda _: progress.cancel())
    assert written(tmp_path / "out") == {"a.png"}
    told = records(tmp_path / "r.jsonl")
    assert told["a.png"]["status"] == "ok"
    others = {name: record for name, record in told.items() if name != "a.png"}
    assert len(others) == len(batch.survey([album], tmp_path / "out").items) - 1
    assert {record["status"] for record in others.values()} == {"not reached"}
    assert {record["error"] for record in others.values()} == {"The run was stopped before this photo was done."}


def test_of_what_a_continued_run_did_not_reach_the_report_says_that_an_earlier_result_was_not_checked(
    album: Path, tmp_path: Path
) -> None:
    out, report, progress = tmp_path / "out", tmp_path / "r.jsonl", Progress()
    resumed(album, out)
    with pytest.raises(Cancelled):
        resumed(album, out, progress=progress, done=lambda _: progress.cancel(), report=report)
    missing = [record for record in records(report).values() if record["status"] == "not reached"]
    assert missing and all(
        "was not checked" in record["error"] for record in missing if record["input"].endswith("b.jpg")
    )
    assert len(records(report)) == len(batch.survey([album], out).items)


def test_a_run_that_is_stopped_while_its_report_has_no_room_does_not_deny_what_was_done(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress, full, write = Progress(), [True], ReportFile.write

    def crowded(report: ReportFile, record: dict[str, Any]) -> None:
        if full and record["status"] == "ok":
            raise DiskFull("The disk is full.")
        write(report, record)

    def waiting(disk: DiskFull) -> None:
        full.clear()
        progress.cancel()

    monkeypatch.setattr(ReportFile, "write", crowded)
    report = tmp_path / "r.jsonl"
    with pytest.raises(Cancelled):
        run_batch([album], tmp_path / "out", work, progress=progress, report=report, waiting=waiting)
    assert written(tmp_path / "out") == {"a.png"} and records(report)["a.png"]["status"] == "ok"


def test_a_partial_result_is_written_and_says_so(tmp_path: Path) -> None:
    a = write_picture(tmp_path / "a.png", picture(130, 300, [FACE, face_at(220, 60, 90)]))

    def half(photo: Photo, progress: Progress) -> Result:
        return restore(Subject(photo, (FACE, face_at(220, 60, 90))), SlowRestorer(fails=[0]), progress=progress)

    told: list[batch.Outcome] = []
    (outcome,) = run_batch([a], tmp_path / "out", half, done=told.append)
    assert outcome.status == "partial"
    assert outcome.output == tmp_path / "out" / "a.png"
    assert told[0].record()["faces"][0]["error"] == "Call 0 was told to fail."


def test_a_photo_whose_every_face_failed_is_not_written(tmp_path: Path) -> None:
    def none(photo: Photo, progress: Progress) -> Result:
        return restore(Subject(photo, (FACE,)), SlowRestorer(fails=[0]), progress=progress)

    (outcome,) = run_batch([shot(tmp_path / "a.png")], tmp_path / "out", none)
    assert (outcome.status, outcome.output) == ("failed", None)
    assert not (tmp_path / "out").exists()


def test_results_do_not_depend_on_the_place_in_the_batch(album: Path, tmp_path: Path) -> None:
    run_batch([album], tmp_path / "all", work)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(album / "summer" / "b.jpg", alone / "b.jpg")
    run_batch([alone], tmp_path / "one", work)
    written_twice = (tmp_path / "one" / "b.jpg", tmp_path / "all" / "summer" / "b.jpg")
    one, many = (Photo.open(path).pixels for path in written_twice)
    assert np.array_equal(one, many)


# ---- going on after a crash


def resumed(album: Path, out: Path, settings: str = "negative", **more: Any) -> dict[str, batch.Outcome]:
    journal = Journal(out, settings)
    more = {"resume": True, **more}
    return {o.source.name: o for o in run_batch([album], out, work, journal=journal, **more)}


def test_a_run_goes_on_where_it_was_stopped_and_its_report_is_whole(album: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "r.jsonl"
    progress = Progress()
    with pytest.raises(Cancelled):
        resumed(album, out, progress=progress, done=lambda outcome: progress.cancel())
    before = {path: path.stat() for path in out.rglob("*.*")}
    assert len(before) == 1
    outcomes = resumed(album, out, report=report)
    assert outcomes["a.png"].earlier is not None and outcomes["b.jpg"].earlier is None
    assert {name: outcome.status for name, outcome in outcomes.items()} == {
        **{"a.png": "ok", "b.jpg": "ok", "c.webp": "ok"},
        **{"broken.jpg": "failed", "empty.png": "skipped"},
    }
    for path, was in before.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
    assert set(records(report)) == set(outcomes)
    assert records(report)["a.png"]["faces"][0]["status"] == "restored"


def test_that_a_photo_failed_is_remembered_and_it_is_tried_again(album: Path, tmp_path: Path) -> None:
    out, broken = tmp_path / "out", album / "broken.jpg"
    run_batch([album], out, work, journal=Journal(out, "s"))
    with Journal(out, "s") as journal:
        assert journal.state(broken, out / "broken.jpg") == "failed"
        assert journal.record(broken)["error"] and journal.record(broken)["output"] is None
    shot(broken, 9)
    outcomes = run_batch([album], out, work, journal=Journal(out, "s"), resume=True)
    assert {one.source.name: one.status for one in outcomes if one.earlier is None} == {
        "broken.jpg": "ok",
        "empty.png": "skipped",
    }


def test_a_failure_makes_nothing_forgotten_that_is_known_of_a_result(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_batch([album / "a.png"], out, work, journal=Journal(out, "s"))
    (refused,) = run_batch([album / "a.png"], out, work, journal=Journal(out, "others"))
    assert refused.status == "failed" and "exists already" in (refused.error or "")
    with Journal(out, "s") as journal:
        assert journal.state(album / "a.png", out / "a.png") == "done"


def test_results_whose_photos_are_no_longer_among_the_inputs_are_reported(album: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "run.jsonl"
    run_batch([album], out, work, journal=Journal(out, "s"), left_over=())
    (album / "a.png").unlink()
    (album / "summer" / "b.jpg").rename(album / "b.jpg")
    settings = {"tries": 4}
    outcomes = run_batch(
        [album], out, work, report=report, journal=Journal(out, "s"), resume=True, left_over=(), settings=settings
    )
    left = {outcome.source.name: outcome for outcome in outcomes if outcome.status == batch.LEFT_OVER}
    assert set(left) == {"a.png", "b.jpg"} and left["a.png"].output == out / "a.png"
    told = [json.loads(line) for line in report.read_text().splitlines()]
    gone = [record for record in told if "no longer among the inputs" in record.get("kept", "")]
    assert [(Path(one["input"]).name, one["status"]) for one in gone] == [("a.png", "ok"), ("b.jpg", "ok")]
    assert [Path(one["input"]).relative_to(album).as_posix() for one in gone] == ["a.png", "summer/b.jpg"]
    moved = next(one for one in told if one["input"] == str(album / "b.jpg"))
    assert (moved["settings"], moved["status"]) == (settings, "ok") and "settings" not in gone[0]
    known = [album / "a.png", album / "summer" / "b.jpg"]  # a run of some of the inputs says which there are besides
    again = run_batch([album], out, work, journal=Journal(out, "s"), resume=True, left_over=known)
    assert not [outcome for outcome in again if outcome.status == batch.LEFT_OVER]
    numbered = batch.Plan((batch.Item(album / "b.jpg", out / "000001.jpg", "000001"),))
    again = run_batch([album], out, work, journal=Journal(out, "s"), planned=numbered, left_over=())
    told = [outcome.record() for outcome in again if outcome.status == batch.LEFT_OVER]
    assert told and {record["input"] for record in told} == {"without a number"}
    (out / "a.png").write_bytes((out / "b.jpg").read_bytes())
    again = run_batch([album], out, work, journal=Journal(out, "s"), resume=True, left_over=())
    assert "no longer as that run wrote it" in next(one.error or "" for one in again if one.source.name == "a.png")


def test_left_over_results_tell_nothing_of_names_where_photos_have_numbers(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.chdir(album)
    run_batch([Path("a.png")], out, work, journal=Journal(out, "s"))  # named without any folder
    items = [batch.Item(album / name, out / f"{n}.png", n) for name, n in (("b.png", "000009"), ("c.png", "000002"))]
    for item in items:
        shot(item.source)
    run_batch([album], out, work, planned=batch.Plan(tuple(items)), journal=Journal(out, "s"))
    now = batch.Plan((batch.Item(album / "summer" / "b.jpg", out / "000001.jpg", "000001"),))
    outcomes = run_batch([album / "summer"], out, work, planned=now, journal=Journal(out, "s"), left_over=())
    told = [outcome.record()["input"] for outcome in outcomes if outcome.status == batch.LEFT_OVER]
    assert told == ["000002", "000009", "without a number"]


def test_a_file_is_believed_by_its_hash_and_not_because_it_exists(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    resumed(album, out)
    good = (out / "a.png").read_bytes()
    (out / "a.png").write_bytes(good[: len(good) // 2])
    (out / "summer" / "b.jpg").unlink()
    outcomes = resumed(album, out)
    assert (out / "a.png").read_bytes() == good and (out / "summer" / "b.jpg").exists()
    assert [name for name, o in outcomes.items() if o.earlier is None and o.status == "ok"] == ["a.png", "b.jpg"]


def test_what_was_made_otherwise_is_not_taken_for_done(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    resumed(album, out)
    other = resumed(album, out, settings="positive")
    assert (other["a.png"].status, "other settings" in (other["a.png"].error or "")) == ("failed", True)
    shot(album / "a.png", 99)
    changed = resumed(album, out)
    assert "a different photo" in (changed["a.png"].error or "") and changed["b.jpg"].earlier is not None
    (again,) = [
        o for o in resumed(album, out, writing=batch.Writing(overwrite=True)).values() if o.source.name == "a.png"
    ]
    assert again.status == "ok" and again.earlier is None


def test_a_photo_that_changes_while_it_is_worked_on_is_not_taken_for_done(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def slow(photo: Photo, progress: Progress) -> Result:
        assert photo.path is not None
        shot(photo.path, 77)  # a newer one comes, from another machine
        return work(photo, progress)

    run_batch([album / "a.png"], out / "a.png", slow, journal=Journal(out / "a.png", "negative"), resume=True)
    (again,) = run_batch(
        [album / "a.png"], out / "a.png", work, journal=Journal(out / "a.png", "negative"), resume=True
    )
    assert again.earlier is None and "a different photo" in (again.error or "")


def test_without_resume_nothing_is_believed_and_the_way_out_is_named(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    resumed(album, out)
    outcomes = resumed(album, out, resume=False)
    assert outcomes["a.png"].status == "failed" and "--resume" in outcomes["a.png"].hint
    assert resumed(album, out)["a.png"].earlier is not None, "the journal of the run before is still there"


def test_two_runs_do_not_write_into_one_folder(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Journal(out, "negative"), pytest.raises(UsageError, match="Another Face Studio is at work"):
        resumed(album, out)
    assert not out.exists()
    assert resumed(album, out)["a.png"].status == "ok"


def test_a_full_disk_is_waited_for(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, full, said = os.fsync, [3], []

    def fsync(descriptor: int) -> None:
        if full[0]:
            full[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(batch, "PATIENCE", 0.001)
    outcomes = resumed(album, tmp_path / "out", waiting=lambda error: said.append(str(error)))
    assert outcomes["a.png"].status == "ok"
    assert len(said) == 3 and "the disk is full" in said[0]
    full[0] = 1
    (failed,) = run_batch([album / "a.png"], tmp_path / "other", work)
    assert failed.status == "failed" and "the disk is full" in (failed.error or "")


def test_on_a_full_disk_no_work_is_done_in_vain(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, room, worked = os.fsync, [0], []

    def fsync(descriptor: int) -> None:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    def counted(photo: Photo, progress: Progress) -> Result:
        worked.append(photo.path)
        return work(photo, progress)

    def done(outcome: batch.Outcome) -> None:
        if len(outcomes) == 3:
            room[0] = 1 << 30  # somebody made room
        outcomes.append(outcome)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=room[0]))
    outcomes: list[batch.Outcome] = []
    photos = [shot(tmp_path / "more" / f"{number}.png", number) for number in range(6)]
    run_batch(photos, tmp_path / "out", counted, done=done)
    assert [outcome.status for outcome in outcomes] == ["failed"] * 4 + ["ok"] * 2
    assert worked == [photos[0], photos[4], photos[5]]
    assert "Nothing was done with 1.png: the disk is full" in (outcomes[1].error or "") and outcomes[1].hint


def test_waiting_for_room_can_be_stopped(album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    progress = Progress()
    with pytest.raises(Cancelled):
        resumed(album, tmp_path / "out", waiting=lambda error: progress.cancel(), progress=progress)
    assert written(tmp_path / "out") == set()


def test_a_result_that_cannot_be_read_back_is_not_kept(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Photo.save

    def cut(self: Photo, path: Path, **settings: Any) -> Path:
        return plain(self.with_pixels(self.pixels) if path.suffix != ".png" else smaller(self), path, **settings)

    def smaller(photo: Photo) -> Photo:
        return Photo.from_pixels(photo.pixels[:-1])

    monkeypatch.setattr(Photo, "save", cut)
    outcomes = resumed(album, tmp_path / "out")
    assert (outcomes["a.png"].status, outcomes["b.jpg"].status) == ("failed", "ok")
    assert "cannot be read back" in (outcomes["a.png"].error or "")
    assert written(tmp_path / "out") == {"summer/b.jpg", "summer/deep/c.webp"}


@pytest.mark.parametrize("by_name", [False, True])
def test_times_are_reset_when_asked(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_name: bool
) -> None:
    if by_name:
        monkeypatch.setattr(os, "supports_fd", os.supports_fd - {os.utime})
    writing = batch.Writing(reset_times=True)
    run_batch([album], tmp_path / "out", work, writing=writing)
    assert {path.stat().st_mtime for path in (tmp_path / "out").rglob("*.*")} == {315532800.0}


def test_progress_counts_photos_and_faces(album: Path, tmp_path: Path) -> None:
    told: list[str] = []
    progress = Progress(lambda update: told.append(update.tally), every=0)
    run_batch([album], tmp_path / "out", work, progress=progress)
    assert list(dict.fromkeys(told))[1:3] == ["0 of 5 photos, 0 faces", "1 of 5 photos, 1 face"]
    assert told[-1] == "4 of 5 photos, 2 faces"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("way", ["nameless", "named"])
def test_killed_at_any_moment_it_loses_nothing_and_does_nothing_twice(tmp_path: Path, way: str) -> None:
    arguments = [str(tmp_path), "12", "4", "7", way]
    done = subprocess.run(
        [sys.executable, "-m", "tests.crashing", *arguments],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=120,
        check=True,
    )
    told = json.loads(done.stdout)
    assert (told["partial"], told["left"], told["twice"], told["wrong"]) == ([], [], [], [])
    assert (told["outputs"], told["statuses"]) == (12, ["ok"])
    assert way == "named" or told["hidden"] == 0


# ---- odd names


def test_odd_names_fail_alone_and_in_words(tmp_path: Path) -> None:
    sound, circle, long = shot(tmp_path / "a.png"), tmp_path / "circle.png", tmp_path / ("x" * 300 + ".png")
    circle.symlink_to(circle)
    outcomes = run_batch([circle, long, sound], tmp_path / "out", work)
    assert [outcome.status for outcome in outcomes] == ["failed", "failed", "ok"]
    assert "circle" in (outcomes[0].error or "")
    assert "too long" in (outcomes[1].error or "")
    with pytest.raises(UsageError, match="too long"):
        run_batch([sound], tmp_path / ("y" * 300), work)


def test_the_outcomes_of_a_folder_do_not_keep_its_photos_in_memory(album: Path, tmp_path: Path) -> None:
    told: list[batch.Outcome] = []
    outcomes = run_batch([album], tmp_path / "out", work, done=told.append)
    assert any(outcome.result is not None for outcome in told)
    assert all(outcome.result is None for outcome in outcomes)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_a_disk_that_fills_up_under_the_report_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput, match="cannot be written"):
        run_batch([shot(tmp_path / "a.png")], tmp_path / "out", work, report=Path("/dev/full"))


def test_a_folder_that_must_not_be_looked_into_is_not_passed_over(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def guarded(path: Any) -> Any:
        if Path(path).name == "summer":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    outcomes = {outcome.source.name: outcome for outcome in run_batch([album], tmp_path / "out", work)}
    assert outcomes["a.png"].status == "ok"
    assert outcomes["summer"].status == "failed"
    assert "permission" in (outcomes["summer"].error or "")
    (outcome,) = run_batch([album / "summer"], tmp_path / "out", work)
    assert "permission" in (outcome.error or "")


def test_a_photo_named_twice_is_done_once(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    photo = folder / "a.png"
    write_picture(photo, picture(130, 150, [FACE]))
    assert [item.source for item in batch.plan([folder, photo, photo], tmp_path / "out")] == [photo]


def test_a_slash_at_the_end_of_the_output_makes_a_folder_for_one_photo(tmp_path: Path) -> None:
    photo = shot(tmp_path / "a.png")
    for name in ("all.png", "all.v", "all.abc"):
        run_batch([photo], as_written(f"{tmp_path / name}/"), work)
    assert written(tmp_path) == {"a.png", "all.png/a.png", "all.v/a.png", "all.abc/a.png"}
