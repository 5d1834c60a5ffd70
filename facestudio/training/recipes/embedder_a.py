"""Recipe of `starter-embedder-a`: a dense MobileFaceNet-like network distilled from both teachers.

The teachers' maps at strides 8 and 16 are matched first of all, then their embeddings and the cosines between faces. In
the beginning half of the samples hand the teachers' own stride-8 maps to the later half of the network, so that it need
not wait for the first half; this share falls to nothing. The target embedding is both teachers' unit embeddings side by
side, laid isometrically into 512 dimensions: its cosine is the mean of theirs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from facestudio.networks.embedder import DenseFaceNet
from facestudio.training.embedding import CHANNELS, EmbedderRecipe, unexplained
from facestudio.training.identity_data import STEP
from facestudio.training.loop import Settings


class Recipe(EmbedderRecipe):
    id = "starter-embedder-a"
    architecture = "embedder:DenseFaceNet"
    settings = Settings(
        batch=64,
        lr=6e-4,
        muon=6e-4,
        outer=("early.0",),
        warmup=50,
        ema=0.998,
        weight_decay=2e-4,
        cooldown=1.0,
        validate_minutes=15,
        clip=5.0,
    )
    config: dict[str, Any] = {
        "widths": [32, 64, 160, 256],
        "blocks": [2, 3, 2],
        "bottleneck": 256,
        "features": 1024,
        "dimensions": 512,
    }
    trained_on = (
        "CelebA, FFHQ, StyleGAN2 and StyleGAN3 faces, distilled from MobileFaceNets trained on MS1M and CASIA-WebFace"
    )

    def network(self) -> nn.Module:
        return DenseFaceNet(**self.config)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        middle, late = (batch[key].float().div_(STEP) for key in ("middle", "late"))
        weight = batch["weight"]
        guess = network.early(batch["crops"])
        error_middle = self.unexplained(guess, middle, weight, slice(1, 13))
        taught = self.taught(weight)
        if taught is not None:
            guess = torch.where(taught[:, None, None, None], middle.to(guess.dtype), guess)
        tail = network.late(guess)
        # six columns of the CASIA teacher lie between our seven
        seen = tail.float()
        between = (seen[:, CHANNELS:, :, :6] + seen[:, CHANNELS:, :, 1:]) / 2
        between = torch.cat([between, torch.zeros_like(seen[:, CHANNELS:, :, :1])], 3)
        error_late = self.unexplained(torch.cat([seen[:, :CHANNELS], between], 1), late, weight, slice(0, 6))
        loss, terms, _ = self.like_the_teachers(network.head(tail), batch["target"])
        terms = {"middle": error_middle.item(), "late": error_late.item(), **terms}
        return loss + self.map_weight * (error_middle + error_late), terms

    @staticmethod
    def unexplained(guess: Tensor, truth: Tensor, weight: Tensor, columns: slice) -> Tensor:
        """Share of the maps' variance that is not explained, over the columns that each teacher has."""
        first = unexplained(guess[:, :CHANNELS], truth[:, :CHANNELS], weight)
        second = unexplained(guess[:, CHANNELS:, :, columns], truth[:, CHANNELS:, :, columns], weight)
        return (first + second) / 2
