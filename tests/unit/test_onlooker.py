"""The onlooker: it sees what the product's recognisers see, says so where it belongs, and is no part of the weights."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio import checkpoints
from facestudio.errors import CheckpointMismatch
from facestudio.faces.align import align
from facestudio.faces.face import ARCFACE_112, FFHQ_256
from facestudio.faces.loading import fill_network, onlooker
from facestudio.networks.embedder import DenseFaceNet
from facestudio.networks.estimator import EstimatorUNet
from facestudio.networks.onlooker import Onlooker
from facestudio.photo import to_tensor
from facestudio.training import export
from tests.fakes import face_at, picture

LOOKED: dict[str, Any] = {"widths": [8, 12, 16], "blocks": 1, "onlooker": {"dimensions": 512, "maps": [256, 256]}}


class Averages(nn.Module):
    """Stands for a recogniser whose maps are the crop itself, made small."""

    def __init__(self) -> None:
        super().__init__()
        self.early: nn.Module = nn.AvgPool2d(8)
        self.late: nn.Module = nn.AvgPool2d(2)
        self.head: nn.Module = nn.Flatten()


@pytest.fixture(scope="module")
def looking() -> Onlooker:
    return onlooker(checkpoints.checkpoint("starter-embedder-a"))


def waves() -> Tensor:
    """(1, 3, 256, 256) that is smooth, and nowhere the same."""
    y, x = torch.meshgrid(torch.arange(256.0), torch.arange(256.0), indexing="ij")
    return torch.stack([x / 128 - 1, y / 128 - 1, torch.sin(x / 40) * torch.cos(y / 50)])[None]


def test_it_sees_the_crop_that_the_recogniser_is_given(looking: Onlooker) -> None:
    pixels = picture(256, 256, [face_at(128, 128, 256)])
    given = to_tensor(align(pixels, FFHQ_256.points, ARCFACE_112).pixels)
    with torch.inference_mode():
        seen, _ = looking(to_tensor(pixels))
        plain = fill_network(checkpoints.checkpoint("starter-embedder-a"))(given)
    assert functional.cosine_similarity(seen, plain).item() > 0.97
    assert 0.3 < seen.std().item() < 3


def test_maps_lie_where_they_belong_and_are_nothing_where_it_does_not_look(looking: Onlooker) -> None:
    seeing = Onlooker(Averages(), looking.frame)  # type: ignore[arg-type]
    face = waves()
    _, (coarse, fine) = seeing(face)
    assert coarse.shape == (1, 3, 8, 8) and fine.shape == (1, 3, 16, 16)
    true = functional.avg_pool2d(face, 16)
    assert (fine - true)[..., 3:13, 3:13].abs().max() < 0.03
    assert (coarse - functional.avg_pool2d(face, 32))[..., 2:6, 2:6].abs().max() < 0.06
    assert not fine[..., 0].any() and not fine[..., -1].any(), "the crop does not reach to the sides"


def estimator(looking: Onlooker | None) -> EstimatorUNet:
    torch.manual_seed(0)
    network = EstimatorUNet(**LOOKED)
    nn.init.normal_(network.tail.weight, std=0.1)
    if looking is not None:
        network.lend(looking)
    return network.eval()


def test_at_first_it_changes_nothing_and_then_each_thing_that_it_says_counts(looking: Onlooker) -> None:
    network, x = estimator(looking), waves()
    plain = EstimatorUNet(widths=LOOKED["widths"], blocks=1).eval()
    plain.load_state_dict(
        {key: value for key, value in network.state_dict().items() if key.split(".")[0] not in ("told", "seen")}
    )
    with torch.inference_mode():
        before = network(x)
        assert torch.equal(before, plain(x))
        for layer in (network.told, *network.seen):
            nn.init.normal_(layer.weight, std=0.05)  # type: ignore[arg-type]
            changed = network(x)
            assert not torch.allclose(before, changed, atol=1e-3)
            before = changed
        assert network(torch.cat([x, x])).shape == (2, 3, 256, 256)
        assert torch.allclose(network(torch.cat([-x, x]))[1:], before, atol=1e-4), "of each face what is seen in it"


def test_it_is_lent_and_not_kept(looking: Onlooker) -> None:
    with pytest.raises(RuntimeError, match="lend"):
        estimator(None)(waves())
    network = estimator(looking)
    assert not any("recogniser" in key for key in network.state_dict())
    assert sum(p.numel() for p in network.parameters()) == sum(p.numel() for p in estimator(None).parameters())
    moved = copy.deepcopy(network).double()
    assert moved._onlooker[0].frame.dtype == torch.float64 and looking.frame.dtype == torch.float32
    who = network.person(waves())
    assert who.shape == (1, 512) and who.norm().item() == pytest.approx(1, abs=1e-5)


class Small:
    """What `export` asks of a recipe."""

    id = "starter-estimator"
    architecture = "estimator:EstimatorUNet"
    config = LOOKED
    trained_on = "nothing"
    method, goal = "quick:Quick", "keep"
    uses = {"embedder": "starter-embedder-a"}  # noqa: RUF012
    conditioned_on = ("starter-embedder-a",)


def test_weights_are_loaded_with_the_recogniser_they_were_trained_with_and_no_other(
    tmp_path: Path, looking: Onlooker, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = estimator(None)
    state = {"step": 1, "images": 8, "minutes": 0.1}
    torch.save({"average": network.state_dict(), "state": state}, tmp_path / "last.pt")
    known = checkpoints.checkpoint("starter-embedder-a").files["weights"].sha256
    figures = {"calibration.fitted_to": {"starter-embedder-a": known}}
    export.export(Small(), tmp_path, figures, tmp_path)
    entry = checkpoints.load_manifest(tmp_path / "manifest.toml")["starter-estimator"]
    assert entry.conditioned_on == ("starter-embedder-a",)
    with torch.inference_mode():
        loaded = fill_network(entry)(waves())
        network.lend(looking)
        assert torch.allclose(loaded, network.half().float()(waves()), atol=1e-2)
    figures = {"calibration.fitted_to": {"starter-embedder-a": "0" * 64}}
    export.export(Small(), tmp_path, figures, tmp_path)
    with pytest.raises(CheckpointMismatch, match="different weights of starter-embedder-a"):
        fill_network(checkpoints.load_manifest(tmp_path / "manifest.toml")["starter-estimator"])


def test_a_recogniser_of_ours_is_what_looks_on() -> None:
    assert isinstance(fill_network(checkpoints.checkpoint("starter-embedder-a")), DenseFaceNet)
