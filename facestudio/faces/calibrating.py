"""From embeddings of known people to the calibration of their recogniser: what `calibration` reads is measured here.

Separate from `calibration`, which the window reads on every face, because this runs once: in training, on held-out people, and
when users calibrate a recogniser on people of their own. Numpy only; knows no photos, no networks and no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facestudio.progress import Progress

RATES = (1e-1, 1e-2, 1e-3, 1e-4)  # false accept rates that a calibration has thresholds for
SHARES = (-0.5, 1.0, 60)  # from, to and number of the bins of the cosines' distributions
ROUNDS = 400  # of the bootstrap
LEAST_PAIRS, LEAST_PEOPLE_PAIRS = 10, 1  # of strangers, that a threshold must be exceeded by


def pairs(
    embedding: np.ndarray, identity: np.ndarray, source: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of all same-identity and all different-identity pairs of unit embeddings (N, D).

    With `source` (N,) only of pairs from the same source: pictures made in two ways are more unlike than people are.
    """
    cosine = embedding @ embedding.T
    counted = np.triu(np.ones(cosine.shape, bool), 1)
    if source is not None:
        counted &= source[:, None] == source[None]
    same = identity[:, None] == identity[None]
    return cosine[counted & same], cosine[counted & ~same]


def tar_at_far(same: np.ndarray, different: np.ndarray, far: float) -> tuple[float, float]:
    """(TAR, cosine threshold) at the false accept rate `far`."""
    threshold = float(np.quantile(different, 1 - far))
    return float(np.mean(same >= threshold)), threshold


def shares(cosines: np.ndarray, lowest: float = -0.5, highest: float = 1.0, bins: int = 60) -> list[float]:
    """Which share of `cosines` falls into each of `bins` between `lowest` and `highest`; outliers in the outermost."""
    counts, _ = np.histogram(np.clip(cosines, lowest, highest), bins, (lowest, highest))
    return [float(share) for share in counts / max(counts.sum(), 1)]


def threshold_intervals(
    embedding: np.ndarray,
    identity: np.ndarray,
    rates: Sequence[float],
    source: np.ndarray | None = None,
    progress: Progress | None = None,
) -> dict[float, tuple[float, float]]:
    """95 % intervals of the cosine thresholds at the false accept `rates`, for unit `embedding` (N, D); see below.

    `source` as for `pairs`.
    """
    counted = np.triu(identity[:, None] != identity[None], 1)
    if source is not None:
        counted &= source[:, None] == source[None]
    return intervals_of_pairs(embedding @ embedding.T, counted, identity, rates, progress=progress)


def intervals_of_pairs(
    scores: np.ndarray,
    counted: np.ndarray,
    identity: np.ndarray,
    rates: Sequence[float],
    rounds: int = ROUNDS,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[float, tuple[float, float]]:
    """95 % intervals of the thresholds at the false accept `rates`, when other people had been measured.

    Args:
        scores: (N, N) of pairs of faces of `identity` (N,); counted: (N, N) bool, which pairs of strangers count.

    Bootstrap over people, not over pairs: each round draws as many identities with replacement, and a pair counts as
    often as the product of how often its two people were drawn (Poh and Bengio's user-specific bootstrap).
    """
    people, of = np.unique(identity, return_inverse=True)
    first, second = np.nonzero(counted)
    ordered = scores[first, second]
    order = np.argsort(-ordered)
    ordered, a, b = ordered[order], of[first][order], of[second][order]
    random = np.random.default_rng(seed)
    found: dict[float, list[float]] = {rate: [] for rate in rates}
    for _ in (progress or Progress()).track(range(rounds), "Measuring how sure it is"):
        drawn = np.bincount(random.integers(0, len(people), len(people)), minlength=len(people))
        sums = np.cumsum(drawn[a] * drawn[b])
        for rate in rates:
            place = min(np.searchsorted(sums, rate * sums[-1]), len(ordered) - 1)
            found[rate].append(float(ordered[place]))
    return {rate: (float(np.quantile(v, 0.025)), float(np.quantile(v, 0.975))) for rate, v in found.items()}


def supported(identity: np.ndarray, rates: Sequence[float] = RATES) -> tuple[float, ...]:
    """Those of the false accept `rates` that faces of `identity` (N,) are enough for.

    At least `LEAST_PAIRS` pairs of faces of strangers must lie above a threshold, and as many as one pair of people would
    give: a rarer rate is that of a single accident, however many pictures there are of the two.
    """
    counts = np.unique(identity, return_counts=True)[1].astype(np.int64)
    different = (counts.sum() ** 2 - (counts**2).sum()) / 2
    people = len(counts) * (len(counts) - 1) / 2
    short = 1 - 1e-9  # 0.1 of a hundred is ten, however it is rounded
    return tuple(r for r in rates if r * different >= LEAST_PAIRS * short and r * people >= LEAST_PEOPLE_PAIRS * short)


def calibration_of(
    embedding: np.ndarray,
    identity: np.ndarray,
    source: np.ndarray | None = None,
    rates: Sequence[float] = RATES,
    sure_of: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The calibration of a recogniser, as the manifest has it, by unit embeddings (N, D) of faces of `identity` (N,).

    Thresholds at the false accept `rates`, with intervals at those in `sure_of` (None: at all), mean, spread and shares of the
    cosines of one person's pairs and of strangers'. There must be pairs of both. `source` as for `pairs`.
    """
    same, different = pairs(embedding, identity, source)
    found: dict[str, Any] = {"thresholds": {f"{far:.0e}": tar_at_far(same, different, far)[1] for far in rates}}
    for name, cosines in (("same", same), ("different", different)):
        found[f"{name}_mean"] = float(cosines.mean())
        found[f"{name}_std"] = float(cosines.std())
        found[f"{name}_shares"] = [round(share, 5) for share in shares(cosines, *SHARES)]
    found["shares_from"], found["shares_to"] = SHARES[:2]
    sure_of = rates if sure_of is None else sure_of
    intervals = threshold_intervals(embedding, identity, sure_of, source, progress)
    for place, name in enumerate(("thresholds_low", "thresholds_high")):
        found[name] = {f"{far:.0e}": interval[place] for far, interval in intervals.items()}
    return found


def like_one_person(embedding: np.ndarray, identity: np.ndarray, least: float) -> list[tuple[str, str, float]]:
    """Two people whose faces, two or more of each, are on average as alike as `least`, with that cosine; the most alike first.

    They may be one person who was sorted into two folders, which would make every threshold too high.
    """
    people, of, counts = np.unique(identity, return_inverse=True, return_counts=True)
    sums = np.zeros((len(people), embedding.shape[1]), np.float64)
    np.add.at(sums, of, embedding)
    means = sums / counts[:, None]
    several = np.triu((counts[:, None] > 1) & (counts[None] > 1), 1)
    alike = means @ means.T
    found = [(str(people[i]), str(people[j]), float(alike[i, j])) for i, j in np.argwhere(several & (alike >= least))]
    return sorted(found, key=lambda one: -one[2])
