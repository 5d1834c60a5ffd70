"""The space of identities: people who do not exist, as real ones might be, apart from each other and from those known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facestudio.checkpoints import checkpoint, load_manifest
from facestudio.errors import CheckpointMismatch, FaceStudioError, UsageError
from facestudio.faces.face import Identity, similarity
from facestudio.faces.identity import verdict
from facestudio.faces.people import IdentitySpace
from facestudio.networks.people import People
from facestudio.progress import Cancelled, Progress, Update
from facestudio.whom import Anybody, Between, Drawn, Near


def training_people(count: int = 300) -> torch.Tensor:
    """Unit vectors of 32 numbers, about a common middle, that differ in few directions."""
    random = torch.Generator().manual_seed(0)
    off = torch.randn(count, 6, generator=random) * torch.tensor([1.0, 0.8, 0.6, 0.5, 0.4, 0.3])
    directions = torch.linalg.qr(torch.randn(32, 7, generator=random))[0]
    return torch.nn.functional.normalize(0.6 * directions[:, 6] + off @ directions[:, :6].T, dim=1)


@pytest.fixture(scope="module")
def people() -> People:
    network = People(32, 8, 300)
    network.fit(training_people())
    return network.eval()


@pytest.fixture
def space(people: People) -> IdentitySpace:
    return IdentitySpace(people, "fake", strangers=0.6, copies=0.97)


@pytest.fixture(scope="module")
def shipped() -> IdentitySpace:
    return IdentitySpace.load(checkpoint("starter-people"), load_manifest())


def test_what_is_drawn_is_spread_as_real_people_are(people: People, space: IdentitySpace) -> None:
    drawn = torch.from_numpy(np.stack([space.draw(seed).embedding for seed in range(400)]))
    real = training_people()
    assert float(people.distance(drawn).median()) == pytest.approx(float(people.distance(real).median()), rel=0.15)
    assert torch.allclose(drawn.mean(0), real.mean(0), atol=0.08)
    assert torch.allclose(drawn.std(0), real.std(0), atol=0.08)


def test_a_seed_is_one_person_and_another_seed_another(space: IdentitySpace) -> None:
    assert np.array_equal(space.draw(5).embedding, space.draw(5).embedding)
    assert similarity(space.draw(5), space.draw(6)) < 0.999
    assert np.linalg.norm(space.draw(5).embedding) == pytest.approx(1, abs=1e-5)


def test_nobody_drawn_is_known_or_unusual(space: IdentitySpace) -> None:
    strict = IdentitySpace(space._people, "fake", strangers=0.6, copies=0.9)
    for seed in range(60):
        person = strict.draw(seed)
        assert strict.nearest_known(person) < 0.9 and not strict.is_copy(person)
        assert strict.unusual(person) <= 1.0001
    someone = Identity(training_people()[7].numpy(), "fake")
    assert strict.nearest_known(someone) > 0.98 and strict.is_copy(someone)


def test_people_drawn_together_are_apart_and_no_more_than_fit(space: IdentitySpace) -> None:
    other = space.draw(1)
    several = space.draw_apart(6, seed=2, others=[other])
    vectors = np.stack([one.embedding for one in (*several, other)])
    cosines = (vectors @ vectors.T)[np.triu_indices(7, 1)]
    assert cosines.max() < 0.6
    with pytest.raises(FaceStudioError, match="clearly different"):
        space.draw_apart(500, seed=2)


def test_people_are_looked_for_as_long_as_somebody_still_fits(
    space: IdentitySpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facestudio.faces.people._PORTION", 1)
    monkeypatch.setattr("facestudio.faces.people._PATIENCE", 12)
    several = space.draw_apart(8, seed=2)  # of the first twelve who are drawn, six are apart
    vectors = np.stack([one.embedding for one in several])
    assert (vectors @ vectors.T)[np.triu_indices(8, 1)].max() < 0.6
    assert all(
        np.array_equal(a.embedding, b.embedding) for a, b in zip(space.draw_apart(6, seed=2), several, strict=False)
    )


def test_looking_for_people_where_nobody_fits_can_be_stopped(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere, progress, drawn = IdentitySpace(people, "fake", strangers=-1.0, copies=0.97), Progress(), 0
    usual, known = nowhere._usual, Identity(training_people()[0].numpy(), "fake")

    def watched(random: np.random.Generator) -> np.ndarray:
        nonlocal drawn
        drawn += 1
        if drawn == 5:
            progress.cancel()
        return usual(random)

    monkeypatch.setattr(nowhere, "_usual", watched)
    with pytest.raises(Cancelled):
        nowhere.draw_apart(2, seed=0, others=[known], progress=progress)
    assert drawn == 5


def test_how_far_planning_is_is_told(space: IdentitySpace) -> None:
    told: list[Update] = []
    space.draw_apart(5, seed=2, progress=Progress(told.append, every=0))
    assert [update.fraction for update in told] == sorted(update.fraction for update in told)
    assert {round(update.fraction, 1) for update in told} >= {0.2, 0.4, 0.6, 0.8, 1.0}


def test_a_variation_is_as_far_as_was_asked(space: IdentitySpace) -> None:
    person = space.draw(3)
    for amount in (0.0, 0.1, 0.4):
        assert similarity(person, space.near(person, amount, seed=1)) == pytest.approx(1 - amount, abs=1e-5)
    assert similarity(space.near(person, 0.2, 1), space.near(person, 0.2, 2)) < 0.99
    with pytest.raises(ValueError, match="amount"):
        space.near(person, 1.5, 1)


def test_a_walk_goes_along_the_sphere(space: IdentitySpace) -> None:
    one, other = space.draw(3), space.draw(4)
    whole = np.arccos(similarity(one, other))
    for share in (0.0, 0.25, 0.5, 1.0):
        here = space.between(one, other, share)
        assert np.arccos(np.clip(similarity(one, here), -1, 1)) == pytest.approx(share * whole, abs=2e-3)
    assert similarity(space.between(one, one, 0.5), one) == pytest.approx(1, abs=1e-5)


def test_a_person_is_found_again_by_what_a_recipe_says(space: IdentitySpace) -> None:
    one, other = space.draw(3), space.draw(4)
    for who, wanted in (
        (Drawn(3), one),
        (Near(Drawn(3), 0.2, 9), space.near(one, 0.2, 9)),
        (Between(Drawn(3), Drawn(4), 0.25), space.between(one, other, 0.25)),
        (Between(Near(Drawn(3), 0.2, 9), Drawn(4), 1.0), other),
    ):
        found = space.of(who)
        assert found is not None and np.allclose(found.embedding, wanted.embedding, atol=1e-5), who
    assert space.of(Anybody()) is None
    with pytest.raises(UsageError, match="drawn freely"):
        space.of(Near(Anybody(), 0.1, 1))


def test_no_walk_and_no_other_look_ends_at_a_training_person(people: People) -> None:
    known = training_people()
    strict = IdentitySpace(people, "fake", strangers=0.6, copies=0.9)
    crossed = 0
    for seed in range(0, 60, 2):
        one, other = strict.draw(seed), strict.draw(seed + 1)
        for share in np.linspace(0, 1, 9):
            here = strict.between(one, other, share)
            assert float((known.numpy() @ here.embedding).max()) < 0.9 + 1e-3
            straight = _straight(one, other, share)
            if strict.is_copy(straight):
                crossed += 1
                assert similarity(here, straight) > 0.9, "it steps aside, no further"
            else:
                assert similarity(here, straight) == pytest.approx(1, abs=1e-5)
        assert not strict.is_copy(strict.near(one, 0.1, seed))
    assert crossed > 5, "or this shows nothing"


def test_stepping_aside_is_for_training_people_only(people: People) -> None:
    strict = IdentitySpace(people, "fake", strangers=0.6, copies=0.9)
    person = strict.draw(1)
    assert strict.apart(person) is person
    someone = Identity(training_people()[7].numpy(), "fake")
    moved = strict.apart(someone)
    assert not strict.is_copy(moved) and similarity(moved, someone) > 0.7
    assert strict.near(someone, 0.0, 1).embedding == pytest.approx(someone.embedding, abs=1e-6), "a real person's look"
    with pytest.raises(FaceStudioError, match="trained on"):
        IdentitySpace(people, "fake", strangers=0.6, copies=-0.99).apart(person)


def _straight(one: Identity, other: Identity, share: float) -> Identity:
    """The place on the arc itself."""
    angle = np.arccos(similarity(one, other))
    return Identity(np.sin((1 - share) * angle) * one.embedding + np.sin(share * angle) * other.embedding, one.embedder)


def test_what_ships_was_fitted_to_the_recogniser_that_ships(shipped: IdentitySpace) -> None:
    assert shipped.embedder == "starter-embedder-a" == checkpoint("starter-prior").conditioned_on[0]
    stranger = verdict(shipped.strangers + 1e-4, checkpoint(shipped.embedder), far=1e-3)
    assert stranger.words == "same person" and stranger.threshold == pytest.approx(shipped.strangers)
    assert shipped.strangers < shipped.copies < shipped.near_known < 0.7
    several = shipped.draw_apart(20, seed=0)
    vectors = np.stack([one.embedding for one in several])
    assert (vectors @ vectors.T)[np.triu_indices(20, 1)].max() < shipped.strangers
    assert not any(shipped.is_copy(one) for one in several)
    assert np.median([shipped.unusual(one) for one in several]) < 1


def test_another_recogniser_is_refused() -> None:
    known = load_manifest()
    file = known["starter-embedder-a"].files["weights"]
    other = replace(known["starter-embedder-a"], files={"weights": replace(file, sha256="0" * 64)})
    for embedders in ({}, {"starter-embedder-a": other}):
        with pytest.raises(CheckpointMismatch, match="other weights"):
            IdentitySpace.load(checkpoint("starter-people"), embedders)
