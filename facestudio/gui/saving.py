"""Where a result goes: beside the photo under a new name, or where the user said; never over the original.
And where made pictures go: into a folder, under the names of their seeds.

Runs on the light queue. Separate from `Photo.save`, which writes what it is told, because these are the window's habits.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facestudio import keeping
from facestudio.errors import UnwritableOutput
from facestudio.files import same_file, shown
from facestudio.formats import SUFFIXES, format_of, mistyped
from facestudio.gui.history import Step
from facestudio.gui.runs import Picture
from facestudio.keeping import keep, stem
from facestudio.metadata import KEEP, saved_words
from facestudio.photo import Photo
from facestudio.progress import Progress

MARK = "_restored"
TURNED = "_turned"
TRIES = 10_000


def beside(source: Path, number: int = 1, mark: str = MARK) -> Path:
    """The `number`-th name for a result of `source`: NAME_restored.EXT, NAME_restored_2.EXT and so on."""
    tail = "" if number == 1 else f"_{number}"
    return source.with_name(f"{source.stem}{mark}{tail}{source.suffix}")


def save_beside(step: Step, source: Path, metadata: str = KEEP) -> Path:
    """Save beside `source` under the first name that is free, and return it. `metadata`: the policy of `Photo.save`."""
    for number in range(1, TRIES):
        target = beside(source, number)
        if target.exists():
            continue
        try:
            return _written(step, target, metadata)
        except UnwritableOutput:
            if not target.exists():  # else somebody else was faster: take the next name
                raise
    raise UnwritableOutput(f"Every name beside {source.name} is taken.", hint="Use Save as and choose another folder.")


def save_once(step: Step, source: Path, known: Path | None, metadata: str = KEEP) -> tuple[Step, Path, str]:
    """As `told` of `save_beside`; a `known` file of this very result that is still there is not written a second time."""
    if known is not None and known.exists():
        return step, known, already(known)
    return told(step, save_beside(step, source, metadata), metadata)


def already(known: Path) -> str:
    """That the very thing is there as `known`."""
    return f"It is saved already, as {shown(known)}"


def save_as(step: Step, target: Path, source: Path | None, overwrite: bool = True, metadata: str = KEEP) -> Path:
    """Save as `target`, unless it is the original; the user has agreed to replace it if it exists, or not to `overwrite`."""
    if source is not None and same_file(target, source):
        raise UnwritableOutput(
            "The original photo is never written over.", hint="Choose another name or another folder for the result."
        )
    return _written(step, target, metadata, overwrite)


def save_turned(
    photo: Photo, source: Path | None, target: Path | None, overwrite: bool, metadata: str = KEEP
) -> tuple[Photo, Path, str]:
    """Save a `photo` that was turned and not restored, as `target`, or beside `source` under the first name that is free; what
    was saved and where, and that it was, in words. It says nothing of AI, and has no recipe."""
    if target is None:
        assert source is not None  # else there is nothing beside which it could be
        names = (beside(source, number, TURNED) for number in range(1, TRIES))
        target, overwrite = next((name for name in names if not name.exists()), beside(source, TRIES, TURNED)), False
    if source is not None and same_file(target, source):
        raise UnwritableOutput("The original photo is never written over.", hint="Choose another name or folder.")
    photo.save(target, overwrite=overwrite, metadata_policy=metadata)
    return photo, target, _said(photo, target, metadata)


def _written(step: Step, target: Path, metadata: str, overwrite: bool = False) -> Path:
    result = step.result
    return result.after.save(
        target, recipe=result.recipe, overwrite=overwrite, metadata_policy=metadata, generative=result.generative
    )


def ending_problem(path: Path, usual: str) -> UnwritableOutput | None:
    """What is wrong with the name of `path` when it ends like a file that cannot be written, most likely by a slip; None when
    nothing is. The rule is that of the command line. `usual`: what a name without an ending gets."""
    if path.suffix == usual or not mistyped(path):
        return None
    return UnwritableOutput(
        f"{shown(path)} ends in {path.suffix}, which is none of {', '.join(SUFFIXES)}. Nothing was written.",
        hint=f"Save as once more and end the name in one of these; a name without an ending becomes {usual[1:].upper()}.",
    )


def told(step: Step, path: Path, metadata: str = KEEP) -> tuple[Step, Path, str]:
    """What was saved and where, and in words that it was, and what of the original such a file, or this program, cannot hold."""
    return step, path, _said(step.result.after, path, metadata)


def _said(photo: Photo, path: Path, metadata: str) -> str:
    lost = (*photo.not_saved(format_of(path), metadata), saved_words(metadata))
    return ". ".join((f"Saved as {shown(path)}", *(sentence.removesuffix(".") for sentence in lost if sentence)))


def picture_name(picture: Picture, number: int = 1) -> str:
    """The `number`-th name for a made picture: face-000007.png, face-000007_2.png and so on, as the commands name them."""
    tail = "" if number == 1 else f"_{number}"
    return f"{stem(picture.portrait.recipe)}{tail}.png"


@dataclass(frozen=True, eq=False)
class Plan:
    """Pictures of the run with `key` and the files they are to become; `taken` are those of the files that exist. With `extras`
    there are embeddings and recipe beside each picture."""

    key: object
    targets: tuple[tuple[Picture, Path], ...]
    taken: frozenset[Path]
    extras: bool = False


def plan(
    key: object, pictures: Sequence[Picture], folder: Path, source: Path | None, extras: bool, progress: Progress
) -> Plan:
    """A file in `folder` for each of `pictures`; UnwritableOutput when one of them is the photo they were drawn from."""
    targets = tuple((picture, folder / picture_name(picture)) for picture in pictures)
    taken = frozenset(path for _, path in targets if any(map(os.path.lexists, _files(path, extras))))
    for path in taken:
        if source is not None and same_file(path, source):
            raise UnwritableOutput(f"{path.name} is the photo that is drawn from.", hint="Choose another folder.")
    return Plan(key, targets, taken, extras)


def save_pictures(plan: Plan, overwrite: bool, progress: Progress) -> tuple[object, list[Path], bool]:
    """Write every picture whole, with its recipe; the run's key, the files, and whether embeddings and recipe are beside each.

    A name that is taken is replaced with `overwrite`, and otherwise the next one that is free is used.
    """
    written: list[Path] = []
    for picture, target in progress.track(plan.targets, "Saving"):
        path, number = target, 1
        while not overwrite and number < TRIES and any(map(os.path.lexists, _files(path, plan.extras))):
            number += 1
            path = target.with_name(picture_name(picture, number))
        try:
            written.append(keep(picture.portrait, path, overwrite, plan.extras))
        except UnwritableOutput as error:
            if not written:
                raise
            words = f"{error} {len(written)} of {len(plan.targets)} pictures were saved before."
            raise UnwritableOutput(words, hint=error.hint) from error
    return plan.key, written, plan.extras


def words_of(paths: Sequence[Path], extras: bool) -> str:
    """That made pictures were saved, and with `extras` which files are beside them."""
    if len(paths) > 1:
        words = f"Saved {len(paths)} pictures in {shown(paths[0].parent)}"
        return f"{words}, each with its embeddings (.npz) and its recipe (.json)" if extras else words
    words = f"Saved as {shown(paths[0])}"
    if not extras:
        return words
    embeddings, recipe = keeping.beside(paths[0])
    return f"{words}, its embeddings as {shown(embeddings)}, its recipe as {shown(recipe)}"


def _files(path: Path, extras: bool) -> tuple[Path, ...]:
    return (path, *keeping.beside(path)) if extras else (path,)


def save_picture_as(
    key: object, picture: Picture, target: Path, source: Path | None, progress: Progress
) -> tuple[object, list[Path], bool]:
    """Save one picture as `target`, which the user has agreed to replace if it exists, unless it is drawn from."""
    if source is not None and same_file(target, source):
        raise UnwritableOutput(f"{target.name} is the photo that is drawn from.", hint="Choose another name.")
    return key, [picture.portrait.photo.save(target, recipe=picture.portrait.recipe, overwrite=True)], False
