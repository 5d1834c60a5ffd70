"""Measuring what cosines mean: thresholds of known distributions, how sure they are, and what too few pairs cannot say."""

from __future__ import annotations

import numpy as np
import pytest

from facestudio.checkpoints import Checkpoint
from facestudio.faces import calibrating
from facestudio.faces.calibration import distributions, interval_at, measured_rate, threshold_at
from facestudio.faces.identity import verdict
from facestudio.progress import Cancelled, Progress


def people(count: int, each: int = 3, spread: float = 0.5, sides: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings of `each` faces of `count` people at random places of a sphere, and who each is of."""
    random = np.random.default_rng(3)
    own = np.repeat(random.standard_normal((count, sides)), each, axis=0)
    faces = own + spread * random.standard_normal(own.shape)
    return faces / np.linalg.norm(faces, axis=1, keepdims=True), np.repeat(np.arange(count), each)


def test_tar_at_far_of_known_cosines() -> None:
    different = np.linspace(-1, 0.5, 1001)
    tar, threshold = calibrating.tar_at_far(np.array([0.2, 0.6, 0.9, 0.51]), different, 1e-3)
    assert tar == 0.75
    assert 0.49 < threshold <= 0.5


def test_shares_add_up_and_keep_outliers() -> None:
    found = calibrating.shares(np.array([-0.9, 0.0, 0.3, 1.0]), -0.5, 1.0, 3)
    assert found == [0.25, 0.5, 0.25]


def test_threshold_intervals_hold_the_threshold_and_shrink_with_more_people() -> None:
    widths = []
    for count in (10, 80):
        embedding, identity = people(count, 2, 5.0, 16)
        _, different = calibrating.pairs(embedding, identity)
        threshold = calibrating.tar_at_far(np.zeros(1), different, 1e-2)[1]
        low, high = calibrating.threshold_intervals(embedding, identity, (1e-2,))[1e-2]
        assert low <= threshold <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_strangers_of_a_known_distribution_give_its_thresholds_within_the_intervals() -> None:
    sides = 64
    embedding, identity = people(120, 2, 0.5, sides)
    found = calibrating.calibration_of(embedding, identity)
    # cosines of random places: the first coordinate of one of them, whose quantiles a large sample tells
    random = np.random.default_rng(5).standard_normal((200_000, sides))
    true = random[:, 0] / np.linalg.norm(random, axis=1)
    for far in calibrating.RATES:
        interval = interval_at(found, far)
        assert interval is not None
        assert interval[0] <= threshold_at(found, far) <= interval[1]
        assert interval[0] <= np.quantile(true, 1 - far) <= interval[1], far
    assert found["different_mean"] == pytest.approx(0, abs=0.01)
    assert found["different_std"] == pytest.approx(sides**-0.5, abs=0.01)
    assert found["same_mean"] == pytest.approx(1 / (1 + 0.5**2), abs=0.02)
    shown = distributions(found)
    assert shown is not None and shown.same.sum() == pytest.approx(1, abs=1e-3)


def test_a_rate_that_too_few_pairs_cannot_say_is_left_out() -> None:
    def rates(people: int, each: int) -> tuple[float, ...]:
        return calibrating.supported(np.repeat(np.arange(people), each))

    assert rates(10, 1) == (), "45 pairs"
    assert rates(15, 1) == (0.1,), "105 pairs"
    assert rates(20, 2) == (0.1,), "760 pairs: one in a hundred would be seven or eight of them"
    assert rates(20, 4) == (0.1, 0.01), "3040 pairs"
    assert rates(20, 50) == (0.1, 0.01), (
        "475 000 pairs, but of 190 pairs of people, so one in a thousand is an accident"
    )
    assert rates(150, 20) == calibrating.RATES


def test_beyond_the_measured_rates_a_verdict_says_at_which_one_it_stands() -> None:
    few = Checkpoint("few", calibration={"thresholds": {"1e-01": 0.2, "1e-02": 0.4}})
    assert measured_rate(few.calibration, 1e-3) == 1e-2
    assert measured_rate(few.calibration, 3e-2) == 3e-2
    said = verdict(0.5, few, far=1e-3)
    assert (said.words, said.threshold, said.far) == ("same person", 0.4, 1e-2)


def test_measuring_is_stopped_when_asked() -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        calibrating.calibration_of(*people(10), progress=progress)


def test_one_person_in_two_folders_is_pointed_out() -> None:
    embedding, identity = people(30, 4)
    names = np.array([f"{n:02d}" for n in identity])
    mean = calibrating.calibration_of(embedding, names)["same_mean"]
    assert calibrating.like_one_person(embedding, names, mean) == []
    names[:2] = "zz"  # two of the four pictures of the first person
    ((one, other, cosine),) = calibrating.like_one_person(embedding, names, mean - 0.05)
    assert (one, other) == ("00", "zz") and cosine > mean - 0.05
