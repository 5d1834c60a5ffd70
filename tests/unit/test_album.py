"""The people of many photos: the same person becomes the same person everywhere, as long as the secret is there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio.album import Album
from facestudio.anonymized import Anonymized, AnonymizedFace
from facestudio.errors import FaceStudioError
from facestudio.faces.face import Face, Identity
from facestudio.photo import Photo
from facestudio.progress import Cancelled, Progress
from facestudio.recipe import Recipe
from facestudio.secret import Secret
from tests.fakes import FakeEmbedder, FakeQuality, face_at, fake_panel, picture, write_picture
from tests.people import space

PEOPLE = space()
SECRET = Secret(bytes(range(32)))
WHERE = [face_at(60 + 90 * n, 80, 80) for n in range(3)]


class Knowing(FakeEmbedder):
    """Knows who is in a photo by its pixel in the corner: photo n shows the people `shown[n]`, one at each place."""

    def __init__(self, shown: Sequence[Sequence[int]]) -> None:
        super().__init__("fake")
        self.shown = shown
        self.calls = 0

    def embed_all(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> Any:
        self.calls += 1
        number = int(pixels[0, 0, 0])
        found = []
        for points in landmarks:
            place = next(n for n, face in enumerate(WHERE) if np.allclose(face.landmarks, points))
            person = PEOPLE.draw(self.shown[number][place]).embedding
            noise = np.random.default_rng((number, place)).standard_normal(32) * 0.02
            found.append(Identity(person + noise, "fake"))
        return tuple(found)


def photos(folder: Path, count: int) -> list[Path]:
    made = []
    for number in range(count):
        pixels = picture(160, 300, WHERE, seed=number)
        pixels[0, 0] = number
        made.append(write_picture(folder / f"{number}.png", pixels))
    return made


class Run:
    """Photos that show the people `shown`, and the albums that look at them."""

    def __init__(self, folder: Path, shown: Sequence[Sequence[int]]) -> None:
        self.paths, self.shown = photos(folder, len(shown)), shown
        self.judge = Knowing(shown)

    def find(self, photo: Photo, progress: Progress) -> tuple[tuple[Face, ...], set[int] | None]:
        return tuple(WHERE[: len(self.shown[int(photo.pixels[0, 0, 0])])]), None

    def album(
        self,
        secret: Secret = SECRET,
        records: Mapping[int, Any] | None = None,
        order: Sequence[int] | None = None,
        panel: Any = None,
        nearest: Any = None,
    ) -> Album:
        album = Album(PEOPLE, lambda: ([self.judge], panel), secret, nearest)  # type: ignore[list-item]
        album.look([self.paths[n] for n in (order or range(len(self.paths)))], self.find, Progress())
        for number, record in (records or {}).items():
            album.keep(self.paths[number], record)
        album.assign(Progress())
        return album

    def persons(self, album: Album) -> list[list[str]]:
        casts = [album.cast(Photo.open(path)) for path in self.paths]
        return [[cast.token(place) for place in range(len(self.shown[n]))] for n, cast in enumerate(casts)]

    def result(self, number: int, tokens: Sequence[str]) -> Anonymized:
        photo = Photo.open(self.paths[number])
        faces = [AnonymizedFace(WHERE[n], n, "verified", None, {}, {}, person=token) for n, token in enumerate(tokens)]
        return Anonymized(photo, photo, tuple(faces), Recipe("x", "x"), 0.0)


def identity(token: str, secret: Secret = SECRET) -> np.ndarray:
    return PEOPLE.draw(secret.seed(token)).embedding


SHOWN = ((1, 2), (2,), (3, 1, 2), (3,))


def test_the_same_person_has_the_same_pseudonym_in_every_photo(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)
    album = run.album()
    found = run.persons(album)
    names = {person: found[n][place] for n, some in enumerate(SHOWN) for place, person in enumerate(some)}
    assert found == [[names[person] for person in some] for some in SHOWN]
    assert album.people == 3 == len(set(names.values())) and all(names.values())
    everybody = [identity(token) for token in names.values()]
    originals = [PEOPLE.draw(person).embedding for person in names]
    assert max(float(a @ b) for a in everybody for b in [*originals, *everybody] if b is not a) < PEOPLE.strangers


def test_a_secret_says_whom_and_without_it_everybody_is_somebody_else(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)
    assert run.persons(run.album()) == run.persons(run.album(Secret(bytes(range(32)))))
    one, other = run.persons(run.album(Secret())), run.persons(run.album(Secret()))
    assert not {token for some in one for token in some} & {token for some in other for token in some}


def test_a_run_that_goes_on_keeps_who_was_finished_whatever_comes_first(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)
    ours = SECRET.token("an", "earlier", "one")
    records = {3: {"faces": [{"person": ours}]}, 1: {"faces": [{"status": "fallback"}]}}
    found = run.persons(run.album(records=records, order=(2, 3, 0, 1)))
    assert found[3] == [ours] and found[2][0] == ours
    assert found[1][0] == found[0][1] == found[2][2] != ours


def test_only_who_was_not_finished_may_become_somebody_else(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)
    album = run.album()
    before = run.persons(album)
    photo = Photo.open(run.paths[0])
    album.finished(run.result(1, before[1]))  # person 2 is settled
    cast = album.cast(photo)
    method: Any = _Told()
    for _ in range(3):
        for place in (0, 1):
            cast.told(method, place, None, 0, another=True)  # type: ignore[arg-type]
    assert cast.token(1) == before[0][1] and cast.token(0) != before[0][0]
    found, persons = album.told(run.paths[0])
    assert found == album.found(photo) and {n: one.token for n, one in persons.items()} == dict(enumerate(before[0]))
    album.finished(run.result(0, [cast.token(0), cast.token(1)]))
    after = run.persons(album)
    assert after[2] == [before[2][0], cast.token(0), before[2][2]], "in every photo from now on"
    assert identity(after[2][1]) @ identity(after[2][0]) < PEOPLE.strangers


class _Told:
    people = PEOPLE

    def who(self, aligned: Any) -> Identity:
        raise AssertionError("who has a pseudonym is not drawn")

    def becoming(self, person: Identity) -> _Told:
        return self


def test_a_face_that_was_hidden_settles_nobody(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)
    album = run.album()
    before = run.persons(album)
    album.finished(run.result(0, ["", ""]))
    cast = album.cast(Photo.open(run.paths[0]))
    cast.told(_Told(), 0, None, 0, another=True)  # type: ignore[arg-type]
    assert cast.token(0) != before[0][0]


def test_who_cannot_be_recognised_is_nobody(tmp_path: Path) -> None:
    run = Run(tmp_path, ((1, 2), (1,)))
    panel = fake_panel(["fake"], [])
    panel._quality = FakeQuality([0.9, 0.1])  # the second face of each photo is poor
    assert [bool(token) for token in run.persons(run.album(panel=panel))[0]] == [True, False]


def test_what_cannot_be_read_is_passed_over_and_a_photo_is_looked_at_once(tmp_path: Path) -> None:
    run = Run(tmp_path, ((1,), (2,)))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no photo")
    copy = tmp_path / "copy.png"
    copy.write_bytes(run.paths[0].read_bytes())
    run.paths = [broken, *run.paths, copy]
    album = Album(PEOPLE, lambda: ([run.judge], None), SECRET)  # type: ignore[list-item]
    album.look(run.paths, run.find, Progress())
    album.assign(Progress())
    assert run.judge.calls == 2 and album.people == 2
    first, again = Photo.open(run.paths[1]), Photo.open(copy)
    assert album.cast(first).token(0) == album.cast(again).token(0)
    assert album.found(again) == ((WHERE[0],), None)
    other = Photo.from_pixels(picture(160, 300, seed=9))
    assert album.found(other) is None and album.cast(other).token(0) == ""


def test_it_stops_when_asked(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)
    progress = Progress()

    def find(photo: Photo, progress: Progress) -> Any:
        progress.cancel()
        return run.find(photo, progress)

    album = Album(PEOPLE, lambda: ([run.judge], None), SECRET)  # type: ignore[list-item]
    with pytest.raises(Cancelled):
        album.look(run.paths, find, progress)
    assert run.judge.calls == 0 or run.judge.calls == 1


def test_who_was_stopped_goes_on_where_it_was_and_looks_at_nothing_twice(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)
    progress = Progress()
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no photo")
    paths, looked = [broken, *run.paths], []

    def find(photo: Photo, progress: Progress) -> Any:
        looked.append(int(photo.pixels[0, 0, 0]))
        if looked == [0, 1]:
            progress.cancel()
        return run.find(photo, progress)

    album = Album(PEOPLE, lambda: ([run.judge], None), SECRET)  # type: ignore[list-item]
    with pytest.raises(Cancelled):
        album.look(paths, find, progress)
    told: list[str] = []
    album.look(paths, find, Progress(lambda update: told.append(f"{update.stage}; {update.tally}"), every=0))
    assert looked in ([0, 1, 1, 2, 3], [0, 1, 2, 3]), "the first was seen"
    assert told[-1] == "Looking for people; Looking for people: 4 of 5 photos"
    album.assign(Progress())
    assert run.persons(album) == run.persons(run.album())


def test_a_run_goes_on_with_the_same_album(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)
    album = run.album()
    before, calls = run.persons(album), run.judge.calls
    album.look(run.paths, run.find, Progress())
    album.keep(run.paths[1], {"faces": [{"person": "a token"}]})
    album.assign(Progress())
    after = run.persons(album)
    assert run.judge.calls == calls, "nothing is looked at twice"
    assert after[1] == ["a token"] == [after[0][1]] and after[3] == before[3]

    pixels = picture(160, 300, WHERE, seed=7)
    pixels[0, 0] = 2
    write_picture(run.paths[0], pixels)
    run.shown = run.judge.shown = ((1, 2), (2,), (3, 1, 2), (3,))
    album.look(run.paths, run.find, Progress())
    album.assign(Progress())
    assert run.judge.calls == calls + 4, "another photo is there: the groups are made anew"
    assert album.found(Photo.open(run.paths[0])) == (tuple(WHERE), None)


def test_the_nearest_of_several_can_be_asked_for(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)

    def nearest(was: Identity, people: Sequence[Identity]) -> int:
        return int(np.argmax([one.embedding[0] for one in people]))

    plain, chosen = run.persons(run.album()), run.persons(run.album(nearest=nearest))
    assert all(identity(b[0])[0] >= identity(a[0])[0] for a, b in zip(plain, chosen, strict=True)) and plain != chosen


def test_it_never_says_that_somebody_fits_who_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facestudio.album.MOST", 20)
    run = Run(tmp_path, ((1,),))
    monkeypatch.setattr(PEOPLE, "strangers", -0.99)
    with pytest.raises(FaceStudioError, match="clearly different"):
        run.album()


def test_a_record_tells_who_it_is_and_nothing_of_the_face(tmp_path: Path) -> None:
    run = Run(tmp_path, SHOWN)
    album = run.album()
    (token, _), *_ = run.persons(album)
    record = run.result(0, [token, ""]).faces[0].details()
    assert record["person"] == token and len(token) == 16
    assert "person" not in run.result(0, ["", ""]).faces[0].details()
    assert len(json.dumps(record)) < 400
