"""DFDNet against csxmli2016's: the published keys, the taps, the transfer, and the outputs under seeded weights."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from facestudio.faces.components import component_boxes
from facestudio.networks.dfdnet import PICTURE, SCALES, DFDNet, SpectralConv2d, entry_shapes
from facestudio.networks.dictionary import COMPONENTS, Entries, transfer


@pytest.fixture(scope="module")
def figures() -> Path:
    folder = Path(__file__).resolve().parents[3] / "shared" / "parity"
    if not folder.is_dir():
        pytest.skip("no parity fixtures here")
    return folder


@pytest.fixture(scope="module")
def seeded(figures: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("seeded_weights", figures / "seeded_weights.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def dictionary(figures: Path, seeded: ModuleType) -> dict[str, Entries]:
    """Made as the fixture's json says: K = 4 entries, not negative, with a salt in the name of each."""
    about = json.loads((figures / "dfdnet" / "dft.json").read_text())
    made = {}
    for name, salt in about["dictionary_salts"].items():
        shape = (4, *entry_shapes()[name])
        noise = seeded.seeded_array(f"{name}_center.{salt}", shape, about["seed"])
        values = np.maximum(0, noise * np.float32(np.sqrt(np.prod(shape[1:]))))
        made[name] = Entries.of(torch.from_numpy(values.astype(np.float32)))
    return made


@pytest.fixture(scope="module")
def weak(seeded: ModuleType) -> DFDNet:
    """Without what is spare: half of the weights need not be drawn, and the others are the same."""
    network = DFDNet(spare=False).eval()
    seeded.fill_(network, 0)
    return network


@pytest.fixture(scope="module")
def strong(weak: DFDNet) -> DFDNet:
    """One power iteration makes u and v meaningful, and the norm with them."""
    network = copy.deepcopy(weak)
    for module in network.modules():
        if isinstance(module, SpectralConv2d):
            module.iterate()
    return network


def close(found: np.ndarray | torch.Tensor, expected: np.ndarray) -> bool:
    assert found.shape == expected.shape
    return bool(np.abs(np.asarray(found) - expected).max() <= 1e-3 * expected.std())


def test_published_weights_would_load_unmapped(figures: Path) -> None:
    manifest = json.loads((figures / "dfdnet" / "manifest.json").read_text())
    with torch.device("meta"):
        network = DFDNet(**{key: value for key, value in manifest["config"].items() if key == "ngf"})
    state = network.state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == manifest["tensors"]
    assert len(state) == manifest["state_dict_entries"]
    assert sum(p.numel() for p in network.parameters()) == manifest["parameters"]


def test_published_dictionaries_have_the_shapes_expected(figures: Path) -> None:
    manifest = json.loads((figures / "dfdnet" / "manifest.json").read_text())
    published = manifest["checkpoint"]["dictionary_shapes"]
    assert {f"{name}_center": ["K", *shape] for name, shape in entry_shapes().items()} == published


def test_the_published_boxes(figures: Path) -> None:
    with np.load(figures / "dfdnet" / "boxes.npz") as arrays:
        found = [component_boxes(landmarks) for landmarks in arrays["landmarks"]]
        assert np.array_equal(found, arrays["boxes"])


def test_without_what_is_spare_the_rest_is_the_same(seeded: ModuleType) -> None:
    full, slim = DFDNet(ngf=1), DFDNet(ngf=1, spare=False)
    for network in (full, slim):
        seeded.fill_(network, 3)
    state = full.state_dict()
    for key in [key for key in state if key.startswith(("VggExtract.model.", "to_rgb"))]:
        del state[key]
    assert state.keys() == slim.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in slim.state_dict().items())


@pytest.mark.parametrize("case", ["case", "case_unit"])
def test_the_published_output(
    case: str, figures: Path, weak: DFDNet, strong: DFDNet, dictionary: dict[str, Entries]
) -> None:
    network = weak if case == "case" else strong
    with np.load(figures / "dfdnet" / f"{case}.npz") as arrays, torch.inference_mode():
        restored = network(torch.from_numpy(arrays["input"]), torch.from_numpy(arrays["boxes"]), dictionary)
        assert close(restored.picture, arrays["output"])


def test_the_published_transfer(figures: Path, strong: DFDNet, dictionary: dict[str, Entries]) -> None:
    with np.load(figures / "dfdnet" / "case_unit.npz") as arrays:
        x, boxes = torch.from_numpy(arrays["input"]), torch.from_numpy(arrays["boxes"])
    expected = dict(np.load(figures / "dfdnet" / "dft.npz"))
    with torch.inference_mode():
        taps = strong.VggExtract(x)
        assert close(taps[-1], expected["feature_32"])
        for scale, tap in zip(SCALES, taps, strict=True):
            entries = [dictionary[f"{component}_{scale}"] for component in COMPONENTS]
            blocks = [getattr(strong, f"{short}_{scale}") for short in ("le", "re", "no", "mo")]
            places = torch.div(boxes, PICTURE // scale, rounding_mode="floor")
            found = transfer(tap, places[None], entries, blocks)
            for index, component in enumerate(COMPONENTS):
                name = f"{component}_{scale}"
                left, top, right, bottom = places[index].tolist()
                region = tap[:, :, top:bottom, left:right]
                side = entries[index].values.shape[-1]
                resized = torch.nn.functional.interpolate(region, (side, side), mode="bilinear")[0]
                scores = entries[index].scores(resized).numpy()
                assert np.abs(scores / expected[f"score_{name}"] - 1).max() < 1e-5
                assert found.entry[0, index] == expected[f"index_{name}"][0]
                if scale == 32:
                    fitted = entries[index].fitted(int(found.entry[0, index]), resized)[None]
                    assert close(fitted, expected[f"adain_{name}"])
                    nearest = torch.nn.functional.interpolate(fitted, region.shape[2:], mode="nearest")
                    confidence = blocks[index](nearest - region)
                    assert close(confidence, expected[f"confidence_{name}"])
                    assert found.confidence[0, index] == pytest.approx(float(confidence.abs().mean()), rel=1e-5)
                    updated = found.feature[:, :, top:bottom, left:right]
                    assert close(updated, expected[f"updated_{name}"])
