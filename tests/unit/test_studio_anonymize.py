"""The facade: what it hands to the pipeline of anonymizing."""

from __future__ import annotations

from typing import Any

import pytest

from facestudio.anonymize_settings import Effort
from facestudio.errors import UsageError
from facestudio.faces.face import Face
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.trying import Choice
from tests.fakes import FakeDetector, FakeEmbedder, face_at, picture

FACES = (face_at(80, 90, 110), face_at(220, 100, 90, 10), face_at(340, 90, 80))


class Asked(FakeDetector):
    """Remembers from which score on it was asked."""

    def __init__(self) -> None:
        super().__init__(FACES)
        self.scores: list[float] = []

    def detect(self, photo: Any, progress: Progress | None = None, minimum_score: float = 0.4) -> Any:
        self.scores.append(minimum_score)
        return self.faces


@pytest.fixture
def photo() -> Photo:
    return Photo.from_pixels(picture(190, 400, FACES))


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Studio:
    """With a detector and embedders that need no weights, and the real methods."""
    studio, detector = Studio("cpu"), Asked()
    monkeypatch.setattr(studio, "_detector", lambda: detector)
    monkeypatch.setattr(studio, "_embedders", lambda: [FakeEmbedder("one"), FakeEmbedder("two")])
    monkeypatch.setattr(studio, "_panel", lambda: None)
    return studio


def test_the_block_comes_first_and_is_what_is_fallen_back_to(photo: Photo, studio: Studio) -> None:
    offered = studio.anonymize_checkpoints()
    assert offered[0].id == "solid" and {entry.goal for entry in offered} == {"change"}
    weak = Recipe("blur", "blur", {"radius": 1.0})
    result = studio.anonymize(photo, FACES, weak, Choice({0}), effort=Effort(1))
    assert [face.status for face in result.faces] == ["fallback", "skipped", "skipped"]
    assert studio.anonymize(photo, FACES, weak, Choice({0}), effort=Effort(1, None)).status == "needs review"
    assert studio.anonymize(photo, FACES, Recipe("solid", "solid")).status == "verified"


def test_what_makes_no_sense_is_refused(photo: Photo, studio: Studio) -> None:
    with pytest.raises(UsageError, match="no option called radius"):
        studio.anonymize(photo, FACES, Recipe("solid", "solid", {"radius": 1.0}))


def test_only_what_hides_faces_can_be_fallen_back_to(
    photo: Photo, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "_method", lambda checkpoint_id: object())
    with pytest.raises(UsageError, match="does not hide faces"):
        studio.anonymize(photo, FACES, Recipe("solid", "solid"), effort=Effort(fallback="other"))


def test_faces_to_hide_are_looked_for_from_a_lower_score_on(photo: Photo, studio: Studio) -> None:
    detector: Any = studio._detector()
    assert studio.detect(photo) == studio.detect(photo, unsure=True) == FACES
    assert detector.scores == [0.4, 0.3]
    doubtful = Face(FACES[0].box, FACES[0].landmarks, 0.35)
    detector.faces = (doubtful, *FACES[1:])
    assert studio.detect(photo, unsure=True) == (*FACES[1:], doubtful), "the numbers of the others stay"
