"""Head pose: the angles of known rotations, what mirroring and turning do, and whose pose a close look gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facestudio.faces.align import inverse, similarity_transform, transform
from facestudio.faces.face import FFHQ_256, FFHQ_512, Face
from facestudio.faces.landmarks import BOX, LandmarkFinder
from facestudio.faces.pose import angles, before, estimate_pose, fit_rotation, mean_face, pose_of_68
from facestudio.training.recipes.landmarks import mirrored_order

LEFT, TOP, RIGHT, BOTTOM = BOX
MODEL = np.random.default_rng(4).normal(size=(20, 3))


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Nose to the right by `yaw`, then up by `pitch`, then clockwise by `roll`, in degrees."""
    y, p, r = np.radians([yaw, pitch, roll])
    right = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    up = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    clockwise = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return clockwise @ right @ up


def test_angles_of_known_rotations() -> None:
    for one in ((30.0, 0.0, 0.0), (0.0, 20.0, 0.0), (0.0, 0.0, -50.0), (-40.0, 0.0, 100.0), (0.0, -35.0, 12.0)):
        assert angles(rotation(*one)) == pytest.approx(one, abs=1e-4)
    many = np.stack([rotation(10, 0, 5), rotation(-20, 0, 7)])
    assert angles(many) == pytest.approx(np.array([(10, 0, 5), (-20, 0, 7)]), abs=1e-4)


def test_a_rotation_is_found_from_points_of_any_size_and_place() -> None:
    turned = rotation(25, -15, 40)
    points = 7 * MODEL @ turned[:2].T + (100, -30)
    assert fit_rotation(points, MODEL) == pytest.approx(turned, abs=1e-9)
    assert np.array_equal(fit_rotation(np.ones((20, 2)), MODEL), np.eye(3))


def test_the_template_looks_straight_and_its_mirror_image_the_other_way() -> None:
    assert estimate_pose(FFHQ_512.points) == pytest.approx([0, 0, 0], abs=1e-3)
    assert estimate_pose(np.ones((5, 2))).tolist() == [0, 0, 0]
    face = FFHQ_512.points + [(0, 3), (0, -3), (14, 5), (2, 0), (-3, 0)]
    mirror = (face * (-1, 1))[[1, 0, 2, 4, 3]]
    yaw, pitch, roll = estimate_pose(face)
    assert yaw > 5
    assert estimate_pose(mirror) == pytest.approx([-yaw, pitch, -roll], abs=1)  # the template is not quite symmetric


def test_the_pose_in_the_photo_is_the_one_before_the_crop_was_turned() -> None:
    in_photo = rotation(20, 10, 70)
    points = MODEL @ in_photo[:2].T * 30 + (200, 100)
    target = points[:5] @ (0.3 * np.array([[0.6, 0.8], [-0.8, 0.6]]))
    matrix = similarity_transform(points[:5], target)
    in_crop = fit_rotation(transform(matrix, points), MODEL)
    assert np.abs(angles(in_crop) - angles(in_photo))[2] > 30
    assert before(matrix, in_crop) == pytest.approx(in_photo, abs=1e-9)


class Posed(torch.nn.Module):
    """Says that the template's landmarks stand `shift` px off in the crop, and that the head has a rotation there."""

    def __init__(self, rotation: np.ndarray, shift: float = 0.0) -> None:
        super().__init__()
        points = np.concatenate([np.full((68, 2), 128.0), FFHQ_256.points + (shift, 0)])
        self.points = torch.from_numpy((points + 0.5 - [LEFT, TOP]) / [RIGHT - LEFT, BOTTOM - TOP]).float()
        self.rotation = torch.from_numpy(rotation).float()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.points[None], torch.full((1,), 5.0), self.rotation[None]


def test_a_close_look_gives_the_networks_pose_as_it_is_in_the_photo() -> None:
    photo = np.zeros((400, 400, 3), np.uint8)
    turn = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 390.0]])  # the photo lies on its side
    face = Face((0, 0, 300, 300), transform(inverse(turn), FFHQ_256.points))
    refined = LandmarkFinder(Posed(rotation(30, -12, 8))).refine(photo, face)
    yaw, pitch, roll = angles(rotation(30, -12, 8))
    assert refined.pose == pytest.approx([yaw, pitch, roll + 90], abs=1e-2)


def test_the_pose_is_the_landmarks_where_the_network_is_not_believed() -> None:
    face = Face((0, 0, 30, 30), FFHQ_256.points)
    refined = LandmarkFinder(Posed(rotation(30, 0, 0), shift=90)).refine(np.zeros((300, 300, 3), np.uint8), face)
    assert np.array_equal(refined.landmarks, face.landmarks)
    assert refined.pose == pytest.approx(estimate_pose(face.landmarks))


def seen(*turned: float) -> np.ndarray:
    """68 landmarks (68, 2) of the mean face turned by yaw, pitch and roll, 60 px between the eyes' outer corners."""
    return (60 * mean_face() @ rotation(*turned).T)[:, :2] + (128, 120)


def test_the_mean_face_is_symmetric_with_its_nose_in_front() -> None:
    face = mean_face()
    assert face.shape == (68, 3)
    assert np.allclose(face[mirrored_order()[:68]] * (-1, 1, 1), face, atol=1e-3)
    assert face[30, 2] > face[:17, 2].max() + 0.2
    assert np.linalg.norm(face[45] - face[36]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    "turned", [(0, 0, 0), (30, 0, 0), (-50, 0, 0), (0, 20, 0), (0, -15, 0), (0, 0, 40), (25, 0, -30)]
)
def test_68_landmarks_tell_the_pose(turned: tuple[float, float, float]) -> None:
    points = seen(*turned)
    assert pose_of_68(points) == pytest.approx(turned, abs=0.1)
    mirrored = points[mirrored_order()[:68]] * (-1, 1)
    assert pose_of_68(mirrored) == pytest.approx([-turned[0], turned[1], -turned[2]], abs=0.2)


def test_a_close_look_without_a_pose_output_takes_its_68_landmarks() -> None:
    class Landmarked(Posed):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return super().forward(x)[:2]

    network = Landmarked(np.eye(3))
    network.points[:68] = torch.from_numpy(
        (seen(25, -10, 5) + 0.5 - [LEFT, TOP]) / [RIGHT - LEFT, BOTTOM - TOP]
    ).float()
    face = Face((0, 0, 250, 250), FFHQ_256.points)
    refined = LandmarkFinder(network).refine(np.zeros((300, 300, 3), np.uint8), face)
    assert refined.pose == pytest.approx(angles(rotation(25, -10, 5)), abs=0.1)
