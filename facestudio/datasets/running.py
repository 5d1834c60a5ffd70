"""A run: the people of a dataset, or of one machine's share of it, drawn and written one after the other.

The same seed and number are the same person on every machine, so several machines share a dataset by telling each which part is
its own. A run that goes on keeps the people who are whole and made by the same settings, whoever drew them. The journal of the
part (journal.py) is only its lock: what was written is told by the folders themselves, because they may come from elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facestudio.datasets.folder import (
    PictureRecipe,
    check_removable,
    clear,
    numbers,
    read_person,
    write_person,
)
from facestudio.datasets.records import PersonRecord, folder_name
from facestudio.errors import FaceStudioError, UnwritableOutput, UsageError
from facestudio.journal import Journal
from facestudio.populating import Nobody, Order, Painter
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
            raise UsageError(f"--shard takes a part and how many there are, such as 3/8, not {text or 'nothing'}.")
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
    """What a run did: how many people it `made` and `kept`, how many of their pictures are `marked`."""

    made: int
    kept: int
    marked: int


def run(
    out: Path,
    people: Sequence[Nobody],
    painter: Painter,
    order: Order,
    recipe: Recipe,
    *,
    settings: Mapping[str, Any],
    device: str = "",
    judges: Mapping[str, str] | None = None,
    shard: Shard | None = None,
    writing: Writing | None = None,
    progress: Progress | None = None,
    done: Callable[[PersonRecord], None] = lambda record: None,
) -> Drawn:
    """Draw those of `people` (the whole plan) who are in the `shard`, each into a folder of its own in `out`.

    Args:
        recipe: of the method, with the dataset's seed. settings: all that decides what the pictures are like, as JSON has it.
        judges: the titles of the judges, by id. done: told of each person whose folder is there now.

    UsageError when `out` holds people of other settings, UnwritableOutput when a folder exists that is neither to be kept nor to
    be replaced; both before anything is drawn. Cancelled passes through; whoever was finished stays.
    """
    shard, writing, progress = shard or Shard(), writing or Writing(), progress or Progress()
    own = shard.of(order.people)
    if not own:
        raise UsageError(f"Part {shard} of {order.people} people is empty.", hint="Make fewer parts.")
    settings = json.loads(json.dumps(dict(settings)))
    made = {"version": app_version(), "device": device, "shard": str(shard), "people": order.people}
    titles = {judge: ((judges or {}).get(judge, judge), of) for judge, of in painter.thresholds.items()}
    lock = out if shard.count == 1 else out / f"part-{shard.index}-of-{shard.count}"
    with Journal(lock, json.dumps(settings, sort_keys=True)):
        clear(out, own)
        kept = _kept(out, people, own, settings, writing, progress)
        _make(out)
        todo = [people[number - 1] for number in own if number not in kept]
        all_of = len(own) * order.pictures, len(own)
        count = _Count(progress, *all_of, len(kept) * order.pictures, len(kept), sum(kept.values()))
        count.tell()
        for nobody in progress.track(todo, "People"):

            def of_picture(seed: int, nobody: Nobody = nobody) -> PictureRecipe:
                return PictureRecipe(replace(recipe, seed=seed), {"seed": order.seed, "number": nobody.number})

            person = painter.paint(nobody, progress, count.one)
            replacing = writing.overwrite or writing.resume
            record = write_person(out, person, of_picture, (settings, made, titles), writing.suffix, replacing)
            count.finished(_marked(record))
            done(record)
        return Drawn(len(todo), len(kept), count.marked)


@dataclass
class _Count:
    """Counts pictures and people for those who watch."""

    progress: Progress
    all: int
    everybody: int
    drawn: int
    people: int
    marked: int

    def one(self) -> None:
        """Another picture is drawn."""
        self.drawn += 1
        self.tell()

    def finished(self, marked: int) -> None:
        """Another person is there, with so many marked pictures."""
        self.people += 1
        self.marked += marked
        self.tell()

    def tell(self) -> None:
        """Let the progress say how far it is."""
        words = f"{self.drawn} of {self.all} pictures, {self.people} of {self.everybody} people"
        self.progress.tally = words + (f", {self.marked} marked" if self.marked else "")


def _make(out: Path) -> None:
    """Make the dataset's folder; UnwritableOutput when nothing can be written there, before anything is drawn."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(out, os.W_OK | os.X_OK) else "its rights do not allow it"
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        raise UnwritableOutput(f"Nothing can be written in {out}: {reason}.", hint="Choose another folder.")


def _kept(
    out: Path,
    people: Sequence[Nobody],
    own: range,
    settings: Mapping[str, Any],
    writing: Writing,
    progress: Progress,
) -> dict[int, int]:
    """Those of `own` who need not be drawn, with how many of their pictures are marked; raises when anything must not be as it
    is found."""
    kept = {}
    here = set(numbers(out))
    for number in progress.track(sorted(here | {n for n in own if os.path.lexists(out / folder_name(n))}), "Looking"):
        folder = out / folder_name(number)
        if number not in own:
            _check_fits(out, number, people, settings)
            continue
        if not writing.resume and not writing.overwrite:
            raise UnwritableOutput(
                f"{folder} exists already.", hint="Use --resume to go on with a dataset, or --overwrite to replace it."
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
        _check_same(folder, record, people)
        kept[number] = _marked(record)
    return kept


def _marked(record: PersonRecord) -> int:
    return sum(bool(picture.note) for picture in record.pictures)


def _check_fits(out: Path, number: int, people: Sequence[Nobody], settings: Mapping[str, Any]) -> None:
    """Raise unless the person of another part may stay beside ours; what is no person is nobody's business."""
    try:
        record = read_person(out, number, whole=False)
    except FaceStudioError:
        return
    _check_settings(out / folder_name(number), record, settings)
    _check_same(out / folder_name(number), record, people)


def _check_settings(folder: Path, record: PersonRecord, settings: Mapping[str, Any]) -> None:
    if record.settings != settings:
        keys = sorted(key for key in {*record.settings, *settings} if record.settings.get(key) != settings.get(key))
        raise UsageError(
            f"{folder} was made by other settings ({', '.join(keys)}).", hint="Choose another folder for this dataset."
        )


def _check_same(folder: Path, record: PersonRecord, people: Sequence[Nobody]) -> None:
    """UsageError when `record` is of somebody else than this machine would draw by its number."""
    if record.number > len(people):
        return
    planned = people[record.number - 1].identity.embedding
    if len(planned) != len(record.identity) or float(planned @ record.identity) < SAME:
        raise UsageError(
            f"{folder} holds somebody else than this machine plans for that number, though the settings are the same.",
            hint="Draw the whole dataset with one version of Face Studio and of numpy.",
        )
