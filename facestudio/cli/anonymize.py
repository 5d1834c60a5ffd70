"""The command `anonymize`: photos in which nobody is recognised any more, and a report on how sure that is.

Separate from the other commands because of its promises: what is not verified is not written, or is said to need review; nothing
of the original's metadata is kept; and a run that was cut off goes on.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facestudio import batch
from facestudio.anonymize_settings import HIDING, NO_FALLBACK, Settings, complete
from facestudio.anonymized import FAILED, FALLBACK, NOBODY, REVIEW, VERIFIED, AnonymizedFace
from facestudio.checkpoints import Checkpoint
from facestudio.cli.anonymize_flags import (
    Consistent,
    Engine,
    Fallback,
    Key,
    LeaveOthers,
    Metadata,
    Method,
    Names,
    Report,
    ResetTimes,
    Resume,
    Similar,
    Tries,
    Workers,
)
from facestudio.cli.arguments import (
    Boxes,
    Device,
    Faces,
    Far,
    Format,
    Judges,
    Output,
    Overwrite,
    Photos,
    Quiet,
    Seed,
    Weights,
)
from facestudio.cli.choosing import check_boxes, check_options, chosen_checkpoint, with_boxes
from facestudio.cli.consistent import check_people, the_secret
from facestudio.cli.console import Screen, printable
from facestudio.cli.engine import LOCAL, RAY, check_engine, many
from facestudio.cli.flags import options_given, parse_box, parse_faces
from facestudio.cli.report import count
from facestudio.cluster import Job
from facestudio.ensemble import Ensemble
from facestudio.errors import DiskFull, UnwritableOutput, UsageError
from facestudio.faces.figures import beside
from facestudio.files import real
from facestudio.formats import format_of
from facestudio.journal import Journal
from facestudio.judges import ALL
from facestudio.metadata import POLICIES
from facestudio.methods.base import method_class, method_name
from facestudio.numbering import numbered
from facestudio.photo import Photo
from facestudio.planning import Plan, survey
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.renewing import Books, settle
from facestudio.report_tables import check_apart, check_tables, tables_of, write_tables
from facestudio.reporting import check_report, report_of
from facestudio.results import Result
from facestudio.studio import Studio

_ATTENTION = (FAILED, REVIEW)
_PARTLY = (
    "Blur and pixelation keep traces of a face, from which special programs can partly reconstruct it. A block "
    "(--method solid) keeps nothing."
)


def anonymize(
    photos: Photos,
    output: Output,
    method: Method = None,
    checkpoint: Weights = None,
    faces: Faces = "all",
    box: Boxes = None,
    leave_others: LeaveOthers = False,
    tries: Tries = 4,
    fallback: Fallback = HIDING,
    metadata: Metadata = "strip",
    names: Names = None,
    reset_times: ResetTimes = False,
    consistent: Consistent = False,
    similar: Similar = False,
    key: Key = None,
    format: Format = None,
    engine: Engine = LOCAL,
    workers: Workers = None,
    far: Far = 1e-3,
    judges: Judges = ALL,
    seed: Seed = 0,
    device: Device = "auto",
    report: Report = None,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
    resume: Resume = False,
    **options: Any,
) -> int:
    """Hide or replace faces until no recogniser knows them, and report how far each has moved from the original.

    Photos from damaged files fail: nobody can tell who is in the part that cannot be read, so there is no --salvage here.
    """
    screen = Screen(quiet)
    studio = Studio(device, far=far, judges=judges)
    entry = chosen_checkpoint(studio, "change", method, checkpoint)
    recipe = Recipe(entry.id, method_name(entry), options_given(options), seed)
    check_options(studio, entry.id, recipe.options, options_given(options), screen)
    recipe = complete(recipe, studio.method_options(entry.id))
    if metadata not in POLICIES:
        raise UsageError(f"--metadata takes strip, technical or keep, not {metadata}.")
    hiding = None if fallback == NO_FALLBACK else _hiding(studio, fallback).id
    asked = _Faces(studio, parse_faces(faces), [parse_box(text) for text in box or ()], screen)
    planned = survey(photos, output, format)
    check_boxes(asked.boxes, len(planned.items))
    report = _report(report, output, names, key)
    check_engine(engine, workers, asked.boxes)
    check_people(studio, entry.id, output, consistent=consistent, similar=similar, key=key, resume=resume)
    if names is not None:
        planned = numbered(planned, output, names)
    if not (overwrite or resume):
        _keep_report(report, planned, output)
    secret = the_secret(key, screen) if consistent else None
    settings = Settings(
        *(recipe, faces, tuple(box or ()), tries, NO_FALLBACK if hiding is None else hiding),
        *(metadata, reset_times, far, names is not None, secret.name if secret else ""),
        similar=similar,
        judges=studio.own_judges(),
        leave=leave_others,
    )
    journal = Journal(output, settings.to_text())
    if resume:
        settle(Books(journal, report_of(output)))
    ensemble = Ensemble(studio, entry.id, secret, similar)

    def work(photo: Photo, progress: Progress) -> Result:
        return ensemble.anonymize(photo, settings, asked.of, progress)

    teller = _Teller(screen)

    def done(outcome: batch.Outcome) -> None:
        ensemble.finished(outcome)
        teller.done(outcome)

    writing = batch.Writing(format, overwrite, metadata, reset_times)
    elsewhere = None
    if engine == RAY:
        elsewhere = many(Job(settings, asked.chosen, format, device, judges), workers, ensemble)
    try:
        with screen.progress() as progress:
            if elsewhere is None:
                studio.prepare(entry.id)
            ensemble.remember(planned, journal)
            seen = ensemble.gather(planned, asked.of, progress, journal if resume else None)
            if seen:
                screen.say(seen)
            outcomes = batch.run(
                planned,
                elsewhere or batch.Here(work, studio.open),
                writing=writing,
                reported=batch.Reported(report, settings.told()),
                earlier=batch.Earlier(journal, resume, left_over=()),
                audience=batch.Audience(progress, done, teller.waiting),
            )
    finally:
        if report.is_file():
            write_tables(report)
    screen.say(_summary(outcomes, teller.attention))
    if teller.methods & {"blur", "pixelate"}:
        screen.say(_PARTLY)
    screen.say("Report: " + ", ".join(map(str, [report, *tables_of(report)])))
    return 1 if teller.attention else 0


class _Teller:
    """What the command says of photos as they are done.

    Attributes:
        attention: photos that a person should look at. methods: those by which faces were changed.
    """

    def __init__(self, screen: Screen) -> None:
        self.attention: list[batch.Outcome] = []
        self.methods: set[str] = set()
        self._screen = screen
        self._waiting = False

    def done(self, outcome: batch.Outcome) -> None:
        """Tell of a photo; of one that was done before only at the end, in the summary."""
        self.methods.update(str(face.get("method")) for face in outcome.record()["faces"])
        now = outcome.earlier is None
        if now and outcome.output is not None:
            self._screen.say(_text(outcome))
        if outcome.status in _ATTENTION:
            self.attention.append(outcome)
            if now and outcome.output is not None:
                self._screen.warn(f"{outcome.source}: {outcome.error}", "Needs review")
            elif now:
                self._screen.complain(f"{outcome.source}: {outcome.error}", outcome.hint)

    def waiting(self, full: DiskFull) -> None:
        """Tell once that the disk is full."""
        if not self._waiting:
            self._screen.complain(
                f"{full} Waiting for room.", "Free some space, or stop with Ctrl-C and continue later with --resume."
            )
        self._waiting = True


@dataclass(frozen=True)
class _Faces:
    """Which faces of a photo are to be changed."""

    studio: Studio
    chosen: set[int] | None
    boxes: list[tuple[float, float, float, float]]
    screen: Screen

    def of(self, photo: Photo, progress: Progress) -> tuple[tuple[Any, ...], set[int] | None]:
        """The faces of `photo`, those in the boxes last, and the indices of the chosen ones (None: all)."""
        found = self.studio.detect(photo, progress, unsure=True)
        found = with_boxes(self.studio, photo, found, self.boxes, progress, self.screen, covered=True)
        return found, self.chosen if found else None


def _hiding(studio: Studio, method: str) -> Checkpoint:
    """The checkpoint of the fallback: a method that hides faces and needs no luck."""
    hiding = [c for c in studio.anonymize_checkpoints() if hasattr(method_class(c), "erases")]
    found = next((entry for entry in hiding if method_name(entry) == method), None)
    if found is None:
        known = ", ".join(method_name(entry) for entry in hiding)
        raise UsageError(f"--fallback takes none or a method that hides faces ({known}), not {method}.")
    return found


def _keep_report(report: Path, planned: Plan, output: Path) -> None:
    """UnwritableOutput when `report` is there and speaks of results that this run would refuse to make again: all that it would
    say instead is that they exist."""
    taken = sum(os.path.lexists(item.target) for item in planned.items)
    if taken and report.is_file():
        raise UnwritableOutput(
            f"{output} already holds the results of {count(taken, 'photo')}, listed in {report}.",
            hint="Use --resume to continue that run, --overwrite to replace its results, or name another --report.",
        )


def _report(given: Path | None, output: Path, names: Path | None, key: Path | None) -> Path:
    """Where the report goes, and its table and page beside it; UsageError when it would lie among the results, or something else
    is in one of these places."""
    report = given or report_of(output)
    if _is_inside(report, output):
        raise UsageError(f"The report {report} names the originals; keep it apart from {output}.")
    check_report(report)
    check_tables(*tables_of(report))
    check_apart(report, names, key)
    return report


def _is_inside(path: Path, folder: Path) -> bool:
    return real(path).is_relative_to(real(folder))


def _text(outcome: batch.Outcome) -> str:
    """A photo that was written: where to, and what the recognisers say of each face."""
    lines = [f"{printable(outcome.source)} -> {printable(outcome.output)} ({outcome.seconds:.1f} s)"]
    if outcome.result is not None:
        result, output = outcome.result, outcome.output
        notes = result.before.notes if output is None else result.after.not_shown(format_of(output))
        lines += [f"  {note}" for note in notes]
    if outcome.status == NOBODY:
        lines.append("  no face was found")
    for face in outcome.result.faces if outcome.result else ():
        if face.status == "skipped":
            continue
        erased = isinstance(face, AnonymizedFace) and face.erased  # what is said of a block means nothing
        told = () if erased else face.verdicts.values()
        moved = ", ".join(f"{v.embedder} {beside(v.cosine, v.changed_below)[0]} ({v.words})" for v in told)
        lines.append(f"  face {face.index + 1}: {face.status}" + (f"; {moved}" if moved else ""))
        lines += [f"    {note}" for note in (*([face.error] if face.error else []), *face.notes)]
    return "\n".join(lines)


def _summary(outcomes: list[batch.Outcome], attention: list[batch.Outcome]) -> str:
    """How many photos came out how, and which a person should look at."""
    found = Counter(outcome.status for outcome in outcomes)
    kept = sum(outcome.earlier is not None for outcome in outcomes) - found[batch.LEFT_OVER]
    order = (VERIFIED, FALLBACK, REVIEW, FAILED, NOBODY)
    said = [
        f"{found[name]} {name}" for name in sorted(found, key=lambda n: order.index(n) if n in order else len(order))
    ]
    photos = len(outcomes) - found[batch.LEFT_OUT] - found[batch.LEFT_OVER]
    lines = [f"{count(photos, 'photo')}: {', '.join(said)}"]
    if kept:
        lines[0] += f"; {kept} done before"
    if attention:
        lines.append("To be looked at by a person:")
        lines += [f"  {printable(outcome.source)}: {outcome.error or outcome.status}" for outcome in attention]
    return "\n".join(lines)
