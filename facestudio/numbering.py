"""Numbers instead of names for the results of a run, and the mapping (CSV) that says which number is which photo.

Separate from `planning`, which says where results go under their own names, because it writes a file that several runs may share.
"""

from __future__ import annotations

import csv
import io
import os
import random
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from facestudio.errors import UnwritableOutput, UsageError
from facestudio.files import real, shown, write_beside
from facestudio.formats import supported_suffix
from facestudio.planning import Item, LeftOut, Plan, is_file_name

_HEADER = ["number", "photo"]
UNNUMBERED = "without a number"  # what a report calls whatever has none, where photos have numbers for names


def numbered(plan: Plan, out: Path, mapping: Path, draw: random.Random | None = None, write: bool = True) -> Plan:
    """`plan` with numbers for names, in one folder, and `mapping` (CSV), which says which number is which photo.

    The mapping is written before anything else, and photos that it has already keep their numbers, so that a run can go on. New
    ones get numbers in an order that tells nothing, and photos are done in the order of their numbers, because the lines of a
    report and the times of the results would tell that of the names. Without `write` new ones get none, stay without a label,
    and all keep their order. UsageError when the mapping would lie in the folder `out` or is something else.
    """
    if is_file_name(out):
        raise UsageError("Numbered results need a folder as output.")
    if real(mapping).is_relative_to(real(out)):
        raise UsageError(
            f"The mapping {mapping} must not be inside the folder of the results, {out}; keep it somewhere else."
        )
    if supported_suffix(mapping):
        raise UsageError(f"The mapping {mapping} looks like a photo; give it another name, such as names.csv.")
    sources = [str(real(item.source)) for item in plan.items]
    numbers = _given_numbers(sources, mapping, draw or random.SystemRandom()) if write else _read_mapping(mapping)[0]
    items, labels = [], {}
    for item, source in zip(plan.items, sources, strict=True):
        if source not in numbers:
            items.append(replace(item, label=""))
            continue
        label = labels[str(item.source)] = f"{numbers[source]:06d}"
        suffix = item.target.suffix.lower() if supported_suffix(item.target) else ""
        items.append(Item(item.source, out / f"{label}{suffix}", label))
    if write:
        items.sort(key=lambda item: int(item.label))
    called = {str(item.source): labels.get(str(item.source), "another photo") for item in plan.items}
    return Plan(tuple(items), tuple(_unnamed(left, called) for left in plan.left_out))


def _given_numbers(sources: Sequence[str], mapping: Path, draw: random.Random) -> dict[str, int]:
    """The numbers of `mapping`, in which each of `sources` has one afterwards.

    Where two runs that begin together share it, the later one keeps the numbers of the earlier one, whose results have them.
    """
    while True:
        numbers, read = _read_mapping(mapping)
        new = [source for source in sources if source not in numbers]
        if not new:
            return numbers
        first = max(numbers.values(), default=0) + 1
        order = list(range(first, first + len(new)))
        draw.shuffle(order)
        numbers.update(zip(new, order, strict=True))
        try:
            _write_mapping(mapping, numbers, read)
        except UnwritableOutput:
            if _content(mapping) == read:
                raise
        except _WrittenMeanwhile:
            continue
        else:
            return numbers


def is_number(name: str) -> bool:
    """Whether a report's `name` of a photo is one of those that `numbered` gives, and no file's."""
    return len(name) >= 6 and name.isascii() and name.isdigit()


def _unnamed(left: LeftOut, called: dict[str, str]) -> LeftOut:
    """`left` without any name: it has no number, and the photo that its reason names is `called` by its own, if it has one."""
    reason = left.reason
    for name in sorted(called, key=len, reverse=True):
        reason = reason.replace(name, called[name])
    return LeftOut(left.path, reason, UNNUMBERED)


class _WrittenMeanwhile(Exception):
    """Another run has put other numbers into the mapping."""


def _content(mapping: Path) -> bytes | None:
    """What is in the file; None when there is none."""
    try:
        return mapping.read_bytes()
    except FileNotFoundError:
        return None


def _read_mapping(mapping: Path) -> tuple[dict[str, int], bytes | None]:
    """The numbers by the photos' paths, none when there is no such file yet; and what is in it, None then."""
    try:
        content = _content(mapping)
        if content is None:
            return {}, None
        rows = list(csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))
        if rows[:1] != [_HEADER]:
            raise ValueError
        return {source: int(number) for number, source in rows[1:]}, content
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"The file {shown(mapping)} is no mapping of names; choose another one.") from error


def _write_mapping(mapping: Path, numbers: dict[str, int], read: bytes | None) -> None:
    """Write `numbers` into the file in which `read` was; _WrittenMeanwhile or UnwritableOutput when something else is there."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_HEADER)
    writer.writerows((f"{number:06d}", source) for source, number in sorted(numbers.items(), key=lambda each: each[1]))
    content = text.getvalue().encode("utf-8", "surrogateescape")
    try:
        rights = stat.S_IMODE(os.stat(mapping).st_mode)
    except OSError:
        rights = 0o600  # it undoes the numbers, as a key does; whoever gives it others goes on having it so

    def write(file: IO[bytes]) -> None:
        file.write(content)
        if hasattr(os, "fchmod"):
            os.fchmod(file.fileno(), rights)

    def check(file: IO[bytes]) -> None:
        if _content(mapping) != read:
            raise _WrittenMeanwhile

    write_beside(mapping, write, read is not None, check)
