"""A face from a rough box: which candidate is taken, what is made where there is none, and boxes that make no sense."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facestudio.errors import UsageError
from facestudio.faces.align import align
from facestudio.faces.detect import Detector
from facestudio.faces.face import FFHQ_256, FFHQ_512, Face
from facestudio.faces.landmarks import BOX, WEIGHT, LandmarkFinder
from facestudio.faces.missed import IN_BOX, LOW, SMALLEST, checked_box, face_at, filling
from facestudio.faces.paste import covered
from facestudio.methods.obscuring import area_mask
from facestudio.photo import Photo
from facestudio.progress import Cancelled, Progress
from tests.unit.test_detect import Spots, scene

LEFT, TOP, RIGHT, BOTTOM = BOX


class Still(torch.nn.Module):
    """A landmark network that finds the points where they are, and a face with a probability."""

    def __init__(self, logit: float = 8.0) -> None:
        super().__init__()
        points = np.concatenate([np.full((68, 2), 128.0), FFHQ_256.points])
        self.points = torch.from_numpy((points + 0.5 - [LEFT, TOP]) / [RIGHT - LEFT, BOTTOM - TOP]).float()
        self.logit = logit

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.points.repeat(len(x), 1, 1), torch.full((len(x),), self.logit)


def found(pixels: np.ndarray, box: tuple[float, ...], sight: float = 1.0, probability: float = 8.0) -> Face:
    return face_at(pixels, box, Detector(Spots(sight)), LandmarkFinder(Still(probability)))


def test_the_face_that_agrees_with_the_box_is_taken() -> None:
    spots = [(100, 100, 60, 76), (190, 100, 60, 76), (100, 210, 60, 76)]
    for left, top, across, down in spots:
        rough = (left - 8, top + 6, left + across + 10, top + down + 4)
        face = found(scene(400, 400, spots), rough)
        assert np.abs(face.box - (left, top, left + across, top + down)).max() < 2
        assert np.abs(face.landmarks[2] - (left + 30, top + 45)).max() < 4
        assert face.score == pytest.approx(1 / (1 + np.exp(-1.0)), abs=0.01)


@pytest.mark.parametrize("side", [12, 90, 700])
def test_faces_of_every_size(side: int) -> None:
    photo = scene(1600, 1400, [(500, 400, side, side + side // 4)])
    face = found(photo, (500 - side * 0.1, 400 - side * 0.2, 500 + side * 1.2, 400 + side * 1.3))
    assert np.abs(face.box - (500, 400, 500 + side, 400 + side + side // 4)).max() < max(2, side / 30)


def test_a_mean_face_stands_in_a_box_where_nothing_is_seen() -> None:
    face = found(np.zeros((300, 300, 3), np.uint8), (100, 100, 180, 204))
    assert face.box.tolist() == [100, 100, 180, 204]
    assert 0 < face.score <= LOW
    inside = (face.landmarks - (100, 100)) / (80, 104)
    assert np.all((inside > 0.1) & (inside < 0.9))
    assert inside[0, 0] < inside[2, 0] < inside[1, 0]
    assert np.allclose(inside.mean(axis=0), 0.5 + (IN_BOX.mean(axis=0) - 0.5) * 0.85, atol=0.06)


def test_what_hides_a_face_that_was_drawn_covers_the_box() -> None:
    box = (100, 100, 180, 204)
    right = filling(Face(np.array(box), 100 + IN_BOX * (80, 104), 0.2), box)
    assert np.allclose(right.landmarks, 100 + IN_BOX * (80, 104)), "it is where the box is, so it stays"
    sure = Face(np.array(box) + 5, 105 + IN_BOX * (60, 78), 0.9)
    assert filling(sure, box) is sure, "people draw the hair, too"
    for wrong in (100 + IN_BOX * (80, 104) * 0.7, 100 + IN_BOX * (80, 104) - (0, 30)):
        for drawn in (box, (100, 100, 240, 180), (100, 100, 150, 240)):
            made = filling(Face(np.array(box), wrong, 0.2), drawn)
            hidden = align(np.full((400, 400, 3), 255, np.uint8), made, FFHQ_512)
            where = covered(Photo(np.zeros((400, 400, 3), np.uint8)), hidden, area_mask("face"))
            rows, columns = np.mgrid[:400, :400]
            left, top, right_, bottom = drawn
            across, down = (
                (columns - (left + right_) / 2) * 2 / (right_ - left),
                (rows - (top + bottom) / 2) * 2 / (bottom - top),
            )
            assert where[np.hypot(across, down) < 0.85].mean() > 0.97 and made.score == 0.2


def test_the_score_is_what_the_networks_think() -> None:
    photo = scene(400, 400, [(100, 100, 60, 76)])
    sure, unsure = (found(photo, (95, 95, 165, 180), probability=logit).score for logit in (9.0, -1.0))
    assert unsure == pytest.approx(sure / (1 + np.exp(1.0)) ** WEIGHT, rel=0.02)


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((10, 10, 10 + SMALLEST - 1, 60), "too small"),
        ((60, 10, 20, 90), "too small"),
        ((10, float("nan"), 60, 60), "four finite numbers"),
        ((10, 10, float("inf"), 60), "four finite numbers"),
        ((10, 10, 60), "four finite numbers"),
        ((500, 10, 600, 90), "outside the photo"),
        ((-100, 10, 4, 90), "outside the photo"),
    ],
)
def test_a_box_that_makes_no_sense_is_one_sentence(box: tuple[float, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        found(np.zeros((100, 200, 3), np.uint8), box)
    assert str(caught.value).count(".") == 1
    assert caught.value.hint


def test_a_box_that_reaches_outside_is_cut() -> None:
    assert checked_box((-40, 20, 60, 300), 200, 100).tolist() == [0, 20, 60, 100]
    assert checked_box((-1e9, -1e9, 1e9, 1e9), 200, 100).tolist() == [0, 0, 200, 100]


@pytest.mark.parametrize("shape", [(16, 16), (9, 3000), (3000, 9)])
def test_odd_photos(shape: tuple[int, int]) -> None:
    face = found(np.zeros((*shape, 3), np.uint8), (0, 0, shape[1], shape[0]))
    assert np.isfinite(face.landmarks).all()


def test_it_can_be_stopped() -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        face_at(np.zeros((99, 99, 3), np.uint8), (9, 9, 60, 60), Detector(Spots()), LandmarkFinder(Still()), progress)
