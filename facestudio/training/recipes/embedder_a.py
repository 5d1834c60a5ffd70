"""Recipe of `starter-embedder-a`: a dense MobileFaceNet-like network distilled from both teachers.

The teachers' maps at strides 8 and 16 are matched first of all, then their embeddings and the cosines between faces. In
the beginning half of the samples hand the teachers' own stride-8 maps to the later half of the network, so that it need
not wait for the first half; this share falls to nothing. The target embedding is both teachers' unit embeddings side by
side, laid isometrically into 512 dimensions: its cosine is the mean of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.embedder import DenseFaceNet
from facestudio.training import data, metrics, teachers
from facestudio.training.degradation import Degradation, degrade
from facestudio.training.identity_data import STEP, IdentityFaces, all_crops, asked, identity_faces
from facestudio.training.loop import Settings


def isometry(rows: int = 256, columns: int = 512, seed: int = 7) -> Tensor:
    """(rows, columns) with orthonormal rows, always the same."""
    random = np.random.default_rng(seed).standard_normal((columns, rows))
    return torch.from_numpy(np.linalg.qr(random)[0].T.astype(np.float32).copy())


def draw112(random: np.random.Generator) -> Degradation:
    """A degradation of a 112 px crop: blur, reduction down to 14 px, noise, JPEG, grey."""
    scale = float(np.exp(random.uniform(0, np.log(8)))) if random.random() < 0.8 else 1.0
    sigma = float(random.uniform(0.2, 0.2 + 0.45 * scale))
    return Degradation(
        sigma=(sigma, sigma),
        scale=scale,
        noise=float(random.uniform(0, 16)) if random.random() < 0.6 else 0.0,
        jpeg=int(random.integers(25, 96)) if random.random() < 0.7 else 0,
        grey=bool(random.random() < 0.15),
        upscaler=int(random.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])),
        seed=int(random.integers(2**31)),
    )


class Recipe:
    id = "starter-embedder-a"
    architecture = "embedder:DenseFaceNet"
    settings = Settings(
        batch=64, lr=2e-3, warmup=150, ema=0.998, weight_decay=2e-4, cooldown=0.5, validate_minutes=8, clip=5.0
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
    degraded_share = 0.4
    moved_share = 0.25
    forced_until = 60_000  # images
    map_weight = 1.0
    embedding_weight = 4.0
    relation_weight = 10.0

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.cache = root, cache
        self.crops, self.identity, self.source = all_crops(root, cache)
        self.training, self.validation = data.split(self.identity)
        self.isometry = isometry()
        self.images_seen = 0

    @cached_property
    def faces(self) -> IdentityFaces:
        """The teachers' answers too; asks them on the first use."""
        return identity_faces(self.root, self.cache)

    def network(self) -> nn.Module:
        return DenseFaceNet(**self.config)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        _ = self.faces  # before any thread needs it
        return data.prefetch(self.batch, seed, workers=2)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        size = self.settings.batch
        crops = np.empty((size, 112, 112, 3), np.uint8)
        rows = np.empty(size, np.int64)
        weight = np.ones(size, np.float32)
        for slot, index in enumerate(np.sort(random.choice(self.training, size, replace=False))):
            mirrored = int(random.random() < 0.5)
            rows[slot] = 2 * index + mirrored
            crop = self.crops[index]
            crop = np.ascontiguousarray(crop[:, ::-1] if mirrored else crop)
            if random.random() < self.moved_share:
                matrix = cv2.getRotationMatrix2D((55.5, 55.5), random.uniform(-5, 5), random.uniform(0.93, 1.07))
                matrix[:, 2] = matrix[:, 2] + random.uniform(-3, 3, 2)
                crop = cv2.warpAffine(crop, matrix, (112, 112), borderMode=cv2.BORDER_REFLECT)
                weight[slot] = 0.0  # the maps would not fit
            if random.random() < 0.3:
                gain, bias = random.uniform(0.7, 1.25), random.uniform(-20, 20)
                tint = random.uniform(0.92, 1.08, 3)
                crop = np.clip(crop * (gain * tint) + bias, 0, 255).astype(np.uint8)
            if random.random() < self.degraded_share:
                crop = degrade(crop, draw112(random))
                weight[slot] *= 0.3
            crops[slot] = crop
        target = np.concatenate([self.faces.ms1m[rows], self.faces.casia[rows]], axis=1) / np.sqrt(2)
        return {
            "crops": metrics.tensor(crops).contiguous(memory_format=torch.channels_last),
            "target": torch.from_numpy(target.astype(np.float32)) @ self.isometry,
            "middle": torch.from_numpy(self.faces.middle[rows]),
            "late": torch.from_numpy(self.faces.late[rows]),
            "weight": torch.from_numpy(weight),
        }

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        middle, late = (batch[key].float().div_(STEP) for key in ("middle", "late"))
        weight = batch["weight"]
        guess = network.early(batch["crops"])
        error_middle = self.unexplained(guess.float(), middle, weight, slice(1, 13))
        share = 0.5 * max(0.0, 1 - self.images_seen / self.forced_until)
        if share > 0:
            # taught samples are those whose maps fit
            taught = (torch.rand(len(weight)) < share).to(weight.device) & (weight > 0)
            guess = torch.where(taught[:, None, None, None], middle.to(guess.dtype), guess)
        tail = network.late(guess)
        # six columns of the CASIA teacher lie between our seven
        seen = tail.float()
        between = torch.cat(
            [(seen[:, 128:, :, :6] + seen[:, 128:, :, 1:]) / 2, torch.zeros_like(seen[:, 128:, :, :1])], 3
        )
        error_late = self.unexplained(torch.cat([seen[:, :128], between], 1), late, weight, slice(0, 6))
        embedding = functional.normalize(network.head(tail).float(), dim=1)
        target = batch["target"]
        apart = 1 - (embedding * target).sum(1)
        relation = (embedding @ embedding.T - target @ target.T).square().mean()
        loss = (
            self.map_weight * (error_middle + error_late)
            + self.embedding_weight * apart.mean()
            + self.relation_weight * relation
        )
        return loss, {
            "middle": error_middle.item(),
            "late": error_late.item(),
            "cosine": 1 - apart.mean().item(),
            "relation": relation.item(),
        }

    @staticmethod
    def unexplained(guess: Tensor, truth: Tensor, weight: Tensor, columns: slice) -> Tensor:
        """Share of the maps' variance that is not explained, over the columns that each teacher has."""
        first = (guess[:, :128] - truth[:, :128]).square().mean((1, 2, 3))
        second = (guess[:, 128:, :, columns] - truth[:, 128:, :, columns]).square().mean((1, 2, 3))
        return ((first + second) * weight).sum() / (2 * weight.sum().clamp(min=1))

    @torch.inference_mode()
    def embed(self, network: nn.Module, crops: np.ndarray, device: torch.device) -> np.ndarray:
        parts = []
        for start in range(0, len(crops), 64):
            batch = metrics.tensor(crops[start : start + 64]).to(device)
            parts.append(network.symmetric(batch).cpu().numpy())
        return np.concatenate(parts)

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """TAR at FAR on held-out in-the-wild CelebA identities, plain and reduced; and the calibration."""
        chosen = [i for i in self.validation if self.source[i] == "celeba_wild"]
        identity = self.identity[chosen]
        faces = data.faces256(self.root / "faces", self.cache)  # these come first among all faces, in this order
        points = data.landmarks5(faces.rows)
        crops = np.stack([teachers.crop112(np.asarray(faces.pixels[i]), points[i]) for i in chosen])
        found = self.embed(network, crops, device)
        same, different = metrics.pairs(found, identity)
        figures = {"validation_faces": float(len(chosen)), "validation_identities": float(len(set(identity)))}
        for far in (1e-1, 1e-2, 1e-3, 1e-4):
            tar, threshold = metrics.tar_at_far(same, different, far)
            figures[f"tar_at_far_{far:.0e}"] = tar
            figures[f"calibration.thresholds.{far:.0e}"] = threshold
        for name, cosines in (("same", same), ("different", different)):
            figures[f"calibration.{name}_mean"] = float(cosines.mean())
            figures[f"calibration.{name}_std"] = float(cosines.std())
        for side in (32, 16):
            reduced = np.stack([degrade(crop, Degradation(scale=112 / side)) for crop in crops])
            again = self.embed(network, reduced, device)
            cosine = found @ again.T
            upper = identity[:, None] == identity[None]
            off = ~np.eye(len(chosen), dtype=bool)
            figures[f"tar_at_far_1e-03_{side}px"] = metrics.tar_at_far(cosine[upper & off], cosine[~upper], 1e-3)[0]
        if asked(self.cache):
            targets = np.concatenate([self.faces.ms1m, self.faces.casia], 1)
            both = np.stack([targets[2 * i] + targets[2 * i + 1] for i in chosen])
            both /= np.linalg.norm(both, axis=1, keepdims=True)
            figures["teachers_tar_at_far_1e-03"] = metrics.tar_at_far(*metrics.pairs(both, identity), 1e-3)[0]
        return figures
