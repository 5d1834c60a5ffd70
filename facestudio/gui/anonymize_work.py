"""What the Anonymize workspace has done on worker threads: each function is one job's work and takes its Progress last.

As `work`, of which it is the part for folders and reviews. Modules that are slow to import are imported inside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QImage

from facestudio.anonymize_settings import Settings, complete
from facestudio.errors import FaceStudioError, UnwritableOutput, UsageError
from facestudio.files import make_folder
from facestudio.gui.anonymize_rows import Row
from facestudio.gui.qimage import fitted
from facestudio.numbering import numbered
from facestudio.planning import Item, LeftOut, Plan, survey
from facestudio.progress import Progress
from facestudio.reporting import read_records, report_of, write_records
from facestudio.secret import Secret, check_place, open_key

if TYPE_CHECKING:
    from facestudio.batch import Outcome, Writing
    from facestudio.ensemble import Ensemble
    from facestudio.errors import DiskFull
    from facestudio.faces.face import Face
    from facestudio.journal import Journal
    from facestudio.photo import Photo
    from facestudio.studio import Studio

THUMBNAIL = 144  # px, twice what is shown
NOT_MADE = "a key that is not made yet"  # for the name of its secret


# ---- what is asked for


@dataclass(frozen=True)
class Asked:
    """How photos are to be done, as the panel says it.

    Attributes:
        settings: without the options that the panel does not show, and without the name of the secret.
        secret: where it is kept, or itself; None: nobody needs to stay the same. names: the mapping of numbers; None: no numbers.
    """

    settings: Settings
    secret: Secret | Path | None = None
    names: Path | None = None


@dataclass(eq=False)
class Company:
    """Who is in the photos that are open, as long as they are: what was seen of them outlives a run that is stopped."""

    ensemble: Ensemble | None = None
    of: object = None
    secret: str = ""  # its name

    def of_run(self, studio: Studio, settings: Settings, secret: Secret | None) -> Ensemble:
        """The ensemble for these settings: the one there is, if it is for them."""
        from facestudio.ensemble import Ensemble

        of = (settings.recipe.checkpoint, settings.secret, settings.similar, settings.judges)
        if self.ensemble is None or of != self.of:
            self.ensemble, self.of = Ensemble(studio, settings.recipe.checkpoint, secret, settings.similar), of
            self.secret = settings.secret
        return self.ensemble


@dataclass(frozen=True, eq=False)
class Known:
    """What the window knows of who became whom: the `secrets` that a run may have had, or where they are, and who was seen."""

    secrets: tuple[Secret | Path, ...] = ()
    company: Company = field(default_factory=Company)

    def of_row(self, studio: Studio, settings: Settings) -> Ensemble | None:
        """The ensemble of a run that was done by these `settings`; None when its secret is not known any more."""
        from facestudio.ensemble import Ensemble

        if settings.secret and settings.secret == self.company.secret:
            return self.company.ensemble
        secret = next((one for one in map(_opened, self.secrets) if one and one.name == settings.secret), None)
        if settings.secret and secret is None:
            return None
        return Ensemble(studio, settings.recipe.checkpoint, secret, settings.similar)


def _opened(secret: Secret | Path) -> Secret | None:
    """A secret, read from its file where it is in one; None when it cannot be."""
    try:
        return secret if isinstance(secret, Secret) else open_key(secret)[0] if os.path.lexists(secret) else None
    except FaceStudioError:
        return None


def known_settings(studio: Studio, asked: Asked, out: Path) -> Settings:
    """All settings of a run into `out` as far as they can be known before it begins; UsageError when its key lies there."""
    settings, secret = completed(studio, asked.settings), asked.secret
    if isinstance(secret, Path):
        check_place(secret, out)
        secret = open_key(secret)[0] if os.path.lexists(secret) else None  # looking makes none
        return replace(settings, secret=secret.name if secret is not None else NOT_MADE)
    return settings if secret is None else replace(settings, secret=secret.name)


def _sworn(studio: Studio, asked: Asked, out: Path) -> tuple[Settings, Secret | None, str]:
    """All settings of a run into `out`, its secret, which is made where there is none, and a warning."""
    secret, warning = asked.secret, ""
    if isinstance(secret, Path):
        check_place(secret, out)
        secret, warning = open_key(secret)
    settings = completed(studio, asked.settings)
    return replace(settings, secret=secret.name if secret is not None else ""), secret, warning


def completed(studio: Studio, settings: Settings) -> Settings:
    """`settings` with all options of the method and the judges, as the command line would have them."""
    recipe = complete(settings.recipe, studio.method_options(settings.recipe.checkpoint))
    return replace(settings, recipe=recipe, judges=studio.own_judges())


# ---- the photos


def list_rows(studio: Studio, given: Sequence[Path], out: Path, asked: Asked, progress: Progress) -> list[Row]:
    """A row for each photo of `given` and each thing left out; what earlier runs into `out` did is in them. Where a crash left
    the report without that, it is said there, too."""
    from facestudio.journal import Journal
    from facestudio.renewing import Books, settle

    planned = survey(given, out)
    settings = known_settings(studio, asked, out)
    with suppress(UnwritableOutput, UsageError):  # then the report goes on saying what it does
        settle(Books(Journal(out, settings.to_text()), report_of(out)))
    roots = [path for path in given if os.path.isdir(path)]
    if asked.names is not None:
        planned = numbered(planned, out, asked.names, write=False)
    left = [_left_row(left, roots) for left in planned.left_out]
    rows = [Row(item.source, _name(item.source, roots), item) for item in planned.items]
    return known_rows(rows, out, settings, progress) + left


def known_rows(rows: Sequence[Row], out: Path, settings: Settings, progress: Progress) -> list[Row]:
    """`rows` with what the journal of `out` knows of them; nothing is written. Who has no number yet was not done."""
    from facestudio.journal import Journal

    journal = Journal(out, settings.to_text())
    known = journal if journal.path.exists() else None
    with nullcontext() if known is None else known:
        return [_known_row(row, known, settings.numbers) for row in progress.track(rows, "Looking what is done")]


def _known_row(row: Row, journal: Journal | None, numbers: bool) -> Row:
    """`row` with what the open `journal` knows of its photo (None: there is no journal). `numbers`: results are numbered."""
    from facestudio.journal import CHANGED, DAMAGED, DONE, FAILED, OTHER, UNKNOWN

    if row.item is None:
        return row
    fresh = replace(row, record=None, settings="", doubt="")
    if numbers and not row.item.label:
        return fresh
    state = UNKNOWN if journal is None else journal.state(row.item.source, row.item.target)
    if journal is not None and state in (DONE, OTHER, CHANGED, FAILED):
        doubt = "" if state in (DONE, FAILED) else state
        return replace(fresh, record=journal.record(row.path), settings=journal.settings(row.path), doubt=doubt)
    return fresh if state == DAMAGED else _unknown(fresh)


def _unknown(row: Row) -> Row:
    there = row.item is not None and os.path.lexists(row.item.target)
    return replace(row, doubt="foreign" if there else "")


def _left_row(left: LeftOut, roots: Sequence[Path]) -> Row:
    record = {"input": left.label or str(left.path), "output": None, "status": "left out", "error": left.reason}
    return Row(left.path, _name(left.path, roots), None, {**record, "recipe": None, "faces": []})


def _name(path: Path, roots: Sequence[Path]) -> str:
    """What a photo is called: its way below the folder that was opened."""
    root = next((root for root in roots if path != root and path.is_relative_to(root)), None)
    return str(path.relative_to(root)) if root is not None else path.name


# ---- the run


@dataclass(frozen=True, eq=False)
class Done:
    """One photo that is done: its place in the plan, its line of the report, and two thumbnails when it was done just now."""

    path: Path
    record: Mapping[str, Any]
    settings: str
    thumbnails: tuple[QImage | None, QImage | None] | None
    item: Item | None = None  # as it was done; None for what is no photo to do


@dataclass(frozen=True, eq=False)
class Told:
    """Who is told, on the thread that computes: of each photo that is `done`, of each that work has `begun` on, that the run
    waits for room (`full`), and whatever else is to be `said`."""

    done: Callable[[Done], None]
    begun: Callable[[Path], None]
    full: Callable[[str], None]
    said: Callable[[str], None]


def run(
    studio: Studio,
    rows: Sequence[Row],
    kept: Sequence[Row],
    out: Path,
    asked: Asked,
    overwrite: bool,
    company: Company,
    told: Told,
    progress: Progress,
) -> int:
    """Anonymize the photos of `rows` into `out`, going on where the journal says; how many were done just now.

    The results of `kept` stay, whoever made them, and stand in the report all the same. With a secret people are looked for in
    all photos first; what the `company` knows of them already is not looked for again.
    """
    from facestudio import batch
    from facestudio.journal import Journal
    from facestudio.report_tables import check_apart, check_tables, tables_of, write_tables

    report = report_of(out)
    make_folder(out)
    check_tables(*tables_of(report))
    check_apart(report, asked.names, asked.secret)
    items = [row.item for row in rows if row.item is not None]
    left = [LeftOut(row.path, (row.record or {})["error"]) for row in rows if row.item is None]
    planned = Plan(tuple(items), tuple(left))
    settings, secret, warning = _sworn(studio, asked, out)
    if asked.names is not None:
        planned = numbered(planned, out, asked.names)
    if warning:
        told.said(warning)
    text = settings.to_text()
    by_source = {item.source: item for item in planned.items}
    ensemble = company.of_run(studio, settings, secret)
    made = 0

    def find(photo: Photo, progress: Progress) -> tuple[tuple[Face, ...], None]:
        return studio.detect(photo, progress, unsure=True), None

    def work(photo: Photo, progress: Progress) -> Any:
        if photo.path is not None:
            told.begun(photo.path)
        return ensemble.anonymize(photo, settings, find, progress)

    def done(outcome: Outcome) -> None:
        nonlocal made
        ensemble.finished(outcome)
        if outcome.status == batch.LEFT_OVER:
            return  # that stands in the report: the table shows the photos that are there
        made += outcome.earlier is None and outcome.status != batch.LEFT_OUT
        told.done(Done(outcome.source, outcome.record(), text, _thumbnails_of(outcome), by_source.get(outcome.source)))

    def waiting(disk: DiskFull) -> None:
        told.full(str(disk))

    ensemble.remember(planned, Journal(out, text))
    seen = ensemble.gather(planned, find, progress, Journal(out, text))
    if seen:
        told.said(seen)
    try:
        batch.run(
            planned,
            batch.Here(work, studio.open),
            writing=writing_of(settings, overwrite),
            reported=batch.Reported(report, settings.told()),
            earlier=batch.Earlier(Journal(out, text), resume=True, left_over=[row.path for row in kept]),
            audience=batch.Audience(progress, done, waiting),
        )
    finally:
        if report.is_file():
            write_records(report, [*read_records(report), *(dict(row.line) for row in kept if row.line)])
            write_tables(report)
    return made


def _thumbnails_of(outcome: Outcome) -> tuple[QImage, QImage | None] | None:
    """Small pictures of a photo that was done just now, before and after (None: nothing was written); None for any other."""
    result = outcome.result
    if result is None:
        return None
    after = fitted(result.after.pixels, THUMBNAIL) if outcome.output is not None else None
    return fitted(result.before.pixels, THUMBNAIL), after


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
