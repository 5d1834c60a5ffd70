"""Who is on a picture, as a recipe holds it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from facestudio.errors import UsageError
from facestudio.recipe import Recipe
from facestudio.whom import (
    DEEPEST,
    LARGEST,
    Anybody,
    Between,
    Drawn,
    Near,
    Shot,
    Who,
    depth,
    from_value,
    shots,
    to_value,
    walk,
)

PEOPLE = (
    Anybody(),
    Drawn(7),
    Near(Drawn(7), 0.2, 3),
    Between(Drawn(7), Near(Drawn(9), 0.1, 4), 0.25),
)


@pytest.mark.parametrize("who", PEOPLE, ids=str)
def test_there_and_back_in_a_recipe(who: Who) -> None:
    assert from_value(json.loads(json.dumps(to_value(who)))) == who
    recipe = Recipe("c", "m", seed=5, person=who)
    assert Recipe.from_json(recipe.to_json()) == recipe != Recipe("c", "m", seed=5)
    assert "person" not in json.loads(Recipe("c", "m").to_json())


def test_people_are_said_in_words() -> None:
    assert [str(who) for who in PEOPLE] == [
        "anybody",
        "person 7",
        "person 7, varied by 0.2",
        "25% from person 7 to person 9, varied by 0.1",
    ]


def test_every_picture_has_a_person_of_its_own_or_all_have_one() -> None:
    assert shots(5, 3) == (Shot(5), Shot(6), Shot(7))
    assert shots(5, 2, Drawn(1)) == (Shot(5, Drawn(1)), Shot(6, Drawn(1)))
    assert shots(5, 2, Drawn(1), vary=0.2) == (Shot(5, Near(Drawn(1), 0.2, 5)), Shot(6, Near(Drawn(1), 0.2, 6)))
    assert shots(5, 1, Anybody(), vary=0.2) == (Shot(5, Anybody()),)


def test_a_walk_goes_from_one_to_the_other_with_one_seed() -> None:
    steps = walk(Drawn(1), Drawn(2), 5, seed=9)
    assert {shot.seed for shot in steps} == {9}
    assert [shot.who.share for shot in steps if isinstance(shot.who, Between)] == [0, 0.25, 0.5, 0.75, 1]
    with pytest.raises(UsageError, match="two pictures"):
        walk(Drawn(1), Drawn(2), 1, 0)
    with pytest.raises(UsageError, match="drawn freely"):
        walk(Drawn(1), Anybody(), 3, 0)
    with pytest.raises(UsageError, match="both are the same"):
        walk(Drawn(1), Drawn(1), 3, 0)


def test_people_of_people_have_an_end() -> None:
    who: Who = Drawn(1)
    for seed in range(DEEPEST):
        who = Near(who, 0.1, seed)
    assert depth(who) == DEEPEST and from_value(to_value(who)) == who
    with pytest.raises(UsageError, match="too many"):
        Near(who, 0.1, 0)


@pytest.mark.parametrize(
    "value",
    [
        3,
        [],
        {},
        {"seed": "7"},
        {"seed": -1},
        {"seed": True},
        {"seed": 5, "number": 3},
        {"near": {"seed": 1}, "amount": 0.9, "seed": 2},
        {"near": {"seed": 1}, "amount": float("nan"), "seed": 2},
        {"from": {"seed": 1}, "to": {"seed": 2}, "share": 1.5},
        {"from": {"seed": 1}, "to": 2, "share": 0.5},
        {"anybody": 1.5},
    ],
)
def test_something_else_is_refused(value: Any) -> None:
    with pytest.raises(UsageError):
        from_value(value)
    with pytest.raises(UsageError):
        Recipe.from_json(json.dumps({**json.loads(Recipe("c", "m").to_json()), "person": value}))


def test_a_seed_that_no_chance_takes_is_refused() -> None:
    assert shots(LARGEST, 1)[0].seed == LARGEST
    for make in (lambda: shots(LARGEST, 2), lambda: Shot(-1), lambda: Drawn(LARGEST + 1)):
        with pytest.raises(UsageError, match=f"from 0 to {LARGEST}"):
            make()


def test_what_nests_without_end_is_refused() -> None:
    value: Any = {"seed": 1}
    for _ in range(200):
        value = {"near": value, "amount": 0.1, "seed": 1}
    with pytest.raises(UsageError):
        from_value(value)
