"""A turned photo: every point is where the matrix says, and a face's box stays one around the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facestudio.faces.align import inverse, transform
from facestudio.faces.turns import carried_boxes, turned


def test_a_quarter_turn_is_exact() -> None:
    photo = np.random.default_rng(0).integers(0, 255, (30, 50, 3), dtype=np.uint8)
    view, matrix = turned(photo, 90)
    assert np.array_equal(view, np.rot90(photo, -1))
    assert np.allclose(transform(matrix, np.array([(0, 0), (49, 29)])), [(29, 0), (0, 49)])


@pytest.mark.parametrize("degrees", [-45.0, 30.0, 170.0])
@pytest.mark.parametrize("size", [(200, 120), (1, 1), (3, 400)])
def test_nothing_is_cut_off(degrees: float, size: tuple[int, int]) -> None:
    width, height = size
    view, matrix = turned(np.full((height, width, 3), 255, np.uint8), degrees)
    corners = transform(matrix, np.array([(x, y) for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)]))
    assert corners.min() >= -0.5 - 1e-6
    assert (corners.max(axis=0) <= np.array(view.shape[1::-1]) - 0.5 + 1e-6).all()
    assert (np.array(view.shape[1::-1]) - np.ptp(corners, axis=0) <= 1).all()


@pytest.mark.parametrize("degrees", [-45.0, 30.0, 120.0])
def test_a_box_is_carried_around_the_ellipse_that_it_holds(degrees: float) -> None:
    photo = np.zeros((300, 400, 3), np.uint8)
    cv2.ellipse(photo, (250, 120), (40, 60), 0, 0, 360, (255, 255, 255), -1)
    box = np.array([[209.5, 59.5, 290.5, 180.5]])
    view, matrix = turned(photo, degrees)
    left, top, width, height = cv2.boundingRect((view[..., 0] > 127).astype(np.uint8))
    there = carried_boxes(matrix, box)
    assert np.abs(there - (left - 0.5, top - 0.5, left + width - 0.5, top + height - 0.5)).max() < 2
    assert np.allclose((there[:, :2] + there[:, 2:]) / 2, transform(matrix, np.array([[250, 120]])))
    assert np.allclose(transform(inverse(matrix), transform(matrix, box.reshape(2, 2))), box.reshape(2, 2))
    assert carried_boxes(matrix, np.zeros((0, 4))).shape == (0, 4)
