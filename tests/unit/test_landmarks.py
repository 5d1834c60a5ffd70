"""The close look: where its points land in the photo, and what it does to a face's score."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facestudio.faces.detect import Detector
from facestudio.faces.face import FFHQ_256, Face
from facestudio.faces.landmarks import BOX, WEIGHT, LandmarkFinder
from facestudio.networks.detector import STRIDES

LEFT, TOP, RIGHT, BOTTOM = BOX


class Told(torch.nn.Module):
    """Always gives the same points (crop pixels of FFHQ_256) and logit."""

    def __init__(self, points: np.ndarray, logit: float) -> None:
        super().__init__()
        shares = (points + 0.5 - [LEFT, TOP]) / [RIGHT - LEFT, BOTTOM - TOP]
        self.points, self.logit = torch.from_numpy(shares).float(), logit

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert x.shape[1:] == (3, 112, 112)
        return self.points.repeat(len(x), 1, 1), torch.full((len(x),), self.logit)


def points_with_five(five: np.ndarray) -> np.ndarray:
    return np.concatenate([np.linspace((60, 70), (190, 220), 68), five])


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)


def test_points_come_back_into_the_photo(photo: np.ndarray) -> None:
    # the face stands in the photo twice as large as in the crop, and 30 px to the right
    face = Face((0, 0, 300, 300), FFHQ_256.points * 2 + (30, 0))
    told = points_with_five(FFHQ_256.points + (1.5, -1))
    finder = LandmarkFinder(Told(told, 9.0))
    assert np.allclose(finder.find(photo, face), told[:68] * 2 + (30, 0), atol=1e-2)
    refined = finder.refine(photo, face)
    assert np.allclose(refined.landmarks, FFHQ_256.points * 2 + (33, -2), atol=1e-2)


def test_the_score_falls_with_the_probability(photo: np.ndarray) -> None:
    face = Face((0, 0, 300, 300), FFHQ_256.points, 0.8)
    sure = LandmarkFinder(Told(points_with_five(FFHQ_256.points), 10.0)).refine(photo, face)
    unsure = LandmarkFinder(Told(points_with_five(FFHQ_256.points), 0.0)).refine(photo, face)
    assert sure.score == pytest.approx(0.8, abs=1e-3)
    assert unsure.score == pytest.approx(0.8 * 0.5**WEIGHT, abs=1e-3)


class OneSided(Told):
    """Surer of a face whose right half is bright, and puts its points where that half is."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        bright = x[:, 0, :, 56:].mean((1, 2)) > x[:, 0, :, :56].mean((1, 2))
        points = self.points + bright[:, None, None] * torch.tensor([0.01, 0.0])
        return points, torch.where(bright, 9.0, -9.0)


@pytest.mark.parametrize("bright", ["left", "right"])
def test_what_is_a_face_one_way_round_only_loses_its_score(bright: str) -> None:
    photo = np.zeros((256, 256, 3), np.uint8)
    photo[:, slice(0, 128) if bright == "left" else slice(128, 256)] = 255
    face = Face((0, 0, 256, 256), FFHQ_256.points, 0.8)
    refined = LandmarkFinder(OneSided(points_with_five(FFHQ_256.points), 0.0)).refine(photo, face)
    assert refined.score < 0.01
    shift = 0.01 * (RIGHT - LEFT) if bright == "right" else 0.0  # the landmarks are the face's own
    assert np.allclose(refined.landmarks, FFHQ_256.points + (shift, 0), atol=1e-2)


def test_landmarks_that_would_move_far_stay(photo: np.ndarray) -> None:
    face = Face((0, 0, 30, 30), FFHQ_256.points, 0.8)
    far = LandmarkFinder(Told(points_with_five(FFHQ_256.points + (60, 0)), 10.0)).refine(photo, face)
    assert np.array_equal(far.landmarks, face.landmarks)


class OneFace(torch.nn.Module):
    """A detection network that sees one face wherever it looks."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        maps = [torch.full((1, 15, x.shape[2] // s, x.shape[3] // s), -9.0) for s in STRIDES]
        maps[1][0, 0, 8, 8] = 2.0
        maps[1][0, 1:5, 8, 8] = 1.5
        maps[1][0, 5:, 8, 8] = torch.tensor([-2.0, -2, 2, -2, 0, 0, -2, 2, 2, 2])
        return maps


def test_what_is_no_face_is_not_reported(photo: np.ndarray) -> None:
    plain = Detector(OneFace()).detect(photo[:384, :384])
    assert len(plain) == 1
    for logit, left in ((10.0, 1), (-3.0, 0)):
        finder = LandmarkFinder(Told(points_with_five(FFHQ_256.points), logit))
        assert len(Detector(OneFace(), "cpu", finder).detect(photo[:384, :384])) == left
