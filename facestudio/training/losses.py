"""Margin losses: how an embedding is drawn to its own identity's centre and away from all others.

Separate from the recipes, which choose one and give it a weight; knows no faces and no files. Every loss takes cosines
between N unit embeddings and C class centres, never the embeddings themselves, and computes in float32 whatever the
autocast says: at scale 64 bfloat16 would round the logits by a quarter. The centres live in `MarginHead` and are only for
training. Written from the papers; `fr_margin_heads` of ../shared records what the published heads compute. AdaFace, which
looks at the embeddings' lengths too, is in `adaface`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

EDGE = 1e-7  # how near to +-1 a cosine may come: the slope of the arc cosine has no end there
NOBODY = -1  # the label of a face that belongs to no class


class Margin(Protocol):
    """A margin loss. Those with a softmax also take `negatives` (M,): cosines of pairs of strangers, see `UnifiedNegatives`."""

    def __call__(
        self,
        cosine: Tensor,
        labels: Tensor,
        negatives: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor: ...


def softmax_loss(cosine: Tensor, labels: Tensor, target: Tensor, scale: float, negatives: Tensor | None) -> Tensor:
    """Mean cross entropy of `scale` * cosines, (N, C), where the labels' own cosines are replaced by `target` (N,).

    `negatives` (M,) join the denominator of every row, on the same scale.
    """
    logits = cosine.scatter(1, labels[:, None], target[:, None])
    if negatives is not None:
        logits = torch.cat([logits, negatives.expand(len(logits), -1)], 1)
    return functional.cross_entropy(scale * logits, labels)


def own(cosine: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(cosines as float32 within -1..1, those of the labels (N,))."""
    cosine = cosine.float().clamp(-1 + EDGE, 1 - EDGE)
    return cosine, cosine.gather(1, labels[:, None])[:, 0]


def angle_added(cosine: Tensor, margin: Tensor | float) -> Tensor:
    """cos(theta + margin) of cosines (N,); where that would rise again with theta, cos theta - margin sin margin."""
    margin = torch.as_tensor(margin, dtype=cosine.dtype, device=cosine.device)
    added = cosine * margin.cos() - (1 - cosine.square()).sqrt() * margin.sin()
    return torch.where(cosine > -margin.cos(), added, cosine - margin * margin.sin())


@dataclass(frozen=True)
class SoftmaxMargin:
    """A softmax loss whose own cosine is lowered by a margin, which is what the margins below differ in. `scale`: s."""

    scale: float = 64.0

    def lowered(self, target: Tensor, generator: torch.Generator | None) -> Tensor:
        """What stands for the own cosines `target` (N,), float32 within -1..1; `generator` is for what is drawn."""
        raise NotImplementedError

    def __call__(
        self,
        cosine: Tensor,
        labels: Tensor,
        negatives: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Loss of `cosine` (N, C) in -1..1 with `labels` (N,) int64 in 0..C-1."""
        cosine, target = own(cosine, labels)
        return softmax_loss(cosine, labels, self.lowered(target, generator), self.scale, negatives)


@dataclass(frozen=True)
class ArcFace(SoftmaxMargin):
    """Additive angular margin: Deng et al., "ArcFace", CVPR 2019.

    L = -log( e^{s cos(theta_y + m)} / ( e^{s cos(theta_y + m)} + sum_{j != y} e^{s cos theta_j} ) ), mean over the batch.

    Args:
        scale: s; margin: m in radians, 0 to pi.

    Guards: cosines stay 1e-7 away from +-1; where theta_y + m exceeds pi, the target becomes cos theta_y - m sin m, which
    goes on falling with the angle.
    """

    margin: float = 0.5

    def lowered(self, target: Tensor, generator: torch.Generator | None) -> Tensor:
        return angle_added(target, self.margin)


@dataclass(frozen=True)
class CosFace(SoftmaxMargin):
    """Additive cosine margin: Wang et al., "CosFace", CVPR 2018.

    L = -log( e^{s (cos theta_y - m)} / ( e^{s (cos theta_y - m)} + sum_{j != y} e^{s cos theta_j} ) ), mean over the batch.

    Args:
        scale: s; margin: m, a difference of cosines, 0 to 1.

    Guards: cosines are clamped to -1..1, which rounding may leave.
    """

    margin: float = 0.4

    def lowered(self, target: Tensor, generator: torch.Generator | None) -> Tensor:
        return target - self.margin


@dataclass(frozen=True)
class ElasticFace(SoftmaxMargin):
    """A margin drawn anew for each face: Boutros et al., "ElasticFace", CVPR workshops 2022.

    ArcFace's (`angular`) or CosFace's loss with m_i ~ N(margin, deviation). ElasticFace+ (`plus`) gives the drawn margins
    out by need: the face that is farthest from its centre gets the largest.

    Args:
        scale: s; margin, deviation: mean and standard deviation of m. Published: angular 0.5 and 0.05 (plus 0.0175),
        otherwise 0.35 and 0.05 (plus 0.02).
        angular: add to the angle instead of taking from the cosine; plus: as above.
        published_order: with `plus`, repeat the published code, where face i gets the ascending margin number p_i, p being
        the order of the target cosines from the highest: the order itself, not the place of i in it.

    Guards: those of ArcFace and CosFace; a drawn margin is never negative.
    """

    margin: float = 0.35
    deviation: float = 0.05
    angular: bool = False
    plus: bool = False
    published_order: bool = False

    def lowered(self, target: Tensor, generator: torch.Generator | None) -> Tensor:
        drawn = torch.randn(len(target), generator=generator, device=target.device)
        return self.lowered_by(target, (self.margin + self.deviation * drawn).clamp(min=0))

    def lowered_by(self, target: Tensor, margins: Tensor) -> Tensor:
        """The same with `margins` (N,) already drawn; `plus` still decides which face gets which."""
        if self.plus:
            order = target.detach().argsort(descending=True)
            margins = margins.sort()[0]
            margins = margins[order] if self.published_order else margins[order.argsort()]
        return angle_added(target, margins) if self.angular else target - margins


@dataclass(frozen=True)
class SFace:
    """Sigmoid-constrained hypersphere loss: Zhong et al., "SFace", IEEE TIP 2021. No softmax.

    L = -[r_in(theta_y)] s cos theta_y + sum_{j != y} [r_out(theta_j)] s cos theta_j, mean over the batch, where [.] takes no
    gradient, r_in(t) = 1 / (1 + e^{-k (t - a)}) and r_out(t) = 1 / (1 + e^{k (t - b)}): a face is drawn to its centre until
    it is about a radians away, and driven from others while it is nearer than about b, and then left in peace, which
    spares wrong labels.

    Args:
        scale: s; slope: k; a, b: angles in radians. Published: a, b = 0.87, 1.20 for CASIA, 0.80, 1.23 otherwise.

    Guards: cosines stay 1e-7 away from +-1; the sigmoids are torch's, which do not overflow.
    """

    scale: float = 64.0
    slope: float = 80.0
    a: float = 0.87
    b: float = 1.20

    def __call__(
        self,
        cosine: Tensor,
        labels: Tensor,
        negatives: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Loss of `cosine` (N, C) in -1..1 with `labels` (N,) int64 in 0..C-1.

        ValueError when `negatives` are given: without a softmax there is no denominator that they could join.
        """
        if negatives is not None:
            raise ValueError("SFace has no softmax that pairs of strangers could join")
        cosine, target = own(cosine, labels)
        angle = cosine.detach().acos()
        inwards = torch.sigmoid(self.slope * (angle.gather(1, labels[:, None])[:, 0] - self.a))
        outwards = torch.sigmoid(-self.slope * (angle - self.b)).scatter(1, labels[:, None], 0.0)
        return self.scale * ((outwards * cosine).sum(1) - inwards * target).mean()


@dataclass(frozen=True)
class UnifiedNegatives:
    """Pairs of strangers of the batch as further negatives: Jung et al., "Unified Negative Pair Generation", BMVC 2022 (UNPG).

    S_n' = S_n(class centres) with { x_i . x_k : i < k, y_i != y_k, Q1 - w IQR <= x_i . x_k <= Q3 + w IQR } added to the
    denominator of every row of a softmax loss. The box-and-whisker rule (quartiles Q1 and Q3 of the pairs, IQR = Q3 - Q1)
    leaves pairs out that are so alike or so unlike that a label must be wrong.

    Args:
        whisker: w. Published: 1 and 1.5.

    Guards: cosines are clamped to -1..1; fewer than two different people give no pairs at all, and so no change.
    """

    whisker: float = 1.0

    def __call__(self, embedding: Tensor, people: Tensor) -> Tensor:
        """Cosines (M,) of the pairs that stay, of unit `embedding` (N, D) of `people` (N,), a number for each person."""
        embedding = embedding.float()
        strangers = (people[:, None] != people[None]).triu(1)
        cosine = (embedding @ embedding.T)[strangers].clamp(-1, 1)
        if not len(cosine):
            return cosine
        first, third = torch.quantile(cosine.detach(), cosine.new_tensor([0.25, 0.75]))
        reach = self.whisker * (third - first)
        return cosine[(cosine >= first - reach) & (cosine <= third + reach)]


@runtime_checkable
class Adaptive(Protocol):
    """What gives a margin loss for a batch by the `lengths` (N,) of its embeddings, see `adaface`."""

    def of(self, lengths: Tensor) -> Margin: ...


class MarginHead(nn.Module):
    """Class centres and the margin loss against them; for training only.

    Args:
        margin: the loss, or what gives one for each batch; negatives: UNPG, or None.
        centres: (C, D) where the classes' centres begin; their length does not matter. They are kept at length sqrt(D), so
        that one optimizer step turns them no faster than it turns the network's layers.
        seed: of the margins that are drawn.
    """

    def __init__(
        self, margin: Margin | Adaptive, centres: Tensor, negatives: UnifiedNegatives | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        self.margin, self.negatives, self.seed = margin, negatives, seed
        self.centres = nn.Parameter(functional.normalize(centres.float(), dim=1) * math.sqrt(centres.shape[1]))
        self.generator: torch.Generator | None = None

    def forward(self, embedding: Tensor, labels: Tensor, people: Tensor | None = None) -> Tensor:
        """The loss of `embedding` (N, D), of any length, with `labels` (N,): a class, or NOBODY where there is none.

        Faces of NOBODY only count as strangers to others, for which `people` (N,) says who is the same; it is needed
        for UNPG. Without a single labelled face the loss is 0, with gradients of 0.
        """
        if self.generator is None:
            self.generator = torch.Generator(embedding.device).manual_seed(self.seed)
        with torch.autocast(embedding.device.type, enabled=False):
            unit = functional.normalize(embedding.float(), dim=1)
            labelled = labels != NOBODY
            if not labelled.any():
                return (unit.sum() + self.centres.sum()) * 0
            negatives = None
            if self.negatives is not None and people is not None:
                negatives = self.negatives(unit, people)
            cosine = unit[labelled] @ functional.normalize(self.centres, dim=1).T
            margin = self.margin
            if isinstance(margin, Adaptive):
                margin = margin.of(embedding[labelled].float().norm(dim=1))
            return margin(cosine, labels[labelled], negatives, self.generator)
