"""Figures beside their limits, so that one sees on which side of them they are: cosines, and what falls short of what is needed.

Separate because reports, sentences and the window show them, and all must say what the verdict says. Knows no recogniser.
"""

from __future__ import annotations

import math

FEWEST, MOST = 2, 5  # digits behind the point; a report's lines hold five


def beside(cosine: float, *limits: float) -> tuple[str, ...]:
    """The cosine, then its limits, rounded so that the cosine is below each of them as written where it is below it.

    0.158 below 0.162 is 0.158 and 0.162, and not 0.16 below 0.16.
    """
    numbers = (cosine, *limits)
    for digits in range(FEWEST, MOST + 1):
        first, *others = (round(number, digits) for number in numbers)
        if all((first < other) == (cosine < limit) for other, limit in zip(others, limits, strict=True)):
            break
    return tuple(f"{number:.{digits}f}" for number in numbers)


def percent_short(share: float) -> str:
    """A `share` (0..1) that is below what is needed, in whole percents, rounded down: 0.2996 of 30 % is 29 %, not 30 %."""
    return f"{math.floor(100 * share + 1e-6)}%"


def px_short(length: float) -> str:
    """A length in px that is below what is needed, in whole ones, rounded down."""
    return f"{math.floor(length)} px"
