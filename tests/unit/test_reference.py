"""A clean picture of the person says who it is: what listens to it, and what is measured then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio.errors import UsageError
from facestudio.faces.face import Face, Identity
from facestudio.faces.judging import Judges
from facestudio.outcomes import face_record
from facestudio.photo import Photo
from facestudio.pipeline import restore
from facestudio.recipe import Recipe
from facestudio.results import Reference
from facestudio.subject import Subject
from tests.fakes import FakeEmbedder, SlowRestorer, face_at, photo_of, picture

FACES = (face_at(70, 90, 90), face_at(180, 90, 70))
LISTENER = "listening-embedder"


class Listening(SlowRestorer):
    """A restorer that can be told who the person is, and then brightens instead of turning colours round."""

    embedder = LISTENER

    def __init__(self, identity: Identity | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.identity = identity

    def guided(self, identity: Identity) -> Listening:
        return Listening(identity, conditioned_on=(LISTENER,))

    def __call__(self, aligned: Any, *rest: Any) -> Any:
        if self.identity is None:
            return super().__call__(aligned, *rest)
        return aligned.with_pixels(np.clip(aligned.pixels.astype(int) + 40, 0, 255).astype(np.uint8))


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    return photo_of(tmp_path / "photo.png", picture(faces=FACES))


@pytest.fixture
def reference(tmp_path: Path) -> tuple[Photo, Face]:
    face = face_at(120, 100, 120)
    return photo_of(tmp_path / "clean.png", picture(faces=[face], seed=1)), face


def known(reference: tuple[Photo, Face], *embedders: FakeEmbedder) -> Reference:
    photo, face = reference
    return Reference({one.id: one.embed(photo.pixels, face.landmarks) for one in embedders}, photo.content_hash)


def test_the_person_is_told_and_the_result_is_compared_with_both(photo: Photo, reference: tuple[Photo, Face]) -> None:
    listener, judge = FakeEmbedder(LISTENER), FakeEmbedder("judge")
    told = known(reference, listener, judge)
    result = restore(Subject(photo, FACES, {0}), Listening(), judges=Judges([listener, judge]), reference=told)
    face = result.faces[0]
    assert face.status == "restored"
    assert set(face.similarity) == set(face.to_reference) == {"judge"}, "what was listened to does not judge"
    now = judge.embed(result.after.pixels, FACES[0].landmarks)
    assert face.to_reference["judge"] == pytest.approx(
        float(now.embedding @ told.identities["judge"].embedding), abs=1e-5
    )
    assert face.to_reference["judge"] != pytest.approx(face.similarity["judge"], abs=1e-3)
    assert face_record(face)["to_reference"] == {"judge": round(face.to_reference["judge"], 5)}
    assert not result.faces[1].to_reference and "to_reference" not in face_record(result.faces[1])


def test_the_recipe_says_which_photo_it_was(photo: Photo, reference: tuple[Photo, Face]) -> None:
    told = known(reference, FakeEmbedder(LISTENER))
    made = restore(Subject(photo, FACES, {0}), Listening(), reference=told).recipe
    assert made.reference == reference[0].content_hash
    assert Recipe.from_json(made.to_json()) == made
    plain = restore(Subject(photo, FACES, {0}), Listening()).recipe
    assert plain.reference == "" and "reference" not in plain.to_json()
    assert plain == replace(made, reference="")


def test_a_method_that_cannot_listen_says_so(photo: Photo, reference: tuple[Photo, Face]) -> None:
    with pytest.raises(UsageError, match="cannot use a reference"):
        restore(Subject(photo, FACES, {0}), SlowRestorer(), reference=known(reference, FakeEmbedder(LISTENER)))


def test_it_is_for_one_face(photo: Photo, reference: tuple[Photo, Face]) -> None:
    with pytest.raises(UsageError, match="2 faces are chosen"):
        restore(Subject(photo, FACES), Listening(), reference=known(reference, FakeEmbedder(LISTENER)))


def test_without_the_recogniser_that_it_listens_to_nothing_is_done(photo: Photo, reference: tuple[Photo, Face]) -> None:
    with pytest.raises(UsageError, match=LISTENER):
        restore(Subject(photo, FACES, {0}), Listening(), reference=known(reference, FakeEmbedder("judge")))
