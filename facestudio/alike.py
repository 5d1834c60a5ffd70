"""How alike the faces of made pictures are to each other, to each recogniser: is it one person, or are they apart?

Separate from `generating`, because it is about pictures that are there. The embedder that a method listens to is measured as
well, and said to be the one: it hears what it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facestudio.faces.calibration import measured_rate, threshold_at
from facestudio.faces.identity import Embedder
from facestudio.generating import Portrait
from facestudio.progress import Progress


@dataclass(frozen=True, eq=False)
class Likeness:
    """What one recogniser says.

    Attributes:
        title: the recogniser's. cosines: (N, N) float32 in -1..1, NaN in rows and columns of pictures without a face.
        threshold: cosine that one pair of strangers in 1 / `far` reaches. told: whether the method listens to it.
    """

    title: str
    cosines: np.ndarray
    threshold: float
    far: float
    told: bool = False

    @property
    def above(self) -> tuple[int, int]:
        """How many pairs are at or above the threshold, and how many there are."""
        pairs = self.cosines[np.triu_indices(len(self.cosines), 1)]
        pairs = pairs[~np.isnan(pairs)]
        return int((pairs >= self.threshold).sum()), len(pairs)


def alike(
    portraits: Sequence[Portrait],
    embedders: Sequence[Embedder],
    told: Sequence[str],
    far: float = 1e-3,
    progress: Progress | None = None,
) -> tuple[Likeness, ...]:
    """How alike the faces of `portraits` are to each of the `embedders` that saw them; those in `told` come last."""
    found = []
    for embedder in (progress or Progress()).track(embedders, "Comparing the pictures"):
        sides = [
            portrait.identities[embedder.id].embedding if embedder.id in portrait.identities else None
            for portrait in portraits
        ]
        seen = next((side for side in sides if side is not None), None)
        if seen is not None:
            vectors = np.stack([np.full_like(seen, np.nan) if side is None else side for side in sides])
            cosines = np.clip(vectors @ vectors.T, -1, 1)
            calibration = embedder.checkpoint.calibration
            threshold, rate = threshold_at(calibration, far, embedder.id), measured_rate(calibration, far)
            found.append(Likeness(embedder.checkpoint.title, cosines, threshold, rate, embedder.id in told))
    return tuple(sorted(found, key=lambda one: one.told))
