"""A person's folder, whole or not there: pictures and record are written into a hidden folder, which then gets its name.

So a crash at any moment leaves no half of a person, and a folder is believed by the hashes in its record, not because it exists.
Knows no networks.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from facestudio.datasets.choosing import Choice
from facestudio.datasets.records import PersonRecord, Provenance, folder_name, record_of
from facestudio.errors import DiskFull, FaceStudioError, UnwritableOutput
from facestudio.files import hidden_name, shown, write_beside
from facestudio.journal import sha256_of
from facestudio.photo import SUFFIXES, Photo
from facestudio.recipe import Recipe

RECORD = "person.json"
ROOM = "Free some space and continue the dataset, or choose another folder."
_NUMBERED = re.compile(r"\d{4,}")
_OURS = re.compile(rf"{re.escape(RECORD)}|\d{{3}}({'|'.join(map(re.escape, SUFFIXES))})")


@dataclass(frozen=True)
class PictureRecipe:
    """What a picture's file says of how it was made: the method's recipe, and which person of which dataset it shows."""

    recipe: Recipe
    person: Mapping[str, Any]

    def to_json(self) -> str:
        """One line; what reads a Recipe from it leaves out the person."""
        return json.dumps(json.loads(self.recipe.to_json()) | {"dataset": dict(self.person)}, sort_keys=True)


def write_person(
    out: Path,
    choice: Choice,
    recipe: Callable[[int], PictureRecipe],
    provenance: Provenance,
    suffix: str,
    overwrite: bool = False,
) -> PersonRecord:
    """Write the person of a `choice` as a folder in `out`, whole or not at all.

    Args:
        recipe: of a picture, by its seed. suffix: of the pictures (".png").
        overwrite: replace a folder that holds a person, and nothing else; otherwise one that exists raises UnwritableOutput.
    """
    person = choice.person
    name = folder_name(person.nobody.number)
    target, hidden = out / name, _hidden(out, person.nobody.number)
    try:
        hidden.mkdir(parents=True)
        files = {}
        for place, picture in enumerate(person.pictures):
            file = f"{place:03d}{suffix}"
            files[place] = (file, _saved(picture.photo, hidden / file, recipe(picture.seed)))
        made = record_of(choice, files, provenance)
        text = made.to_json().encode()
        write_beside(hidden / RECORD, lambda file: _fill(file, text))
        if overwrite and os.path.lexists(target):
            remove_person(out, person.nobody.number)
        os.rename(hidden, target)
        _sync(out)
    except OSError as error:
        if os.path.lexists(target):
            raise UnwritableOutput(f"{target} exists already.", hint="Choose another folder.") from error
        full = error.errno == errno.ENOSPC
        kind, hint = (DiskFull, ROOM) if full else (UnwritableOutput, "Choose another folder.")
        raise kind(f"The folder {target} cannot be made: {error.strerror}.", hint=hint) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return made


def read_person(out: Path, number: int, whole: bool = True) -> PersonRecord:
    """The record of person `number` in `out`; FaceStudioError when there is none, or, with `whole`, its pictures are not as
    they were written."""
    folder = out / folder_name(number)
    try:
        record = PersonRecord.from_json((folder / RECORD).read_text(encoding="utf-8"))
        if record.number != number:
            raise FaceStudioError(f"{folder} holds person {record.number}.")
        for picture in record.pictures if whole else ():
            if Path(picture.file).name != picture.file:
                raise FaceStudioError(f"{folder} names a picture that is elsewhere.")
            with (folder / picture.file).open("rb") as file:
                if sha256_of(file) != picture.sha256:
                    raise FaceStudioError(f"{folder / picture.file} is not as it was written.")
    except (OSError, UnicodeDecodeError) as error:
        raise FaceStudioError(f"{folder} does not hold a whole person.") from error
    return record


def numbers(out: Path) -> Iterator[int]:
    """The numbers of the people whose folders are in `out`, in order."""
    try:
        names = sorted(entry.name for entry in os.scandir(out) if entry.is_dir() and _NUMBERED.fullmatch(entry.name))
    except OSError:
        return
    yield from sorted(int(name) for name in names if name == folder_name(int(name)))


def remove_person(out: Path, number: int) -> None:
    """Take away the folder of a person; UnwritableOutput when it holds anything that is not a person's."""
    target, old = out / folder_name(number), _hidden(out, number, "old")
    check_removable(out, number)
    shutil.rmtree(old, ignore_errors=True)
    os.rename(target, old)  # so that no half of it is ever seen
    shutil.rmtree(old)


def check_removable(out: Path, number: int) -> None:
    """UnwritableOutput when the folder of a person holds anything that is not a person's, and would be lost."""
    folder = out / folder_name(number)
    others = [] if os.path.isdir(folder) and not os.path.islink(folder) else [folder.name]
    with suppress(OSError):
        others += [entry.name for entry in os.scandir(folder) if not entry.is_file() or not _OURS.fullmatch(entry.name)]
    if others or not os.path.lexists(folder / RECORD):
        what = f": {shown(others[0])}" if others else ""
        raise UnwritableOutput(
            f"{folder} holds something else than a person of a dataset{what}.", hint="Choose another folder."
        )


def clear(out: Path, those: Iterator[int] | range) -> None:
    """Take away what a crash left of people whose numbers are among `those`."""
    for number in those:
        for kind in ("", "old"):
            shutil.rmtree(_hidden(out, number, kind), ignore_errors=True)


def _hidden(out: Path, number: int, kind: str = "") -> Path:
    return out / hidden_name(f"{folder_name(number)}{kind}")


def _saved(photo: Photo, path: Path, recipe: PictureRecipe) -> str:
    """Write a picture and read it back; the hash of its file."""
    digest = ""

    def check(file: IO[bytes]) -> None:
        nonlocal digest
        if Photo.from_bytes(file.read(), path.name).size != photo.size:
            raise UnwritableOutput(f"{path.name} cannot be read back after it was written.", hint="Choose PNG.")
        file.seek(0)
        digest = sha256_of(file)

    photo.save(path, recipe=recipe, check=check)
    return digest


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)


def _sync(folder: Path) -> None:
    """Let the new name outlive a power cut where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
