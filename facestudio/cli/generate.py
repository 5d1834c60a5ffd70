"""The command `generate`: pictures of people who do not exist, or of the person in a photo.

Separate from the other commands because it makes pictures from nothing, where they work on photos.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from facestudio.cli import report as reports
from facestudio.cli.arguments import Device, Far, Judges, Quiet, Report, Weights
from facestudio.cli.casting import Cast
from facestudio.cli.choosing import check_options, chosen_checkpoint
from facestudio.cli.console import Screen
from facestudio.cli.flags import options_given, sliders_given
from facestudio.cli.populate import Asked, populate
from facestudio.datasets.asking import PER_IDENTITY
from facestudio.errors import NoFaceFound, UnwritableOutput, UsageError
from facestudio.faces.face import Face
from facestudio.faces.sliders import CATALOGUE, check
from facestudio.files import same_file
from facestudio.formats import SUFFIXES
from facestudio.generating import MOST, Portrait
from facestudio.judges import ALL
from facestudio.keeping import beside, keep, recipe_of, stem
from facestudio.methods.base import method_name
from facestudio.photo import Photo
from facestudio.planning import as_written, check_ending, check_folder, check_place, is_file_name
from facestudio.populating import MOST_PEOPLE, MOST_PICTURES
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.reporting import ReportFile
from facestudio.studio import Studio
from facestudio.whom import LARGEST, WIDEST, Anybody, Shot, shots


def generate(
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="Folder to write the pictures into (for a single picture, a file name works too).",
            parser=as_written,
        ),
    ],
    count: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Number of pictures. Default: 8.", show_default=False)
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="PHOTO",
            help="Draw the person in this photo. Without it, people who do not exist are drawn.",
        ),
    ] = None,
    face: Annotated[
        int, typer.Option(min=0, help="Which face of the --from photo to draw, numbered from 0 (the largest).")
    ] = 0,
    pose_picture: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE",
            help="Keep the head pose of this normal map (a picture of the head's surface in colours, as EMOCA "
            "renders it). For arc2face with the weights arc2face-controlnet.",
        ),
    ] = None,
    identities: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_PEOPLE, help="Make a dataset of this many people who do not exist, one folder per person."
        ),
    ] = None,
    per_identity: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_PICTURES, help=f"Pictures per person of the dataset. Default: {PER_IDENTITY}."),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(
            metavar="SEED|PICTURE",
            help=(
                "Show the same person who does not exist in all pictures: the person of this seed, or the one in a "
                "picture made here."
            ),
        ),
    ] = None,
    anybody: Annotated[
        bool,
        typer.Option(
            "--anybody",
            help=(
                "Ask for nobody in particular. Nothing then keeps the faces from resembling people in the training "
                "data."
            ),
        ),
    ] = False,
    walk: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="A B",
            help="Draw the way from one such person (a seed or a picture) to another, in --count pictures.",
        ),
    ] = None,
    again: Annotated[
        Path | None,
        typer.Option(
            "--recipe",
            metavar="PICTURE",
            help="Take the method, options, seed and person from the recipe in this picture, which Face Studio made.",
        ),
    ] = None,
    vary: Annotated[
        float | None,
        typer.Option(min=0.0, max=WIDEST, help="How much a person's looks vary between pictures. Default: 0."),
    ] = None,
    slider: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Change one thing about the face, from -1 to 1, such as age=0.6 or yaw=-0.4. May be repeated. "
            f"Sliders: {', '.join(one.id for one in CATALOGUE)}.",
        ),
    ] = None,
    tries: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="How many times to draw a picture of a dataset at most, until it shows its person. Default: 3.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Draw only this part of the dataset's people, such as 3/8, while other machines draw the other parts.",
        ),
    ] = None,
    apart: Annotated[
        bool | None,
        typer.Option(
            "--apart/--no-apart",
            help="Replace a person whose pictures look too much like another person's in the dataset. Default: "
            "--apart; a resumed dataset keeps its own setting.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[str | None, typer.Option(help="Drawing method, such as arc2face.")] = None,
    checkpoint: Weights = None,
    format: Annotated[str, typer.Option(help="File format of the pictures (png, jpg, webp ...).")] = "png",
    far: Far = 1e-3,
    judges: Judges = ALL,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=LARGEST,
            help="Seed of the first picture; each further picture takes the next number. Default: 0.",
            show_default=False,
        ),
    ] = None,
    extras: Annotated[
        bool,
        typer.Option(
            "--extras", help="Also write the embeddings (.npz) and the recipe (.json) of each picture beside it."
        ),
    ] = False,
    device: Device = "auto",
    report: Report = None,
    quiet: Quiet = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing pictures.")] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue a dataset: keep the people who are complete and draw the others."),
    ] = False,
    **options: Any,
) -> int:
    """Make pictures of people who do not exist, or of the person in a photo; or a dataset of people who do not exist."""
    screen = Screen(quiet)
    studio = Studio(device, far=far, judges=judges)
    cast = Cast(person, anybody, walk, None if identities is not None else vary)
    before = None if again is None else recipe_of(again)
    entry = chosen_checkpoint(studio, "create", method, checkpoint or _checkpoint_of(before, method))
    same = before if before is not None and before.checkpoint == entry.id else None
    kept = dict(same.options) if same is not None else {}
    recipe = Recipe(entry.id, method_name(entry), {**kept, **options_given(options)}, 0 if seed is None else seed)
    check_options(studio, entry.id, recipe.options, options_given(options), screen)
    moved = {**(same.sliders if same is not None else {}), **sliders_given(slider or ())}
    check(moved, studio.sliders(entry.id))
    asked = Asked(identities, per_identity, vary, tries, shard, resume, apart)
    if identities is not None:
        single: dict[str, Any] = {
            "--from": source,
            "--face": face,
            "--count": count,
            "--report": report,
            "--recipe": again,
            "--pose-picture": pose_picture,
        }
        single |= {"--person": person, "--anybody": anybody, "--walk": walk, "--extras": extras}
        moving = replace(recipe, sliders=moved)
        return populate(screen, studio, output, moving, asked, format, overwrite, single)
    asked.check_none()
    if face and source is None:
        raise UsageError("--face says which face of a photo to draw; name the photo with --from.")
    cast.check({"--from": source, "--recipe": again})
    if before is not None:
        recipe = replace(before, checkpoint=entry.id, method=recipe.method, options=recipe.options)
        _check_source(before, again, source)
        count = 1 if count is None else count
    pose = _pose_of(studio, entry.id, pose_picture, same, again)
    if pose is None and options.get("pose_strength") is not None:
        screen.warn("--pose-strength has no effect without --pose-picture.")
    recipe = replace(recipe, sliders=moved)
    plan = cast.plan(recipe, seed, count)
    recipe, count = replace(recipe, seed=plan[0].seed), len(plan)
    if source is not None:
        recipe, plan = replace(recipe, person=None), shots(plan[0].seed, count)
    check(moved, studio.sliders(entry.id), told=not any(isinstance(shot.who, Anybody) for shot in plan))
    used = [path for path in (source, pose_picture) if path is not None]
    targets = _targets(output, plan, recipe, format, used, overwrite, extras)
    left, marked = list(targets), 0

    def done(portrait: Portrait) -> None:
        nonlocal marked
        target = left.pop(0)
        keep(portrait, target, overwrite, extras)
        marked += portrait.face is None
        screen.say(reports.portrait_text(target, portrait))
        lines.write(reports.portrait_record(source, target, portrait))

    with ReportFile(report, used) as lines, screen.progress() as progress:
        studio.prepare(entry.id, listening=source is not None)
        who = None if source is None else _face_of(studio, source, face, progress)
        if who is not None and recipe.reference not in ("", who[0].content_hash):
            raise UsageError(f"{again} was drawn from a different photo than {source}.")
        _make(targets[0].parent)
        told = plan if source is None else None
        gallery = studio.generate(recipe, count, who, progress, done, plan=told, pose=pose)
    pictures = reports.count(count, "picture")
    screen.say(f"{pictures} in {gallery.seconds:.1f} s" + (f", {marked} without a face" if marked else ""))
    return 1 if marked else 0


def _checkpoint_of(before: Recipe | None, method: str | None) -> str | None:
    """The weights that a recipe was made with, unless another method is asked for."""
    return None if before is None or method is not None else before.checkpoint


def _check_source(before: Recipe, again: Path | None, source: Path | None) -> None:
    """UsageError when a picture is to be made again that was drawn from a photo, and the photo is not named, or needless."""
    if bool(before.reference) != (source is not None):
        words = (
            "was drawn from a photo; name that photo with --from"
            if before.reference
            else "was not drawn from a photo; leave out --from"
        )
        raise UsageError(f"{again} {words}.")


def _pose_of(
    studio: Studio, checkpoint_id: str, picture: Path | None, before: Recipe | None, again: Path | None
) -> Photo | None:
    """The pose picture; UsageError when what is made again was drawn by one, and it is not named, or another one is."""
    wanted = "" if before is None else before.pose
    if picture is None:
        if wanted:
            raise UsageError(f"{again} was drawn with a pose picture; name that picture with --pose-picture.")
        return None
    pose = studio.open_pose(picture, checkpoint_id)
    if wanted not in ("", pose.content_hash):
        raise UsageError(f"{again} was drawn with a different pose picture than {picture}.")
    return pose


def _targets(
    output: Path,
    plan: Sequence[Shot],
    recipe: Recipe,
    format: str,
    used: Sequence[Path],
    overwrite: bool,
    extras: bool,
) -> list[Path]:
    """The file of each picture; UsageError and UnwritableOutput before anything is computed."""
    suffix = f".{format.lower().lstrip('.')}"
    if suffix not in SUFFIXES:
        raise UsageError(f"The format {format} is not known; choose one of {', '.join(s[1:] for s in SUFFIXES)}.")
    if is_file_name(output):
        if len(plan) > 1:
            raise UsageError(f"The output {output} looks like a single picture; for several, name a folder.")
        check_place(output)
        targets = [output]
    else:
        check_folder(output)
        if len(plan) == 1:
            check_ending(output)
        targets = [output / f"{stem(replace(recipe, seed=one.seed, person=one.who))}{suffix}" for one in plan]
    for target in [*targets, *(other for one in targets if extras for other in beside(one))]:
        if any(same_file(target, one) for one in used):
            raise UsageError(f"{target} is one of the inputs; choose another output.")
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
        raise UsageError(f"There is no face {index} in {source.name}: it shows {found}, numbered from 0.")
    return photo, faces[index]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        words = f"The folder {folder} cannot be made: {error.strerror}."
        raise UnwritableOutput(words, hint="Choose another folder.") from error
