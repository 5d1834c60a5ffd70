"""Which faces of many photos are the same person: groups, formed photo by photo, by all recognisers together.

How alike two groups are lies between the mean cosine of all pairs of faces (average linkage) and the cosine of their middles
(centroid linkage; both Sokal and Michener, 1958), in their geometric mean: the more faces a group has, the surer its middle is.
Both come of the sum of its embeddings, so nothing else is kept of a face. The panel turns the cosines, given how recognisable the
poorer group is, into log-odds. Two faces of one photo are never the same person. Numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from facestudio.faces.calibration import threshold_at
from facestudio.faces.face import Identity
from facestudio.faces.identity import Embedder
from facestudio.faces.panel import Panel, log_odds

RATE = 1e-4  # strangers that are taken for one person when each of two groups has one face: rarer the more they have
_ROWS = 512  # groups that are compared with all others at once


class Grouping:
    """Groups of faces that `embedders` see the same person in; `panel`: their joint calibration, None where there is none.

    CheckpointMismatch for an embedder without calibration. Faces are numbered as they come, from 0.
    """

    def __init__(self, embedders: Sequence[Embedder], panel: Panel | None, rate: float = RATE) -> None:
        self._names = sorted(embedder.id for embedder in embedders)
        joint = panel.checkpoint.calibration["odds"].get(" ".join(self._names)) if panel is not None else None
        limits = panel.thresholds(self._names, rate) if panel is not None and joint is not None else None
        if joint is not None and limits is not None:
            self._odds, self._threshold = list(joint), limits[0]
        else:  # how far the cosines are above their own thresholds, on average
            own = [threshold_at(e.checkpoint.calibration, rate, e.id) for e in sorted(embedders, key=lambda e: e.id)]
            slopes = [value for _ in own for value in (1 / len(own), 0.0)]
            self._odds, self._threshold = [-float(np.mean(own)), 0.0, *slopes], 0.0
        self._sums = [np.zeros((0, 0), np.float32) for _ in self._names]  # of embeddings (room, D), by embedder
        self._sizes, self._quality = (
            np.zeros(0, np.float32),
            np.zeros(0, np.float32),
        )  # faces, and sums of their quality
        self._photos: list[set[int]] = []
        self._group_of: list[int] = []
        self._into: dict[int, int] = {}  # groups that were joined to others
        self._seen = 0

    def add(self, faces: Sequence[Mapping[str, Identity]], quality: Sequence[float]) -> list[int]:
        """Take the faces of one photo: who each is, by embedder, and how recognisable, 0..1. Returns their numbers."""
        photo, self._seen = self._seen, self._seen + 1
        first = len(self._group_of)
        if not faces:
            return []
        vectors = [np.stack([face[name].embedding for face in faces]) for name in self._names]
        clear = np.asarray(quality, np.float32)
        chosen = self._best(vectors, clear)
        for row in range(len(faces)):
            group = chosen.get(row, len(self._photos))
            if group == len(self._photos):
                self._open([len(one[row]) for one in vectors])
            for sums, one in zip(self._sums, vectors, strict=True):
                sums[group] += one[row]
            self._sizes[group] += 1
            self._quality[group] += clear[row]
            self._photos[group].add(photo)
            self._group_of.append(group)
        return list(range(first, len(self._group_of)))

    def groups(self) -> list[int]:
        """Which group each face belongs to, the first face's being 0, after groups that turned out to be alike are joined."""
        while joins := self._joins():
            for one, other in joins:
                self._join(one, other)
        order: dict[int, int] = {}
        return [order.setdefault(self._now(group), len(order)) for group in self._group_of]

    def middles(self, embedder: str) -> np.ndarray:
        """The mean identity of each of `groups` to one embedder, (G, D) float32 of unit length."""
        place = self._names.index(embedder)
        first = dict.fromkeys(self._now(group) for group in self._group_of)
        sums = self._sums[place][list(first)]
        means: np.ndarray = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return means

    def _now(self, group: int) -> int:
        while group in self._into:
            group = self._into[group]
        return group

    def _best(self, vectors: Sequence[np.ndarray], clear: np.ndarray) -> dict[int, int]:
        """The group of each face that is one of its kind, the best pairs first, no group twice."""
        count = len(self._photos)
        if not count:
            return {}
        alike = [
            one @ self._middles(sums[:count], self._sizes[:count]).T
            for one, sums in zip(vectors, self._sums, strict=True)
        ]
        own = self._quality[:count] / self._sizes[:count]
        return _matched(self._scores(alike, clear[:, None], own[None]), self._threshold)

    def _joins(self) -> list[tuple[int, int]]:
        """Pairs of groups that are each other's best, above the threshold, and share no photo."""
        alive = np.array([group for group in range(len(self._photos)) if group not in self._into], int)
        sizes = self._sizes[alive]
        means = [self._middles(sums[alive], sizes) for sums in self._sums]
        own = self._quality[alive] / sizes
        best = np.full(len(alive), -1)
        for start in range(0, len(alive), _ROWS):
            rows = slice(start, start + _ROWS)
            scores = self._scores([mean[rows] @ mean.T for mean in means], own[rows, None], own[None])
            for row, score in enumerate(scores):
                one = start + row
                near = np.flatnonzero(score >= self._threshold)
                for other in near[np.argsort(-score[near], kind="stable")]:
                    if other != one and self._photos[alive[one]].isdisjoint(self._photos[alive[other]]):
                        best[one] = other
                        break
        pairs = [(one, int(best[one])) for one in range(len(alive)) if best[one] > one and best[best[one]] == one]
        return [(int(alive[one]), int(alive[other])) for one, other in pairs]

    @staticmethod
    def _middles(sums: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Vectors (G, D) whose products are how alike groups of `sizes` faces with `sums` of embeddings are."""
        found: np.ndarray = sums / np.sqrt(sizes * np.linalg.norm(sums, axis=1))[:, None]
        return found

    def _scores(self, cosines: Sequence[np.ndarray], one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Log-odds of the same person (R, G), of `cosines` by embedder and how recognisable both sides are."""
        return log_odds(self._odds, np.stack(cosines, axis=-1), np.minimum(one, other))

    def _join(self, one: int, other: int) -> None:
        for sums in (*self._sums, self._sizes, self._quality):
            sums[one] += sums[other]
        self._photos[one] |= self._photos[other]
        self._photos[other] = set()
        self._into[other] = one

    def _open(self, widths: Sequence[int]) -> None:
        """One more group, still without a face."""
        self._photos.append(set())
        if len(self._photos) > len(self._sizes):
            room = max(64, 2 * len(self._sizes))
            for place, width in enumerate(widths):
                more = np.zeros((room, width), np.float32)
                more[: len(self._sums[place])] = self._sums[place].reshape(-1, width)
                self._sums[place] = more
            self._sizes, self._quality = (
                np.append(a, np.zeros(room - len(a), np.float32)) for a in (self._sizes, self._quality)
            )


def _matched(scores: np.ndarray, threshold: float) -> dict[int, int]:
    """Columns of `scores` by row, from `threshold` on, the highest first, no row and no column twice."""
    rows, columns = np.nonzero(scores >= threshold)
    order = np.argsort(-scores[rows, columns], kind="stable")
    found: dict[int, int] = {}
    taken: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if row not in found and column not in taken:
            found[row] = column
            taken.add(column)
    return found
