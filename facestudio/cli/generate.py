"""The command `generate`: pictures of people who do not exist, or of the person in a photo.

Separate from the other commands because it makes pictures from nothing, where they work on photos.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from facestudio.cli import report as reports
from facestudio.cli.arguments import Device, Far, Quiet, Report, Weights
from facestudio.cli.choosing import chosen_checkpoint
from facestudio.cli.console import Screen
from facestudio.cli.flags import options_given
from facestudio.cli.populate import PER_IDENTITY, Asked, populate
from facestudio.errors import NoFaceFound, UnwritableOutput, UsageError
from facestudio.faces.face import Face
from facestudio.files import same_file
from facestudio.formats import SUFFIXES, supported_suffix
from facestudio.generating import MOST, Portrait
from facestudio.methods.base import method_name
from facestudio.photo import Photo
from facestudio.populating import MOST_PEOPLE, MOST_PICTURES
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.reporting import ReportFile
from facestudio.studio import Studio, options_of


def generate(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="Folder for the pictures (or a file, for one).")
    ],
    count: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="How many pictures. Default: 8.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="PHOTO", help="Draw the person in this photo; without it, people of nowhere."),
    ] = None,
    face: Annotated[int, typer.Option(min=0, help="Which face of the photo; 0 is the largest.")] = 0,
    identities: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_PEOPLE, help="Make a dataset of so many people who do not exist, a folder each."),
    ] = None,
    per_identity: Annotated[
        int | None, typer.Option(min=1, max=MOST_PICTURES, help=f"Pictures of each of them. Default: {PER_IDENTITY}.")
    ] = None,
    vary: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.5, help="How much a person varies between pictures. Default: 0."),
    ] = None,
    tries: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="How often a picture is drawn until it shows its person. Default: 3."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Draw only this part of the people, such as 3/8, as other machines do theirs."
        ),
    ] = None,
    method: Annotated[str | None, typer.Option(help="How to draw, such as arc2face.")] = None,
    checkpoint: Weights = None,
    format: Annotated[str, typer.Option(help="Write this format (png, jpg, webp ...).")] = "png",
    far: Far = 1e-3,
    seed: Annotated[int, typer.Option(min=0, help="Of the first picture; each has the next one.")] = 0,
    device: Device = "auto",
    report: Report = None,
    quiet: Quiet = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace pictures that exist.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a dataset: keep the people who are there, draw the others.")
    ] = False,
    **options: Any,
) -> int:
    """Make pictures of people who do not exist, or of the person in a photo; or a dataset of people who do not exist."""
    screen = Screen(quiet)
    studio = Studio(device, far=far)
    entry = chosen_checkpoint(studio, "create", method, checkpoint)
    recipe = Recipe(entry.id, method_name(entry), options_given(options), seed)
    options_of(studio.method_options(entry.id), recipe.options)
    asked = Asked(identities, per_identity, vary, tries, shard, resume)
    if identities is not None:
        single = {"--from": source, "--face": face, "--count": count, "--report": report}
        return populate(screen, studio, output, recipe, asked, format, overwrite, single)
    asked.check_none()
    count = 8 if count is None else count
    targets = _targets(output, count, seed, format, source, overwrite)
    faceless = 0

    def done(portrait: Portrait) -> None:
        nonlocal faceless
        target = targets[portrait.recipe.seed]
        portrait.photo.save(target, recipe=portrait.recipe, overwrite=overwrite)
        faceless += portrait.face is None
        screen.say(reports.portrait_text(target, portrait))
        lines.write(reports.portrait_record(source, target, portrait))

    with ReportFile(report, [source] if source else ()) as lines, screen.progress() as progress:
        studio.prepare(entry.id)
        who = None if source is None else _face_of(studio, source, face, progress)
        _make(next(iter(targets.values())).parent)
        gallery = studio.generate(recipe, count, who, progress, done)
    pictures = reports.count(count, "picture")
    screen.say(f"{pictures} in {gallery.seconds:.1f} s" + (f", {faceless} without a face" if faceless else ""))
    return 1 if faceless else 0


def _targets(output: Path, count: int, seed: int, format: str, source: Path | None, overwrite: bool) -> dict[int, Path]:
    """The file of each seed; UsageError and UnwritableOutput before anything is computed."""
    suffix = f".{format.lower().lstrip('.')}"
    if suffix not in SUFFIXES:
        raise UsageError(f"The format {format} is not known; choose one of {', '.join(s[1:] for s in SUFFIXES)}.")
    if supported_suffix(output) and not os.path.isdir(output):
        if count > 1:
            raise UsageError(f"The output {output} looks like one picture; name a folder for several.")
        targets = {seed: output}
    else:
        if os.path.lexists(output) and not os.path.isdir(output):
            raise UsageError(f"The output {output} is a file; name a folder.")
        targets = {one: output / f"face-{one:06d}{suffix}" for one in range(seed, seed + count)}
    for target in targets.values():
        if source is not None and same_file(target, source):
            raise UsageError(f"{target} is the photo that is drawn from; choose another output.")
        if os.path.lexists(target) and not overwrite:
            raise UnwritableOutput(
                f"{target} exists already.", hint="Use --overwrite to replace it, or another --seed."
            )
    return targets


def _face_of(studio: Studio, source: Path, index: int, progress: Progress) -> tuple[Photo, Face]:
    """The photo and its face number `index`; NoFaceFound or UsageError when there is none."""
    photo = studio.open(source)
    faces = studio.detect(photo, progress)
    if not faces:
        raise NoFaceFound(f"No face was found in {source.name}.", hint="Use a photo with a larger, upright face.")
    if index >= len(faces):
        found = reports.count(len(faces), "face")
        raise UsageError(f"There is no face {index} in {source.name}: it shows {found}, counted from 0.")
    return photo, faces[index]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        words = f"The folder {folder} cannot be made: {error.strerror}."
        raise UnwritableOutput(words, hint="Choose another folder.") from error
