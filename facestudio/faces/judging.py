"""Who judges what was made of faces: recognisers, the panel that sums up what they say, and the rate at which they say it.

Separate from `panel` and `identity`, which are one of them each, because the three go everywhere together. Which recognisers
there are to judge at all is said by `facestudio/judges.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from facestudio.faces.face import Face, Identity
from facestudio.faces.identity import Embedder
from facestudio.faces.panel import Panel
from facestudio.photo import Photo
from facestudio.progress import Progress


@dataclass(frozen=True, eq=False)
class Judges:
    """The recognisers that look at a result.

    Attributes:
        embedders: all of them; one that a result's method is conditioned on does not judge it (`without`).
        panel: sums up what they say, and says who can be recognised at all; None: nobody does.
        far: the false accept rate at which they say "same person".
    """

    embedders: Sequence[Embedder] = ()
    panel: Panel | None = None
    far: float = 1e-3

    def without(self, conditioned_on: Collection[str]) -> list[Embedder]:
        """Those that judge what a method makes that is conditioned on the embedders of these ids."""
        told = {conditioned_on} if isinstance(conditioned_on, str) else set(conditioned_on or ())
        return [embedder for embedder in self.embedders if embedder.id not in told]

    def identities(
        self, photo: Photo, faces: Sequence[Face], progress: Progress | None = None
    ) -> tuple[dict[str, Identity], ...]:
        """Who each of `faces` is to each embedder, by the embedder's id; an embedder is called once, with all faces."""
        progress = progress or Progress()
        landmarks = np.array([face.landmarks for face in faces], dtype=np.float32).reshape(-1, 5, 2)
        found: tuple[dict[str, Identity], ...] = tuple({} for _ in faces)
        for embedder in progress.track(self.embedders, "Measuring identity"):
            for of, identity in zip(found, embedder.embed_all(photo.pixels, landmarks, progress), strict=True):
                of[embedder.id] = identity
        return found
