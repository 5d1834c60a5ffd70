"""Decouple: two codes of a face, the branch that holds the rest, the recipe that trains them, and the method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.checkpoints import checkpoint, load_manifest
from facestudio.faces.face import FFHQ_256, Identity
from facestudio.methods.base import Anonymizer, Masked, Obscurer, Replacing, Strengthening
from facestudio.methods.decouple import Decouple, Options
from facestudio.methods.redraw import Parts
from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.networks.consistency import ConsistencyUpdate, FewSteps
from facestudio.networks.decouple import Code, Decoupler, HoldingPrior, IdentityCode, leak, surprise
from facestudio.networks.embedder import DenseFaceNet
from facestudio.networks.landmarks import LandmarkNet
from facestudio.networks.prior import FacePrior
from facestudio.progress import Progress
from facestudio.training.data import held_out
from facestudio.training.loop import Taught, train
from facestudio.training.oracles import Own, Recogniser, impostor_threshold, misplaced
from facestudio.training.recipes import decouple as recipe_module
from facestudio.training.recipes.decouple import Recipe
from facestudio.training.recipes.prior import Recipe as PriorRecipe
from tests.fakes import fake_checkpoint
from tests.unit.test_lafr import Judge, Teacher, drawn_faces
from tests.unit.test_prior import TINY
from tests.unit.test_redraw import Finder, Listener, crop, distance, seeing, space

SMALL: dict[str, Any] = {"code": 2, "width": 16, "blocks": 1, "branch": 1, "hidden": 16, "groups": 4}


@pytest.fixture
def prior() -> FacePrior:
    torch.manual_seed(0)
    made = FacePrior(**TINY)
    for silent in (made.unet.conv_out.weight, made.nobody):
        nn.init.normal_(silent, std=0.05)
    return made.eval().requires_grad_(False)


def decoupler(loud: bool = False) -> Decoupler:
    torch.manual_seed(1)
    made = Decoupler(TINY, **SMALL)
    if loud:
        for layer in made.holder.outward:
            nn.init.normal_(layer.weight, std=0.3)  # type: ignore[arg-type]
    return made.eval()


def asked(prior: FacePrior, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Noisy latents, times, conditioning, a sketch: for two faces."""
    random = torch.Generator().manual_seed(seed)
    shape = (2, TINY["latent"], TINY["side"], TINY["side"])
    who = functional.normalize(torch.randn(2, TINY["dimensions"], generator=random), dim=1)
    conditioning = prior.conditioning(who, torch.tensor([True, False]))
    sketch = torch.rand(2, TINY["sketch"], *shape[2:], generator=random)
    return torch.randn(shape, generator=random), torch.tensor([20, 700]), conditioning, sketch


# ---- the networks


def test_a_new_branch_changes_nothing_and_a_loud_one_does(prior: FacePrior) -> None:
    noisy, time, conditioning, sketch = asked(prior)
    plain = prior(noisy, time, conditioning, sketch)
    drawn = torch.ones(2, 1, *noisy.shape[2:])
    for loud in (False, True):
        made = decoupler(loud)
        said = made.holder(torch.randn(2, SMALL["code"], *noisy.shape[2:]), noisy, drawn)
        held = HoldingPrior(prior, made.holder, said)(noisy, time, conditioning, sketch)
        assert torch.allclose(held, plain, atol=1e-5) == (not loud)
    twice = HoldingPrior(prior, made.holder, [one[:1] for one in said])
    both = twice(
        torch.cat([noisy[:1]] * 2), time[:1].repeat(2), conditioning[:1].repeat(2, 1), sketch[:1].repeat(2, 1, 1, 1)
    )
    assert torch.allclose(both[0], held[0], atol=1e-4) and torch.allclose(both[0], both[1], atol=1e-5)
    assert torch.equal(
        twice.conditioning(torch.zeros(1, 16), torch.tensor([False])),
        prior.conditioning(torch.zeros(1, 16), torch.tensor([False])),
    )


def test_the_branch_has_a_say_for_every_skip(prior: FacePrior) -> None:
    """diffusers refuses other shapes, so a prior of three levels and one block must fit too."""
    config = {**TINY, "widths": [32, 48, 64], "blocks": 1, "heads": 16, "groups": 4, "side": 16}
    wide = FacePrior(**config).eval()
    made = Decoupler(config, **SMALL)
    noisy = torch.randn(1, config["latent"], 16, 16)
    said = made.holder(torch.randn(1, SMALL["code"], 16, 16), noisy, torch.ones(1, 1, 16, 16))
    conditioning = wide.conditioning(torch.zeros(1, config["dimensions"]), torch.tensor([False]))
    assert HoldingPrior(wide, made.holder, said)(noisy, torch.tensor([5]), conditioning).shape == noisy.shape


def test_time_scales_what_the_branch_says() -> None:
    made = decoupler(loud=True)
    nn.init.normal_(made.holder.tempo[2].weight, std=0.5)  # type: ignore[arg-type]
    side = TINY["side"]
    said = made.holder(
        torch.randn(1, SMALL["code"], side, side),
        torch.randn(1, TINY["latent"], side, side),
        torch.ones(1, 1, side, side),
    )
    early, late = (made.holder.at(said, torch.tensor([time])) for time in (900, 10))
    for one, a, b in zip(said, early, late, strict=True):
        assert not torch.allclose(a, b) and a.shape == one.shape
        ratio = (a / one).flatten(2)
        assert torch.allclose(ratio.std(2), torch.zeros_like(ratio.std(2)), atol=1e-3), "one factor a channel"


def test_a_new_identity_code_hardly_changes_anybody_and_its_divergence_is_right() -> None:
    torch.manual_seed(0)
    made = IdentityCode(64, 16)
    who = functional.normalize(torch.randn(5, 64), dim=1)
    code = made(who)
    assert torch.allclose(made.embedding(code.mean), who, atol=1e-5)
    assert (made.embedding(code.drawn()) * who).sum(1).min() > 0.9
    normal = torch.distributions.Normal(code.mean, (code.spread / 2).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).mean(1)
    assert torch.allclose(code.divergence(), expected, atol=1e-5)
    assert torch.allclose(Code(torch.zeros(1, 3), torch.zeros(1, 3)).divergence(), torch.zeros(1))


def test_the_bound_is_high_where_one_code_tells_of_the_other_and_none_where_it_does_not() -> None:
    torch.manual_seed(0)
    codes = torch.randn(512, 4)
    spread = torch.full_like(codes, -2.0)
    assert leak(codes, codes, spread) > 5
    told_nothing = leak(codes, torch.zeros_like(codes), torch.zeros_like(codes))
    assert abs(float(told_nothing)) < 1e-4
    assert surprise(codes, codes, spread) < surprise(codes, torch.zeros_like(codes), torch.zeros_like(codes))


# ---- the oracles


def test_oracles_see_the_frame_that_their_crops_have() -> None:
    faces = torch.rand(1, 3, 256, 256) * 2 - 1
    seen: list[Tensor] = []

    class Eye(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x)
            return x.flatten(1)

    unit = Own(Eye())(faces)
    assert seen[0].shape == (1, 3, 112, 112) and torch.allclose(unit.norm(dim=1), torch.ones(1))
    narrow = Recogniser(Teacher()).crops(faces)  # type: ignore[arg-type]
    assert torch.allclose(narrow, seen[0][..., 8:104], atol=1e-4), "the middle of the same crop"


def test_a_threshold_is_what_so_many_pairs_of_strangers_reach() -> None:
    random = torch.Generator().manual_seed(0)
    vectors = functional.normalize(torch.randn(200, 8, generator=random), dim=1)
    people = np.arange(200) // 2
    found = impostor_threshold(vectors, people, 0.01)
    cosines = vectors @ vectors.T
    strangers = [float(cosines[i, j]) for i in range(200) for j in range(i) if people[i] != people[j]]
    assert np.mean(np.array(strangers) > found) == pytest.approx(0.01, abs=1e-3)


def test_landmarks_are_measured_in_distances_of_the_eyes() -> None:
    points = torch.rand(2, 68, 2)
    points[:, 36:42], points[:, 42:48] = torch.tensor([0.3, 0.4]), torch.tensor([0.7, 0.4])
    assert torch.allclose(misplaced(points + 0.04, points), torch.full((2,), 0.1), atol=1e-5)


# ---- the recipe


@pytest.fixture
def recipe(prior: FacePrior, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """On six drawn faces, the last two of them held out, with tiny networks."""
    monkeypatch.setattr(recipe_module.teachers, "Ms1m", Judge)
    torch.manual_seed(0)
    names = [f"person-{n}" for n in range(200)]
    training = [name for name in names if not held_out(name)][:2]
    strangers = [name for name in names if held_out(name)][:2]
    row = {"source": "celeba_wild"}
    for name, x, y in zip(
        ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth"), *FFHQ_256.points.T.tolist(), strict=True
    ):
        row |= {f"{name}_x": str(x), f"{name}_y": str(y)}
    source = object.__new__(PriorRecipe)
    source.faces = type(  # type: ignore[assignment]
        "Faces",
        (),
        {"pixels": drawn_faces(6), "identity": np.array([*training, *training, *strangers]), "rows": [row] * 6},
    )()
    source.training, source.validation = np.arange(4), np.arange(4, 6)
    source.order = np.arange(68)
    autoencoder = FaceAutoencoder(widths=(8, 8, 8), latent=TINY["latent"], groups=4)
    faces = torch.from_numpy(source.faces.pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    autoencoder.code(functional.pixel_unshuffle(faces, 16).permute(0, 2, 3, 1).flatten(0, 2))
    autoencoder.eval().requires_grad_(False)
    both = torch.stack([faces, faces.flip(-1)], 1).flatten(0, 1)
    random = np.random.default_rng(0)
    identities = random.standard_normal((6, TINY["dimensions"])).astype(np.float32)
    identities /= np.linalg.norm(identities, axis=1, keepdims=True)
    source.__dict__["tables"] = (autoencoder.latents(both).half().numpy(), identities)
    source.__dict__["landmarks"] = random.uniform(80, 180, (6, 68, 2)).astype(np.float32)
    made = object.__new__(Recipe)
    made.root, made.config, made.source = Path(), {**SMALL, "prior": TINY}, source
    made.faces, made.training, made.swapped = source.faces, source.training, 2
    made.settings = replace(Recipe.settings, batch=2, warmup=1, save_minutes=1e9, validate_minutes=1e9, ema=0.5)
    own = made.__dict__
    own["autoencoder"], own["prior"] = autoencoder, prior
    own["finder"] = LandmarkNet((4, 4, 4, 4), 8).eval().requires_grad_(False)
    embedder = (
        DenseFaceNet((4, 8, 8, 8), (1, 1, 1), 16, TINY["dimensions"], TINY["dimensions"]).eval().requires_grad_(False)
    )
    own["listener"] = Own(embedder)
    own["oracles"] = [(Recogniser(Teacher()), 0.2), (Own(embedder), 0.3)]  # type: ignore[arg-type]
    own["fitted_to"] = {"starter-autoencoder": "ab" * 32, "starter-prior": "cd" * 32}
    monkeypatch.setattr(recipe_module, "frozen", lambda name: embedder)
    return made


def test_everything_learns_but_what_is_frozen(recipe: Recipe) -> None:
    torch.manual_seed(0)
    network = recipe.network()
    kept = {key: value.clone() for key, value in recipe.prior.state_dict().items()}
    recipe.swap_weight = recipe.person_weight = recipe.structure_weight = recipe.light_weight = recipe.leak_weight = 0.0
    batch = recipe.batch(np.random.default_rng(0))
    batch["held"][:] = True
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    rows = []
    for step in range(17):
        recipe.images_seen, recipe.share_seen = 2 * step, 0.5
        loss, terms = recipe.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rows.append({"loss": loss.item(), **terms})
    assert all(np.isfinite(value) for row in rows for value in row.values())
    assert rows[-1]["error"] < 0.98 * rows[0]["error"]
    assert rows[-1]["surprise"] < rows[0]["surprise"]
    assert "reacts" in rows[0] and "reacts" not in rows[1] and "reacts" in rows[8]
    assert all(torch.equal(kept[key], value) for key, value in recipe.prior.state_dict().items())


def test_the_bound_teaches_the_attributes_and_the_guess_is_taught_by_its_surprise_alone(recipe: Recipe) -> None:
    network = recipe.network()
    assert isinstance(network, Taught) and isinstance(network.network, Decoupler)
    nn.init.normal_(network.heads["guess"][2].weight)  # type: ignore[index]
    batch = recipe.batch(np.random.default_rng(0))
    own, rest = (
        network.network.identity(batch["identity"]),
        network.network.attributes(batch["latents"], batch["sketch"]),
    )
    recipe.leak(network, own, rest).backward()
    taught = {name for name, value in network.named_parameters() if value.grad is not None}
    assert taught and all(name.startswith("network.attributes") for name in taught)
    network.zero_grad()
    own, rest = (
        network.network.identity(batch["identity"]),
        network.network.attributes(batch["latents"], batch["sketch"]),
    )
    recipe.surprise(network, own, rest).backward()
    assert {name for name, value in network.named_parameters() if value.grad is not None} == {
        f"heads.guess.{name}" for name in ("0.weight", "0.bias", "2.weight", "2.bias")
    }


def test_a_hinge_stops_where_an_oracle_knows_nobody(recipe: Recipe) -> None:
    network = recipe.network()
    assert isinstance(network, Taught) and isinstance(network.network, Decoupler)
    batch = recipe.batch(np.random.default_rng(0))
    clean = batch["latents"]
    held = network.network.attributes(clean, batch["sketch"]).mean
    found = {}
    for threshold in (-1.0, 2.0):
        recipe.__dict__["oracles"] = [(oracle, threshold) for oracle, _ in recipe.oracles]
        found[threshold] = recipe.exchanged(network.network, batch, clean, held)["hinge"][1].item()
    assert found[2.0] == 0 and found[-1.0] > 0.05


def test_somebody_else_is_never_the_same_person(recipe: Recipe) -> None:
    people = {
        tuple(np.round(vector, 5)): who
        for vector, who in zip(recipe.source.tables[1], recipe.faces.identity, strict=True)
    }
    for seed in range(10):
        batch = recipe.batch(np.random.default_rng(seed))
        for own, new in zip(batch["identity"], batch["new"], strict=True):
            assert people[tuple(np.round(own.numpy(), 5))] != people[tuple(np.round(new.numpy(), 5))]
    chosen, strangers = recipe.strangers(2)
    assert (recipe.faces.identity[chosen] != recipe.faces.identity[strangers]).all()


def test_it_trains_and_resumes_and_says_what_the_branch_is_good_for(recipe: Recipe, tmp_path: Path) -> None:
    first = train(recipe, tmp_path, 0.02, "cpu")
    state = torch.load(tmp_path / "last.pt", weights_only=True)["state"]
    assert state["step"] > 0 and first["calibration.fitted_to"] == recipe.fitted_to
    measured = {
        f"{what}_{way}" for what in ("cosine", "known_to_b", "landmarks", "light", "person") for way in ("held", "free")
    }
    assert measured <= set(first) and all(np.isfinite(first[name]) for name in measured)
    train(recipe, tmp_path, 0.02, "cpu")
    assert torch.load(tmp_path / "last.pt", weights_only=True)["state"]["step"] > state["step"]


# ---- the method


@pytest.fixture
def method(prior: FacePrior) -> Decouple:
    autoencoder = FaceAutoencoder(widths=(8, 8, 8), latent=TINY["latent"], groups=4)
    faces = torch.from_numpy(crop().pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    autoencoder.code(functional.pixel_unshuffle(faces, 16).permute(0, 2, 3, 1).flatten(0, 2))
    others: Any = (Listener(), Finder(), space())
    few = FewSteps(prior, ConsistencyUpdate(TINY, 2, 2.0))
    parts = Parts(prior, autoencoder.eval(), *others, few.at)
    return Decouple(fake_checkpoint(conditioned_on=("listening",)), parts, decoupler(loud=True))


def test_the_face_changes_the_surroundings_stay_and_the_seed_decides(method: Decouple) -> None:
    assert isinstance(method, Anonymizer) and isinstance(method, Masked) and not isinstance(method, Obscurer)
    face, options = crop(), Options(steps=3)
    made = method(face, options, Progress(), 7)
    off = np.abs(made.pixels.astype(int) - face.pixels).max(2)
    assert not off[method.mask(options) == 0].any() and off[method.mask(options) == 1].mean() > 5
    assert distance(made, method(face, options, Progress(), 7)) == 0
    assert distance(made, method(face, options, Progress(), 8)) > 0.5


def test_what_is_held_comes_from_the_face_and_may_be_held_less(method: Decouple) -> None:
    face, options = crop(), Options(steps=3)
    held, free = (method(face, replace(options, hold=hold), Progress(), 7) for hold in (1.0, 0.0))
    assert distance(held, free) > 0.5
    for layer in method._decoupler.holder.outward:
        nn.init.zeros_(layer.weight)
    assert distance(method(face, options, Progress(), 7), free) < 0.5, "a silent branch holds nothing"


@pytest.mark.parametrize("sampler", ["dpm", "lcm"])
def test_either_solver_holds(method: Decouple, sampler: str) -> None:
    face, options = crop(), Options(steps=2, sampler=sampler)
    held, free = (method(face, replace(options, hold=hold), Progress(), 7) for hold in (1.0, 0.0))
    assert distance(held, free) > 0.5


def test_tries_hold_less_then_push_away(method: Decouple) -> None:
    assert isinstance(method, Strengthening)
    options: Any = Options(hold=0.6, steps=5)
    held = []
    while options is not None:
        held.append((options.hold, options.guide))
        assert options.steps == 5
        options = method.stronger(options)
    assert held == [(0.6, 0.0), (0.4, 0.0), (0.2, 0.0), (0.0, 0.0), (0.0, 1.0)]


def test_a_face_is_pushed_away_from_who_it_was(method: Decouple) -> None:
    face, told = crop(), seeing(method, stranger=0.0)
    assert isinstance(told, Decouple)
    plain, pushed = (told(face, Options(guide=guide), Progress(), 7) for guide in (0.0, 1.0))
    who = told.who(face).embedding
    assert float(who @ told.who(pushed).embedding) < float(who @ told.who(plain).embedding) - 0.05
    assert distance(plain, method.becoming(method.people.draw(1))(face, Options(), Progress(), 7)) == 0


def test_it_can_be_told_whom_a_face_becomes(method: Decouple) -> None:
    assert isinstance(method, Replacing)
    person: Identity = method.people.draw(4)
    told = method.becoming(person)
    assert isinstance(told, Decouple)
    made = told(crop(), Options(steps=3), Progress(), 7)
    assert distance(made, told(crop(), Options(steps=3), Progress(), 7)) == 0
    assert distance(made, method.becoming(method.people.draw(5))(crop(), Options(steps=3), Progress(), 7)) > 0.2


@pytest.mark.skipif("starter-decouple" not in load_manifest(), reason="no starter-decouple yet")
def test_what_ships_belongs_together() -> None:
    entry, known = checkpoint("starter-decouple"), load_manifest()
    assert entry.goal == "change" and entry.conditioned_on == known[entry.uses["prior"]].conditioned_on
    for name, sha256 in entry.calibration["fitted_to"].items():
        assert known[name].files["weights"].sha256 == sha256
    loaded = Decouple.load(entry, "cpu")
    assert isinstance(loaded, Decouple)
