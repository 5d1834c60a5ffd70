"""The small form of Vec2Face that ships: its network, its method, what sliders do to it, and the recipe that trains it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.checkpoints import load_manifest
from facestudio.faces.align import similarity_transform
from facestudio.faces.face import ARCFACE_112, FFHQ_256, Identity
from facestudio.methods.base import Synthesizer, Wish
from facestudio.methods.moving import Moving, Placing
from facestudio.methods.vec2face import FARTHEST, StarterVec2Face
from facestudio.networks import vec2face as networks
from facestudio.networks.embedder import DenseFaceNet
from facestudio.offers import Offers
from facestudio.progress import Cancelled, Progress
from facestudio.training import looks, loop
from facestudio.training.recipes.landmarks import mirrored_order
from facestudio.training.recipes.vec2face import Critic, Discriminator, Recipe, versus
from tests.fakes import fake_checkpoint

SHAPES, PICTURES, LATENT = 6, 5, (4, 8, 8)
TINY: dict[str, Any] = {
    "rep_dim": 16,
    "embed_dim": 32,
    "depth": 1,
    "num_heads": 2,
    "decoder_depth": 1,
    "decoder_num_heads": 2,
    "mlp_ratio": 2.0,
    "z_channels": 32,
    "ch": 32,
    "ch_mult": [1, 1],
    "num_res_blocks": 1,
    "mask_ratio_min": 0.0,
    "mask_ratio_max": 0.0,
    "mask_ratio_mu": 0.0,
    "mask_ratio_std": 0.0,
    "looks": [SHAPES, PICTURES],
    "latent": LATENT[0],
    "side": 4,
    "coarse": 8,
    "length": 4.0,
}
WHO = Identity(np.arange(16.0) - 7, "listener")


def orthogonal_rows(count: int, width: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(width, count, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(drawn)[0].T * torch.arange(1.0, count + 1)[:, None] / 4


class Squares:
    """An autoencoder whose pictures are the first channels of its latents."""

    def pixels(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.nn.functional.interpolate(latents[:, :3], (256, 256)))

    decode = pixels


@pytest.fixture
def method() -> StarterVec2Face:
    torch.manual_seed(0)
    network = networks.Vec2Face(**TINY).eval()
    assert network.looks is not None
    looks = network.looks = networks.Looks(16, SHAPES, PICTURES, push=math.prod(LATENT))
    looks.shape.copy_(orthogonal_rows(SHAPES, 136, 1))
    looks.usual.copy_(128 + 40 * torch.randn(136, generator=torch.Generator().manual_seed(2)))
    for each in (looks.expected, looks.lights, looks.lit, looks.anybody):
        each.normal_()
    entry = fake_checkpoint("vec2face", goal="create", conditioned_on=("listener",))
    return StarterVec2Face(entry, network, Squares())


def drawn(method: Any, wish: Wish | Sequence[Wish], *seeds: int, **options: Any) -> list[np.ndarray]:
    return method(wish, seeds, method.Options(**options), Progress())  # type: ignore[no-any-return]


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one.astype(int) - other).max() > 1)


def test_a_person_looks_otherwise_with_each_seed_and_the_same_with_one(method: StarterVec2Face) -> None:
    assert isinstance(method, Synthesizer) and method.embedder == "listener"
    one, other = drawn(method, Wish(WHO), 3, 4)
    assert one.shape == (112, 112, 3) and one.dtype == np.uint8 and differ(one, other)
    assert not differ(drawn(method, Wish(WHO), 4)[0], other)
    assert not differ(*drawn(method, Wish(WHO), 3, 4, looks=0.0)), "without looks only the person is left"
    assert differ(drawn(method, Wish(Identity(-WHO.embedding, "listener")), 3)[0], one)
    with pytest.raises(ValueError, match="understands listener"):
        drawn(method, Wish(Identity(WHO.embedding, "another")), 3)


def test_anybody_is_somebody_else_with_each_seed(method: StarterVec2Face) -> None:
    one, other = drawn(method, Wish(), 3, 4, looks=0.0)
    assert differ(one, other) and not differ(drawn(method, Wish(), 4, looks=0.0)[0], other)


def test_landmarks_are_told_as_looks_and_read_from_them(method: StarterVec2Face) -> None:
    assert isinstance(method, Placing)
    known = method._network.looks
    options = method.Options()
    placed = method.landmarks(Wish(WHO), 5, options)
    assert placed.shape == (68, 2)
    _, free = method._told(Wish(WHO), 5, options)
    _, held = method._told(Wish(WHO, placed), 5, options)
    assert np.allclose(held, free, atol=1e-3), "told where they would be anyway, nothing changes"
    assert method.landmarks(Wish(WHO, placed), 5, options) is not None
    smaller = similarity_transform(FFHQ_256.points, ARCFACE_112.points)[:, :2].T
    aside = placed + known.shape[0].reshape(68, 2).numpy() @ smaller / float(known.shape[0].square().sum())
    _, moved = method._told(Wish(WHO, aside), 5, options)
    assert moved[0] == pytest.approx(held[0] + 1, abs=1e-3) and np.allclose(moved[1:], held[1:], atol=1e-3)
    _, far = method._told(Wish(WHO, placed + 1000), 5, options)
    assert np.abs(far[:SHAPES]).max() <= FARTHEST


def test_light_moves_the_looks_of_the_picture_alone(method: StarterVec2Face) -> None:
    push = np.random.default_rng(0).standard_normal(LATENT).astype(np.float32) / 9
    (_, before), (_, after) = (method._told(Wish(WHO, push=one), 5, method.Options()) for one in (None, push))
    known = method._network.looks
    told = known.lit.numpy() @ (known.lights.numpy() @ push.ravel())
    assert np.array_equal(before[:SHAPES], after[:SHAPES])
    assert np.allclose((after - before)[SHAPES:], told, atol=1e-4) and np.abs(told).max() > 1e-3


def test_sliders_need_no_first_drawing(method: StarterVec2Face) -> None:
    class Turned:
        def moves_identity(self, settings: Any) -> bool:
            return False

        def moves_features(self, settings: Any) -> bool:
            return True

        def features(self, landmarks: np.ndarray, settings: Any, template: Any) -> np.ndarray:
            assert template is ARCFACE_112
            return landmarks + [3, 0]

        def push(self, settings: Any) -> None:
            return None

    class Blind:
        def find(self, *given: Any) -> Any:
            raise AssertionError("where its features are the method itself knows")

    moving = Moving(method, Turned(), {"yaw": 1.0}, Blind())  # type: ignore[arg-type]
    (turned,), (plain,) = drawn(moving, Wish(WHO), 5), drawn(method, Wish(WHO), 5)
    placed = method.landmarks(Wish(WHO), 5, method.Options())
    assert differ(turned, plain)
    assert not differ(turned, drawn(method, Wish(WHO, placed + [3, 0]), 5)[0])


def test_drawing_stops_when_asked(method: StarterVec2Face) -> None:
    progress = Progress(lambda update: progress.cancel(), every=0)
    with pytest.raises(Cancelled):
        method(Wish(), list(range(20)), method.Options(), progress)


def test_its_own_table_says_which_sliders_it_offers(monkeypatch: pytest.MonkeyPatch) -> None:
    known = load_manifest()
    mine = fake_checkpoint("small", calibration={"offered": ["yaw", "age"]}, uses={"sliders": "starter-sliders"})
    monkeypatch.setattr("facestudio.checkpoints.load_manifest", lambda: {**known, "small": mine})
    assert [slider.id for slider in Offers().sliders("small")] == ["age", "yaw"]
    monkeypatch.setattr("facestudio.checkpoints.load_manifest", lambda: {"small": mine})
    assert Offers().sliders("small") == ()


# ---- the recipe


def small_recipe() -> Recipe:
    """People whose features and latents follow who they are, where they stand and how they are lit."""
    random = np.random.default_rng(0)
    count = 120
    made = object.__new__(Recipe)
    who = random.standard_normal((count, 16)).astype(np.float32)
    who /= np.linalg.norm(who, axis=1, keepdims=True)
    by_who, stands = random.standard_normal((2, 16, 136)), random.standard_normal((count, 2))
    rim = np.stack([np.cos(np.arange(68)), np.sin(np.arange(68))], 1)
    points = 128 + 60 * rim + 5 * (who @ by_who[0]).reshape(count, 68, 2) + 6 * stands[:, None]
    grown = random.standard_normal((5, *LATENT))
    grown += np.array([1, 1, 1, 1, -1])[:, None, None, None] * grown[..., ::-1]  # who and light have no side
    causes = np.concatenate([4 * who[:, :2], random.standard_normal((count, 2)), stands[:, :1]], 1)
    latents = np.tensordot(causes, grown, 1).astype(np.float32) / 4
    both = np.stack([latents, latents[..., ::-1]], 1).reshape(2 * count, *LATENT)
    made.faces = type("Faces", (), {"pixels": random.integers(0, 256, (count, 256, 256, 3), np.uint8)})()
    source = type("Source", (), {"landmarks": points.astype(np.float32), "loud": torch.linspace(0.5, 1.5, LATENT[0])})()
    made.source, made.people, made.latents = source, who, both  # type: ignore[misc]
    made.training, made.validation = np.arange(90), np.arange(90, count)
    made.images_seen, made.share_seen, made.config = 0, 0.0, dict(TINY)
    made.settings = loop.Settings(batch=12, muon=1e-3, outer=Recipe.settings.outer, warmup=5, ema=0.5)
    made.drawn = lambda count, random: who[:count]  # type: ignore[method-assign]
    made.drawing, made.autoencoder = None, Squares()  # type: ignore[misc, assignment]
    made.decode = made.autoencoder.decode  # type: ignore[assignment, method-assign]
    return made


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    still = np.zeros((2, math.prod(LATENT)), np.float32), np.zeros((PICTURES, 2), np.float32)
    monkeypatch.setattr(looks.Fitted, "light", lambda self: still)
    smaller = partial(networks.Looks, push=math.prod(LATENT))
    monkeypatch.setattr(networks, "Looks", smaller)
    torch.manual_seed(1)
    made = small_recipe()
    embedder = DenseFaceNet((8, 8, 8, 8), (1, 1, 1), bottleneck=8, features=16, dimensions=16)
    made.critic = Critic(embedder)  # type: ignore[misc]
    return made


def test_looks_are_what_the_person_does_not_say(recipe: Recipe) -> None:
    fitted = recipe.fitted
    assert fitted.looks.shape == (240, SHAPES + PICTURES)
    rows = np.concatenate([2 * recipe.training, 2 * recipe.training + 1])
    told, who = fitted.looks[rows], np.repeat(recipe.people, 2, 0)[rows]
    varied = told[:, [0, 1, SHAPES, SHAPES + 1]]
    assert np.allclose(varied.std(0), 1, atol=0.1)
    assert np.abs(np.corrcoef(varied.T, who.T)[:4, 4:]).max() < 0.3
    network: Any = recipe.network().network
    points, people = torch.from_numpy(recipe.source.landmarks), torch.from_numpy(recipe.people)
    read = network.looks.shapes(points, people).clamp(-looks.FARTHEST, looks.FARTHEST)
    assert np.allclose(read, fitted.looks[::2, :SHAPES], atol=1e-2), "as the method reads them"
    flipped = (points * torch.tensor([-1, 1]) + torch.tensor([255, 0]))[:, mirrored_order()[:68]]
    mirrored = network.looks.shapes(flipped, people).clamp(-looks.FARTHEST, looks.FARTHEST)
    assert np.allclose(mirrored, fitted.looks[1::2, :SHAPES], atol=1e-2)


def test_before_the_training_it_draws_the_best_linear_answer(recipe: Recipe) -> None:
    assert recipe.fitted.explained > 0.5, "also of people it was not fitted to"
    trained: Any = recipe.network()
    network = trained.network.eval()
    told = np.concatenate([TINY["length"] * recipe.people, recipe.fitted.looks[::2]], 1)
    with torch.inference_mode():
        made = recipe.draw(network, torch.from_numpy(told))
    truth = torch.from_numpy(recipe.latents[::2].copy()) * network.loud[:, None, None]
    left = (made - truth).square().mean() / truth.square().mean()
    assert float(left) == pytest.approx(1 - recipe.fitted.explained, abs=0.15)


def test_training_lessens_the_error_and_ends_with_a_discriminator(recipe: Recipe, tmp_path: Path) -> None:
    recipe.watched_from, recipe.adversarial_from = 2.0, 2.0
    network: Any = recipe.network()
    batch = recipe.batch(np.random.default_rng(0))
    assert batch["told"].shape == (12, 16 + SHAPES + PICTURES) and batch["latents"].shape == (12, *LATENT)
    optimizer = torch.optim.Adam([one for one in network.parameters() if one.requires_grad], 1e-3)
    errors = []
    for _ in range(25):
        loss, terms = recipe.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(terms["error"])
    assert errors[-1] < 0.8 * errors[0] and terms["judge"] == 0
    recipe.watched_from, recipe.adversarial_from, recipe.share_seen = 0.0, 0.0, 0.5
    loss, terms = recipe.loss(network, batch)
    assert terms["judge"] > 0 and terms["perceptual"] > 0 and -1 <= terms["unseen"] <= 1
    optimizer.zero_grad()
    loss.backward()
    assert network.heads["discriminator"].layers[-1].weight.grad is not None
    assert network.network.coarse[0].weight.grad is None, "the linear path stays"


def test_the_maker_and_its_judge_learn_from_losses_of_their_own() -> None:
    torch.manual_seed(0)
    judge, truth = Discriminator(3), torch.randn(4, 3, 16, 16)
    made = torch.randn(6, 3, 16, 16, requires_grad=True)
    for place, (to_made, to_judge) in enumerate([(True, False), (False, True), (False, True)]):
        loss = versus(judge, made, truth)[place]
        made.grad = judge.layers[0].weight.grad = None
        loss.backward()
        assert (made.grad is not None) == to_made
        assert (judge.layers[0].weight.grad is not None) == to_judge
    optimizer = torch.optim.Adam(judge.parameters(), 2e-3)
    for _ in range(20):
        _, loss, _ = versus(judge, made + 1, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert versus(judge, made + 1, truth)[0].item() > 1 > loss.item(), "what is made is seen through"


def test_the_small_form_is_small_enough_to_ship() -> None:
    network = networks.Vec2Face(**Recipe.config)
    assert sum(value.numel() for value in network.state_dict().values()) * 2 < 7.5e6
    assert network.drawn == (16, 16, 16)
