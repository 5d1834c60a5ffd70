"""One face is one face, and two faces are two."""

from __future__ import annotations

import numpy as np
import pytest

from facestudio.faces.duplicates import SURE, distinct, merge, same_face
from facestudio.faces.face import Face

MARKS = np.array([(0.27, 0.39), (0.72, 0.39), (0.5, 0.59), (0.3, 0.74), (0.7, 0.74)])


def at(left: float, top: float, width: float, score: float = 0.9, height: float | None = None) -> Face:
    """A face whose landmarks stand in its box as they do in most."""
    height = 1.3 * width if height is None else height
    return Face((left, top, left + width, top + height), MARKS * (width, height) + (left, top), score)


def shown(face: Face, box: tuple[float, float, float, float], score: float) -> Face:
    """The same landmarks in another box: what a look of another size makes of a face."""
    return Face(box, face.landmarks, score)


def test_the_best_of_many_looks_at_one_face_stays() -> None:
    looks = [at(100, 100, 80, 0.7), at(103, 98, 78, 0.9), at(98, 104, 84, 0.5)]
    assert [face.score for face in distinct(looks)] == [0.9]
    assert distinct([]) == []


def test_half_a_face_with_the_landmarks_of_the_whole_is_the_same() -> None:
    whole = at(100, 100, 80)
    half = shown(whole, (135, 90, 260, 160), 0.8)  # overlaps by less than a quarter
    assert [face.score for face in distinct([half, whole])] == [0.9]
    assert same_face(half, whole)


@pytest.mark.parametrize("score", [0.3, SURE - 0.01])
def test_a_part_inside_of_a_face_goes_and_so_does_a_box_around_it(score: float) -> None:
    whole = at(100, 100, 200)
    part, around = at(130, 110, 50, score), at(0, 60, 420, score)
    assert distinct([part, whole, around]) == [whole]


def test_a_sure_face_inside_of_anothers_box_is_another_person() -> None:
    grown_up, child = at(100, 100, 200, 0.9), at(190, 250, 80, 0.8)
    assert len(distinct([grown_up, child])) == 2
    assert not same_face(grown_up, child)


@pytest.mark.parametrize("share", [0.7, 0.8, 0.95])
def test_cheek_to_cheek_is_two(share: float) -> None:
    """Two heads side by side whose boxes overlap."""
    one, other = at(100, 100, 100), at(100 + 100 * share, 110, 95, 0.45)
    assert len(distinct([one, other])) == 2


def test_profiles_with_their_eyes_in_one_place_are_told_apart_by_their_size() -> None:
    marks = np.array([(0.5, 0.39), (0.52, 0.39), (0.3, 0.59), (0.4, 0.74), (0.42, 0.74)])
    one, other = (Face((x, 0, x + 80, 100), marks * (80, 100) + (x, 0), 0.9) for x in (0, 12))
    assert same_face(one, other)
    assert not same_face(one, Face((75, 0, 155, 100), marks * (80, 100) + (75, 0), 0.9))


def test_before_the_close_look_a_face_around_a_better_part_stays() -> None:
    part, whole = at(130, 110, 50, 0.59), at(100, 100, 200, 0.5)
    boxes = np.array([part.box, whole.box])
    marks, scores = np.array([part.landmarks, whole.landmarks]), np.array([0.59, 0.5])
    assert merge(boxes, marks, scores, around=False) == [0, 1]
    assert merge(boxes, marks, scores) == [0]
    assert merge(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0)) == []
