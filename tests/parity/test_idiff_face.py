"""IDiff-Face against its authors' code: keys, noise, both halves of the autoencoder, and the sampler."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facestudio.diffusion.difface import linear
from facestudio.diffusion.idiff_face import ancestral
from facestudio.networks.idiff_face import IDiffFaceUNet
from facestudio.networks.vq_f4 import VQDecoder, VQEncoder

NETWORKS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "idiff_face": (IDiffFaceUNet, "eps_model."),
    "idiff_face_vq_encoder": (VQEncoder, ""),
    "idiff_face_vq_decoder": (VQDecoder, ""),
}


def filled(name: str, seeded: ModuleType) -> Any:
    with torch.device("meta"):
        network = NETWORKS[name][0]()
    network = network.to_empty(device="cpu").eval()
    seeded.fill_(network, 0)
    return network


def arrays(name: str, fixtures: Path, case: str = "case") -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in np.load(fixtures / name / f"{case}.npz").items()}


def near(found: Tensor, expected: Tensor) -> bool:
    return found.shape == expected.shape and bool((found - expected).abs().max() <= 1e-3 * expected.std())


@pytest.mark.parametrize("name", NETWORKS)
def test_published_weights_would_load_unmapped(name: str, fixtures: Path) -> None:
    manifest = json.loads((fixtures / name / "manifest.json").read_text())
    build, prefix = NETWORKS[name]
    with torch.device("meta"):
        network = build()
    expected = {key: shape for key, shape in manifest["tensors"].items() if key.startswith(prefix)}
    assert {prefix + key: list(value.shape) for key, value in network.state_dict().items()} == expected
    assert sum(value.numel() for value in network.parameters()) == manifest["parameters"]


def test_the_published_noise(fixtures: Path, seeded: ModuleType) -> None:
    network = filled("idiff_face", seeded)
    for case in ("case", "case_unit"):
        expected = arrays("idiff_face", fixtures, case)
        given = (expected["input"], expected["timesteps"])
        with torch.inference_mode():
            assert near(network.time_emb(expected["timesteps"]), expected["time_embedding"])
            assert near(network.context_emb(expected["context"]), expected["context_embedding"])
            assert near(network(*given, expected["context"]), expected["output"])
            assert near(network(*given), expected["output_empty_context"])


def test_the_published_latents_and_pictures(fixtures: Path, seeded: ModuleType) -> None:
    encoder, decoder = (filled(f"idiff_face_vq_{half}", seeded) for half in ("encoder", "decoder"))
    first, second = (arrays(f"idiff_face_vq_{half}", fixtures) for half in ("encoder", "decoder"))
    with torch.inference_mode():
        assert near(encoder(first["input"]), first["output"])
        codes = decoder.quantize.nearest(second["input"])
        assert torch.equal(codes.flatten(), second["code_indices"])
        assert near(decoder.quantize.features(codes, 16), second["quantized"])
        assert near(decoder(second["input"]), second["output"])
        plain = decoder(second["input"], quantised=False)
    assert near(plain[..., ::2, ::2], second["output_without_quantisation_stride2"])


def test_the_published_trajectory(fixtures: Path, seeded: ModuleType) -> None:
    expected = arrays("idiff_face", fixtures, "case_sampler")
    schedule = linear()
    assert np.allclose(schedule.betas, expected["schedule_betas"], rtol=1e-4)
    seen: dict[int, Tensor] = {}
    step = 1000

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        nonlocal step
        seen[step], step = x, int(time[0])
        return 0.5 * x + 0.1 * torch.sin(time / 100)[:, None, None, None]

    def noise() -> Tensor:
        return torch.from_numpy(seeded.seeded_array(f"z_{step}", (1, 3, 8, 8), 0)) * 192**0.5

    seen[0] = ancestral(denoise, expected["x_T"], noise)
    assert torch.equal(seen[1000], expected["x_T"])
    for key, state in expected.items():
        if key.startswith("x_after_"):
            assert near(seen[int(key.rpartition("_")[2])], state), key
