"""Faces made of two, for embedders that a teacher teaches: people of whom there is no picture, and what it says of them.

A teacher answers about any picture, so what there is to learn from need not end with the photographs: mixed inputs, and
patience, are what distillation gains most from (Beyer et al., "Knowledge distillation: a good teacher is patient and
consistent", arXiv:2106.05237). Two faces of the training split, aligned, laid over one another or joined along a soft
line; made once and kept in the cache. Separate from `identity_data`, which knows the photographs.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facestudio.training import data
from facestudio.training.identity_data import Teacher, probe_of

log = logging.getLogger(__name__)
FACE = (slice(24, 104), slice(24, 88))  # of the crop: where colours are compared


@dataclass(frozen=True)
class Mixtures:
    """N faces: `crops` (N, 112, 112, 3) uint8, and of one teacher `embedding` (N, 128) float32, `middle`, `late` int8."""

    crops: np.ndarray
    embedding: np.ndarray
    middle: np.ndarray
    late: np.ndarray


def recoloured(face: np.ndarray, model: np.ndarray, where: tuple[slice, slice] = FACE) -> np.ndarray:
    """`face` (H, W, 3) with the mean and the deviation that each channel has in `model` at `where`; float32."""
    face, model = face.astype(np.float32), model.astype(np.float32)
    here, there = face[where].reshape(-1, 3), model[where].reshape(-1, 3)
    gain = np.clip(there.std(0) / np.maximum(here.std(0), 1), 0.5, 2)
    return (face - here.mean(0)) * gain + there.mean(0)


def soft_line(shape: tuple[int, ...], middle: np.ndarray, softness: float, random: np.random.Generator) -> np.ndarray:
    """(H, W, 1) from 0 on the one side of a line through `middle` (x, y) to 1 on the other, in any direction."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    angle = random.uniform(0, 2 * np.pi)
    across = (columns - middle[0]) * np.cos(angle) + (rows - middle[1]) * np.sin(angle)
    line: np.ndarray = 1 / (1 + np.exp(-across / softness))[..., None]
    return line


def mix(first: np.ndarray, second: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One (112, 112, 3) uint8 crop of two: half of the time both everywhere, else one on either side of a line."""
    second = recoloured(second, first)
    if random.random() < 0.5:
        share: np.ndarray | float = random.uniform(0.3, 0.7)
    else:
        middle = np.array([56, 68]) + random.normal(0, [6, 8])
        share = soft_line(first.shape[:2], middle, random.uniform(1.5, 6), random)
    return np.clip(np.rint(first * (1 - share) + second * share), 0, 255).astype(np.uint8)


def mixtures(
    root: Path,
    cache: Path,
    teacher: str,
    crops: np.ndarray,
    training: np.ndarray,
    count: int,
    seed: int,
    batch: int = 32,
) -> Mixtures:
    """`count` mixtures of the faces `training` of `crops`, with what `teacher` ("ms1m", "casia") says; made on the first call."""
    folder = cache / f"mixtures-{teacher}-{count}-{seed}"
    shapes = {
        "crops": (np.uint8, (112, 112, 3)),
        "embedding": (np.float32, (128,)),
        "middle": (np.int8, (128, 14, 14)),
        "late": (np.int8, (128, 7, 7)),
    }
    with data.alone(folder):  # not the whole cache: trainings of two teachers ask side by side
        if not (folder / "done").exists():
            out = {
                name: np.lib.format.open_memmap(folder / f"{name}.npy", "w+", dtype, (count, *shape))
                for name, (dtype, shape) in shapes.items()
            }
            asked = Teacher(teacher, root, probe_of(crops))
            random = np.random.default_rng(seed)
            for start in range(0, count, batch):
                rows = slice(start, min(start + batch, count))
                for row in range(rows.start, rows.stop):
                    pair = [crops[index] for index in random.choice(training, 2, replace=False)]
                    first, second = (face[:, ::-1] if random.random() < 0.5 else face for face in pair)
                    out["crops"][row] = mix(first, second, random)
                out["embedding"][rows], out["middle"][rows], out["late"][rows] = asked(out["crops"][rows])
                if start % (batch * 50) == 0:
                    log.info("%s asked about %d of %d mixtures", teacher, start, count)
            for table in out.values():
                table.flush()
            os.close(os.open(folder / "done", os.O_CREAT))
    return Mixtures(**{name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in shapes})
