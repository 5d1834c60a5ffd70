"""The prior as a consistency model: what guidance is without asking twice, the recipe that trains it, and drawing by it."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facestudio.checkpoints import checkpoint, load_manifest
from facestudio.diffusion import sampling
from facestudio.diffusion.sampling import Conditions, predictor
from facestudio.errors import CheckpointMismatch, UsageError
from facestudio.faces.face import Identity
from facestudio.methods.arc2face import DRAFT, QUICKEST, Arc2Face
from facestudio.methods.arc2face_options import MOST_CONSISTENT, Options, PublishedOptions
from facestudio.methods.base import Wish, load_method
from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.networks.consistency import ConsistencyUpdate, FewSteps
from facestudio.networks.embedder import DenseFaceNet
from facestudio.networks.prior import SCHEDULE, FacePrior
from facestudio.options import options_of
from facestudio.progress import Cancelled, Progress
from facestudio.training import export
from facestudio.training.loop import train
from facestudio.training.recipes import consistency as recipe_module
from facestudio.training.recipes.consistency import Recipe
from facestudio.training.recipes.landmarks import mirrored_order
from facestudio.training.recipes.prior import Recipe as PriorRecipe
from tests.unit.test_lafr import AUTOENCODER, add
from tests.unit.test_prior import TINY, people

CONFIG: dict[str, Any] = {"rank": 4, "alpha": 4.0, "prior": TINY}


@pytest.fixture(scope="module")
def prior() -> FacePrior:
    """One that knows more than the linear guess, which was fitted to something."""
    torch.manual_seed(0)
    network = FacePrior(**TINY)
    network.linear.fit(torch.randn(64, 4 * 16 * 16), torch.nn.functional.normalize(torch.randn(64, 16), dim=1), 1e-3)
    torch.nn.init.normal_(network.unet.conv_out.weight, std=0.05)
    return network.eval().requires_grad_(False)


def noisy(count: int = 3) -> Tensor:
    return torch.randn(count, 4, 16, 16, generator=torch.Generator().manual_seed(2))


def test_without_guidance_a_new_one_is_the_prior(prior: FacePrior) -> None:
    quick = FewSteps(prior, ConsistencyUpdate(**CONFIG), 1.0)
    x, time = noisy(), torch.tensor([999, 500, 20])
    conditioning = prior.conditioning(people(3), torch.tensor([True, True, False]))
    with torch.inference_mode():
        assert torch.allclose(quick(x, time, conditioning), prior(x, time, conditioning), atol=1e-6)


def test_guidance_is_exact_where_the_prior_is_the_linear_guess(prior: FacePrior) -> None:
    plain = copy.deepcopy(prior)
    torch.nn.init.zeros_(plain.unet.conv_out.weight)
    quick = FewSteps(plain, ConsistencyUpdate(**CONFIG)).at(3.5)
    x, time = noisy(), torch.tensor([999, 500, 20])
    with torch.inference_mode():
        twice = predictor(plain, Conditions(people(3), 3.5), 3)(x, time)
        once = quick(x, time, quick.conditioning(people(3), torch.ones(3, dtype=torch.bool)))
        assert torch.allclose(once, twice, atol=1e-3 * float(twice.std()))
        conditioning = quick.conditioning(people(3), torch.zeros(3, dtype=torch.bool))
        assert torch.allclose(quick(x, time, conditioning), plain(x, time, conditioning), atol=1e-6), (
            "nobody cannot be followed"
        )


def test_only_a_copy_of_the_prior_is_changed_and_its_tables_are_shared(prior: FacePrior) -> None:
    learned = ConsistencyUpdate(**CONFIG)
    for outer in learned.update.outer.values():
        torch.nn.init.normal_(outer, std=0.1)
    before = {key: value.clone() for key, value in prior.state_dict().items()}
    quick = FewSteps(prior, learned)
    assert all(torch.equal(value, before[key]) for key, value in prior.state_dict().items())
    assert quick.prior.linear.axes is prior.linear.axes, "the largest of it is there once"
    x, time = noisy(), torch.tensor([900, 500, 20])
    conditioning = prior.conditioning(people(3), torch.ones(3, dtype=torch.bool))
    with torch.inference_mode():
        merged = quick.at(1.0)(x, time, conditioning)
        asked = learned.v(
            prior, x, time, conditioning, torch.ones(3), predict=lambda *given: learned.update(prior, *given)
        )
        assert torch.allclose(merged, asked, atol=1e-5)
        assert not torch.allclose(merged, prior(x, time, conditioning), atol=1e-3)


def test_how_strictly_a_person_is_followed_is_told_by_its_tokens(prior: FacePrior) -> None:
    learned = ConsistencyUpdate(**CONFIG)
    torch.nn.init.ones_(learned.louder)
    conditioning = prior.conditioning(people(3), torch.tensor([True, True, False]))
    said = learned.emphasised(conditioning, 16, torch.tensor([1.0, 3.0, 3.0]))
    assert torch.equal(said[:, :17], conditioning[:, :17])
    assert torch.equal(said[[0, 2]], conditioning[[0, 2]]) and torch.allclose(said[1, 17:], 3 * conditioning[1, 17:])


def test_lines_are_followed_more_strictly_when_they_are_louder(prior: FacePrior) -> None:
    quick = FewSteps(prior, ConsistencyUpdate(**CONFIG), 1.0)
    x, time, sketch = noisy(), torch.tensor([999, 500, 20]), torch.rand(3, 64, 16, 16)
    conditioning = prior.conditioning(people(3), torch.ones(3, dtype=torch.bool))
    with torch.inference_mode():
        louder = quick.at(1.0, 1.5)(x, time, conditioning, sketch)
        assert torch.allclose(louder, prior(x, time, conditioning, 2.5 * sketch), atol=1e-6)
        assert torch.equal(quick.at(1.0, 1.5)(x, time, conditioning), quick(x, time, conditioning))


# ---- the recipe


def drawn_recipe(prior: FacePrior) -> Recipe:
    random = np.random.default_rng(0)
    source = object.__new__(PriorRecipe)
    source.faces = type("Faces", (), {"identity": np.array(["a", "a", "b", "c"])})()
    source.training, source.validation, source.order = np.arange(3), np.array([3]), mirrored_order()[:68]
    identities = random.standard_normal((4, 16)).astype(np.float32)
    identities /= np.linalg.norm(identities, axis=1, keepdims=True)
    source.__dict__["identities"] = identities
    source.__dict__["tables"] = random.standard_normal((8, 4, 16, 16)).astype(np.float16), identities
    source.__dict__["landmarks"] = random.uniform(40, 216, (4, 68, 2)).astype(np.float32)
    made = object.__new__(Recipe)
    made.root, made.config, made.source = Path(), CONFIG, source
    made.faces, made.training = source.faces, source.training
    made.settings = replace(
        Recipe.settings, batch=8, lr=3e-3, warmup=1, save_minutes=1e9, validate_minutes=1e9, ema=0.5
    )
    made.together, made.steps, made.pool = 4, (3, 4), 64
    autoencoder = FaceAutoencoder(**AUTOENCODER)
    autoencoder.code(torch.rand(64, 3 * 16 * 16) - 0.5)
    made.__dict__["prior"], made.__dict__["autoencoder"] = prior, autoencoder.eval().requires_grad_(False)
    made.__dict__["fitted_to"] = {"starter-prior": "cd" * 32}
    return made


def judge(name: str) -> DenseFaceNet:
    return DenseFaceNet((4, 8, 8, 8), (1, 1, 1), 16, 16, 16).eval()


@pytest.fixture
def recipe(prior: FacePrior) -> Recipe:
    return drawn_recipe(prior)


def test_every_point_of_a_way_is_told_where_it_ended(recipe: Recipe) -> None:
    recipe.nobody = 0.0
    ways = recipe.solved(np.random.default_rng(1))
    assert len(ways) in (12, 16)
    ends = {tuple(way.end.flatten()[:4].tolist()) for way in ways}
    assert len(ends) == 4, "four people, each with one end"
    assert sum(int(way.time) == 999 for way in ways) == 4
    points, times, end = recipe.way([3, 4], torch.stack([ways[0].identity, ways[1].identity]), 2.0, None, 6)
    assert len(points) == len(times) == 6 and [int(t) for t in times] == sorted(map(int, times), reverse=True)
    assert torch.allclose(points[0].std(), torch.tensor(1.0), atol=0.1) and end.shape == (2, 4, 16, 16)
    alone = recipe.way([4], ways[1].identity[None], 2.0, None, 6)[2]
    assert float((alone[0] - end[1]).square().mean()) < 1e-3, "bfloat16 rounds otherwise with others beside it"
    recipe.nobody = 1.0
    assert not any(bool(way.known) for way in recipe.solved(np.random.default_rng(1)))


def test_it_learns_where_noise_leads(recipe: Recipe) -> None:
    torch.manual_seed(0)
    network = recipe.network()
    before = {key: value.clone() for key, value in recipe.prior.state_dict().items()}
    batches = recipe.batches(0)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    batch, losses = next(batches), []
    for _ in range(30):
        loss, terms = recipe.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0] and all(np.isfinite(list(terms.values())))
    assert all(torch.equal(value, before[key]) for key, value in recipe.prior.state_dict().items())
    assert next(batches)["x"].shape == (8, 4, 16, 16)


def test_validation_draws_every_portion_from_the_beginning(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that was used goes on behind its last step, so each portion has its own."""
    recipe.source.validation = np.full(3, 3)
    monkeypatch.setattr(recipe_module, "PORTION", 2)
    monkeypatch.setattr(recipe_module, "frozen", judge)
    drawn: list[Tensor] = []
    draw = sampling.draw

    def watched(*given: Any, **more: Any) -> Tensor:
        drawn.append(draw(*given, **more))
        return drawn[-1]

    monkeypatch.setattr(sampling, "draw", watched)
    network = recipe.network().eval()
    recipe.validate(network, torch.device("cpu"))
    assert [len(one) for one in drawn] == [2, 1] * 3
    quick = FewSteps(recipe.prior, network, recipe_module.USUAL)
    who = torch.from_numpy(recipe.source.identities[[3]])
    for steps, found in zip((1, 2, 4), drawn[1::2], strict=True):
        fresh = sampling.scheduler("ddim", SCHEDULE)
        fresh.set_timesteps(steps)
        alone = draw(quick, fresh, sampling.noise([9002], (4, 16, 16)), Conditions(who, 1.0))
        assert torch.allclose(found, alone, atol=1e-4), steps


# ---- drawing


@pytest.fixture(scope="module")
def exported(prior: FacePrior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with tiny networks, and what the recipe exports after some steps."""
    folder, made = tmp_path_factory.mktemp("weights"), drawn_recipe(prior)
    add(folder, "starter-autoencoder", made.autoencoder, "autoencoder:FaceAutoencoder", AUTOENCODER)
    made.__dict__["fitted_to"] = {"starter-prior": add(folder, "starter-prior", prior, "prior:FacePrior", TINY)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe_module, "frozen", judge)
        figures = train(made, folder / "run", 0.005, "cpu")
    assert {"error_1", "identity_steps_4", "identity_prior_20"} <= set(figures)
    export.export(made, folder / "run", figures, folder)
    return folder


@pytest.fixture
def store(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of those weights, in the place of those that ship."""
    folder = tmp_path / "weights"
    shutil.copytree(exported, folder)
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(folder))
    return folder


def method(store: Path, **uses: str) -> Arc2Face:
    entry = replace(
        checkpoint("starter-prior"),
        method="arc2face:Arc2Face",
        goal="create",
        conditioned_on=("listener",),
        uses={"autoencoder": "starter-autoencoder", **uses},
    )
    made = load_method(entry, "cpu")
    assert isinstance(made, Arc2Face)
    return made


def test_a_consistency_model_draws_in_one_step_and_is_asked_once(store: Path) -> None:
    made = method(store, lcm="starter-lcm")
    wish = Wish(Identity(people(1)[0].numpy(), "listener"))
    calls: list[int] = []
    quick = made._carrier.few_steps
    assert quick is not None
    quick(2.0, 0.0).prior.register_forward_hook(lambda module, given, told: calls.append(len(given[0])))
    (one,) = made(wish, [5], Options(steps=1, sampler="lcm"), Progress())
    assert calls == [1], "guidance costs nothing"
    assert np.array_equal(one, made(wish, [5], Options(steps=1, sampler="lcm"), Progress())[0])
    assert not np.array_equal(one, made(wish, [5], Options(steps=1, sampler="lcm", guidance=6.0), Progress())[0])
    assert not np.array_equal(one, made(wish, [6], Options(steps=1, sampler="lcm"), Progress())[0])
    plain = made(wish, [5], Options(steps=4, nearer=0.0), Progress())[0]
    made(wish, [5], Options(steps=2, sampler="lcm"), Progress())
    assert np.array_equal(plain, made(wish, [5], Options(steps=4, nearer=0.0), Progress())[0]), (
        "the prior stays as it is"
    )
    progress = Progress(lambda update: progress.cancel(), every=0)
    with pytest.raises(Cancelled):
        made(wish, [5], Options(steps=4, sampler="lcm"), progress)


def test_it_takes_as_many_steps_as_are_asked_for_and_refuses_more_than_it_can(store: Path) -> None:
    made = method(store, lcm="starter-lcm")
    calls: list[int] = []
    assert made._carrier.few_steps is not None
    made._carrier.few_steps(2.0, 0.0).prior.register_forward_hook(lambda *_: calls.append(1))
    made(Wish(), [5], options_of(Options, {"sampler": "lcm", "steps": MOST_CONSISTENT}), Progress())
    assert len(calls) == MOST_CONSISTENT
    for options in (Options, PublishedOptions):
        with pytest.raises(UsageError, match="Steps takes at most 50 with sampler lcm, not 51"):
            options_of(options, {"sampler": "lcm", "steps": MOST_CONSISTENT + 1})
        assert options_of(options, {"sampler": "ddim", "steps": 250}).steps == 250


def test_drafts_are_drawn_by_it_where_it_is(store: Path) -> None:
    asked = Options(steps=40, sampler="ddim", guidance=3.0)
    assert method(store, lcm="starter-lcm").draft(asked) == Options(
        steps=QUICKEST, sampler="lcm", guidance=3.0, nearer=0.0
    )
    assert method(store).draft(asked) == Options(steps=DRAFT, sampler="dpm", guidance=3.0, nearer=0.0)


def test_it_is_refused_beside_another_prior(store: Path, prior: FacePrior) -> None:
    other = copy.deepcopy(prior)
    torch.nn.init.zeros_(other.unet.conv_out.weight)
    add(store, "starter-prior", other, "prior:FacePrior", TINY)
    made = method(store, lcm="starter-lcm")
    made(Wish(), [1], Options(steps=2), Progress())
    with pytest.raises(CheckpointMismatch, match="different weights of starter-prior"):
        made(Wish(), [1], Options(steps=2, sampler="lcm"), Progress())


def test_what_ships_was_trained_with_what_ships() -> None:
    known = load_manifest()
    prior = known["starter-prior"]
    assert known["starter-lcm"].calibration["fitted_to"] == {"starter-prior": prior.files["weights"].sha256}
    assert prior.uses["lcm"] == "starter-lcm"
