"""The grid of degradations that restorers are measured on, and the held-out faces that are degraded for it.

Separate from the degradations that are drawn to train on: a cell is fixed, so that figures compare between methods and days. The
estimator's validation and benchmarks/restoration.py take the same faces and damage them alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facestudio.training.data import Faces, split
from facestudio.training.degradation import Degradation, bar, degrade

KINDS = ("scale", "blur", "noise", "jpeg")
SOURCE = "celeba_wild"  # photos of people who are seen more than once, taken by many cameras


@dataclass(frozen=True)
class Cell:
    """One degradation of the grid.

    Attributes:
        kind: "scale" (reduced, and as blurred, noisy and compressed as the project's bars say), or one damage alone: "blur",
            "noise" or "jpeg".
        amount: the reduction (a whole number from 2), the blur's sigma in px, the noise's deviation in levels of 255, or the
            quality of the JPEG (1..100).
    """

    kind: str
    amount: float

    def __post_init__(self) -> None:
        whole = self.kind not in ("scale", "jpeg") or self.amount == round(self.amount)
        least, most = {"scale": (2, 64), "jpeg": (1, 100)}.get(self.kind, (0.1, 100))
        if self.kind not in KINDS or not whole or not least <= self.amount <= most:
            raise ValueError(f"there is no degradation {self.name}")

    @classmethod
    def named(cls, name: str) -> Cell:
        """The cell called, say, "scale-8", "blur-2.5", "noise-25" or "jpeg-20"; ValueError when there is none."""
        kind, _, amount = name.partition("-")
        try:
            return cls(kind, float(amount))
        except ValueError as error:
            raise ValueError(f"there is no degradation {name}; {', '.join(KINDS)} take an amount: scale-8") from error

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.amount:g}"

    def how(self, seed: int) -> Degradation:
        """The degradation; `seed` fixes its noise."""
        if self.kind == "scale":
            return bar(round(self.amount), seed)
        if self.kind == "blur":
            return Degradation(sigma=(self.amount, self.amount))
        if self.kind == "noise":
            return Degradation(noise=self.amount, seed=seed)
        return Degradation(jpeg=round(self.amount))

    def damaged(self, faces: np.ndarray) -> np.ndarray:
        """`faces` (N, H, W, 3) uint8 RGB degraded, each with its place as the seed, so always alike."""
        return np.stack([degrade(face, self.how(place)) for place, face in enumerate(faces)])


GRID = tuple(Cell.named(n) for n in ("scale-2", "scale-4", "scale-8", "scale-16", "blur-4", "noise-25", "jpeg-20"))


def held_out_faces(faces: Faces, count: int) -> np.ndarray:
    """Places in `faces` of `count` (fewer where there are not so many) faces in the wild of people held out of training.

    Drawn once and for all: fewer of them are the first of more.
    """
    wild = [place for place in split(faces.identity)[1] if faces.rows[place]["source"] == SOURCE]
    return np.random.default_rng(1).permutation(np.array(wild, int))[:count]
