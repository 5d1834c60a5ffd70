"""`generate --identities`: a dataset of people who do not exist, several pictures of each, and tables that say how good it is.

Separate from `generate`, which makes single pictures, because a dataset is a folder that several runs and machines share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facestudio.cli.console import Screen
from facestudio.cli.report import count
from facestudio.datasets import asking, telling
from facestudio.datasets.page import per_thousand
from facestudio.datasets.records import PersonRecord, folder_name
from facestudio.datasets.running import Drawn, Shard, Writing
from facestudio.datasets.tables import EMBEDDINGS, PAGE, PEOPLE, PICTURES, Measured
from facestudio.errors import UsageError
from facestudio.populating import Order
from facestudio.recipe import Recipe
from facestudio.studio import Studio


@dataclass(frozen=True)
class Asked:
    """The flags of a dataset as they were given; None and False are those that were not."""

    identities: int | None
    per_identity: int | None
    vary: float | None
    tries: int | None
    shard: str | None
    resume: bool
    apart: bool | None = None

    def check_none(self) -> None:
        """UsageError when one was given without --identities, which it belongs to."""
        for name, value in (
            *(("--per-identity", self.per_identity), ("--tries", self.tries)),
            *(("--shard", self.shard), ("--resume", self.resume or None), ("--apart", self.apart)),
        ):
            if value is not None:
                raise UsageError(f"{name} works only with a dataset; use --identities to say how many people.")

    def order(self, seed: int, output: Path) -> Order:
        """What is asked for; UsageError when a number makes no sense. People are kept apart as the dataset in `output` was begun
        where that was not said."""
        given = {"vary": self.vary, "tries": self.tries}
        more: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        pictures = asking.PER_IDENTITY if self.per_identity is None else self.per_identity
        apart = asking.apart_at(output) if self.apart is None else self.apart
        return Order(self.identities or 0, pictures, seed, apart=apart, **more)


def populate(
    screen: Screen,
    studio: Studio,
    output: Path,
    recipe: Recipe,
    asked: Asked,
    format: str,
    overwrite: bool,
    others: Mapping[str, Any],
) -> int:
    """Make the dataset; `others` are flags of single pictures, by name, which must not have been given."""
    for name, value in others.items():
        if value:
            raise UsageError(f"{name} is for single pictures and cannot be used with --identities.")
    order = asked.order(recipe.seed, output)
    shard = Shard() if asked.shard is None else Shard.parse(asked.shard)
    suffix = f".{format.lower().lstrip('.')}"
    asking.check(output, order, shard, suffix)

    def done(record: PersonRecord) -> None:
        screen.say(_text(output, record))

    with screen.progress() as progress:
        studio.prepare(recipe.checkpoint)
        writing = Writing(suffix, asked.resume, overwrite)
        drawn, measured = studio.populate(
            output, recipe, order, shard=shard, writing=writing, progress=progress, done=done
        )
    screen.say(_summary(output, drawn, measured))
    return 1 if drawn.marked or drawn.too_like else 0


def _text(output: Path, record: PersonRecord) -> str:
    """A person who was drawn: where, in how long, and how many pictures are marked."""
    marked = sum(bool(picture.note) for picture in record.pictures)
    words = f"{output / record.name}: {count(len(record.pictures), 'picture')} in {record.seconds:.1f} s"
    words += f", {marked} marked" if marked else ""
    words += (
        f", after {count(len(record.given_up), 'other')} who looked too much like others" if record.given_up else ""
    )
    return words + (f", and looks too much like {folder_name(record.too_like.number)}" if record.too_like else "")


def _summary(output: Path, drawn: Drawn, measured: Measured) -> str:
    """What is in the folder now, and what the judges say of it."""
    lines = [f"{telling.made(drawn)} In {output} there are {telling.here(measured)}."]
    if measured.missing:
        lines.append(telling.missing(measured))
    lines.append(telling.faces(measured))
    for judge, pairs in measured.pairs.items():
        lines.append(f"  {judge} (same person from {pairs.threshold:.2f}): {telling.proof(pairs)}")
    if words := telling.alike(measured):
        lines.append(words)
    lines += [
        f"{seconds:.0f} s per thousand pictures on {device}" for device, seconds in per_thousand(measured).items()
    ]
    lines.append("Report: " + ", ".join(str(output / name) for name in (PAGE, PEOPLE, PICTURES, EMBEDDINGS)))
    return "\n".join(lines)
