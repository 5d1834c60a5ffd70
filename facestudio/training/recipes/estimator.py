"""Recipe of `starter-estimator`: degraded 256 px crop to clean, L1 plus a gradient loss (DifFace's first stage).

A third, small term asks that the CASIA teacher recognise the person (an identity loss as in GFPGAN, Wang et al. 2021).
Validation asks the MS1M teacher, which takes no part in training, so that the figure is not circular. Embedder A, which
judges in the product, was distilled from both, so that its readout of this restorer may flatter a little.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.estimator import EstimatorUNet, gradients
from facestudio.training import data, grid, metrics, teachers
from facestudio.training.degradation import degrade, draw
from facestudio.training.loop import Settings
from facestudio.training.oracles import Recogniser


class Recipe:
    id = "starter-estimator"
    architecture = "estimator:EstimatorUNet"
    method, goal = "quick:Quick", "keep"
    settings = Settings(
        batch=8,
        lr=3e-4,
        muon=8e-4,
        outer=("head", "tail", "places"),
        ema=0.999,
        weight_decay=0.0,
        cooldown=0.9,
        validate_minutes=15,
    )
    config: dict[str, Any] = {"widths": [64, 128, 256, 384], "blocks": 1, "unshuffle": 4, "side": 256}
    trained_on = (
        "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces, 256 px; identity term by a MobileFaceNet trained on "
        "CASIA-WebFace"
    )
    gradient_weight = 0.5
    identity_weight = 0.1

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.faces = data.faces256(root / "faces", cache)
        self.images_seen = 0
        self.training, self.validation = data.split(self.faces.identity)

    def network(self) -> nn.Module:
        return EstimatorUNet(**self.config)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        return data.prefetch(self.batch, seed, workers=2)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        return self.drawn(random)[0]

    def drawn(self, random: np.random.Generator) -> tuple[dict[str, Tensor], list[tuple[int, bool]]]:
        """A batch, and of each of its faces the place among the faces and whether it is mirrored."""
        which = []
        clean = np.empty((self.settings.batch, 256, 256, 3), np.uint8)
        bad = np.empty_like(clean)
        for slot, index in enumerate(random.choice(self.training, self.settings.batch)):
            pixels = self.faces.pixels[index]
            mirrored = random.random() < 0.5
            if mirrored:
                pixels = pixels[:, ::-1]
            which.append((int(index), mirrored))
            pixels = np.ascontiguousarray(pixels)
            if random.random() < 0.05:
                pixels = np.repeat(pixels.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
            clean[slot] = pixels
            bad[slot] = degrade(pixels, draw(random))
        return {"bad": metrics.tensor(bad), "clean": metrics.tensor(clean)}, which

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        guess = network(batch["bad"].contiguous(memory_format=torch.channels_last)).float()
        pixel = functional.l1_loss(guess, batch["clean"])
        edges = sum(functional.l1_loss(a, b) for a, b in zip(gradients(guess), gradients(batch["clean"]), strict=True))
        who = self.who
        apart = (1 - (who(guess) * who(batch["clean"])).sum(1)).mean()
        loss = pixel + self.gradient_weight * edges + self.identity_weight * apart
        return loss, {"l1": pixel.item(), "apart": apart.item()}

    @cached_property
    def who(self) -> Recogniser:
        return Recogniser(teachers.Casia(self.root / "teachers"))

    def restored(self, network: nn.Module, bad: np.ndarray, places: np.ndarray, device: torch.device) -> np.ndarray:
        """What `network` makes of the degraded faces at `places`, all (N, 256, 256, 3) uint8 RGB."""
        return metrics.pixels(network.symmetric(metrics.tensor(bad).to(device)))  # type: ignore[operator]

    @torch.inference_mode()
    def validate(self, network: nn.Module, device: torch.device, count: int = 96) -> dict[str, float]:
        """PSNR, SSIM and identity cosine (judge: the MS1M teacher) at the project's two fixed degradations."""
        judge = teachers.Ms1m(self.root / "teachers")
        chosen = grid.held_out_faces(self.faces, count)
        clean = np.stack([self.faces.pixels[i] for i in chosen])
        points = data.landmarks5([self.faces.rows[i] for i in chosen])
        truth = judge.embed_faces(clean, points)
        figures: dict[str, float] = {"validation_faces": float(len(chosen))}
        for scale in (4, 8):
            bad = grid.Cell("scale", scale).damaged(clean)
            portions = [slice(start, start + 8) for start in range(0, len(bad), 8)]
            good = np.concatenate([self.restored(network, bad[some], chosen[some], device) for some in portions])
            for name, images in (("input", bad), ("output", good)):
                pairs = list(zip(images, clean, strict=True))
                figures[f"psnr_{name}_x{scale}"] = float(np.mean([metrics.psnr(a, b) for a, b in pairs]))
                figures[f"ssim_{name}_x{scale}"] = float(np.mean([metrics.ssim(a, b) for a, b in pairs]))
                cosine = (judge.embed_faces(images, points) * truth).sum(axis=1)
                figures[f"identity_{name}_x{scale}"] = float(cosine.mean())
        return figures
