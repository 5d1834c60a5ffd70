"""A run: the people of a dataset, or of one machine's share of it, drawn and written one after the other.

The same seed and number are the same person on every machine, so several machines share a dataset by telling each which part is
its own. A run that goes on keeps the people who are whole and made by the same settings, whoever drew them. Nobody is written
before it is settled who has the number (choosing.py). The journal of the part (journal.py) is only its lock: what was written is
told by the folders themselves, because they may come from elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from facestudio.datasets.choosing import Choice, Chooser
from facestudio.datasets.doubles import Rule, mean_of
from facestudio.datasets.folder import (
    PictureRecipe,
    check_removable,
    clear,
    numbers,
    read_person,
    write_person,
)
from facestudio.datasets.records import PersonRecord, Provenance, folder_name
from facestudio.errors import FaceStudioError, UnwritableOutput, UsageError
from facestudio.journal import Journal
from facestudio.populating import Nobody, Order, Painter, Successors
from facestudio.progress import Progress
from facestudio.recipe import Recipe, app_version

LONGEST = 9  # digits of a part's number
SAME = 0.999  # cosine of one person as two machines plan them, but for the order of their sums


@dataclass(frozen=True)
class Shard:
    """The part `index` of `count` of a dataset, the first is 1; UsageError when there is no such part."""

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(f"There is no part {self.index} of {self.count}; the first of eight is 1/8.")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that "3/8" means."""
        index, slash, count = text.partition("/")
        digits = index.isdecimal() and count.isdecimal() and max(len(index), len(count)) <= LONGEST
        if not slash or not digits:
            raise UsageError(f"--shard takes a part and the number of parts, such as 3/8, not {text or 'nothing'}.")
        return cls(int(index), int(count))

    def of(self, people: int) -> range:
        """The numbers of the people who are in this part of `people`."""
        return range((self.index - 1) * people // self.count + 1, self.index * people // self.count + 1)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True)
class Writing:
    """How people are written: the pictures' `suffix`; `resume`: keep those who are whole; `overwrite`: replace others."""

    suffix: str = ".png"
    resume: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Drawn:
    """What a run did, as numbers: people `made` and `kept`, pictures `marked`, planned people `replaced` by others, and people
    who are still too much like others (`too_like`)."""

    made: int
    kept: int
    marked: int
    replaced: int = 0
    too_like: int = 0


@dataclass(frozen=True)
class Circumstances:
    """What is known of how people are made.

    Attributes:
        settings: everything that decides what the pictures are like, as JSON.
        device: what computes, in words. titles: of the judges, by id.
    """

    settings: Mapping[str, Any]
    device: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)

    def provenance(self, painter: Painter, shard: Shard) -> Provenance:
        """How the people of a `shard` are made, as their records say."""
        return Provenance(
            json.loads(json.dumps(dict(self.settings))),
            {"version": app_version(), "device": self.device, "shard": str(shard), "people": painter.order.people},
            {judge: (self.titles.get(judge, judge), of) for judge, of in painter.thresholds.items()},
        )


def run(
    out: Path,
    people: Sequence[Nobody],
    painter: Painter,
    recipe: Recipe,
    circumstances: Circumstances,
    *,
    shard: Shard | None = None,
    writing: Writing | None = None,
    progress: Progress | None = None,
    done: Callable[[PersonRecord], None] = lambda record: None,
) -> Drawn:
    """Draw those of `people` (the whole plan) who belong to the `shard`, each into a folder of its own in `out`.

    Args:
        recipe: of the method, with the dataset's seed. done: called with each person whose folder is complete.

    UsageError when `out` holds people made with other settings, UnwritableOutput when a folder exists that is neither to be kept
    nor to be replaced; both before anything is drawn. Cancelled passes through; people who were finished stay.
    """
    shard, writing, progress = shard or Shard(), writing or Writing(), progress or Progress()
    order = painter.order
    own = shard.of(order.people)
    if not own:
        raise UsageError(f"Part {shard} of {order.people} people is empty.", hint="Use fewer parts.")
    provenance = circumstances.provenance(painter, shard)
    settings = provenance.settings
    lock = out if shard.count == 1 else out / f"part-{shard.index}-of-{shard.count}"
    with Journal(lock, json.dumps(settings, sort_keys=True)):
        clear(out, own)
        chooser = Chooser(people, own, painter, order, Rule.of(settings))
        count = _Count(progress, len(own) * order.pictures, len(own))
        kept = set()
        for record in _kept(out, people, painter.successors, own, settings, writing, progress):
            kept.add(record.number)
            chooser.keep(
                record.number,
                record.identity,
                mean_of([picture.embeddings for picture in record.pictures if picture.embeddings]),
            )
            count.keep(record)
        _make(out)
        todo = [number for number in own if number not in kept]
        count.tell()
        for number in progress.track(todo, "People"):
            choice = chooser.choose(number, progress, count.one, partial(count.given_up, order.pictures))
            record = write_person(
                out,
                choice,
                partial(_of_picture, recipe, order, choice),
                provenance,
                writing.suffix,
                writing.overwrite or writing.resume,
            )
            count.finished(record)
            done(record)
        return Drawn(len(todo), len(kept), count.marked, count.replaced, count.too_like)


def _of_picture(recipe: Recipe, order: Order, choice: Choice, seed: int) -> PictureRecipe:
    nobody = choice.person.nobody
    who = {"seed": order.seed, "number": nobody.number} | ({"anew": nobody.anew} if nobody.anew else {})
    return PictureRecipe(replace(recipe, seed=seed), who)


@dataclass
class _Count:
    """Counts pictures and people for the progress display."""

    progress: Progress
    all: int
    everybody: int
    drawn: int = 0
    people: int = 0
    marked: int = 0
    replaced: int = 0
    too_like: int = 0

    def one(self) -> None:
        """Count a picture that was drawn."""
        self.drawn += 1
        self.tell()

    def given_up(self, pictures: int) -> None:
        """Take back `pictures` of a person who is too much like others and is drawn again as somebody else."""
        self.drawn -= pictures
        self.tell()

    def keep(self, record: PersonRecord) -> None:
        """Count a person who is complete from an earlier run."""
        self.drawn += len(record.pictures)
        self._add(record)

    def finished(self, record: PersonRecord) -> None:
        """Count a person who was just completed."""
        self._add(record)
        self.tell()

    def _add(self, record: PersonRecord) -> None:
        self.people += 1
        self.marked += sum(bool(picture.note) for picture in record.pictures)
        self.replaced += record.anew > 0
        self.too_like += record.too_like is not None

    def tell(self) -> None:
        """Show the counts in the progress."""
        words = f"{self.drawn} of {self.all} pictures, {self.people} of {self.everybody} people"
        for number, what in ((self.marked, "marked"), (self.replaced, "replaced")):
            words += f", {number} {what}" if number else ""
        self.progress.tally = words


def _make(out: Path) -> None:
    """Make the dataset's folder; UnwritableOutput when nothing can be written there, before anything is drawn."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(out, os.W_OK | os.X_OK) else "you have no permission"
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        raise UnwritableOutput(f"Cannot write into {out}: {reason}.", hint="Choose another folder.")


def _kept(
    out: Path,
    people: Sequence[Nobody],
    successors: Successors,
    own: range,
    settings: Mapping[str, Any],
    writing: Writing,
    progress: Progress,
) -> Iterator[PersonRecord]:
    """Yield those of `own` who are complete already; raises when something in `out` must not be there."""
    here = set(numbers(out))
    for number in progress.track(sorted(here | {n for n in own if os.path.lexists(out / folder_name(n))}), "Looking"):
        folder = out / folder_name(number)
        if number not in own:
            _check_fits(out, number, people, successors, settings)
            continue
        if not writing.resume and not writing.overwrite:
            raise UnwritableOutput(
                f"{folder} exists already.", hint="Use --resume to continue a dataset, or --overwrite to replace it."
            )
        check_removable(out, number)
        if not writing.resume:
            continue
        try:
            record = read_person(out, number)
        except FaceStudioError:
            continue  # damaged: drawn again
        if record.settings != settings and writing.overwrite:
            continue
        _check_settings(folder, record, settings)
        _check_same(folder, record, people, successors)
        yield record


def _check_fits(
    out: Path, number: int, people: Sequence[Nobody], successors: Successors, settings: Mapping[str, Any]
) -> None:
    """Raise unless the person of another part may stay beside ours; what is no person is nobody's business."""
    try:
        record = read_person(out, number, whole=False)
    except FaceStudioError:
        return
    _check_settings(out / folder_name(number), record, settings)
    _check_same(out / folder_name(number), record, people, successors)


def _check_settings(folder: Path, record: PersonRecord, settings: Mapping[str, Any]) -> None:
    if record.settings != settings:
        keys = sorted(key for key in {*record.settings, *settings} if record.settings.get(key) != settings.get(key))
        raise UsageError(
            f"{folder} was made with other settings ({', '.join(keys)}).",
            hint="Choose another folder for this dataset.",
        )


def _check_same(folder: Path, record: PersonRecord, people: Sequence[Nobody], successors: Successors) -> None:
    """UsageError when `record` is of somebody else than this machine would draw by its number, and by which of those it is."""
    if record.anew:
        who = successors.identity(record.number, record.anew)
    elif record.number <= len(people):
        who = people[record.number - 1].identity
    else:
        return
    planned = np.zeros(0) if who is None else who.embedding
    if len(planned) != len(record.identity) or float(planned @ record.identity) < SAME:
        raise UsageError(
            f"{folder} contains a different person than this machine plans for that number, although the "
            "settings are the same.",
            hint="Draw the whole dataset with one version of Face Studio and of numpy.",
        )
