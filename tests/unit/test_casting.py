"""Whom the faces of one photo become: apart from who they were, and from one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from facestudio.casting import AMONG, Cast, Pseudonym
from facestudio.faces.face import FFHQ_256, AlignedFace, Identity
from facestudio.methods.base import Replacing
from facestudio.methods.crops import noise_seed
from tests.fakes import SlowRestorer, picture
from tests.people import space

PEOPLE = space()


class Told(SlowRestorer):
    """A Replacing method without weights: it remembers whom it was told."""

    def __init__(self) -> None:
        super().__init__(goal="change", conditioned_on=("fake",))
        self.people = PEOPLE
        self.persons: list[Identity] = []

    def who(self, aligned: AlignedFace) -> Identity:
        return PEOPLE.draw(int(aligned.pixels.sum()))

    def becoming(self, person: Identity) -> Told:
        self.persons.append(person)
        return self


def crop(seed: int) -> AlignedFace:
    return AlignedFace(picture(256, 256, seed=seed), np.eye(2, 3), FFHQ_256)


def highest(vectors: list[np.ndarray]) -> float:
    cosines = np.stack(vectors) @ np.stack(vectors).T
    return float(cosines[np.triu_indices(len(vectors), 1)].max())


def test_who_cannot_be_told_is_as_it_was() -> None:
    method = SlowRestorer(goal="change")
    assert Cast().told(method, 0, crop(0), 1) is method


def test_everybody_becomes_somebody_else_than_everybody_else() -> None:
    method: Any = Told()
    assert isinstance(method, Replacing)
    cast = Cast()
    for index in range(12):
        cast.told(method, index, crop(index), 1)
        cosine = method.persons[-1].embedding @ method.who(crop(index)).embedding
        assert cosine < PEOPLE.strangers and cast.token(index) == ""
    assert highest([person.embedding for person in method.persons]) < PEOPLE.strangers
    alone = [PEOPLE.draw_apart(1, noise_seed(crop(n).pixels, 1), [method.who(crop(n))])[0].embedding for n in range(12)]
    assert highest(alone) > PEOPLE.strangers, "drawn each for itself two would have been alike"
    assert np.array_equal(alone[0], method.persons[0].embedding), "the first is as the method itself draws"


def test_another_seed_is_somebody_else_who_may_be_like_the_one_given_up() -> None:
    method: Any = Told()
    cast = Cast()
    for seed in range(5):
        cast.told(method, 0, crop(0), seed)
    again = Cast()
    again.told(method, 0, crop(0), 4)
    assert np.array_equal(method.persons[4].embedding, method.persons[5].embedding)
    assert not np.array_equal(method.persons[3].embedding, method.persons[4].embedding)


def test_a_pseudonym_stays_until_another_is_asked_for() -> None:
    method: Any = Told()
    some = [Pseudonym(f"token {n}", PEOPLE.draw(n)) for n in range(2)]
    cast = Cast({3: iter(some)})
    assert cast.token(3) == "token 0"
    for seed in (1, 2):
        cast.told(method, 3, crop(0), seed)
        assert method.persons[-1] is some[0].identity and cast.token(3) == "token 0"
    for _ in range(2):  # the second time there is nobody left
        cast.told(method, 3, crop(0), 3, another=True)
        assert method.persons[-1] is some[1].identity and cast.token(3) == "token 1"


def test_who_is_drawn_is_apart_from_a_pseudonym_that_comes_later() -> None:
    method: Any = Told()
    seed = 4
    would = PEOPLE.draw_apart(1, noise_seed(crop(0).pixels, seed), [method.who(crop(0))])[0]
    cast = Cast({1: iter([Pseudonym("t", would)])})
    cast.told(method, 0, crop(0), seed)
    assert method.persons[-1].embedding @ would.embedding < PEOPLE.strangers


def test_the_nearest_of_several_can_be_asked_for() -> None:
    method: Any = Told()
    asked: list[int] = []

    def nearest(was: Identity, people: Any) -> int:
        asked.append(len(people))
        return int(np.argmax([one.embedding[0] for one in people]))

    Cast(nearest=nearest).told(method, 0, crop(0), 1)
    Cast().told(method, 0, crop(0), 1)
    assert asked == [AMONG] and method.persons[0].embedding[0] > method.persons[1].embedding[0]
