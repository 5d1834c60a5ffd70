"""Recipe of `starter-landmarks`: 68 landmarks on a loosely framed crop, from the labels of the landmark teacher.

Five more points are the landmarks of `Face` as the detection teacher sets them, and one more output tells faces from
what the detector mistakes for faces: with both the product looks closely at what was detected. What is no face are places
of the training photos: random ones, and those where the detector that is being trained (or shipped) errs.

The head pose is a task of its own. Its labels are rotations of the mean face of all training faces, fitted to the 68 labels
of each; the tasks' weights are learned (MOS: see `weighting`). `assisted` trains the 68 with KD-Loss (see `assistance`)
instead of a plain one: the labels are truth and tough teacher, and the labels as an active shape model says them the tolerant
one. It is off because the labels are known to be noisy, and no training has shown yet that it gains anything.
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
from facestudio.faces.pose import angles, fit_rotation
from facestudio.networks.landmarks import LandmarkNet
from facestudio.paths import weights_dir
from facestudio.training import data, metrics
from facestudio.training.assistance import kd_loss
from facestudio.training.degradation import degrade, draw
from facestudio.training.loop import Settings, Taught, fill
from facestudio.training.recipes.detector import Recipe as DetectorRecipe
from facestudio.training.recipes.detector import plain_overlaps
from facestudio.training.shapes import ShapeModel, mean_face
from facestudio.training.weighting import UncertaintyWeights

BOX = (52.0, 62.0, 204.0, 232.0)  # what the network sees of an FFHQ_256 crop; the same as in faces/landmarks.py
SIDE = 112
EYES = (slice(36, 42), slice(42, 48))
AXES = ("yaw", "pitch", "roll")
FIVE_MIRRORED = [1, 0, 2, 4, 3]
UNMOVED = np.array([[1.0, 0, 0], [0, 1, 0]])
EXTENT = np.array(
    [BOX[2] - BOX[0], BOX[3] - BOX[1]]
)  # the view stretches x and y differently: points times this do not
WEIGHTS = {"many": 10.0, "five": 10.0, "face": 0.3, "pose": 5.0}  # of the tasks, to begin with
ASSISTED_WEIGHT = 1.5  # of the 68 with KD-Loss, which is steeper
KEPT = 0.9  # share of the shapes' variance that the tolerant teacher knows
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
    settings = Settings(
        batch=48, lr=2e-3, warmup=100, ema=0.998, weight_decay=1e-4, cooldown=0.5, validate_minutes=60, added=("pose.",)
    )
    config: dict[str, Any] = {"widths": [32, 64, 96, 128], "fused": 64, "points": 73, "pose": True}
    assisted = False
    trained_on = "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces; labels by a PFLD network"

    def __init__(self, root: Path, cache: Path) -> None:
        self.images_seen = 0
        self.faces = data.faces256(root / "faces", cache)
        many = np.load(root / "faces" / "faces256_landmarks68.npy").astype(np.float32)
        self.points = np.concatenate([many, data.landmarks5(self.faces.rows)], axis=1)
        self.training, self.validation = data.split(self.faces.identity)
        self.order = mirrored_order()
        self.mean_face = mean_face(self.points[self.training, :68], self.order[:68])
        known = self.points[self.training]
        self.soft = ShapeModel.of(known, KEPT).smooth(self.points) if self.assisted else self.points
        self.root, self.cache = root, cache
        self.photo_faces: list[tuple[int, np.ndarray]] = []
        self.mistakes: list[tuple[int, np.ndarray]] = []

    def network(self) -> nn.Module:
        weights = WEIGHTS | ({"many": ASSISTED_WEIGHT} if self.assisted else {})
        return Taught(
            LandmarkNet(**self.config), nn.ModuleDict({"tasks": UncertaintyWeights(weights, classifications=("face",))})
        )

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
        """The network's view through `matrix` (photo to FFHQ_256 crop) and `points` (..., N, 2) in 0..1 of it.

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
                order = self.order if points.shape[-2] == 73 else FIVE_MIRRORED
                points = (points * (-1, 1) + (SIDE - 1, 0))[..., order, :]
            if random.random() < 0.5:
                crop = degrade(crop, draw(random, 0.35))  # the crop is a third of what the strengths are meant for
            if random.random() < 0.4:
                crop = np.clip(crop * random.uniform(0.5, 1.3) + random.uniform(-25, 25), 0, 255).astype(np.uint8)
            if random.random() < 0.15:
                crop = np.repeat(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        return crop, ((points + 0.5) / SIDE).astype(np.float32)

    def drawn(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
        """One sample: crop, points (2, 73, 2), and what is known: 2 all points, 1 the last five, 0 not a face.

        The first points are the labels, the second those of the tolerant teacher.
        """
        chance = random.random()
        points = np.zeros((2, 73, 2), np.float32)
        if chance < 0.6:
            index = int(random.choice(self.training))
            both = np.stack([self.points[index], self.soft[index]])
            crop, points = self.view(np.asarray(self.faces.pixels[index]), both, UNMOVED, random)
            return crop, points, 2
        if chance < 0.78:
            index, five = self.photo_faces[random.integers(len(self.photo_faces))]
            matrix = similarity_transform(five, FFHQ_256.points)
            crop, points[:, 68:] = self.view(self.photos.pixels[index], five, matrix, random)
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
        turns = [self.rotation(p[0]) if k == 2 else np.eye(3) for p, k in zip(points, known, strict=True)]
        return {
            "crops": metrics.tensor(np.stack(crops)).contiguous(memory_format=torch.channels_last),
            "points": torch.from_numpy(np.stack(points)),
            "rotations": torch.from_numpy(np.stack(turns)).float(),
            "known": torch.tensor(known),
        }

    def rotation(self, points: np.ndarray) -> np.ndarray:
        """The label (3, 3) of the head pose in the crop that belongs to `points` (73, 2) in 0..1 of the view."""
        return fit_rotation(points[:68] * EXTENT, self.mean_face)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, Taught)
        guess, logits, rotations = network(batch["crops"])
        known, (truth, tolerant) = batch["known"], batch["points"].unbind(1)
        all_known, five_known = (known == 2).float(), (known > 0).float()

        def mean(values: Tensor, chosen: Tensor) -> Tensor:
            return (values.flatten(1).mean(1) * chosen).sum() / chosen.sum().clamp(min=1)

        if self.assisted:
            many = kd_loss(guess[:, :68], truth[:, :68], truth[:, :68], tolerant[:, :68])
        else:
            many = distance(guess[:, :68], truth[:, :68])
        losses = {
            "many": mean(many, all_known),
            "five": mean(distance(guess[:, 68:], truth[:, 68:]), five_known),
            "face": functional.binary_cross_entropy_with_logits(logits, five_known),
            # 1 - cosine of the angle between the two, doubled: about its square
            "pose": mean((rotations - batch["rotations"]).square() * 4.5, all_known),
        }
        tasks = network.heads["tasks"]
        assert isinstance(tasks, UncertaintyWeights)
        with torch.no_grad():
            error = (guess - truth).norm(dim=-1) * SIDE
            terms = {"pixels": mean(error[:, :68], all_known), "pixels_five": mean(error[:, 68:], five_known)}
            terms |= {key: losses[key] for key in ("face", "pose")}
            terms |= {f"weight_{task}": tasks.weight(task) for task in losses}
        return tasks(losses), {key: value.item() for key, value in terms.items()}

    @torch.inference_mode()
    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Mean errors on held-out identities, plain and degraded: of points in shares of the distance between the eyes'
        centres (NME), of yaw, pitch and roll in degrees."""
        chosen = self.validation
        figures = {"validation_faces": float(len(chosen))}
        views = [self.view(np.asarray(self.faces.pixels[i]), self.points[i], UNMOVED, None) for i in chosen]
        shares = np.stack([points for _, points in views])
        pose = angles(np.stack([self.rotation(points) for points in shares]))
        truth = shares * EXTENT
        eyes = [truth[:, part].mean(1) for part in EYES]
        between = np.linalg.norm(eyes[1] - eyes[0], axis=1)
        for name in ("plain", "degraded"):
            crops = np.stack([crop for crop, _ in views])
            if name == "degraded":
                random = np.random.default_rng(0)
                crops = np.stack([degrade(crop, draw(random, 0.3)) for crop in crops])
            parts = [network(metrics.tensor(crops[i : i + 64]).to(device)) for i in range(0, len(crops), 64)]
            points, _, *rotations = (torch.cat(part).float().cpu().numpy() for part in zip(*parts, strict=True))
            error = np.linalg.norm(points * EXTENT - truth, axis=2) / between[:, None]
            figures[f"nme_{name}"] = float(error[:, :68].mean())
            figures[f"nme_five_{name}"] = float(error[:, 68:].mean())
            figures[f"failed_{name}"] = float((error[:, :68].mean(1) > 0.08).mean())
            # what the pose output has to beat: the mean face fitted to the points that the same network finds
            poses = [("_fitted", np.stack([self.rotation(found) for found in points]))]
            for kind, told in [*poses, *(("", rotation) for rotation in rotations)]:
                errors = np.abs(angles(told) - pose).mean(axis=0)
                figures |= {f"{axis}{kind}_{name}": float(e) for axis, e in zip(AXES, errors, strict=True)}
        return figures


def distance(guess: Tensor, truth: Tensor) -> Tensor:
    """What it costs that each coordinate of `guess` is away from `truth`, both in shares of the view; in their shape."""
    return functional.smooth_l1_loss(guess, truth, beta=0.02, reduction="none")
