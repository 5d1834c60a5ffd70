"""Which input file becomes which output file, and what is left out and why.

Refuses plans that make no sense or could destroy an input. Separate from `batch`, which carries the plan out. It knows names and
folders, but does not open photos.

Folders are walked recursively. Hidden files, links to folders (they could form loops) and files without a photo's suffix are left
out; a file given by name is always tried.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facestudio.errors import UnwritableOutput, UsageError
from facestudio.files import real, shown
from facestudio.formats import SUFFIXES, mistyped, supported_suffix
from facestudio.progress import Progress

ANOTHER = "Choose another folder for the results."


class FolderPath(Path):
    """A path that was written as that of a folder, with a slash at its end, whatever its name looks like."""

    _flavour = getattr(type(Path()), "_flavour", None)  # Python 3.11 has no other way to derive from Path


def given(text: str) -> Path:
    """The path in `text`; UsageError when it is empty."""
    if not text:  # Path("") is the current folder, which would be read, or written into, as a whole
        raise UsageError("A file or folder name is empty.")
    return Path(text)


def as_written(text: str) -> Path:
    """The path in `text`, as a FolderPath if it ends with a slash."""
    return FolderPath(given(text)) if text.endswith(("/", os.sep)) else given(text)


def is_file_name(out: Path) -> bool:
    """Whether `out` means a single photo: it has a photo's suffix, and is neither a folder nor written as one."""
    return supported_suffix(out) and not isinstance(out, FolderPath) and not os.path.isdir(out)


def check_ending(out: Path) -> None:
    """UsageError when `out`, the output of a single photo, has a suffix that looks like a mistyped one."""
    if supported_suffix(out) or isinstance(out, FolderPath) or os.path.isdir(out):
        return
    if mistyped(out):
        raise UsageError(
            f"The output {out} ends in {out.suffix}, which is none of {', '.join(SUFFIXES)}; if you mean a folder, "
            f"end its name with a slash: {out}/"
        )


@dataclass(frozen=True)
class Item:
    """One photo to do: where it is, where its result goes, and what a report calls it ("": by its path)."""

    source: Path
    target: Path
    label: str = ""


@dataclass(frozen=True)
class LeftOut:
    """Something in a folder that is not done, the reason, and what a report calls it ("": by its path)."""

    path: Path
    reason: str
    label: str = ""


@dataclass(frozen=True)
class Plan:
    """What is done, and what is left out."""

    items: tuple[Item, ...]
    left_out: tuple[LeftOut, ...] = ()


def find_photos(folder: Path) -> list[Path]:
    """The photos in `folder` and below, in a stable order; hidden ones and links to folders are left out.

    A folder that may not be read is among them, so that it fails with a reason instead of being skipped silently.
    """
    return look_through(folder)[0]


def look_through(folder: Path, progress: Progress | None = None) -> tuple[list[Path], list[LeftOut]]:
    """The photos of `find_photos`, and everything else in the folder with the reason why it is left out.

    `progress` counts the photos; raises Cancelled between two files when asked to stop.
    """
    progress = progress or Progress()
    found: list[Path] = []
    left_out: list[LeftOut] = []

    def locked(error: OSError) -> None:
        found.append(Path(error.filename))

    for here, folders, files in os.walk(folder, onerror=locked, followlinks=False):
        for name in sorted(folders):
            if name.startswith("."):
                left_out.append(LeftOut(Path(here, name), "A hidden folder."))
            elif os.path.islink(os.path.join(here, name)):
                loop = real(Path(here)).is_relative_to(real(Path(here, name)))
                way = (
                    "A link that leads back to a folder around it."
                    if loop
                    else "A link to a folder; links are not followed."
                )
                left_out.append(LeftOut(Path(here, name), way))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            progress.count(f"{len(found):,} found")
            path = Path(here, name)
            if name.startswith("."):
                left_out.append(LeftOut(path, "A hidden file."))
            elif supported_suffix(path):
                found.append(path)
            else:
                left_out.append(LeftOut(path, "Not a photo, judging by its name."))
    return found, left_out


def plan(inputs: Sequence[Path], out: Path, format: str | None = None) -> list[Item]:
    """The items of `survey`."""
    return list(survey(inputs, out, format).items)


def survey(inputs: Sequence[Path], out: Path, format: str | None = None) -> Plan:
    """Which photo is written where; UsageError when the plan makes no sense or could destroy an input.

    `out` is a folder. For a single photo it may also be a file, recognised by a photo's suffix; a mistyped suffix is refused.
    Input folders keep their tree. A photo that is named twice, even through a link, is done once, under its own name if possible.
    """
    if not inputs:
        raise UsageError("Name at least one photo or folder.")
    suffix = suffix_of(format)
    # Path.is_dir raises for a name that is too long or a folder that may not be read; os.path.isdir answers
    single = len(inputs) == 1 and not os.path.isdir(inputs[0])
    if single and is_file_name(out):
        if suffix and SUFFIXES[suffix] != SUFFIXES[out.suffix.lower()]:
            raise UsageError(f"The output {out.name} contradicts the format {format}.")
        check_place(out)
        return Plan((Item(inputs[0], out),))
    check_folder(out)
    if single:
        check_ending(out)
    if is_file_name(out):
        raise UsageError(f"The output {out} looks like a single photo; for several results, name a folder.")
    items: list[Item] = []
    left_out: list[LeftOut] = []
    for path in inputs:
        if os.path.isdir(path):
            if real(out).is_relative_to(real(path)):
                raise UsageError(f"The output folder {out} is inside the input folder {path}.", hint=ANOTHER)
            found, others = look_through(path)  # the folder itself when it must not be looked into
            items += [Item(photo, out / (photo.relative_to(path) if photo != path else path.name)) for photo in found]
            left_out += others
        else:
            items.append(Item(path, out / path.name))
    items, twice = _each_once(items)
    left_out += twice
    if not items:
        among = f", among {len(left_out)} other thing{'s' * (len(left_out) > 1)}" if left_out else ""
        raise UsageError(f"There is no photo in {' or '.join(str(path) for path in inputs)}{among}.")
    if suffix:
        items = [replace(item, target=_with_suffix(item.target, suffix)) for item in items]
    _check_apart(items, inputs)
    return Plan(tuple(items), tuple(left_out))


def _check_apart(items: Sequence[Item], inputs: Sequence[Path]) -> None:
    """UsageError when a result would lie among the photos of an input folder, where the next run would take it for one: through
    a link in the output folder, or because a folder in an input folder is called as that is."""
    folders = {real(path): path for path in inputs if os.path.isdir(path)}
    for folder in dict.fromkeys(item.target.parent for item in items):
        place = real(folder)
        for known, path in folders.items():
            if place.is_relative_to(known):
                raise UsageError(
                    f"Results would lie in {folder}, which is inside the input folder {path}.", hint=ANOTHER
                )


def _each_once(items: Sequence[Item]) -> tuple[list[Item], list[LeftOut]]:
    """`items` without files that are named twice, and those left out for it; of a file and links to it, the file stays."""
    chosen: dict[Path, Item] = {}
    for item in items:
        first = chosen.setdefault(real(item.source), item)
        if os.path.islink(first.source) and not os.path.islink(item.source):
            chosen[real(item.source)] = item
    twice: list[LeftOut] = []
    for item in items:
        done = chosen[real(item.source)]
        if done is not item and done.source != item.source:
            twice.append(LeftOut(item.source, f"The same file as {done.source}, which is done."))
    return list(chosen.values()), twice


def places(plan: Plan, out: Path) -> dict[Path, Path]:
    """Where each photo of a `plan` for the output `out` lies below its folder, under its own name, by its path."""
    return {
        item.source: (Path() if item.target == out else item.target.relative_to(out).parent) / item.source.name
        for item in plan.items
    }


def check_place(out: Path) -> None:
    """UsageError when the file or folder `out` can never be made: its name is too long, or what it would lie in is no folder;
    UnwritableOutput when nothing may be written where it would be."""
    try:
        os.lstat(out)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            words = f"The name of the output {shown(out)} is too long for this computer."
            raise UsageError(words, hint="Choose a shorter one.") from error
    place = next((path for path in (out, *out.absolute().parents) if os.path.isdir(path)), out)
    blocked = next((path for path in out.absolute().parents if os.path.lexists(path) and not os.path.isdir(path)), None)
    if blocked is not None:
        words = f"The output {out} cannot be made: {shown(blocked)} is {_what(blocked)}, and no folder."
        raise UsageError(words, hint=ANOTHER)
    if not os.access(place, os.W_OK | os.X_OK):
        raise UnwritableOutput(
            f"Cannot write into the folder {shown(place)}: you have no permission.",
            hint=ANOTHER,
        )


def check_folder(out: Path) -> None:
    """`check_place`, and UsageError when there is something at `out` that is no folder."""
    check_place(out)
    if os.path.lexists(out) and not os.path.isdir(out):
        raise UsageError(f"The output {out} is {_what(out)}; name a folder.", hint=ANOTHER)


def _what(path: Path) -> str:
    """What is at `path` that is no folder."""
    if os.path.islink(path) and not os.path.exists(path):
        return "a link to something that is not there"
    return "a file"


def suffix_of(format: str | None) -> str:
    """The file suffix of a format's name such as "png" or "JPEG", "" for None; UsageError when it is not known."""
    if format is None:
        return ""
    suffix = f".{format.lower().lstrip('.')}"
    if suffix not in SUFFIXES:
        raise UsageError(f"The format {format} is not known; choose one of {', '.join(s[1:] for s in SUFFIXES)}.")
    return suffix


def _with_suffix(target: Path, suffix: str) -> Path:
    """`target` with a photo's suffix replaced; the end of a name such as "scan.2024" is no suffix and stays."""
    return target.with_suffix(suffix) if supported_suffix(target) else target.with_name(target.name + suffix)
