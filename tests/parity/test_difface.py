"""DifFace against its authors' code: the published keys, and the published outputs under seeded weights."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facestudio.networks.difface import DifFaceUNet
from facestudio.networks.swinir import SwinIR

NETWORKS: dict[str, Callable[[], nn.Module]] = {"difface_unet": DifFaceUNet, "difface_swinir": SwinIR}


@pytest.fixture
def fixtures(shared: Path) -> Path:
    folder = shared / "parity"
    if not folder.is_dir():
        pytest.skip("no parity fixtures here")
    return folder


def seeded(name: str, fixtures: Path) -> Any:
    """The published network with the fixtures' weights."""
    spec = importlib.util.spec_from_file_location("seeded_weights", fixtures / "seeded_weights.py")
    assert spec is not None and spec.loader is not None
    weights = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(weights)
    network = NETWORKS[name]().eval()
    weights.fill_(network, 0)
    return network


@pytest.mark.parametrize("name", NETWORKS)
def test_published_weights_would_load_unmapped(name: str, fixtures: Path) -> None:
    manifest = json.loads((fixtures / name / "manifest.json").read_text())
    with torch.device("meta"):
        network = NETWORKS[name]()
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == manifest["tensors"]
    whole = {key: "int64" for key, value in network.state_dict().items() if value.dtype == torch.int64}
    assert whole == manifest["non_float_tensors"]
    assert sum(parameter.numel() for parameter in network.parameters()) == manifest["parameters"]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_published_output(name: str, fixtures: Path) -> None:
    network = seeded(name, fixtures)
    for case in ("case", "case_unit"):
        arrays = {key: torch.from_numpy(value) for key, value in np.load(fixtures / name / f"{case}.npz").items()}
        expected = arrays.pop("output")
        for order in (torch.contiguous_format, torch.channels_last):  # as load_network has it on a CPU
            network.to(memory_format=order)
            with torch.inference_mode():
                found = network(*arrays.values())
            assert (found - expected).abs().max() < 1e-3 * expected.std(), (case, order)
