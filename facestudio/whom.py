"""Who is on a made picture, as a recipe holds it: somebody of a seed, another look of them, somebody between two, or anybody.

    Drawn(7)                              the person who does not exist of seed 7
    Near(Drawn(7), 0.2, 3)                another look of that person
    Between(Drawn(7), Drawn(9), 0.25)     a quarter of the way from the one to the other
    Anybody()                             whoever the method makes of a picture's seed when it is told nobody

Values only, and their way to JSON and back; `faces/people.py` says what such a person is to a recogniser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from facestudio.errors import UsageError

WIDEST = 0.5  # of a look, as 1 - cosine to the person
DEEPEST = 8  # people that are said by people that are said by people ...
LARGEST = 2**63 - 1  # seed


@dataclass(frozen=True)
class Anybody:
    """Whoever comes: nobody is told to the method, and nothing keeps them apart from people of its training."""

    def __str__(self) -> str:
        return "anybody"


@dataclass(frozen=True)
class Drawn:
    """The person who does not exist of a `seed`."""

    seed: int

    def __post_init__(self) -> None:
        _check_seed(self.seed)

    def __str__(self) -> str:
        return f"person {self.seed}"


@dataclass(frozen=True)
class Near:
    """Another look of `person`: `amount` is 1 - cosine to them, 0 to `WIDEST`, the direction is that of a `seed`."""

    person: Who
    amount: float
    seed: int

    def __post_init__(self) -> None:
        _check_seed(self.seed)
        _check_share(self.amount, WIDEST, "A person's look may vary")
        _check_depth(self)

    def __str__(self) -> str:
        return f"{self.person}, varied by {self.amount:g}"


@dataclass(frozen=True)
class Between:
    """Somebody who is `share` (0..1) of the way from `one` to `other`."""

    one: Who
    other: Who
    share: float

    def __post_init__(self) -> None:
        _check_share(self.share, 1, "The way from one person to another goes")
        _check_depth(self)

    def __str__(self) -> str:
        return f"{self.share:.0%} from {self.one} to {self.other}"


Who = Anybody | Drawn | Near | Between


@dataclass(frozen=True)
class Shot:
    """One picture: its `seed`, and `who` is on it; None is the person of that seed, where the method can be told people."""

    seed: int
    who: Who | None = None

    def __post_init__(self) -> None:
        _check_seed(self.seed)


def shots(seed: int, count: int, who: Who | None = None, vary: float = 0.0) -> tuple[Shot, ...]:
    """`count` pictures from `seed` on: each of a person of its own, or all of `who`, `vary` away from them."""
    seeds = range(seed, seed + count)
    if who is None or isinstance(who, Anybody) or not vary:
        return tuple(Shot(one, who) for one in seeds)
    return tuple(Shot(one, Near(who, vary, one)) for one in seeds)


def walk(one: Who, other: Who, count: int, seed: int) -> tuple[Shot, ...]:
    """`count` pictures from `one` to `other`, both included, in equal steps, all of one `seed`: only the person changes.

    UsageError for fewer than two, where both are the same, and where one of them is anybody, who is nowhere.
    """
    if count < 2:
        raise UsageError(f"A walk needs at least two pictures, not {count}.")
    if one == other:
        raise UsageError("A walk leads from one person to another, but both are the same.")
    for who in (one, other):
        if isinstance(who, Anybody):
            raise UsageError("A walk cannot begin or end at a person who was drawn freely.")
    return tuple(Shot(seed, Between(one, other, round(step / (count - 1), 6))) for step in range(count))


def to_value(who: Who) -> dict[str, Any]:
    """`who` as JSON holds it."""
    if isinstance(who, Drawn):
        return {"seed": who.seed}
    if isinstance(who, Near):
        return {"near": to_value(who.person), "amount": who.amount, "seed": who.seed}
    if isinstance(who, Between):
        return {"from": to_value(who.one), "to": to_value(who.other), "share": who.share}
    return {"anybody": True}


def from_value(value: Any) -> Who:
    """What `to_value` made; UsageError when `value` is something else."""
    return _read(value, 0)


def _read(value: Any, depth: int) -> Who:
    if isinstance(value, dict) and depth <= DEEPEST:
        match value:
            case {"near": near, "amount": amount, "seed": seed}:
                return Near(_read(near, depth + 1), amount, seed)
            case {"from": one, "to": other, "share": share}:
                return Between(_read(one, depth + 1), _read(other, depth + 1), share)
            case {"seed": seed} if len(value) == 1:  # a number beside it is a dataset's, of older files
                return Drawn(seed)
            case {"anybody": True}:
                return Anybody()
    raise UsageError("This recipe does not say who is in the picture.")


def depth(who: Who) -> int:
    """How many people of people `who` is said by; 0 for one who is said by a seed."""
    parts: Sequence[Who] = ()
    if isinstance(who, Near):
        parts = (who.person,)
    elif isinstance(who, Between):
        parts = (who.one, who.other)
    return 1 + max(map(depth, parts)) if parts else 0


def _check_seed(seed: Any) -> None:
    if type(seed) is not int or not 0 <= seed <= LARGEST:
        raise UsageError(f"A seed is a whole number from 0 to {LARGEST}, not {seed!r}.")


def _check_share(share: Any, most: float, words: str) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= most:
        raise UsageError(f"{words} from 0 to {most:g}, not {share!r}.")


def _check_depth(who: Who) -> None:
    if depth(who) > DEEPEST:
        raise UsageError(
            "This person was derived from too many others, one after another.",
            hint="Start again from a newly drawn person.",
        )
