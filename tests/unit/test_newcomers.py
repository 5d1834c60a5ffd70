"""New faces of a run: apart from one another as the judges see them, also when it goes on, or one photo of it is done again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio import batch
from facestudio.anonymize_settings import NO_FALLBACK, Effort, Settings
from facestudio.anonymized import AGAIN, Anonymized
from facestudio.casting import Cast, Pseudonym
from facestudio.cluster import Job, Task, Worker
from facestudio.ensemble import Ensemble
from facestudio.faces.face import AlignedFace, Identity
from facestudio.journal import Journal
from facestudio.methods.base import Replacing, Take, Taking
from facestudio.newcomers import MOST, RULE, Crowd, Newcomer, Newcomers, View, from_text, likeness, to_text
from facestudio.photo import Photo
from facestudio.planning import Item, Plan
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.reporting import read_records, report_of
from facestudio.reviewing import Decision, Finished
from facestudio.studio import Studio
from tests.batches import run_batch
from tests.fakes import FakeDetector, FakeEmbedder, SlowRestorer, face_at, fake_checkpoint, picture, write_picture
from tests.people import space

PEOPLE = space()
FACES = (face_at(80, 90, 110), face_at(220, 100, 90, 10))
RECIPE = Recipe("drawing", "drawing")
SETTINGS = Settings(RECIPE, fallback="none")


class Drawing(SlowRestorer):
    """A method without weights that draws what the test says: one number a take, which is the texture of a face.

    Args:
        shows: what each call shows, one call after the other; the later a take stands, the farther its features moved.
    """

    id = "drawing"

    def __init__(self, *shows: Sequence[int]) -> None:
        super().__init__(goal="change", conditioned_on=("fake",))
        self.checkpoint = fake_checkpoint("drawing", goal="change", conditioned_on=("fake",))
        self.people = PEOPLE
        self.persons: list[Identity] = []
        self._shows = list(shows)

    def who(self, aligned: AlignedFace) -> Identity:
        return PEOPLE.draw(int(aligned.pixels[64:192, 64:192].sum()))

    def becoming(self, person: Identity) -> Drawing:
        self.persons.append(person)
        return self

    def takes(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> list[Take]:
        self.seeds.append(seed)
        progress.check()
        shown = self._shows.pop(0)
        return [Take(aligned.with_pixels(face(number)), 1.0 + n) for n, number in reversed(list(enumerate(shown)))]

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        return min(self.takes(aligned, options, progress, seed), key=lambda take: take.moved).crop


def face(number: int) -> np.ndarray:
    return picture(256, 256, seed=1000 + number)


class Drawn(Studio):
    """A Studio of that one method; its detector finds the first `count` of FACES in each photo."""

    def __init__(self, method: Drawing, count: int = 1) -> None:
        super().__init__("cpu")
        self.method, self.count = method, count
        self.judge: Any = FakeEmbedder("judge")

    def _method(self, checkpoint_id: str) -> Any:
        return self.method if checkpoint_id == "drawing" else super()._method(checkpoint_id)

    def _detector(self) -> Any:
        return FakeDetector(FACES[: self.count])

    def _embedders(self) -> list[Any]:
        return [self.judge, FakeEmbedder("fake")]

    def _panel(self) -> None:
        return None

    def makes_people(self, checkpoint_id: str) -> bool:
        return True

    def detect(self, photo: Photo, progress: Progress | None = None, *, unsure: bool = False) -> Any:
        return FACES[: self.count]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    pixels = [picture(190, 300, FACES, seed=number) for number in range(4)]
    return [write_picture(tmp_path / "in" / f"{number}.png", one) for number, one in enumerate(pixels)]


def find(photo: Photo, progress: Progress) -> Any:
    return FACES[:1], None


def find_both(photo: Photo, progress: Progress) -> Any:
    return FACES, None


def one_run(
    paths: Sequence[Path], out: Path, method: Drawing, resume: bool = False, finding: Any = find
) -> list[Anonymized]:
    """As window and command line do it; the results of what was done now."""
    studio, results = Drawn(method), list[Anonymized]()
    planned = Plan(tuple(Item(path, out / path.name) for path in paths))
    ensemble, journal = Ensemble(studio, "drawing"), Journal(out, SETTINGS.to_text())

    def done(outcome: batch.Outcome) -> None:
        ensemble.finished(outcome)
        assert outcome.error is None, outcome.error
        if isinstance(outcome.result, Anonymized):
            results.append(outcome.result)

    ensemble.gather(planned, finding, Progress(), journal if resume else None)
    run_batch(
        list(paths),
        out,
        lambda photo, progress: ensemble.anonymize(photo, SETTINGS, finding, progress),
        done=done,
        planned=planned,
        journal=journal,
        resume=resume,
        report=report_of(out),
    )
    return results


def shown(result: Anonymized, index: int = 0) -> int:
    """Which of the drawn faces a result shows."""
    seen = FakeEmbedder().embed(result.after.pixels, FACES[index].landmarks).embedding
    points = FakeEmbedder()
    crop = result.faces[index].aligned_after
    assert crop is not None
    cosines = []
    for number in range(10):
        drawn = crop.with_pixels(face(number)).pixels
        marks = crop.template.points
        cosines.append(float(points.embed(drawn, marks).embedding @ seen))
    return int(np.argmax(cosines))


def test_a_method_that_draws_takes_keeps_the_promise() -> None:
    assert isinstance(Drawing(), Taking) and isinstance(Drawing(), Replacing)


def test_a_stranger_in_another_photo_does_not_get_a_look_alike_face(photos: list[Path], tmp_path: Path) -> None:
    method = Drawing([1, 2], [1, 3], [1, 3, 4])
    results = one_run(photos[:3], tmp_path / "out", method)
    assert [shown(one) for one in results] == [1, 3, 4], "of those that are apart, the one that moved least"
    assert len(method.seeds) == 3, "nobody else was drawn"
    assert [one.faces[0].status for one in results] == ["verified"] * 3
    alone = [one_run([path], tmp_path / path.stem, Drawing([1, 3, 4]))[0] for path in photos[:3]]
    assert [shown(one) for one in alone] == [1, 1, 1], "each photo by itself shows what moved least"
    cosines = (
        np.stack([one.embedding for one in method.persons]) @ np.stack([one.embedding for one in method.persons]).T
    )
    assert cosines[np.triu_indices(3, 1)].max() < PEOPLE.strangers


def test_where_no_take_is_apart_somebody_else_is_drawn(photos: list[Path], tmp_path: Path) -> None:
    method = Drawing([1], [1, 1], [2, 3])
    first, second = one_run(photos[:2], tmp_path / "out", method)
    assert (shown(first), shown(second)) == (1, 2) and len(method.persons) == 3
    assert not np.array_equal(method.persons[1].embedding, method.persons[2].embedding)
    record = list(read_records(report_of(tmp_path / "out")))[1]["faces"][0]
    assert [one["seed"] for one in record["tries"]] == [method.seeds[2]], "what is shown can be drawn again"
    assert record["status"] == "verified"


def test_where_nobody_is_apart_the_search_ends_and_the_least_alike_stays_verified(
    photos: list[Path], tmp_path: Path
) -> None:
    blend = np.clip(0.9 * face(1) + 0.1 * face(5), 0, 255).astype(np.uint8)
    method = Drawing([1], *[[1]] * (RULE.draws + 1))
    usual, calls = method.takes, list[int]()

    def takes(aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> list[Take]:
        made = usual(aligned, options, progress, seed)
        calls.append(seed)
        return [Take(aligned.with_pixels(blend), 1.0)] if len(calls) == 3 else made

    method.takes = takes  # type: ignore[method-assign]
    _, second = one_run(photos[:2], tmp_path / "out", method)
    assert len(calls) == 1 + 1 + RULE.draws and second.faces[0].status == "verified"
    (newcomer,) = second.newcomers
    assert newcomer.identity is not None and np.allclose(
        newcomer.identity.embedding, method.persons[2].embedding, atol=1e-2
    )
    (tried,) = second.faces[0].tries  # type: ignore[attr-defined]
    assert tried.seed == calls[2]


def test_whoever_is_drawn_instead_must_be_changed_as_well(photos: list[Path], tmp_path: Path) -> None:
    method = Drawing([1], [1], [], *[[1]] * (RULE.draws - 1))
    original = Photo.open(photos[1])
    usual = method.takes

    def takes(aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> list[Take]:
        return usual(aligned, options, progress, seed) or [Take(aligned, 1.0)]

    method.takes = takes  # type: ignore[method-assign]
    _, second = one_run(photos[:2], tmp_path / "out", method)
    assert shown(second) == 1 and second.faces[0].status == "verified", "the one who was offered before"
    assert (second.after.pixels != original.pixels).any() and len(method.seeds) == 2 + RULE.draws


def test_two_faces_of_one_photo_are_kept_apart_too(photos: list[Path], tmp_path: Path) -> None:
    studio = Drawn(Drawing([1, 2], [1, 3]), count=2)
    photo = Photo.open(photos[0])
    result = studio.anonymize(photo, FACES, RECIPE, effort=Effort(fallback=None))
    assert (shown(result, 0), shown(result, 1)) == (1, 3) and len(result.newcomers) == 2


def test_a_run_that_goes_on_knows_whom_it_has_given_out(photos: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    one_run(photos[:1], out, Drawing([1]))
    (second,) = one_run(photos[:2], out, Drawing([1, 3]), resume=True)
    assert shown(second) == 3
    whole = one_run(photos[:2], tmp_path / "whole", Drawing([1], [1, 3]))
    assert np.array_equal(whole[1].after.pixels, second.after.pixels), "stopped or not, it comes out the same"
    fresh = one_run(photos[1:2], tmp_path / "other", Drawing([1, 3]), resume=True)
    assert shown(fresh[0]) == 1, "another folder is another run"
    beside = [path for path in (*tmp_path.glob("out-report.*"), *out.iterdir())]
    secret = Journal(out, SETTINGS.to_text())
    with secret:
        (aside, _) = secret.asides()
    (newcomer,) = from_text(aside)
    words = [text for face in [aside] for text in face.split('"') if len(text) > 40]
    assert len(newcomer.seen) == 1 and words
    assert not any(word.encode() in path.read_bytes() for path in beside for word in words), (
        "it is in the journal alone"
    )


def test_a_photo_that_is_done_anew_is_not_kept_apart_from_itself(photos: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    one_run(photos[:2], out, Drawing([1], [2]))
    (out / "0.png").write_bytes(b"damaged")
    (again,) = one_run(photos[:2], out, Drawing([2, 1, 3]), resume=True)
    assert shown(again) == 1, "its own, and not that of the other photo"


def test_another_try_is_apart_from_the_other_photos_of_its_run(photos: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    one_run(photos[:2], out, Drawing([1], [2]))
    ensemble = Ensemble(Drawn(Drawing([1, 2, 3])), "drawing")
    ensemble.recall(Journal(out, SETTINGS.to_text()))
    record = list(read_records(report_of(out)))[1]
    cast = ensemble.recast(photos[1], "drawing", record)
    result = ensemble._studio.anonymize_again(
        Finished(Photo.open(photos[1]), record, Photo.open(out / "1.png")),
        Decision(AGAIN, 0),
        effort=Effort(fallback=None),
        cast=cast,
    )
    assert shown(result) == 2, "not the face in the other photo; that of this photo itself is gone"


def test_the_same_photos_in_the_same_order_come_out_the_same(photos: list[Path], tmp_path: Path) -> None:
    runs = [one_run(photos, tmp_path / name, Drawing([1, 2], [1, 3], [3, 3], [4], [4, 1, 5])) for name in "ab"]
    for one, other in zip(*runs, strict=True):
        assert np.array_equal(one.after.pixels, other.after.pixels)


def test_one_person_in_several_photos_keeps_the_face(photos: list[Path]) -> None:
    known, method = Newcomers(), Drawing([1, 2], [1, 2], [1, 2])
    studio = Drawn(method)
    tokens = iter(["same", "same", "other"])
    results = []
    for path in photos[:3]:
        photo = Photo.open(path)
        person = Pseudonym(next(tokens), PEOPLE.draw(5))
        cast = Cast({0: iter([person])}, newcomers=known)
        results.append(studio.anonymize(photo, FACES[:1], RECIPE, effort=Effort(fallback=None), cast=cast))
        known.add(photo.content_hash, results[-1].newcomers)
    assert [shown(one) for one in results] == [1, 1, 2] and len(method.seeds) == 3


def test_a_worker_keeps_apart_what_it_made_itself(photos: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(Job(Settings(RECIPE, fallback=NO_FALLBACK)))
    monkeypatch.setattr(worker, "_studio", Drawn(Drawing([1, 2], [1, 2])))
    made = [worker.make(Task(path, path.name)) for path in photos[:2]]
    first, second = [one.result.newcomers[0] for one in made]  # type: ignore[union-attr]
    (judge,) = first.seen
    assert first.seen[judge] @ second.seen[judge] < 0.5


# ---- the rule


def somebody(number: int, person: str = "", photo: str = "a") -> Newcomer:
    vector = np.random.default_rng(number).normal(size=32)
    return Newcomer.of(photo, person, Identity(vector, "fake"), {"judge x": View(unit(vector), 0.5)})


def unit(vector: np.ndarray) -> np.ndarray:
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def test_of_very_many_a_face_may_be_like_a_few() -> None:
    views = {"judge x": View(somebody(0).seen["judge x"], 0.5)}
    few = likeness(Crowd(somebody(n) for n in range(10)).cosines(views))
    assert (few.doubles, few.others, few.too_alike) == (1, 10, True) and few.nearest == pytest.approx(2, abs=0.01)
    many = Crowd([somebody(0), *(somebody(n) for n in range(1, round(1 / RULE.few) + 1))])
    found = likeness(many.cosines(views))
    assert found.doubles >= 1 and found.too_alike == (found.doubles > RULE.few * found.others)
    assert not likeness(np.array([2.0] + [0.0] * round(1 / RULE.few))).too_alike
    assert likeness(np.array([2.0] * 2 + [0.0] * round(1 / RULE.few))).too_alike


def test_only_the_same_judge_compares_and_only_with_others() -> None:
    crowd = Crowd([somebody(0, "token"), somebody(1)])
    views = {"judge x": View(somebody(0).seen["judge x"], 0.5)}
    assert crowd.cosines(views).max() > 1.9 and len(crowd.cosines(views, "token")) == 1
    assert crowd.cosines({"judge y": views["judge x"]}).tolist() == [-1, -1], "other weights say nothing of it"
    assert not likeness(Crowd().cosines(views)).too_alike and likeness(Crowd().cosines(views)).others == 0


def test_what_is_remembered_is_bounded_and_each_photo_has_its_place() -> None:
    known = Newcomers()
    for number in range(0, MOST + 20, 10):
        known.add(str(number), [somebody(n) for n in range(10)])
    full = len(known.beside("none"))
    assert MOST - 10 < full <= MOST and len(known.beside("4000")) == full - 10
    assert len(known.beside("0")) == full, "who came first is forgotten"
    known.add("4000", ())
    assert len(known.beside("none")) == full - 10


def test_what_is_written_of_them_is_read_again_and_nonsense_is_nobody() -> None:
    some = [somebody(1, "token"), Newcomer.of("a", "", None, {"judge x": View(unit(np.ones(32)), 0.5)})]
    again = from_text(to_text(some))
    assert [(one.photo, one.person) for one in again] == [("a", "token"), ("a", "")]
    assert np.array_equal(again[0].seen["judge x"], some[0].seen["judge x"]) and again[1].identity is None
    assert some[0].identity is not None and again[0].identity is not None
    assert np.allclose(again[0].identity.embedding, some[0].identity.embedding, atol=1e-6)
    assert to_text([]) == ""
    for text in (
        "",
        "{}",
        "[]",
        "null",
        to_text(some)[:-9],
        to_text(some).replace('"seen": {"judge x": "', '"seen": {"x": "*'),
    ):
        assert from_text(text) == ()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "out", "s") as one:
        yield one


def test_what_is_kept_aside_goes_with_the_entry(journal: Journal, photos: list[Path]) -> None:
    target = photos[1]
    journal.write(photos[0], {"status": "ok"}, target, "x", aside="told")
    assert list(journal.asides()) == ["told"]
    entry = journal.entry(photos[0])
    journal.write(photos[0], {"status": "ok"}, target, "x")
    assert list(journal.asides()) == []
    journal.put(photos[0], entry)
    assert list(journal.asides()) == ["told"] and journal.entry(photos[0]) == entry
    journal.put(photos[0], None)
    assert list(journal.asides()) == [] and journal.entry(photos[0]) is None
    journal.write(photos[0], {"status": "ok"}, target, "x", aside="told")
    path = journal.path
    journal.__exit__()
    with Journal(photos[0].parent.parent / "out", "other settings") as other:
        assert list(other.asides()) == [], "of another run"
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE aside")
    database.close()
    with Journal(photos[0].parent.parent / "out", "s") as older:
        assert list(older.asides()) == [] and older.record(photos[0]) == {"status": "ok"}, "from before it was kept"
