"""What cosines mean: thresholds, their intervals, probabilities and distributions."""

from __future__ import annotations

import numpy as np
import pytest

from facestudio.faces.calibration import distributions, interval_at, same_probability, threshold_at
from tests.fakes import CALIBRATION

SHARES = {"shares_from": -0.5, "shares_to": 1.0, "same_shares": [0.0, 0.25, 0.75], "different_shares": [0.5, 0.5, 0.0]}


def test_thresholds_are_interpolated_over_the_logarithm_and_never_beyond() -> None:
    assert threshold_at(CALIBRATION, 10**-2.5) == pytest.approx(0.7)
    assert threshold_at(CALIBRATION, 1e-9) == 0.9
    assert threshold_at(CALIBRATION, 0.5) == 0.4


def test_intervals_are_read_like_thresholds_and_only_where_measured() -> None:
    measured = {"thresholds_low": {"1e-3": 0.7, "1e-2": 0.5}, "thresholds_high": {"1e-3": 0.9, "1e-2": 0.7}}
    assert interval_at(measured, 1e-3) == (0.7, 0.9)
    assert interval_at(measured, 10**-2.5) == pytest.approx((0.6, 0.8))
    assert interval_at(CALIBRATION, 1e-3) is None
    assert interval_at({"thresholds_low": {"1e-3": 0.7}}, 1e-3) is None


def test_probability_never_falls_with_the_cosine() -> None:
    chances = [same_probability(cosine, CALIBRATION, 0.8) for cosine in np.linspace(-1, 1, 101)]
    assert chances == sorted(chances)
    assert chances[0] < 0.01
    assert chances[-1] > 0.99
    assert all(0 <= chance <= 1 for chance in chances)


def test_probability_is_even_where_both_are_as_likely() -> None:
    even = {"same_mean": 1.0, "same_std": 0.2, "different_mean": 0.0, "different_std": 0.2}
    assert same_probability(0.5, even, 0.8) == pytest.approx(0.5)
    assert same_probability(0.79, {}, 0.8) == 0
    assert same_probability(0.8, {}, 0.8) == 1


def test_distributions_come_with_their_edges() -> None:
    found = distributions(SHARES)
    assert found is not None
    assert found.edges.tolist() == [-0.5, 0.0, 0.5, 1.0]
    assert found.same.tolist() == [0.0, 0.25, 0.75]
    assert found.different.sum() == 1


@pytest.mark.parametrize("changes", [{"same_shares": []}, {"same_shares": [1.0]}, {"shares_to": None}])
def test_distributions_that_do_not_fit_together_are_none(changes: dict[str, object]) -> None:
    assert distributions({**SHARES, **changes}) is None
    assert distributions({}) is None
