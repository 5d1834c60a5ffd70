"""RiDDLE's mapper against its authors': the published keys and output; groups of rows, and a password for all of them."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from facestudio.networks.riddle import RiddleMapper


def test_published_weights_would_load_unmapped(fixtures: Path) -> None:
    manifest = json.loads((fixtures / "riddle_mapper" / "manifest.json").read_text())
    with torch.device("meta"):
        network = RiddleMapper()
        told = {key: manifest["config"][key] for key in ("split_list", "d_model", "nhead", "dim_feedforward")}
        assert str(RiddleMapper(**told)) == str(network)
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == manifest["tensors"]
    assert sum(value.numel() for value in network.parameters()) == manifest["parameters"]


def test_the_published_output(fixtures: Path, seeded: ModuleType) -> None:
    network = RiddleMapper().eval()
    seeded.fill_(network, 0)
    arrays = np.load(fixtures / "riddle_mapper" / "case.npz")
    with torch.inference_mode():
        found = network(torch.from_numpy(arrays["input"])).numpy()
    assert np.abs(found - arrays["output"]).max() < 1e-3 * arrays["output"].std()


def test_a_group_of_rows_sees_no_other() -> None:
    torch.manual_seed(0)
    network = RiddleMapper((2, 3), 16, 2, 32).eval()
    given = torch.randn(2, 5, 32)
    other = given.clone()
    other[:, 3] += 1
    with torch.inference_mode():
        before, after = network(given), network(other)
        assert torch.equal(before[:, :2], after[:, :2]) and not torch.allclose(before[:, 2:], after[:, 2:])
        codes, password = torch.randn(2, 5, 16), torch.randn(2, 16)
        beside = torch.cat([codes, torch.stack([password] * 5, 1)], -1)
        assert torch.equal(network.mapped(codes, password), network(beside))
        assert not torch.allclose(network.mapped(codes, password), network.mapped(codes, -password))
    with pytest.raises(ValueError, match="5 rows are expected, not 4"):
        network(given[:, :4])
