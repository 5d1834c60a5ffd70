"""The panel's recipe on drawn noise: what it fits is what the product loads, and what it claims is what it measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.checkpoints import File, load_manifest
from facestudio.faces.calibration import interval_at
from facestudio.faces.identity import Embedder
from facestudio.faces.panel import Panel
from facestudio.faces.recent import Recent
from facestudio.networks.vit import FaceTransformer
from facestudio.training import data, export
from facestudio.training.recipes import panel as recipe_module
from facestudio.training.recipes.panel import EMBEDDERS, Recipe, damages, hopeless
from tests.fakes import face_at, fake_checkpoint, picture

FACES = 4  # of each person


def people(held: bool, count: int, first: int = 0) -> list[str]:
    names = [name for name in (f"celeba-{n}" for n in range(first, first + 2000)) if data.held_out(name) == held]
    return names[:count]


def crops_of(names: list[str], random: np.random.Generator) -> np.ndarray:
    """Faces whose people have patterns of their own, each picture a little different."""
    pattern = {name: random.integers(40, 216, (7, 7, 3)) for name in sorted(set(names))}
    large = [np.kron(pattern[name], np.ones((16, 16, 1))) + random.integers(-25, 26, (112, 112, 3)) for name in names]
    return np.clip(large, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, dict[str, Embedder]]:
    """(figures, folder of the exported weights, the embedders)."""
    random = np.random.default_rng(0)
    wild, small = people(True, 6), people(True, 8, 5000)
    identity = [n for n in (*wild, *small) for _ in range(FACES)] + people(False, 20)
    source = ["celeba_wild"] * 6 * FACES + ["celeba_small"] * 8 * FACES + ["ffhq128"] * 20
    entries, networks = {}, {}
    for seed, name in enumerate(EMBEDDERS):
        torch.manual_seed(seed)
        size = {"width": 12, "heads": 2, "depth": 2, "ratio": 1.0, "stem": (4, 8), "refined": 0, "features": 32}
        networks[name] = FaceTransformer(**size).eval()  # type: ignore[arg-type]
        entries[name] = fake_checkpoint(name, files={"weights": File(Path(name), f"sha-{name}", 1)})
    patch = pytest.MonkeyPatch()
    patch.setattr(
        recipe_module, "all_crops", lambda *_: (crops_of(identity, random), np.array(identity), np.array(source))
    )
    patch.setattr(recipe_module.checkpoints, "checkpoint", entries.__getitem__)
    patch.setattr(recipe_module, "load_network", lambda entry, device: networks[entry.id])
    patch.setattr(recipe_module, "HOPELESS", 8)
    folder, weights = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("weights")
    recipe = Recipe(Path(), Path())
    figures = recipe.fit(folder)
    export.export(recipe, folder, figures, weights)
    patch.undo()
    known: Recent[Any] = Recent(16)
    return figures, weights, {name: Embedder(entries[name], networks[name], "cpu", known) for name in EMBEDDERS}


def test_the_product_loads_what_was_fitted(fitted: tuple[dict[str, Any], Path, dict[str, Embedder]]) -> None:
    _, weights, embedders = fitted
    entry = load_manifest(weights / "manifest.toml")["starter-panel"]
    assert not entry.recognises, "the panel is no embedder"
    panel = Panel.load(entry, embedders)
    face = face_at(120, 120, 150)
    (quality,) = panel.quality(picture(240, 240, [face]), face.landmarks[None])
    assert 0 <= quality <= 1
    for some in (EMBEDDERS, EMBEDDERS[:2], EMBEDDERS[1:]):
        limits = panel.thresholds(some, 1e-3)
        assert limits is not None
        threshold, changed_below = limits
        assert changed_below <= threshold
        low, high = interval_at(entry.calibration["together"][" ".join(some)], 1e-3) or (1, 0)
        assert low <= threshold <= high
    assert panel.thresholds(EMBEDDERS[:1], 1e-3) is None
    assert panel.score(dict.fromkeys(EMBEDDERS, 1.0), quality) > panel.score(dict.fromkeys(EMBEDDERS, 0.0), quality)


def test_a_hopeless_face_is_worth_less_than_a_whole_one(
    fitted: tuple[dict[str, Any], Path, dict[str, Embedder]],
) -> None:
    figures, weights, embedders = fitted
    quality = Panel.load(load_manifest(weights / "manifest.toml")["starter-panel"], embedders)
    random = np.random.default_rng(5)
    whole = crops_of(people(True, 6), random)
    face = face_at(55.5, 55.5, 112)
    shares = []
    for crops in (whole, [hopeless(crop, random) for crop in whole]):
        shares.append([quality.quality(crop, face.landmarks[None])[0] for crop in crops])
    assert np.mean(shares[0]) > np.mean(shares[1])
    assert 0 <= figures["below_gate_of_undamaged"] <= 1


def test_the_figures_are_shares_and_discarding_more_leaves_the_same_start(
    fitted: tuple[dict[str, Any], Path, dict[str, Embedder]],
) -> None:
    figures = fitted[0]
    assert figures["calibration_faces"] == 14 * FACES and figures["calibration_identities"] == 14
    starts = {value for key, value in figures.items() if key.startswith("missed_") and key.endswith("_0%")}
    assert len(starts) == 1
    assert all(0 <= value <= 1 for key, value in figures.items() if key.startswith(("missed_", "tar_", "far_")))
    assert {
        "tar_at_far_1e-03_abc",
        "tar_at_far_1e-03_ab",
        "tar_at_far_1e-03_32px_a",
        "tar_at_far_1e-03_16px_abc",
    } <= set(figures)


def test_damages_reach_from_light_to_hopeless_and_repeat() -> None:
    first, again = (damages(np.random.default_rng(1)) for _ in range(2))
    assert first == again
    assert 3 <= first[-2].scale <= 8 and 7 <= first[-1].scale <= 16
    crop = crops_of(["x"], np.random.default_rng(0))[0]
    lost = hopeless(crop, np.random.default_rng(0))
    assert lost.shape == crop.shape and lost.dtype == np.uint8
    assert np.abs(lost.astype(int) - crop).mean() > 20
