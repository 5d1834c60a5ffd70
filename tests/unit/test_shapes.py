"""Shapes: a head is recovered from its views alone, and an active shape model keeps what is likely."""

from __future__ import annotations

import numpy as np
import pytest

from facestudio.faces.pose import angles, fit_rotation
from facestudio.training.recipes.landmarks import mirrored_order
from facestudio.training.shapes import CORNERS, NOSE_TIP, ShapeModel, mean_face
from tests.unit.test_pose import rotation

ORDER = mirrored_order()[:68]


def symmetric_head() -> np.ndarray:
    """(68, 3) points of no real face, symmetric, its nose in front; outer eye corners 1 apart and the origin between."""
    head = np.random.default_rng(7).normal(0, 0.5, (68, 3))
    head = (head + head[ORDER] * (-1, 1, 1)) / 2
    head[NOSE_TIP] = 0, 0.4, 0.9
    head[list(CORNERS)] = (-0.5, 0, 0), (0.5, 0, 0)
    return head


def views_of(head: np.ndarray, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """400 views (400, 68, 2) of `head` and the rotations (400, 3, 3) that made them, straight on average."""
    random = np.random.default_rng(1)
    poses = random.normal(0, (25, 12, 5), (200, 3))
    turns = np.stack([rotation(*pose) for pose in np.concatenate([poses, poses * (-1, -1, -1)])])
    shapes = head @ turns[:, :2].transpose(0, 2, 1) * random.uniform(60, 90, (400, 1, 1)) + 128
    return shapes + random.normal(0, noise, shapes.shape), turns


def test_a_head_is_recovered_from_its_views() -> None:
    head = symmetric_head()
    shapes, turns = views_of(head)
    found = mean_face(shapes, ORDER)
    # straight is where the mean of the views looks, which may be a little up or down
    tilt = angles(fit_rotation(head[:, :2], found))
    assert abs(tilt[0]) < 0.1 and abs(tilt[1]) < 5 and abs(tilt[2]) < 0.1
    aligned = found @ fit_rotation(head[:, :2], found).T
    assert aligned == pytest.approx(head, abs=1e-6)
    same = angles(np.stack([fit_rotation(shape, found) for shape in shapes[:20]]))
    assert same[:, 0] == pytest.approx(angles(turns[:20])[:, 0], abs=3)


def test_with_noise_the_head_is_still_symmetric_with_its_nose_in_front() -> None:
    head = symmetric_head()
    found = mean_face(views_of(head, noise=2)[0], ORDER)
    assert found == pytest.approx(found[ORDER] * (-1, 1, 1), abs=1e-9)
    assert np.linalg.norm(found[CORNERS[0]] - found[CORNERS[1]]) == pytest.approx(1)
    assert found[NOSE_TIP, 2] == pytest.approx(0.9, abs=0.15)


def test_a_mirrored_view_has_mirrored_yaw_and_roll() -> None:
    shapes, _ = views_of(symmetric_head(), noise=2)
    found = mean_face(shapes, ORDER)
    for shape in shapes[:10]:
        yaw, pitch, roll = angles(fit_rotation(shape, found))
        mirror = (shape * (-1, 1))[ORDER]
        assert angles(fit_rotation(mirror, found)) == pytest.approx([-yaw, pitch, -roll], abs=1e-3)


def test_a_shape_model_keeps_the_share_that_was_asked_and_no_more_modes() -> None:
    random = np.random.default_rng(2)
    modes = np.linalg.qr(random.normal(size=(12, 3)))[0].T  # orthonormal: 12 numbers are 6 points
    shapes = (50 + random.normal(size=(4000, 3)) * (10, 5, 1) @ modes).reshape(-1, 6, 2)
    assert len(ShapeModel.of(shapes, 0.7).modes) == 1
    two = ShapeModel.of(shapes, 0.9)
    assert len(two.modes) == 2
    assert two.deviations == pytest.approx([10, 5], rel=0.05)
    left = (two.smooth(shapes) - shapes).reshape(len(shapes), -1)
    # what is left is the third mode, and what lies beyond three deviations
    assert np.sqrt((left**2).sum(1)).mean() == pytest.approx(0.8, abs=0.1)


def test_a_shape_model_says_nothing_unlikely() -> None:
    random = np.random.default_rng(3)
    shapes = random.normal(0, 1, (500, 1, 1)) * np.ones((1, 4, 2)) + 20
    model = ShapeModel.of(shapes, 0.9)
    far = model.smooth(np.full((1, 4, 2), 100.0))
    assert far == pytest.approx(np.full((1, 4, 2), 23.0), abs=0.4)
