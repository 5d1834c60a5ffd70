"""CodeFormer against its authors': the published keys, output, codes and logits; and what a fidelity between 0 and 1 does."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from facestudio.networks.codeformer import CodeFormer


def small() -> CodeFormer:
    """The same network for crops of 64 px, with little in it."""
    layers = {"dim_embd": 32, "n_head": 2, "n_layers": 2, "codebook_size": 12, "embed_dim": 32, "latent_size": 64}
    pixels = {"resolution": 64, "ch": 32, "ch_mult": (1, 2, 2, 2), "attn_resolutions": (8,), "num_res_blocks": 1}
    return CodeFormer(**layers, **pixels, connect_list=("16", "32")).eval()  # type: ignore[arg-type]


def test_published_weights_would_load_unmapped(fixtures: Path) -> None:
    manifest = json.loads((fixtures / "codeformer" / "manifest.json").read_text())
    with torch.device("meta"):
        network = CodeFormer()
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == manifest["tensors"]
    assert sum(value.numel() for value in network.parameters()) == manifest["parameters"]
    told = {key: manifest["config"][key] for key in CodeFormer.__init__.__annotations__ if key in manifest["config"]}
    with torch.device("meta"):
        assert len(told) == 6 and str(CodeFormer(**told)) == str(network)


def test_the_published_output(fixtures: Path, seeded: ModuleType) -> None:
    network = CodeFormer().eval()
    seeded.fill_(network, 0)
    arrays = np.load(fixtures / "codeformer" / "case.npz")
    given = torch.from_numpy(arrays["input_small"].repeat(8, 2).repeat(8, 3))
    with torch.inference_mode():
        found = network.examine(given, w=0.5)
    image, (mean, spread) = found.image.numpy(), arrays["output_mean_std"]
    assert np.array_equal(found.codes.numpy(), arrays["code_indices"])
    expected = arrays["logits_stride8"]
    assert np.abs(found.logits.numpy()[:, ::8, ::8] - expected).max() < 1e-3 * expected.std()
    assert np.abs(image[:, :, ::4, ::4] - arrays["output_stride4"]).max() < 1e-3 * spread
    centre = arrays["output_center"]
    assert np.abs(image[:, :, 208:304, 208:304] - centre).max() < 1e-3 * centre.std()
    assert abs(image.mean() - mean) < 1e-5 and abs(image.std() - spread) < 1e-5


def test_fidelity_goes_from_the_codes_alone_to_the_degraded_face(seeded: ModuleType) -> None:
    network = small()
    seeded.fill_(network, 2)
    given = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.5
    with torch.inference_mode():
        images = [network(given, w) for w in (0.0, 1e-6, 0.5, 1.0)]
        for fusion in network.fuse_convs_dict.values():
            for last in (fusion.scale[-1], fusion.shift[-1]):
                torch.nn.init.zeros_(last.weight)
                torch.nn.init.zeros_(last.bias)
        without = network(given, 1.0)
    assert torch.equal(images[0], without)
    near, half, full = ((image - images[0]).abs().mean() for image in images[1:])
    assert 0 < near < 1e-4 < half < full


def test_statistics_are_taken_over_from_the_degraded_face(seeded: ModuleType) -> None:
    network = small()
    seeded.fill_(network, 2)
    given = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        with_them, without = network.examine(given), network.examine(given, adain=False)
    assert torch.equal(with_them.codes, without.codes)
    assert (with_them.image - without.image).abs().max() > 0.1 * with_them.image.std()


def test_crops_do_not_depend_on_what_is_restored_with_them(seeded: ModuleType) -> None:
    network = small()
    seeded.fill_(network, 3)
    given = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.5
    with torch.inference_mode():
        together, alone = network.examine(given), network.examine(given[2:])
    assert together.image.shape == given.shape and together.logits.shape == (3, 64, 12)
    assert torch.equal(together.codes[2:], alone.codes) and len(alone.codes.unique()) > 1
    assert (together.image[2:] - alone.image).abs().max() < 1e-3 * alone.image.std()
