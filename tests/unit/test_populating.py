"""People who do not exist: who they are, whether their pictures show them, and what is drawn again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facestudio.errors import UsageError
from facestudio.faces.face import similarity
from facestudio.faces.people import IdentitySpace
from facestudio.methods.base import Synthesizer
from facestudio.populating import NO_FACE, SOMEBODY_ELSE, Nobody, Order, Painter, Person, plan, seed_of
from facestudio.progress import Cancelled, Progress
from tests.fakes import FakeEmbedder
from tests.people import Choosy, Texture, painter, space

ORDER = Order(4, 4, seed=3)


@pytest.fixture(scope="module")
def identities() -> IdentitySpace:
    return space()


@pytest.fixture(scope="module")
def people(identities: IdentitySpace) -> list[Nobody]:
    return plan(identities, ORDER)


def painted(people: list[Nobody], of: IdentitySpace, order: Order = ORDER, **texture: Any) -> tuple[Person, Texture]:
    """The first person, and the synthesizer that drew it."""
    drawer = Texture(**texture)
    return painter(order, of, drawer).paint(people[0]), drawer


def test_people_are_the_same_however_many_are_asked_for(identities: IdentitySpace, people: list[Nobody]) -> None:
    fewer = plan(identities, Order(2, 1, seed=3))
    assert [one.number for one in people] == [1, 2, 3, 4]
    for one, again in zip(people, fewer, strict=False):
        assert np.array_equal(one.identity.embedding, again.identity.embedding)
    assert max(similarity(people[0].identity, other.identity) for other in people[1:]) < identities.strangers
    assert not np.array_equal(plan(identities, Order(1, 1, seed=4))[0].identity.embedding, people[0].identity.embedding)
    assert all(one.unusual <= 1.0001 and one.nearest_known < identities.copies for one in people)


def test_a_persons_pictures_come_from_seeds_of_their_own_and_are_judged(
    identities: IdentitySpace, people: list[Nobody]
) -> None:
    assert isinstance(Texture(), Synthesizer)
    person, drawer = painted(people, identities)
    seeds = [seed_of(3, 1, place, 0) for place in range(4)]
    assert [picture.seed for picture in person.pictures] == seeds and len(set(seeds)) == 4 and max(seeds) < 2**53
    ((wish, asked),) = drawer.asked
    assert asked == seeds and wish.identity is people[0].identity
    for place, picture in enumerate(person.pictures):
        assert picture.photo.synthetic and picture.tries == 1 and not picture.note
        for judge in ("one", "two"):
            cosines = [
                similarity(picture.identities[judge], other.identities[judge])
                for n, other in enumerate(person.pictures)
                if n != place
            ]
            assert picture.typical[judge] == pytest.approx(np.median(cosines), abs=1e-6), "of three the middle one"
    assert person.first_faces == 4 and person.first_pairs == {"one": (6, 6), "two": (6, 6)}


def test_who_is_strange_and_where_no_face_is_found_is_drawn_again(
    identities: IdentitySpace, people: list[Nobody]
) -> None:
    strange = {seed_of(3, 1, 2, 0)}
    blank = {seed_of(3, 1, 0, 0), seed_of(3, 1, 0, 1)}
    person, drawer = painted(people, identities, strange=strange, blank=blank)
    assert [seeds for _, seeds in drawer.asked][1:] == [
        [seed_of(3, 1, 0, 1), seed_of(3, 1, 2, 1)],
        [seed_of(3, 1, 0, 2)],
    ]
    assert [picture.tries for picture in person.pictures] == [3, 1, 2, 1]
    assert not any(picture.note for picture in person.pictures)
    assert person.first_faces == 3 and person.first_pairs["one"] == (1, 3)


def test_what_stays_wrong_is_kept_and_marked(identities: IdentitySpace, people: list[Nobody]) -> None:
    strange = {seed_of(3, 1, 2, attempt) for attempt in range(3)}
    blank = {seed_of(3, 1, 0, attempt) for attempt in range(3)}
    person, _ = painted(people, identities, strange=strange, blank=blank)
    assert [picture.note for picture in person.pictures] == [NO_FACE, "", SOMEBODY_ELSE, ""]
    assert [picture.tries for picture in person.pictures] == [3, 1, 3, 1]
    assert person.pictures[0].face is None and not person.pictures[0].typical
    assert person.pictures[2].typical["one"] < 0.8 < person.pictures[1].typical["one"]


def test_of_several_wrong_ones_the_best_is_kept(identities: IdentitySpace, people: list[Nobody]) -> None:
    blank = {seed_of(3, 1, 2, 0), seed_of(3, 1, 2, 2)}
    person, _ = painted(people, identities, strange={seed_of(3, 1, 2, 1)}, blank=blank)
    assert person.pictures[2].note == SOMEBODY_ELSE, "a face is better than none"
    assert person.pictures[2].seed == seed_of(3, 1, 2, 1) and person.pictures[2].tries == 3


def test_one_try_and_one_picture_are_enough_to_ask_for(identities: IdentitySpace, people: list[Nobody]) -> None:
    person, drawer = painted(people, identities, Order(4, 1, seed=3, tries=1), blank={seed_of(3, 1, 0, 0)})
    assert len(drawer.asked) == 1 and person.pictures[0].note == NO_FACE
    alone, _ = painted(people, identities, Order(4, 1, seed=3))
    assert not alone.pictures[0].note and not alone.pictures[0].typical, "there is nothing to compare it with"


def test_a_person_can_vary(identities: IdentitySpace, people: list[Nobody]) -> None:
    _, drawer = painted(people, identities, Order(4, 3, seed=3, vary=0.1, tries=1))
    told = [wish.identity for wish, seeds in drawer.asked if len(seeds) == 1]
    assert len(told) == 3
    for one in told:
        assert one is not None and similarity(one, people[0].identity) == pytest.approx(0.9, abs=1e-5)
    assert similarity(told[0], told[1]) < 0.99  # type: ignore[arg-type]


def test_whom_the_method_listens_to_does_not_judge(identities: IdentitySpace) -> None:
    for judges in ([], [FakeEmbedder("fake")]):
        with pytest.raises(ValueError, match="does not listen to"):
            Painter(Texture(), identities, Choosy(), judges, None, ORDER)  # type: ignore[arg-type]


def test_it_stops_at_the_next_step_and_counts(identities: IdentitySpace, people: list[Nobody]) -> None:
    progress, fractions = Progress(lambda update: fractions.append(update.fraction), every=0), []
    count = 0

    def drawn() -> None:
        nonlocal count
        count += 1
        if count == 2:
            progress.cancel()

    with pytest.raises(Cancelled):
        painter(ORDER, identities).paint(people[0], progress, drawn)
    assert count == 2
    assert fractions == sorted(fractions) and fractions[-1] < 1


@pytest.mark.parametrize(
    "wrong", [{"people": 0}, {"pictures": 0}, {"pictures": 1001}, {"tries": 0}, {"vary": 0.6}, {"vary": -0.1}]
)
def test_numbers_have_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Order(**{"people": 2, "pictures": 2, **wrong})
