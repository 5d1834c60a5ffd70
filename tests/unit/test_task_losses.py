"""Weights of tasks and losses with teachers, against their formulas, and what the landmarks recipe makes of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from facestudio.faces.pose import angles
from facestudio.networks.landmarks import LandmarkNet
from facestudio.training import data
from facestudio.training.assistance import assistive_loss, kd_loss
from facestudio.training.loop import Taught
from facestudio.training.recipes.landmarks import EXTENT, UNMOVED, Recipe, mirrored_order
from facestudio.training.shapes import mean_face
from facestudio.training.weighting import UncertaintyWeights
from tests.unit.test_shapes import symmetric_head, views_of


def test_uncertainty_weights_are_the_papers() -> None:
    tasks = UncertaintyWeights({"pose": 1.0, "face": 1.0}, classifications=("face",))
    with torch.no_grad():
        tasks.log_variances["pose"].fill_(0.6)
        tasks.log_variances["face"].fill_(-0.8)
    sigma = {"pose": math.exp(0.3), "face": math.exp(-0.4)}
    wanted = 3.0 / (2 * sigma["pose"] ** 2) + math.log(sigma["pose"])  # a regression
    wanted += 0.5 / sigma["face"] ** 2 + math.log(sigma["face"])  # a classification
    assert tasks({"pose": torch.tensor(3.0), "face": torch.tensor(0.5)}).item() == pytest.approx(wanted, rel=1e-6)


def test_uncertainty_weights_begin_as_asked_and_end_at_one_over_the_loss() -> None:
    tasks = UncertaintyWeights({"many": 10.0, "face": 0.3}, classifications=("face",))
    assert tasks.weight("many").item() == pytest.approx(10)
    assert tasks.weight("face").item() == pytest.approx(0.3)
    losses = {"many": torch.tensor(0.004), "face": torch.tensor(0.25)}
    descent = torch.optim.Adam(tasks.parameters(), 0.05)
    for _ in range(600):
        descent.zero_grad()
        tasks(losses).backward()
        descent.step()
    assert tasks.weight("many").item() == pytest.approx(1 / (2 * 0.004), rel=0.02)
    assert tasks.weight("face").item() == pytest.approx(1 / (2 * 0.25), rel=0.02)
    with pytest.raises(KeyError):
        tasks({"many": losses["many"]})


@pytest.mark.parametrize("side", [1, -1])
def test_assistive_loss_by_region(side: int) -> None:
    truth, teacher = torch.tensor(0.5), torch.tensor(0.6)  # the teacher is 0.1 away
    for error, wanted in ((0.15, 2 * 0.05), (0.1, 0.0), (0.04, -0.5 * 0.06), (0.016, -0.5 * 0.084), (0.014, 0.0)):
        guess = truth + side * error
        assert assistive_loss(guess, truth, teacher, 2.0, -0.5).item() == pytest.approx(wanted, abs=1e-6), error


def test_both_sides_of_a_teacher_pull_towards_the_truth() -> None:
    guess = torch.tensor([0.65, 0.55, 0.45, 0.35], requires_grad=True)
    truth, teacher = torch.full((4,), 0.5), torch.full((4,), 0.6)
    assistive_loss(guess, truth, teacher, 2.0, -0.5).sum().backward()
    assert guess.grad is not None
    assert guess.grad.tolist() == pytest.approx([2.0, 0.5, -0.5, -2.0])


def test_kd_loss_is_its_parts() -> None:
    truth, tough, tolerant = torch.tensor([0.5, 0.5]), torch.tensor([0.52, 0.52]), torch.tensor([0.6, 0.6])
    near, far = 0.05, 0.2
    guess = truth + torch.tensor([near, far])
    main = [3 * near, far**2 + 3 * 0.1 - 0.1**2]
    assisted = [1.9 * (near - 0.02) - 0.4 * (0.1 - near), 1.9 * (far - 0.02) + 1.8 * (far - 0.1)]
    wanted = [2 * m + a for m, a in zip(main, assisted, strict=True)]
    assert kd_loss(guess, truth, tough, tolerant).tolist() == pytest.approx(wanted, rel=1e-5)


@pytest.fixture
def recipe() -> Recipe:
    """The recipe without its pictures."""
    made = object.__new__(Recipe)
    made.order = mirrored_order()
    made.mean_face = mean_face(views_of(symmetric_head())[0], made.order[:68])
    return made


def small() -> Taught:
    tasks = UncertaintyWeights(dict.fromkeys(("many", "five", "face", "pose"), 1.0), ("face",))
    return Taught(LandmarkNet((4, 8, 8, 8), 8, pose=True), nn.ModuleDict({"tasks": tasks}))


def batch() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    points = torch.rand(4, 2, 73, 2)
    known = torch.tensor([2, 2, 1, 0])
    return {
        "crops": torch.rand(4, 3, 112, 112),
        "points": points,
        "rotations": torch.eye(3).repeat(4, 1, 1),
        "known": known,
    }


def test_each_task_learns_from_the_faces_that_have_its_label(recipe: Recipe) -> None:
    network, given = small(), batch()
    loss, terms = recipe.loss(network, given)
    loss.backward()
    assert network.network.pose is not None
    assert all(p.grad is not None for p in network.parameters())
    assert terms["pose"] == pytest.approx(0, abs=1e-9)  # it begins by saying that all look straight
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    given["rotations"][2:] = quarter  # of faces whose 68 are not known
    assert recipe.loss(network, given)[1]["pose"] == pytest.approx(0, abs=1e-9)
    given["rotations"][0] = quarter
    assert recipe.loss(network, given)[1]["pose"] == pytest.approx(1.0)  # 2 - 2 cos 90, on one of two


def test_the_tolerant_teacher_is_asked_only_where_it_assists(recipe: Recipe) -> None:
    network, given = small().eval(), batch()
    plain = recipe.loss(network, given)[0].item()
    moved = {**given, "points": given["points"] + torch.tensor([0.0, 0.1])[None, :, None, None]}
    assert recipe.loss(network, moved)[0].item() == pytest.approx(plain)
    recipe.assisted = True
    assert recipe.loss(network, moved)[0].item() != pytest.approx(recipe.loss(network, given)[0].item(), rel=1e-3)


def test_the_label_turns_and_mirrors_with_the_view(recipe: Recipe) -> None:
    shape = np.concatenate([views_of(symmetric_head())[0][3], np.zeros((5, 2))])
    pixels = np.zeros((256, 256, 3), np.uint8)
    straight = recipe.rotation(recipe.view(pixels, shape, UNMOVED, None)[1])
    yaw, pitch, roll = angles(straight)
    seen = set()
    for seed in range(8):
        random = np.random.default_rng(seed)
        both = recipe.view(pixels, np.stack([shape, shape]), UNMOVED, random)[1]
        assert np.array_equal(both[0], both[1])
        told = angles(recipe.rotation(both[0]))
        sign = np.sign(told[0] * yaw)
        seen.add(sign)
        assert [told[0], told[1]] == pytest.approx([sign * yaw, pitch], abs=0.05)
        assert abs(told[2] - sign * roll) < 45
    assert seen == {-1, 1}


def test_validation_tells_the_error_of_each_angle_of_networks_that_tell_a_pose(recipe: Recipe) -> None:
    shapes = views_of(symmetric_head())[0][:6]
    recipe.points = np.concatenate([shapes, shapes[:, [37, 44, 30, 48, 54]]], axis=1)
    recipe.faces = data.Faces(np.zeros((6, 256, 256, 3), np.uint8), np.array(["a"] * 6), [])
    recipe.validation = np.arange(6)
    wanted = np.abs(angles(np.stack([recipe.rotation(p) for p in recipe.points / EXTENT]))).mean(axis=0)
    figures = recipe.validate(LandmarkNet((4, 8, 8, 8), 8, pose=True).eval(), torch.device("cpu"))
    for name in ("plain", "degraded"):  # a new network says that all look straight
        assert [figures[f"{axis}_{name}"] for axis in ("yaw", "pitch", "roll")] == pytest.approx(wanted, abs=1e-2)
    bare = recipe.validate(LandmarkNet((4, 8, 8, 8), 8).eval(), torch.device("cpu"))
    assert set(figures) - set(bare) == {f"{a}_{n}" for a in ("yaw", "pitch", "roll") for n in ("plain", "degraded")}
