"""Vec2Face as a method, with a small network: what the seed decides, and what a person does to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from facestudio.faces.face import Identity
from facestudio.methods.base import Synthesizer, Wish
from facestudio.methods.vec2face import LENGTH, Vec2Face, _rate
from facestudio.networks import vec2face as networks
from facestudio.photo import to_tensor
from facestudio.progress import Cancelled, Progress
from tests.fakes import fake_checkpoint

TINY: dict[str, Any] = {
    "rep_dim": 16,
    "embed_dim": 32,
    "depth": 1,
    "num_heads": 2,
    "decoder_depth": 1,
    "decoder_num_heads": 2,
    "z_channels": 32,
    "ch": 32,
    "ch_mult": (1, 1, 1, 1, 1),
    "num_res_blocks": 1,
}


class Watched(networks.Vec2Face):
    """It writes down the vectors and the rates that it is given."""

    def forward(self, vectors: Any, noise: Any, rate: Any = 0.15, pose: Any = None) -> Any:
        self.seen = (vectors.clone(), noise.clone(), rate.clone())
        return super().forward(vectors, noise, rate, pose)


@pytest.fixture
def method() -> Vec2Face:
    torch.manual_seed(0)
    network = Watched(**TINY).eval()
    torch.nn.init.normal_(network.decoder_pos_embed_learned)
    return Vec2Face(fake_checkpoint("vec2face", goal="create", conditioned_on=("listener",)), network)


def test_each_seed_alone_decides_what_is_left_open(method: Vec2Face) -> None:
    assert isinstance(method, Synthesizer) and method.embedder == "listener"
    one, other = method(Wish(), [3, 4], method.Options(), Progress())
    assert one.shape == (112, 112, 3) and one.dtype == np.uint8 and not np.array_equal(one, other)
    vectors, noise, rates = method._network.seen
    assert 0 <= noise.min() and noise.max() < 1 and rates[0] != rates[1] and 0.1 <= rates.min()
    (again,) = method(Wish(), [4], method.Options(), Progress())
    assert np.abs(again.astype(int) - other).max() <= 1
    assert torch.equal(method._network.seen[0], vectors[1:])


def test_a_person_is_a_direction_of_the_recognisers_length(method: Vec2Face) -> None:
    who = Identity(np.arange(16.0) - 7, "listener")
    for variety in (0.0, 0.3):
        method(Wish(who), [1, 2], method.Options(variety=variety), Progress())
        vectors = method._network.seen[0].numpy()
        assert np.allclose(np.linalg.norm(vectors, axis=1), LENGTH, atol=1e-3)
        cosines = vectors @ who.embedding / LENGTH
        assert np.allclose(cosines, 1) if not variety else (cosines > 0.95).all() and (cosines < 1).all()
    with pytest.raises(ValueError, match="understands listener"):
        method(Wish(Identity(who.embedding, "another")), [1], method.Options(), Progress())


def test_a_refined_vector_is_known_better(method: Vec2Face) -> None:
    who = Identity(np.arange(16.0) - 7, "listener")
    by = torch.randn(16, 3 * 16 * 16, generator=torch.Generator().manual_seed(5))
    method._recogniser = lambda pictures: torch.nn.functional.adaptive_avg_pool2d(pictures, 16).flatten(1) @ by.T

    def known(refine: int, seeds: list[int]) -> tuple[np.ndarray, list[float]]:
        options = method.Options(variety=0.0, refine=refine)
        faces = np.stack(method(Wish(who), seeds, options, Progress()))
        embeddings = method._recogniser(to_tensor(faces)).numpy()
        cosines = embeddings @ who.embedding / np.linalg.norm(embeddings, axis=1)
        return faces, list(cosines)

    (_, before), (faces, after) = known(0, [1, 2]), known(30, [1, 2])
    assert all(late > early + 0.05 for early, late in zip(before, after, strict=True))
    assert np.abs(known(30, [2])[0][0].astype(int) - faces[1]).max() <= 2
    assert all(parameter.grad is None for parameter in method._network.parameters())
    progress = Progress(lambda update: progress.cancel(), every=0)
    with pytest.raises(Cancelled):
        method(Wish(who), [1], method.Options(refine=3), progress)


def test_rates_are_normal_between_their_bounds() -> None:
    drawn = [_rate((0.85, 0.05, 0.8, 0.9), np.random.default_rng(seed)) for seed in range(300)]
    assert 0.8 <= min(drawn) and max(drawn) <= 0.9
    assert np.mean(drawn) == pytest.approx(0.85, abs=0.005) and np.std(drawn) > 0.02


def test_drawing_stops_when_asked(method: Vec2Face) -> None:
    progress = Progress(lambda update: progress.cancel(), every=0)
    with pytest.raises(Cancelled):
        method(Wish(), list(range(20)), method.Options(), progress)
