"""How alike pictures of one person are and how far apart people are: the cosines of all pairs of a dataset.

All pairs are counted, none is sampled, in blocks so that memory does not grow with their number. Numpy only; knows no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facestudio.progress import Progress

BINS = np.linspace(-1, 1, 101)
_BLOCK, _PAIRS = 1024, 1 << 23  # pictures that are compared with all others at once, and pairs that are, at most


@dataclass(frozen=True, eq=False)
class Pairs:
    """What one judge says of all pairs of pictures with a face.

    Attributes:
        judge, title: its id and its name for people; threshold: the cosine from which "same person" is said.
        same, different: (B,) how many pairs of one person, and of two, have a cosine in each of `BINS`.
        same_above, different_above: how many of them are at or above the threshold.
        own_mean, own_least: (N,) mean and smallest cosine of each picture to the others of its person; NaN without others.
        closest: (N,) largest cosine of each picture to one of somebody else; closest_to: (N,) whose, as in `owners`, or -1.
    """

    judge: str
    title: str
    threshold: float
    same: np.ndarray
    different: np.ndarray
    same_above: int
    different_above: int
    own_mean: np.ndarray
    own_least: np.ndarray
    closest: np.ndarray
    closest_to: np.ndarray

    @property
    def same_share(self) -> float | None:
        """Share of the pairs of one person that are at or above the threshold; None without pairs."""
        return share(self.same_above, int(self.same.sum()))

    @property
    def different_share(self) -> float | None:
        """The same of pairs of two people."""
        return share(self.different_above, int(self.different.sum()))


def share(part: int, whole: int) -> float | None:
    """`part` of `whole`, None of nothing."""
    return part / whole if whole else None


def measure(
    judge: str,
    title: str,
    threshold: float,
    embeddings: np.ndarray,
    owners: Sequence[int],
    progress: Progress | None = None,
) -> Pairs:
    """Compare all pairs of `embeddings` (N, D), unit vectors of `judge`; `owners` (N,) says whose each is."""
    count, whose = len(embeddings), np.asarray(owners)
    same, different = np.zeros(len(BINS) - 1, np.int64), np.zeros(len(BINS) - 1, np.int64)
    above = [0, 0]
    own_mean, own_least = np.full(count, np.nan), np.full(count, np.nan)
    closest, closest_to = np.full(count, np.nan), np.full(count, -1)
    block = min(_BLOCK, max(_PAIRS // max(count, 1), 1))
    for start in (progress or Progress()).track(range(0, count, block), "Comparing pictures"):
        rows = np.arange(start, min(start + block, count))
        cosines = np.clip(embeddings[rows] @ embeddings.T, -1, 1)
        mine = whose[rows, None] == whose[None, :]
        once = np.arange(count)[None, :] > rows[:, None]
        for place, (counted, those) in enumerate(((same, mine & once), (different, ~mine & once))):
            values = cosines[those]
            counted += np.histogram(values, BINS)[0]
            above[place] += int((values >= threshold).sum())
        strangers = np.where(mine, -2.0, cosines)
        best = strangers.argmax(1)
        found = strangers[np.arange(len(rows)), best]
        closest[rows] = np.where(found > -2, found, np.nan)
        closest_to[rows] = np.where(found > -2, whose[best], -1)
        mine[np.arange(len(rows)), rows] = False
        others = mine.sum(1)
        with np.errstate(invalid="ignore"):
            own_mean[rows] = np.where(others > 0, np.where(mine, cosines, 0).sum(1) / np.maximum(others, 1), np.nan)
        own_least[rows] = np.where(others > 0, np.where(mine, cosines, 2.0).min(1), np.nan)
    return Pairs(judge, title, threshold, same, different, above[0], above[1], own_mean, own_least, closest, closest_to)
