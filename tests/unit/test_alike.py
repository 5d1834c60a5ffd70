"""How alike made pictures are, and what can be written beside one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio.alike import alike
from facestudio.errors import UnwritableOutput, UsageError
from facestudio.faces.face import similarity
from facestudio.generating import Gallery, Portrait
from facestudio.keeping import keep, recipe_of, stem
from facestudio.methods.arc2face import Options
from facestudio.options import options_of
from facestudio.recipe import Recipe
from facestudio.whom import Between, Drawn
from tests.asking import asked
from tests.fakes import FakeEmbedder, write_picture
from tests.people import Choosy, Texture, space
from tests.unit.test_generating import made

JUDGES: list[Any] = [FakeEmbedder("fake"), FakeEmbedder("one")]


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    of = space()
    of.embedder = "fake"
    return made(3, Texture(blank=[6]), space=_without_known(of), detector=Choosy(), recipe=asked(5), embedders=JUDGES)


def _without_known(of: Any) -> Any:
    """The space, whose training people are nobody to the embedder that measures the pictures."""
    of.nearest_known = lambda identity: 0.0
    return of


def test_every_pair_is_measured_and_a_picture_without_a_face_is_not(gallery: Gallery) -> None:
    judge, listener = alike(gallery.portraits, JUDGES, told=["fake"])
    assert (judge.told, listener.told) == (False, True)
    first, last = (gallery.portraits[place].identities["one"] for place in (0, 2))
    assert judge.cosines.shape == (3, 3)
    assert judge.cosines[0, 2] == judge.cosines[2, 0] == pytest.approx(similarity(first, last), abs=1e-6)
    assert np.isnan(judge.cosines[1]).all() and np.isnan(judge.cosines[:, 1]).all()
    assert judge.threshold == 0.8 and judge.above == (int(judge.cosines[0, 2] >= 0.8), 1)


def test_embeddings_and_recipe_stand_beside_the_picture(gallery: Gallery, tmp_path: Path) -> None:
    portrait = gallery.portraits[0]
    keep(portrait, tmp_path / "a.png", extras=True)
    with np.load(tmp_path / "a.npz") as arrays:
        assert set(arrays) == {"fake", "one", "person"}
        assert np.array_equal(arrays["one"], portrait.identities["one"].embedding)
        assert portrait.person is not None and np.array_equal(arrays["person"], portrait.person.embedding)
    assert Recipe.from_json((tmp_path / "a.json").read_text()) == portrait.recipe == recipe_of(tmp_path / "a.png")
    assert recipe_of(tmp_path / "a.json") == portrait.recipe
    with pytest.raises(UnwritableOutput):
        keep(portrait, tmp_path / "a.png", extras=True)
    of_photo: Portrait = replace(portrait, recipe=replace(portrait.recipe, person=None, reference="x"))
    keep(of_photo, tmp_path / "b.png", extras=True)
    with np.load(tmp_path / "b.npz") as arrays:
        assert "person" not in arrays, "whose face it is stays out"
    assert json.loads((tmp_path / "b.json").read_text())["reference"] == "x"


def test_a_recipe_of_before_an_option_draws_as_then(tmp_path: Path) -> None:
    """Before there was `lines`, a sketch was followed as the prior does, and nobody was led before there was `nearer`."""
    old = Recipe("starter-prior", "arc2face", {"guidance": 3.0, "steps": 12, "sampler": "dpm", "hold_pose": True}, 7)
    (tmp_path / "old.json").write_text(old.to_json())
    found = recipe_of(tmp_path / "old.json")
    assert found == replace(old, options={**old.options, "lines": 0.0, "nearer": 0.0})
    assert options_of(Options, found.options) == Options(3.0, 12, "dpm", True, 0.0, 0.0)
    new = replace(old, options={**old.options, "lines": 2.0, "nearer": 0.5})
    unknown = replace(old, checkpoint="of-somebody-else")
    for recipe in (new, unknown):
        (tmp_path / "new.json").write_text(recipe.to_json())
        assert recipe_of(tmp_path / "new.json") == recipe


def test_a_picture_of_a_walk_has_a_name_of_its_own(tmp_path: Path) -> None:
    assert stem(Recipe("c", "m", seed=7)) == "face-000007"
    assert stem(Recipe("c", "m", seed=7, person=Between(Drawn(1), Drawn(2), 0.25))) == "face-000007-at-0250"
    plain = write_picture(tmp_path / "plain.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UsageError, match=r"plain\.png contains no recipe"):
        recipe_of(plain)
