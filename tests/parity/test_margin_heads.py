"""Margin losses against the published heads: every logit, and what AdaFace remembers of the lengths it saw.

Losses and slopes of all but AdaFace are compared in tests/unit/test_losses.py.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from facestudio.training import losses
from facestudio.training.adaface import AdaFace
from facestudio.training.losses import ArcFace, CosFace, ElasticFace, MarginHead, SFace

Figures = dict[str, Tensor]


@pytest.fixture
def published(shared: Path) -> Figures:
    path = shared / "parity" / "fr_margin_heads" / "case.npz"
    if not path.exists():
        pytest.skip("no fixture of margin heads here")
    return {key: torch.from_numpy(value) for key, value in np.load(path).items()}


def logits(cosine: Tensor, labels: Tensor, target: Tensor) -> Tensor:
    return 64 * cosine.scatter(1, labels[:, None], target[:, None])


def cosines(published: Figures) -> Tensor:
    unit = functional.normalize(published["embedding"], dim=1)
    return unit @ functional.normalize(published["class_weight"], dim=1).T


def test_the_cosines(published: Figures) -> None:
    assert (cosines(published) - published["cosine"]).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("name", "margin"),
    [
        ("insightface_arcface", ArcFace(64, 0.5)),
        ("insightface_cosface", CosFace(64, 0.4)),
        ("elastic_arc", ElasticFace(angular=True)),
        ("elastic_arc_plus", ElasticFace(angular=True, plus=True, published_order=True)),
        ("elastic_cos", ElasticFace()),
        ("elastic_cos_plus", ElasticFace(plus=True, published_order=True)),
    ],
)
def test_every_logit(name: str, margin: losses.SoftmaxMargin, published: Figures) -> None:
    labels = published["labels"]
    cosine, target = losses.own(published["cosine"], labels)
    if isinstance(margin, ElasticFace):
        margins = published["elastic_margins"][:, 0] - (0 if margin.angular else 0.15)
        lowered = margin.lowered_by(target, margins)
    else:
        lowered = margin.lowered(target, None)
    assert (logits(cosine, labels, lowered) - published[f"{name}_logits"]).abs().max() < 1e-3


def test_sface_scales_and_both_of_its_sides(published: Figures) -> None:
    cosine, labels = published["cosine"], published["labels"]
    assert (64 * cosine - published["sface_scaled_cosine"]).abs().max() < 1e-3
    inwards, outwards, total = published["sface_loss_intra_inter_total"].tolist()
    loss = SFace(64, 80, 0.87, 1.2)(cosine, labels).item()
    assert loss == pytest.approx(total, abs=1e-3) and total == pytest.approx(inwards + outwards, abs=1e-3)


def test_adaface_twice_with_the_same_batch(published: Figures) -> None:
    adaface = AdaFace(64, 0.4, 0.333, 0.01)
    lengths, labels = published["embedding"].norm(dim=1), published["labels"]
    for step in (1, 2):
        found = adaface.of(lengths).logits(published["cosine"], labels)
        assert (found - published[f"adaface_logits_step{step}"]).abs().max() < 1e-3
        remembered = torch.cat([adaface.batch_mean, adaface.batch_std])
        assert (remembered - published[f"adaface_batch_mean_std_step{step}"]).abs().max() < 1e-4


def test_adaface_slopes(published: Figures) -> None:
    embedding = published["embedding"].clone().requires_grad_()
    head = MarginHead(AdaFace(), published["class_weight"])
    loss = head(embedding, published["labels"])
    assert loss.item() == pytest.approx(
        functional.cross_entropy(published["adaface_logits_step1"], published["labels"]).item(), abs=1e-4
    )
    loss.backward()
    expected = published["adaface_ce_gradient_wrt_embedding"]
    assert embedding.grad is not None
    assert (embedding.grad - expected).abs().max() < 1e-3 * expected.std()
