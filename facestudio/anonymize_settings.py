"""The settings of an anonymizing run: all that decides how its photos come out.

The journal keeps them as one line of text, and believes a result only if it was made by the same line. So window and command line
write it here, and a run that was begun by the one can be gone on with by the other. Knows no photos and no methods.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from facestudio.errors import UsageError
from facestudio.options import describe
from facestudio.recipe import Recipe

HIDING, NO_FALLBACK = "solid", "none"


@dataclass(frozen=True)
class Effort:
    """How often a face is tried, and the checkpoint of the method that hides it then; None: none does."""

    tries: int = 4
    fallback: str | None = HIDING


@dataclass(frozen=True)
class Settings:
    """What is asked for of every photo of a run.

    Attributes:
        recipe: checkpoint, all options of its method (see `complete`) and seed.
        faces: which faces, as the command line says it; box: faces that a person drew, as the command line says them.
        tries: how often a face is tried; fallback: checkpoint of what hides it then, or NO_FALLBACK.
        metadata: policy of `Photo.save`; times: files say that they were changed in 1980. far: as of `Studio`.
        numbers: the results have numbers for names.
        secret: name of the secret that says whom people become, the same in all photos (see `album`); "" without one.
        similar: who a face becomes is like who it was in apparent age and gender presentation.
        judges: recognisers that the user calibrated and that judge beside ours, as `Studio.own_judges` says them.
        leave: faces that were not chosen are left as they are by somebody who knows of them.
    """

    recipe: Recipe
    faces: str = "all"
    box: tuple[str, ...] = ()
    tries: int = 4
    fallback: str = HIDING
    metadata: str = "strip"
    times: bool = False
    far: float = 1e-3
    numbers: bool = False
    secret: str = ""
    similar: bool = False
    judges: tuple[str, ...] = ()
    leave: bool = False

    def to_text(self) -> str:
        """One line of JSON; the same settings always give the same line."""
        others = {name: value for name, value in vars(self).items() if name != "recipe"}
        for later in ("secret", "similar", "judges", "leave"):  # not in runs that were begun before there were these
            if not others[later]:
                del others[later]
        return json.dumps({**others, "recipe": json.loads(self.recipe.to_json())}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Settings:
        """The settings that `to_text` wrote; UsageError when `text` is something else."""
        try:
            content = json.loads(text)
            content["box"], content["judges"] = tuple(content["box"]), tuple(content.get("judges", ()))
            return cls(**{**content, "recipe": Recipe.from_json(json.dumps(content["recipe"]))})
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                "These are not the settings of an anonymizing run of this version.", hint="Anonymize the photo again."
            ) from error

    def told(self) -> dict[str, Any]:
        """What a report says of them beside the recipe, ready for JSON; neither where faces were drawn nor the secret's name."""
        return {
            "faces": self.faces,
            "leave_others": self.leave,
            "tries": self.tries,
            "fallback": self.hiding,
            "metadata": self.metadata,
            "reset_times": self.times,
            "far": self.far,
            "consistent": bool(self.secret),
            "similar": self.similar,
        }

    @property
    def effort(self) -> Effort:
        """As `Studio.anonymize` takes it."""
        return Effort(self.tries, self.hiding)

    @property
    def hiding(self) -> str | None:
        """The checkpoint of the fallback; None without one."""
        return None if self.fallback == NO_FALLBACK else self.fallback


def complete(recipe: Recipe, options: type, given: Mapping[str, Any] | None = None) -> Recipe:
    """`recipe` with a value for every one of its method's `options`, so that it does not matter which of them were said.

    A whole number for an option that takes any is one of those: 3 becomes 3.0, as it would be read from a file.
    """
    values = {**asdict(options()), **recipe.options, **(given or {})}
    exact = {field.name for field in describe(options) if field.type is float}
    return replace(recipe, options={name: float(v) if name in exact else v for name, v in values.items()})
