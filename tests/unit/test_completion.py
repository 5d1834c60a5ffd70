"""Our own small DFDNet: what it adds to the estimator, how it is trained, and what it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.networks.completion import LEVELS, Completion, entry_shape
from facestudio.networks.dictionary import COMPONENTS, SKIPPED
from facestudio.networks.estimator import EstimatorUNet

TINY: dict[str, Any] = {"widths": [8, 16, 16], "blocks": 1, "unshuffle": 4}
BOXES = torch.tensor([[[60, 90, 110, 130], [146, 90, 196, 130], [100, 120, 156, 160], [90, 165, 166, 215]]])


@pytest.fixture(scope="module")
def estimator() -> EstimatorUNet:
    torch.manual_seed(0)
    network = EstimatorUNet(**TINY, side=256)
    for silent in network.modules():
        if isinstance(silent, torch.nn.Conv2d) and not silent.weight.any():
            torch.nn.init.normal_(silent.weight, std=0.05)
    for place in network.places:
        torch.nn.init.normal_(place, std=0.1)
    return network.eval()


@pytest.fixture
def completion(estimator: EstimatorUNet) -> Completion:
    torch.manual_seed(1)
    network = Completion(**TINY, entries=5)
    network.begin(estimator)
    for component in COMPONENTS:
        for level in range(LEVELS):
            torch.nn.init.normal_(getattr(network, f"{component}_{level}"))
    return network.eval()


def trusting(network: Completion) -> Completion:
    for block in network.confidence.values():
        torch.nn.init.normal_(block[-1].bias, mean=0.5, std=0.1)  # type: ignore[index]
    return network


def faces(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, 256, 256, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_it_begins_as_the_estimator(estimator: EstimatorUNet, completion: Completion) -> None:
    with torch.inference_mode():
        done = completion(estimator, faces(), BOXES.expand(2, 4, 4))
        assert torch.allclose(done.picture, estimator(faces()), atol=1e-5)
        assert not torch.allclose(done.picture, faces(), atol=1e-2)
    assert done.entry.shape == done.confidence.shape == (2, 4, LEVELS)
    assert not done.confidence.any() and (done.entry != SKIPPED).all()


def test_it_has_the_last_levels_of_the_way_up_for_its_own(estimator: EstimatorUNet, completion: Completion) -> None:
    assert len(completion.up) == len(completion.grow) == LEVELS
    deep = EstimatorUNet(widths=(8, 8, 16, 16), blocks=(2, 1, 2, 1), attend=(2,)).eval()
    for silent in deep.modules():
        if isinstance(silent, torch.nn.Conv2d) and not silent.weight.any():
            torch.nn.init.normal_(silent.weight, std=0.05)
    network = Completion(widths=(8, 8, 16, 16), blocks=(2, 1, 2, 1), entries=3)
    network.begin(deep)
    with torch.inference_mode():
        assert torch.allclose(network(deep, faces(1), BOXES).picture, deep(faces(1)), atol=1e-5)
    assert not any(name.startswith("middle") for name in network.state_dict())


def test_what_it_trusts_shows_in_the_boxes_first(estimator: EstimatorUNet, completion: Completion) -> None:
    with torch.inference_mode():
        plain = completion(estimator, faces(), BOXES.expand(2, 4, 4)).picture
        done = trusting(completion)(estimator, faces(), BOXES.expand(2, 4, 4))
    off = (done.picture - plain).abs().mean(1)
    assert (done.confidence > 0.1).all()
    assert off[:, 165:215, 90:166].mean() > 5 * off[:, :40].mean()


def test_an_empty_box_is_skipped(estimator: EstimatorUNet, completion: Completion) -> None:
    boxes = BOXES.clone()
    boxes[0, 2] = 0
    with torch.inference_mode():
        done = trusting(completion)(estimator, faces(1), boxes)
        plain = estimator(faces(1))
        nowhere = completion(estimator, faces(1), torch.zeros_like(BOXES))
    assert (done.entry[0, 2] == SKIPPED).all() and (done.entry[0, [0, 1, 3]] != SKIPPED).all()
    assert torch.allclose(nowhere.picture, plain, atol=1e-5)


def test_the_entry_that_is_like_the_region_is_chosen(estimator: EstimatorUNet, completion: Completion) -> None:
    maps = estimator.encoded(faces(1))
    left, top, right, bottom = (BOXES[0, 3] // 4).tolist()
    region = maps[0][:, :, top:bottom, left:right]
    size = entry_shape("mouth", 0, TINY["widths"])[1:]
    with torch.no_grad():
        completion.mouth_0[3] = torch.nn.functional.interpolate(region, size=size, mode="bilinear")[0]  # type: ignore[index,operator]
        assert completion(estimator, faces(1), BOXES).entry[0, 3, 0] == 3


def test_a_mirrored_face_gives_the_mirrored_picture(estimator: EstimatorUNet, completion: Completion) -> None:
    mirrored = BOXES[:, [1, 0, 2, 3]].clone()
    mirrored[..., 0], mirrored[..., 2] = 256 - BOXES[:, [1, 0, 2, 3], 2], 256 - BOXES[:, [1, 0, 2, 3], 0]
    with torch.inference_mode():
        network = trusting(completion)
        one = network.symmetric(estimator, faces(1), BOXES).picture
        other = network.symmetric(estimator, faces(1).flip(-1), mirrored).picture.flip(-1)
    assert torch.allclose(one, other, atol=1e-4)


def test_only_what_is_its_own_is_trained(estimator: EstimatorUNet, completion: Completion) -> None:
    completion(estimator, faces(1), BOXES).picture.mean().backward()
    assert all(parameter.grad is None for parameter in estimator.parameters())
    assert all(parameter.grad is not None for parameter in completion.parameters())
    assert not any(name.partition("_")[0] in ("left", "mouth") for name, _ in completion.named_parameters())


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, estimator: EstimatorUNet) -> Any:
    """The recipe on 24 noisy faces whose landmarks are those of a mean face."""
    from facestudio.training.recipes.dictionary import Recipe

    root: Path = tmp_path_factory.mktemp("shared")
    random = np.random.default_rng(0)
    made = Recipe.__new__(Recipe)
    made.root, made.cache, made.images_seen = root, root, 0
    made.config = {**TINY, "entries": 4}
    made.sampled = 20
    made.order = __import__("facestudio.training.recipes.landmarks", fromlist=["x"]).mirrored_order()[:68]
    points = np.zeros((24, 68, 2), np.float32)
    points[:, :] = random.uniform(60, 200, (68, 2))
    made.__dict__["landmarks"] = points
    made.__dict__["estimator"] = estimator
    made.training = np.arange(24)
    made.faces = type("Faces", (), {"pixels": random.integers(0, 255, (24, 256, 256, 3), np.uint8)})()
    return made


def test_dictionaries_are_made_once_of_undamaged_faces(recipe: Any) -> None:
    found = recipe.dictionaries
    assert set(found) == {f"{component}_{level}" for component in COMPONENTS for level in range(LEVELS)}
    for name, entries in found.items():
        component, _, level = name.rpartition("_")
        assert entries.shape == (4, *entry_shape(component, int(level), TINY["widths"]))
        assert np.isfinite(entries).all() and entries.std() > 0
    network = recipe.network()
    assert torch.equal(network.nose_1, torch.from_numpy(found["nose_1"]))
    (stored,) = recipe.cache.glob("dictionary-*.npz")
    assert stored.stat().st_size > 1000


def test_boxes_follow_the_mirrored_landmarks_and_are_shaken(recipe: Any) -> None:
    plain, mirrored = recipe.boxes(0, False), recipe.boxes(0, True)
    assert plain.shape == (4, 4)
    assert abs(mirrored[0, 0] - (256 - plain[1, 2])) <= 2, "the left eye is where the right one was"
    shaken = np.array([recipe.boxes(0, False, np.random.default_rng(seed)) for seed in range(20)])
    assert shaken.std(0).max() > 0.5 and np.abs(shaken - plain).max() <= 5


class AnyFinder:
    """Finds the same 68 landmarks in every crop, or none of the mouth's."""

    def __init__(self, mouth: bool = True) -> None:
        self.points = np.random.default_rng(1).uniform(80, 180, (68, 2)).astype(np.float32)
        for corner, x in ((36, 90), (39, 115), (42, 140), (45, 165)):
            self.points[corner] = (x, 100)
        if not mouth:
            self.points[48:68] = (300, 300)

    def find(self, pixels: np.ndarray, face: Any) -> np.ndarray:
        return self.points


@pytest.mark.parametrize("mouth", [True, False])
def test_the_method_says_what_it_chose(estimator: EstimatorUNet, completion: Completion, mouth: bool) -> None:
    from facestudio.faces.face import FFHQ_256, FFHQ_512, AlignedFace
    from facestudio.methods.base import Explainer, Restorer
    from facestudio.methods.dfdnet import StarterDFDNet
    from facestudio.methods.dfdnet import StarterOptions as Options
    from facestudio.progress import Progress
    from tests.fakes import fake_checkpoint, picture

    finder: Any = AnyFinder(mouth)
    method = StarterDFDNet(fake_checkpoint(), trusting(completion), estimator, finder)
    assert isinstance(method, Restorer) and isinstance(method, Explainer) and method.template == FFHQ_256
    crop = AlignedFace(picture(256, 256), np.eye(2, 3), FFHQ_256)
    made, explanation = method.explained(crop, Options(), Progress(), 0)
    assert np.array_equal(made.pixels, method(crop, Options(), Progress(), 1).pixels)
    assert np.abs(made.pixels.astype(int) - crop.pixels).mean() > 1
    assert {choice.scale for choice in explanation.choices} == {128, 64}
    assert all(0 <= choice.entry < choice.entries == 5 and choice.confidence > 0 for choice in explanation.choices)
    assert explanation.skipped == (() if mouth else ("mouth",))
    with pytest.raises(ValueError, match="works on"):
        method(AlignedFace(picture(512, 512), np.eye(2, 3), FFHQ_512), Options(), Progress(), 0)
