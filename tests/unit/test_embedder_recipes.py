"""Recipes of the embedders, on a cache of drawn noise: what they learn from, what ships, and who is kept out."""

from __future__ import annotations

import csv
import importlib
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from facestudio.checkpoints import load_manifest
from facestudio.errors import UsageError
from facestudio.faces.loading import load_network
from facestudio.training import data, export
from facestudio.training.distilling import corrected
from facestudio.training.embedding import isometry, margin_classes, unexplained
from facestudio.training.identity_data import asked
from facestudio.training.loop import Settings, Taught, shipped, train
from facestudio.training.losses import NOBODY, ArcFace, ElasticFace, UnifiedNegatives
from facestudio.training.margins import MARGINS, choose
from facestudio.training.whitening import settle, whitening

TINY: dict[str, dict[str, Any]] = {
    "embedder_a": {"widths": [4, 8, 8, 12], "blocks": [1, 1, 1], "bottleneck": 256, "features": 16, "dimensions": 512},
    "embedder_b": {"layers": [1, 1, 1], "widths": [4, 8, 128, 128], "stem_stride": 2, "reduced": 4, "dimensions": 512},
    "embedder_c": {
        "width": 128,
        "heads": 2,
        "depth": 2,
        "ratio": 1.0,
        "stem": [4, 8],
        "features": 16,
        "dimensions": 512,
    },
}


def people(held: bool, count: int) -> list[str]:
    """Names that the split holds out, or that it does not."""
    return [name for name in (f"celeba-{n}" for n in range(1000)) if data.held_out(name) == held][:count]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(root, cache) with noise for crops, and with random answers of teachers in which each person is a direction."""
    root, cache = tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("cache")
    random = np.random.default_rng(0)
    (root / "faces").mkdir()
    wild = [name for name in (*people(False, 6), *people(True, 3)) for _ in range(3)]
    rows = [("celeba_wild", name) for name in wild] + [("stylegan2", f"stylegan2-{n}") for n in range(3)]
    marks = [
        f"{point}_{axis}" for point in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for axis in "xy"
    ]
    standing = [96.5, 120.0, 159.5, 120.1, 128.3, 157.4, 100.6, 185.7, 156.5, 185.6]
    with (root / "faces" / "faces256.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "source", "identity", *marks])
        writer.writerows([f"{n}.webp", *row, *standing] for n, row in enumerate(rows))
    small = [*people(False, 9), *people(True, 2)]
    with (root / "faces" / "celeba_small.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "identity"])
        writer.writerows([f"{n}.jpg", name] for n, name in enumerate(small))
    with zipfile.ZipFile(root / "faces" / "ffhq128.zip", "w") as archive:
        archive.writestr("00001.jpg", b"")
    identity = [name for _, name in rows] + ["ffhq-00001"] + small
    count = len(identity)
    np.save(cache / "faces256-256x256.npy", random.integers(0, 256, (len(rows), 256, 256, 3), np.uint8))
    np.save(cache / "crops112.npy", random.integers(0, 256, (count, 112, 112, 3), np.uint8))
    direction = {name: random.standard_normal(128) for name in identity}
    for teacher in ("ms1m", "casia"):
        answers = np.stack([direction[name] + 0.3 * random.standard_normal(128) for name in identity for _ in range(2)])
        answers /= np.linalg.norm(answers, axis=1, keepdims=True)
        np.save(cache / f"teacher-{teacher}.npy", answers.astype(np.float32))
    np.save(cache / "teacher-middle.npy", random.integers(-60, 61, (2 * count, 256, 14, 14), np.int8))
    np.save(cache / "teacher-late.npy", random.integers(-60, 61, (2 * count, 256, 7, 7), np.int8))
    (cache / "teachers.done").touch()
    assert asked(cache)
    return root, cache


def made(name: str, packed: tuple[Path, Path], **changes: Any) -> Any:
    recipe = importlib.import_module(f"facestudio.training.recipes.{name}").Recipe(*packed)
    recipe.config = TINY[name]
    recipe.mixed_share = 0.0  # there are no teachers here that answer about them
    recipe.settings = Settings(batch=16, lr=3e-3, warmup=1, cooldown=0.0, seed=recipe.settings.seed)
    for key, value in changes.items():
        setattr(recipe, key, value)
    return recipe


@pytest.mark.parametrize("name", TINY)
def test_every_recipe_learns_a_batch_and_leaves_no_part_out(name: str, packed: tuple[Path, Path]) -> None:
    torch.manual_seed(0)
    recipe = made(name, packed)
    network = recipe.network().to(memory_format=torch.channels_last)
    batch = recipe.batch(np.random.default_rng(3))
    assert batch["target"].norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for step in range(12):
        recipe.images_seen = (step + 1) * 10_000  # teaching ends on the way
        with torch.autocast("cpu", torch.bfloat16):
            loss, terms = recipe.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            idle = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
            assert idle == [] and all(np.isfinite(list(terms.values())))
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("name", TINY)
def test_every_recipe_validates_what_ships(name: str, packed: tuple[Path, Path]) -> None:
    recipe = made(name, packed)
    figures = recipe.validate(shipped(recipe.network()).eval(), torch.device("cpu"))
    assert figures["validation_faces"] == 9 and figures["validation_identities"] == 3
    assert figures["calibration_faces"] == 11 and figures["calibration_identities"] in (3, 4, 5)
    assert 0 <= figures["far_of_calibrated_1e-03"] <= 1
    for far in ("1e-01", "1e-02", "1e-03", "1e-04"):
        assert 0 <= figures[f"tar_at_far_{far}"] <= 1
        assert abs(figures[f"calibration.thresholds.{far}"]) <= 1.001
    for side in (32, 16):
        assert 0 <= figures[f"tar_at_far_1e-03_{side}px"] <= 1
    assert {f"calibration.{who}_{what}" for who in ("same", "different") for what in ("mean", "std")} <= set(figures)
    assert figures["teachers_tar_at_far_1e-03"] == 1  # people are directions there


@pytest.mark.parametrize("name", TINY)
def test_every_recipe_exports_what_the_product_loads(name: str, packed: tuple[Path, Path], tmp_path: Path) -> None:
    recipe = made(name, packed)
    figures = train(recipe, tmp_path / "run", 0.0, "cpu")
    export.export(recipe, tmp_path / "run", figures, tmp_path)
    entry = load_manifest(tmp_path / "manifest.toml")[recipe.id]
    assert set(entry.calibration["thresholds"]) == {"1e-01", "1e-02", "1e-03", "1e-04"}
    network = load_network(entry, "cpu")
    assert network(torch.zeros(2, 3, 112, 112)).shape == (2, 512)


@pytest.mark.parametrize("name", ["embedder_b", "embedder_c"])
def test_what_ships_is_whitened_and_the_run_goes_on_as_it_was(
    name: str, packed: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = made(name, packed)
    train(recipe, tmp_path, 0.0, "cpu")
    before = (tmp_path / "last.pt").read_bytes()
    finished, figures = recipe.finish(tmp_path)
    assert (tmp_path / "last.pt").read_bytes() == before and figures["validation_faces"] == 9

    def embedded(folder: Path) -> np.ndarray:
        network = recipe.network()
        network.load_state_dict(torch.load(folder / "last.pt", weights_only=True)["average"])
        return recipe.embed(network.network.eval(), recipe.crops[recipe.training], torch.device("cpu"))

    plain, white = embedded(tmp_path), embedded(finished)
    wanted = plain @ whitening(plain).numpy()
    assert np.allclose(white, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-4)
    assert (white @ white.T).mean() < (plain @ plain.T).mean()  # what they have in common shrinks


def test_recipes_hear_their_own_teachers(packed: tuple[Path, Path]) -> None:
    rows = np.array([0, 5])
    both, first, second = (made(name, packed) for name in TINY)
    ms1m, casia = both.faces.ms1m[rows], both.faces.casia[rows]
    assert both.answers(rows) == pytest.approx(np.concatenate([ms1m, casia], 1) / np.sqrt(2), abs=1e-6)
    assert np.array_equal(first.answers(rows), ms1m)
    assert np.array_equal(second.answers(rows), casia)
    batches = [recipe.batch(np.random.default_rng(1)) for recipe in (both, first, second)]
    assert all(torch.equal(batch["crops"], batches[0]["crops"]) for batch in batches)
    for key in ("middle", "late"):
        assert torch.equal(torch.cat([batches[1][key], batches[2][key]], 1), batches[0][key])


def test_nobody_held_out_is_a_class(packed: tuple[Path, Path]) -> None:
    recipe = made("embedder_b", packed)
    assert recipe.classes == 6  # three faces in the wild and a small one each; the others have but one
    labelled = recipe.labels != NOBODY
    assert not labelled[recipe.validation].any()
    assert set(recipe.identity[labelled]) == set(people(False, 6))
    for label in range(recipe.classes):
        assert len(set(recipe.identity[recipe.labels == label])) == 1
    random = np.random.default_rng(0)
    held = {recipe.people[index] for index in recipe.validation}
    for _ in range(3):
        batch = recipe.batch(random)
        assert not held & set(batch["person"].tolist())
    head = recipe.network().heads["margin"]
    assert head.centres.shape == (6, 512)
    # the centres begin where the teacher sees the people
    faces = np.flatnonzero(recipe.labels == 2)
    mean = (recipe.answers(2 * faces) + recipe.answers(2 * faces + 1)).sum(0)
    expected = nn.functional.normalize(torch.from_numpy(mean) @ recipe.isometry, dim=0)
    assert torch.allclose(nn.functional.normalize(head.centres[2], dim=0), expected, atol=1e-5)


def test_classes_need_enough_training_faces() -> None:
    identity = np.array(["a", "b", "a", "c", "b", "a", "d"])
    labels, classes = margin_classes(identity, np.array([0, 1, 2, 4, 6]))
    assert classes == 2 and labels.tolist() == [0, 1, 0, NOBODY, 1, NOBODY, NOBODY]
    assert margin_classes(identity, np.array([0, 1, 2, 4, 6]), least=3)[1] == 0


def test_any_margin_may_be_chosen_for_any_teacher(packed: tuple[Path, Path]) -> None:
    recipe = made("embedder_c", packed, margin=ElasticFace(plus=True), negatives=UnifiedNegatives())
    network = recipe.network()
    loss, terms = recipe.loss(network, recipe.batch(np.random.default_rng(0)))
    assert isinstance(network, Taught) and terms["margin"] > 0 and torch.isfinite(loss)
    assert "margin" not in made("embedder_c", packed).network().heads


@pytest.mark.parametrize("name", MARGINS)
def test_every_margin_has_a_name_and_trains(packed: tuple[Path, Path], name: str) -> None:
    recipe = made("embedder_b", packed)
    unpg = name not in ("none", "sface")
    assert choose(recipe, name, unpg) == f"-margin={name}" + ("-unpg" if unpg else "")
    network = recipe.network()
    loss, terms = recipe.loss(network, recipe.batch(np.random.default_rng(0)))
    assert torch.isfinite(loss) and ("margin" in terms) == (name != "none")
    assert name == "none" or (network.heads["margin"].negatives is not None) == unpg


def test_a_margin_that_makes_no_sense_is_refused(packed: tuple[Path, Path]) -> None:
    recipe = made("embedder_b", packed)
    own = recipe.margin
    assert choose(recipe, None) == "" and recipe.margin is own and recipe.negatives is None
    for asked_for, unpg, words in (
        ("arc", False, "no margin loss called arc"),
        ("none", True, "has none"),
        ("sface", True, "has none"),
    ):
        with pytest.raises(UsageError, match=words):
            choose(made("embedder_b", packed), asked_for, unpg)
    with pytest.raises(UsageError, match="starter-embedder-a has no margin"):
        choose(made("embedder_a", packed), "arcface")


def test_the_command_takes_a_margin_and_keeps_its_run_apart(
    packed: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facestudio.training import __main__ as command

    seen: list[tuple[Any, Path]] = []
    recipe = made("embedder_b", packed)
    trial: Any = SimpleNamespace(Recipe=lambda *_: recipe)
    monkeypatch.setitem(sys.modules, "facestudio.training.recipes.trial", trial)

    def watched(made: Any, folder: Path, *_: Any) -> dict[str, Any]:
        seen.append((made, folder))
        return {}

    monkeypatch.setattr(command, "train", watched)
    told = ["trial", "--runs", str(tmp_path), "--margin", "arcface", "--unpg", "--fresh"]
    assert CliRunner().invoke(command.app, told).exit_code == 0
    ((trained, folder),) = seen
    assert trained.margin == ArcFace(32.0) and folder == tmp_path / "starter-embedder-b-margin=arcface-unpg"
    refused = CliRunner().invoke(command.app, ["trial", "--margin", "arc"])
    assert refused.exit_code == 2 and len(seen) == 1


def test_correcting_gives_the_truth_and_leaves_the_rest() -> None:
    torch.manual_seed(0)
    projection = nn.Conv2d(12, 5, 1)
    nn.init.orthogonal_(projection.weight, gain=0.5)
    features = torch.randn(2, 12, 4, 6, requires_grad=True)
    truth, columns = torch.randn(2, 5, 4, 3), slice(1, 4)
    moved = corrected(features, projection, truth, columns)
    assert torch.allclose(projection(moved[..., columns]), truth, atol=1e-2)
    assert torch.equal(moved[..., 4:], features[..., 4:]) and torch.equal(moved[..., :1], features[..., :1])
    # what was moved lies in the rows of the projection
    matrix = projection.weight.detach().flatten(1)
    change = (moved - features).detach().permute(0, 2, 3, 1).reshape(-1, 12)
    inside = change @ torch.linalg.pinv(matrix) @ matrix
    assert torch.allclose(inside, change, atol=1e-4)
    (projection.weight.detach().flatten(1)[0][None, :, None, None] * moved[..., columns]).sum().backward()
    assert features.grad is not None and features.grad[..., columns].abs().max() < 1e-2
    assert projection.weight.grad is None


def test_unexplained_is_a_share_of_the_variance_by_weight() -> None:
    truth = torch.randn(3, 8, 20, 20, generator=torch.Generator().manual_seed(0))
    assert unexplained(torch.zeros_like(truth), truth, torch.ones(3)).item() == pytest.approx(1, abs=0.05)
    assert unexplained(truth, truth, torch.ones(3)) == 0
    half = torch.cat([truth[:1], torch.zeros_like(truth[1:])])
    assert unexplained(half, truth, torch.tensor([1.0, 0, 0])) == 0
    assert unexplained(half, truth, torch.zeros(3)) == 0


def test_isometries_keep_cosines_and_differ_by_seed() -> None:
    first, second = isometry(128, 512, 8), isometry(128, 512, 9)
    assert torch.allclose(first @ first.T, torch.eye(128), atol=1e-5)
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("name", ["embedder_b", "embedder_c"])
def test_what_does_not_ship_is_found_again(name: str, packed: tuple[Path, Path]) -> None:
    torch.manual_seed(0)
    recipe = made(name, packed, degraded_share=0.0, moved_share=0.0, margin=None, forced_until=1)
    recipe.images_seen = 1
    shapes = recipe.faces.middle.shape, recipe.faces.late.shape
    recipe.faces = replace(recipe.faces, middle=np.full(shapes[0], 30, np.int8), late=np.full(shapes[1], -15, np.int8))
    network = recipe.network()
    recipe.fold(network.network, whitening(np.random.default_rng(0).standard_normal((64, 512)), power=1.0))
    batch = recipe.batch(np.random.default_rng(3))
    with torch.no_grad():
        before = recipe.loss(network.eval(), batch)[1]
        recipe.begin(network)
        after = recipe.loss(network.eval(), batch)[1]
    assert after["cosine"] > max(0.3, before["cosine"])
    assert after["middle"] < 0.05 < before["middle"] and after["late"] < 0.05 < before["late"]


def test_a_normalisation_that_is_settled_takes_nothing_away() -> None:
    values = 3 + torch.randn(64, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.1, 1, 2, 5, 0.5])
    norm = nn.BatchNorm1d(5)
    assert not torch.allclose(norm.train()(values), values, atol=0.1)
    settle(norm, values)
    assert torch.allclose(norm.eval()(values), values, atol=1e-3)
    assert torch.allclose(norm.train()(values), values, atol=0.1)
