from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from facestudio.errors import UsageError
from facestudio.options import Limit, Only, describe, option, recorded, validate


@dataclass(frozen=True)
class Options:
    strength: float = option(0.5, title="Strength", help="How much.", minimum=0.0, maximum=1.0, step=0.05)
    steps: int = option(20, minimum=1, rare=True)
    tint: str = option("warm", title="Tint", choices=["warm", "cold"])
    sharp_edges: bool = option(False)
    internal: int = 3


def test_describe_tells_all_in_order() -> None:
    strength, steps, tint, sharp = describe(Options)
    assert (strength.name, strength.type, strength.default, strength.title) == ("strength", float, 0.5, "Strength")
    assert (strength.help, strength.minimum, strength.maximum, strength.step) == ("How much.", 0.0, 1.0, 0.05)
    assert (steps.type, steps.maximum, steps.title) == (int, None, "Steps")
    assert (tint.type, tint.choices) == (str, ("warm", "cold"))
    assert (sharp.type, sharp.title) == (bool, "Sharp edges")
    assert [field.name for field in (strength, steps, tint, sharp) if field.rare] == ["steps"]


@pytest.mark.parametrize(
    "values", [{}, {"strength": 0}, {"strength": 1.0, "steps": 10_000}, {"tint": "cold"}, {"sharp_edges": True}]
)
def test_what_is_allowed_passes(values: dict[str, Any]) -> None:
    validate(Options(**values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"strength": 1.01}, "Strength takes 0 to 1, not 1.01."),
        ({"strength": -0.1}, "Strength takes 0 to 1, not -0.1."),
        ({"strength": float("nan")}, "a number"),
        ({"strength": "much"}, "a number"),
        ({"strength": True}, "a number"),
        ({"steps": 0}, "at least 1"),
        ({"steps": 2.5}, "a whole number"),
        ({"tint": "green"}, "one of warm, cold"),
        ({"sharp_edges": 1}, "yes or no"),
    ],
)
def test_what_is_not_allowed_is_said_in_a_sentence(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        validate(Options(**values))


def test_options_that_came_later_are_in_records_of_before_as_it_was() -> None:
    @dataclass(frozen=True)
    class Grown:
        steps: int = option(20, minimum=1)
        lines: float = option(2.0, minimum=0.0, maximum=3.0, before=0.0)

    assert recorded(Grown, {"steps": 3}) == {"steps": 3, "lines": 0.0}
    assert recorded(Grown, {"steps": 3, "lines": 1.0}) == {"steps": 3, "lines": 1.0}
    assert recorded(Options, {"odd": 1}) == {"odd": 1}


def test_a_default_outside_of_its_own_bounds_is_a_mistake() -> None:
    @dataclass(frozen=True)
    class Wrong:
        strength: float = option(2.0, maximum=1.0)

    with pytest.raises(ValueError, match="strength"):
        describe(Wrong)


@dataclass(frozen=True)
class Limited:
    steps: int = option(20, minimum=1, maximum=250, limits=[Limit("tint", "cold", 50), Limit("tint", "icy", 10)])
    tint: str = option("warm", choices=["warm", "cold", "icy"])


def test_an_option_may_be_limited_by_another() -> None:
    steps, _ = describe(Limited)
    assert steps.limit({"tint": "warm"}) is None and steps.limit({}) is None
    assert steps.limit({"tint": "cold"}) == Limit("tint", "cold", 50)
    for allowed in (Limited(250), Limited(50, "cold"), Limited(10, "icy")):
        validate(allowed)
    with pytest.raises(UsageError, match="^Steps takes at most 50 with tint cold, not 51.$"):
        validate(Limited(51, "cold"))
    with pytest.raises(UsageError, match="^Steps takes 1 to 250, not 251.$"):
        validate(Limited(251, "cold"))


def test_a_limit_that_cannot_be_is_a_mistake() -> None:
    @dataclass(frozen=True)
    class Beyond:
        steps: int = option(20, limits=[Limit("tint", "cold", 10)])
        tint: str = option("cold")

    @dataclass(frozen=True)
    class Lost:
        steps: int = option(20, limits=[Limit("colour", "cold", 50)])

    for wrong in (Beyond, Lost):
        with pytest.raises(ValueError, match="steps"):
            describe(wrong)


@dataclass(frozen=True)
class Idle:
    noise: float = option(0.5, minimum=0.0, maximum=1.0, only=Only("tint", ("cold", "icy")))
    tint: str = option("warm", choices=["warm", "cold", "icy"])


def test_an_option_may_have_an_effect_only_beside_some_values_of_another() -> None:
    noise, tint = describe(Idle)
    assert noise.idle({"tint": "warm"}) == "tint warm"
    assert [noise.idle(others) for others in ({"tint": "cold"}, {"tint": "icy"}, {})] == ["", "", ""]
    assert tint.only is None and tint.idle({"noise": 0.5}) == ""
    assert str(noise.only) == "only with tint cold or icy"
    validate(Idle(0.9))  # it is no mistake


def test_an_effect_beside_what_there_is_not_is_a_mistake() -> None:
    @dataclass(frozen=True)
    class Lost:
        noise: float = option(0.5, only=Only("colour", ("cold",)))
        tint: str = option("warm", choices=["warm", "cold"])

    @dataclass(frozen=True)
    class Never:
        noise: float = option(0.5, only=Only("tint", ("blue",)))
        tint: str = option("warm", choices=["warm", "cold"])

    for wrong in (Lost, Never):
        with pytest.raises(ValueError, match="noise"):
            describe(wrong)
