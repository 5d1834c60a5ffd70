"""What the recipes of the embedders share: crops and how they are disturbed, targets, distillation, validation.

`EmbedderRecipe` is everything but the loss; `distilling` adds that of a network that one teacher teaches. Separate from
`identity_data`, which reads faces and asks the teachers.
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

from facestudio.faces import calibrating
from facestudio.training import data, metrics
from facestudio.training.degradation import Degradation, degrade
from facestudio.training.identity_data import IdentityFaces, all_crops, asked, identity_faces
from facestudio.training.loop import Settings
from facestudio.training.losses import NOBODY
from facestudio.training.mixtures import Mixtures, mixtures

CHANNELS = 128  # of one teacher's maps and embedding
WILD = "celeba_wild"  # large faces of few people: what the bars are stated for
CALIBRATING = (WILD, "celeba_small")  # with the small ones, of many more people


def isometry(rows: int = 256, columns: int = 512, seed: int = 7) -> Tensor:
    """(rows, columns) with orthonormal rows, always the same for a seed."""
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


def unexplained(guess: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Share of the variance of `truth` (B, C, H, W), of variance 1, that `guess` does not explain, by `weight` (B,)."""
    error = (guess.float() - truth).square().mean((1, 2, 3))
    return (error * weight).sum() / weight.sum().clamp(min=1)


def margin_classes(identity: np.ndarray, training: np.ndarray, least: int = 2) -> tuple[np.ndarray, int]:
    """(labels (N,) int64, how many classes): the people of `training` (indices into `identity` (N,)) with `least` faces.

    Everybody else is NOBODY: the held-out people, and those with fewer faces, which no margin can gather.
    """
    names, counts = np.unique(identity[training], return_counts=True)
    classes = {name: index for index, name in enumerate(names[counts >= least])}
    labels = np.full(len(identity), NOBODY, np.int64)
    for index in training:
        labels[index] = classes.get(identity[index], NOBODY)
    return labels, len(classes)


class EmbedderRecipe:
    """Crops, disturbances, targets and validation of an embedder; `loss` and the class attributes are the recipe's own.

    Args:
        root: folder with faces/ and teachers/; cache: folder of the packed crops and the teachers' answers.
    """

    id: str
    architecture: str
    settings: Settings
    config: dict[str, Any]
    trained_on: str
    teachers: tuple[str, ...] = ("ms1m", "casia")
    channels = slice(None)  # of the cached maps
    target_seed = 7
    degraded_share = 0.4
    moved_share = 0.25
    forced_until = 60_000  # images
    map_weight = 1.0
    embedding_weight = 4.0
    relation_weight = 10.0
    mixed_share = 0.0  # of the batch: faces made of two; for recipes of one teacher
    mixed_count = 60_000
    mixed_seed = 32  # another one for each version of the weights: other faces

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.cache = root, cache
        self.crops, self.identity, self.source = all_crops(root, cache)
        self.training, self.validation = data.split(self.identity)
        self.labels, self.classes = margin_classes(self.identity, self.training)
        self.people = np.unique(self.identity, return_inverse=True)[1].astype(np.int64)
        self.isometry = isometry(CHANNELS * len(self.teachers), 512, self.target_seed)
        self.images_seen = 0

    @cached_property
    def faces(self) -> IdentityFaces:
        """The teachers' answers too; asks them on the first use."""
        return identity_faces(self.root, self.cache)

    @cached_property
    def mixed(self) -> Mixtures:
        return mixtures(
            self.root, self.cache, self.teachers[0], self.crops, self.training, self.mixed_count, self.mixed_seed
        )

    def answers(self, rows: np.ndarray) -> np.ndarray:
        """What the recipe's teachers say of `rows` of the tables: unit vectors (n, 128 a teacher) float32."""
        side_by_side = [getattr(self.faces, name)[rows] for name in self.teachers]
        return np.concatenate(side_by_side, axis=1).astype(np.float32) / np.float32(np.sqrt(len(side_by_side)))

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        _ = self.faces, self.mixed_share and self.mixed  # before any thread needs them
        return data.prefetch(self.batch, seed, workers=2)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        """Disturbed crops with the teachers' answers to the undisturbed ones; `weight` says how well the maps fit."""
        size = self.settings.batch
        drawn = round(self.mixed_share * size)
        chosen = np.sort(random.choice(self.training, size - drawn, replace=len(self.training) < size - drawn))
        mirrored = random.integers(0, 2, len(chosen))
        rows = 2 * chosen + mirrored
        faces = [
            self.crops[index][:, ::-1] if flip else self.crops[index]
            for index, flip in zip(chosen, mirrored, strict=True)
        ]
        parts = {
            "target": [self.answers(rows)],
            "middle": [self.faces.middle[rows, self.channels]],
            "late": [self.faces.late[rows, self.channels]],
            "label": [self.labels[chosen]],
            "person": [self.people[chosen]],
        }
        if drawn:
            made = np.sort(random.choice(self.mixed_count, drawn, replace=self.mixed_count < drawn))
            faces += [self.mixed.crops[index] for index in made]
            parts["target"].append(self.mixed.embedding[made])
            parts["middle"].append(self.mixed.middle[made])
            parts["late"].append(self.mixed.late[made])
            parts["label"].append(np.full(drawn, NOBODY, np.int64))
            parts["person"].append(len(self.crops) + made)
        crops, weight = zip(*(self.disturbed(face, random) for face in faces), strict=True)
        whole = {name: torch.from_numpy(np.concatenate(values)) for name, values in parts.items()}
        return whole | {
            "crops": metrics.tensor(np.stack(crops)).contiguous(memory_format=torch.channels_last),
            "target": whole["target"] @ self.isometry,
            "weight": torch.tensor(weight, dtype=torch.float32),
        }

    def disturbed(self, crop: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, float]:
        """`crop` (112, 112, 3) moved, tinted, degraded or none of these, and how well the teacher's maps still fit, 0..1."""
        weight = 1.0
        crop = np.ascontiguousarray(crop)
        if random.random() < self.moved_share:
            matrix = cv2.getRotationMatrix2D((55.5, 55.5), random.uniform(-5, 5), random.uniform(0.93, 1.07))
            matrix[:, 2] = matrix[:, 2] + random.uniform(-3, 3, 2)
            crop = cv2.warpAffine(crop, matrix, (112, 112), borderMode=cv2.BORDER_REFLECT)
            weight = 0.0
        if random.random() < 0.3:
            gain, bias = random.uniform(0.7, 1.25), random.uniform(-20, 20)
            tint = random.uniform(0.92, 1.08, 3)
            crop = np.clip(crop * (gain * tint) + bias, 0, 255).astype(np.uint8)
        if random.random() < self.degraded_share:
            crop = degrade(crop, draw112(random))
            weight *= 0.3
        return crop, weight

    def taught(self, weight: Tensor) -> Tensor | None:
        """Which samples (B,) get the teachers' maps handed over, only ones whose maps fit; None when that time is over."""
        share = 0.5 * max(0.0, 1 - self.images_seen / self.forced_until)
        if share == 0:
            return None
        return (torch.rand(len(weight)) < share).to(weight.device) & (weight > 0)

    def like_the_teachers(self, raw: Tensor, target: Tensor) -> tuple[Tensor, dict[str, float], Tensor]:
        """(loss, its terms, unit embeddings) of `raw` embeddings (B, D): near `target`, and as far from one another."""
        embedding = functional.normalize(raw.float(), dim=1)
        apart = (1 - (embedding * target).sum(1)).mean()
        relation = (embedding @ embedding.T - target @ target.T).square().mean()
        loss = self.embedding_weight * apart + self.relation_weight * relation
        return loss, {"cosine": 1 - apart.item(), "relation": relation.item()}, embedding

    @torch.inference_mode()
    def embed(self, network: nn.Module, crops: np.ndarray, device: torch.device) -> np.ndarray:
        """Unit embeddings (N, D) of `crops` (N, 112, 112, 3) uint8, summed over mirroring."""
        parts = []
        for start in range(0, len(crops), 64):
            batch = metrics.tensor(crops[start : start + 64]).to(device)
            parts.append(network.symmetric(batch).cpu().numpy())
        return np.concatenate(parts)

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, Any]:
        """TAR at FAR on held-out in-the-wild CelebA identities, plain and reduced; and the calibration."""
        held = self.held_out()
        source, identity = self.source[held], self.identity[held]
        found = self.embed(network, self.crops[held], device)
        wild = source == WILD
        same, different = calibrating.pairs(found[wild], identity[wild])
        figures: dict[str, Any] = {
            "validation_faces": float(wild.sum()),
            "validation_identities": float(len(set(identity[wild]))),
        }
        for far in (1e-1, 1e-2, 1e-3, 1e-4):
            figures[f"tar_at_far_{far:.0e}"] = calibrating.tar_at_far(same, different, far)[0]
        figures |= self.reduced(network, device, found[wild], held[wild])
        figures |= calibrated(found, identity, source)
        # how far a threshold carries: measured on the small faces' people, tried on the others
        carried = float(np.quantile(calibrating.pairs(found[~wild], identity[~wild])[1], 1 - 1e-3))
        figures["far_of_calibrated_1e-03"] = float(np.mean(different >= carried))
        if asked(self.cache):
            both = self.answers(2 * held[wild]) + self.answers(2 * held[wild] + 1)
            both /= np.linalg.norm(both, axis=1, keepdims=True)
            figures["teachers_tar_at_far_1e-03"] = calibrating.tar_at_far(
                *calibrating.pairs(both, identity[wild]), 1e-3
            )[0]
        return figures

    def held_out(self) -> np.ndarray:
        """Indices of the held-out faces that calibrate: of CelebA, where people have several pictures."""
        return self.validation[np.isin(self.source[self.validation], CALIBRATING)]

    def reduced(
        self, network: nn.Module, device: torch.device, found: np.ndarray, chosen: np.ndarray
    ) -> dict[str, float]:
        """TAR at FAR 1e-3 when one face of each pair of `chosen`, embedded as `found`, was reduced to 32 and 16 px."""
        figures = {}
        identity = self.identity[chosen]
        same = identity[:, None] == identity[None]
        off = ~np.eye(len(chosen), dtype=bool)
        for side in (32, 16):
            small = np.stack([degrade(self.crops[index], Degradation(scale=112 / side)) for index in chosen])
            cosine = found @ self.embed(network, small, device).T
            figures[f"tar_at_far_1e-03_{side}px"] = calibrating.tar_at_far(cosine[same & off], cosine[~same], 1e-3)[0]
        return figures


def calibrated(found: np.ndarray, identity: np.ndarray, source: np.ndarray) -> dict[str, Any]:
    """What cosines of unit embeddings `found` (N, D) mean, as keys "calibration.*": see faces/calibrating.py."""
    figures: dict[str, Any] = {
        "calibration_faces": float(len(found)),
        "calibration_identities": float(len(set(identity))),
    }
    for name, value in calibrating.calibration_of(found, identity, source, sure_of=calibrating.RATES[1:]).items():
        if isinstance(value, dict):
            figures |= {f"calibration.{name}.{far}": each for far, each in value.items()}
        else:
            figures[f"calibration.{name}"] = value
    return figures
