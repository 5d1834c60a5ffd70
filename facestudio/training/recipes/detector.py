"""Recipe of `starter-detector`: boxes, five landmarks and scores from whole photos, labelled by the detection teacher.

Every sample is a canvas of one photo, or a mosaic of four, placed by a similarity transform that gives a chosen face a
drawn size (12 px to larger than the canvas), turned by up to 30 degrees, mirrored, and made dark, grey, blurred, noisy or
JPEG-compressed.
"""

from __future__ import annotations

import itertools
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.checkpoints import checkpoint
from facestudio.errors import CheckpointMissing
from facestudio.networks.detector import FaceDetector, flatten
from facestudio.training import data, metrics
from facestudio.training.loop import Settings

MOST = 40  # labelled faces a canvas
SIZES = {1: (70.0, 330.0), 2: (36.0, 170.0), 3: (22.0, 110.0), 4: (12.0, 70.0)}  # of faces, px, by photos a side
MIRROR = [1, 0, 2, 4, 3]


@dataclass(frozen=True)
class Labelled:
    """A photo's name and faces: `boxes` (F, 4) xyxy, `points` (F, 5, 2), `sure` (F,) whether the teacher was sure."""

    name: str
    boxes: np.ndarray
    points: np.ndarray
    sure: np.ndarray


def labelled_photos(folder: Path, sure: float = 0.75) -> list[Labelled]:
    """Every photo of photos.csv with its faces."""
    rows = defaultdict(list)
    for row in data.read_rows(folder / "photos.csv"):
        rows[row["file"]].append(row)
    out = []
    for name, faces in sorted(rows.items()):
        xywh = np.array([[float(face[key]) for key in "xywh"] for face in faces], np.float32)
        boxes = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
        scores = np.array([float(face["score"]) for face in faces])
        out.append(Labelled(name, boxes, data.landmarks5(faces), scores >= sure))
    return out


def photo_identity(folder: Path) -> dict[str, str]:
    """CelebA file number to identity, where faces256 or celeba_small know it, so that splits agree between recipes."""
    known = {Path(row["file"]).stem: row["identity"] for row in data.read_rows(folder / "celeba_small.csv")}
    for row in data.read_rows(folder / "faces256.csv"):
        if row["source"] == "celeba_wild":
            known[Path(row["file"]).stem] = row["identity"]
    return known


def shipped_finder(device: str) -> Any:
    """The close look that the product adds to the detector; None as long as no landmark network is shipped."""
    from facestudio.faces.landmarks import LandmarkFinder

    try:
        return LandmarkFinder.load(checkpoint("starter-landmarks"), device)
    except CheckpointMissing:
        return None


class Recipe:
    id = "starter-detector"
    architecture = "detector:FaceDetector"
    settings = Settings(
        batch=12, lr=1.5e-3, warmup=200, ema=0.998, weight_decay=5e-4, cooldown=0.5, validate_minutes=12, clip=10.0
    )
    config: dict[str, Any] = {"widths": [16, 32, 64, 80, 96], "pyramid": 64}
    trained_on = "CelebA and FFHQ photos; labels by YuNet"
    canvas = 384

    def __init__(self, root: Path, cache: Path) -> None:
        self.images_seen = 0
        folder = root / "faces"
        self.photos = labelled_photos(folder)
        with zipfile.ZipFile(folder / "photos.zip") as members:
            names = {Path(name).name: name for name in members.namelist()}
            self.pixels = [data.decode(members.read(names[photo.name])) for photo in self.photos]
        known = photo_identity(folder)
        identity = [known.get(Path(photo.name).stem, Path(photo.name).stem) for photo in self.photos]
        self.training, self.validation = data.split(np.array(identity))

    def network(self) -> nn.Module:
        return FaceDetector(**self.config)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        return data.prefetch(self.batch, seed, workers=2)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        size = self.settings.batch
        pixels = np.empty((size, self.canvas, self.canvas, 3), np.uint8)
        boxes = np.zeros((size, MOST, 4), np.float32)
        points = np.zeros((size, MOST, 10), np.float32)
        kind = np.zeros((size, MOST), np.int64)  # 0 nothing, 1 face, 2 look away
        for slot in range(size):
            pixels[slot], faces = self.sample(random)
            for n, (box, marks, label) in enumerate(faces[:MOST]):
                boxes[slot, n], points[slot, n], kind[slot, n] = box, marks.reshape(-1), label
        return {
            "pixels": metrics.tensor(pixels).contiguous(memory_format=torch.channels_last),
            "boxes": torch.from_numpy(boxes),
            "points": torch.from_numpy(points),
            "kind": torch.from_numpy(kind),
        }

    def sample(self, random: np.random.Generator) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray, int]]]:
        """One canvas and its faces (box, points, 1 for a face and 2 for one to look away from)."""
        side = self.canvas
        canvas = np.empty((side, side, 3), np.uint8)
        canvas[:] = random.integers(0, 256, 3)
        grid = int(random.choice([1, 2, 3, 4], p=[0.35, 0.25, 0.2, 0.2]))
        smallest, largest = SIZES[grid] if random.random() < 0.93 else (12.0, 700.0)
        cuts = []
        for _ in range(2):
            jitter = random.uniform(-0.25, 0.25, grid - 1) * side / grid
            cuts.append([0, *(int(side * (n + 1) / grid + shift) for n, shift in enumerate(jitter)), side])
        tiles = [
            (left, top, right, bottom, smallest, largest)
            for left, right in itertools.pairwise(cuts[0])
            for top, bottom in itertools.pairwise(cuts[1])
        ]
        faces: list[tuple[np.ndarray, np.ndarray, int]] = []
        for tile in tiles:
            self.lay(canvas, tile, faces, random)
        return self.weathered(canvas, random), faces

    def lay(
        self,
        canvas: np.ndarray,
        tile: tuple[int, int, int, int, float, float],
        faces: list,
        random: np.random.Generator,
    ) -> None:
        """Draw a photo into a tile of the canvas and append its faces."""
        left, top, right, bottom, smallest, largest = tile
        photo_index = int(random.choice(self.training))
        photo, pixels = self.photos[photo_index], self.pixels[photo_index]
        box = photo.boxes[random.integers(len(photo.boxes))]
        size = max(float(np.sqrt(np.prod(np.maximum(box[2:] - box[:2], 1)))), 4.0)
        wanted = float(np.exp(random.uniform(np.log(smallest), np.log(largest))))
        scale = min(wanted / size, 3.0)
        angle = float(random.uniform(-30, 30)) if random.random() < 0.5 else float(random.normal(0, 4))
        mirrored = bool(random.random() < 0.5)
        middle = (box[:2] + box[2:]) / 2
        anywhere = bool(random.random() < 0.3)
        if anywhere:  # what is not a face must be learned at every size too
            middle = random.uniform(0, 1, 2) * [pixels.shape[1], pixels.shape[0]]
            scale = float(np.exp(random.uniform(np.log(0.4), np.log(4.0))))
        if scale < 0.6:  # average down first: warping alone would alias
            smaller = max(scale, 8 / min(pixels.shape[:2]))
            pixels = cv2.resize(pixels, None, fx=smaller, fy=smaller, interpolation=cv2.INTER_AREA)
        else:
            smaller = 1.0
        turn, rest = np.radians(angle), scale / smaller
        flip = -1.0 if mirrored else 1.0
        linear = rest * np.array([[np.cos(turn) * flip, -np.sin(turn)], [np.sin(turn) * flip, np.cos(turn)]])
        goal = np.array([random.uniform(left, right), random.uniform(top, bottom)])
        if wanted > 0.5 * (right - left) and not anywhere:
            goal = np.array([(left + right) / 2, (top + bottom) / 2]) + random.uniform(-0.25, 0.25, 2) * (right - left)
        start = (middle + 0.5) * smaller - 0.5
        matrix = np.column_stack([linear, goal - linear @ start])
        if random.random() < 0.8:  # no more empty canvas than need be
            corners = np.array([(0, 0), (pixels.shape[1], 0), (0, pixels.shape[0]), (pixels.shape[1], pixels.shape[0])])
            reach = corners @ linear.T + matrix[:, 2]
            low, high = reach.min(0) - (left, top), reach.max(0) - (right, bottom)
            matrix[:, 2] -= np.clip(0, np.minimum(low, high), np.maximum(low, high))
        placed = matrix.copy()
        placed[:, 2] -= (left, top)
        border = tuple(int(v) for v in random.integers(0, 256, 3))
        canvas[top:bottom, left:right] = cv2.warpAffine(
            np.ascontiguousarray(pixels),
            placed,
            (right - left, bottom - top),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=border,
        )
        whole = matrix.copy()
        whole[:, 2] += whole[:, :2] @ np.full(2, 0.5 * smaller - 0.5)
        whole[:, :2] *= smaller
        for box, points, sure in zip(photo.boxes, photo.points, photo.sure, strict=True):
            centre = whole[:, :2] @ ((box[:2] + box[2:]) / 2) + whole[:, 2]
            half = (box[2:] - box[:2]) / 2 * scale
            c, s = abs(np.cos(turn)), abs(np.sin(turn))
            half = np.array([np.hypot(half[0] * c, half[1] * s), np.hypot(half[0] * s, half[1] * c)])
            found = np.concatenate([centre - half, centre + half])
            marks = points @ whole[:, :2].T + whole[:, 2]
            if mirrored:
                marks = marks[MIRROR]
            visible = np.minimum(found[2:], [right, bottom]) - np.maximum(found[:2], [left, top])
            if visible.min() <= 0:
                continue
            share = float(np.prod(visible) / max(np.prod(found[2:] - found[:2]), 1))
            extent = float(np.sqrt(np.prod(2 * half)))
            label = 1 if sure and share > 0.6 and 9 <= extent < 1.2 * self.canvas else 2
            if label == 2:
                found = np.clip(found, [left, top, left, top], [right, bottom, right, bottom])
            faces.append((found.astype(np.float32), marks.astype(np.float32), label))

    @staticmethod
    def weathered(canvas: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The canvas as a bad camera would have it."""
        if random.random() < 0.5:
            gamma = float(np.exp(random.normal(0, 0.45)))
            gain = float(random.uniform(0.25, 1.1)) if random.random() < 0.3 else 1.0
            tint = random.uniform(0.85, 1.15, 3) if random.random() < 0.5 else np.ones(3)
            levels = (np.arange(256) / 255.0) ** gamma * 255 * gain
            table = np.clip(levels[:, None] * tint, 0, 255).astype(np.uint8)
            canvas = cv2.LUT(canvas, table[:, None, :])
        if random.random() < 0.2:
            canvas = np.repeat(cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        if random.random() < 0.3:
            canvas = cv2.GaussianBlur(canvas, (0, 0), float(random.uniform(0.4, 3.0)))
        if random.random() < 0.3:
            noise = random.standard_normal(canvas.shape, np.float32) * float(random.uniform(2, 20))
            canvas = np.clip(canvas + noise, 0, 255).astype(np.uint8)
        if random.random() < 0.4:
            quality = int(random.integers(20, 95))
            _, encoded = cv2.imencode(
                ".jpg", np.ascontiguousarray(canvas[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality]
            )
            canvas = cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]
        return canvas

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        logits, boxes, marks, centres, strides = flatten(network(batch["pixels"]))
        score_loss, box_loss, mark_loss, count = logits.new_zeros(()), logits.new_zeros(()), logits.new_zeros(()), 0
        for n in range(len(logits)):
            with torch.no_grad():
                owner, away = assign(batch["boxes"][n], batch["kind"][n], centres, strides, boxes[n], logits[n])
            positive = owner >= 0
            quality = torch.zeros_like(logits[n])
            if positive.any():
                truth = batch["boxes"][n][owner[positive]]
                overlap, generalised = overlaps(boxes[n][positive], truth)
                quality[positive] = overlap.detach().clamp(0, 1)
                box_loss = box_loss + (1 - generalised).sum()
                size = (truth[:, 2:] - truth[:, :2]).prod(1).sqrt()[:, None]
                apart = (marks[n][positive] - batch["points"][n][owner[positive]]) / size
                mark_loss = (
                    mark_loss
                    + functional.smooth_l1_loss(apart, torch.zeros_like(apart), beta=0.03, reduction="none")
                    .mean(1)
                    .sum()
                )
                count += int(positive.sum())
            # varifocal: faces by their quality, the rest by how wrong they are
            probability = logits[n].detach().sigmoid()
            weight = torch.where(positive, quality, 0.75 * probability.square())
            weight = torch.where(away, torch.zeros_like(weight), weight)
            score_loss = (
                score_loss
                + (weight * functional.binary_cross_entropy_with_logits(logits[n], quality, reduction="none")).sum()
            )
        count = max(count, 1)
        loss = (score_loss + 2 * box_loss + 5 * mark_loss) / count
        return loss, {
            "score": score_loss.item() / count,
            "box": box_loss.item() / count,
            "marks": mark_loss.item() / count,
        }

    def validate(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Recall, false faces and landmark error on held-out photos, through the product's own detector."""
        from facestudio.faces.detect import Detector

        detector = Detector(network, str(device), shipped_finder(str(device)))
        photos = [(self.pixels[i], self.photos[i]) for i in self.validation]
        return evaluate(detector, photos)


def evaluate(detector: Any, photos: list[tuple[np.ndarray, Labelled]], smallest: float = 24.0) -> dict[str, float]:
    """Figures of a detector on labelled photos; faces with eyes at least `smallest` px apart count, others are neutral."""
    figures: dict[str, float] = {"validation_photos": float(len(photos))}
    rows: list[tuple[float, int]] = []  # score, 1 hit / 0 false
    errors, total = [], 0
    for pixels, label in photos:
        found = detector.detect(pixels, minimum_score=0.2)
        eyes = np.linalg.norm(label.points[:, 1] - label.points[:, 0], axis=1)
        counts = (eyes >= smallest) & label.sure
        total += int(counts.sum())
        taken: set[int] = set()
        for face in sorted(found, key=lambda face: -face.score):
            overlap = plain_overlaps(face.box, label.boxes)
            best = int(overlap.argmax())
            if overlap[best] < 0.5:
                covered = overlap.max() > 0.3 and not counts[best]
                if not covered:
                    rows.append((face.score, 0))
            elif best in taken:
                rows.append((face.score, 0))
            else:
                taken.add(best)
                if counts[best]:
                    rows.append((face.score, 1))
                    if face.score >= 0.5:
                        errors.append(np.linalg.norm(face.landmarks - label.points[best], axis=1).mean() / eyes[best])
    scores = np.array([row[0] for row in rows])
    hits = np.array([row[1] for row in rows])
    figures["validation_faces"] = float(total)
    for threshold in (0.3, 0.4, 0.5, 0.6):
        kept = scores >= threshold
        figures[f"recall_{threshold}"] = float(hits[kept].sum() / total)
        figures[f"false_a_photo_{threshold}"] = float((1 - hits[kept]).sum() / len(photos))
    figures["landmark_error"] = float(np.mean(errors)) if errors else 1.0
    return figures


def plain_overlaps(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with each of `boxes` (N, 4)."""
    common = np.prod(np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return common / (areas + np.prod(box[2:] - box[:2]) - common)


def overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union, and its generalised form, of boxes pair by pair (N, 4)."""
    common = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - common
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    overlap = common / union.clamp(min=1e-6)
    return overlap, overlap - (hull - union) / hull.clamp(min=1e-6)


def assign(
    truth: Tensor, kind: Tensor, centres: Tensor, strides: Tensor, boxes: Tensor, logits: Tensor, most: int = 7
) -> tuple[Tensor, Tensor]:
    """Which face each place belongs to (N,), -1 for none, and which places the loss looks away from (N,) bool.

    Candidates stand within 1.5 strides of the face's middle; of these the `most` cheapest (overlap and score) are taken,
    as many as the sum of their overlaps says (SimOTA; Ge et al., "YOLOX", 2021).
    """
    owner = torch.full((len(centres),), -1, dtype=torch.long, device=centres.device)
    away = torch.zeros(len(centres), dtype=torch.bool, device=centres.device)
    cost_of = torch.full((len(centres),), float("inf"), device=centres.device)
    for index in kind.nonzero().flatten().tolist():
        box = truth[index]
        inside = ((centres > box[:2]) & (centres < box[2:])).all(1)
        if kind[index] == 2:
            away |= inside
            continue
        middle = (box[:2] + box[2:]) / 2
        near = ((centres - middle).abs() < 1.5 * strides[:, None]).all(1)
        size = (box[2:] - box[:2]).prod().sqrt()
        fitting = (size > 0.75 * strides) & (size < 16 * strides)
        candidates = (near & fitting).nonzero().flatten()
        if len(candidates) == 0:
            continue
        overlap, _ = overlaps(boxes[candidates], box.expand(len(candidates), 4))
        overlap = overlap.clamp(min=1e-6)
        cost = -3 * overlap.log() + functional.softplus(-logits[candidates])
        best = overlap.topk(min(most, len(candidates))).values.sum()
        number = int(best.clamp(1, most).item())
        cheapest = cost.topk(min(number, len(candidates)), largest=False)
        places = candidates[cheapest.indices]
        better = cheapest.values < cost_of[places]
        owner[places[better]] = index
        cost_of[places[better]] = cheapest.values[better]
    return owner, away & (owner < 0)
