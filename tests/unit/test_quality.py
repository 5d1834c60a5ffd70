"""How recognisable a face is: what the measure rests on, what it remembers, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from facestudio.errors import CheckpointMismatch
from facestudio.faces.align import align
from facestudio.faces.face import ARCFACE_112
from facestudio.faces.identity import Embedder
from facestudio.faces.quality import Quality
from facestudio.networks.panel import Recognisability, mean_attention
from facestudio.networks.vit import FaceTransformer
from facestudio.photo import to_tensor
from facestudio.progress import Cancelled, Progress
from tests.fakes import face_at, fake_checkpoint, picture

TINY = {"width": 12, "heads": 2, "depth": 2, "stem": (4, 8), "refined": 0, "features": 8, "dimensions": 16}


class Flat(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(x, 28).flatten(1)[:, :16]


class Counted(FaceTransformer):
    """Counts the crops whose attention was asked for."""

    asked = 0

    def examine(self, x: torch.Tensor, blocks: object = None):  # type: ignore[no-untyped-def, override]
        self.asked += len(x)
        return super().examine(x, blocks)  # type: ignore[arg-type]


@pytest.fixture
def embedders() -> dict[str, Embedder]:
    torch.manual_seed(0)
    entry = fake_checkpoint("flat"), fake_checkpoint("watched")
    networks = Flat().eval(), Counted(**TINY).eval()  # type: ignore[arg-type]
    return {e.id: Embedder(e, network) for e, network in zip(entry, networks, strict=True)}


@pytest.fixture
def network() -> Recognisability:
    made = Recognisability(judges=2, dimensions=16).eval()
    made.weight.copy_(torch.tensor([3.0, 0.0, 0.0]))
    made.centres[0, 0] = 1.0
    return made


def faces(count: int) -> tuple[np.ndarray, np.ndarray]:
    found = [face_at(100 + 20 * n, 110, 120) for n in range(count)]
    return picture(240, 320, found, seed=1), np.stack([face.landmarks for face in found])


@pytest.mark.parametrize("block", [None, 0])
def test_it_is_the_network_s_word_on_embeddings_and_attention(
    embedders: dict[str, Embedder], network: Recognisability, block: int | None
) -> None:
    pixels, landmarks = faces(3)
    network.weight.copy_(torch.tensor([1.0, -0.5, 2.0]))
    measured = Quality(network, embedders, "watched", block).measure(pixels, landmarks)
    assert len(set(measured)) == 3
    for value, points in zip(measured, landmarks, strict=True):
        flat, watched = (embedder.embed(pixels, points).embedding for embedder in embedders.values())
        crop = to_tensor(align(pixels, points, ARCFACE_112).pixels[None])
        with torch.inference_mode():
            seen = embedders["watched"].network.examine(crop, None if block is None else (block,))
            attention = float(seen.logits.mean())
        logit = (1 - flat[0]) - 0.5 * 1 + 2 * attention  # the second centre is 0: its distance is 1
        assert value == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
        assert len(watched) == 16


def test_the_mean_attention_is_of_each_block(embedders: dict[str, Embedder]) -> None:
    x = torch.randn(2, 3, 112, 112)
    watched = embedders["watched"].network
    with torch.inference_mode():
        both = watched.examine(x).logits
    assert both.shape[0] == 1
    assert torch.allclose(mean_attention(both), both[0].mean((1, 2, 3))[:, None])
    stacked = torch.cat([both * 3, both])
    assert torch.allclose(mean_attention(stacked), torch.cat([3 * mean_attention(both), mean_attention(both)], 1))


def test_a_face_is_measured_once(embedders: dict[str, Embedder], network: Recognisability) -> None:
    quality = Quality(network, embedders, "watched")
    pixels, landmarks = faces(3)
    first = quality.measure(pixels, landmarks[:2])
    again = quality.measure(pixels, landmarks)
    assert again[:2] == first
    assert embedders["watched"].network.asked == 3
    assert quality.measure(pixels, landmarks[:0]) == ()


def test_measuring_can_be_stopped(embedders: dict[str, Embedder], network: Recognisability) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        Quality(network, embedders, "watched").measure(*faces(2), progress)


def test_it_refuses_embedders_that_it_was_not_fitted_to(embedders: dict[str, Embedder]) -> None:
    fitted = fake_checkpoint("panel", calibration={"embedders": {"flat": "00", "watched": "11"}, "watched": "watched"})
    with pytest.raises(CheckpointMismatch, match="fitted to other weights of flat"):
        Quality.load(fitted, embedders)
    with pytest.raises(CheckpointMismatch, match="fitted to other weights of absent"):
        Quality.load(fake_checkpoint("panel", calibration={"embedders": {"absent": "00"}}), embedders)


def test_it_refuses_to_watch_what_has_no_attention(embedders: dict[str, Embedder], network: Recognisability) -> None:
    with pytest.raises(CheckpointMismatch, match="not a transformer"):
        Quality(network, embedders, "flat").measure(*faces(1))
