"""RestoreFormer and RestoreFormer++ against their authors': the published keys, outputs, codes and encodings."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.networks.restoreformer import RestoreFormer

PUBLISHED: dict[str, dict[str, Any]] = {
    "restoreformerpp": {},
    "restoreformer": {"head_size": 8, "ex_multi_scale_num": 0},
}


def seeded(name: str, fixtures: Path, seed: int = 0) -> RestoreFormer:
    """The published network with weights that follow from its keys."""
    spec = importlib.util.spec_from_file_location("seeded_weights", fixtures / "seeded_weights.py")
    assert spec is not None and spec.loader is not None
    weights = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(weights)
    network = RestoreFormer(**PUBLISHED[name]).eval()
    weights.fill_(network, seed)
    return network


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_would_load_unmapped(name: str, fixtures: Path) -> None:
    manifest = json.loads((fixtures / name / "manifest.json").read_text())
    with torch.device("meta"):
        network = RestoreFormer(**PUBLISHED[name])
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == manifest["tensors"]
    assert sum(value.numel() for value in network.parameters()) == manifest["parameters"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_defaults_are_the_published_configuration(name: str, fixtures: Path) -> None:
    told = json.loads((fixtures / name / "manifest.json").read_text())["config"]
    asked = {key: told[key] for key in RestoreFormer.__init__.__annotations__ if key in told}
    with torch.device("meta"):
        ours, theirs = RestoreFormer(**PUBLISHED[name]), RestoreFormer(**asked)
    assert str(ours) == str(theirs) and ours.decoder.mid.attn_1.heads == told["head_size"]


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("case", ["case", "case_unit"])
def test_the_published_output(name: str, case: str, fixtures: Path) -> None:
    arrays = np.load(fixtures / name / f"{case}.npz")
    with torch.inference_mode():
        found = seeded(name, fixtures).examine(torch.from_numpy(arrays["input"]))
    assert np.array_equal(found.codes.numpy().ravel(), arrays["code_indices"])
    for ours, theirs in ((found.encoded, arrays["encoder_out"]), (found.image, arrays["output"])):
        assert np.abs(ours.numpy() - theirs).max() < 1e-3 * theirs.std()


@pytest.mark.parametrize("name", PUBLISHED)
def test_crops_do_not_depend_on_what_is_restored_with_them(name: str, fixtures: Path) -> None:
    given = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(3)) * 0.5
    network = seeded(name, fixtures, seed=1)
    with torch.inference_mode():
        together, alone = network.examine(given), network.examine(given[1:])
    assert together.image.shape == given.shape and together.codes.shape == (2, 6)
    assert torch.equal(together.codes[1:], alone.codes)
    assert (together.image[1:] - alone.image).abs().max() < 1e-3 * alone.image.std()
