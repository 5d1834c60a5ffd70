"""Margin losses: each against its paper's formula in numpy, against what the published heads compute, and its slopes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from facestudio.training import losses
from facestudio.training.losses import ArcFace, CosFace, ElasticFace, MarginHead, SFace, UnifiedNegatives


def example(seed: int = 0, faces: int = 6, classes: int = 5, spread: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Cosines (faces, classes) in float64 and labels."""
    random = np.random.default_rng(seed)
    return random.uniform(-spread, spread, (faces, classes)), random.integers(0, classes, faces)


def loss_of(margin: Any, cosine: np.ndarray, labels: np.ndarray, **more: Any) -> float:
    return float(margin(torch.tensor(cosine, dtype=torch.float32), torch.tensor(labels), **more))


def with_margins(loss: ElasticFace, cosine: torch.Tensor, labels: torch.Tensor, margins: torch.Tensor) -> torch.Tensor:
    """ElasticFace's loss with `margins` (N,) that are already drawn."""
    cosine, target = losses.own(cosine, labels)
    return losses.softmax_loss(cosine, labels, loss.lowered_by(target, margins), loss.scale, None)


def softmax_formula(cosine: np.ndarray, labels: np.ndarray, target: np.ndarray, scale: float, extra: Any = ()) -> float:
    """Mean of -log(e^{s t} / (e^{s t} + sum over the other classes and the extra pairs)), row by row, without tricks."""
    values = []
    for row, label in enumerate(labels):
        others = [cosine[row, j] for j in range(cosine.shape[1]) if j != label] + list(extra)
        numerator = math.exp(scale * target[row])
        values.append(-math.log(numerator / (numerator + sum(math.exp(scale * other) for other in others))))
    return float(np.mean(values))


def targets(cosine: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return cosine[np.arange(len(labels)), labels]


def test_arcface_is_its_formula() -> None:
    cosine, labels = example()
    expected = softmax_formula(cosine, labels, np.cos(np.arccos(targets(cosine, labels)) + 0.3), 16)
    assert loss_of(ArcFace(16, 0.3), cosine, labels) == pytest.approx(expected, rel=1e-4)


def test_arcface_falls_with_the_angle_even_beyond_half_a_turn() -> None:
    angles = np.linspace(0, math.pi, 200)
    target = losses.angle_added(torch.tensor(np.cos(angles)), 0.5).numpy()
    assert (np.diff(target) < 0).all()
    near = angles < math.pi - 0.5
    assert target[near] == pytest.approx(np.cos(angles[near] + 0.5))
    assert target[~near] == pytest.approx(np.cos(angles[~near]) - 0.5 * math.sin(0.5))


def test_cosface_is_its_formula() -> None:
    cosine, labels = example(1)
    expected = softmax_formula(cosine, labels, targets(cosine, labels) - 0.35, 20)
    assert loss_of(CosFace(20, 0.35), cosine, labels) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("angular", [True, False])
def test_elasticface_is_its_formula_with_the_margins_that_it_draws(angular: bool) -> None:
    cosine, labels = example(2)
    drawn = torch.randn(len(labels), generator=torch.Generator().manual_seed(5)).numpy().astype(np.float64)
    margins = 0.4 + 0.05 * drawn
    angle = np.arccos(targets(cosine, labels))
    target = np.cos(angle + margins) if angular else np.cos(angle) - margins
    found = loss_of(ElasticFace(16, 0.4, 0.05, angular), cosine, labels, generator=torch.Generator().manual_seed(5))
    assert found == pytest.approx(softmax_formula(cosine, labels, target, 16), rel=1e-4)


def test_elasticface_draws_anew_but_the_same_for_a_seed() -> None:
    cosine, labels = example(2)
    generator = torch.Generator().manual_seed(1)
    first, second = (loss_of(ElasticFace(), cosine, labels, generator=generator) for _ in range(2))
    assert first != second
    assert loss_of(ElasticFace(), cosine, labels, generator=torch.Generator().manual_seed(1)) == first


def test_elasticface_plus_gives_the_farthest_face_the_largest_margin() -> None:
    cosine = np.array([[0.5, 0, 0], [0, 0.1, 0], [0, 0, 0.8], [0.3, 0, 0]])
    labels = np.array([0, 1, 2, 0])
    margins = torch.tensor([0.33, 0.36, 0.31, 0.39])
    expected = softmax_formula(cosine, labels, targets(cosine, labels) - [0.33, 0.39, 0.31, 0.36], 8)
    found = with_margins(ElasticFace(8, plus=True), torch.tensor(cosine), torch.tensor(labels), margins)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_sface_is_its_formula() -> None:
    cosine, labels = example(3)
    scale, slope, a, b = 64.0, 80.0, 0.87, 1.2
    values = []
    for row, label in enumerate(labels):
        total = 0.0
        for j, value in enumerate(cosine[row]):
            angle = math.acos(value)
            if j == label:
                total -= scale * value / (1 + math.exp(-slope * (angle - a)))
            else:
                total += scale * value / (1 + math.exp(slope * (angle - b)))
        values.append(total)
    assert loss_of(SFace(scale, slope, a, b), cosine, labels) == pytest.approx(np.mean(values), rel=1e-4)


def test_sface_slopes_are_the_sigmoids() -> None:
    values, labels = example(3)
    cosine = torch.tensor(values, dtype=torch.float32, requires_grad=True)
    SFace()(cosine, torch.tensor(labels)).backward()
    angle = np.arccos(values)
    expected = 64 / (1 + np.exp(np.clip(80 * (angle - 1.2), -500, 500)))
    row = np.arange(len(labels))
    expected[row, labels] = -64 / (1 + np.exp(-80 * (angle[row, labels] - 0.87)))
    assert cosine.grad is not None
    assert cosine.grad.numpy() == pytest.approx(expected / len(labels), rel=1e-3, abs=1e-4)


def test_sface_takes_no_pairs() -> None:
    with pytest.raises(ValueError, match="softmax"):
        SFace()(torch.zeros(1, 2), torch.tensor([0]), torch.zeros(3))


def test_unpg_adds_the_pairs_of_strangers_to_the_denominator() -> None:
    random = np.random.default_rng(4)
    vectors = random.standard_normal((7, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    people = np.array([0, 1, 0, 2, 3, 1, 4])
    pairs = np.array([vectors[i] @ vectors[k] for i in range(7) for k in range(i + 1, 7) if people[i] != people[k]])
    first, third = np.quantile(pairs, [0.25, 0.75])
    kept = np.sort(pairs[(pairs >= first - 0.3 * (third - first)) & (pairs <= third + 0.3 * (third - first))])
    assert 0 < len(kept) < len(pairs)
    found = UnifiedNegatives(0.3)(torch.tensor(vectors, dtype=torch.float32), torch.tensor(people))
    assert np.sort(found.numpy()) == pytest.approx(kept, abs=1e-6)

    cosine, labels = example(5, 7)
    expected = softmax_formula(cosine, labels, targets(cosine, labels) - 0.35, 10, kept)
    assert loss_of(CosFace(10, 0.35), cosine, labels, negatives=found) == pytest.approx(expected, rel=1e-4)


def test_unpg_of_one_person_changes_nothing() -> None:
    found = UnifiedNegatives()(functional.normalize(torch.randn(4, 8), dim=1), torch.zeros(4, dtype=torch.long))
    assert found.shape == (0,)
    cosine, labels = example()
    assert loss_of(CosFace(), cosine, labels, negatives=found) == loss_of(CosFace(), cosine, labels)


EVERY = [ArcFace(), CosFace(), ElasticFace(), ElasticFace(angular=True, plus=True), SFace()]


@pytest.mark.parametrize("margin", EVERY, ids=repr)
def test_slopes_draw_to_the_own_centre_and_push_from_others(margin: Any) -> None:
    values, labels = example(6)
    cosine = torch.tensor(values, dtype=torch.float32, requires_grad=True)
    margin(cosine, torch.tensor(labels), generator=torch.Generator().manual_seed(0)).backward()
    assert cosine.grad is not None
    mine = torch.zeros(values.shape, dtype=torch.bool).scatter(1, torch.tensor(labels)[:, None], True)
    assert (cosine.grad[mine] <= 0).all() and (cosine.grad[mine] < 0).any()
    assert (cosine.grad[~mine] >= 0).all() and (cosine.grad[~mine] > 0).any()


@pytest.mark.parametrize("margin", EVERY, ids=repr)
def test_slopes_are_finite_at_the_ends(margin: Any) -> None:
    cosine = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 1.0 + 1e-6]], requires_grad=True)
    loss = margin(cosine, torch.tensor([0, 0]), generator=torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss) and cosine.grad is not None and torch.isfinite(cosine.grad).all()


def test_a_larger_margin_costs_more() -> None:
    cosine, labels = example(7)
    for kind in (ArcFace, CosFace):
        costs = [loss_of(kind(32, margin), cosine, labels) for margin in (0.0, 0.2, 0.4)]
        assert costs == sorted(costs) and costs[0] < costs[-1]


def test_a_head_gathers_faces_around_their_centres() -> None:
    torch.manual_seed(0)
    labels = torch.arange(4).repeat(4)
    embedding = torch.nn.Parameter(torch.randn(16, 8))
    head = MarginHead(CosFace(16, 0.3), torch.randn(4, 8))
    optimizer = torch.optim.Adam([embedding, *head.parameters()], 0.05)
    begin = head(embedding, labels).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = head(embedding, labels)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * begin
    unit = functional.normalize(embedding.detach(), dim=1)
    assert ((unit @ functional.normalize(head.centres.detach(), dim=1).T).argmax(1) == labels).all()


def test_a_head_leaves_the_faces_of_nobody_out() -> None:
    torch.manual_seed(0)
    head = MarginHead(ArcFace(16), torch.randn(3, 8))
    embedding, labels = torch.randn(5, 8, requires_grad=True), torch.tensor([2, -1, 0, -1, 1])
    loss = head(embedding, labels)
    loss.backward()
    assert embedding.grad is not None
    assert (embedding.grad[labels < 0] == 0).all() and (embedding.grad[labels >= 0] != 0).any()
    assert loss.item() == pytest.approx(head(embedding[labels >= 0], labels[labels >= 0]).item())
    nothing = head(embedding, torch.full((5,), -1))
    nothing.backward()
    assert nothing.item() == 0


def test_a_head_pushes_strangers_without_a_class_apart_by_unpg() -> None:
    torch.manual_seed(0)
    head = MarginHead(CosFace(16), torch.randn(3, 8), UnifiedNegatives(100.0))
    embedding = torch.randn(5, 8, requires_grad=True)
    labels = torch.tensor([2, -1, 0, -1, 1])
    head(embedding, labels, torch.arange(5)).backward()
    assert embedding.grad is not None and (embedding.grad[labels < 0] != 0).any()


def test_a_head_computes_in_full_precision_under_autocast() -> None:
    torch.manual_seed(0)
    head = MarginHead(ArcFace(), torch.randn(3, 8))
    embedding, labels = torch.randn(4, 8), torch.tensor([2, 1, 0, 1])
    with torch.autocast("cpu", torch.bfloat16):
        found = head(embedding, labels)
    assert found.dtype == torch.float32 and found.item() == head(embedding, labels).item()


@pytest.fixture
def published(shared: Path) -> dict[str, torch.Tensor]:
    path = shared / "parity" / "fr_margin_heads" / "case.npz"
    if not path.exists():
        pytest.skip("no fixture of margin heads here")
    return {key: torch.from_numpy(value) for key, value in np.load(path).items()}


def test_published_heads_give_the_same_losses(published: dict[str, torch.Tensor]) -> None:
    cosine, labels = published["cosine"], published["labels"]
    arc = published["elastic_margins"][:, 0]
    ordered = {"plus": True, "published_order": True}
    found = {
        "insightface_arcface": ArcFace(64, 0.5)(cosine, labels),
        "insightface_cosface": CosFace(64, 0.4)(cosine, labels),
        "elastic_arc": with_margins(ElasticFace(angular=True), cosine, labels, arc),
        "elastic_arc_plus": with_margins(ElasticFace(angular=True, **ordered), cosine, labels, arc),
        "elastic_cos": with_margins(ElasticFace(), cosine, labels, arc - 0.15),
        "elastic_cos_plus": with_margins(ElasticFace(**ordered), cosine, labels, arc - 0.15),
    }
    for name, loss in found.items():
        expected = functional.cross_entropy(published[f"{name}_logits"], labels)
        assert float(loss) == pytest.approx(float(expected), abs=1e-4), name


def test_published_sface_gives_the_same_loss_and_slopes(published: dict[str, torch.Tensor]) -> None:
    embedding = published["embedding"].clone().requires_grad_()
    head = MarginHead(SFace(64, 80, 0.87, 1.2), published["class_weight"])
    loss = head(embedding, published["labels"])
    assert loss.item() == pytest.approx(float(published["sface_loss_intra_inter_total"][2]), abs=1e-3)
    loss.backward()
    expected = published["sface_gradient_wrt_embedding"]
    assert embedding.grad is not None
    assert (embedding.grad - expected).abs().max() < 1e-3 * expected.std()
