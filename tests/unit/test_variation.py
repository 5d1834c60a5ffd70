"""Faces varied for a restorer: they stay faces in their place, and are not what was photographed."""

from __future__ import annotations

import numpy as np
import pytest

from facestudio.faces.face import FFHQ_256
from facestudio.training.recipes.estimator import Recipe
from facestudio.training.variation import bent, joined, tinted


def dotted() -> np.ndarray:
    """Dark, with a bright dot of 9 px at each of the five points of the frame."""
    pixels = np.full((256, 256, 3), 40, np.uint8)
    for x, y in np.rint(FFHQ_256.points).astype(int):
        pixels[y - 4 : y + 5, x - 4 : x + 5] = 220
    return pixels


def test_a_bent_face_has_its_features_near_where_they_were_and_not_there() -> None:
    moves = []
    for seed in range(30):
        made = bent(dotted(), np.random.default_rng(seed))
        assert made.shape == (256, 256, 3) and made.dtype == np.uint8
        for x, y in FFHQ_256.points:
            around = made[round(y) - 32 : round(y) + 33, round(x) - 32 : round(x) + 33, 0]
            rows, columns = np.nonzero(around > 130)
            assert len(rows) > 20, "the dot went out of its neighbourhood"
            moves.append(np.hypot(rows.mean() - 32, columns.mean() - 32))
    assert 2 < np.mean(moves) < 14 and np.max(moves) < 32
    again = [bent(dotted(), np.random.default_rng(7)) for _ in range(2)]
    assert np.array_equal(*again)


def test_tinting_keeps_the_order_of_levels_and_changes_their_mean() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    made = [tinted(ramp, np.random.default_rng(seed)) for seed in range(40)]
    assert all((np.diff(one.astype(int), axis=1) >= 0).all() for one in made)
    means = np.array([one.mean() for one in made])
    assert means.std() > 5 and 60 < means.min() and means.max() < 190


def test_a_joined_face_is_the_one_here_and_the_other_there() -> None:
    random = np.random.default_rng(0)
    texture = random.normal(0, 20, (2, 256, 256, 1))
    first, second = (np.clip(120 + one, 0, 255).astype(np.uint8).repeat(3, 2) for one in texture)
    for seed in range(20):
        made = joined(first, second, np.random.default_rng(seed)).astype(float)
        of_first = np.abs(made - first).max(2) < 1
        assert 0.1 < of_first.mean() < 0.9
        inside = made[96:200, 80:176]
        for one in (first, second):
            part = one[96:200, 80:176].astype(float)
            assert np.corrcoef(inside.ravel(), part.ravel())[0, 1] > 0.03, "both are in the face itself"


@pytest.mark.parametrize("seed", range(3))
def test_the_recipe_leaves_some_faces_alone(seed: int) -> None:
    recipe = object.__new__(Recipe)
    recipe.training = np.arange(4)

    class Table:
        pixels = np.stack([np.roll(dotted(), 3 * n, 0) for n in range(4)])

    recipe.faces = Table()  # type: ignore[assignment]
    random = np.random.default_rng(seed)
    same = [np.array_equal(recipe.another(Table.pixels[0], random), Table.pixels[0]) for _ in range(60)]
    assert 0.1 < np.mean(same) < 0.45
