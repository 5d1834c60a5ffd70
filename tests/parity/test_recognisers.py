"""The published recognisers at their own inputs: keys and shapes of the full networks, and outputs under seeded weights.

IR-ResNet 50 of insightface is in test_iresnet.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from facestudio.checkpoints import checkpoint
from facestudio.conversion import PREFIXES, WRAPPERS
from facestudio.faces.loading import build_network
from facestudio.networks.ir import IR_50, IR_101, IRSE, AdaFace
from facestudio.networks.iresnet import IResNet
from facestudio.networks.mobilefacenet import MobileFaceNet, MobileFaceNet112x96
from facestudio.networks.sface import SFaceIR, SFaceMobileFaceNet


def resnet(layers: tuple[int, ...], squeezed: bool = False) -> IResNet:
    return IResNet(layers, (64, 64, 128, 256, 512), stem_stride=1, reduced=0, squeezed=squeezed)


PUBLISHED: dict[str, Callable[[], nn.Module]] = {
    "arcface_iresnet100": lambda: resnet(IR_101),
    "elasticface": lambda: resnet(IR_101),
    "arcface_irse50": IRSE,
    "adaface_ir50": lambda: AdaFace(IR_50),
    "adaface_ir101": lambda: AdaFace(IR_101),
    "mobilefacenet": MobileFaceNet,
    "mobilefacenet_deep": lambda: MobileFaceNet(blocks=(2, 8, 12, 4)),
    "mobilefacenet_112x96": MobileFaceNet112x96,
    "sface": SFaceIR,
    "sface_mobilefacenet": SFaceMobileFaceNet,
}
RAW = ("sface", "sface_mobilefacenet")  # they have one case, of levels 0..255
CASES = [(name, case) for name in PUBLISHED for case in ("case", "case_unit") if name not in RAW or case == "case"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_would_load_unmapped(name: str, fixtures: Path) -> None:
    manifest = json.loads((fixtures / name / "manifest.json").read_text())
    with torch.device("meta"):
        network = PUBLISHED[name]()
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == manifest["tensors"]
    assert sum(value.numel() for value in network.parameters()) == manifest["parameters"]
    counted = {key for key, value in network.state_dict().items() if not value.is_floating_point()}
    assert counted == set(manifest["non_float_tensors"])


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("adaface-ir101-webface12m", "adaface_ir101"),
        ("adaface-ir50-webface4m", "adaface_ir50"),
        ("arcface-r100-glint360k", "arcface_iresnet100"),
        ("arcface-r100-webface42m", "arcface_iresnet100"),
        ("arcface-r50-glint360k", "arcface_iresnet50"),
        ("arcface-r50-ms1mv3", "arcface_iresnet50"),
        ("elasticface-arc", "elasticface"),
        ("ir-se-50", "arcface_irse50"),
        ("mobilefacenet-112x96", "mobilefacenet_112x96"),
    ],
)
def test_the_manifest_means_these_networks_and_files(id: str, name: str, fixtures: Path) -> None:
    told = json.loads((fixtures / name / "manifest.json").read_text())
    entry = checkpoint(id)
    with torch.device("meta"):
        network = build_network(*entry.network(), id)
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == told["tensors"]
    published = entry.files["weights"].published
    assert published is not None and published.name in " ".join(told["checkpoint"]["files"])
    assert set(told["checkpoint"]["wrappers"]) <= {*published.wrappers, *WRAPPERS}
    assert set(told["checkpoint"]["prefixes"]) <= {*published.prefixes, *PREFIXES}


@pytest.mark.parametrize(("name", "case"), CASES)
def test_the_published_output(name: str, case: str, fixtures: Path, seeded: ModuleType) -> None:
    network = PUBLISHED[name]().eval()
    seeded.fill_(network, json.loads((fixtures / name / f"{case}.json").read_text())["seed"])
    arrays = np.load(fixtures / name / f"{case}.npz")
    given = torch.from_numpy(arrays["input"])
    with torch.inference_mode():
        found = {"output": network(given)}
        if isinstance(network, AdaFace):
            found["norm"] = network.examine(given).norm
    assert set(arrays.files) == {"input", *found}
    for key, value in found.items():
        assert value.shape == arrays[key].shape
        assert np.abs(value.numpy() - arrays[key]).max() < 1e-3 * arrays[key].std(), key


def test_the_networks_of_insightface_and_elasticface_are_one(fixtures: Path) -> None:
    theirs = [np.load(fixtures / name / "case_unit.npz")["output"] for name in ("arcface_iresnet100", "elasticface")]
    assert np.array_equal(*theirs)
    with torch.device("meta"):
        plain, squeezed = resnet(IR_101).state_dict(), resnet(IR_101, squeezed=True).state_dict()
    more = {key: list(value.shape) for key, value in squeezed.items() if key not in plain}
    assert len(more) == 2 * sum(IR_101)
    assert more["layer4.0.se_block.fc1.weight"] == [32, 512, 1, 1]
    assert more["layer4.0.se_block.fc2.weight"] == [512, 32, 1, 1]
