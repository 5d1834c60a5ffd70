from __future__ import annotations

import json
import pickle

import pytest

from facestudio.errors import UsageError
from facestudio.recipe import Recipe

RECIPE = Recipe("starter-estimator", "quick", {"strength": 0.5, "grey": True, "note": "é"}, 7)


def test_there_and_back() -> None:
    again = Recipe.from_json(RECIPE.to_json())
    assert again == RECIPE
    assert again.to_json() == RECIPE.to_json()
    assert again.options == {"strength": 0.5, "grey": True, "note": "é"}


def test_the_same_recipe_is_the_same_line_whatever_the_order() -> None:
    other = Recipe("starter-estimator", "quick", {"note": "é", "grey": True, "strength": 0.5}, 7)
    assert other.to_json() == RECIPE.to_json()
    assert "\n" not in RECIPE.to_json()
    assert hash(other) == hash(RECIPE)


def test_the_version_is_told_but_makes_no_difference() -> None:
    older = Recipe(RECIPE.checkpoint, RECIPE.method, RECIPE.options, RECIPE.seed, version="0.0.1")
    assert older == RECIPE
    assert json.loads(older.to_json())["version"] == "0.0.1"
    assert Recipe.from_json(older.to_json()).version == "0.0.1"
    assert json.loads(RECIPE.to_json())["version"]


def test_options_cannot_be_changed_from_outside() -> None:
    options = {"strength": 0.5}
    recipe = Recipe("c", "m", options)
    options["strength"] = 1.0
    assert recipe.options["strength"] == 0.5
    with pytest.raises(TypeError):
        recipe.options["strength"] = 1.0  # type: ignore[index]


def test_what_a_later_version_adds_does_not_hurt() -> None:
    assert Recipe.from_json(RECIPE.to_json()[:-1] + ', "new": [1]}') == RECIPE


def test_the_picture_of_a_pose_is_told_only_where_there_is_one() -> None:
    posed = Recipe("c", "m", seed=3, pose="0f" * 32)
    assert Recipe.from_json(posed.to_json()) == posed != Recipe("c", "m", seed=3)
    assert pickle.loads(pickle.dumps(posed)) == posed
    assert "pose" not in json.loads(RECIPE.to_json())


def test_sliders_are_told_only_where_there_are_some() -> None:
    moved = Recipe("c", "m", seed=3, sliders={"yaw": -0.4, "age": 0.6})
    assert Recipe.from_json(moved.to_json()) == moved != Recipe("c", "m", seed=3)
    assert moved.to_json() == Recipe("c", "m", seed=3, sliders={"age": 0.6, "yaw": -0.4}).to_json()
    assert "sliders" not in RECIPE.to_json()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", "{}", '{"checkpoint": "c"}']
    + [
        json.dumps({**json.loads(RECIPE.to_json()), name: value})
        for name, value in [
            ("checkpoint", 1),
            ("options", [1]),
            ("seed", "7"),
            ("seed", True),
            ("method", None),
            ("sliders", [1]),
        ]
    ],
)
def test_something_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a recipe"):
        Recipe.from_json(text)


def test_a_recipe_goes_to_another_process() -> None:
    recipe = Recipe("quick-256", "quick", {"strength": 0.5}, 3, sliders={"age": 0.5})
    again = pickle.loads(pickle.dumps(recipe))
    assert again == recipe and again.version == recipe.version
    with pytest.raises(TypeError):
        again.options["strength"] = 1.0
