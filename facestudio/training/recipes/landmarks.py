"""Recipe of `starter-landmarks`: 68 landmarks on a loosely framed crop, from the labels of the landmark teacher.

Five more outputs are the five landmarks of `Face` as the detection teacher sets them: with them the product makes the
detector's own five more exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.landmarks import LandmarkNet
from facestudio.training import data, metrics
from facestudio.training.degradation import degrade, draw
from facestudio.training.loop import Settings

BOX = (52.0, 62.0, 204.0, 232.0)  # what the network sees of an FFHQ_256 crop; the same as in faces/landmarks.py
SIDE = 112
EYES = (slice(36, 42), slice(42, 48))


def mirrored_order() -> np.ndarray:
    """Which landmark stands in each one's place after mirroring (iBUG order, then the five)."""
    order = np.arange(73)
    pairs = [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)]
    pairs += [(31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67), (68, 69), (71, 72)]
    for a, b in pairs:
        order[a], order[b] = b, a
    return order


class Recipe:
    id = "starter-landmarks"
    architecture = "landmarks:LandmarkNet"
    settings = Settings(
        batch=32, lr=1.5e-3, warmup=100, ema=0.998, weight_decay=1e-4, cooldown=0.5, validate_minutes=60
    )
    config: dict[str, Any] = {"widths": [32, 64, 96, 128], "fused": 64, "points": 73}
    trained_on = "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces; labels by a PFLD network"

    def __init__(self, root: Path, cache: Path) -> None:
        self.images_seen = 0
        self.faces = data.faces256(root / "faces", cache)
        many = np.load(root / "faces" / "faces256_landmarks68.npy").astype(np.float32)
        self.points = np.concatenate([many, data.landmarks5(self.faces.rows)], axis=1)
        self.training, self.validation = data.split(self.faces.identity)
        self.order = mirrored_order()

    def network(self) -> nn.Module:
        return LandmarkNet(**self.config)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        return data.prefetch(self.batch, seed, workers=2)

    def view(self, index: int, random: np.random.Generator | None) -> tuple[np.ndarray, np.ndarray]:
        """The network's view of a face and its landmarks in 0..1; jittered and degraded when `random` is given."""
        pixels, points = np.asarray(self.faces.pixels[index]), self.points[index]
        left, top, right, bottom = BOX
        scale = np.array([SIDE / (right - left), SIDE / (bottom - top)])
        matrix = np.array([[scale[0], 0, 0], [0, scale[1], 0]])
        matrix[:, 2] = scale * (0.5 - np.array([left, top])) - 0.5
        if random is not None:
            if random.random() < 0.5:
                pixels, points = pixels[:, ::-1], points[self.order]
                points = np.column_stack([255 - points[:, 0], points[:, 1]])
            centre = ((left + right) / 2, (top + bottom) / 2)
            turn = cv2.getRotationMatrix2D(centre, random.normal(0, 10), float(np.exp(random.normal(-0.03, 0.08))))
            turn[:, 2] = turn[:, 2] + random.normal(0, 6, 2)
            matrix = matrix @ np.vstack([turn, [0, 0, 1]])
        crop = cv2.warpAffine(
            np.ascontiguousarray(pixels),
            matrix,
            (SIDE, SIDE),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        if random is not None and random.random() < 0.5:
            crop = degrade(crop, draw(random, 0.35))  # the crop is a third of what the strengths are meant for
        if random is not None and random.random() < 0.4:
            crop = np.clip(crop * random.uniform(0.5, 1.3) + random.uniform(-25, 25), 0, 255).astype(np.uint8)
        return crop, ((points @ matrix[:, :2].T + matrix[:, 2] + 0.5) / SIDE).astype(np.float32)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        drawn = [self.view(int(i), random) for i in random.choice(self.training, self.settings.batch)]
        return {
            "crops": metrics.tensor(np.stack([crop for crop, _ in drawn])).contiguous(
                memory_format=torch.channels_last
            ),
            "points": torch.from_numpy(np.stack([points for _, points in drawn])),
        }

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        guess = network(batch["crops"]).float()
        loss = functional.smooth_l1_loss(guess, batch["points"], beta=0.02) * 10
        return loss, {"pixels": (guess.detach() - batch["points"]).norm(dim=-1).mean().item() * SIDE}

    @torch.inference_mode()
    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Mean error in shares of the distance between the eyes' centres (NME), on held-out identities, plain and degraded."""
        chosen = self.validation
        figures = {"validation_faces": float(len(chosen))}
        views = [self.view(int(i), None) for i in chosen]
        truth = np.stack([points for _, points in views]) * SIDE
        # the view stretches x and y differently: measure in crop pixels
        unit = np.array([(BOX[2] - BOX[0]) / SIDE, (BOX[3] - BOX[1]) / SIDE])
        truth = truth * unit
        eyes = [truth[:, part].mean(1) for part in EYES]
        distance = np.linalg.norm(eyes[1] - eyes[0], axis=1)
        for name in ("plain", "degraded"):
            crops = np.stack([crop for crop, _ in views])
            if name == "degraded":
                random = np.random.default_rng(0)
                crops = np.stack([degrade(crop, draw(random, 0.3)) for crop in crops])
            parts = [network(metrics.tensor(crops[i : i + 64]).to(device)).cpu() for i in range(0, len(crops), 64)]
            found = torch.cat(parts).float().numpy() * SIDE * unit
            error = np.linalg.norm(found - truth, axis=2) / distance[:, None]
            figures[f"nme_{name}"] = float(error[:, :68].mean())
            figures[f"nme_five_{name}"] = float(error[:, 68:].mean())
            figures[f"failed_{name}"] = float((error[:, :68].mean(1) > 0.08).mean())
        return figures
