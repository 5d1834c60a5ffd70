"""Recipe of `starter-embedder-c`: a small Vision Transformer distilled from the CASIA teacher.

The third family, and the teacher that embedder B does not hear. The teacher sees 96 of the 112 columns: its map at stride 8
lies on the middle twelve columns of our fourteen, and each place of its map at stride 16 on two by two of those.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from facestudio.networks.vit import FaceTransformer
from facestudio.training.distilling import Distilled
from facestudio.training.embedding import CHANNELS
from facestudio.training.loop import Settings
from facestudio.training.whitening import fold


class Recipe(Distilled):
    id = "starter-embedder-c"
    architecture = "vit:FaceTransformer"
    settings = Settings(
        batch=32,
        lr=1.7e-3,
        warmup=300,
        ema=0.998,
        weight_decay=0.02,
        cooldown=0.7,
        validate_minutes=30,
        clip=5.0,
        seed=2,
    )
    on_gpu = replace(settings, batch=256, lr=2.5e-3, warmup=200)
    config: dict[str, Any] = {
        "width": 144,
        "heads": 3,
        "depth": 12,
        "ratio": 2.0,
        "stem": [32, 64],
        "refined": 2,
        "local": True,
        "features": 512,
        "dimensions": 512,
    }
    trained_on = "CelebA, FFHQ, StyleGAN2 and StyleGAN3 faces, distilled from a MobileFaceNet trained on CASIA-WebFace"
    teachers = ("casia",)
    channels = slice(CHANNELS, 2 * CHANNELS)
    target_seed = 9
    exit_weight = 0.25
    forced_until = 30_000
    mixed_share = 0.5
    columns = slice(1, 13)
    late_columns = slice(0, 6)

    def bare(self) -> nn.Module:
        return FaceTransformer(**self.config)

    def projections(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        width = self.config["width"]
        return nn.Conv2d(width, CHANNELS, 1), nn.Conv2d(width, CHANNELS, 2, 2)

    def fold(self, network: nn.Module, matrix: Tensor) -> None:
        assert isinstance(network, FaceTransformer)
        fold(network.fc, matrix)
