"""Fringe: hair and what is behind a face is told from its skin by colour and place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facestudio.faces.fringe import fringe
from facestudio.faces.pose import mean_face

SIDE = 256
SKIN, HAIR, WALL = (205, 160, 135), (60, 40, 30), (90, 120, 200)
POINTS = (mean_face()[:, :2] * 92 + (128, 132)).astype(np.float32)


def oval(height: int = 84) -> np.ndarray:
    """The area of a face, soft at its edge."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    cv2.ellipse(canvas, (128, 130), (68, height), 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(canvas, (0, 0), 2).astype(np.float32) / 255 * (canvas > 0)


def portrait(skin: tuple[int, int, int] = SKIN, hair: tuple[int, int, int] = HAIR, seed: int = 0) -> np.ndarray:
    """A face of one colour in front of a wall, with hair down to above the brows, grainy."""
    canvas = np.full((SIDE, SIDE, 3), WALL, np.uint8)
    cv2.ellipse(canvas, (128, 130), (78, 100), 0, 0, 360, skin, -1)
    canvas[: int(POINTS[17:27, 1].min()) - 12] = hair
    eyes = POINTS[36:48].astype(int)
    for x, y in eyes:
        cv2.circle(canvas, (int(x), int(y)), 3, (40, 30, 30), -1)
    noise = np.random.default_rng(seed).normal(0, 3, canvas.shape)
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("skin", [SKIN, (95, 62, 45), (240, 215, 200)])
def test_hair_over_the_forehead_is_fringe_and_the_features_are_not(skin: tuple[int, int, int]) -> None:
    hair = (20, 15, 12) if skin[0] < 120 else HAIR
    area = oval()
    found = fringe(portrait(skin, hair), POINTS, area)
    assert found.shape == (SIDE, SIDE) and found.dtype == np.float32 and 0 <= found.min() <= found.max() <= 1
    hairy = np.zeros(area.shape, bool)
    hairy[: int(POINTS[17:27, 1].min()) - 22] = True
    assert found[hairy & (area > 0.5)].min() > 0.9
    inner = cv2.fillConvexPoly(np.zeros(area.shape, np.uint8), cv2.convexHull(POINTS[17:].astype(np.int32)), 1) > 0
    assert found[inner].max() < 0.05, "dark eyes lie within the features"


def test_what_is_behind_a_narrow_face_is_fringe() -> None:
    pixels = portrait()
    pixels[:, : int(POINTS[0, 0]) - 14] = WALL
    assert fringe(pixels, POINTS, oval())[150, int(POINTS[0, 0]) - 22] > 0.9


def test_a_face_that_fills_its_oval_has_none() -> None:
    pixels = portrait(hair=SKIN)
    assert fringe(pixels, POINTS, oval())[oval() > 0.5].mean() < 0.03


def test_a_dark_spot_on_the_forehead_is_part_of_the_face() -> None:
    pixels = portrait(hair=SKIN)
    cv2.circle(pixels, (128, int(POINTS[17:27, 1].min()) - 16), 5, HAIR, -1)
    assert fringe(pixels, POINTS, oval())[int(POINTS[17:27, 1].min()) - 16, 128] < 0.05


def test_landmarks_in_one_place_find_nothing() -> None:
    assert not fringe(portrait(), np.full((68, 2), 128.0, np.float32), oval()).any()
