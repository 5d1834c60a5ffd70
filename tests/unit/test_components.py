"""Component boxes: the published rule, and what becomes of boxes that leave the crop and of faces that are turned away."""

from __future__ import annotations

import numpy as np
import pytest

from facestudio.faces.components import NAMES, POINTS, Choice, Explanation, component_boxes, visible_boxes
from facestudio.faces.pose import mean_face
from facestudio.networks.dictionary import COMPONENTS

LEFT_EYE, RIGHT_EYE, NOSE, MOUTH = range(4)


def face_of_512(yaw: float = 0.0, middle: tuple[float, float] = (256.0, 245.0)) -> np.ndarray:
    """The mean face (68, 2) as large as in a crop of 512, turned by `yaw` degrees (nose to the right)."""
    x, y, z = mean_face().T
    turn = np.radians(yaw)
    return np.column_stack([x * np.cos(turn) + z * np.sin(turn), y]) * 175 + middle


def test_faces_and_networks_name_the_components_alike() -> None:
    assert NAMES == COMPONENTS
    assert [len(POINTS[name]) for name in NAMES] == [11, 11, 7, 20]


def test_a_box_is_a_square_about_the_mean_of_its_points() -> None:
    landmarks = np.zeros((68, 2))
    landmarks[list(POINTS["mouth"])] = np.linspace((200.5, 380.5), (300.5, 420.5), 20)
    # mean (250.5, 400.5), half of the larger extent 50
    assert component_boxes(landmarks)[MOUTH].tolist() == [201, 351, 300, 450]


def test_a_small_component_gets_a_box_of_a_sixteenth_of_the_crop() -> None:
    landmarks = np.full((68, 2), 100.0)
    assert component_boxes(landmarks)[NOSE].tolist() == [85, 85, 116, 116]
    assert component_boxes(landmarks, 256)[NOSE].tolist() == [93, 93, 108, 108]


def test_rounding_is_towards_zero_on_both_sides_of_it() -> None:
    landmarks = np.full((68, 2), 14.4)  # from -0.6 to 30.4
    assert component_boxes(landmarks)[NOSE].tolist() == [0, 0, 30, 30]
    assert component_boxes(landmarks - 14)[NOSE].tolist() == [-14, -14, 16, 16]  # from -14.6 to 16.4


def test_within_the_crop_nothing_is_cut_off() -> None:
    landmarks = face_of_512()
    boxes = visible_boxes(landmarks)
    assert np.array_equal(boxes, component_boxes(landmarks))
    assert (boxes[:, 2:] - boxes[:, :2] >= 30).all()
    assert boxes[LEFT_EYE, 0] < boxes[RIGHT_EYE, 0]
    assert boxes[LEFT_EYE, 1] < boxes[NOSE, 1] < boxes[MOUTH, 1]


def test_a_box_that_leaves_the_crop_is_cut_off_and_one_that_is_outside_is_empty() -> None:
    whole = component_boxes(face_of_512())[MOUTH]
    down = 512 - int(whole[3])
    partly = visible_boxes(face_of_512(middle=(256.0, 245.0 + down + 20)))
    assert partly[MOUTH].tolist() == [whole[0], whole[1] + down + 20, whole[2], 512]
    gone = visible_boxes(face_of_512(middle=(256.0, 245.0 + down + 0.6 * (whole[3] - whole[1]))))
    assert gone[MOUTH].tolist() == [0, 0, 0, 0]
    assert gone[LEFT_EYE].any()
    assert not visible_boxes(face_of_512(middle=(-900.0, 245.0))).any()


@pytest.mark.parametrize("yaw", [0, 20, -40, 45])
def test_both_eyes_of_a_face_that_is_turned_a_little_are_seen(yaw: float) -> None:
    assert visible_boxes(face_of_512(yaw)).any(axis=1).all()


@pytest.mark.parametrize(("yaw", "far"), [(70, RIGHT_EYE), (-70, LEFT_EYE), (80, RIGHT_EYE)])
def test_the_far_eye_of_a_profile_is_left_alone(yaw: float, far: int) -> None:
    boxes = visible_boxes(face_of_512(yaw))
    assert [index for index in range(4) if not boxes[index].any()] == [far]


def test_missing_landmarks_are_components_less() -> None:
    landmarks = face_of_512()
    landmarks[30] = np.nan
    boxes = visible_boxes(landmarks)
    assert not boxes[NOSE].any()
    assert boxes[[LEFT_EYE, RIGHT_EYE, MOUTH]].any(axis=1).all()
    assert np.array_equal(visible_boxes(None), np.zeros((4, 4)))


def test_an_explanation_tells_of_each_component() -> None:
    fine, coarse = Choice("nose", 256, 3, 8, 0.5), Choice("nose", 128, 1, 8, 0.25)
    told = Explanation((fine, Choice("mouth", 256, 0, 8, 1.5), coarse), ("left_eye",))
    assert told.of("nose") == (fine, coarse)
    assert told.of("left_eye") == ()
