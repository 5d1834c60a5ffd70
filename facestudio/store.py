"""What the user has of published weights: the files in the data folder, what they were made from, what was measured of them,
and licences accepted.

A published part lies at data/weights/ID/PART.safetensors. PART.json beside it is its pin: the hash of the file that was
imported, and of the safetensors that were made of it. own-calibration beside them is what the user's own people say of a
recogniser's cosines. All of it is on the disk alone; nothing here knows the manifest.
Licences that were accepted stand in the settings folder, with the date.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from facestudio import paths
from facestudio.errors import UnwritableOutput, UsageError
from facestudio.files import shown, write_beside
from facestudio.progress import Progress

try:
    import fcntl

    _lock = True
except ImportError:  # Windows
    _lock = False

CHUNK = 1 << 20
LICENCES = "licences.json"
CALIBRATION = "own-calibration"  # no name of a part's file ends so


@dataclass(frozen=True)
class Pin:
    """What a part was made from, and what became of it.

    Attributes:
        name: of the file that was imported; source_sha256, source_bytes: of its content.
        sha256, bytes: of the safetensors; date: of the import.
    """

    name: str
    source_sha256: str
    source_bytes: int
    sha256: str
    bytes: int
    date: str


@dataclass(frozen=True)
class OwnCalibration:
    """What the user's own people say of a recogniser's cosines.

    Attributes:
        weights: the SHA-256 of the weights that were measured; date: of that day.
        people, faces: whom it was measured on; same_pairs, different_pairs: how many pairs of one person and of two.
        table: the calibration, as the manifest has it of others (see faces/calibrating.py).
    """

    weights: str
    date: str
    people: int
    faces: int
    same_pairs: int
    different_pairs: int
    table: Mapping[str, Any] = field(hash=False)


def folder(id: str) -> Path:
    """Where the files of the checkpoint `id` lie; need not exist."""
    return paths.data_dir() / "weights" / id


def place(id: str, part: str) -> Path:
    """Where the safetensors of a part lie; need not exist."""
    return folder(id) / f"{part}.safetensors"


def pin(id: str, part: str) -> Pin | None:
    """What is known of a part that was imported; None when nothing is, or when that is damaged."""
    try:
        told = json.loads(_pin_path(id, part).read_text(encoding="utf-8"))
        return Pin(**{name: kind(told[name]) for name, kind in _FIELDS.items()})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def state() -> tuple[object, ...]:
    """Another value as soon as `pin` or `own_calibration` may say something else of any checkpoint."""
    home = paths.data_dir() / "weights"
    found: list[object] = [str(home)]
    for id in _names(home):
        for name in _names(os.path.join(home, id)):
            if name == CALIBRATION or name.endswith(".json"):
                found += (id, name, stamp(os.path.join(home, id, name)))
    return tuple(found)


def stamp(path: Path | str) -> tuple[int, ...]:
    """What is another when a file was written, exchanged or locked; () where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def keep(id: str, part: str, made: Path, of: Pin) -> Path:
    """Take `made`, a file in `folder(id)`, as the safetensors of a part. UnwritableOutput when that cannot be."""
    target = place(id, part)
    try:
        os.replace(made, target)
    except OSError as error:
        raise _unwritable(target, error) from error
    _put(_pin_path(id, part), asdict(of))
    return target


def own_calibration(id: str) -> OwnCalibration | None:
    """What the user's own people said of a recogniser; None when nobody was asked, or when that is damaged."""
    try:
        told = json.loads((folder(id) / CALIBRATION).read_text(encoding="utf-8"))
        found = OwnCalibration(**{name: kind(told[name]) for name, kind in _OWN_FIELDS.items()})
        return found if can_judge_by(found.table) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def can_judge_by(table: Mapping[str, Any]) -> bool:
    """Whether what a calibration's `table` holds makes sense; ValueError, TypeError and the like where that cannot be asked."""
    rates = [table["thresholds"], table.get("thresholds_low", {}), table.get("thresholds_high", {})]
    means = [float(table[f"{of}_mean"]) for of in ("same", "different") if f"{of}_mean" in table]
    spreads = [float(table[f"{of}_std"]) for of in ("same", "different") if f"{of}_std" in table]
    shares = [float(one) for of in ("same", "different") for one in table.get(f"{of}_shares", ())]
    edges = [float(table[f"shares_{end}"]) for end in ("from", "to") if f"shares_{end}" in table]
    return (
        bool(rates[0])
        and all(0 < float(rate) < 1 for of in rates for rate in of)
        and all(isinstance(value, float) and -1 <= value <= 1 for of in rates for value in of.values())
        and all(-1 <= mean <= 1 for mean in means)
        and all(0 < spread < 2 for spread in spreads)
        and all(0 <= share <= 1 for share in shares)
        and all(map(math.isfinite, edges))
    )


def keep_calibration(id: str, measured: OwnCalibration) -> None:
    """Take `measured` for the recogniser's calibration. UnwritableOutput when that cannot be."""
    _put(ready(id) / CALIBRATION, asdict(measured))


def forget_calibration(id: str) -> bool:
    """Delete what the user's own people said of a recogniser; whether there was anything. UnwritableOutput when it stays."""
    path = folder(id) / CALIBRATION
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unwritable(path, error) from error
    return True


def ready(id: str) -> Path:
    """The folder of a checkpoint, made if need be. UnwritableOutput when it cannot be."""
    home = folder(id)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(home, error) from error
    return home


def size(id: str) -> int:
    """Bytes that the files of a checkpoint take, unfinished downloads included."""
    try:
        return sum(path.lstat().st_size for path in folder(id).rglob("*") if not path.is_dir())
    except OSError:
        return 0


def remove(id: str) -> int:
    """Delete all files of a checkpoint, and what was pinned; the bytes that were freed."""
    freed, home = size(id), folder(id)
    try:
        if home.is_symlink():
            home.unlink()
        elif home.exists():
            shutil.rmtree(home)
    except OSError as error:
        raise UnwritableOutput(
            f"The folder {shown(home)} cannot be deleted: {(error.strerror or 'the system refused').lower()}.",
            hint="Close other programs that use these weights, or delete the folder yourself.",
        ) from error
    return freed


@contextlib.contextmanager
def locked(id: str) -> Iterator[None]:
    """Hold the folder of a checkpoint against other runs of Face Studio; UsageError when one holds it already.

    Where the system has no such locks nothing is held.
    """
    descriptor = os.open(ready(id), os.O_RDONLY) if _lock else -1
    try:
        if descriptor >= 0:
            _take(descriptor, id)
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def sha256_of(path: Path, progress: Progress | None = None, stage: str = "Checking the file") -> str:
    """The SHA-256 of a file in hexadecimal; OSError passes through."""
    with path.open("rb") as content:
        if progress is None:
            return hashlib.file_digest(content, "sha256").hexdigest()
        digest = hashlib.sha256()
        steps = max(1, math.ceil(os.fstat(content.fileno()).st_size / CHUNK))
        for _ in progress.track(range(steps), stage):
            digest.update(content.read(CHUNK))
        return digest.hexdigest()


def accepted(id: str, licence: str) -> bool:
    """Whether the user has accepted these words as the licence of a checkpoint."""
    told = _licences().get(id)
    return isinstance(told, dict) and told.get("licence") == licence


def accept(id: str, licence: str) -> None:
    """Remember that the user accepted the licence of a checkpoint today."""
    told = {**_licences(), id: {"licence": licence, "date": datetime.date.today().isoformat()}}
    target = paths.settings_dir() / LICENCES
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(target.parent, error) from error
    _put(target, told)


def in_words(count: float) -> str:
    """A number of bytes for people."""
    if count >= 999.5e6:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 9.5e6 else f"{max(count, 1e5) / 1e6:.1f} MB"


_OWN_FIELDS: dict[str, Callable[[Any], Any]] = {
    **{
        "weights": str,
        "date": str,
        "people": int,
        "faces": int,
        "same_pairs": int,
        "different_pairs": int,
        "table": dict,
    }
}
_FIELDS = {"name": str, "source_sha256": str, "source_bytes": int, "sha256": str, "bytes": int, "date": str}


def _take(descriptor: int, id: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"Another Face Studio is working on the weights {id} right now.", hint="Wait until it is done, or stop it."
        ) from error
    except OSError:
        return  # a file system without locks


def _put(target: Path, told: object) -> None:
    content = json.dumps(told, indent=1, ensure_ascii=False).encode()

    def write(file: IO[bytes]) -> None:
        file.write(content)

    write_beside(target, write, overwrite=True)


def _names(folder: Path | str) -> list[str]:
    """What is in a folder, sorted; nothing where there is none."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _pin_path(id: str, part: str) -> Path:
    return folder(id) / f"{part}.json"


def _licences() -> dict[str, object]:
    try:
        told = json.loads((paths.settings_dir() / LICENCES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _unwritable(path: Path, error: OSError) -> UnwritableOutput:
    return UnwritableOutput(
        f"{path} cannot be written: {(error.strerror or 'the system refused').lower()}.",
        hint="Free some space, allow your user to write there, or set FACESTUDIO_HOME to another folder.",
    )
