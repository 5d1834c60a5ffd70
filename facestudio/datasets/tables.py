"""What can be said of a whole dataset, or of as much of it as is here: two tables, all embeddings, and the numbers of the page.

Made from the records of all people whose folders are here, so the machines that share a dataset need not agree on who writes the
tables: each writes them when its part is done, and the last one's are of everybody.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np

from facestudio.datasets import folder
from facestudio.datasets.doubles import Doubles, Rule, compare, mean_of
from facestudio.datasets.measuring import Pairs, measure
from facestudio.datasets.records import PersonRecord
from facestudio.errors import FaceStudioError, UsageError
from facestudio.files import write_beside
from facestudio.pages import BEGINNING, check_ours, harmless, write_text
from facestudio.progress import Progress

PEOPLE, PICTURES, EMBEDDINGS, PAGE = "identities.csv", "images.csv", "embeddings.npz", "report.html"
_OF_PERSON = (
    *("person", "seed", "unusualness", "nearest training person", "nearest other person", "who is"),
    *("pictures", "faces", "marked", "seconds"),
    *("drawn anew", "looks most like", "by", "mean cosine", "limit", "too alike"),
)
_OF_PICTURE = (
    *("picture", "person", "seed", "tries", "face found", "score", "yaw", "pitch", "roll", "eyes apart", "remark"),
)


@dataclass(frozen=True, eq=False)
class Measured:
    """A dataset and what the judges say of it.

    Attributes:
        people: their records, by number. pairs: by judge. rows: for each picture with a face, by (number, place), its row in
            the arrays of `pairs`.
        nearest: (K,) largest cosine of each person to another one, as identities; nearest_to: (K,) whose number, 0: none.
        doubles: whose pictures are like whose.
    """

    people: tuple[PersonRecord, ...]
    pairs: Mapping[str, Pairs]
    rows: Mapping[tuple[int, int], int]
    nearest: np.ndarray
    nearest_to: np.ndarray
    doubles: Doubles

    @cached_property
    def pictures(self) -> int:
        """How many there are."""
        return sum(len(person.pictures) for person in self.people)

    @cached_property
    def marked(self) -> int:
        """How many of them are marked."""
        return sum(bool(picture.note) for person in self.people for picture in person.pictures)

    @cached_property
    def replaced(self) -> int:
        """How many people are not those who were planned."""
        return sum(person.anew > 0 for person in self.people)

    @cached_property
    def attributes(self) -> tuple[str, ...]:
        """What was read in pictures, by name."""
        seen = (picture.attributes for person in self.people for picture in person.pictures)
        return tuple(dict.fromkeys(name for each in seen for name in each))

    @property
    def faces(self) -> int:
        """In how many a face was found."""
        return len(self.rows)

    @cached_property
    def missing(self) -> list[int]:
        """Numbers of people who were asked for and are not here (yet)."""
        asked = max((int(person.made.get("people", 0)) for person in self.people), default=0)
        return sorted(set(range(1, asked + 1)) - {person.number for person in self.people})


def check_targets(out: Path) -> None:
    """UsageError when a file is in the way of the tables, and would be lost."""
    for name, beginning in (
        (PEOPLE, f'"{_OF_PERSON[0]}","{_OF_PERSON[1]}"'),
        (PICTURES, f'"{_OF_PICTURE[0]}","{_OF_PICTURE[1]}"'),
        (EMBEDDINGS, "PK\x03\x04"),
        (PAGE, BEGINNING),
    ):
        check_ours(out / name, beginning)


def look(out: Path, progress: Progress | None = None) -> Measured:
    """Compare everybody who is in `out`; UsageError when nobody is, or people of several datasets are."""
    progress = progress or Progress()
    people = []
    for number in progress.track(list(folder.numbers(out)), "Reading people"):
        try:
            people.append(folder.read_person(out, number, whole=False))
        except FaceStudioError:
            continue  # a folder of somebody else's, or damaged: it is said to be missing
    if not people:
        raise UsageError(f"There are no people of a dataset in {out}.")
    strange = next((person for person in people if person.settings != people[0].settings), None)
    if strange is not None:
        raise UsageError(f"{out} contains people of several datasets: {people[0].name} and {strange.name} differ.")
    seen = [(person, place) for person in people for place, picture in enumerate(person.pictures) if picture.embeddings]
    owners = [person.number for person, _ in seen]
    pairs = {}
    for judge, (title, threshold) in progress.track(list(people[0].judges.items()), "Comparing pictures"):
        embeddings = [person.pictures[place].embeddings[judge] for person, place in seen]
        stacked = np.stack(embeddings) if embeddings else np.zeros((0, 1), np.float32)
        pairs[judge] = measure(judge, title, threshold, stacked, owners, progress)
    planned = np.stack([person.identity for person in people])
    apart = measure("", "", 1.0, planned, [person.number for person in people])
    rows = {(person.number, place): row for row, (person, place) in enumerate(seen)}
    means = {
        person.number: mean_of([picture.embeddings for picture in person.pictures if picture.embeddings])
        for person in people
    }
    thresholds = {judge: threshold for judge, (_, threshold) in people[0].judges.items()}
    doubles = compare(means, thresholds, progress, Rule.of(people[0].settings).limit)
    return Measured(tuple(people), pairs, rows, apart.closest, np.maximum(apart.closest_to, 0), doubles)


def write_tables(out: Path, measured: Measured) -> None:
    """Write the two tables and the embeddings, replacing those that are there."""
    write_text(out / PEOPLE, _table(_OF_PERSON, [_person(measured, n) for n in range(len(measured.people))]))
    write_text(
        out / PICTURES,
        _table(
            _OF_PICTURE,
            [_picture(measured, p, place) for p in measured.people for place in range(len(p.pictures))],
        ),
    )
    write_beside(out / EMBEDDINGS, lambda file: _embeddings(measured, file), overwrite=True)


def _table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    """The text of a table whose first columns are `columns`; the rest are as the rows have them."""
    text = io.StringIO()
    more = [name for name in rows[0] if name not in columns]
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([*columns, *more])
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in (*columns, *more)])
    return text.getvalue()


def _cell(value: Any) -> Any:
    """As it stands in a table: five digits, and nothing for what is not known."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return round(float(value), 5) if isinstance(value, float | np.floating) else harmless(value)


def _person(measured: Measured, index: int) -> dict[str, Any]:
    person = measured.people[index]
    nearest_to = int(measured.nearest_to[index])
    row: dict[str, Any] = {
        "person": person.name,
        "seed": person.settings.get("seed"),
        "unusualness": person.unusual,
        "nearest training person": person.nearest_known,
        "nearest other person": float(measured.nearest[index]),
        "who is": folder.folder_name(nearest_to) if nearest_to else None,
        "pictures": len(person.pictures),
        "faces": sum(picture.score is not None for picture in person.pictures),
        "marked": sum(bool(picture.note) for picture in person.pictures),
        "seconds": round(person.seconds, 2),
        "drawn anew": len(person.given_up),
    }
    for name in measured.attributes:
        values = [picture.attributes[name] for picture in person.pictures if name in picture.attributes]
        row[name] = float(np.mean(values)) if values else None
    double = measured.doubles.nearest.get(person.number)
    if double is not None:
        row |= {"looks most like": folder.folder_name(double.number), "by": double.judge}
        row |= {"mean cosine": double.cosine, "limit": double.limit}
        row["too alike"] = "yes" if double.cosine >= double.limit else "no"
    rows = [
        measured.rows[key] for place in range(len(person.pictures)) if (key := (person.number, place)) in measured.rows
    ]
    for judge, pairs in measured.pairs.items():
        several = len(rows) > 1
        row[f"{judge} mean"] = float(pairs.own_mean[rows].mean()) if several else None
        row[f"{judge} least"] = float(pairs.own_least[rows].min()) if several else None
        row[f"{judge} closest other"] = float(pairs.closest[rows].max()) if rows else None
    return row


def _picture(measured: Measured, person: PersonRecord, place: int) -> dict[str, Any]:
    picture = person.pictures[place]
    index = measured.rows.get((person.number, place))
    yaw, pitch, roll = picture.pose or (None, None, None)
    row: dict[str, Any] = {
        **dict.fromkeys(measured.attributes),
        "picture": f"{person.name}/{picture.file}",
        "person": person.name,
        "seed": picture.seed,
        "tries": picture.tries,
        "face found": "no" if picture.score is None else "yes",
        **{"score": picture.score, "yaw": yaw, "pitch": pitch, "roll": roll, "eyes apart": picture.eyes},
        "remark": picture.note,
        **picture.attributes,
    }
    for judge, pairs in measured.pairs.items():
        row[f"{judge} mean"] = None if index is None else float(pairs.own_mean[index])
        row[f"{judge} least"] = None if index is None else float(pairs.own_least[index])
        row[f"{judge} closest other"] = None if index is None else float(pairs.closest[index])
        whose = -1 if index is None else int(pairs.closest_to[index])
        row[f"{judge} who is"] = folder.folder_name(whose) if whose > 0 else None
    return row


def _embeddings(measured: Measured, file: IO[bytes]) -> None:
    """All embeddings as an npz: of each judge (N, D) for the N `pictures` with a face, and `identities` (K, D) of `people`."""
    seen = [(person, person.pictures[place]) for person in measured.people for place in range(len(person.pictures))]
    seen = [(person, picture) for person, picture in seen if picture.embeddings]
    arrays: dict[str, Any] = {
        judge: np.array([picture.embeddings[judge] for _, picture in seen], np.float32) for judge in measured.pairs
    }
    arrays["pictures"] = np.array([f"{person.name}/{picture.file}" for person, picture in seen], np.str_)
    arrays["people"] = np.array([person.name for person in measured.people], np.str_)
    arrays["identities"] = np.stack([person.identity for person in measured.people])
    np.savez(file, **arrays)
