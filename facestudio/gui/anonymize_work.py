"""What the Anonymize workspace has done on worker threads: each function is one job's work and takes its Progress last.

As `work`, of which it is the part for folders and reviews. Modules that are slow to import are imported inside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QImage

from facestudio.anonymize_settings import Settings, complete
from facestudio.errors import FaceStudioError
from facestudio.files import make_folder
from facestudio.gui.anonymize_rows import Row
from facestudio.gui.qimage import fitted
from facestudio.planning import LeftOut, Plan, survey
from facestudio.progress import Progress
from facestudio.reporting import read_records, report_of, write_records

if TYPE_CHECKING:
    from facestudio.batch import Outcome, Writing
    from facestudio.errors import DiskFull
    from facestudio.photo import Photo
    from facestudio.studio import Studio

THUMBNAIL = 144  # px, twice what is shown


# ---- the photos


def list_rows(studio: Studio, given: Sequence[Path], out: Path, settings: Settings, progress: Progress) -> list[Row]:
    """A row for each photo of `given` and each thing left out; what earlier runs into `out` did is in them."""
    planned = survey(given, out)
    settings = completed(studio, settings)
    roots = [path for path in given if os.path.isdir(path)]
    rows = [Row(item.source, _name(item.source, roots), item) for item in planned.items]
    rows = known_rows(rows, out, settings, progress)
    return rows + [_left_row(left, roots) for left in planned.left_out]


def known_rows(rows: Sequence[Row], out: Path, settings: Settings, progress: Progress) -> list[Row]:
    """`rows` with what the journal of `out` knows of them; nothing is written."""
    from facestudio.journal import CHANGED, DAMAGED, DONE, OTHER, Journal

    journal, found = Journal(out, settings.to_text()), []
    if not journal.path.exists():
        return [_unknown(row) for row in rows]
    with journal:
        for row in progress.track(rows, "Looking what is done"):
            if row.item is None:
                found.append(row)
                continue
            state = journal.state(row.item.source, row.item.target)
            fresh = replace(row, record=None, settings="", doubt="")
            if state in (DONE, OTHER, CHANGED):
                record, made_by = journal.record(row.path), journal.settings(row.path)
                found.append(replace(fresh, record=record, settings=made_by, doubt="" if state == DONE else state))
            else:
                found.append(fresh if state == DAMAGED else _unknown(fresh))
    return found


def _unknown(row: Row) -> Row:
    there = row.item is not None and os.path.lexists(row.item.target)
    return replace(row, doubt="foreign" if there else "")


def _left_row(left: LeftOut, roots: Sequence[Path]) -> Row:
    record = {"input": str(left.path), "output": None, "status": "left out", "error": left.reason}
    return Row(left.path, _name(left.path, roots), None, {**record, "recipe": None, "faces": []})


def _name(path: Path, roots: Sequence[Path]) -> str:
    """What a photo is called: its way below the folder that was opened."""
    root = next((root for root in roots if path != root and path.is_relative_to(root)), None)
    return str(path.relative_to(root)) if root is not None else path.name


def completed(studio: Studio, settings: Settings) -> Settings:
    """`settings` with all options of the method and the judges, as the command line would have them."""
    recipe = complete(settings.recipe, studio.method_options(settings.recipe.checkpoint))
    return replace(settings, recipe=recipe, judges=studio.own_judges())


# ---- the run


@dataclass(frozen=True, eq=False)
class Done:
    """One photo that is done: its place in the plan, its line of the report, and two thumbnails when it was done just now."""

    path: Path
    record: Mapping[str, Any]
    settings: str
    thumbnails: tuple[QImage | None, QImage | None] | None


def run(
    studio: Studio,
    rows: Sequence[Row],
    kept: Sequence[Row],
    out: Path,
    settings: Settings,
    overwrite: bool,
    told: Callable[[Done], None],
    begun: Callable[[Path], None],
    full: Callable[[str], None],
    progress: Progress,
) -> int:
    """Anonymize the photos of `rows` into `out`, going on where the journal says; how many were done just now.

    The results of `kept` stay, whoever made them, and stand in the report all the same. On this thread `told` hears of each
    photo, `begun` of each that work begins on, `full` that the run waits for room.
    """
    from facestudio import batch
    from facestudio.journal import Journal
    from facestudio.report_tables import check_tables, tables_of, write_tables

    settings = completed(studio, settings)
    text, report = settings.to_text(), report_of(out)
    make_folder(out)
    check_tables(*tables_of(report))
    items = [row.item for row in rows if row.item is not None]
    left = [LeftOut(row.path, (row.record or {})["error"]) for row in rows if row.item is None]
    made = 0

    def work(photo: Photo, progress: Progress) -> Any:
        if photo.path is not None:
            begun(photo.path)
        found = studio.detect(photo, progress, unsure=True)
        return studio.anonymize(
            photo, found, settings.recipe, None, progress, tries=settings.tries, fallback=settings.hiding
        )

    def done(outcome: Outcome) -> None:
        nonlocal made
        made += outcome.earlier is None and outcome.status != batch.LEFT_OUT
        result = outcome.result
        thumbnails = None
        if result is not None:
            after = fitted(result.after.pixels, THUMBNAIL) if outcome.output is not None else None
            thumbnails = (fitted(result.before.pixels, THUMBNAIL), after)
        told(Done(outcome.source, outcome.record(), text, thumbnails))

    def waiting(disk: DiskFull) -> None:
        full(str(disk))

    try:
        batch.run(
            [item.source for item in items],
            out,
            work,
            progress=progress,
            report=report,
            max_megapixels=studio.max_megapixels,
            done=done,
            writing=writing_of(settings, overwrite),
            planned=Plan(tuple(items), tuple(left)),
            journal=Journal(out, text),
            resume=True,
            waiting=waiting,
        )
    finally:
        if report.is_file():
            write_records(report, [*read_records(report), *(dict(row.record) for row in kept if row.record)])
            write_tables(report)
    return made


def writing_of(settings: Settings, overwrite: bool = False) -> Writing:
    """How the results of a run are written."""
    from facestudio.batch import Writing

    return Writing(None, overwrite, settings.metadata, settings.times)


def thumbnails(
    studio: Studio, path: Path, output: Path | None, progress: Progress
) -> tuple[Path, tuple[QImage | None, QImage | None]]:
    """Small pictures of a photo and its result; None for what is not there or cannot be read."""
    made: list[QImage | None] = []
    for file in (path, output):
        progress.check()
        try:
            made.append(None if file is None else fitted(studio.open(file).pixels, THUMBNAIL))
        except FaceStudioError:
            made.append(None)
    return path, (made[0], made[1])


def export(records: Sequence[Mapping[str, Any]], report: Path, progress: Progress) -> tuple[Path, Path, Path]:
    """Write the report on `records` as JSONL, and its table and page beside it."""
    from facestudio.report_tables import check_tables, tables_of, write_tables

    check_tables(*tables_of(report))
    write_records(report, [dict(record) for record in records])
    return (report, *write_tables(report))


def default_output(given: Sequence[Path]) -> Path:
    """Where results go when nobody says: beside the folder, or beside that of the photos."""
    first = given[0]
    folder = first if os.path.isdir(first) else first.parent
    folder = Path(os.path.abspath(folder))
    return folder.with_name(f"{folder.name or 'photos'}-anonymized")
