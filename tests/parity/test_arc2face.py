"""Arc2Face against its authors' code: the published keys, the rule of the prompt, the networks and the samplers."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facestudio.networks.arc2face import IdentityEncoder, prompt

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "arc2face_projection": IdentityEncoder,
    "arc2face_encoder": IdentityEncoder,
}


@pytest.fixture
def fixtures(shared: Path) -> Path:
    folder = shared / "parity"
    if not folder.is_dir():
        pytest.skip("no parity fixtures here")
    return folder


@pytest.fixture
def weights(fixtures: Path) -> ModuleType:
    """What makes weights that follow from their keys."""
    spec = importlib.util.spec_from_file_location("seeded_weights", fixtures / "seeded_weights.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def about(name: str, fixtures: Path, what: str = "case") -> dict[str, Any]:
    return dict(json.loads((fixtures / name / f"{what}.json").read_text()))


def arrays(name: str, fixtures: Path, case: str = "case") -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in np.load(fixtures / name / f"{case}.npz").items()}


def near(found: Tensor, expected: Tensor, of: Tensor | None = None) -> bool:
    return bool((found - expected).abs().max() <= 1e-3 * (expected if of is None else of).std())


@pytest.mark.parametrize("name", NETWORKS)
def test_published_weights_would_load_unmapped(name: str, fixtures: Path) -> None:
    manifest = about(name, fixtures, "manifest")
    with torch.device("meta"):
        network = NETWORKS[name](**manifest["config"])
        plain = NETWORKS[name]()
    tensors = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert tensors == manifest["tensors"]
    assert sum(value.numel() for value in network.parameters()) == manifest["parameters"]
    if name != "arc2face_projection":
        assert {key: list(value.shape) for key, value in plain.state_dict().items()} == tensors, (
            "the defaults are published"
        )


@pytest.mark.parametrize("name", ["arc2face_projection", "arc2face_encoder"])
def test_an_identity_becomes_a_prompt(name: str, fixtures: Path, weights: ModuleType) -> None:
    told = about(name, fixtures)
    encoder = IdentityEncoder(**told["config"]).eval()
    weights.fill_(encoder, told["seed"])
    cases = [arrays(name, fixtures, case) for case in ("case", "case_two")]
    identities = torch.cat([case["face_embedding"] for case in cases])
    ids, nothing = cases[0]["input_ids"][0], cases[0]["negative_ids"]
    word = int(ids[told["projection"]["replaced_position"]])
    with torch.inference_mode():
        together = encoder(ids, 3 * identities, word)
        plain, negative = encoder(ids[None]), encoder(nothing)
    for one, case in zip(together, cases, strict=True):
        assert near(one, case["output"][0])
        assert near(one[:4], plain[0, :4]), "what stands before it does not know it"
        assert near(plain[:, : case["plain_prompt_output"].shape[1]], case["plain_prompt_output"])
    assert near(negative, cases[0]["negative_output"])


def test_the_prompts_are_the_published_ones(fixtures: Path) -> None:
    told = about("arc2face_encoder", fixtures)["projection"]
    assert prompt().tolist() == told["token_ids_official"]
    assert int(prompt()[told["replaced_position"]]) == told["id_token"]
    assert torch.equal(prompt(())[None], arrays("arc2face_encoder", fixtures)["negative_ids"])
