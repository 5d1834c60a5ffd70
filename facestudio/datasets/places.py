"""What is in a folder before a dataset is made there: nothing, the dataset itself as far as it came, or something else.

For whoever asks before anybody has to wait; `running` looks once more, at all of it, before it draws. Imports no torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facestudio.datasets.folder import numbers, read_person
from facestudio.datasets.records import PersonRecord
from facestudio.errors import FaceStudioError, UsageError
from facestudio.files import shown

_SYSTEM = {"thumbs.db", "desktop.ini"}  # what file browsers leave, beside hidden files
_CALLED = {"checkpoint": "weights", "far": "false accept rate", "apart_in_pictures": "lookalikes replaced"}
_OTHER = "Choose another folder, or a new name."


@dataclass(frozen=True)
class Place:
    """A folder.

    Attributes:
        people: how many of a dataset are here; asked: how many there are to be, 0 where none are here.
        settings: of those who are here; None where none are. differs: names of the settings that are not those asked for.
        pace: seconds that a picture of theirs took, judging and drawing again included; 0 where none are here.
        obstacle: why the dataset cannot be made here, in a sentence, "" when it can; hint: the next move.
    """

    people: int = 0
    asked: int = 0
    settings: Mapping[str, Any] | None = None
    differs: tuple[str, ...] = ()
    pace: float = 0.0
    obstacle: str = ""
    hint: str = ""


def look_at(out: Path, settings: Mapping[str, Any]) -> Place:
    """What is in `out` for a dataset of these `settings` (as of `asking.settings_of`); nothing is written or loaded."""
    try:
        names = sorted(entry.name for entry in os.scandir(out) if not _is_the_systems(entry.name))
    except FileNotFoundError:
        return _barred(_nearest(out))
    except NotADirectoryError:
        return Place(obstacle=f"{shown(out)} is a file, and a dataset needs a folder.", hint=_OTHER)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        return Place(obstacle=f"The folder {shown(out)} cannot be read: {words}.", hint=_OTHER)
    found = _records(out)
    if names and not found:
        return Place(obstacle=_foreign(out, names), hint=_OTHER)
    place = _barred(out)
    if not found:
        return place
    here = sum(1 for _ in numbers(out))
    asked = max(int(record.made.get("people", 0)) for record in found)
    differs = _differences(settings, found[0].settings)
    if not place.obstacle and differs:
        words = f"The folder {shown(out)} contains a dataset that was made with other settings: {', '.join(differs)}."
        place = Place(obstacle=words, hint="Use the settings of that dataset, or choose another folder.")
    pictures = sum(len(record.pictures) for record in found)
    pace = sum(record.seconds for record in found) / max(pictures, 1)
    return replace(place, people=here, asked=max(asked, here), settings=found[0].settings, differs=differs, pace=pace)


def check_free(out: Path) -> None:
    """UsageError when `out` is a folder with other things in it and no dataset, among which nobody would find theirs again."""
    try:
        names = sorted(entry.name for entry in os.scandir(out) if not _is_the_systems(entry.name))
    except (OSError, ValueError):
        return  # whoever writes there says what is wrong
    if names and not _records(out):
        raise UsageError(_foreign(out, names), hint=_OTHER)


def settings_at(out: Path) -> Mapping[str, Any] | None:
    """The settings of the dataset in `out`; None where none is."""
    found = _records(out)
    return found[0].settings if found else None


def _foreign(out: Path, names: Sequence[str]) -> str:
    what = shown(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    return f"The folder {shown(out)} is not empty and contains no dataset: {what}."


def _is_the_systems(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM


def _records(out: Path) -> list[PersonRecord]:
    """The first and the last readable record in `out`, whose numbers of people may differ when more were asked for later."""
    found: list[PersonRecord] = []
    those = list(numbers(out))
    for order in (those, those[::-1]):
        for number in order:
            try:
                found.append(read_person(out, number, whole=False))
                break
            except FaceStudioError:
                continue
    return found


def _differences(asked: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of settings that are not alike; of options and sliders, which of them."""
    asked = json.loads(json.dumps(dict(asked)))
    names: list[str] = []
    for key in (*asked, *sorted({"sliders", "apart_in_pictures"} & set(found) - set(asked))):
        one, other = asked.get(key), found.get(key)
        if one == other:
            continue
        if key in ("options", "sliders"):
            one, other = one or {}, other or {}
            names += sorted(name.replace("_", " ") for name in {*one, *other} if one.get(name) != other.get(name))
        elif key != "method" or asked.get("checkpoint") == found.get("checkpoint"):
            names.append(_CALLED.get(key, key))
    return tuple(names)


def _nearest(out: Path) -> Path:
    """The folder around `out` that exists."""
    return next((folder for folder in Path(os.path.abspath(out)).parents if os.path.lexists(folder)), Path(os.sep))


def _barred(folder: Path) -> Place:
    """A place with an obstacle when nothing can be written in `folder`, else without one."""
    if not os.path.isdir(folder):
        return Place(obstacle=f"{shown(folder)} is a file, so there can be no folder in it.", hint=_OTHER)
    if os.access(folder, os.W_OK | os.X_OK):
        return Place()
    return Place(obstacle=f"Cannot write into {shown(folder)}: you have no permission.", hint=_OTHER)
