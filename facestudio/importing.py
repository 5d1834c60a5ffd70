"""Published weights on their way in: fetched or already had, checked, converted in a child process, kept and removed.

Separate from checkpoints.py, which reads what is here, because only this module ever meets a file of somebody else.
Nothing goes over the network but in `get`. Knows no window and no command line.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import facestudio
from facestudio import fetching, foreign, store
from facestudio.checkpoints import Checkpoint, lacking
from facestudio.conversion import ERRORS, Order
from facestudio.errors import (
    CheckpointCorrupt,
    CheckpointError,
    CheckpointMismatch,
    CheckpointMissing,
    FaceStudioError,
    UsageError,
)
from facestudio.files import shown
from facestudio.manifest import Published
from facestudio.progress import Progress

log = logging.getLogger(__name__)

GENEROUS = 12  # a training's checkpoint may hold an optimiser, critics and an average beside the weights
ROOM = 256 << 20
MOST_LOOKED_AT = 20_000  # files of a folder that is searched
POLL = 0.05
SECONDS, SECONDS_A_GB = 300.0, 120.0  # that a conversion may take
Sources = Mapping[str, Path]  # files by the name of their array; one file by ""


class OtherFile(CheckpointCorrupt):
    """A file is not the very one that was published; it may still fit."""


def obstacle(entry: Checkpoint) -> str:
    """Why the weights cannot be fetched over the network, in one sentence; "" when they can."""
    if not entry.published:
        return f"{entry.title} comes with Face Studio, so there is nothing to download."
    if not all(file.published and file.published.url for file in entry.files.values()):
        return f"{entry.title} is on no server that programs may download from."
    return ""


def get(entry: Checkpoint, progress: Progress) -> None:
    """Fetch what is not here of published weights and import it.

    The licence must be accepted (store.accept) if the entry asks for that: UsageError. DownloadFailed and CheckpointError
    in one sentence; what was fetched by then is kept.
    """
    lacks = obstacle(entry)
    if lacks:
        raise UsageError(lacks, hint=by_hand(entry) if entry.published else "")
    if entry.accept and not store.accepted(entry.id, entry.licence):
        raise UsageError(
            f"The licence of {entry.title} was not accepted, so nothing was downloaded.",
            hint=f"It is: {entry.licence}. Read it at {entry.source}.",
        )
    with store.locked(entry.id):
        parts = lacking(entry)
        downloads = store.ready(entry.id) / "downloads"
        downloads.mkdir(exist_ok=True)
        for part in progress.track(parts, f"Getting {entry.title}"):
            published = _published(entry, part)
            target = downloads / published.name.replace("/", "-")
            fetching.fetch(published.url, target, progress, most=largest(published), share=0.9)
            try:
                _import_part(entry, part, {"": target}, progress)
            except FaceStudioError:
                fetching.discard(target)
                raise
            fetching.discard(target)


def import_files(
    entry: Checkpoint, paths: Sequence[Path], progress: Progress, part: str | None = None, any_hash: bool = False
) -> tuple[str, ...]:
    """Make weights of files that the user has, or of those in folders, and return the parts that were imported.

    Files are known by their published names, and their folder's where that belongs to it; one with another name is tried
    for `part`, or for each part that is left.
    With `any_hash` a file need not be the very one that was published, but must fit the network all the same. Nothing
    is fetched. CheckpointError in one sentence when a file is not what it should be; parts that were done stay.
    """
    if not entry.published:
        raise UsageError(f"{entry.title} comes with Face Studio, so nothing can be imported for it.")
    if part is not None and part not in entry.files:
        raise UsageError(f"{entry.title} has no part called {part}; it has {', '.join(entry.files)}.")
    done: list[str] = []
    with store.locked(entry.id):
        for candidates, sources in progress.track(_assigned(entry, paths, part), f"Importing {entry.title}"):
            left = [name for name in candidates if name not in done]
            if not left:
                raise CheckpointMismatch(f"{shown(sources[''])} is not a file of {entry.title}.", hint=by_hand(entry))
            done.append(_import_first(entry, left, sources, progress, any_hash))
    return tuple(done)


def remove(entry: Checkpoint) -> int:
    """Delete the files of published weights, and forget their pins; the bytes that were freed."""
    if not entry.published:
        raise UsageError(
            f"{entry.title} comes with Face Studio and stays.", hint="Only downloaded weights are removed."
        )
    with store.locked(entry.id):
        return store.remove(entry.id)


def by_hand(entry: Checkpoint) -> str:
    """How to get the weights without a download by Face Studio."""
    wanted = names(entry)
    return f"Download {listed(wanted)} from {entry.source} and import {'it' if len(wanted) == 1 else 'them'}."


def names(entry: Checkpoint, missing: bool = False) -> list[str]:
    """The names of the published files, or of those whose part is `missing`."""
    files = [file for file in entry.files.values() if not (missing and file.path.is_file())]
    return [name for file in files if file.published for name in file.published.names]


def listed(names: Sequence[str]) -> str:
    """Names of files for a sentence, not too many of them."""
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:2])} and {len(names) - 2} more files"


def largest(published: Published) -> int:
    """The most bytes that a file of these weights may have."""
    return published.bytes or GENEROUS * published.about + ROOM


# ---- which file is what


def _assigned(entry: Checkpoint, paths: Sequence[Path], part: str | None) -> list[tuple[list[str], Sources]]:
    """For each part that is to be imported, or may be: the parts that could be meant, and the files."""
    parts = [part] if part is not None else list(entry.files)
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    known: dict[str, Path] = {}
    for path in (*_inside(folders), *files):
        known[path.name.casefold()] = path
        known["/".join(path.absolute().parts[-2:]).casefold()] = path
    found: list[tuple[list[str], Sources]] = []
    used: set[Path] = set()
    for name in parts:
        published = _published(entry, name)
        sources = {key: known.get(file.casefold()) for key, (file, _) in published.arrays.items()}
        sources = sources or {"": known.get(published.name.casefold())}
        there = {key: path for key, path in sources.items() if path is not None}
        if there and len(there) < len(sources):
            (first, *more) = [file for file in published.names if file.casefold() not in known]
            others = f" and {len(more)} more are" if more else " is"
            raise CheckpointMissing(f"Of {entry.title} {first}{others} not among these files.", hint=by_hand(entry))
        if there:
            found.append(([name], there))
            used |= set(there.values())
    left = [name for name in parts if not _published(entry, name).arrays and [name] not in [one for one, _ in found]]
    for path in files:
        if path not in used:
            if not left:
                raise CheckpointMismatch(f"{shown(path)} is not a file of {entry.title}.", hint=by_hand(entry))
            found.append((left, {"": path}))
    if not found:
        where = " or ".join(shown(path) for path in paths) or "nothing"
        raise CheckpointMissing(f"There is no file of {entry.title} in {where}.", hint=by_hand(entry))
    return found


def _inside(folders: Iterable[Path]) -> list[Path]:
    """The files below `folders`."""
    found: list[Path] = []
    for folder in folders:
        for home, _, names in os.walk(folder):
            found += [Path(home, name) for name in names]
            if len(found) > MOST_LOOKED_AT:
                raise UsageError(
                    f"{shown(folder)} holds too many files to search.", hint="Choose the files themselves."
                )
    return found


def _published(entry: Checkpoint, part: str) -> Published:
    published = entry.files[part].published
    assert published is not None
    return published


# ---- one part


def _import_first(
    entry: Checkpoint, candidates: Sequence[str], sources: Sources, progress: Progress, any_hash: bool
) -> str:
    """Import `sources` as the first of the parts `candidates` that they fit, and return that; CheckpointMismatch, as of the last
    one, when they fit none."""
    for candidate in candidates[:-1]:
        with suppress(CheckpointMismatch):
            _import_part(entry, candidate, sources, progress, any_hash)
            return candidate
    _import_part(entry, candidates[-1], sources, progress, any_hash)
    return candidates[-1]


def _import_part(entry: Checkpoint, part: str, sources: Sources, progress: Progress, any_hash: bool = False) -> None:
    """Check, convert and keep the files of one part."""
    published = _published(entry, part)
    sizes = {key: foreign.check(path, largest(published)) for key, path in sources.items()}
    name = ", ".join(sorted(path.name for path in sources.values())[:1])
    with progress.step(f"Importing {name}"):
        made = store.ready(entry.id) / f".facestudio-{secrets.token_hex(8)}.part"
        try:
            hashes = {}
            for key in progress.track(sources, "Checking the file", share=0.2):
                hashes[key] = store.sha256_of(sources[key], progress)
            digest = hashes[""] if "" in hashes else _together(hashes)
            _check_hash(entry, part, sources, digest, sum(sizes.values()), any_hash)
            with progress.step("Converting in a separate process", share=0.6):
                seconds = SECONDS + SECONDS_A_GB * sum(sizes.values()) / 1e9
                run(_order(entry, part, sources, made), progress, seconds)
            result = store.sha256_of(made, progress, "Keeping the weights")
            pin = store.Pin(name, digest, sum(sizes.values()), result, made.stat().st_size, _today())
            store.keep(entry.id, part, made, pin)
        except OSError as error:
            raise CheckpointError(
                f"{name} cannot be imported: {(error.strerror or 'the system refused').lower()}.",
                hint=f"Copy it to this computer, and check the permissions of the folder {store.folder(entry.id)}.",
            ) from error
        finally:
            made.unlink(missing_ok=True)


def _order(entry: Checkpoint, part: str, sources: Sources, target: Path) -> Order:
    """What the child process is to make of `sources`, as safetensors in `target`."""
    published = _published(entry, part)
    architecture, config = ("", {}) if published.arrays else entry.network(part)
    return Order(
        title=entry.title,
        target=str(target),
        sources={key: str(path.absolute()) for key, path in sources.items()},
        architecture=architecture,
        config=config,
        shapes={key: shape for key, (_, shape) in published.arrays.items()},
        wrappers=published.wrappers,
        prefixes=published.prefixes,
        ignored=published.ignored,
        renamed=published.renamed,
    )


def _check_hash(entry: Checkpoint, part: str, sources: Sources, digest: str, size: int, any_hash: bool) -> None:
    """CheckpointCorrupt when the files are not the published ones, or not those that were imported before."""
    published, pin = _published(entry, part), store.pin(entry.id, part)
    name = shown(next(iter(sources.values()))) + (f" and {len(sources) - 1} more files" if len(sources) > 1 else "")
    if any_hash or digest == published.sha256:
        return
    if published.bytes > size:
        raise CheckpointCorrupt(
            f"{name} is incomplete: it has {size} of {published.bytes} bytes.",
            hint=f"Download it again from {entry.source}.",
        )
    if published.sha256:
        raise OtherFile(
            f"{name} is not the published file: its SHA-256 differs.",
            hint=f"Download it from {entry.source}, or use --any-hash if you trust this file.",
        )
    if pin is not None and digest != pin.source_sha256:
        raise OtherFile(
            f"{name} is not the file that was imported on {pin.date}: its SHA-256 differs.",
            hint="If you trust it, remove the weights and import them again, or use --any-hash.",
        )


def _together(hashes: Mapping[str, str]) -> str:
    """One hash for several files."""
    lines = "".join(f"{key} {hashes[key]}\n" for key in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()


def run(order: Order, progress: Progress, seconds: float) -> None:
    """Convert in a child process; it is killed when `progress` is cancelled or after `seconds`."""
    home = str(Path(facestudio.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))}
    command = [sys.executable, "-P", "-m", "facestudio.conversion"]  # -P: not from the folder that one happens to be in
    names = ", ".join(shown(path) for path in list(order.sources.values())[:1])
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as said:
        asked.write(json.dumps(asdict(order)).encode())
        asked.seek(0)
        child = subprocess.Popen(command, stdin=asked, stdout=answer, stderr=said, env=environment)
        try:
            until = time.monotonic() + seconds
            while child.poll() is None:
                progress.check()
                if time.monotonic() > until:
                    raise CheckpointCorrupt(
                        f"Reading {names} took longer than {seconds / 60:.0f} minutes, so it was stopped.",
                        hint="Choose the published file, or try again when this computer is less busy.",
                    )
                time.sleep(POLL)
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
        answer.seek(0)
        said.seek(0)
        try:
            told = json.loads(answer.read())
        except ValueError as error:
            log.warning(
                "reading %s ended with %s: %s", names, child.returncode, said.read()[-2000:].decode(errors="replace")
            )
            raise CheckpointCorrupt(
                f"{names} is damaged: the process that read it crashed.", hint="Copy or download it again."
            ) from error
    if told:
        raise ERRORS[told["error"]](told["message"], hint=told["hint"])


def _today() -> str:
    return datetime.date.today().isoformat()
