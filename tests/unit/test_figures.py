"""Figures beside their limits."""

from __future__ import annotations

import pytest

from facestudio.faces.figures import beside, percent_short, px_short


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ((0.04, 0.4), ("0.04", "0.40")),
        ((0.158, 0.162), ("0.158", "0.162")),
        ((0.162, 0.158), ("0.16", "0.16")),  # it is not below, and does not look so
        ((0.1601, 0.1604, 0.4), ("0.1601", "0.1604", "0.4000")),
        ((0.396, 0.15, 0.4), ("0.396", "0.150", "0.400")),
        ((0.16, 0.16), ("0.16", "0.16")),
        ((0.1600001, 0.1600002), ("0.16000", "0.16000")),
        ((-0.1, 0.5), ("-0.10", "0.50")),
        ((0.5,), ("0.50",)),
    ],
)
def test_what_is_below_a_limit_is_seen_to_be(numbers: tuple[float, ...], shown: tuple[str, ...]) -> None:
    assert beside(*numbers) == shown


def test_what_falls_short_does_not_look_as_if_it_were_enough() -> None:
    assert [percent_short(share) for share in (0.0, 0.2996, 0.29)] == ["0%", "29%", "29%"]
    assert [px_short(length) for length in (5.4, 6.97)] == ["5 px", "6 px"]
