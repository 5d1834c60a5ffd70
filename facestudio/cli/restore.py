"""The command `restore`: photos in which faces are better, and a report on how much of each person is left.

Separate from the other commands because photos are turned, mended and enlarged before, which no other does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from facestudio import batch
from facestudio.cli import report as reports
from facestudio.cli.arguments import (
    METADATA,
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
    Report,
    Seed,
    Weights,
)
from facestudio.cli.choosing import Box, check_boxes, check_options, chosen_checkpoint, with_boxes
from facestudio.cli.console import Screen
from facestudio.cli.flags import options_given, parse_box, parse_faces
from facestudio.cli.opening import Salvage, opened
from facestudio.cli.scratch_masks import (
    Masks,
    SaveScratchMask,
    Scratches,
    ScratchMask,
    check_scratches,
)
from facestudio.cli.turning import AUTO, Turn, check_turn, turned
from facestudio.errors import NoFaceFound, UsageError
from facestudio.faces.face import Face
from facestudio.faces.regraining import CHOICES as GRAINS
from facestudio.faces.regraining import OFF as LEFT_OFF
from facestudio.journal import Journal
from facestudio.judges import ALL
from facestudio.mending import OFF
from facestudio.metadata import KEEP, POLICIES
from facestudio.methods.base import method_name
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.results import Result
from facestudio.studio import Studio

Method = Annotated[str | None, typer.Option(help="Restoration method, such as quick.")]
Aligned = Annotated[
    bool,
    typer.Option("--aligned", help="The photos are already face crops, framed as in FFHQ; no face is looked for."),
]
ReferencePhoto = Annotated[
    Path | None,
    typer.Option(
        metavar="PHOTO",
        help=(
            "A clear photo of the same person; its largest face tells the method difface who it is restoring. "
            "Works with one chosen face per photo."
        ),
        readable=False,
    ),
]
Upscale = Annotated[
    int,
    typer.Option(
        metavar="1|2|4",
        help="Enlarge the photo this many times. Faces are restored at the new size; the rest is only resampled.",
    ),
]
PhotoGrain = Annotated[
    str,
    typer.Option(
        metavar="match|off",
        help=(
            "Add film or sensor grain like the photo's to faces that were restored too smoothly (match), or "
            "add none (off)."
        ),
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Keep a journal of what is done, and continue an interrupted run that kept one."),
]
Metadata = Annotated[str, typer.Option(metavar="keep|technical|strip", help=METADATA)]


def restore(
    photos: Photos,
    output: Output,
    method: Method = None,
    checkpoint: Weights = None,
    faces: Faces = "all",
    box: Boxes = None,
    aligned: Aligned = False,
    reference: ReferencePhoto = None,
    salvage: Salvage = False,
    turn: Turn = None,
    upscale: Upscale = 1,
    scratches: Scratches = OFF,
    scratch_mask: ScratchMask = None,
    save_scratch_mask: SaveScratchMask = False,
    photo_grain: PhotoGrain = LEFT_OFF,
    format: Format = None,
    metadata: Metadata = KEEP,
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
    """Restore the faces of photos and say how much of each person is left."""
    screen = Screen(quiet)
    studio = Studio(device, far=far, judges=judges)
    which = _Faces(parse_faces(faces), [parse_box(text) for text in box or ()], aligned)
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
    check_boxes(which.boxes, len(planned.items))
    masks = Masks(studio, photos, planned, output, scratch_mask, save_scratch_mask)
    if masks.about:
        screen.say(masks.about)
    writing = batch.Writing(format, overwrite, metadata)
    with screen.progress() as progress:
        studio.prepare(entry.id)
        shows = None if reference is None else _shown(studio, reference, progress)
        settings = [json.loads(recipe.to_json()), faces, box, aligned, far, shows and shows[0].content_hash]
        settings += masks.settings
        settings += [f"turn {AUTO}"] if quarter is None else []
        settings += [*studio.own_judges(), *([metadata] if metadata != KEEP else [])]
        work = _Work(studio, screen, recipe, which, quarter, shows, masks, writing)
        outcomes = batch.run(
            batch.Plan(planned.items),
            batch.Here(work, partial(opened, studio, salvage=salvage, progress=progress)),
            writing=writing,
            reported=batch.Reported(report),
            earlier=batch.Earlier(
                Journal(output, json.dumps(settings), masks.own_settings) if resume else None, resume
            ),
            audience=batch.Audience(progress, work.done),
        )
    if said := reports.run_text(outcomes, planned.left_out):
        screen.say(said)
    return 0 if all(outcome.status in ("ok", "mended") for outcome in outcomes) else 1


@dataclass(frozen=True)
class _Faces:
    """Which faces are restored: those `chosen` (None: all) of the detected ones and of those in `boxes`; or, `aligned`, the photo
    itself. UsageError when another face is asked for than the only one of an aligned crop."""

    chosen: set[int] | None
    boxes: list[Box]
    aligned: bool

    def __post_init__(self) -> None:
        if self.aligned and self.chosen not in (None, {0}):
            raise UsageError("With --aligned each photo is one face, so --faces cannot choose another.")
        if self.aligned and self.boxes:
            raise UsageError("With --aligned each photo is one face, so --box cannot add another.")


@dataclass(frozen=True)
class _Work:
    """What is done to each photo, and said of it: `quarter` turns it (None: upright by its faces), `shows` is the person."""

    studio: Studio
    screen: Screen
    recipe: Recipe
    which: _Faces
    quarter: int | None
    shows: tuple[Photo, Face] | None
    masks: Masks
    writing: batch.Writing
    turns: dict[Path | None, str] = field(default_factory=dict)  # what was said of turning each photo

    def __call__(self, photo: Photo, progress: Progress) -> Result:
        studio, which, by_hand = self.studio, self.which, self.masks.of(photo.path)
        wanted = self.recipe if by_hand is None else replace(self.recipe, scratches="")
        photo, self.turns[photo.path] = turned(studio, photo, self.quarter, progress)
        wanted = replace(wanted, turn=photo.turn)
        found: tuple[Face, ...] = ()
        if not which.aligned:
            seen = studio.mended(photo, wanted.scratches, progress, by_hand)
            found = studio.detect_behind(photo, seen, progress)
            found = with_boxes(studio, seen, found, which.boxes, progress, self.screen)
        try:
            result = studio.restore(
                *(photo, found, wanted, which.chosen, progress),
                aligned=which.aligned,
                reference=self.shows,
                by_hand=by_hand,
            )
        except NoFaceFound as error:  # what to do about it has another name here than in the window
            if which.aligned or found:
                raise
            raise NoFaceFound(str(error), hint=reports.BOX_HINT) from error
        self.masks.save(result, self.writing.overwrite)
        return result

    def done(self, outcome: batch.Outcome) -> None:
        """Tell of a photo; of one that was done before nothing."""
        if outcome.output is not None and outcome.earlier is None:
            self.screen.say(reports.outcome_text(outcome, self.writing.metadata))
            if said := self.turns.get(outcome.source):
                self.screen.say(f"  {said}")
            if said := self.masks.written(outcome.source, outcome.output):
                self.screen.say(said)
        if outcome.error is not None:
            self.screen.complain(f"{outcome.source}: {outcome.error}", outcome.hint)


def _shown(studio: Studio, reference: Path, progress: Progress) -> tuple[Photo, Face]:
    """The photo that shows who the person is, and the largest face in it."""
    person = studio.open(reference)
    return person, studio.largest_face(person, progress)


def _check_words(upscale: int, photo_grain: str, metadata: str) -> None:
    """UsageError when one of them is not among its choices."""
    if upscale not in (1, 2, 4):
        raise UsageError(f"--upscale takes 1, 2 or 4, not {upscale}.")
    if photo_grain not in GRAINS:
        raise UsageError(f"--photo-grain takes {' or '.join(GRAINS)}, not {photo_grain}.")
    if metadata not in POLICIES:
        raise UsageError(f"--metadata takes {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, not {metadata}.")
