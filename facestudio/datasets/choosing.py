"""Who gets a number of a dataset: the planned person, or a candidate whose pictures are less like those of earlier people.

A part of a dataset compares a person only with its own people of smaller numbers. So it arrives at the same people however often
it is stopped, resumed or extended. A person who is given up is never written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from facestudio.datasets.doubles import RULE, Double, Likeness, Others, Rule, mean_of
from facestudio.populating import Nobody, Order, Painter, Person
from facestudio.progress import Progress

FIRST = 0.8  # share of a number's time that the planned person takes, as progress assumes


@dataclass(frozen=True, eq=False)
class Choice:
    """The `person` who gets a number; `given_up` and `too_like` as of `records.PersonRecord`."""

    person: Person
    given_up: tuple[Double, ...] = ()
    too_like: Double | None = None


class Chooser:
    """Draws the people of a part with `painter` and replaces those who look too much like earlier ones.

    Args:
        people: the whole plan. own: the numbers of the part. rule: when a person is replaced.
    """

    def __init__(self, people: Sequence[Nobody], own: range, painter: Painter, order: Order, rule: Rule = RULE) -> None:
        self._people, self._own, self._painter, self._order = people, own, painter, order
        self._rule, self._others = rule, Others(own, painter.thresholds, rule)
        # identities by number, of the planned people or of those who replaced them
        self._taken = np.stack([nobody.identity.embedding for nobody in people])

    def keep(self, number: int, identity: np.ndarray, means: Mapping[str, np.ndarray]) -> None:
        """Tell that person `number` of the part is complete, with this identity (D,) and these means (`doubles.mean_of`)."""
        if self._order.apart:
            self._taken[number - 1] = identity
            self._others.add(number, means)

    def choose(
        self, number: int, progress: Progress, drawn: Callable[[], None], given_up: Callable[[], None]
    ) -> Choice:
        """Draw person `number`; draw candidates in their place while they are too much like earlier people; keep the best.

        `drawn` is called after each picture, `given_up` whenever a candidate is drawn instead.
        """
        if not self._order.apart:
            return Choice(self._painter.paint(self._people[number - 1], progress, drawn))
        share, best = FIRST, None
        tried: list[tuple[Nobody, Likeness, float]] = []
        for nobody in islice(self._candidates(number, progress), self._rule.people):
            if tried:
                given_up()
            with progress.step("Drawing people", share=share):
                person = self._painter.paint(nobody, progress, drawn)
            share = (1 - FIRST) / max(self._rule.people - 1, 1)
            likeness = self._others.likeness(number, _means(person))
            if best is None or all(likeness.order < other.order for _, other, _ in tried):
                best = person
            tried.append((nobody, likeness, person.seconds))
            if not likeness.too_alike:
                break
        assert best is not None
        self.keep(number, best.nobody.identity.embedding, _means(best))
        others = {nobody.anew: likeness for nobody, likeness, _ in tried}
        own = others.pop(best.nobody.anew)
        return Choice(
            replace(best, seconds=sum(seconds for _, _, seconds in tried)),
            tuple(other.nearest for other in others.values() if other.nearest is not None),
            own.nearest if own.too_alike else None,
        )

    def _candidates(self, number: int, progress: Progress) -> Iterator[Nobody]:
        """The planned person and then the candidates for that number, as far as their identities differ enough from those of
        earlier people of this part and of people planned for other parts."""
        planned, successors = self._people[number - 1], self._painter.successors
        taken = np.concatenate([self._taken[: number - 1], self._taken[self._own.stop - 1 :]])

        def apart(identity: np.ndarray) -> bool:
            return not len(taken) or float((taken @ identity).max()) < self._painter.strangers

        found = apart(planned.identity.embedding)
        if found:
            yield planned
        for anew, identity in successors.of(number):
            progress.check()
            if apart(identity.embedding):
                found = True
                yield successors.nobody(number, anew, identity)
        if not found:
            yield planned


def _means(person: Person) -> dict[str, np.ndarray]:
    return mean_of(
        [
            {judge: identity.embedding for judge, identity in picture.identities.items()}
            for picture in person.pictures
            if picture.face is not None
        ]
    )
