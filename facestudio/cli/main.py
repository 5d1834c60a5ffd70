"""The commands. Each turns its arguments into one call of the studio, and its outcome into sentences and an exit code.

Exit codes: 0 all ok, 1 some input was not done (the others are), 2 wrong usage, 130 stopped. The options of the methods
become flags by themselves, from the Options of every method that the manifest names. Torch is not imported before a
command computes, so `--help` is quick.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from facestudio import batch
from facestudio.cli import report as reports
from facestudio.cli import weights
from facestudio.cli.anonymize import anonymize
from facestudio.cli.arguments import (
    METADATA,
    Boxes,
    Device,
    Faces,
    Far,
    Format,
    Json,
    Judges,
    Output,
    Overwrite,
    Photos,
    Quiet,
    Report,
    Seed,
    Weights,
)
from facestudio.cli.choosing import Box, check_boxes, check_options, chosen_checkpoint, with_boxes
from facestudio.cli.console import Screen
from facestudio.cli.flags import options_given, parse_box, parse_faces, with_method_options
from facestudio.cli.generate import generate
from facestudio.cli.opening import Salvage, opened
from facestudio.cli.scratch_masks import (
    Masks,
    SaveScratchMask,
    Scratches,
    ScratchMask,
    check_scratches,
)
from facestudio.cli.turning import AUTO, Turn, check_turn, turned
from facestudio.cli.wording import hint_for, plain
from facestudio.errors import FaceStudioError, NoFaceFound, UsageError, exit_code
from facestudio.faces.face import Face
from facestudio.faces.regraining import CHOICES as GRAINS
from facestudio.faces.regraining import OFF as LEFT_OFF
from facestudio.journal import Journal
from facestudio.judges import ALL
from facestudio.mending import OFF
from facestudio.metadata import KEEP, POLICIES
from facestudio.methods.base import method_name
from facestudio.photo import Photo
from facestudio.progress import Cancelled, Progress
from facestudio.recipe import Recipe, app_version
from facestudio.reporting import ReportFile
from facestudio.results import Result
from facestudio.studio import Studio

STOPPED = 130
_ClickException: Any = typer.BadParameter.__mro__[2]  # Typer brings its own copy of click or uses the real one


def restore(
    photos: Photos,
    output: Output,
    method: Annotated[str | None, typer.Option(help="Restoration method, such as quick.")] = None,
    checkpoint: Weights = None,
    faces: Faces = "all",
    box: Boxes = None,
    aligned: Annotated[
        bool,
        typer.Option("--aligned", help="The photos are already face crops, framed as in FFHQ; no face is looked for."),
    ] = False,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="PHOTO",
            help=(
                "A clear photo of the same person; its largest face tells the method difface who it is restoring. "
                "Works with one chosen face per photo."
            ),
            readable=False,
        ),
    ] = None,
    salvage: Salvage = False,
    turn: Turn = None,
    upscale: Annotated[
        int,
        typer.Option(
            metavar="1|2|4",
            help="Enlarge the photo this many times. Faces are restored at the new size; the rest is only resampled.",
        ),
    ] = 1,
    scratches: Scratches = OFF,
    scratch_mask: ScratchMask = None,
    save_scratch_mask: SaveScratchMask = False,
    photo_grain: Annotated[
        str,
        typer.Option(
            metavar="match|off",
            help=(
                "Add film or sensor grain like the photo's to faces that were restored too smoothly (match), or "
                "add none (off)."
            ),
        ),
    ] = LEFT_OFF,
    format: Format = None,
    metadata: Annotated[str, typer.Option(metavar="keep|technical|strip", help=METADATA)] = KEEP,
    far: Far = 1e-3,
    judges: Judges = ALL,
    seed: Seed = 0,
    device: Device = "auto",
    report: Report = None,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Keep a journal of what is done, and continue an interrupted run that kept one."),
    ] = False,
    **options: Any,
) -> int:
    """Restore the faces of photos and say how much of each person is left."""
    screen = Screen(quiet)
    studio = Studio(device, far=far, judges=judges)
    chosen = parse_faces(faces)
    boxes = [parse_box(text) for text in box or ()]
    if aligned:
        _check_aligned(chosen, boxes)
    entry = chosen_checkpoint(studio, "keep", method, checkpoint)
    _check_words(upscale, photo_grain, metadata)
    quarter = check_turn(turn, aligned)
    recipe = Recipe(
        entry.id,
        method_name(entry),
        options_given(options),
        seed,
        upscale=upscale,
        scratches=check_scratches(scratches, scratch_mask, save_scratch_mask),
        photo_grain="" if photo_grain == LEFT_OFF or aligned else photo_grain,
        turn=quarter or 0,
    )
    check_options(studio, entry.id, recipe.options, options_given(options), screen)
    planned = batch.survey(photos, output, format)
    check_boxes(boxes, len(planned.items))
    masks = Masks(studio, photos, planned, output, scratch_mask, save_scratch_mask)
    if masks.about:
        screen.say(masks.about)

    turns: dict[Path | None, str] = {}  # what was said of turning each photo

    def work(photo: Photo, progress: Progress) -> Result:
        by_hand = masks.of(photo.path)
        wanted = recipe if by_hand is None else replace(recipe, scratches="")
        photo, turns[photo.path] = turned(studio, photo, quarter, progress)
        found: tuple[Face, ...] = ()
        if not aligned:
            seen = studio.mended(photo, wanted.scratches, progress, by_hand)
            found = with_boxes(studio, seen, studio.detect_behind(photo, seen, progress), boxes, progress, screen)
        try:
            told: dict[str, Any] = {"aligned": aligned, "reference": shows, "by_hand": by_hand}
            result = studio.restore(photo, found, replace(wanted, turn=photo.turn), chosen, progress, **told)
        except NoFaceFound as error:  # what to do about it has another name here than in the window
            if aligned or found:
                raise
            raise NoFaceFound(str(error), hint=reports.BOX_HINT) from error
        masks.save(result, overwrite)
        return result

    def done(outcome: batch.Outcome) -> None:
        if outcome.output is not None and outcome.earlier is None:
            screen.say(reports.outcome_text(outcome, metadata))
            if said := turns.get(outcome.source):
                screen.say(f"  {said}")
            if said := masks.written(outcome.source, outcome.output):
                screen.say(said)
        if outcome.error is not None:
            screen.complain(f"{outcome.source}: {outcome.error}", outcome.hint)

    shows: tuple[Photo, Face] | None = None
    with screen.progress() as progress:
        studio.prepare(entry.id)
        if reference is not None:
            person = studio.open(reference)
            shows = person, studio.largest_face(person, progress)
        settings = [json.loads(recipe.to_json()), faces, box, aligned, far, shows and shows[0].content_hash]
        settings += masks.settings
        settings += [f"turn {AUTO}"] if quarter is None else []
        settings += [*studio.own_judges(), *([metadata] if metadata != KEEP else [])]
        journal = Journal(output, json.dumps(settings), masks.own_settings) if resume else None
        outcomes = batch.run(
            batch.Plan(planned.items),
            batch.Here(work, partial(opened, studio, salvage=salvage, progress=progress)),
            writing=batch.Writing(format, overwrite, metadata),
            reported=batch.Reported(report),
            earlier=batch.Earlier(journal, resume),
            audience=batch.Audience(progress, done),
        )
    if said := reports.run_text(outcomes, planned.left_out):
        screen.say(said)
    return 0 if all(outcome.status in ("ok", "mended") for outcome in outcomes) else 1


def _check_aligned(chosen: set[int] | None, boxes: Sequence[Box]) -> None:
    """UsageError when another face is asked for than the only one of an aligned crop."""
    if chosen not in (None, {0}):
        raise UsageError("With --aligned each photo is one face, so --faces cannot choose another.")
    if boxes:
        raise UsageError("With --aligned each photo is one face, so --box cannot add another.")


def _check_words(upscale: int, photo_grain: str, metadata: str) -> None:
    """UsageError when one of them is not among its choices."""
    if upscale not in (1, 2, 4):
        raise UsageError(f"--upscale takes 1, 2 or 4, not {upscale}.")
    if photo_grain not in GRAINS:
        raise UsageError(f"--photo-grain takes {' or '.join(GRAINS)}, not {photo_grain}.")
    if metadata not in POLICIES:
        raise UsageError(f"--metadata takes {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, not {metadata}.")


def detect(
    photos: Photos,
    box: Boxes = None,
    salvage: Salvage = False,
    as_json: Json = False,
    device: Device = "auto",
    report: Report = None,
    quiet: Quiet = False,
) -> int:
    """Find the faces of photos."""
    screen = Screen(quiet)
    studio = Studio(device)
    paths = [found for path in photos for found in (batch.find_photos(path) if os.path.isdir(path) else [path])]
    if not paths:
        raise UsageError(f"There is no photo in {' or '.join(map(str, photos))}.")
    boxes = [parse_box(text) for text in box or ()]
    check_boxes(boxes, len(paths))
    failed = False
    with ReportFile(report, paths) as lines, screen.progress() as progress:
        studio.prepare()
        for path in progress.track(paths, "Photos"):
            started = time.perf_counter()
            try:
                photo = opened(studio, path, salvage, progress)
                found = studio.detect(photo, progress)
                faces = with_boxes(studio, photo, found, boxes, progress, None if as_json else screen)
                record = reports.detection_record(path, faces, time.perf_counter() - started, photo=photo)
                if not as_json:
                    screen.say(reports.detection_text(path, faces, photo))
            except FaceStudioError as error:
                failed = True
                screen.complain(f"{path}: {error}", error.hint)
                record = reports.detection_record(path, (), time.perf_counter() - started, str(error), "failed")
            lines.write(record)
            if as_json:
                screen.put(json.dumps(record))
    return 1 if failed else 0


def compare(
    a: Annotated[Path, typer.Argument(help="A photo.", readable=False)],
    b: Annotated[Path, typer.Argument(help="Another photo.", readable=False)],
    salvage: Salvage = False,
    far: Far = 1e-3,
    judges: Judges = ALL,
    as_json: Json = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> int:
    """Say whether the largest faces of two photos show the same person."""
    screen = Screen(quiet)
    studio = Studio(device, far=far, judges=judges)
    with screen.progress() as progress:
        one, other = (opened(studio, path, salvage, progress) for path in (a, b))
        comparison = studio.compare(one, other, progress)
    if as_json:
        screen.put(json.dumps(reports.comparison_record(a, b, comparison)))
    else:
        screen.say(reports.comparison_text(comparison))
    return 0


def doctor(device: Device = "auto", as_json: Json = False) -> int:
    """Look at the installation: device, weights, window, folders."""
    screen = Screen()
    findings = Studio(device).doctor()
    for f in [] if as_json else findings:
        screen.say(f"{'ok     ' if f.ok else 'PROBLEM'}  {f.name}: {f.detail}" + (f" ({f.hint})" if f.hint else ""))
    if as_json:
        screen.put(json.dumps([vars(f) for f in findings]))
    return 0 if all(f.ok for f in findings) else 1


def _say_version(wanted: bool) -> None:
    if wanted:
        Screen().put(f"facestudio {app_version()}")
        raise typer.Exit


def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Restore faces in photos, and measure how much of the person is left."""


def build() -> typer.Typer:
    """The application with the flags of every method that the manifest names."""
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Restore faces in photos, and measure how much of the person is left.",
    )
    app.callback()(about)
    app.command()(with_method_options(restore, "keep"))
    app.command()(with_method_options(anonymize, "change"))
    app.command()(with_method_options(generate, "create"))
    app.command()(detect)
    app.command()(compare)
    app.command()(doctor)
    app.add_typer(weights.commands(), name="weights")
    return app


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; every FaceStudioError and wrong usage ends in one sentence."""
    try:
        code = build()(arguments, standalone_mode=False, prog_name="facestudio") or 0
        if code != STOPPED:  # what Typer makes of an interrupt
            return code
        raise KeyboardInterrupt
    except _ClickException as error:
        Screen().complain(plain(error), hint_for(arguments))
        return 2
    except FaceStudioError as error:
        Screen().show_error(error)
        return exit_code(error)
    except (Cancelled, KeyboardInterrupt, typer.Abort):
        Screen().complain("Stopped; what was finished before is kept.")
        return STOPPED
