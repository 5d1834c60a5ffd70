"""DifFace against its authors' code: the published keys, and the published outputs under seeded weights."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facestudio.diffusion.difface import Sampling, ancestral, dissolve, even, linear, refine, restore, strided
from facestudio.networks.difface import DifFaceUNet
from facestudio.networks.swinir import SwinIR

NETWORKS: dict[str, Callable[[], nn.Module]] = {"difface_unet": DifFaceUNet, "difface_swinir": SwinIR}


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


# ---- the sampler


def arrays_of(case: str, fixtures: Path) -> dict[str, Any]:
    return dict(np.load(fixtures / "difface_sampler" / f"{case}.npz"))


def said(x: Tensor, time: Tensor) -> Tensor:
    """The noise that the fixture's stand-in for a network tells."""
    return 0.1 * x + 0.3 * torch.sin(time / 50)[:, None, None, None]


def test_the_published_schedule(fixtures: Path) -> None:
    expected = arrays_of("case", fixtures)
    whole = linear()
    spaced = whole.kept(strided(250))
    found = {
        "betas": whole.betas,
        "alphas_cumprod": whole.alphas_cumprod,
        "spaced_betas": spaced.betas,
        "spaced_alphas_cumprod": spaced.alphas_cumprod,
        "spaced_alphas_cumprod_prev": spaced.previous,
    }
    for name, values in found.items():
        assert np.allclose(values, expected[name], rtol=1e-12, atol=0), name
    assert np.array_equal(spaced.timesteps, expected["timestep_map"])
    assert np.array_equal(even(250), expected["timestep_map_250"])


@pytest.mark.parametrize("sampler", ["eta0", "eta0.5", "eta1", "ancestral"])
def test_the_published_trajectory(sampler: str, fixtures: Path) -> None:
    expected = arrays_of("case", fixtures)
    steps = json.loads((fixtures / "difface_sampler" / "case.json").read_text())["start_index_N"]
    drawn = iter(torch.from_numpy(expected["noise"]))
    guess = torch.from_numpy(expected["restored"]).clamp(0, 1) * 2 - 1
    seen: list[Tensor] = []
    times: list[int] = []

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        seen.append(x)
        times.append(int(time))
        return said(x, time)

    if sampler == "ancestral":
        schedule = linear().kept(even(250))
        x = dissolve(guess, schedule.alphas_cumprod[steps], next(drawn))
        found = ancestral(
            lambda x, time: (denoise(x, time), torch.full_like(x, 0.2)),
            x,
            schedule.kept(np.arange(steps)),
            lambda: next(drawn),
        )
    else:
        sampling = Sampling(4 * steps, steps, "ddim", float(sampler.removeprefix("eta")))
        found = refine(denoise, guess, sampling, lambda: next(drawn))
    prefix = "ancestral_" if sampler == "ancestral" else ""
    assert times == expected[f"{prefix}model_timesteps"].tolist()
    assert np.abs(seen[0].numpy() - expected[f"{prefix}x_start"]).max() < 1e-5
    path = torch.stack([*seen[1:], found]).numpy()
    assert np.abs(path - expected[f"{sampler}_x"]).max() < 1e-5
    if f"{sampler}_final" in expected:
        final = (found / 2 + 0.5).clamp(0, 1).numpy()
        assert np.abs(final - expected[f"{sampler}_final"]).max() < 1e-5


def test_the_published_pipeline(fixtures: Path) -> None:
    expected = {name: torch.from_numpy(value) for name, value in arrays_of("pipeline", fixtures).items()}
    about = json.loads((fixtures / "difface_sampler" / "pipeline.json").read_text())
    unet, swinir = seeded("difface_unet", fixtures), seeded("difface_swinir", fixtures)
    steps = about["start_index_N"]
    sampling = Sampling(4 * steps, steps, "ddim", about["eta"])
    for case in ("a", "b"):
        drawn = iter(expected[f"{case}_noise"])
        refined = partial(refine, lambda x, time: unet(x, time)[:, :3], sampling=sampling, noise=partial(next, drawn))
        found = restore(expected[f"{case}_lq"], swinir, refined, about["image_size"])
        assert (found - expected[f"{case}_output"]).abs().max() < 1e-3, case
