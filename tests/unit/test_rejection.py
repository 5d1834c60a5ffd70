"""The error-versus-discard curve and the logistic regression."""

from __future__ import annotations

import numpy as np
import pytest

from facestudio.training.rejection import logistic, missed_after_discarding


def test_a_perfect_quality_discards_the_misses_first_and_a_useless_one_does_not() -> None:
    known = np.array([True] * 8 + [False] * 2)
    perfect = missed_after_discarding(known.astype(float), known, (0.0, 0.1, 0.2, 0.5))
    assert perfect == pytest.approx([0.2, 1 / 9, 0.0, 0.0])
    worst = missed_after_discarding(-known.astype(float), known, (0.0, 0.5))
    assert worst == pytest.approx([0.2, 0.4])
    assert missed_after_discarding(np.zeros(10), known, (1.0,)) == [0.0], "one pair is always left"


def test_the_regression_finds_what_made_the_data() -> None:
    random = np.random.default_rng(0)
    x = random.normal(3, 2, (40_000, 2))
    chance = 1 / (1 + np.exp(-(0.5 + 1.5 * x[:, 0] - 2 * x[:, 1])))
    found = logistic(x, random.random(len(x)) < chance, ridge=0)
    assert found == pytest.approx([0.5, 1.5, -2.0], abs=0.1)
    assert logistic(x, chance, ridge=0) == pytest.approx([0.5, 1.5, -2.0], abs=1e-3), "shares serve as well"


def test_weights_count_samples() -> None:
    x = np.array([[0.0], [1.0], [0.0], [1.0]])
    y = np.array([0.2, 0.9, 0.8, 0.1])
    assert logistic(x, y, np.array([1, 1, 0, 0]), ridge=0) == pytest.approx([np.log(0.25), np.log(36)], abs=1e-3)
