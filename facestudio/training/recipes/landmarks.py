"""Recipe of `starter-landmarks`: 68 landmarks on a loosely framed crop, from the labels of the landmark teacher.

Five more points are the landmarks of `Face` as the detection teacher sets them, and one more output tells faces from
what the detector mistakes for faces: with both the product looks closely at what was detected. What is no face are places
of the training photos: random ones, and those where the detector that is being trained (or shipped) errs.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.faces.align import similarity_transform, warp
from facestudio.faces.detect import Detector
from facestudio.faces.face import FFHQ_256
from facestudio.networks.landmarks import LandmarkNet
from facestudio.paths import weights_dir
from facestudio.training import data, metrics
from facestudio.training.degradation import degrade, draw
from facestudio.training.loop import Settings, fill
from facestudio.training.recipes.detector import Recipe as DetectorRecipe
from facestudio.training.recipes.detector import plain_overlaps

BOX = (52.0, 62.0, 204.0, 232.0)  # what the network sees of an FFHQ_256 crop; the same as in faces/landmarks.py
SIDE = 112
EYES = (slice(36, 42), slice(42, 48))
FIVE_MIRRORED = [1, 0, 2, 4, 3]
UNMOVED = np.array([[1.0, 0, 0], [0, 1, 0]])
log = logging.getLogger(__name__)


def mirrored_order() -> np.ndarray:
    """Which landmark stands in each one's place after mirroring (iBUG order, then the five)."""
    order = np.arange(73)
    pairs = [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)]
    pairs += [(31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58), (60, 64), (61, 63), (65, 67), (68, 69), (71, 72)]
    for a, b in pairs:
        order[a], order[b] = b, a
    return order


def find_mistakes(photos: DetectorRecipe, runs: Path) -> list[tuple[int, np.ndarray]]:
    """Where the detector sees faces of training photos that have none: (photo, five landmarks (5, 2))."""
    network = photos.network()
    last = runs / photos.id / "last.pt"
    if last.exists():
        network.load_state_dict(torch.load(last, map_location="cpu", weights_only=True)["average"])
    elif not fill(network, weights_dir() / f"{photos.id}.safetensors"):
        return []
    detector = Detector(network.eval())
    found = []
    for index in photos.training:
        for face in detector.detect(photos.pixels[index], minimum_score=0.15):
            clear = plain_overlaps(face.box, photos.photos[index].boxes).max() < 0.1
            if clear and np.ptp(face.landmarks, axis=0).min() > 1:
                found.append((int(index), face.landmarks))
    return found


class Recipe:
    id = "starter-landmarks"
    architecture = "landmarks:LandmarkNet"
    settings = Settings(batch=48, lr=2e-3, warmup=100, ema=0.998, weight_decay=1e-4, cooldown=0.5, validate_minutes=60)
    config: dict[str, Any] = {"widths": [32, 64, 96, 128], "fused": 64, "points": 73}
    trained_on = "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces; labels by a PFLD network"

    def __init__(self, root: Path, cache: Path) -> None:
        self.images_seen = 0
        self.faces = data.faces256(root / "faces", cache)
        many = np.load(root / "faces" / "faces256_landmarks68.npy").astype(np.float32)
        self.points = np.concatenate([many, data.landmarks5(self.faces.rows)], axis=1)
        self.training, self.validation = data.split(self.faces.identity)
        self.order = mirrored_order()
        self.root, self.cache = root, cache
        self.photo_faces: list[tuple[int, np.ndarray]] = []
        self.mistakes: list[tuple[int, np.ndarray]] = []

    def network(self) -> nn.Module:
        return LandmarkNet(**self.config)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        self.photos = DetectorRecipe(self.root, self.cache)
        for index in self.photos.training:
            label = self.photos.photos[index]
            self.photo_faces += [(int(index), five) for five in label.points]
        self.mistakes = find_mistakes(self.photos, self.cache.parent)
        log.info("%d faces of photos, %d mistakes of the detector", len(self.photo_faces), len(self.mistakes))
        return data.prefetch(self.batch, seed, workers=2)

    def view(
        self, pixels: np.ndarray, points: np.ndarray, matrix: np.ndarray, random: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """The network's view through `matrix` (photo to FFHQ_256 crop) and `points` (N, 2) in 0..1 of it.

        Jittered, mirrored and degraded when a numpy generator `random` is given.
        """
        left, top, right, bottom = BOX
        scale = np.array([SIDE / (right - left), SIDE / (bottom - top)])
        look = np.array([[scale[0], 0, 0], [0, scale[1], 0]])
        look[:, 2] = scale * (0.5 - np.array([left, top])) - 0.5
        if random is not None:
            centre = ((left + right) / 2, (top + bottom) / 2)
            turn = cv2.getRotationMatrix2D(centre, random.normal(0, 10), float(np.exp(random.normal(-0.03, 0.09))))
            turn[:, 2] = turn[:, 2] + random.normal(0, 6, 2)
            look = look @ np.vstack([turn, [0, 0, 1]])
        look = look @ np.vstack([matrix, [0, 0, 1]])
        crop = warp(pixels, look, (SIDE, SIDE))
        points = points @ look[:, :2].T + look[:, 2]
        if random is not None:
            if random.random() < 0.5:
                crop = np.ascontiguousarray(crop[:, ::-1])
                order = self.order if len(points) == 73 else FIVE_MIRRORED
                points = np.column_stack([SIDE - 1 - points[:, 0], points[:, 1]])[order]
            if random.random() < 0.5:
                crop = degrade(crop, draw(random, 0.35))  # the crop is a third of what the strengths are meant for
            if random.random() < 0.4:
                crop = np.clip(crop * random.uniform(0.5, 1.3) + random.uniform(-25, 25), 0, 255).astype(np.uint8)
            if random.random() < 0.15:
                crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        return crop, ((points + 0.5) / SIDE).astype(np.float32)

    def drawn(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
        """One sample: crop, points (73, 2), and what is known: 2 all points, 1 the last five, 0 not a face."""
        chance = random.random()
        points = np.zeros((73, 2), np.float32)
        if chance < 0.6:
            index = int(random.choice(self.training))
            crop, points = self.view(np.asarray(self.faces.pixels[index]), self.points[index], UNMOVED, random)
            return crop, points, 2
        if chance < 0.78:
            index, five = self.photo_faces[random.integers(len(self.photo_faces))]
            matrix = similarity_transform(five, FFHQ_256.points)
            crop, points[68:] = self.view(self.photos.pixels[index], five, matrix, random)
            return crop, points, 1
        if chance < 0.92 and self.mistakes:
            index, five = self.mistakes[random.integers(len(self.mistakes))]
            crop, _ = self.view(self.photos.pixels[index], five, similarity_transform(five, FFHQ_256.points), random)
            return crop, points, 0
        while True:
            index = int(random.choice(self.photos.training))
            pixels, label = self.photos.pixels[index], self.photos.photos[index]
            side = float(np.exp(random.uniform(np.log(16), np.log(300))))  # of a face that would be seen there
            middle = random.uniform(0, 1, 2) * [pixels.shape[1], pixels.shape[0]]
            box = np.concatenate([middle - side / 2, middle + side / 2])
            if plain_overlaps(box, label.boxes).max() < 0.1:
                scale = 130 / side
                turn = np.radians(random.uniform(-30, 30))
                linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
                matrix = np.column_stack([linear, np.array([128.0, 147.0]) - linear @ middle])
                return self.view(pixels, np.zeros((5, 2)), matrix, random)[0], points, 0

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        crops, points, known = zip(*(self.drawn(random) for _ in range(self.settings.batch)), strict=True)
        return {
            "crops": metrics.tensor(np.stack(crops)).contiguous(memory_format=torch.channels_last),
            "points": torch.from_numpy(np.stack(points)),
            "known": torch.tensor(known),
        }

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        guess, logits = network(batch["crops"])
        known = batch["known"]
        weight = (known == 2).float()[:, None].repeat(1, 73)
        weight[:, 68:] = 12.0 * (known > 0).float()[:, None]  # else the 68 would drown them
        apart = functional.smooth_l1_loss(guess.float(), batch["points"], beta=0.02, reduction="none").mean(-1)
        points = (apart * weight).sum() / weight.sum().clamp(min=1)
        face = functional.binary_cross_entropy_with_logits(logits.float(), (known > 0).float())
        error = (guess.detach().float() - batch["points"]).norm(dim=-1)
        pixels = (error * weight).sum() / weight.sum().clamp(min=1) * SIDE
        return 20 * points + 0.3 * face, {"pixels": pixels.item(), "face": face.item()}

    @torch.inference_mode()
    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Mean error in shares of the distance between the eyes' centres (NME), on held-out identities, plain and degraded."""
        chosen = self.validation
        figures = {"validation_faces": float(len(chosen))}
        views = [self.view(np.asarray(self.faces.pixels[i]), self.points[i], UNMOVED, None) for i in chosen]
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
            parts = [network(metrics.tensor(crops[i : i + 64]).to(device))[0].cpu() for i in range(0, len(crops), 64)]
            found = torch.cat(parts).float().numpy() * SIDE * unit
            error = np.linalg.norm(found - truth, axis=2) / distance[:, None]
            figures[f"nme_{name}"] = float(error[:, :68].mean())
            figures[f"nme_five_{name}"] = float(error[:, 68:].mean())
            figures[f"failed_{name}"] = float((error[:, :68].mean(1) > 0.08).mean())
        return figures
