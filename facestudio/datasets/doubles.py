"""Doubles: people of a dataset whose finished pictures look too alike to a judge, although they were planned to differ.

The measure is the mean cosine over all pairs of one picture of each person, which equals the dot product of the two people's mean
embeddings. Over 2,278 pairs of 68 people with 4 pictures each, its correlation with the same measure of the MS1M teacher, which
takes no part, is 0.93 (B) and 0.82 (C); that of the planned cosine is 0.51, and that of B's share of picture pairs above the
threshold is 0.21 (276 pairs). Numpy only; knows no files.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facestudio.progress import Progress

SETTING = "apart_in_pictures"  # of a dataset, which holds its rule
MOST = 20  # pairs that are listed
_BLOCK = 1024  # people who are compared with all others at once


@dataclass(frozen=True)
class Rule:
    """When two people are too alike, and what follows; docs/benchmarks/prior.md explains the values.

    Attributes:
        limit: share of a judge's threshold; a mean cosine from there on makes two people too alike.
        few: share of the earlier people that a person may be too much like. So nobody among the first twenty-four may be like
            anybody, while a large dataset can still grow.
        people: how many people are drawn for a number at most, before the best of them is kept.
    """

    limit: float = 0.5
    few: float = 0.04
    people: int = 8

    @classmethod
    def of(cls, settings: Mapping[str, Any] | None) -> Rule:
        """The rule in the `settings` of a dataset; today's if they contain none."""
        found = (settings or {}).get(SETTING)
        if not isinstance(found, Mapping) or {*found} != {*asdict(RULE)}:
            return RULE
        if not all(type(value) in (int, float) and value > 0 for value in found.values()):
            return RULE
        return cls(float(found["limit"]), float(found["few"]), int(found["people"]))


RULE = Rule()


@dataclass(frozen=True)
class Double:
    """The person whom another one is most like.

    Attributes:
        number: of that person. judge: the id of the judge that finds the two most alike. cosine: the mean over all pairs of
            pictures; limit: from which the two are too alike.
    """

    number: int
    judge: str
    cosine: float
    limit: float


@dataclass(frozen=True)
class Likeness:
    """How like a person is to those `before`: how many of them are `doubles`, and the `nearest` one (None without any before).
    `few`: as of the Rule."""

    doubles: int
    before: int
    nearest: Double | None
    few: float = RULE.few

    @property
    def too_alike(self) -> bool:
        """Whether the person should be replaced."""
        return self.doubles > self.few * self.before

    @property
    def order(self) -> tuple[int, float]:
        """A sort key: smaller is less alike."""
        return self.doubles, self.nearest.cosine / self.nearest.limit if self.nearest else -1.0


@dataclass(frozen=True)
class Alike:
    """Two people: the one with the larger `number`, and the `other`."""

    number: int
    other: Double


@dataclass(frozen=True, eq=False)
class Doubles:
    """What comparing all pairs of two people gave.

    Attributes:
        pairs: number of pairs; too_alike: how many of them are. closest: the `MOST` most alike pairs, the closest first.
        nearest: by number, whom each person is most like.
    """

    pairs: int
    too_alike: int
    closest: tuple[Alike, ...]
    nearest: Mapping[int, Double]


def mean_of(pictures: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The mean embedding (D,) by judge of a person's `pictures` with a face; empty when there are none."""
    judges = pictures[0] if pictures else {}
    return {judge: np.stack([picture[judge] for picture in pictures]).mean(0) for judge in judges}


class Others:
    """The people of a part who are complete; `own` are the numbers of the part.

    Args:
        thresholds: the cosine threshold of each judge, by its id.
    """

    def __init__(self, own: range, thresholds: Mapping[str, float], rule: Rule = RULE) -> None:
        self._own, self._few = own, rule.few
        self._limits = {judge: rule.limit * threshold for judge, threshold in thresholds.items()}
        self._means: dict[str, np.ndarray] = {}  # by judge (K, D); zeros for people who are not complete

    def add(self, number: int, means: Mapping[str, np.ndarray]) -> None:
        """Add person `number` with these means (`mean_of`)."""
        for judge, mean in means.items():
            if judge not in self._means:
                self._means[judge] = np.zeros((len(self._own), len(mean)), np.float32)
            self._means[judge][number - self._own.start] = mean

    def likeness(self, number: int, means: Mapping[str, np.ndarray]) -> Likeness:
        """How like a person with these means would be, as `number`, to those with smaller numbers."""
        before = number - self._own.start
        judges = [judge for judge in means if judge in self._means]
        if not judges or not before:
            return Likeness(0, before, None, self._few)
        cosines = np.stack([self._means[judge][:before] @ means[judge] for judge in judges])
        limits = np.array([self._limits[judge] for judge in judges])
        ratios = cosines / limits[:, None]
        judge, nearest = np.unravel_index(int(ratios.argmax()), ratios.shape)
        double = Double(
            self._own.start + int(nearest), judges[judge], float(cosines[judge, nearest]), float(limits[judge])
        )
        return Likeness(int((ratios.max(0) >= 1).sum()), before, double, self._few)


def compare(
    people: Mapping[int, Mapping[str, np.ndarray]],
    thresholds: Mapping[str, float],
    progress: Progress | None = None,
    limit: float = RULE.limit,
) -> Doubles:
    """Compare all pairs of `people`, whose means (`mean_of`) are given by number; who has no face is like nobody. `limit`: as of
    the Rule."""
    numbers = [number for number in sorted(people) if people[number]]
    if len(numbers) < 2:
        return Doubles(0, 0, (), {})
    judges = list(thresholds)
    limits = np.array([limit * thresholds[judge] for judge in judges])
    means = [np.stack([people[number][judge] for number in numbers]) for judge in judges]
    count, too_alike, nearest = len(numbers), 0, dict[int, Double]()
    closest: list[tuple[float, int, int, int, float]] = []
    for start in (progress or Progress()).track(range(0, count, _BLOCK), "Comparing people"):
        rows = np.arange(start, min(start + _BLOCK, count))
        cosines = np.stack([of[rows] @ of.T for of in means])
        ratios = cosines / limits[:, None, None]
        ratios[:, np.arange(len(rows)), rows] = -np.inf
        judge = ratios.argmax(0)
        best = ratios.max(0)
        for row, index in enumerate(rows):
            other = int(best[row].argmax())
            by = int(judge[row, other])
            nearest[numbers[index]] = Double(
                numbers[other], judges[by], float(cosines[by, row, other]), float(limits[by])
            )
        earlier = np.where(np.arange(count)[None, :] < rows[:, None], best, -np.inf)
        too_alike += int((earlier >= 1).sum())
        for flat in np.argsort(-earlier, axis=None, kind="stable")[:MOST]:
            row, other = (int(each) for each in np.unravel_index(flat, earlier.shape))
            if np.isfinite(earlier[row, other]):
                by = int(judge[row, other])
                closest.append((float(earlier[row, other]), int(rows[row]), other, by, float(cosines[by, row, other])))
    top = heapq.nsmallest(MOST, closest, key=lambda one: (-one[0], one[1], one[2]))
    listed = tuple(
        Alike(numbers[row], Double(numbers[other], judges[by], cosine, float(limits[by])))
        for _, row, other, by, cosine in top
    )
    return Doubles(count * (count - 1) // 2, too_alike, listed, nearest)
