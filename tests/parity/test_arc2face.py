"""Arc2Face against its authors' code: the published keys, the rule of the prompt, the networks and the samplers."""

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

from facestudio.diffusion.sampling import Conditions, draw, scheduler
from facestudio.networks.arc2face import SCHEDULE, Arc2FacePrior, IdentityEncoder, control, denoiser, prompt

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "arc2face_projection": IdentityEncoder,
    "arc2face_encoder": IdentityEncoder,
    "arc2face_unet": denoiser,
    "arc2face_controlnet": control,
}


def about(name: str, fixtures: Path, what: str = "case") -> dict[str, Any]:
    return dict(json.loads((fixtures / name / f"{what}.json").read_text()))


def arrays(name: str, fixtures: Path, case: str = "case") -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in np.load(fixtures / name / f"{case}.npz").items()}


def near(found: Tensor, expected: Tensor, of: Tensor | None = None) -> bool:
    return bool((found - expected).abs().max() <= 1e-3 * (expected if of is None else of).std())


@pytest.mark.parametrize("name", NETWORKS)
def test_published_weights_would_load_unmapped(name: str, fixtures: Path) -> None:
    manifest = about(name, fixtures, "manifest")
    with torch.device("meta"):
        network = NETWORKS[name](**manifest["config"])
        plain = NETWORKS[name]()
    tensors = {key: list(value.shape) for key, value in network.state_dict().items()}
    assert tensors == manifest["tensors"]
    assert sum(value.numel() for value in network.parameters()) == manifest["parameters"]
    if name != "arc2face_projection":
        assert {key: list(value.shape) for key, value in plain.state_dict().items()} == tensors, (
            "the defaults are published"
        )


@pytest.mark.parametrize("name", ["arc2face_projection", "arc2face_encoder"])
def test_an_identity_becomes_a_prompt(name: str, fixtures: Path, seeded: ModuleType) -> None:
    told = about(name, fixtures)
    encoder = IdentityEncoder(**told["config"]).eval()
    seeded.fill_(encoder, told["seed"])
    cases = [arrays(name, fixtures, case) for case in ("case", "case_two")]
    identities = torch.cat([case["face_embedding"] for case in cases])
    ids, nothing = cases[0]["input_ids"][0], cases[0]["negative_ids"]
    word = int(ids[told["projection"]["replaced_position"]])
    with torch.inference_mode():
        together = encoder(ids, 3 * identities, word)
        plain, negative = encoder(ids[None]), encoder(nothing)
    for one, case in zip(together, cases, strict=True):
        assert near(one, case["output"][0])
        assert near(one[:4], plain[0, :4]), "what stands before it does not know it"
        assert near(plain[:, : case["plain_prompt_output"].shape[1]], case["plain_prompt_output"])
    assert near(negative, cases[0]["negative_output"])


def test_the_prompts_are_the_published_ones(fixtures: Path) -> None:
    told = about("arc2face_encoder", fixtures)["projection"]
    assert prompt().tolist() == told["token_ids_official"]
    assert int(prompt()[told["replaced_position"]]) == told["id_token"]
    assert torch.equal(prompt(())[None], arrays("arc2face_encoder", fixtures)["negative_ids"])


def test_the_published_noise_with_and_without_a_pose(fixtures: Path, seeded: ModuleType) -> None:
    """The networks of the official size, on a latent of 16 x 16."""
    names = ("arc2face_unet", "arc2face_controlnet")
    with_it = arrays(names[1], fixtures)
    with torch.device("meta"):  # 1.2 thousand million numbers need not be drawn before they are set
        unet, pose = (NETWORKS[name](**about(name, fixtures)["config"]).to_empty(device="cpu").eval() for name in names)
    seeded.fill_(unet, 0)
    seeded.fill_(pose, 0)
    conditioning = torch.from_numpy(seeded.seeded_array("encoder_hidden_states", (1, 77, 768), 0)) * (77 * 768) ** 0.5
    noisy, time = with_it["input"], with_it["timestep"]
    with torch.inference_mode():
        plain = Arc2FacePrior(nn.Identity(), unet)(noisy, time, conditioning)
        posed = Arc2FacePrior(nn.Identity(), unet, pose)(noisy, time, conditioning, with_it["control_image"])
        down, mid = pose(noisy, time, conditioning, controlnet_cond=with_it["control_image"], return_dict=False)
    assert near(plain, arrays(names[0], fixtures)["output"])
    assert near(posed, with_it["output"])
    assert near(mid, with_it["mid_residual"])
    assert near(down[0][:, :8], with_it["down_residual_0_first8"])
    assert near(down[11][:, :64], with_it["down_residual_11_first64"])
    figures = torch.stack([torch.stack([one.mean(), one.std(correction=0)]) for one in down])
    assert near(figures, with_it["down_residual_mean_std"])


class Teller:
    """The fixture's stand-in for a prior; it writes down what it was asked."""

    dimensions = 512

    def __init__(self) -> None:
        self.states: list[Tensor] = []

    def conditioning(self, identity: Tensor, known: Tensor) -> Tensor:
        return identity

    def __call__(self, noisy: Tensor, time: Tensor, conditioning: Tensor, sketch: Tensor | None = None) -> Tensor:
        self.states.append(noisy)
        return 0.6 * noisy + 0.2 * torch.sin(3 * noisy + time[0] / 300)


@pytest.mark.parametrize(("name", "count"), [("dpm", 25), ("dpm", 10), ("lcm", 1), ("lcm", 2), ("lcm", 3), ("lcm", 4)])
def test_the_published_trajectory(
    name: str, count: int, fixtures: Path, seeded: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, told = arrays("arc2face_sampler", fixtures), about("arc2face_sampler", fixtures)
    steps = scheduler(name, SCHEDULE)
    published = {key: value for key, value in told["configs"][name].items() if key in steps.config}
    assert len(published) > 10 and {key: steps.config[key] for key in published} == published
    drawn: list[Tensor] = []

    def fresh(*_: Any, **__: Any) -> Tensor:
        of = seeded.seeded_array(f"lcm_noise_{count}_{len(drawn) + 1}", (1, 4, 8, 8), 0)
        drawn.append(torch.from_numpy(of) * 16)
        return drawn[-1]

    monkeypatch.setattr("diffusers.schedulers.scheduling_lcm.randn_tensor", fresh)
    steps.set_timesteps(count)
    assert torch.equal(steps.timesteps, expected[f"{name}{count}_timesteps"])
    teller = Teller()
    last = draw(teller, steps, expected["x_T"], Conditions(), seeds=[0])
    found = torch.stack([*teller.states[1:], last])
    states = expected[f"{name}{count}_states"]
    assert (found - (states if name == "dpm" else states[:, 0])).abs().max() <= 1e-4
