"""What the cosines of an embedder mean: thresholds, how sure they are, probabilities, and the distributions behind them.

Separate from `identity`, which computes cosines, because the window draws these figures and training writes them, and
neither needs a network for it. All of it was measured (see `calibrating`) on people that the embedder was not trained on, and
stands in the manifest, or of published recognisers in the user's data folder. Standard library and numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from facestudio.errors import CheckpointMismatch


@dataclass(frozen=True, eq=False)
class Distributions:
    """How often pairs had which cosine: `edges` (N + 1,) of the bins; `same` and `different` (N,) shares of all pairs of
    the same person and of different people, which each add up to 1."""

    edges: np.ndarray
    same: np.ndarray
    different: np.ndarray


def threshold_at(calibration: Mapping[str, Any], far: float, embedder: str = "this embedder") -> float:
    """The cosine threshold at false accept rate `far`, interpolated over log(far); CheckpointMismatch without any.

    Beyond the measured rates the nearest one is taken: nothing is promised that was not measured.
    """
    measured = _by_rate(calibration.get("thresholds"))
    if not measured:
        raise CheckpointMismatch(f"{embedder} has no calibrated thresholds, so its cosines cannot be interpreted.")
    return _interpolated(measured, far)


def measured_rate(calibration: Mapping[str, Any], far: float) -> float:
    """The false accept rate that `threshold_at` answers for: `far`, or the nearest measured one where it lies beyond."""
    rates = sorted(_by_rate(calibration.get("thresholds"))) or [far]
    return min(max(far, rates[0]), rates[-1])


def interval_at(calibration: Mapping[str, Any], far: float) -> tuple[float, float] | None:
    """Between which cosines the true threshold at `far` lies with 95 % confidence; None when that was not measured."""
    low, high = _by_rate(calibration.get("thresholds_low")), _by_rate(calibration.get("thresholds_high"))
    return (_interpolated(low, far), _interpolated(high, far)) if low and high else None


def same_probability(cosine: float, calibration: Mapping[str, Any], threshold: float) -> float:
    """Probability of the same person from two Gaussians with equal priors; 0 or 1 by `threshold` when there are none.

    Between the two means the ratio is monotone; beyond them the cosine is taken as the mean, so that the wider
    Gaussian's tail never makes a worse match look better.
    """
    try:
        same, same_std = float(calibration["same_mean"]), float(calibration["same_std"])
        different, different_std = float(calibration["different_mean"]), float(calibration["different_std"])
    except KeyError:
        return 1.0 if cosine >= threshold else 0.0
    x = min(max(cosine, different), same)
    log_ratio = math.log(different_std / same_std) - ((x - same) / same_std) ** 2 / 2
    log_ratio += ((x - different) / different_std) ** 2 / 2
    return 1 / (1 + math.exp(-min(max(log_ratio, -60.0), 60.0)))


def shown(probability: float) -> float:
    """A probability as it is shown: nothing here is certain."""
    return min(max(probability, 0.01), 0.99)


def same_chance(probability: float) -> str:
    """The `probability` that two faces are one person, in words that say of what it is, whatever the verdict beside it."""
    return f"{shown(probability):.0%} chance that both faces are the same person"


def distributions(calibration: Mapping[str, Any]) -> Distributions | None:
    """The measured distributions, None when the calibration holds none (or they do not fit together)."""
    same, different = calibration.get("same_shares"), calibration.get("different_shares")
    lowest, highest = calibration.get("shares_from"), calibration.get("shares_to")
    if not same or not different or len(same) != len(different) or lowest is None or highest is None:
        return None
    edges = np.linspace(float(lowest), float(highest), len(same) + 1)
    return Distributions(edges, np.asarray(same, np.float64), np.asarray(different, np.float64))


def _by_rate(table: Mapping[str, Any] | None) -> dict[float, float]:
    return {float(rate): float(value) for rate, value in (table or {}).items()}


def _interpolated(measured: Mapping[float, float], far: float) -> float:
    rates = sorted(measured)
    return float(np.interp(math.log(far), [math.log(rate) for rate in rates], [measured[rate] for rate in rates]))
