"""What the pipeline of anonymizing tells a method that makes people: whom, in which order, and what it says of it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from facestudio.anonymized import Anonymized, AnonymizedFace
from facestudio.casting import Cast, Pseudonym
from facestudio.checkpoints import checkpoint
from facestudio.faces.face import AlignedFace, Identity
from facestudio.methods.base import load_method
from facestudio.options import option
from facestudio.photo import Photo
from facestudio.progress import Progress
from tests.asking import anonymized
from tests.fakes import FakeDetector, FakeEmbedder, face_at, picture
from tests.unit.test_casting import PEOPLE, Told

FACES = tuple(face_at(60 + 90 * n, 90, 80) for n in range(4))


class Drawing(Told):
    """Changes a face only once it was tried `idle` times; writes down whom it was told at which strength."""

    id = "drawing"

    @dataclass(frozen=True)
    class Options:
        """What a person may choose."""

        change: float = option(0.8, title="Change", help="How far.", minimum=0.0, maximum=1.0, step=0.1)

    def __init__(self, idle: int = 0) -> None:
        super().__init__()
        self.idle = idle
        self.calls: list[tuple[Identity, float]] = []

    def stronger(self, options: Any) -> Any | None:
        return replace(options, change=round(options.change + 0.1, 1)) if options.change < 1 else None

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        self.calls.append((self.persons[-1], options.change))
        return aligned if len(self.calls) <= self.idle else aligned.with_pixels(255 - aligned.pixels)


@pytest.fixture
def photo() -> Photo:
    return Photo.from_pixels(picture(180, 400, FACES))


def some() -> list[Pseudonym]:
    return [Pseudonym(f"token {n}", PEOPLE.draw(n)) for n in range(4)]


def done(photo: Photo, method: Any, cast: Cast | None, faces: int = 1, tries: int = 4) -> Anonymized:
    solid, judges = load_method(checkpoint("solid"), "cpu"), [FakeEmbedder("judge")]
    return anonymized(photo, FACES[:faces], method, FakeDetector(()), judges, fallback=solid, tries=tries, cast=cast)


def only(result: Anonymized) -> AnonymizedFace:
    (face,) = result.faces
    assert isinstance(face, AnonymizedFace)
    return face


def test_the_faces_of_a_photo_become_people_who_are_apart(photo: Photo) -> None:
    method = Drawing()
    result = done(photo, method, None, faces=4)
    assert result.status == "verified" and [getattr(face, "person", None) for face in result.faces] == [""] * 4
    vectors = np.stack([person.embedding for person, _ in method.calls])
    assert len(vectors) == 4
    assert (vectors @ vectors.T)[np.triu_indices(4, 1)].max() < PEOPLE.strangers
    for person, crop in zip(vectors, result.faces, strict=True):
        assert crop.aligned_before is not None
        assert person @ method.who(crop.aligned_before).embedding < PEOPLE.strangers


def test_one_person_is_tried_stronger_before_another_is_taken(photo: Photo) -> None:
    method, pseudonyms = Drawing(idle=4), some()
    face = only(done(photo, method, Cast({0: iter(pseudonyms)}), tries=5))
    told = [([one.identity for one in pseudonyms].index(person), change) for person, change in method.calls]
    assert told == [(0, 0.8), (0, 0.9), (0, 1.0), (1, 1.0), (2, 1.0)]
    assert (face.status, face.person) == ("verified", "token 2") and face.details()["person"] == "token 2"


def test_who_is_settled_stays_and_is_hidden_in_the_end(photo: Photo) -> None:
    method, pseudonyms = Drawing(idle=99), some()[:1]
    face = only(done(photo, method, Cast({0: iter(pseudonyms)})))
    assert {id(person) for person, _ in method.calls} == {id(pseudonyms[0].identity)} and len(method.calls) == 4
    assert (face.status, face.method, face.person) == ("fallback", "solid", "") and "person" not in face.details()


def test_another_person_is_drawn_only_when_there_is_need(photo: Photo) -> None:
    asked: list[int] = []

    def lazily() -> Iterator[Pseudonym]:
        for number, one in enumerate(some()):
            asked.append(number)
            yield one

    assert only(done(photo, Drawing(), Cast({0: lazily()}))).person == "token 0"
    assert asked == [0]
