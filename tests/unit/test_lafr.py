"""LAFR: the codebook adapter, the low-rank update, the one step, the recipe that trains them, and the method."""

from __future__ import annotations

import copy
import hashlib
import shutil
import tomllib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from facestudio.checkpoints import checkpoint, load_manifest
from facestudio.errors import CheckpointMismatch
from facestudio.faces.face import FFHQ_256, FFHQ_512, AlignedFace
from facestudio.methods import lafr as method_module
from facestudio.methods.base import Restorer, load_method
from facestudio.methods.lafr import LAFR, Options
from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.networks.deblocking import deblocked
from facestudio.networks.embedder import DenseFaceNet
from facestudio.networks.estimator import EstimatorUNet
from facestudio.networks.lafr import HASTE, Codebook, CodebookAdapter, CodebookLearner, LAFRNet, one_step
from facestudio.networks.landmarks import LandmarkNet
from facestudio.networks.lowrank import LowRankUpdate, shapes_of
from facestudio.networks.prior import FacePrior
from facestudio.photo import Photo
from facestudio.pipeline import restore
from facestudio.progress import Cancelled, Progress
from facestudio.subject import Subject
from facestudio.training import export
from facestudio.training.clusters import k_means
from facestudio.training.data import held_out
from facestudio.training.loop import train
from facestudio.training.oracles import Recogniser
from facestudio.training.perceptual import Perceptual
from facestudio.training.recipes import lafr as recipe_module
from facestudio.training.recipes.lafr import Recipe, Stamp
from tests.asking import asked
from tests.fakes import face_at, picture
from tests.unit.test_floors import modules_after
from tests.unit.test_prior import TINY as PRIOR

AUTOENCODER: dict[str, Any] = {"widths": [8, 8, 8], "blocks": 1, "latent": 4, "unshuffle": 4, "groups": 4}
ESTIMATOR: dict[str, Any] = {"widths": [8, 16], "blocks": 1}
ADAPTER: dict[str, Any] = {"widths": [8, 16], "codes": 32, "groups": 4}
CONFIG: dict[str, Any] = {
    "prior": PRIOR,
    "time": 200,
    "rank": 2,
    "alpha": 2.0,
    "guess": "input",
    "person": False,
    "mode": "gated",
    **ADAPTER,
}


def adapter(mode: str = "gated", **changes: Any) -> CodebookAdapter:
    torch.manual_seed(0)
    return CodebookAdapter(4, 16, mode=mode, **{**ADAPTER, **changes}).eval()


def latents(count: int = 2, seed: int = 1) -> Tensor:
    return torch.randn(count, 4, 16, 16, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def prior() -> FacePrior:
    """One whose U-Net says something, and whose channels are not equally loud."""
    torch.manual_seed(0)
    network = FacePrior(**PRIOR)
    nn.init.normal_(network.unet.conv_out.weight, std=0.05)
    network.loud.copy_(torch.linspace(0.5, 1.5, 4))
    return network.eval().requires_grad_(False)


# ---- the adapter


def test_the_nearest_code_is_taken() -> None:
    book = Codebook(7, 5)
    features = torch.randn(2, 5, 3, 3, generator=torch.Generator().manual_seed(3))
    chosen = book.nearest(features)
    apart = (features[:, None] - book.codes[None, :, :, None, None]).square().sum(2)
    assert torch.equal(chosen, apart.argmin(1))
    assert torch.equal(book(chosen)[1, :, 2, 0], book.codes[chosen[1, 2, 0]])


def test_a_new_adapter_with_an_open_gate_changes_nothing() -> None:
    network, given = adapter(opened=1.0), latents()
    with torch.no_grad():
        made = network(given)
        half = adapter(opened=0.5)(given)
    assert torch.allclose(network.opening, torch.ones(()))
    assert torch.allclose(made.latents, given, atol=1e-5)
    assert not torch.allclose(half.latents, given, atol=1e-2), "half of what the codes lack is lost"


@pytest.mark.parametrize("mode", ["lookup", "gated"])
def test_a_new_adapter_gives_the_nearest_clean_latent(mode: str) -> None:
    network, clean = adapter(mode), latents()
    with torch.no_grad():
        known = network.features(clean).permute(0, 2, 3, 1).flatten(0, 2)[::16]
        network.codebook.codes.copy_(known)
        made = network(clean + 1e-3)
    anchors = clean.permute(0, 2, 3, 1).flatten(0, 2)[::16]
    flat = clean.permute(0, 2, 3, 1).flatten(0, 2)
    nearest = torch.cdist(flat, anchors).argmin(1)
    found = made.latents.permute(0, 2, 3, 1).flatten(0, 2)
    assert made.chosen is not None and (made.chosen.flatten() == nearest).float().mean() > 0.99
    agree = made.chosen.flatten() == nearest
    assert torch.allclose(found[agree], anchors[nearest[agree]], atol=1e-4)


def test_a_closed_gate_is_the_lookup_and_an_open_one_lets_everything_through() -> None:
    gated, pure = adapter("gated"), adapter("lookup")
    pure.load_state_dict(gated.state_dict())
    x = latents()
    with torch.no_grad():
        assert torch.equal(gated(x).latents, pure(x).latents)
        gated.gate.fill_(0.5 / HASTE)
        pure.gate.fill_(0.5 / HASTE)
        half = gated(x).latents
        assert not torch.allclose(half, pure(x).latents, atol=0.1), "a lookup has no use for the gate"
        gated.gate.fill_(1 / HASTE)
        assert torch.allclose(gated(x).latents, x, atol=1e-5)
        assert torch.allclose(half, (x + pure(x).latents) / 2, atol=1e-5), "in a new adapter, where all is linear"


def test_gradients_pass_the_lookup_and_open_the_gate() -> None:
    for mode in ("gated", "lookup"):
        network = adapter(mode)
        network(latents()).latents.sum().backward()
        assert network.inward.weight.grad is not None and network.inward.weight.grad.abs().sum() > 0
        assert (network.gate.grad is not None) == (mode == "gated")


def test_no_adapter_changes_nothing() -> None:
    network, x = adapter("none"), latents()
    assert network(x).latents is x and network(x).features is None
    assert not list(network.parameters())
    with pytest.raises(ValueError, match="gated, lookup, none"):
        adapter("soft")


def test_codes_follow_clean_features_alone() -> None:
    torch.manual_seed(0)
    book, learner = Codebook(2, 3), CodebookLearner(2, 3, decay=0.9)
    book.codes.copy_(torch.tensor([[1.0, 0, 0], [-1, 0, 0]]))
    middles = torch.tensor([[2.0, 1, 0], [-2, 0, 1]])
    for _ in range(80):
        which = torch.arange(32).view(2, 4, 4) % 2
        features = middles[which].permute(0, 3, 1, 2) + 0.01 * torch.randn(2, 3, 4, 4)
        assert torch.equal(learner.learn(book, features), which)
    assert torch.allclose(book.codes, middles, atol=0.02)

    network = adapter()
    before = network.codebook.codes.clone()
    network.train()(latents() + 5)
    assert torch.equal(network.codebook.codes, before), "a degraded face only looks up"
    assert not any(name.endswith("codes") for name, _ in network.named_parameters())


def test_a_code_that_nobody_uses_starts_anew() -> None:
    torch.manual_seed(0)
    book, learner = Codebook(2, 3), CodebookLearner(2, 3, patience=5)
    book.codes.copy_(torch.tensor([[1.0, 0, 0], [90, 90, 90]]))
    features = torch.randn(1, 3, 4, 4)
    for step in range(5):
        assert torch.allclose(book.codes[1], torch.full((3,), 90.0)), step
        learner.learn(book, features)
    flat = features.permute(0, 2, 3, 1).flatten(0, 2)
    assert (book.codes[1] == flat).all(1).any()
    assert set(learner.learn(book, features).unique().tolist()) == {0, 1}


def test_k_means_settles_where_every_centre_is_the_middle_of_its_points() -> None:
    random = torch.Generator().manual_seed(0)
    points = torch.randn(8, 4, generator=random).repeat(50, 1) + 0.1 * torch.randn(400, 4, generator=random)
    found = k_means(points, 8, rounds=30)
    apart, owner = torch.cdist(points, found).min(1)
    for index in owner.unique():
        assert torch.allclose(points[owner == index].mean(0), found[index], atol=1e-4)
    begun = torch.cdist(points, k_means(points, 8, rounds=0)).min(1).values
    assert apart.square().mean() < 0.9 * begun.square().mean()
    assert torch.equal(found, k_means(points, 8, rounds=30)), "by the seed alone"
    assert k_means(points[:3], 5).shape == (5, 4)


def test_k_means_moves_a_centre_that_nothing_is_near() -> None:
    points = torch.cat([torch.zeros(50, 2), torch.full((1, 2), 9.0)])
    found = k_means(points, 3, rounds=3)
    assert (torch.cdist(torch.full((1, 2), 9.0), found).min() < 1e-5) and (found.norm(dim=1) < 1e-5).any()


# ---- the update and the step


def test_a_new_update_changes_nothing_and_merging_is_the_same_as_asking(prior: FacePrior) -> None:
    torch.manual_seed(0)
    network = LAFRNet(PRIOR, rank=2, **ADAPTER)
    x = latents()
    plain = one_step(prior, x, 200)
    ask = partial(network.update, prior)
    assert torch.allclose(one_step(prior, x, 200, ask), plain, atol=1e-5)
    for outer in network.update.outer.values():
        nn.init.normal_(outer, std=0.2)
    before = {key: value.clone() for key, value in prior.state_dict().items()}
    asked = one_step(prior, x, 200, ask)
    assert not torch.allclose(asked, plain, atol=1e-2)
    assert all(torch.equal(before[key], value) for key, value in prior.state_dict().items()), "it stays as it is"
    merged = copy.deepcopy(prior)
    network.update.merge(merged)
    assert torch.allclose(one_step(merged, x, 200), asked, atol=1e-5)


def test_the_update_is_of_low_rank_and_all_that_is_kept_of_the_prior(prior: FacePrior) -> None:
    network = LAFRNet(PRIOR, rank=2, **ADAPTER)
    update = network.update
    for outer in update.outer.values():
        nn.init.normal_(outer)
    names = set(update.names.values())
    assert "unet.conv_in" in names and "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0" in names
    assert not any("time_emb" in name or ".ff." in name for name in names)
    for key, shape in update.shapes.items():
        change = update.change(key)
        assert change.shape == shape == prior.get_parameter(f"{update.names[key]}.weight").shape
        assert torch.linalg.matrix_rank(change.detach().flatten(1)) <= 2
    assert all(key.startswith(("adapter.", "update.")) for key in network.state_dict())
    assert sum(p.numel() for p in update.parameters()) < 0.5 * sum(p.numel() for p in prior.unet.parameters())


def test_an_update_knows_any_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Flatten(), nn.Linear(8 * 16, 5))
    assert set(shapes_of(network, ("2",))) == {"0", "2"} and set(shapes_of(network, ())) == {"0"}
    update = LowRankUpdate(shapes_of(network, ("2",)), rank=1, alpha=3.0)
    nn.init.ones_(update.outer["2"])
    x = torch.randn(2, 3, 4, 4)
    features = network[1](network[0](x))
    expected = network(x) + 3 * (features @ update.inner["2"].T)
    assert torch.allclose(update(network, x), expected, atol=1e-5)
    update(network, x).sum().backward()
    assert update.inner["2"].grad is not None


def test_the_step_undoes_the_noise_that_the_prior_sees(prior: FacePrior) -> None:
    """v of x = sqrt(a) z is sqrt(a) e - sqrt(1 - a) z0; whoever tells it gets z0 back, in the autoencoder's latents."""
    z0, z = latents(seed=4), latents(seed=5)
    loud, share = prior.loud[:, None, None], prior.alphas_cumprod[300]

    def oracle(x: Tensor, time: Tensor, conditioning: Tensor) -> Tensor:
        assert time.tolist() == [300, 300] and torch.allclose(x, share.sqrt() * z * loud)
        assert conditioning[:, 0].tolist() == [0, 0] and torch.equal(conditioning[0, 17:], prior.nobody.flatten())
        error = (x - share.sqrt() * z0 * loud) / (1 - share).sqrt()
        return share.sqrt() * error - (1 - share).sqrt() * z0 * loud

    assert torch.allclose(one_step(prior, z, 300, oracle), z0, atol=1e-4)


def test_the_step_may_be_told_who_it_is(prior: FacePrior) -> None:
    who = functional.normalize(torch.randn(2, 16), dim=1)
    told = one_step(prior, latents(), 200, identity=who)
    assert not torch.allclose(told, one_step(prior, latents(), 200), atol=1e-3)


# ---- the recipe


class Teacher(nn.Module):
    """A recogniser of another make than any of ours: (B, 3, 112, 96) to a vector, and maps that nobody asks for."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.layers = nn.Sequential(nn.Conv2d(3, 6, 8, 8), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 14 * 12, 8))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        return self.layers(x), []


class Judge:
    """In the place of the MS1M teacher: the crop made small."""

    def __init__(self, folder: Path) -> None:
        pass

    def embed_faces(self, images: np.ndarray, points: np.ndarray) -> np.ndarray:
        small = images[:, 64::32, 64::32].reshape(len(images), -1).astype(np.float64)
        small -= small.mean(1, keepdims=True)
        return small / np.linalg.norm(small, axis=1, keepdims=True)


def drawn_faces(count: int) -> np.ndarray:
    where = [face_at(128 + 2 * i, 128 - i, 256, 3 * i) for i in range(count)]
    return np.stack([picture(256, 256, [face], seed=i) for i, face in enumerate(where)])


@pytest.fixture
def recipe(prior: FacePrior, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(recipe_module.teachers, "Ms1m", Judge)
    return drawn_recipe(prior)


def drawn_recipe(prior: FacePrior) -> Recipe:
    """A recipe on six drawn faces, the last two of them held out, with tiny networks."""
    torch.manual_seed(0)
    names = [f"person-{n}" for n in range(200)]
    training = [name for name in names if not held_out(name)][:4]
    identity = np.array([*training, *[name for name in names if held_out(name)][:2]])
    row = {"source": "celeba_wild"}
    for name, x, y in zip(
        ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth"), *FFHQ_256.points.T.tolist(), strict=True
    ):
        row |= {f"{name}_x": str(x), f"{name}_y": str(y)}
    made = object.__new__(Recipe)
    made.root, made.config = Path(), CONFIG
    made.settings = replace(Recipe.settings, batch=2, warmup=1, save_minutes=1e9, validate_minutes=1e9, ema=0.5)
    made.faces = type("Faces", (), {"pixels": drawn_faces(6), "identity": identity, "rows": [row] * 6})()
    made.training, made.decoded, made.every = np.arange(4), 1, 2
    autoencoder = FaceAutoencoder(**AUTOENCODER)
    faces = torch.from_numpy(made.faces.pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    autoencoder.code(functional.pixel_unshuffle(faces, 16).permute(0, 2, 3, 1).flatten(0, 2))
    autoencoder.eval().requires_grad_(False)
    both = torch.stack([faces, faces.flip(-1)], 1).flatten(0, 1)
    own = made.__dict__
    own["autoencoder"], own["prior"] = autoencoder, prior
    own["estimator"] = EstimatorUNet(**ESTIMATOR).eval().requires_grad_(False)
    own["latents"] = autoencoder.latents(both).half().numpy()
    own["finder"] = LandmarkNet((4, 4, 4, 4), 8).eval().requires_grad_(False)
    own["perceptual"] = Perceptual(DenseFaceNet((4, 8, 8, 8), (1, 1, 1), 16, 16, 16).eval())
    own["who"] = Recogniser(Teacher())  # type: ignore[arg-type]
    own["fitted_to"] = {"starter-autoencoder": "ab" * 32, "starter-prior": "cd" * 32}
    return made


@pytest.mark.parametrize("share", [0.0, 0.9])
def test_both_stages_learn_and_the_second_moves_the_update_too(recipe: Recipe, share: float) -> None:
    torch.manual_seed(0)
    recipe.share_seen, recipe.grey = share, 0.0
    network = recipe.network().to(memory_format=torch.channels_last)
    kept = [recipe.prior, recipe.autoencoder, recipe.finder, recipe.perceptual]
    before = [{key: value.clone() for key, value in part.state_dict().items()} for part in kept]
    batch = recipe.batch(np.random.default_rng(0))
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    rows = []
    for step in range(30):
        recipe.images_seen = step * 2
        loss, terms = recipe.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rows.append({"loss": loss.item(), **terms})
    assert rows[-1]["aligned"] < 0.95 * rows[0]["aligned"]
    assert all(np.isfinite(value) for row in rows for value in row.values())
    made = network.network
    assert isinstance(made, LAFRNet)
    assert made.adapter.opening.abs().max() > 0, "the gate opens"
    moved = any(outer.abs().sum() > 0 for outer in made.update.outer.values())
    if share:
        assert moved and rows[-1]["l1"] < rows[0]["l1"] and rows[-1]["loss"] < rows[0]["loss"]
        assert {"stepped", "perceptual", "person", "structure"} <= set(rows[0])
    else:
        assert not moved and "stepped" not in rows[0]
    for part, state in zip(kept, before, strict=True):
        assert all(torch.equal(state[key], value) for key, value in part.state_dict().items()), "frozen"


def test_a_batch_is_the_degraded_and_the_clean_face_with_its_latent(recipe: Recipe) -> None:
    recipe.grey = 0.5
    greys = 0
    for seed in range(4):
        batch = recipe.batch(np.random.default_rng(seed))
        bad, clean, latents = recipe.made(batch)
        assert bad.shape == clean.shape == (2, 3, 256, 256)
        assert (bad - clean).abs().mean() > 0.02
        for one, latent, grey in zip(clean, latents, batch["grey"], strict=True):
            assert torch.allclose(recipe.autoencoder.latents(one[None])[0], latent, atol=2e-2)
            assert torch.equal(one[0], one[1]) == bool(grey)
        greys += int(batch["grey"].sum())
        assert torch.equal(bad, recipe.made(recipe.batch(np.random.default_rng(seed)))[0]), "by the generator alone"
    assert 0 < greys < 8


def test_the_guess_is_the_input_or_the_estimators(recipe: Recipe) -> None:
    nn.init.normal_(recipe.estimator.tail.weight, std=0.1)
    bad = recipe.made(recipe.batch(np.random.default_rng(0)))[0]
    plain = recipe.given(bad)
    assert torch.allclose(plain, recipe.autoencoder.latents(bad), atol=1e-4)
    recipe.config = {**CONFIG, "guess": "estimator"}
    expected = recipe.autoencoder.latents(recipe.estimator(bad).clamp(-1, 1))
    assert torch.allclose(recipe.given(bad), expected, atol=1e-4) and not torch.allclose(plain, expected, atol=0.1)
    assert set(recipe.uses) == {"autoencoder", "prior", "estimator"}


class Seeing(nn.Module):
    """Stands for an onlooker: sees somebody by the colours of a corner."""

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        return x[:, 0, :4, :4].flatten(1)[:, : PRIOR["dimensions"]] + 0.1, []


def seen_by(onlooker: nn.Module) -> EstimatorUNet:
    network = EstimatorUNet(**ESTIMATOR, onlooker={"dimensions": PRIOR["dimensions"], "maps": []})
    network.lend(onlooker)  # type: ignore[arg-type]
    return network.eval().requires_grad_(False)


def test_the_prior_is_told_who_is_there_when_it_is_to_be(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipe.__dict__, "estimator", seen_by(Seeing()))
    recipe.share_seen, batch = 0.9, recipe.batch(np.random.default_rng(0))
    told: list[tuple[Tensor, Tensor]] = []
    conditioning = recipe.prior.conditioning
    monkeypatch.setattr(
        recipe.prior, "conditioning", lambda who, known: told.append((who, known)) or conditioning(who, known)
    )
    for person in (False, True):
        recipe.config = {**CONFIG, "guess": "estimator", "person": person}
        recipe.loss(recipe.network(), batch)
    (_, nobody), (who, known) = told
    assert not nobody.any() and known.all()
    assert torch.allclose(who, recipe.estimator.person(recipe.made(batch)[0])) and torch.allclose(
        who.norm(dim=1), torch.ones(2)
    )
    assert recipe.conditioned_on == ("starter-embedder-a",), "so it must not judge"


def test_the_method_tells_the_prior_the_same(store: Path) -> None:
    method = load_method(checkpoint("starter-lafr"), "cpu")
    assert isinstance(method, LAFR)
    method._estimator = seen_by(Seeing())
    nobody = method(crop(), Options(), Progress(), 0).pixels
    method._network.person = True
    somebody = method(crop(), Options(), Progress(), 0).pixels
    assert np.abs(somebody.astype(int) - nobody).max() > 3


@pytest.mark.parametrize("mode", ["lookup", "none"])
def test_the_ablation_trains_too(recipe: Recipe, mode: str) -> None:
    recipe.config, recipe.share_seen = {**CONFIG, "mode": mode}, 0.0
    network = recipe.network().to(memory_format=torch.channels_last)
    loss, terms = recipe.loss(network, recipe.batch(np.random.default_rng(0)))
    loss.backward()
    assert ("stepped" in terms) == (mode == "none"), "without an adapter there is no first stage"
    figures = recipe.validate(network.network, torch.device("cpu"), 2)  # type: ignore[arg-type,union-attr]
    assert ("codes_used" in figures) == (mode == "lookup")


def test_it_trains_resumes_and_refuses_another_prior(recipe: Recipe, tmp_path: Path) -> None:
    first = train(recipe, tmp_path, 0.02, "cpu")
    state = torch.load(tmp_path / "last.pt", weights_only=True)
    assert state["state"]["step"] > 0
    assert first["calibration.fitted_to"] == recipe.fitted_to and first["validation_faces"] == 2
    assert {f"{f}_{w}_x{s}" for f in ("psnr", "ssim", "identity") for w in ("input", "output") for s in (4, 8)} <= set(
        first
    )
    assert 0 < first["codes_used"] <= 1 and 1 <= first["codes_perplexity"] <= 32
    assert first["latent_aligned_x8"] > 0 and first["latent_given_x8"] > 0
    train(recipe, tmp_path, 0.02, "cpu")
    again = torch.load(tmp_path / "last.pt", weights_only=True)
    assert again["state"]["step"] > state["state"]["step"]
    assert recipe.share_seen > 0.4, "half of all minutes were over when it went on"
    recipe.__dict__["fitted_to"] = {**recipe.fitted_to, "starter-prior": "ef" * 32}
    with pytest.raises(CheckpointMismatch, match="begun with other weights"):
        train(recipe, tmp_path, 0.02, "cpu")


def test_the_hashes_are_kept_whole() -> None:
    stamp = Stamp({"a": "0fff" * 16, "b": "00" * 32})
    assert bytes(stamp.hashes.tolist()).hex() == "0fff" * 16 + "00" * 32


# ---- the method


def add(folder: Path, id: str, network: nn.Module, architecture: str, config: dict[str, Any]) -> str:
    """Put `network` into the store at `folder`; its hash."""
    file = folder / f"{id}.safetensors"
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest = folder / "manifest.toml"
    document = tomllib.loads(manifest.read_text()) if manifest.exists() else {"checkpoints": {}}
    document["checkpoints"][id] = {
        "title": id,
        "licence": "none",
        "source": "starter",
        "architecture": architecture,
        "config": config,
        "files": {"weights": {"path": file.name, "sha256": sha256, "bytes": file.stat().st_size}},
    }
    manifest.write_text(export.dump(document))
    return sha256


@pytest.fixture(scope="module")
def exported(prior: FacePrior, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recipe]:
    """A folder of weights with tiny networks and `starter-lafr`, exported after some steps, and the recipe that made it."""
    folder, made = tmp_path_factory.mktemp("weights"), drawn_recipe(prior)
    made.first_stage = 0.0
    made.__dict__["fitted_to"] = {
        "starter-autoencoder": add(
            folder, "starter-autoencoder", made.autoencoder, "autoencoder:FaceAutoencoder", AUTOENCODER
        ),
        "starter-prior": add(folder, "starter-prior", made.prior, "prior:FacePrior", PRIOR),
    }
    add(folder, "starter-estimator", made.estimator, "estimator:EstimatorUNet", ESTIMATOR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe_module.teachers, "Ms1m", Judge)
        figures = train(made, folder / "run", 0.01, "cpu")
    export.export(made, folder / "run", figures, folder)
    return folder, made


@pytest.fixture
def store(exported: tuple[Path, Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of those weights, in the place of those that ship."""
    folder = tmp_path / "weights"
    shutil.copytree(exported[0], folder)
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(folder))
    return folder


def crop(seed: int = 0) -> AlignedFace:
    return AlignedFace(picture(256, 256, seed=seed), np.array([[1.0, 0.0, 3.0], [0.0, 1.0, -2.0]]), FFHQ_256)


def test_what_is_exported_restores_as_the_recipe_measured(store: Path, exported: tuple[Path, Recipe]) -> None:
    recipe = exported[1]
    entry = checkpoint("starter-lafr")
    assert entry.uses == {"autoencoder": "starter-autoencoder", "prior": "starter-prior"}
    assert entry.config["prior"] == PRIOR and entry.calibration["fitted_to"] == recipe.fitted_to
    method = load_method(entry, "cpu")
    assert isinstance(method, LAFR) and isinstance(method, Restorer)
    assert (method.id, method.goal, method.template) == ("lafr", "keep", FFHQ_256)
    face = crop()
    made = method(face, Options(), Progress(), 7)
    assert made.pixels.shape == (256, 256, 3) and np.array_equal(made.matrix, face.matrix)
    assert np.array_equal(made.pixels, method(face, Options(), Progress(), 8).pixels), "nothing is random"

    network = LAFRNet(**entry.config).eval()
    saved = torch.load(store / "run" / "last.pt", weights_only=True)["average"]
    network.load_state_dict({k.removeprefix("network."): v for k, v in saved.items() if k.startswith("network.")})
    prior = copy.deepcopy(recipe.prior)
    network.update.merge(prior)
    with torch.no_grad():
        upright = torch.from_numpy(face.pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
        given = recipe.given(torch.cat([upright, upright.flip(-1)]))
        both = deblocked(recipe.decode(one_step(prior, network.adapter(given).latents, 200)), 16)
        expected = (both[:1] + both[1:].flip(-1)) / 2
    off = np.abs(made.pixels - (expected[0].clamp(-1, 1).permute(1, 2, 0).numpy() + 1) * 127.5)
    assert np.quantile(off, 0.95) < 3, "but for float16, which may choose another code here and there"


def test_faces_together_are_as_faces_alone(store: Path) -> None:
    method = load_method(checkpoint("starter-lafr"), "cpu")
    faces = [crop(seed) for seed in range(method_module.BATCH + 1)]
    together = method.many(faces, Options(), Progress(), range(len(faces)))
    assert len(together) == len(faces)
    for face, made in zip(faces, together, strict=True):
        off = np.abs(made.pixels.astype(int) - method(face, Options(), Progress(), 0).pixels)
        assert np.quantile(off, 0.99) <= 1


def test_it_stops_between_networks(store: Path) -> None:
    method = load_method(checkpoint("starter-lafr"), "cpu")
    progress = Progress()
    method._network.adapter.register_forward_hook(lambda *_: progress.cancel())
    method._autoencoder.register_forward_hook(lambda *_: pytest.fail("it went on"))
    asked: list[int] = []
    method._prior.register_forward_hook(lambda *_: asked.append(1))
    with pytest.raises(Cancelled):
        method(crop(), Options(), progress, 0)
    assert not asked


def test_a_crop_of_another_size_is_refused(store: Path) -> None:
    method = load_method(checkpoint("starter-lafr"), "cpu")
    with pytest.raises(ValueError, match="FFHQ_512"):
        method(AlignedFace(picture(512, 512), np.eye(2, 3), FFHQ_512), Options(), Progress(), 0)


def test_other_weights_than_it_was_trained_with_are_refused(store: Path, recipe: Recipe) -> None:
    other = copy.deepcopy(recipe.prior)
    other.nobody.add_(1)
    add(store, "starter-prior", other, "prior:FacePrior", PRIOR)
    with pytest.raises(CheckpointMismatch, match="trained with different weights of starter-prior"):
        load_method(checkpoint("starter-lafr"), "cpu")
    with pytest.raises(CheckpointMismatch, match="which prior"):
        LAFR.load(replace(checkpoint("starter-lafr"), uses={}, calibration={}), "cpu")


def test_the_estimator_takes_part_where_the_weights_say_so(store: Path, recipe: Recipe, tmp_path: Path) -> None:
    nn.init.normal_(recipe.estimator.tail.weight, std=0.1)
    sha256 = add(store, "starter-estimator", recipe.estimator, "estimator:EstimatorUNet", ESTIMATOR)
    recipe.config = {**CONFIG, "guess": "estimator"}
    known = checkpoint("starter-lafr").calibration["fitted_to"]
    recipe.__dict__["fitted_to"] = {**known, "starter-estimator": sha256}
    plain = load_method(checkpoint("starter-lafr"), "cpu")(crop(), Options(), Progress(), 0)
    figures = train(recipe, tmp_path / "other", 0.01, "cpu", export.start(recipe, store))
    export.export(recipe, tmp_path / "other", figures, store)
    made = load_method(checkpoint("starter-lafr"), "cpu")(crop(), Options(), Progress(), 0)
    assert np.abs(made.pixels.astype(int) - plain.pixels).mean() > 1


def test_a_photo_goes_through_it(store: Path) -> None:
    before = Photo(picture(256, 256, [face_at(128, 128, 256)]))
    method = load_method(checkpoint("starter-lafr"), "cpu")
    result = restore(Subject.aligned(before, method.template), method, asked(seed=3))
    assert result.status == "ok", result.error
    assert result.recipe.method == "lafr" and np.abs(result.after.pixels.astype(int) - before.pixels).mean() > 1


def test_what_ships_was_trained_with_what_ships() -> None:
    entry = load_manifest().get("starter-lafr")
    if entry is None:
        pytest.skip("no starter-lafr yet")
    assert {name: checkpoint(name).files["weights"].sha256 for name in entry.uses.values()} == entry.calibration[
        "fitted_to"
    ]


def test_its_options_are_known_before_torch_is_there() -> None:
    assert not modules_after("from facestudio.methods.lafr import Options") & {"torch", "diffusers", "PySide6"}
