"""Recipe of `starter-embedder-b`: a slim IR-ResNet that learns from the MS1M teacher and from who people are.

Of another family than embedder A and without its second teacher, so that the two err differently. A margin loss gathers
the faces of each training identity with at least two faces (CelebA's) around a centre, which begins at the mean of the
teacher's embeddings; people of whom there is one picture only (FFHQ, StyleGAN) are distilled and no class.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from facestudio.networks.iresnet import IResNet
from facestudio.training import metrics
from facestudio.training.distilling import Distilled
from facestudio.training.embedding import CHANNELS
from facestudio.training.loop import Settings, Taught
from facestudio.training.losses import CosFace
from facestudio.training.whitening import fold, settle


class Recipe(Distilled):
    id = "starter-embedder-b"
    architecture = "iresnet:IResNet"
    settings = Settings(
        batch=32,
        lr=1.5e-3,
        warmup=200,
        ema=0.998,
        weight_decay=2e-4,
        cooldown=0.7,
        validate_minutes=30,
        clip=5.0,
        seed=1,
    )
    on_gpu = replace(settings, batch=256, lr=2.5e-3, warmup=200)
    config: dict[str, Any] = {
        "layers": [2, 4, 2],
        "widths": [32, 64, 128, 256],
        "stem_stride": 2,
        "reduced": 64,
        "dimensions": 512,
    }
    trained_on = (
        "CelebA identities, FFHQ, StyleGAN2 and StyleGAN3 faces, distilled from a MobileFaceNet trained on MS1M"
    )
    teachers = ("ms1m",)
    channels = slice(0, CHANNELS)
    target_seed = 8
    margin = CosFace(32.0, 0.35)
    forced_until = 30_000
    mixed_share = 0.5

    def bare(self) -> nn.Module:
        return IResNet(**self.config)

    def projections(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        middle, late = self.config["widths"][-2:]
        return nn.Conv2d(middle, CHANNELS, 1), nn.Conv2d(late, CHANNELS, 1)

    def fold(self, network: nn.Module, matrix: Tensor) -> None:
        assert isinstance(network, IResNet)
        fold(network.fc, matrix, network.features)

    def begin(self, network: Taught) -> None:
        """That too; and the last normalisation, which `finish` emptied, takes nothing away when it gets batches again."""
        super().begin(network)
        student = network.network
        assert isinstance(student, IResNet)
        device = next(student.parameters()).device
        faces = self.crops[self.training[:: max(1, len(self.training) // 1000)]]
        portions = [metrics.tensor(faces[start : start + 64]).to(device) for start in range(0, len(faces), 64)]
        with torch.no_grad():
            settle(student.features, torch.cat([student(portion) for portion in portions]))
