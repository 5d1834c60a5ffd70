"""The command `generate`: pictures of people who do not exist, or of the person in a photo.

Separate from the other commands because it makes pictures from nothing, where they work on photos.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facestudio.cli import report as reports
from facestudio.cli.arguments import Device, Far, Judges, Quiet, Report, Weights
from facestudio.cli.casting import Cast
from facestudio.cli.choosing import check_options, chosen_checkpoint
from facestudio.cli.console import Screen
from facestudio.cli.flags import options_given, sliders_given
from facestudio.cli.generate_flags import (
    Again,
    Apart,
    Count,
    Extras,
    FaceNumber,
    Format,
    Freely,
    Identities,
    Method,
    Output,
    Overwrite,
    PerIdentity,
    Person,
    PosePicture,
    Resume,
    Seed,
    Shard,
    Slider,
    Source,
    Tries,
    Vary,
    Walk,
)
from facestudio.cli.populate import Asked, populate
from facestudio.errors import NoFaceFound, UnwritableOutput, UsageError
from facestudio.faces.face import Face
from facestudio.faces.sliders import check
from facestudio.files import same_file
from facestudio.formats import SUFFIXES
from facestudio.generating import Commission, Portrait
from facestudio.judges import ALL
from facestudio.keeping import beside, keep, recipe_of, stem
from facestudio.methods.base import method_name
from facestudio.photo import Photo
from facestudio.planning import check_ending, check_folder, check_place, is_file_name
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.reporting import ReportFile
from facestudio.studio import Studio
from facestudio.whom import Anybody, Shot, shots


def generate(
    output: Output,
    count: Count = None,
    source: Source = None,
    face: FaceNumber = 0,
    pose_picture: PosePicture = None,
    identities: Identities = None,
    per_identity: PerIdentity = None,
    person: Person = None,
    anybody: Freely = False,
    walk: Walk = None,
    again: Again = None,
    vary: Vary = None,
    slider: Slider = None,
    tries: Tries = None,
    shard: Shard = None,
    apart: Apart = None,
    method: Method = None,
    checkpoint: Weights = None,
    format: Format = "png",
    far: Far = 1e-3,
    judges: Judges = ALL,
    seed: Seed = None,
    extras: Extras = False,
    device: Device = "auto",
    report: Report = None,
    quiet: Quiet = False,
    overwrite: Overwrite = False,
    resume: Resume = False,
    **options: Any,
) -> int:
    """Make pictures of people who do not exist, or of the person in a photo; or a dataset of people who do not exist."""
    screen = Screen(quiet)
    studio = Studio(device, far=far, judges=judges)
    cast = Cast(person, anybody, walk, None if identities is not None else vary)
    before = None if again is None else _Before(again, recipe_of(again))
    wanted = checkpoint or (None if before is None else before.checkpoint(method))
    entry = chosen_checkpoint(studio, "create", method, wanted)
    same = before.recipe if before is not None and before.recipe.checkpoint == entry.id else None
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
        recipe = replace(before.recipe, checkpoint=entry.id, method=recipe.method, options=recipe.options)
        before.check_source(source)
        count = 1 if count is None else count
    pose = None if pose_picture is None else studio.open_pose(pose_picture, entry.id)
    if before is not None and same is not None:
        before.check_pose(pose_picture, pose)
    if pose is None and options.get("pose_strength") is not None:
        screen.warn("--pose-strength has no effect without --pose-picture.")
    recipe = replace(recipe, sliders=moved)
    plan = cast.plan(recipe, seed, count)
    recipe, count = replace(recipe, seed=plan[0].seed), len(plan)
    if source is not None:
        recipe, plan = replace(recipe, person=None), shots(plan[0].seed, count)
    check(moved, studio.sliders(entry.id), told=not any(isinstance(shot.who, Anybody) for shot in plan))
    used = [path for path in (source, pose_picture) if path is not None]
    files = _Files(output, format, overwrite, extras)
    targets = files.targets(plan, recipe, used)
    with ReportFile(report, used) as lines, screen.progress() as progress:
        studio.prepare(entry.id, listening=source is not None)
        who = None if source is None else _face_of(studio, source, face, progress)
        if before is not None and who is not None and recipe.reference not in ("", who[0].content_hash):
            raise UsageError(f"{before.path} was drawn from a different photo than {source}.")
        _make(targets[0].parent)
        keeping = _Keeping(screen, files, targets, source, lines)
        commission = Commission(count, who, plan if source is None else None, pose)
        gallery = studio.generate(recipe, commission, progress, keeping.done)
    words = f"{reports.count(count, 'picture')} in {gallery.seconds:.1f} s"
    screen.say(words + (f", {keeping.marked} without a face" if keeping.marked else ""))
    return 1 if keeping.marked else 0


@dataclass(frozen=True)
class _Before:
    """The picture at `path` that is to be made again, by the `recipe` in it."""

    path: Path
    recipe: Recipe

    def checkpoint(self, method: str | None) -> str | None:
        """The weights that it was made with, unless another method is asked for."""
        return None if method is not None else self.recipe.checkpoint

    def check_source(self, source: Path | None) -> None:
        """UsageError when it was drawn from a photo, and the photo is not named, or needless."""
        if bool(self.recipe.reference) != (source is not None):
            words = (
                "was drawn from a photo; name that photo with --from"
                if self.recipe.reference
                else "was not drawn from a photo; leave out --from"
            )
            raise UsageError(f"{self.path} {words}.")

    def check_pose(self, picture: Path | None, pose: Photo | None) -> None:
        """UsageError when it was drawn by a pose picture, and that is not named, or another one is."""
        if pose is None and self.recipe.pose:
            raise UsageError(f"{self.path} was drawn with a pose picture; name that picture with --pose-picture.")
        if pose is not None and self.recipe.pose not in ("", pose.content_hash):
            raise UsageError(f"{self.path} was drawn with a different pose picture than {picture}.")


@dataclass(frozen=True)
class _Files:
    """Where pictures go: into the folder `output`, or the file for one, in a `format`; with `extras` beside them."""

    output: Path
    format: str
    overwrite: bool
    extras: bool

    def targets(self, plan: Sequence[Shot], recipe: Recipe, used: Sequence[Path]) -> list[Path]:
        """The file of each picture; UsageError and UnwritableOutput before anything is computed. `used`: the inputs."""
        targets = self._names(plan, recipe)
        for target in [*targets, *(other for one in targets if self.extras for other in beside(one))]:
            if any(same_file(target, one) for one in used):
                raise UsageError(f"{target} is one of the inputs; choose another output.")
            if os.path.lexists(target) and not self.overwrite:
                raise UnwritableOutput(
                    f"{target} exists already.", hint="Use --overwrite to replace it, or another --seed."
                )
        return targets

    def _names(self, plan: Sequence[Shot], recipe: Recipe) -> list[Path]:
        suffix = f".{self.format.lower().lstrip('.')}"
        if suffix not in SUFFIXES:
            known = ", ".join(s[1:] for s in SUFFIXES)
            raise UsageError(f"The format {self.format} is not known; choose one of {known}.")
        if is_file_name(self.output):
            if len(plan) > 1:
                raise UsageError(f"The output {self.output} looks like a single picture; for several, name a folder.")
            check_place(self.output)
            return [self.output]
        check_folder(self.output)
        if len(plan) == 1:
            check_ending(self.output)
        return [self.output / f"{stem(replace(recipe, seed=one.seed, person=one.who))}{suffix}" for one in plan]


class _Keeping:
    """Writes pictures as they come into their `targets`, and says so; `source` is the photo that they are drawn from.

    Attributes:
        marked: how many show no face.
    """

    def __init__(
        self, screen: Screen, files: _Files, targets: Sequence[Path], source: Path | None, lines: ReportFile
    ) -> None:
        self.marked = 0
        self._screen, self._files, self._left = screen, files, list(targets)
        self._source, self._lines = source, lines

    def done(self, portrait: Portrait) -> None:
        """Write the next picture."""
        target = self._left.pop(0)
        keep(portrait, target, self._files.overwrite, self._files.extras)
        self.marked += portrait.face is None
        self._screen.say(reports.portrait_text(target, portrait))
        self._lines.write(reports.portrait_record(self._source, target, portrait))


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
