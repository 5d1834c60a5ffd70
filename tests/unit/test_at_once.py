"""Faces at once: the network, the method, what sliders do to it, and the recipe that trains it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.checkpoints import load_manifest
from facestudio.faces.face import FFHQ_256, Identity
from facestudio.methods.at_once import AtOnce
from facestudio.methods.base import Synthesizer, Wish
from facestudio.methods.moving import Moving, Placing
from facestudio.networks import at_once as networks
from facestudio.networks.consistency import ConsistencyUpdate
from facestudio.networks.embedder import DenseFaceNet
from facestudio.networks.prior import FacePrior
from facestudio.offers import Offers
from facestudio.progress import Cancelled, Progress
from facestudio.training import appearances, loop
from facestudio.training.recipes.landmarks import mirrored_order
from facestudio.training.recipes.vec2face import Critic, Recipe
from tests.fakes import fake_checkpoint

SHAPES, PICTURES, LATENT = 6, 5, (4, 16, 16)
PRIOR: dict[str, Any] = {
    "latent": LATENT[0],
    "side": LATENT[1],
    "widths": [32, 32],
    "blocks": 1,
    "heads": 32,
    "words": 2,
    "tongue": 16,
    "dimensions": 16,
    "axes": 8,
}
TINY: dict[str, Any] = {"rank": 2, "alpha": 2.0, "appearance": [SHAPES, PICTURES], "coarse": 8, "length": 4.0}
WHO = Identity(np.arange(16.0) - 7, "listener")


def orthogonal_rows(count: int, width: int, seed: int) -> torch.Tensor:
    drawn = torch.randn(width, count, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(drawn)[0].T * torch.arange(1.0, count + 1)[:, None] / 4


class Squares:
    """An autoencoder whose pictures are the first channels of its latents."""

    def pixels(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.nn.functional.interpolate(latents[:, :3], (256, 256)))

    decode = pixels


def speaking_prior() -> FacePrior:
    """A prior whose U-Net says something."""
    prior = FacePrior(**PRIOR).eval()
    torch.nn.init.normal_(prior.unet.conv_out.weight, std=0.05)
    return prior


@pytest.fixture
def method() -> AtOnce:
    torch.manual_seed(0)
    network = networks.AtOnce(PRIOR, **TINY).eval()
    network.noise.normal_()
    appearance = network.appearance
    appearance.shape.copy_(orthogonal_rows(SHAPES, 136, 1))
    appearance.usual.copy_(128 + 40 * torch.randn(136, generator=torch.Generator().manual_seed(2)))
    for each in (appearance.expected, appearance.lights, appearance.lit, appearance.anybody):
        each.normal_()
    entry = fake_checkpoint("at_once", goal="create", conditioned_on=("listener",))
    return AtOnce(entry, network, speaking_prior(), Squares())


def drawn(method: Any, wish: Wish | Sequence[Wish], *seeds: int, **options: Any) -> list[np.ndarray]:
    return method(wish, seeds, method.Options(**options), Progress())  # type: ignore[no-any-return]


def differ(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one.astype(int) - other).max() > 1)


def test_a_person_looks_otherwise_with_each_seed_and_the_same_with_one(method: AtOnce) -> None:
    assert isinstance(method, Synthesizer) and method.embedder == "listener"
    one, other = drawn(method, Wish(WHO), 3, 4)
    assert one.shape == (256, 256, 3) and one.dtype == np.uint8 and differ(one, other)
    assert not differ(drawn(method, Wish(WHO), 4)[0], other)
    assert not differ(*drawn(method, Wish(WHO), 3, 4, appearance=0.0)), "without it only the person is left"
    assert differ(drawn(method, Wish(Identity(-WHO.embedding, "listener")), 3)[0], one)
    with pytest.raises(ValueError, match="understands listener"):
        drawn(method, Wish(Identity(WHO.embedding, "another")), 3)


def test_a_person_is_followed_more_strictly_when_asked(method: AtOnce) -> None:
    linear = method._prior.linear
    linear.accent.normal_(std=0.3)
    linear.axes.copy_(torch.linalg.qr(torch.randn(linear.axes[0].shape))[0])
    usual, same, more = (drawn(method, Wish(WHO), 3, guidance=value)[0].astype(float) for value in (3.0, 3.0, 5.0))
    less = drawn(method, Wish(WHO), 3, guidance=1.0)[0].astype(float)
    assert np.array_equal(usual, same)
    assert np.abs(more - less).mean() > np.abs(usual - less).mean() > 0


def test_anybody_is_somebody_else_with_each_seed(method: AtOnce) -> None:
    one, other = drawn(method, Wish(), 3, 4, appearance=0.0)
    assert differ(one, other) and not differ(drawn(method, Wish(), 4, appearance=0.0)[0], other)


def test_landmarks_are_told_as_appearance_and_read_from_it(method: AtOnce) -> None:
    assert isinstance(method, Placing)
    known = method._network.appearance
    options = method.Options()
    placed = method.landmarks(Wish(WHO), 5, options)
    assert placed.shape == (68, 2)
    free, held = (method._told(wish, 5, options)[16:] for wish in (Wish(WHO), Wish(WHO, placed)))
    assert np.allclose(held, free, atol=1e-3), "told where they would be anyway, nothing changes"
    assert method.landmarks(Wish(WHO, placed), 5, options) is not None
    aside = placed + known.shape[0].reshape(68, 2).numpy() / float(known.shape[0].square().sum())
    moved = method._told(Wish(WHO, aside), 5, options)[16:]
    assert moved[0] == pytest.approx(held[0] + 1, abs=1e-3) and np.allclose(moved[1:], held[1:], atol=1e-3)
    far = method._told(Wish(WHO, placed + 1000), 5, options)[16:]
    assert np.abs(far[:SHAPES]).max() <= networks.Appearance.FARTHEST


def test_light_moves_the_appearance_of_the_picture_alone(method: AtOnce) -> None:
    push = np.random.default_rng(0).standard_normal(LATENT).astype(np.float32) / 9
    before, after = (method._told(Wish(WHO, push=one), 5, method.Options())[16:] for one in (None, push))
    known = method._network.appearance
    told = known.lit.numpy() @ (known.lights.numpy() @ push.ravel())
    assert np.array_equal(before[:SHAPES], after[:SHAPES])
    assert np.allclose((after - before)[SHAPES:], told, atol=1e-4) and np.abs(told).max() > 1e-3


def test_sliders_need_no_first_drawing(method: AtOnce) -> None:
    class Turned:
        def moves_identity(self, settings: Any) -> bool:
            return False

        def moves_features(self, settings: Any) -> bool:
            return True

        def features(self, landmarks: np.ndarray, settings: Any, template: Any) -> np.ndarray:
            assert template is FFHQ_256
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


def test_drawing_stops_when_asked(method: AtOnce) -> None:
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
    made.images_seen, made.share_seen, made.config = 0, 0.0, {**TINY, "prior": PRIOR}
    made.settings = loop.Settings(batch=12, warmup=5, ema=0.5)
    made.drawn = lambda count, random: who[:count]  # type: ignore[method-assign]
    made.drawing, made.autoencoder = None, Squares()  # type: ignore[misc, assignment]
    made.decode = made.autoencoder.decode  # type: ignore[assignment, method-assign]
    made.steps_seen, made.pool, made.together = 0, 64, 6
    made.prior = speaking_prior()  # type: ignore[misc]
    return made


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    still = np.zeros((2, math.prod(LATENT)), np.float32), np.zeros((PICTURES, 2), np.float32)
    monkeypatch.setattr(appearances.Fitted, "light", lambda self: still)
    torch.manual_seed(1)
    known = ConsistencyUpdate(PRIOR, 2, 2.0)
    monkeypatch.setattr("facestudio.training.recipes.vec2face.frozen", lambda name: {"starter-lcm": known}[name])
    made = small_recipe()
    embedder = DenseFaceNet((8, 8, 8, 8), (1, 1, 1), bottleneck=8, features=16, dimensions=16)
    made.critic = Critic(embedder)  # type: ignore[misc]
    return made


def test_appearance_is_what_the_person_does_not_say(recipe: Recipe) -> None:
    fitted = recipe.fitted
    assert fitted.appearance.shape == (240, SHAPES + PICTURES)
    rows = np.concatenate([2 * recipe.training, 2 * recipe.training + 1])
    told, who = fitted.appearance[rows], np.repeat(recipe.people, 2, 0)[rows]
    varied = told[:, [0, 1, SHAPES, SHAPES + 1]]
    assert np.allclose(varied.std(0), 1, atol=0.1)
    assert np.abs(np.corrcoef(varied.T, who.T)[:4, 4:]).max() < 0.3
    network: Any = recipe.network()
    points, people = torch.from_numpy(recipe.source.landmarks), torch.from_numpy(recipe.people)
    read = network.appearance.shapes(points, people).clamp(-networks.Appearance.FARTHEST, networks.Appearance.FARTHEST)
    assert np.allclose(read, fitted.appearance[::2, :SHAPES], atol=1e-2), "as the method reads them"
    flipped = (points * torch.tensor([-1, 1]) + torch.tensor([255, 0]))[:, mirrored_order()[:68]]
    mirrored = network.appearance.shapes(flipped, people).clamp(
        -networks.Appearance.FARTHEST, networks.Appearance.FARTHEST
    )
    assert np.allclose(mirrored, fitted.appearance[1::2, :SHAPES], atol=1e-2)


def test_main_directions_point_the_same_way_whatever_the_solver_chose() -> None:
    values = np.random.default_rng(0).standard_normal((200, 12)).astype(np.float32) * np.arange(12, 0, -1)
    axes, sizes = appearances.main_directions(values, 5)
    other, same = appearances.main_directions(-values[::-1], 5)
    assert np.allclose(axes, other, atol=1e-3) and np.allclose(sizes, same, rtol=1e-3)
    assert np.allclose((values @ axes.T).std(0), sizes, rtol=0.1)


def test_the_linear_path_is_the_best_linear_answer(recipe: Recipe) -> None:
    assert recipe.fitted.explained > 0.5, "also of people it was not fitted to"
    asked = np.concatenate([TINY["length"] * recipe.people, recipe.fitted.appearance[::2]], 1)
    with torch.inference_mode():
        made = recipe.linear.linear(torch.from_numpy(asked))
    truth = torch.from_numpy(recipe.latents[::2].copy()) * recipe.source.loud[:, None, None]
    left = (made - truth).square().mean() / truth.square().mean()
    assert float(left) == pytest.approx(1 - recipe.fitted.explained, abs=0.15)


def told(recipe: Recipe, count: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(recipe.told(np.random.default_rng(seed), count))


def test_a_lesson_is_one_answer_that_begins_at_the_linear_path(recipe: Recipe) -> None:
    asked = told(recipe)
    assert asked.shape == (6, 16 + SHAPES + PICTURES) and asked.dtype == torch.float32
    lines = recipe.sketches(asked)
    given = recipe.lesson(asked, lines)
    alone = torch.cat([recipe.lesson(*one) for one in zip(asked.split(1), lines.split(1), strict=True)])
    assert given.shape == (6, *LATENT)
    assert torch.allclose(given, alone, atol=0.05 * float(given.std())), "whatever else is taught"
    recipe.linear.noise.mul_(-1)
    assert not torch.allclose(recipe.lesson(asked, lines), given, atol=0.05 * float(given.std())), "the noise decides"


def test_lessons_are_used_several_times(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[torch.Tensor] = []
    plain = recipe.lesson
    monkeypatch.setattr(recipe, "lesson", lambda *of: given.append(plain(*of)) or given[-1])
    batches, size = recipe.batches(0), recipe.settings.batch
    first = next(batches)
    assert first["told"].shape == (size, 16 + SHAPES + PICTURES) and first["latents"].shape == (size, *LATENT)
    assert first["sketch"].shape == (size, 64, 16, 16) and torch.equal(first["sketch"], recipe.sketches(first["told"]))
    everything = torch.cat(given)
    assert all((one == everything).flatten(1).all(1).any() for one in first["latents"])
    begun, count = len(given), 24
    for _ in range(count):
        next(batches)
    assert (len(given) - begun) * recipe.together == pytest.approx(size * count / recipe.uses_of_each, abs=6)


def test_it_begins_as_the_consistency_model_and_learns_to_give_the_lesson(recipe: Recipe) -> None:
    network: Any = recipe.network()
    learned = frozen_update(recipe)
    assert all(torch.equal(value, learned[key]) for key, value in network.learned.state_dict().items())
    batch = next(recipe.batches(0))
    optimizer = torch.optim.Adam([one for one in network.parameters() if one.requires_grad], 1e-2)
    found = []
    for _ in range(24):
        loss, terms = recipe.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(terms)
    assert found[-1]["error"] < 0.8 * found[0]["error"]
    looked = [terms["perceptual"] > 0 for terms in found]
    assert looked == [(n + 1) % recipe.watched_every == 0 for n in range(24)]
    assert -recipe.watched_every <= found[recipe.watched_every - 1]["identity"] <= recipe.watched_every
    assert network.coarse[0].weight.grad is None, "the linear path stays"


def test_what_is_trained_is_what_the_method_draws(recipe: Recipe) -> None:
    network: Any = recipe.network().eval()
    for outer in network.learned.update.outer.values():
        torch.nn.init.normal_(outer, std=0.1)
    asked = told(recipe)
    lines = recipe.sketches(asked)
    trained = recipe._drawn(network, asked, lines, torch.device("cpu"))
    entry = fake_checkpoint("at_once", goal="create", conditioned_on=("listener",))
    used = AtOnce(entry, network, recipe.prior, Squares())
    with torch.inference_mode():
        assert torch.allclose(network(used._prior, asked, lines), trained, atol=1e-3 * float(trained.std()))


def frozen_update(recipe: Recipe) -> dict[str, torch.Tensor]:
    from facestudio.training.recipes import vec2face

    return dict(vec2face.frozen("starter-lcm").state_dict())


def test_it_is_small_enough_to_ship() -> None:
    prior = load_manifest()["starter-prior"].config
    network = networks.AtOnce(prior, **Recipe.config)
    assert sum(value.numel() for value in network.state_dict().values()) * 2 < 5e6
    assert network.drawn == (16, 16, 16)
