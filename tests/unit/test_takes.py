"""Several takes of a new face: no more of them are finished than have to be looked at, and the judges are asked in order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from facestudio.casting import Cast
from facestudio.course import Course
from facestudio.errors import FaceStudioError
from facestudio.faces.align import align
from facestudio.faces.face import AlignedFace
from facestudio.faces.verifying import Verifier
from facestudio.methods.base import Take
from facestudio.newcomers import Newcomer, Newcomers, View
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.trying import Step, Wanted
from tests.fakes import FakeEmbedder, face_at, picture
from tests.unit.test_newcomers import Drawing, face

FACE = face_at(80, 90, 110)
PHOTO = Photo.from_pixels(picture(190, 300, [FACE]))
SAME = -1  # a take that shows the face as it was


class Finishing(Drawing):
    """Draws takes that are finished when they are asked for, and writes down which were."""

    def __init__(self, *shows: Sequence[int], moved: Sequence[float] = (1.0, 2.0, 3.0)) -> None:
        super().__init__(*shows)
        self.completed: list[int] = []
        self._moved = moved

    def takes(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> list[Take]:
        shown = self._shows.pop(0)
        return [
            Take(partial(self._finish, aligned, number), moved)
            for number, moved in zip(shown, self._moved, strict=True)
        ]

    def _finish(self, aligned: AlignedFace, number: int) -> AlignedFace:
        self.completed.append(number)
        return aligned if number == SAME else aligned.with_pixels(face(number))


def made(
    method: Drawing, others: Sequence[int] = (), judges: Sequence[FakeEmbedder] = (FakeEmbedder("judge"),)
) -> AlignedFace:
    """What is made of FACE where the run has given out the faces `others`."""
    newcomers = Newcomers()
    for number in others:
        frame = align(PHOTO, FACE, method.template)
        marks = (FACE.landmarks @ frame.matrix[:, :2].T + frame.matrix[:, 2]).astype(np.float32)
        seen = {
            f"{judge.id} {judge.checkpoint.hashes}".strip(): View(judge.embed(face(number), marks).embedding, 0.5)
            for judge in judges
        }
        newcomers.add(f"photo {number}", [Newcomer.of(f"photo {number}", "", None, seen)])
    cast = Cast(newcomers=newcomers)
    cast.enter(PHOTO.content_hash)
    verifier = Verifier(PHOTO.pixels, {0: FACE}, judges, None, 1e-3, Progress())  # type: ignore[arg-type]
    for judge in judges:
        judge.seen.clear()
    step = Step(method, method.Options(), 3, False)
    return Course(0, FACE, Wanted([step]), verifier, cast).made(align(PHOTO, FACE, method.template), Progress())


def shows(crop: AlignedFace, number: int) -> bool:
    return np.array_equal(crop.pixels, face(number))


def test_the_take_that_moved_least_is_finished_and_no_other() -> None:
    method = Finishing((1, 2, 3), moved=(3.0, 1.0, 2.0))
    assert shows(made(method), 2) and method.completed == [2]


def test_where_a_judge_knows_that_one_no_other_is_finished() -> None:
    """Another one would have moved more; the next try changes more instead."""
    method = Finishing((SAME, 2, 3))
    assert not shows(made(method), 2) and method.completed == [SAME]


def test_like_another_new_face_the_next_is_finished_that_no_judge_knows() -> None:
    method = Finishing((1, SAME, 3))
    assert shows(made(method, others=[1]), 3) and method.completed == [1, SAME, 3]
    method = Finishing((1, SAME, 3))
    assert shows(made(method, others=[1, 3]), 1), "both are too alike: the first of them"
    assert method.completed == [1, SAME, 3]


def test_the_second_judge_is_asked_only_about_what_the_first_does_not_know() -> None:
    judges = FakeEmbedder("judge"), FakeEmbedder("second")
    made(Finishing((SAME, 2, 3)), others=[9], judges=judges)
    assert len(judges[0].seen) == 2 and not judges[1].seen, "the face before and the take"
    made(Finishing((1, 2, 3)), others=[9], judges=judges)
    assert judges[1].seen


def test_where_nobody_is_to_be_apart_from_no_judge_is_asked_before_the_look() -> None:
    judge = FakeEmbedder("judge")
    assert shows(made(Finishing((1, 2, 3)), judges=[judge]), 1) and not judge.seen


def test_what_finishing_a_take_cannot_do_is_an_error_of_the_try() -> None:
    class Failing(Finishing):
        def _finish(self, aligned: AlignedFace, number: int) -> AlignedFace:
            raise FaceStudioError("It cannot be finished.")

    with pytest.raises(FaceStudioError, match="cannot be finished"):
        made(Failing((1, 2, 3)))
