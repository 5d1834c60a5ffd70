"""Stand-ins for tests: pictures drawn by code, a slow method without weights, an embedder and a detector without nets.

They keep the contracts of the real ones (see methods/base.py, faces/identity.py, faces/detect.py) and write down how
they were called. Nothing here is imported by the product.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from facestudio.checkpoints import Checkpoint
from facestudio.errors import FaceStudioError
from facestudio.faces.align import align, inverse, transform
from facestudio.faces.face import ARCFACE_112, FFHQ_256, FFHQ_512, AlignedFace, Face, Identity
from facestudio.faces.panel import Panel
from facestudio.options import option
from facestudio.photo import Photo
from facestudio.progress import Progress

CALIBRATION: dict[str, Any] = {
    "thresholds": {"1e-4": 0.9, "1e-3": 0.8, "1e-2": 0.6, "1e-1": 0.4},
    "same_mean": 0.9,
    "same_std": 0.1,
    "different_mean": 0.0,
    "different_std": 0.2,
}


# ---- pictures and faces


def face_at(x: float, y: float, side: float, turn: float = 0.0) -> Face:
    """A face whose FFHQ crop is centred at (x, y) with a side of `side` photo pixels, turned by `turn` degrees."""
    angle, scale = np.radians(turn), side / FFHQ_512.size
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    points = (FFHQ_512.points - 255.5) @ np.array([[cosine, sine], [-sine, cosine]]) + (x, y)
    half = 0.35 * side
    return Face(np.array([x - half, y - half, x + half, y + half]), points, 0.9)


def draw_face(pixels: np.ndarray, face: Face, skin: tuple[int, int, int] = (205, 160, 130)) -> None:
    """Draw a simple face into `pixels` (H, W, 3) uint8 RGB, in place, where the landmarks of `face` are."""
    unit = face.interocular
    eyes, mouth = face.landmarks[:2].mean(axis=0), face.landmarks[3:].mean(axis=0)
    middle, turn = (eyes + mouth) / 2, float(np.degrees(np.arctan2(*(face.landmarks[1] - face.landmarks[0])[::-1])))
    cv2.ellipse(pixels, (_point(middle), (2.2 * unit, 2.9 * unit), turn), skin, -1, cv2.LINE_AA)
    for eye in face.landmarks[:2]:
        cv2.circle(pixels, _point(eye), max(1, round(0.16 * unit)), (245, 245, 245), -1, cv2.LINE_AA)
        cv2.circle(pixels, _point(eye), max(1, round(0.08 * unit)), (40, 30, 20), -1, cv2.LINE_AA)
    width = max(1, round(0.06 * unit))
    cv2.line(pixels, _point(face.landmarks[2] - (0, 0.3 * unit)), _point(face.landmarks[2]), (150, 105, 85), width)
    cv2.line(pixels, _point(face.landmarks[3]), _point(face.landmarks[4]), (160, 50, 60), 2 * width, cv2.LINE_AA)


def picture(height: int = 200, width: int = 240, faces: Sequence[Face] = (), seed: int = 0) -> np.ndarray:
    """A drawn photo (height, width, 3) uint8 RGB: a textured background with `faces`."""
    random = np.random.default_rng(seed)
    coarse = random.integers(60, 200, (max(height // 16, 2), max(width // 16, 2), 3), dtype=np.uint8)
    pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for n, face in enumerate(faces):
        draw_face(pixels, face, (205 - 30 * (n % 3), 160 - 20 * (n % 3), 130))
    grain = random.integers(-6, 7, pixels.shape)
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)


def write_picture(path: Path, pixels: np.ndarray) -> Path:
    """Write `pixels` (H, W, 3) uint8 RGB as the format that the suffix of `path` names, making the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def photo_of(path: Path, pixels: np.ndarray) -> Photo:
    """A Photo that was really opened from `path`, where `pixels` are written first."""
    return Photo.open(write_picture(path, pixels))


# ---- what computes


def fake_checkpoint(id: str = "fake-checkpoint", **changes: Any) -> Checkpoint:
    """A manifest entry without files."""
    settings: dict[str, Any] = {"title": id, "licence": "none", "source": "starter", "method": "", "goal": "keep"}
    return Checkpoint(id=id, **{**settings, **changes})


class SlowRestorer:
    """A Restorer without weights: it turns colours into their negative, in `steps` steps of `seconds` each.

    Args:
        fails: the calls (0 is the first) that raise FaceStudioError instead of returning.
        goal, conditioned_on: as of a real method's checkpoint.
    """

    id = "slow"
    template = FFHQ_256

    @dataclass(frozen=True)
    class Options:
        """What a person may choose."""

        strength: float = option(1.0, title="Strength", help="How much shows.", minimum=0.0, maximum=1.0, step=0.05)

    def __init__(
        self,
        steps: int = 1,
        seconds: float = 0.0,
        fails: Sequence[int] = (),
        goal: str = "keep",
        conditioned_on: tuple[str, ...] = (),
    ) -> None:
        about = {"method": "slow:Slow", "goal": goal, "conditioned_on": conditioned_on}
        self.checkpoint = fake_checkpoint("slow-checkpoint", **about)
        self.goal = goal
        self.seeds: list[int] = []
        self.finished = 0
        self._steps, self._seconds, self._fails = steps, seconds, set(fails)

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        call = len(self.seeds)
        self.seeds.append(seed)
        negative = 255 - aligned.pixels
        for step in progress.track(range(self._steps), "Working slowly"):
            time.sleep(self._seconds)
            if call in self._fails:
                raise FaceStudioError(f"Call {call} was told to fail.", hint="Tell it otherwise.")
            share = (step + 1) / self._steps
            progress.preview(lambda share=share: (aligned.pixels * (1 - share) + negative * share).astype(np.uint8))
        self.finished += 1
        return aligned.with_pixels(negative)


class FakeEmbedder:
    """An Embedder without a network: the embedding is the 112 px crop made small. Remembers what each call was given."""

    def __init__(self, id: str = "fake-embedder", fails: bool = False, **calibration: Any) -> None:
        self.checkpoint = fake_checkpoint(id, goal="none", calibration={**CALIBRATION, **calibration})
        self.id = id
        self.seen: list[tuple[np.ndarray, np.ndarray]] = []
        self._fails = fails

    def embed(self, pixels: np.ndarray, landmarks: np.ndarray) -> Identity:
        return self.embed_all(pixels, np.asarray(landmarks)[None])[0]

    def embed_all(
        self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None
    ) -> tuple[Identity, ...]:
        self.seen.append((pixels, np.array(landmarks)))
        if self._fails:
            raise FaceStudioError("This embedder was told to fail.")
        for _ in (progress or Progress()).track(range(1), "Measuring identity"):
            crops = [align(pixels, points, ARCFACE_112).pixels for points in landmarks]
        small = [cv2.resize(crop, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float64).ravel() for crop in crops]
        return tuple(Identity(values - values.mean() + 1e-3, self.id) for values in small)


class FakeQuality:
    """A Quality that says what it was told, face by face; without any `qualities` it fails."""

    def __init__(self, qualities: Sequence[float]) -> None:
        self._qualities = list(qualities)

    def measure(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> tuple[float, ...]:
        if not self._qualities:
            raise FaceStudioError("This measure was told to fail.")
        return tuple(self._qualities[: len(landmarks)])


def fake_panel(embedders: Sequence[str], qualities: Sequence[float], gate: float = 0.3) -> Panel:
    """A real Panel over a FakeQuality: log-odds rise from -5 by 10 with the mean cosine; thresholds 2 (1e-3), -1 (1e-1)."""
    together, slope = " ".join(sorted(embedders)), 10.0 / len(embedders)
    calibration = {
        "gate": gate,
        "odds": {name: [-5.0, 0.0, 10.0, 0.0] for name in embedders}
        | {together: [-5.0, 0.0, *(slope, 0.0) * len(embedders)]},
        "together": {together: {"thresholds": {"1e-3": 2.0, "1e-1": -1.0}}},
    }
    return Panel(fake_checkpoint("fake-panel", calibration=calibration), FakeQuality(qualities))  # type: ignore[arg-type]


class FakeDetector:
    """A Detector that finds the faces it was given, whatever the photo shows."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self.faces = tuple(faces)

    def detect(
        self, photo: Photo | np.ndarray, progress: Progress | None = None, minimum_score: float = 0.5
    ) -> tuple[Face, ...]:
        for _ in (progress or Progress()).track(range(1), "Finding faces"):
            pass
        return self.faces

    def survey(
        self, photo: Photo | np.ndarray, progress: Progress | None = None, minimum_score: float = 0.5
    ) -> tuple[tuple[Face, ...], tuple[Face, ...]]:
        return self.detect(photo, progress, minimum_score), ()


def crop_corners(face: AlignedFace) -> np.ndarray:
    """Where the corners (4, 2) of a crop are in its photo."""
    end = face.template.size - 0.5
    return transform(inverse(face.matrix), np.array([(-0.5, -0.5), (end, -0.5), (end, end), (-0.5, end)]))


def _point(where: np.ndarray) -> tuple[int, int]:
    return round(float(where[0])), round(float(where[1]))
