"""`generate --person`, `--anybody` and `--walk`: who is on the pictures that are not drawn from a photo."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facestudio.errors import UsageError
from facestudio.keeping import recipe_of
from facestudio.recipe import Recipe
from facestudio.whom import LARGEST, Anybody, Drawn, Shot, Who, shots, walk

STEPS = 8  # of a walk
LONGEST = 100  # digits of a seed that are looked at


@dataclass(frozen=True)
class Cast:
    """The flags as they were given; None and False are those that were not."""

    person: str | None = None
    anybody: bool = False
    walk: tuple[str, str] | None = None
    vary: float | None = None

    def check(self, others: Mapping[str, Any]) -> None:
        """UsageError when these flags do not go together, or not with those of `others`, by name, that were given."""
        mine = {"--person": self.person, "--anybody": self.anybody, "--walk": self.walk}
        given = [name for name, value in mine.items() if value not in (None, False)]
        if len(given) > 1:
            raise UsageError(f"{given[0]} and {given[1]} cannot be used together.")
        for name, value in others.items():
            if given and value is not None:
                raise UsageError(f"{given[0]} and {name} cannot be used together.")
        if self.vary is not None and self.person is None:
            raise UsageError("--vary works only with a dataset (--identities) or one person (--person).")

    def plan(self, recipe: Recipe, seed: int | None, count: int | None) -> tuple[Shot, ...]:
        """Seed and person of each picture; what `recipe` says of them holds where no flag does."""
        if self.walk is not None:
            (one, own), (other, _) = map(_reached, self.walk)
            return walk(one, other, STEPS if count is None else count, own if seed is None else seed)
        who: Who | None = Anybody() if self.anybody else recipe.person
        if self.person is not None:
            who = _reached(self.person)[0]
        first = recipe.seed if seed is None else seed
        return shots(first, 8 if count is None else count, who, self.vary or 0.0)


def _reached(words: str) -> tuple[Who, int]:
    """The person that a seed, or a picture's file, names, and the seed of the picture."""
    if words.isdecimal():
        if len(words) > LONGEST:  # Python makes no number of thousands of digits
            raise UsageError(f"A seed is a whole number from 0 to {LARGEST}, not one of {len(words)} digits.")
        return Drawn(int(words)), 0
    if not words or not os.path.lexists(words):
        raise UsageError(
            f'"{words}" names nobody: it is neither a seed, a whole number from 0 to {LARGEST}, nor a picture file.'
        )
    recipe = recipe_of(Path(words))
    if recipe.reference:
        raise UsageError(f"{words} was drawn from a photo; only people who do not exist can be named here.")
    if recipe.person is None or isinstance(recipe.person, Anybody):
        raise UsageError(
            f"{words} shows nobody in particular.", hint="Use a picture that shows a person who was asked for."
        )
    return recipe.person, recipe.seed
