"""Training: the loop resumes, averages and stops; the export is what the product reads; the geometry is right."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facestudio.checkpoints import load_into, load_manifest, verify
from facestudio.networks.estimator import EstimatorUNet
from facestudio.training import data, export, metrics
from facestudio.training.__main__ import setting
from facestudio.training.loop import Settings, Taught, blend, fill, train, update
from facestudio.training.recipes import detector as detector_recipe
from facestudio.training.recipes.landmarks import mirrored_order


class TinyRecipe:
    """Learns to brighten noise."""

    id = "starter-estimator"
    architecture = "estimator:EstimatorUNet"
    settings = Settings(batch=2, lr=1e-2, warmup=1, ema=0.5, cooldown=0.0, save_minutes=1e9, validate_minutes=1e9)
    config: dict[str, Any] = {"widths": [8, 8], "blocks": 1, "unshuffle": 2}
    trained_on = "noise"
    method = "quick:Quick"
    goal = "keep"
    images_seen = 0

    def network(self) -> nn.Module:
        return EstimatorUNet(**self.config)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        random = torch.Generator().manual_seed(seed)
        while True:
            yield {"x": torch.rand(2, 3, 16, 16, generator=random) - 0.5}

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        error = (network(batch["x"]).float() - batch["x"] - 0.2).square().mean()
        return error, {"error": error.item()}

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        with torch.inference_mode():
            x = torch.zeros(1, 3, 16, 16)
            return {"error": float((network(x) - 0.2).abs().mean()), "calibration.thresholds.1e-03": 0.25}


def test_training_learns_resumes_and_logs(tmp_path: Path) -> None:
    recipe = TinyRecipe()
    first = train(recipe, tmp_path, 0.05, "cpu")
    steps = torch.load(tmp_path / "last.pt", weights_only=True)["state"]["step"]
    assert steps > 3
    second = train(recipe, tmp_path, 0.05, "cpu")
    assert torch.load(tmp_path / "last.pt", weights_only=True)["state"]["step"] > steps
    assert second["error"] < max(first["error"], 0.01), (
        "a quick machine is done in the first run already, but for noise"
    )
    assert first["error"] < 0.2
    with (tmp_path / "validation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 and float(rows[1]["error"]) == pytest.approx(second["error"], rel=1e-4)


def test_no_minutes_changes_nothing(tmp_path: Path) -> None:
    recipe = TinyRecipe()
    train(recipe, tmp_path, 0.005, "cpu")
    before = torch.load(tmp_path / "last.pt", weights_only=True)
    train(recipe, tmp_path, 0.0, "cpu")
    after = torch.load(tmp_path / "last.pt", weights_only=True)
    assert before["state"] == after["state"]
    assert all(torch.equal(value, after["average"][key]) for key, value in before["average"].items())


def test_average_moves_towards_the_weights() -> None:
    average, network = nn.Linear(2, 1), nn.Linear(2, 1)
    nn.init.zeros_(average.weight)
    nn.init.ones_(network.weight)
    update(average, network, 0.75)
    assert average.weight.tolist() == [[0.25, 0.25]]


def test_export_is_what_the_product_reads(tmp_path: Path) -> None:
    recipe = TinyRecipe()
    figures = train(recipe, tmp_path / "run", 0.005, "cpu")
    weights = tmp_path / "weights"
    export.export(recipe, tmp_path / "run", figures, weights)
    entry = load_manifest(weights / "manifest.toml")["starter-estimator"]
    assert verify(entry) == "present"
    assert entry.licence == "non-commercial research"
    assert entry.config == recipe.config
    assert entry.calibration["thresholds"]["1e-03"] == 0.25
    network = recipe.network()
    load_into(network, entry)
    average = torch.load(tmp_path / "run" / "last.pt", weights_only=True)["average"]
    for key, value in network.state_dict().items():
        assert torch.equal(value, average[key].half().float()), key


def test_export_keeps_the_other_entries(tmp_path: Path) -> None:
    recipe = TinyRecipe()
    figures = train(recipe, tmp_path / "run", 0.003, "cpu")
    export.export(recipe, tmp_path / "run", figures, tmp_path)
    text = (tmp_path / "manifest.toml").read_text().replace("starter-estimator", "other")
    (tmp_path / "manifest.toml").write_text(text)
    export.export(recipe, tmp_path / "run", figures, tmp_path)
    assert set(load_manifest(tmp_path / "manifest.toml")) == {"other", "starter-estimator"}


def test_training_goes_on_from_the_shipped_weights(tmp_path: Path) -> None:
    recipe = TinyRecipe()
    figures = train(recipe, tmp_path / "run", 0.02, "cpu")
    export.export(recipe, tmp_path / "run", figures, tmp_path)
    begin = export.start(recipe, tmp_path)
    assert begin is not None and begin.state["step"] > 0
    again = train(recipe, tmp_path / "new", 0.0, "cpu", begin)
    assert again["error"] == pytest.approx(figures["error"], abs=1e-3)
    assert torch.load(tmp_path / "new" / "last.pt", weights_only=True)["state"] == begin.state
    assert export.start(recipe, tmp_path / "nowhere") is None


def test_weights_are_mixed_with_those_that_they_went_on_from(tmp_path: Path) -> None:
    before = {"a": torch.tensor([1.0, 3.0]).half()}
    save_file(before, tmp_path / "before.safetensors")
    average = {"a": torch.tensor([3.0, 3.0]), "new": torch.tensor([4.0]), "steps": torch.tensor(7)}
    torch.save({"average": average, "network": average, "state": {"step": 5}}, tmp_path / "last.pt")
    blend(tmp_path, tmp_path / "before.safetensors", 0.25)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert saved["average"]["a"].tolist() == [1.5, 3.0]
    assert saved["average"]["new"].tolist() == [1.0], "it began at nothing"
    assert saved["average"]["steps"] == 7 and saved["state"] == {"step": 5}


class TaughtRecipe(TinyRecipe):
    """The same network, which also has to please a head that does not ship."""

    def network(self) -> nn.Module:
        return Taught(super().network(), nn.ModuleDict({"guess": nn.Conv2d(3, 3, 1)}))

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, Taught)
        loss, terms = super().loss(network.network, batch)
        return loss + network.heads["guess"](network(batch["x"])).float().square().mean(), terms


def test_heads_that_only_training_needs_are_kept_there_and_not_shipped(tmp_path: Path) -> None:
    recipe = TaughtRecipe()
    figures = train(recipe, tmp_path / "run", 0.005, "cpu")
    again = train(recipe, tmp_path / "run", 0.0, "cpu")
    assert again["error"] == figures["error"]
    saved = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert any(key.startswith("heads.guess") for key in saved["network"])

    export.export(recipe, tmp_path / "run", figures, tmp_path)
    plain = EstimatorUNet(**recipe.config)
    load_into(plain, load_manifest(tmp_path / "manifest.toml")["starter-estimator"])
    for key, value in plain.state_dict().items():
        assert torch.equal(value, saved["average"][f"network.{key}"].half().float()), key

    begin = export.start(recipe, tmp_path)
    gone_on = train(recipe, tmp_path / "new", 0.0, "cpu", begin)
    assert gone_on["error"] == pytest.approx(figures["error"], abs=1e-3)


def test_weights_of_another_shape_are_not_gone_on_from(tmp_path: Path) -> None:
    recipe = TinyRecipe()
    export.export(recipe, tmp_path / "run", train(recipe, tmp_path / "run", 0.003, "cpu"), tmp_path)
    begin = export.start(recipe, tmp_path)
    recipe.config = {"widths": [4, 8], "blocks": 1, "unshuffle": 2}
    train(recipe, tmp_path / "new", 0.0, "cpu", begin)
    assert torch.load(tmp_path / "new" / "last.pt", weights_only=True)["state"]["step"] == 0


class GrownRecipe(TinyRecipe):
    """The same network with a part that the shipped weights do not have."""

    def network(self) -> nn.Module:
        network = super().network()
        network.extra = nn.Linear(3, 2)
        return network


def test_a_network_that_grew_keeps_what_was_trained(tmp_path: Path) -> None:
    recipe = TinyRecipe()
    export.export(recipe, tmp_path / "run", train(recipe, tmp_path / "run", 0.005, "cpu"), tmp_path)
    begin = export.start(recipe, tmp_path)
    assert begin is not None
    grown = GrownRecipe()
    train(grown, tmp_path / "refused", 0.0, "cpu", begin)
    assert torch.load(tmp_path / "refused" / "last.pt", weights_only=True)["state"]["step"] == 0
    grown.settings = replace(grown.settings, added=("extra.",))
    train(grown, tmp_path / "new", 0.0, "cpu", begin)
    saved = torch.load(tmp_path / "new" / "last.pt", weights_only=True)
    shipped = load_file(begin.weights)
    assert saved["state"] == begin.state
    assert {key for key in saved["average"] if key not in shipped and "num_batches" not in key} == {
        "extra.weight",
        "extra.bias",
    }
    assert all(torch.equal(saved["average"][key], value.float()) for key, value in shipped.items())
    # once the weights have it, it has to fit like everything else
    save_file({**shipped, "extra.weight": torch.ones(2, 3), "extra.bias": torch.ones(2)}, begin.weights)
    assert fill(network := grown.network(), begin.weights, ("extra.",))
    assert network.extra.bias.tolist() == [1, 1]
    save_file({**shipped, "extra.weight": torch.ones(2, 4), "extra.bias": torch.ones(2)}, begin.weights)
    assert not fill(network, begin.weights, ("extra.",))


def test_a_trial_changes_the_config_by_name() -> None:
    told = [setting(text) for text in ("mode=lookup", "time=50", "alpha=2.5", "widths=[8, 16]", "pose=true")]
    assert told == [("mode", "lookup"), ("time", 50), ("alpha", 2.5), ("widths", [8, 16]), ("pose", True)]
    for wrong in ("mode", "=3", "a b=3", "time="):
        with pytest.raises(typer.BadParameter, match="NAME=VALUE"):
            setting(wrong)


def test_splits_are_disjoint_by_identity_and_the_same_everywhere() -> None:
    names = np.array([f"celeba-{n // 3}" for n in range(600)])
    training, validation = data.split(names)
    assert len(training) + len(validation) == 600
    assert not set(names[training]) & set(names[validation])
    assert 0.04 < len(validation) / 600 < 0.2
    again = data.split(names[::-1])
    assert set(names[::-1][again[1]]) == set(names[validation])


def test_prefetched_batches_do_not_depend_on_timing() -> None:
    def make(random: np.random.Generator) -> float:
        return float(random.random())

    first, second = data.prefetch(make, 3, workers=2), data.prefetch(make, 3, workers=1)
    assert [next(first) for _ in range(5)] == [next(second) for _ in range(5)]
    first.close()
    second.close()


def test_ssim_and_psnr_know_equal_pictures() -> None:
    random = np.random.default_rng(0)
    picture = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
    assert metrics.ssim(picture, picture) == pytest.approx(1)
    noisy = np.clip(picture.astype(int) + 10, 0, 255).astype(np.uint8)
    assert metrics.psnr(picture, noisy) == pytest.approx(28.2, abs=0.3)


def test_pixels_survive_the_tensor() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
    assert np.array_equal(metrics.pixels(metrics.tensor(picture)), picture)


def test_mirrored_landmarks_are_their_own_mirror() -> None:
    order = mirrored_order()
    assert sorted(order) == list(range(73))
    assert (order[order] == np.arange(73)).all()
    assert order[36] == 45 and order[48] == 54 and order[8] == 8


def test_overlaps_of_known_boxes() -> None:
    a = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    b = torch.tensor([[5.0, 0, 15, 10], [20, 0, 30, 10]])
    plain, generalised = detector_recipe.overlaps(a, b)
    assert plain.tolist() == pytest.approx([1 / 3, 0])
    assert generalised.tolist() == pytest.approx([1 / 3, -1 / 3])
    assert detector_recipe.plain_overlaps(a[0].numpy(), b.numpy()).tolist() == pytest.approx([1 / 3, 0])


def test_places_are_given_to_the_face_they_stand_in() -> None:
    from facestudio.networks.detector import STRIDES, centres

    places = torch.cat([centres(64 // s, 64 // s, s) for s in STRIDES])
    strides = torch.cat([torch.full(((64 // s) ** 2,), float(s)) for s in STRIDES])
    truth = torch.tensor([[4.0, 4, 28, 28], [40, 40, 60, 60], [0, 0, 0, 0]])
    kind = torch.tensor([1, 2, 0])
    boxes = torch.cat([places - 12, places + 12], 1)
    owner, away = detector_recipe.assign(truth, kind, places, strides, boxes, torch.zeros(len(places)))
    assert (owner >= 0).any() and owner.max() == 0
    mine = places[owner == 0]
    assert ((mine > 4) & (mine < 28)).all()
    assert away.any() and ((places[away] > 40) & (places[away] < 60)).all()
