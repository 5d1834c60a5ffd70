"""Vec2Face and Vec2Face+ against their authors' code: keys, masks, tokens and faces."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facestudio.networks.attrop import Aim, Judge, steer
from facestudio.networks.vec2face import PoseEncoder, Vec2Face

PLUS = {"mask_ratio_min": 0.8, "mask_ratio_max": 0.9, "mask_ratio_mu": 0.85, "mask_ratio_std": 0.05, "lora_r": 8}


def about(name: str, fixtures: Path, what: str) -> dict[str, Any]:
    return dict(json.loads((fixtures / name / f"{what}.json").read_text()))


def arrays(name: str, fixtures: Path, case: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in np.load(fixtures / name / f"{case}.npz").items()}


def near(found: Tensor, expected: Tensor) -> bool:
    return found.shape == expected.shape and bool((found - expected).abs().max() <= 1e-3 * expected.std())


def test_published_weights_would_load_unmapped(fixtures: Path) -> None:
    for name in ("vec2face", "vec2face_plus"):
        manifest = about(name, fixtures, "manifest")
        with torch.device("meta"):
            if name == "vec2face":
                state = Vec2Face().state_dict()
            else:
                parts = {"model_vec2face": Vec2Face(**PLUS), "pose_model": PoseEncoder()}  # type: ignore[arg-type]
                state = {f"{part}.{key}": of for part, net in parts.items() for key, of in net.state_dict().items()}
        assert {key: list(value.shape) for key, value in state.items()} == manifest["tensors"]
        whole = {key: "int64" for key, value in state.items() if value.dtype == torch.int64}
        assert whole == manifest["non_float_tensors"]
        assert sum(value.numel() for value in state.values() if value.is_floating_point()) == manifest["parameters"]


def test_the_published_faces(fixtures: Path, seeded: ModuleType) -> None:
    network = Vec2Face().eval()
    seeded.fill_(network, 0)
    for case in ("case", "case_unit", "case_mask"):
        told, expected = about("vec2face", fixtures, case), arrays("vec2face", fixtures, case)
        with torch.inference_mode():
            masks = network.masks(expected["mask_noise"], told["mask_rate"])
            encoded = network.encode(expected["input"], masks)
            image = network(expected["input"], expected["mask_noise"], told["mask_rate"])
            found = network.decode(encoded, masks)
            each = network.masks(expected["mask_noise"], torch.tensor([0.9, told["mask_rate"]]))
            mixed = network.decode(network.encode(expected["input"], each), each)
        assert torch.equal(masks.dropped.float(), expected["token_drop_mask"])
        assert torch.equal(masks.masked.float(), expected["token_all_mask"])
        if "encoder_out_first2" in expected:
            assert near(encoded[:, :2], expected["encoder_out_first2"])
        assert near(found, expected["decoder_proj"])
        assert near(image, expected["output"])
        assert near(mixed[1], found[1]) and not near(mixed[0], found[0]), "each may have a rate of its own"


def test_the_published_faces_with_a_pose(fixtures: Path, seeded: ModuleType) -> None:
    told, expected = about("vec2face_plus", fixtures, "case"), arrays("vec2face_plus", fixtures, "case")
    network, poses = Vec2Face(**PLUS).eval(), PoseEncoder().eval()  # type: ignore[arg-type]
    seeded.fill_(network, 0)
    seeded.fill_(poses, 0)
    given, noise, rate = expected["input"], expected["mask_noise"], told["mask_rate"]
    with torch.inference_mode():
        pose = poses(expected["landmark_image"])
        masks = network.masks(noise, rate)
        found = network.decode(network.encode(given, masks), masks, pose)
        posed, plain = network(given, noise, rate, pose), network(given, noise, rate)
    assert torch.equal(masks.dropped.float(), expected["token_drop_mask"])
    assert torch.equal(masks.masked.float(), expected["token_all_mask"])
    assert near(pose, expected["pose_condition"]) and near(found, expected["decoder_proj"])
    assert near(posed, expected["output"])
    assert near(plain[..., ::2, ::2], expected["output_no_pose_stride2"])


def test_the_published_control_of_attributes(fixtures: Path, seeded: ModuleType) -> None:
    told, expected = about("vec2face", fixtures, "case_attrop"), arrays("vec2face", fixtures, "case_attrop")
    network = Vec2Face().eval()
    seeded.fill_(network, 0)
    recogniser, quality = (
        torch.from_numpy(seeded.seeded_array(name, (512, 192), 0)) * 192**0.5 for name in ("fr_stub", "quality_stub")
    )

    def seen(by: Tensor) -> Judge:
        return lambda pictures: torch.nn.functional.adaptive_avg_pool2d(pictures, 8).flatten(1) @ by.T

    def draw(vectors: Tensor) -> Tensor:
        return network(vectors, expected["mask_noise"])

    for run in ("A", "B"):
        about_run = told[f"run_{run}"]
        taken = 0

        def counting(vectors: Tensor) -> Tensor:
            nonlocal taken
            taken += 1
            return draw(vectors)

        aim = Aim(seen(recogniser), expected["class_vector"], seen(3 * quality), about_run["quality_target"])
        found, counted = steer(expected["input"], counting, aim, about_run["num_iter"])
        assert (taken, counted) == (about_run["optimiser_steps_taken"], about_run["num_iter"])
        off = (found - expected[f"vector_{run}"]).abs()
        assert (off < 5e-3).float().mean() >= 0.99 and off.max() <= 0.41
        with torch.inference_mode():
            image = draw(found).clamp(-1, 1)[..., ::2, ::2]
        assert (image - expected[f"image_{run}_stride2"]).abs().max() <= 2e-2
