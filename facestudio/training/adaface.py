"""AdaFace's margin loss: how much is asked of a face follows from its quality, for which the embedding's length stands.

Separate from `losses`, whose margins look at cosines alone and keep nothing from batch to batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facestudio.training.losses import SoftmaxMargin, own

EDGE = 1e-3  # the published code's: how near cosines may come to +-1, angles to 0 and pi, and deviations to 0
LENGTHS = (1e-3, 100.0)  # what lengths are cut to


@dataclass(frozen=True)
class QualityMargin(SoftmaxMargin):
    """The margins of one batch. `quality`: (N,) in -1..1, for the faces that the cosines are of; `margin`: m.

    A good face (1) is treated like CosFace with 2 m, a middling one (0) like CosFace with m, a poor one (-1) like ArcFace
    with m.

    Guards: cosines stay 1e-3 away from +-1, and angles from 0 and pi.
    """

    margin: float = 0.4
    quality: Tensor | None = None

    def lowered(self, target: Tensor, generator: torch.Generator | None) -> Tensor:
        assert self.quality is not None
        angle = target.clamp(-1 + EDGE, 1 - EDGE).acos() - self.margin * self.quality
        return angle.clamp(EDGE, math.pi - EDGE).cos() - self.margin * (1 + self.quality)

    def logits(self, cosine: Tensor, labels: Tensor) -> Tensor:
        """What the softmax is taken of, (N, C), of `cosine` (N, C) in -1..1 with `labels` (N,) int64 in 0..C-1."""
        cosine, target = own(cosine, labels)
        return self.scale * cosine.scatter(1, labels[:, None], self.lowered(target, None)[:, None])


class AdaFace(nn.Module):
    """Quality-adaptive margin: Kim et al., "AdaFace", CVPR 2022.

    With q = clip(h (|z| - mu) / sigma, -1, 1) of a face's embedding z, its own logit is
    s (cos(theta_y - m q) - m (1 + q)), and the loss is the mean cross entropy. mu and sigma, of the lengths |z|, are
    running averages over batches, and take no gradient.

    Args:
        scale: s; margin: m; concentration: h; share: of a new batch in the running averages.
    """

    def __init__(
        self, scale: float = 64.0, margin: float = 0.4, concentration: float = 0.333, share: float = 0.01
    ) -> None:
        super().__init__()
        self.scale, self.margin, self.concentration, self.share = scale, margin, concentration, share
        self.batch_mean = nn.Buffer(torch.full((1,), 20.0))
        self.batch_std = nn.Buffer(torch.full((1,), 100.0))

    def of(self, lengths: Tensor) -> QualityMargin:
        """The margin for faces whose embeddings had `lengths` (N,); in training these also go into the averages.

        A single face has no deviation and leaves the averages as they are.
        """
        lengths = lengths.detach().float().clamp(*LENGTHS)
        if self.training and len(lengths) > 1:
            self.batch_mean.lerp_(lengths.mean(), self.share)
            self.batch_std.lerp_(lengths.std(), self.share)
        quality = self.concentration * (lengths - self.batch_mean) / (self.batch_std + EDGE)
        return QualityMargin(self.scale, self.margin, quality.clamp(-1, 1))
