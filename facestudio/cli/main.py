"""The commands. Each turns its arguments into one call of the studio, and its outcome into sentences and an exit code.

Exit codes: 0 all ok, 1 some input was not done (the others are), 2 wrong usage, 130 stopped. The options of the methods
become flags by themselves, from the Options of every method that the manifest names. Torch is not imported before a
command computes, so `--help` is quick.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from facestudio import batch
from facestudio.cli import report as reports
from facestudio.cli import weights
from facestudio.cli.anonymize import anonymize
from facestudio.cli.arguments import (
    Boxes,
    Device,
    Far,
    Json,
    Judges,
    Photos,
    Quiet,
    Report,
)
from facestudio.cli.choosing import check_boxes, with_boxes
from facestudio.cli.console import Screen
from facestudio.cli.flags import parse_box, with_method_options
from facestudio.cli.generate import generate
from facestudio.cli.opening import Salvage, opened
from facestudio.cli.restore import restore
from facestudio.cli.wording import hint_for, plain
from facestudio.errors import FaceStudioError, UsageError, exit_code
from facestudio.judges import ALL
from facestudio.progress import Cancelled
from facestudio.recipe import app_version
from facestudio.reporting import ReportFile
from facestudio.studio import Studio

STOPPED = 130
_ClickException: Any = typer.BadParameter.__mro__[2]  # Typer brings its own copy of click or uses the real one


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
