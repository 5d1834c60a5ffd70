"""Where a result goes: beside the photo under a new name, or where the user said; never over the original.

Runs on the light queue. Separate from `Photo.save`, which writes what it is told, because these are the window's habits.
"""

from __future__ import annotations

from pathlib import Path

from facestudio.errors import UnwritableOutput
from facestudio.gui.history import Step

MARK = "_restored"
TRIES = 10_000


def beside(source: Path, number: int = 1) -> Path:
    """The `number`-th name for a result of `source`: NAME_restored.EXT, NAME_restored_2.EXT and so on."""
    tail = "" if number == 1 else f"_{number}"
    return source.with_name(f"{source.stem}{MARK}{tail}{source.suffix}")


def save_beside(step: Step, source: Path) -> Path:
    """Save beside `source` under the first name that is free, and return it."""
    for number in range(1, TRIES):
        target = beside(source, number)
        if target.exists():
            continue
        try:
            return step.result.after.save(target, recipe=step.result.recipe)
        except UnwritableOutput:
            if not target.exists():  # else somebody else was faster: take the next name
                raise
    raise UnwritableOutput(f"Every name beside {source.name} is taken.", hint="Use Save as and choose another folder.")


def save_as(step: Step, target: Path, source: Path | None) -> Path:
    """Save as `target`, which the user has agreed to replace if it exists, unless it is the original."""
    if source is not None and _same(target, source):
        raise UnwritableOutput(
            "The original photo is never written over.", hint="Choose another name or another folder for the result."
        )
    return step.result.after.save(target, recipe=step.result.recipe, overwrite=True)


def _same(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:  # one of them does not exist
        return a.resolve() == b.resolve()
