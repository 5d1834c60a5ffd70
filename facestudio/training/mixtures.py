"""Faces made of two, for embedders that a teacher teaches: people of whom there is no picture, and what it says of them.

A teacher answers about any picture, so what there is to learn from need not end with the photographs: mixed inputs, and
patience, are what distillation gains most from (Beyer et al., "Knowledge distillation: a good teacher is patient and
consistent", arXiv:2106.05237). Two faces of the training split, aligned, laid over one another or joined along a soft
line (`variation`); made once and kept in the cache, where the teacher cannot answer while a network learns (`live`). Separate
from `identity_data`, which knows the photographs.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from facestudio.training import data, variation
from facestudio.training.identity_data import Teacher, probe_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mixtures:
    """N faces: `crops` (N, 112, 112, 3) uint8, and of one teacher `embedding` (N, 128) float32, `middle`, `late` int8."""

    crops: np.ndarray
    embedding: np.ndarray
    middle: np.ndarray
    late: np.ndarray


def mix(first: np.ndarray, second: np.ndarray, random: torch.Generator) -> np.ndarray:
    """(N, 112, 112, 3) uint8 of two of as many crops each: half of them both everywhere, half one on either side of a line."""
    faces, others = (torch.from_numpy(crops).permute(0, 3, 1, 2).float() for crops in (first, second))
    over = torch.rand(len(faces), generator=random) < 0.5
    made = variation.joined(variation.overlaid(faces, others, random, over), others, random, ~over)
    return made.to(torch.uint8).permute(0, 2, 3, 1).numpy()


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
            random, mixing = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
            for start in range(0, count, batch):
                rows = slice(start, min(start + batch, count))
                pairs = np.stack([random.choice(training, 2, replace=False) for _ in range(rows.start, rows.stop)])
                faces = crops[pairs.T]
                mirrored = random.random(pairs.T.shape) < 0.5
                faces[mirrored] = faces[mirrored][:, :, ::-1]
                out["crops"][rows] = mix(faces[0], faces[1], mixing)
                out["embedding"][rows], out["middle"][rows], out["late"][rows] = asked(out["crops"][rows])
                if start % (batch * 50) == 0:
                    log.info("%s asked about %d of %d mixtures", teacher, start, count)
            for table in out.values():
                table.flush()
            os.close(os.open(folder / "done", os.O_CREAT))
    return Mixtures(**{name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in shapes})
