"""Who a face is, to one embedder, and what a cosine between two faces means in words.

Separate from the networks, which know no photos, and from the pipeline, which decides what is compared with what. Words
come from the calibration that the manifest carries for an embedder: cosine thresholds at several false accept rates, and
mean and standard deviation of the cosine for pairs of the same person and of different people. Torch is imported inside,
so that the values can be used before it is there.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import enough_memory, run_batched
from facestudio.faces.align import align
from facestudio.faces.calibration import (
    Distributions,
    distributions,
    interval_at,
    measured_rate,
    same_probability,
    threshold_at,
)
from facestudio.faces.face import ARCFACE_112, TEMPLATES, Identity
from facestudio.faces.loading import load_network
from facestudio.faces.recent import Recent
from facestudio.photo import to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import nn

SAME, UNCERTAIN, CHANGED = "same person", "uncertain", "changed"
BATCH = 32  # faces that an embedder looks at in one call, each with its mirror image
KNOWN = 1024  # identities that are kept, about 2 MB
LENIENT_FAR = 1e-1  # below the threshold that even one stranger in ten reaches, a face counts as changed


@dataclass(frozen=True)
class Verdict:
    """What a cosine means.

    Attributes:
        words: "same person", "uncertain" or "changed".
        cosine: what was judged; threshold: the cosine at the false accept rate, from which "same person" is said.
        interval: where that threshold may really lie, with 95 % confidence; None when it was not measured.
        changed_below: the cosine below which "changed" is said.
        probability: of being the same person, 0..1, if both were equally likely beforehand.
        title: the judge's name for people; measured: how its cosines were distributed, None when that is not known.
        embedder: id of the judge; goal: "keep" or "change" the identity. far: the false accept rate of the threshold: the asked
            one, or the nearest that was measured.
    """

    words: str
    cosine: float
    threshold: float
    changed_below: float
    probability: float
    embedder: str
    far: float
    goal: str = "keep"
    interval: tuple[float, float] | None = None
    title: str = ""
    measured: Distributions | None = field(default=None, compare=False, repr=False)

    @property
    def success(self) -> bool:
        """Whether the goal is reached: the same person kept, or the identity changed."""
        return self.words == (CHANGED if self.goal == "change" else SAME)

    @property
    def distance_from_goal(self) -> float:
        """Larger is farther from the goal, by the probability: for choosing the most cautious of several verdicts."""
        return self.probability if self.goal == "change" else 1 - self.probability


class Embedder:
    """One loaded embedder: `checkpoint`, its `network` (B, 3, S, S) in [-1, 1] -> (B, D), on `device`.

    The crops are ARCFACE_112 (S = 112) unless the network names another `template`. `known` holds the identities that
    were computed last, by the weights and the crop, so that an unchanged face is not computed again; several embedders
    of one device may share it.
    """

    def __init__(
        self, checkpoint: Checkpoint, network: nn.Module, device: str = "cpu", known: Recent[Identity] | None = None
    ) -> None:
        self.checkpoint = checkpoint
        self.id = checkpoint.id
        self.network = network
        self.device = device
        self._template = TEMPLATES[getattr(network, "template", ARCFACE_112.name)]
        self._known = known if known is not None else Recent(KNOWN)
        self._weights = tuple(file.sha256 for file in checkpoint.files.values())

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str, known: Recent[Identity] | None = None) -> Embedder:
        """Build and fill the checkpoint's network; CheckpointError when that cannot be."""
        return cls(checkpoint, load_network(checkpoint, device), device, known)

    def embed(self, pixels: np.ndarray, landmarks: np.ndarray) -> Identity:
        """The identity of the face with `landmarks` (5, 2) in `pixels` (H, W, 3) uint8 RGB; errors as of `embed_all`."""
        return self.embed_all(pixels, np.asarray(landmarks)[None])[0]

    @enough_memory()
    def embed_all(
        self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None
    ) -> tuple[Identity, ...]:
        """The identities of the faces with `landmarks` (N, 5, 2) in `pixels` (H, W, 3) uint8 RGB, in their order.

        The embeddings of a crop and of its mirror image are added, as in the calibration. The network sees only crops
        that are not known, up to `BATCH` faces at once, and half of them when memory runs out; OutOfMemory when that is
        too much as well. `progress` is asked between the batches whether to stop.
        """
        crops = [align(pixels, points, self._template).pixels for points in landmarks]
        keys = [(self.id, self._weights, hashlib.sha256(crop.data).digest()) for crop in crops]
        found = {key: known for key in keys if (known := self._known.get(key)) is not None}
        new = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in found}
        made = run_batched(self._embedded, list(new.values()), BATCH, progress)
        for key, identity in zip(new, made, strict=True):
            self._known.put(key, identity)
            found[key] = identity
        return tuple(found[key] for key in keys)

    def _embedded(self, crops: list[np.ndarray]) -> list[Identity]:
        """The identities of `crops` (S, S, 3) uint8 RGB, by one call of the network."""
        import torch

        faces = to_tensor(np.stack(crops)).to(self.device)
        with torch.inference_mode():
            embeddings = self.network(torch.cat([faces, faces.flip(-1)])).float()
        both = (embeddings[: len(crops)] + embeddings[len(crops) :]).cpu().numpy()
        return [Identity(embedding, self.id) for embedding in both]


def verdict(cosine: float, checkpoint: Checkpoint, far: float = 1e-3, goal: str = "keep") -> Verdict:
    """Put `cosine` into words by the checkpoint's calibration.

    The rule: "same person" from the threshold at `far` (1e-3: one stranger in a thousand reaches it); "changed" below
    the threshold at 1e-1, which one stranger in ten reaches; "uncertain" between.
    """
    calibration = checkpoint.calibration
    threshold = threshold_at(calibration, far, checkpoint.id)
    changed_below = min(threshold_at(calibration, LENIENT_FAR, checkpoint.id), threshold)
    words = SAME if cosine >= threshold else CHANGED if cosine < changed_below else UNCERTAIN
    probability = same_probability(cosine, calibration, threshold)
    return Verdict(
        words,
        float(cosine),
        threshold,
        changed_below,
        probability,
        checkpoint.id,
        measured_rate(calibration, far),
        goal,
        interval=interval_at(calibration, far),
        title=checkpoint.title or checkpoint.id,
        measured=distributions(calibration),
    )
