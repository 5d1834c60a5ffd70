"""Flags that are not written by hand: the methods' own options; and what the values of --faces and --box mean."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any

import typer

from facestudio import checkpoints
from facestudio.errors import CheckpointError, UsageError
from facestudio.methods.base import method_class, method_name
from facestudio.options import OptionField, describe


def method_fields(goals: Collection[str]) -> dict[str, tuple[OptionField, dict[str, Any]]]:
    """Every option of every method that the manifest names with one of `goals`, with its defaults by the methods that have it."""
    found: dict[str, tuple[OptionField, dict[str, Any]]] = {}
    try:
        entries = [c for c in checkpoints.load_manifest().values() if c.method and c.goal in goals]
        entries.sort(key=lambda c: c.published)  # the help shows the defaults of ours, which everybody has
        classes = dict.fromkeys((method_name(c), method_class(c)) for c in entries)
    except CheckpointError:
        return found  # help must work without a manifest; a command that needs it will say what is wrong
    for name, cls in classes:
        for field in describe(cls.Options):
            found.setdefault(field.name, (field, {}))[1].setdefault(name, field.default)
    return found


def with_method_options(command: Callable[..., int], *goals: str) -> Callable[..., int]:
    """`command`, whose `**options` becomes one flag for each option of each method with one of `goals`.

    A flag not given arrives as None.
    """
    signature = inspect.signature(command, eval_str=True)
    parameters = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    for name, (field, defaults) in method_fields(goals).items():
        annotation: Any = Annotated[field.type | None, _flag(name, field, defaults)]  # type: ignore[valid-type, name-defined]
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))

    def flagged(**given: Any) -> int:
        return command(**given)

    flagged.__name__, flagged.__doc__ = command.__name__, command.__doc__
    flagged.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    flagged.__annotations__ = {p.name: p.annotation for p in parameters}
    return flagged


def _flag(name: str, field: OptionField, defaults: Mapping[str, Any]) -> Any:
    """The flag of one option: its help, bounds and choices, and the `defaults` by method."""
    flag = f"--{name.replace('_', '-')}"
    if field.type is bool:
        flag = f"{flag}/--no-{name.replace('_', '-')}"
    words = [f"[{', '.join(defaults)}]", field.help]
    if field.choices:
        words.append(f"One of {', '.join(map(str, field.choices))}.")
    if field.minimum is not None and field.maximum is not None:
        words.append(f"From {field.minimum:g} to {field.maximum:g}{''.join(f', {limit}' for limit in field.limits)}.")
    if field.only is not None:
        words.append(f"{str(field.only).capitalize()}.")
    others = [f"{method} {default}" for method, default in defaults.items() if default != field.default]
    words.append(" ".join([f"Default: {field.default}", *([f"({', '.join(others)})"] if others else [])]) + ".")
    return typer.Option(flag, help=" ".join(words))


def options_given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given on the command line."""
    return {name: value for name, value in options.items() if value is not None}


def idle_options(cls: type, given: Iterable[str], values: Mapping[str, Any]) -> list[str]:
    """A sentence for each option of the method's class `cls` that was `given` and has no effect beside the `values`."""
    fields = describe(cls)
    beside = {field.name: field.default for field in fields} | dict(values)
    idle = {field.name: field.idle(beside) for field in fields if field.name in set(given)}
    return [f"--{name.replace('_', '-')} has no effect with {what}." for name, what in idle.items() if what]


def sliders_given(given: Iterable[str]) -> dict[str, float]:
    """The settings that "age=0.6", "yaw=-0.4" mean; UsageError for anything else, and for a slider that is named twice."""
    settings: dict[str, float] = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            raise UsageError(f'--slider takes a name and a number, such as "age=0.6", not "{text}".') from None
        if name in settings:
            raise UsageError(f"--slider {name} was given twice.")
        settings[name] = number
    return settings


def parse_faces(text: str) -> set[int] | None:
    """Which faces "all" (None), "largest" or "0,2" mean; UsageError for anything else."""
    if text == "all":
        return None
    if text == "largest":
        return {0}
    try:
        chosen = {int(part) for part in text.split(",")}
    except ValueError:
        chosen = {-1}
    if min(chosen) < 0:
        raise UsageError(f'--faces takes "all", "largest" or numbers such as "0,2", not "{text}".')
    return chosen


def parse_box(text: str) -> tuple[float, float, float, float]:
    """Left, top, right and bottom that "120,80,180,160" means; UsageError for anything else."""
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f'--box takes left, top, right and bottom in pixels, such as "120,80,180,160", not "{text}".'
        ) from None
    if not all(map(math.isfinite, (left, top, right, bottom))) or left >= right or top >= bottom:
        raise UsageError(f'--box takes left, top, right and bottom, such as "120,80,180,160"; "{text}" is not a box.')
    return left, top, right, bottom
