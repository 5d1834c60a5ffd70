"""IR-ResNet against insightface's: the published keys, and the published outputs under seeded weights."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from facestudio.networks.iresnet import IResNet

PUBLISHED = {"arcface_iresnet50": (3, 4, 14, 3), "arcface_iresnet100": (3, 13, 30, 3)}


def published(layers: tuple[int, ...]) -> IResNet:
    return IResNet(layers, (64, 64, 128, 256, 512), stem_stride=1, reduced=0)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_would_load_unmapped(name: str, fixtures: Path) -> None:
    expected = json.loads((fixtures / name / "manifest.json").read_text())["tensors"]
    with torch.device("meta"):
        network = published(PUBLISHED[name])
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == expected


@pytest.mark.parametrize("case", ["case", "case_unit"])
def test_the_published_output(case: str, fixtures: Path) -> None:
    spec = importlib.util.spec_from_file_location("seeded_weights", fixtures / "seeded_weights.py")
    assert spec is not None and spec.loader is not None
    seeded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seeded)
    network = published(PUBLISHED["arcface_iresnet50"]).eval()
    seeded.fill_(network, 0)
    arrays = np.load(fixtures / "arcface_iresnet50" / f"{case}.npz")
    with torch.inference_mode():
        found = network(torch.from_numpy(arrays["input"])).numpy()
    assert np.abs(found - arrays["output"]).max() < 1e-3 * arrays["output"].std()
