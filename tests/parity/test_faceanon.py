"""Face Anonymization Made Simple against its authors': the published keys, and one step of the three networks together."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facestudio.networks.faceanon import FaceAnonSimple, Seen, denoiser

TINY: dict[str, Any] = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "block_out_channels": (16, 16),
    "norm_num_groups": 4,
    "cross_attention_dim": 8,
    "attention_head_dim": (2, 2),
}


def about(name: str, fixtures: Path, what: str = "manifest") -> dict[str, Any]:
    return dict(json.loads((fixtures / name / f"{what}.json").read_text()))


@pytest.mark.parametrize("name", ["face_anon_simple_unet", "face_anon_simple_referencenet"])
def test_published_weights_would_load_unmapped(name: str, fixtures: Path) -> None:
    manifest = about(name, fixtures)
    with torch.device("meta"):
        for network in (denoiser(), denoiser(**manifest["config"])):
            assert {key: list(value.shape) for key, value in network.state_dict().items()} == manifest["tensors"]
            assert sum(value.numel() for value in network.parameters()) == manifest["parameters"]
            for key, value in manifest["config"].items():
                told = network.config[key]
                assert (list(told) if isinstance(told, tuple) else told) == value, key


@pytest.fixture
def published(fixtures: Path, seeded: ModuleType) -> FaceAnonSimple:
    """The small networks of the fixture, with its weights."""
    manifest = about("face_anon_simple", fixtures)
    network = FaceAnonSimple(**manifest["config"]).eval()
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == manifest["tensors"]
    seed = about("face_anon_simple", fixtures, "case")["seed"]
    for n, each in enumerate((network.unet, network.referencenet, network.conditioning_referencenet)):
        seeded.fill_(each, seed + 100 * n)
    return network


@torch.inference_mode()
def test_the_published_step(published: FaceAnonSimple, fixtures: Path) -> None:
    case = {key: torch.from_numpy(value) for key, value in np.load(fixtures / "face_anon_simple" / "case.npz").items()}
    timestep = about("face_anon_simple", fixtures, "case")["timestep"]
    face, token = case["conditioning_latents"], case["image_embeds"]

    def near(found: Tensor, expected: Tensor) -> bool:
        return bool((found - expected).abs().max() < 1e-3 * expected.std())

    for degree, name in ((1.25, "1p25"), (0.5, "0p5")):
        seen = published.look(face, face, token, token, degree)
        assert near(published(case["input"], timestep, seen), case[f"noise_pred_both_{name}"])
        assert near(published.guided(case["input"], timestep, seen), case[f"noise_pred_guided_{name}"])
        if degree == 1.25:
            expected = case["source_reference_state_0_0_0_first4tokens"]
            assert near(seen.states["down_blocks.0"][:, :4], expected)


def tiny() -> tuple[FaceAnonSimple, Tensor, Tensor, Tensor]:
    """Small networks, latents to denoise, latents of faces and tokens, of two faces."""
    torch.manual_seed(0)
    network = FaceAnonSimple(**TINY).eval()
    return network, torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8), torch.randn(2, 1, 8)


@torch.inference_mode()
def test_faces_do_not_depend_on_what_is_anonymized_with_them() -> None:
    network, x, face, token = tiny()
    together = network.guided(x, 10, network.look(face, face, token, token))
    alone = network.guided(x[1:], 10, network.look(face[1:], face[1:], token[1:], token[1:]))
    assert together.shape == x.shape
    assert (together[1:] - alone).abs().max() < 1e-4 * alone.std()


@torch.inference_mode()
def test_a_degree_of_one_forgets_the_source() -> None:
    network, x, face, token = tiny()
    other = face.flip(0) + 1

    def drawn(source: Tensor, degree: float) -> Tensor:
        return network.guided(x, 10, network.look(source, face, token, token, degree))

    assert (drawn(face, 1.0) - drawn(other, 1.0)).abs().max() < 1e-5
    for degree in (0.0, 1.25):
        assert (drawn(face, degree) - drawn(other, degree)).abs().max() > 1e-4


@torch.inference_mode()
def test_nothing_is_left_behind_in_the_networks() -> None:
    network, x, face, token = tiny()
    plain = network.unet(x, 10, token).sample
    seen = network.look(face, face, token, token)
    network(x, 10, seen)
    assert torch.equal(network.unet(x, 10, token).sample, plain)
    with pytest.raises(KeyError):
        network(x, 10, Seen({}, seen.tokens))
    assert torch.equal(network.unet(x, 10, token).sample, plain)
