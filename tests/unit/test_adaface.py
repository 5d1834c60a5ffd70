"""AdaFace's margin: its formula, what it asks of good and poor faces, and what it remembers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from facestudio.training.adaface import AdaFace, QualityMargin
from facestudio.training.losses import ArcFace, CosFace, MarginHead


def example() -> tuple[torch.Tensor, torch.Tensor]:
    random = np.random.default_rng(0)
    return torch.tensor(random.uniform(-0.9, 0.9, (6, 5)), dtype=torch.float32), torch.tensor([0, 3, 1, 4, 2, 0])


def test_it_is_its_formula() -> None:
    cosine, labels = example()
    lengths = torch.tensor([3.0, 15.0, 20.0, 25.0, 60.0, 400.0])
    adaface = AdaFace(32, 0.3, 0.5).eval()
    adaface.batch_mean.fill_(20)
    adaface.batch_std.fill_(10)
    expected = 32 * cosine.double()
    for n, (label, length) in enumerate(zip(labels.tolist(), lengths.tolist(), strict=True)):
        q = max(-1.0, min(1.0, 0.5 * (min(length, 100) - 20) / (10 + 1e-3)))
        expected[n, label] = 32 * (math.cos(math.acos(cosine[n, label]) - 0.3 * q) - 0.3 * (1 + q))
    margin = adaface.of(lengths)
    assert (margin.logits(cosine, labels) - expected).abs().max() < 1e-4
    assert margin(cosine, labels).item() == pytest.approx(functional.cross_entropy(expected, labels).item(), rel=1e-5)


def test_a_middling_face_is_treated_as_by_cosface_and_a_poor_one_as_by_arcface() -> None:
    cosine, labels = example()
    zero, low = torch.zeros(6), -torch.ones(6)
    assert torch.allclose(QualityMargin(16, 0.3, zero)(cosine, labels), CosFace(16, 0.3)(cosine, labels), atol=1e-5)
    assert torch.allclose(QualityMargin(16, 0.3, low)(cosine, labels), ArcFace(16, 0.3)(cosine, labels), atol=1e-5)


def test_it_remembers_lengths_in_training_alone() -> None:
    adaface = AdaFace(share=0.25)
    lengths = torch.tensor([10.0, 14.0, 18.0], requires_grad=True)
    adaface.of(lengths)
    assert adaface.batch_mean.item() == pytest.approx(0.75 * 20 + 0.25 * 14)
    assert adaface.batch_std.item() == pytest.approx(0.75 * 100 + 0.25 * 4)
    before = {key: value.clone() for key, value in adaface.state_dict().items()}
    adaface.of(lengths[:1])
    adaface.eval()
    adaface.of(lengths)
    assert before and all(torch.equal(value, before[key]) for key, value in adaface.state_dict().items())


def test_slopes_are_finite_at_the_ends_and_lengths_get_none() -> None:
    cosine = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 1.0, 1.0]], requires_grad=True)
    lengths = torch.tensor([0.0, 1e6], requires_grad=True)
    loss = AdaFace().of(lengths)(cosine, torch.tensor([0, 0]))
    loss.backward()
    assert torch.isfinite(loss) and cosine.grad is not None and torch.isfinite(cosine.grad).all()
    assert lengths.grad is None


def test_a_head_asks_it_about_the_labelled_faces_and_keeps_what_it_remembers() -> None:
    torch.manual_seed(0)
    head = MarginHead(AdaFace(share=0.5), torch.randn(3, 8))
    embedding, labels = 5 * torch.randn(5, 8, requires_grad=True), torch.tensor([2, -1, 0, -1, 1])
    found = head(embedding, labels)
    lengths = embedding.detach()[labels >= 0].norm(dim=1)
    kept = head.state_dict()["margin.batch_mean"].item()
    assert kept == pytest.approx(10 + 0.5 * lengths.mean().item())
    cosine = functional.normalize(embedding[labels >= 0], dim=1) @ functional.normalize(head.centres, dim=1).T
    assert found.item() == pytest.approx(AdaFace(share=0.5).of(lengths)(cosine, labels[labels >= 0]).item(), rel=1e-5)
