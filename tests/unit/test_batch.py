from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio import batch
from facestudio.errors import NoFaceFound, UnwritableOutput, UsageError
from facestudio.photo import Photo
from facestudio.pipeline import Result, restore
from facestudio.progress import Cancelled, Progress
from tests.fakes import FakeEmbedder, SlowRestorer, face_at, picture, write_picture

FACE = face_at(70, 60, 90)


def work(photo: Photo, progress: Progress) -> Result:
    """Restores one face of every photo; photos called "empty" have none."""
    if photo.path is not None and photo.path.stem == "empty":
        raise NoFaceFound("No face was found in this photo.", hint="Try another one.")
    return restore(photo, (FACE,), SlowRestorer(), embedders=[FakeEmbedder()], progress=progress)


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
    outcomes = batch.run([album], out, work, report=report, done=lambda outcome: told.append(outcome.source.name))
    assert written(out) == {"a.png", "summer/b.jpg", "summer/deep/c.webp"}
    status = {outcome.source.name: outcome.status for outcome in outcomes}
    assert status == {"a.png": "ok", "broken.jpg": "failed", "empty.png": "skipped", "b.jpg": "ok", "c.webp": "ok"}
    assert told == [outcome.source.name for outcome in outcomes]
    assert set(records(report)) == set(status)


def test_the_report_is_complete(album: Path, tmp_path: Path) -> None:
    report = tmp_path / "run.jsonl"
    batch.run([album], tmp_path / "out", work, report=report)
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

    batch.run([album], tmp_path / "out", counting, report=report)
    assert seen == [0, 2, 3, 4]  # the damaged file, between the first and the second, never comes to the work


def test_out_inside_of_an_input_is_refused_and_nothing_is_written(album: Path) -> None:
    before = written(album)
    (album / "link").symlink_to(album / "summer")
    for out in (album, album / "out", album / "summer" / ".." / "out", album / "link" / "out"):
        with pytest.raises(UsageError, match="inside of the input folder"):
            batch.run([album], out, work, report=album.parent / "r.jsonl")
    (album / "link").unlink()
    assert written(album) == before
    assert not (album.parent / "r.jsonl").exists()


def test_an_existing_output_is_an_error_without_overwrite(album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    old = shot(out / "a.png", 77).read_bytes()
    worked: list[Path | None] = []

    def noting(photo: Photo, progress: Progress) -> Result:
        worked.append(photo.path)
        return work(photo, progress)

    outcomes = {o.source.name: o for o in batch.run([album], out, noting)}
    assert outcomes["a.png"].status == "failed"
    assert "exists already" in (outcomes["a.png"].error or "")
    assert "--overwrite" in outcomes["a.png"].hint
    assert (out / "a.png").read_bytes() == old
    assert album / "a.png" not in worked
    assert outcomes["b.jpg"].status == "ok"
    again = {o.source.name: o.status for o in batch.run([album], out, work, overwrite=True)}
    assert again["a.png"] == again["b.jpg"] == "ok"
    assert (out / "a.png").read_bytes() != old


def test_inputs_are_never_replaced_even_when_asked_to(tmp_path: Path) -> None:
    a = shot(tmp_path / "a.png")
    before = a.read_bytes()
    (outcome,) = batch.run([a], tmp_path, work, overwrite=True)
    assert outcome.status == "failed"
    assert "replace an input" in (outcome.error or "")
    assert a.read_bytes() == before


def test_two_inputs_with_one_output_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one, two = shot(tmp_path / "x" / "a.png", 1), shot(tmp_path / "y" / "a.png", 2)
    first, second = batch.run([one, two], tmp_path / "out", work, overwrite=True)
    assert (first.status, second.status) == ("ok", "failed")
    assert "Another input" in (second.error or "")


def test_one_photo_may_name_its_file_and_a_format(tmp_path: Path) -> None:
    a = shot(tmp_path / "a.png")
    (named,) = batch.run([a], tmp_path / "new" / "better.jpg", work)
    assert (named.status, named.output) == ("ok", tmp_path / "new" / "better.jpg")
    assert (tmp_path / "new" / "better.jpg").read_bytes()[:2] == b"\xff\xd8"
    (other,) = batch.run([a], tmp_path / "out", work, format="webp")
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
        ([a, a], tmp_path / "out.jpg", None, "looks like one photo"),
        ([album], tmp_path / "out.jpg", None, "looks like one photo"),
    ]:
        with pytest.raises(UsageError, match=words):
            batch.plan(inputs, out, format)


def test_a_name_that_is_not_there_fails_alone(tmp_path: Path) -> None:
    sound = shot(tmp_path / "a.png")
    gone, good = batch.run([tmp_path / "gone.png", sound], tmp_path / "out", work)
    assert (gone.status, good.status) == ("failed", "ok")
    assert gone.error


def test_links_to_folders_are_not_followed(album: Path) -> None:
    (album / "summer" / "loop").symlink_to(album)
    assert len(batch.find_photos(album)) == 5


def test_a_report_that_would_hit_a_photo_or_cannot_be_written_is_refused(album: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="looks like a photo"):
        batch.run([album], tmp_path / "out", work, report=tmp_path / "report.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableOutput, match="cannot be written"):
        batch.run([album], tmp_path / "out", work, report=tmp_path / "file" / "report.jsonl")
    notes = tmp_path / "notes.txt"
    notes.write_text("not a report")
    with pytest.raises(UsageError, match="would be lost"):
        batch.run([album], tmp_path / "out", work, report=notes)
    assert notes.read_text() == "not a report"
    assert not (tmp_path / "out").exists()


def test_cancel_keeps_what_was_finished(album: Path, tmp_path: Path) -> None:
    progress = Progress()
    with pytest.raises(Cancelled):
        report = tmp_path / "r.jsonl"
        batch.run([album], tmp_path / "out", work, progress=progress, report=report, done=lambda _: progress.cancel())
    assert written(tmp_path / "out") == {"a.png"}
    assert list(records(tmp_path / "r.jsonl")) == ["a.png"]


def test_a_partial_result_is_written_and_says_so(tmp_path: Path) -> None:
    a = write_picture(tmp_path / "a.png", picture(130, 300, [FACE, face_at(220, 60, 90)]))

    def half(photo: Photo, progress: Progress) -> Result:
        return restore(photo, (FACE, face_at(220, 60, 90)), SlowRestorer(fails=[0]), progress=progress)

    told: list[batch.Outcome] = []
    (outcome,) = batch.run([a], tmp_path / "out", half, done=told.append)
    assert outcome.status == "partial"
    assert outcome.output == tmp_path / "out" / "a.png"
    assert told[0].record()["faces"][0]["error"] == "Call 0 was told to fail."


def test_a_photo_whose_every_face_failed_is_not_written(tmp_path: Path) -> None:
    def none(photo: Photo, progress: Progress) -> Result:
        return restore(photo, (FACE,), SlowRestorer(fails=[0]), progress=progress)

    (outcome,) = batch.run([shot(tmp_path / "a.png")], tmp_path / "out", none)
    assert (outcome.status, outcome.output) == ("failed", None)
    assert not (tmp_path / "out").exists()


def test_results_do_not_depend_on_the_place_in_the_batch(album: Path, tmp_path: Path) -> None:
    batch.run([album], tmp_path / "all", work)
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(album / "summer" / "b.jpg", alone / "b.jpg")
    batch.run([alone], tmp_path / "one", work)
    written_twice = (tmp_path / "one" / "b.jpg", tmp_path / "all" / "summer" / "b.jpg")
    one, many = (Photo.open(path).pixels for path in written_twice)
    assert np.array_equal(one, many)


def test_odd_names_fail_alone_and_in_words(tmp_path: Path) -> None:
    sound, circle, long = shot(tmp_path / "a.png"), tmp_path / "circle.png", tmp_path / ("x" * 300 + ".png")
    circle.symlink_to(circle)
    outcomes = batch.run([circle, long, sound], tmp_path / "out", work)
    assert [outcome.status for outcome in outcomes] == ["failed", "failed", "ok"]
    assert "circle" in (outcomes[0].error or "")
    assert "too long" in (outcomes[1].error or "")
    (outcome,) = batch.run([sound], tmp_path / ("y" * 300), work)
    assert outcome.status == "failed"
    assert "too long" in (outcome.error or "")


def test_the_outcomes_of_a_folder_do_not_keep_its_photos_in_memory(album: Path, tmp_path: Path) -> None:
    told: list[batch.Outcome] = []
    outcomes = batch.run([album], tmp_path / "out", work, done=told.append)
    assert any(outcome.result is not None for outcome in told)
    assert all(outcome.result is None for outcome in outcomes)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_a_disk_that_fills_up_under_the_report_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput, match="cannot be written"):
        batch.run([shot(tmp_path / "a.png")], tmp_path / "out", work, report=Path("/dev/full"))


def test_a_folder_that_must_not_be_looked_into_is_not_passed_over(
    album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def guarded(path: Any) -> Any:
        if Path(path).name == "summer":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    outcomes = {outcome.source.name: outcome for outcome in batch.run([album], tmp_path / "out", work)}
    assert outcomes["a.png"].status == "ok"
    assert outcomes["summer"].status == "failed"
    assert "permission" in (outcomes["summer"].error or "")
    (outcome,) = batch.run([album / "summer"], tmp_path / "out", work)
    assert "permission" in (outcome.error or "")


def test_a_photo_named_twice_is_done_once(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    photo = folder / "a.png"
    write_picture(photo, picture(130, 150, [FACE]))
    assert [item.source for item in batch.plan([folder, photo, photo], tmp_path / "out")] == [photo]
