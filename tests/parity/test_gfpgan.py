"""GFPGAN-clean against its authors': the published keys and output with the stored noise; and noise by seeds."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from facestudio.networks.gfpgan import GFPGANClean


def small() -> GFPGANClean:
    """The same network for crops of 64 px, with little in it."""
    return GFPGANClean(out_size=64, num_style_feat=16, num_mlp=1, narrow=1 / 32).eval()


def test_published_weights_would_load_unmapped(fixtures: Path) -> None:
    manifest = json.loads((fixtures / "gfpgan_clean" / "manifest.json").read_text())
    with torch.device("meta"):
        network = GFPGANClean()
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == manifest["tensors"]
    assert sum(value.numel() for value in network.parameters()) == manifest["parameters"]
    told = {key: manifest["config"][key] for key in GFPGANClean.__init__.__annotations__ if key in manifest["config"]}
    with torch.device("meta"):
        assert len(told) == 5 and str(GFPGANClean(**told)) == str(network)


def test_the_published_output(fixtures: Path, seeded: ModuleType) -> None:
    network = GFPGANClean().eval()
    seeded.fill_(network, 0)
    arrays = np.load(fixtures / "gfpgan_clean" / "case.npz")
    given = torch.from_numpy(arrays["input_small"].repeat(8, 2).repeat(8, 3))
    with torch.inference_mode():
        image = network(given).numpy()
    mean, spread = arrays["output_mean_std"]
    assert np.abs(image[:, :, ::4, ::4] - arrays["output_stride4"]).max() < 1e-3 * spread
    centre = arrays["output_center"]
    assert np.abs(image[:, :, 208:304, 208:304] - centre).max() < 1e-3 * centre.std()
    assert abs(image.mean() - mean) < 1e-5 and abs(image.std() - spread) < 1e-5


def test_crops_do_not_depend_on_what_is_restored_with_them(seeded: ModuleType) -> None:
    network = small()
    seeded.fill_(network, 1)
    given = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.5
    with torch.inference_mode():
        stored = network(given), network(given[2:])
        drawn = network(given, network.noise([4, 5, 6])), network(given[2:], network.noise([6]))
    for together, alone in (stored, drawn):
        assert together.shape == given.shape
        assert (together[2:] - alone).abs().max() < 1e-3 * alone.std()
    assert (stored[1] - drawn[1]).abs().max() > 0.1 * stored[1].std()


def test_noise_is_made_from_the_seeds_alone() -> None:
    network = small()
    once, again, other = network.noise([1, 2]), network.noise([1, 2]), network.noise([3, 2])
    for n, stored in enumerate(network.stored_noise):
        assert once[n].shape == (2, *stored.shape[1:])
        assert torch.equal(once[n], again[n]) and torch.equal(once[n][1], other[n][1])
        assert not torch.equal(once[n][0], other[n][0]) and not torch.equal(once[n][0], once[n][1])
    finest = network.noise([9])[-1]
    assert abs(finest.mean()) < 0.05 and abs(finest.std() - 1) < 0.05
