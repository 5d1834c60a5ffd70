"""Options of a method: a frozen dataclass whose fields say how they are shown and which values they take.

    @dataclass(frozen=True)
    class Options:
        strength: float = option(1.0, title="Strength", help="...", minimum=0.0, maximum=1.0, step=0.05)

Panels, flags and checks all read the same description, so that none of them is written twice. Separate from the methods
so that whoever shows options needs no torch; knows no method.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from facestudio.errors import UsageError

PERSON, PHOTO, POSE = "person", "photo", "pose"  # what an option can need
_KEY = "facestudio.option"
_TYPE_WORDS = {bool: "yes or no", int: "a whole number", float: "a number", str: "a word"}


@dataclass(frozen=True)
class Limit:
    """A lower `maximum`, where another `option` of the method has a `value`."""

    option: str
    value: Any
    maximum: float

    def __str__(self) -> str:
        return f"at most {self.maximum:g} with {self.option} {self.value}"


@dataclass(frozen=True)
class Only:
    """Where an option has an effect at all: where another `option` of the method has one of `values`."""

    option: str
    values: tuple[Any, ...]

    def __str__(self) -> str:
        return f"only with {self.option} {' or '.join(map(str, self.values))}"


@dataclass(frozen=True)
class OptionField:
    """How one option is shown and checked.

    Attributes:
        name: of the dataclass field; type: bool, int, float or str; default: the value when nothing is said.
        title: a short label; help: one sentence.
        minimum, maximum: bounds, both allowed; None where there is none. step: of a slider, None for its own choice.
        choices: the values allowed; empty when any value within the bounds is.
        needs: what the option has no effect without: `PERSON` who is told to the method, a `PHOTO` of somebody, a `POSE` picture,
            or "" nothing.
        before: what it was before there was the option, for records of then; None where it is as old as its method.
        rare: whether few people ever want another value, so that panels fold it away.
        limits: lower maxima beside some values of other options.
        only: where it has an effect at all beside other options; None where it has one beside all of their values.
    """

    name: str
    type: type
    default: Any
    title: str
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    needs: str = ""
    before: Any = None
    rare: bool = False
    limits: tuple[Limit, ...] = ()
    only: Only | None = None

    def idle(self, others: Mapping[str, Any]) -> str:
        """What of the `others` leaves it without an effect, such as "sampler dpm"; "" when it has one."""
        if self.only is None or self.only.option not in others or others[self.only.option] in self.only.values:
            return ""
        return f"{self.only.option.replace('_', ' ')} {others[self.only.option]}"

    def limit(self, others: Mapping[str, Any]) -> Limit | None:
        """The lowest of the limits beside the values of the `others`; None where there is none."""
        found = [limit for limit in self.limits if others.get(limit.option) == limit.value]
        return min(found, key=lambda limit: limit.maximum, default=None)

    def problem(self, value: Any, others: Mapping[str, Any] = MappingProxyType({})) -> str:
        """One sentence on why `value` is not allowed beside the values of the `others`, "" when it is."""
        if not _fits(value, self.type):
            return f"{self.title} takes {_TYPE_WORDS.get(self.type, self.type.__name__)}, not {value!r}."
        if self.choices and value not in self.choices:
            return f"{self.title} takes one of {', '.join(map(str, self.choices))}, not {value}."
        low = self.minimum is not None and value < self.minimum
        high = self.maximum is not None and value > self.maximum
        if low or high:
            return f"{self.title} takes {self._bounds()}, not {value:g}."
        limit = self.limit(others)
        return f"{self.title} takes {limit}, not {value:g}." if limit is not None and value > limit.maximum else ""

    def _bounds(self) -> str:
        if self.minimum is None:
            return f"at most {self.maximum:g}"
        if self.maximum is None:
            return f"at least {self.minimum:g}"
        return f"{self.minimum:g} to {self.maximum:g}"


def option(
    default: Any,
    *,
    title: str = "",
    help: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    step: float | None = None,
    choices: Sequence[Any] = (),
    needs: str = "",
    before: Any = None,
    rare: bool = False,
    limits: Sequence[Limit] = (),
    only: Only | None = None,
) -> Any:
    """A dataclass field that `describe` understands; see OptionField for the arguments."""
    shown: dict[str, Any] = {"title": title, "help": help, "minimum": minimum, "maximum": maximum, "step": step}
    shown |= {"needs": needs, "choices": tuple(choices), "before": before, "rare": rare, "limits": tuple(limits)}
    shown |= {"only": only}
    return dataclasses.field(default=default, metadata={_KEY: shown})


def describe(cls: type) -> tuple[OptionField, ...]:
    """The options of the dataclass `cls` in the order in which they stand; its other fields are left out.

    ValueError when a default is not allowed by its own option, or a limit is by none, or one has an effect only beside what
    there is not: a mistake of the programmer, found by the first test.
    """
    types = typing.get_type_hints(cls)
    found = []
    for field in dataclasses.fields(cls):
        if _KEY not in field.metadata:
            continue
        shown = dict(field.metadata[_KEY])
        shown["title"] = shown["title"] or field.name.replace("_", " ").capitalize()
        described = OptionField(field.name, types[field.name], field.default, **shown)
        found.append(described)
    defaults = {field.name: field.default for field in found}
    for described in found:
        if problem := described.problem(described.default, defaults):
            raise ValueError(f"the default of {cls.__module__}.{cls.__qualname__}.{described.name} is wrong: {problem}")
        if unknown := {limit.option for limit in described.limits} - set(defaults):
            raise ValueError(f"{cls.__module__}.{cls.__qualname__}.{described.name} is limited by {unknown}")
        if (only := described.only) is not None and not _can_be(only, found):
            raise ValueError(
                f"{cls.__module__}.{cls.__qualname__}.{described.name} has an effect {only}, which is none"
            )
    return tuple(found)


def _can_be(only: Only, fields: Sequence[OptionField]) -> bool:
    """Whether one of the `fields` takes all of the values."""
    other = next((field for field in fields if field.name == only.option), None)
    return other is not None and not any(other.problem(value) for value in only.values)


def recorded(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options `values` of a record, which named all of the dataclass `cls` that there were, with those that came later as
    it was before them."""
    return {**{field.name: field.before for field in describe(cls) if field.before is not None}, **values}


def validate(options: Any) -> None:
    """Check every option of the dataclass instance `options`; UsageError names the first that is not allowed."""
    fields = describe(type(options))
    values = {field.name: getattr(options, field.name) for field in fields}
    for field in fields:
        if problem := field.problem(values[field.name], values):
            raise UsageError(problem, hint=field.help)


def options_of(cls: type, values: Mapping[str, Any]) -> Any:
    """An instance of the options class `cls` with `values` (the rest default); UsageError on an unknown name or value."""
    unknown = sorted(set(values) - {field.name for field in describe(cls)})
    if unknown:
        raise UsageError(f"This method has no option called {unknown[0].replace('_', '-')}.")
    options = cls(**values)
    validate(options)
    return options


def _fits(value: Any, kind: type) -> bool:
    """Whether `value` is of `kind`: a whole number is a number too, but yes and no are not numbers."""
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return isinstance(value, int | float) and math.isfinite(value)
    return isinstance(value, kind)
