"""What making a dataset has done on worker threads: each function is one job's work and takes its Progress last.

As `generate_work`, of which it is the part for datasets. Nothing here touches a widget.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from facestudio.datasets import asking, places
from facestudio.datasets.places import Place
from facestudio.datasets.running import Shard, Writing
from facestudio.datasets.tables import PAGE
from facestudio.errors import UsageError
from facestudio.populating import Order
from facestudio.progress import Progress
from facestudio.recipe import Recipe

if TYPE_CHECKING:
    from facestudio.datasets.records import PersonRecord
    from facestudio.studio import Studio

FOLDER, NAME = "Face Studio", "people"  # where a dataset goes when nobody says
SHOWN, SIDE = 8, 268  # pictures of the last person that are seen while others are drawn, and their side in px


@dataclass(frozen=True)
class Wanted:
    """A dataset that is asked for: where it goes, how it is drawn, who, which of them, and as which files."""

    out: Path
    recipe: Recipe
    order: Order
    shard: Shard = Shard()
    suffix: str = ".png"

    @property
    def pictures(self) -> int:
        """How many there are to be."""
        return len(self.shard.of(self.order.people)) * self.order.pictures


@dataclass(frozen=True)
class Beginning:
    """Where a dataset goes when nobody says, and the one that was made last, if it was never finished."""

    folder: Path
    last: Path | None = None
    place: Place = Place()


@dataclass(frozen=True, eq=False)
class Shown:
    """A person who was just drawn, to be looked at: the first pictures."""

    name: str
    pictures: tuple[QImage, ...]


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        out: the dataset's folder; report: the page in it. people: how many are in it now.
        head: what is in it, as a sentence; remarks: more of them. proofs: what each judge is called, and what it says.
        pace: seconds that a picture took in this run, judging and drawing again included; 0 when none was drawn.
    """

    out: Path
    report: Path
    people: int
    head: str
    remarks: tuple[str, ...]
    proofs: tuple[tuple[str, str], ...]
    pace: float


def beginning(pictures: Path, last: Path | None, progress: Progress) -> Beginning:
    """The first free name in our folder beside `pictures`, which nothing is written over; and how far the `last` dataset came."""
    around, number = pictures.parent / FOLDER, 1
    while os.path.lexists(folder := around / (NAME if number == 1 else f"{NAME}-{number}")):
        progress.check()
        number += 1
    place = Place() if last is None else places.look_at(last, {})
    unfinished = place.settings is not None and place.people < place.asked
    return Beginning(folder, last, place) if unfinished else Beginning(folder)


def look(studio: Studio, wanted: Wanted, progress: Progress) -> Place:
    """What is in the folder that is asked for; what makes no sense is an obstacle."""
    if not wanted.out.is_absolute():
        return Place(obstacle=f"{wanted.out} is not the whole path of a folder.", hint="Choose the folder.")
    try:
        asking.check(wanted.out, wanted.order, wanted.shard, wanted.suffix)
        return studio.dataset_at(wanted.out, wanted.recipe, wanted.order, wanted.suffix)
    except UsageError as error:
        return Place(obstacle=str(error), hint=error.hint)


def run(studio: Studio, wanted: Wanted, shown: Callable[[Shown], None], progress: Progress) -> Outcome:
    """Make the dataset, or go on with it; `shown` is told of each person, on this thread. UsageError when the folder is no place
    for it; errors as of `Studio.populate`."""
    from facestudio.datasets import telling

    place = look(studio, wanted, progress)
    if place.obstacle:
        raise UsageError(place.obstacle, hint=place.hint)
    seconds, drawn_pictures = 0.0, 0

    def done(record: PersonRecord) -> None:
        nonlocal seconds, drawn_pictures
        seconds, drawn_pictures = seconds + record.seconds, drawn_pictures + len(record.pictures)
        files = [wanted.out / record.name / picture.file for picture in record.pictures[:SHOWN]]
        shown(Shown(record.name, tuple(map(_small, files))))

    drawn, measured = studio.populate(
        wanted.out,
        wanted.recipe,
        wanted.order,
        shard=wanted.shard,
        writing=Writing(wanted.suffix, resume=True),
        progress=progress,
        done=done,
    )
    remarks = (telling.made(drawn), telling.missing(measured), telling.faces(measured), telling.alike(measured))
    return Outcome(
        wanted.out,
        wanted.out / PAGE,
        len(measured.people),
        f"There are {telling.here(measured)}.",
        tuple(remark for remark in remarks if remark),
        tuple((_called(pairs.title, pairs.threshold), telling.proof(pairs)) for pairs in measured.pairs.values()),
        seconds / drawn_pictures if drawn_pictures else 0.0,
    )


def taken(place: Place, out: Path) -> Wanted:
    """What was asked for when the people at `place` were drawn; UsageError when that cannot be told."""
    settings = place.settings or {}
    recipe, order = asking.asked_by(settings, max(place.asked, 1))
    return Wanted(out, replace(recipe, seed=order.seed), order, suffix=f".{settings.get('format', 'png')}")


def _called(title: str, threshold: float) -> str:
    return f"{title} (same person from {threshold:.2f})"


def _small(file: Path) -> QImage:
    return QImage(str(file)).scaled(
        SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
