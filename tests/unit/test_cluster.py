"""Work that others do: it comes out as it does here, is written and remembered here, and stops when asked. Without Ray itself."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio import batch
from facestudio.anonymize_settings import NO_FALLBACK, Settings
from facestudio.casting import Pseudonym
from facestudio.cli.engine import check_engine
from facestudio.cluster import Cluster, Job, Task, Worker
from facestudio.errors import FaceStudioError, UnreadablePhoto, UsageError
from facestudio.journal import Journal
from facestudio.photo import Photo
from facestudio.planning import Item
from facestudio.progress import Cancelled, Progress
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from tests.batches import run_batch
from tests.fakes import FakeDetector, FakeEmbedder, face_at, picture, write_picture
from tests.unit.test_casting import Told

FACES = (face_at(80, 90, 110), face_at(220, 100, 90, 10))
JOB = Job(Settings(Recipe("solid", "solid")))


class Unsure(FakeDetector):
    def detect(self, photo: Any, progress: Progress | None = None, minimum_score: float = 0.4) -> Any:
        return self.faces


def studio(monkeypatch: pytest.MonkeyPatch) -> Studio:
    """With a detector and embedders that need no weights, and the real methods."""
    made = Studio("cpu")
    monkeypatch.setattr(made, "_detector", lambda: Unsure(FACES))
    monkeypatch.setattr(made, "_embedders", lambda: [FakeEmbedder("one"), FakeEmbedder("two")])
    monkeypatch.setattr(made, "_panel", lambda: None)
    return made


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    made = Worker(JOB)
    monkeypatch.setattr(made, "_studio", studio(monkeypatch))
    return made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, suffix in enumerate(("png", "jpg", "webp")):
        write_picture(tmp_path / "in" / f"{number}.{suffix}", picture(190, 300, FACES, seed=number))
    (tmp_path / "in" / "broken.png").write_bytes(b"no photo")
    return tmp_path / "in"


class Inline:
    """Does the work here, the last photo first, as if it came from afar."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.asked: list[str] = []
        self.ended = False

    def made(self, items: Sequence[Item], progress: Progress) -> Generator[Any, None, None]:
        try:
            for number in reversed(range(len(items))):
                progress.check()
                self.asked.append(items[number].source.name)
                row = {"number": number, "task": pickle.dumps(Task(items[number].source, items[number].target.name))}
                made = self.worker(row)
                yield made["number"], pickle.loads(made["made"])
        finally:
            self.ended = True


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_others_made_is_what_would_have_been_made_here(
    photos: Path, tmp_path: Path, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = studio(monkeypatch)

    def work(photo: Photo, progress: Progress) -> Any:
        return here.anonymize(photo, here.detect(photo, progress, unsure=True), JOB.settings.recipe, None, progress)

    writing = batch.Writing(metadata="strip")
    outcomes = run_batch([photos], tmp_path / "a", work, writing=writing)
    others = run_batch([photos], tmp_path / "b", Inline(worker), writing=writing)
    assert files(tmp_path / "a") == files(tmp_path / "b") and set(files(tmp_path / "a")) == {"0.png", "1.jpg", "2.webp"}
    assert [one.source.name for one in others] == ["broken.png", "2.webp", "1.jpg", "0.png"]

    def told(one: batch.Outcome) -> Any:
        return one.source.name, one.status, one.error, one.hint

    assert sorted(map(told, others)) == sorted(map(told, outcomes))


def test_its_report_is_the_same_and_holds_no_pictures(photos: Path, worker: Worker, tmp_path: Path) -> None:
    seen: list[batch.Outcome] = []
    run_batch([photos / "0.png"], tmp_path / "out.png", Inline(worker), done=seen.append)
    (outcome,) = seen
    assert outcome.result is not None and outcome.seconds > 0
    record = outcome.record()
    assert [face["status"] for face in record["faces"]] == ["verified"] * 2 and record["faces"][0]["tries"]
    assert outcome.result.after.pixels.size == 3 and outcome.result.faces[0].aligned_after is None
    assert len(pickle.dumps(outcome.result)) < 50_000


def test_a_run_of_others_goes_on_and_is_remembered_here(photos: Path, tmp_path: Path, worker: Worker) -> None:
    out = tmp_path / "out"
    settings: dict[str, Any] = {"resume": True, "journal": Journal(out, "solid")}
    first = Inline(worker)
    run_batch([photos], out, first, **settings)
    (out / "1.jpg").write_bytes(b"damaged")
    (photos / "new.png").write_bytes((photos / "0.png").read_bytes())
    second = Inline(worker)
    outcomes = run_batch([photos], out, second, **settings)
    assert sorted(second.asked) == ["1.jpg", "broken.png", "new.png"]
    assert {one.source.name for one in outcomes if one.earlier} == {"0.png", "2.webp"}
    assert set(files(out)) == {"0.png", "1.jpg", "2.webp", "new.png"} and len((out / "1.jpg").read_bytes()) > 1000


def test_what_exists_is_refused_before_anybody_works_on_it(photos: Path, tmp_path: Path, worker: Worker) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "0.png").write_bytes(b"mine")
    elsewhere = Inline(worker)
    outcomes = run_batch([photos], out, elsewhere)
    assert "0.png" not in elsewhere.asked and (out / "0.png").read_bytes() == b"mine"
    assert {one.source.name: one.status for one in outcomes}["0.png"] == "failed"


def test_stopping_keeps_what_was_done_and_ends_the_others(photos: Path, tmp_path: Path, worker: Worker) -> None:
    progress, elsewhere, told = Progress(), Inline(worker), []

    def done(outcome: batch.Outcome) -> None:
        told.append(outcome.source.name)
        if outcome.output is not None:
            progress.cancel()

    with pytest.raises(Cancelled):
        run_batch([photos], tmp_path / "out", elsewhere, progress=progress, done=done)
    assert elsewhere.ended and set(files(tmp_path / "out")) == {"2.webp"} and told == ["broken.png", "2.webp"]


def test_faces_and_persons_that_are_known_go_with_the_task(photos: Path, worker: Worker) -> None:
    method: Any = Told()
    worker._studio._method = lambda checkpoint: method  # type: ignore[method-assign]
    worker._job = Job(Settings(Recipe("x", "slow"), fallback=NO_FALLBACK))
    somebody = Pseudonym("token", method.people.draw(3))
    seen = Photo.open(photos / "0.png").content_hash
    task = Task(photos / "0.png", "0.png", (FACES, {1}), {1: somebody}, content=seen)
    made = worker.make(pickle.loads(pickle.dumps(task)))
    assert isinstance(made, batch.Made)
    assert [getattr(face, "person", None) for face in made.result.faces] == ["", "token"]
    assert np.array_equal(method.persons[0].embedding, somebody.identity.embedding)


def test_a_file_that_is_another_photo_than_was_looked_at_is_looked_at_anew(photos: Path, worker: Worker) -> None:
    seen = Photo.open(photos / "0.png").content_hash
    task = Task(photos / "0.png", "0.png", ((), None), content=seen)  # nobody was on it
    write_picture(photos / "0.png", picture(190, 300, FACES, seed=9))
    made = worker.make(pickle.loads(pickle.dumps(task)))
    assert isinstance(made, batch.Made)
    assert [face.status for face in made.result.faces] == ["verified", "verified"]


def test_an_error_comes_back_with_its_hint(tmp_path: Path, worker: Worker) -> None:
    (tmp_path / "broken.png").write_bytes(b"no photo")
    row = worker({"number": 7, "task": pickle.dumps(Task(tmp_path / "broken.png", "broken.png"))})
    error = pickle.loads(row["made"])
    assert row["number"] == 7 and isinstance(error, UnreadablePhoto) and isinstance(error, FaceStudioError)
    assert str(error) and error.hint


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="not installed") as raised:
        Cluster(JOB, lambda item: Task(item.source, item.target.name))
    assert "facestudio[cluster]" in raised.value.hint


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("spark", None, ()), "local or ray, not spark"),
        (("local", 2, ()), "--engine ray"),
        (("ray", None, ((0, 0, 9, 9),)), "single photo"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: Any, words: str) -> None:
    check_engine("local", None, ((0, 0, 9, 9),))
    check_engine("ray", 3, ())
    with pytest.raises(UsageError, match=words):
        check_engine(*asked)
