"""The commands under `facestudio weights`: what checkpoints there are, and what can be done with them.

Separate from the commands that work on photos, which they share only the screen with. Only `get` uses the network; what
`calibrate` says is in calibrating.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from facestudio import checkpoints, importing, store
from facestudio.checkpoints import Checkpoint
from facestudio.cli.arguments import Json, Quiet
from facestudio.cli.calibrating import calibration_state, calibration_text, own_record, weights_calibrate
from facestudio.cli.console import Screen
from facestudio.errors import CheckpointMissing, UsageError
from facestudio.methods.base import method_name
from facestudio.studio import Studio

Id = Annotated[str, typer.Argument(metavar="ID", help="Which weights (listed by `facestudio weights list`).")]


def weights_list(as_json: Json = False) -> int:
    """List the checkpoints: what they are for, size, licence, source, and whether they are here."""
    screen = Screen()
    rows = [record(entry) for entry in checkpoints.load_manifest().values()]
    if as_json:
        screen.put(json.dumps(rows))
    for row in [] if as_json else rows:
        method = f", method {row['method']}" if row["method"] else ""
        size = f"{'about ' if row['state'] == 'missing' else ''}{store.in_words(row['bytes'])}"
        if not row["bytes"]:
            size = "built from other weights: " + ", ".join(row["uses"]) if row["uses"] else "needs no weights"
        state = row["state"] if row["state"] == "present" else row["state"].upper()
        if row["published"] and row["state"] == "missing":
            state = "not installed (optional)"
        screen.say(f"{row['id']}: {row['title']} ({row['purpose']}{method}; {size}; {state})")
        screen.say(f"  licence: {row['licence']}" + (f"; from {row['source']}" if row["published"] else ""))
        if row["calibrated"] is not None and row["here"]:
            screen.say(f"  {calibration_text(row)}")
    return 0


def record(entry: Checkpoint) -> dict[str, Any]:
    """What `weights list --json` says of a checkpoint. The state is by the files' sizes; `verify` hashes them."""
    return {
        "id": entry.id,
        "title": entry.title,
        "purpose": entry.purpose,
        "method": method_name(entry),
        "bytes": entry.bytes,
        "licence": entry.licence,
        "accepted": not entry.accept or store.accepted(entry.id, entry.licence),
        "source": entry.source,
        "published": entry.published,
        "uses": list(entry.uses.values()),
        "files": importing.names(entry),
        "state": checkpoints.glance(entry),
        "here": entry.here,
        "calibrated": calibration_state(entry),
        "own_calibration": own_record(entry.own) if entry.own is not None else None,
    }


def weights_get(
    checkpoint: Id,
    accept: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence without being asked (for scripts).")
    ] = False,
    quiet: Quiet = False,
) -> int:
    """Download published weights. Goes on where an earlier download stopped."""
    screen = Screen(quiet)
    entry = checkpoints.checkpoint(checkpoint)
    lacks = importing.obstacle(entry)
    if lacks:
        raise UsageError(lacks, hint=importing.by_hand(entry) if entry.published else "")
    if checkpoints.verify(entry) == "present":
        screen.say(f"{entry.id} is here already.")
        return 0
    _accept_licence(entry, accept, screen)
    with screen.progress() as progress:
        importing.get(entry, progress)
    _say_here(entry.id, screen)
    return 0


def weights_import(
    checkpoint: Id,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE|FOLDER...", help="The published files, or folders that hold them.", readable=False
        ),
    ],
    part: Annotated[
        str | None, typer.Option(help="Which part of the weights the file is, when its name does not tell.")
    ] = None,
    any_hash: Annotated[
        bool,
        typer.Option(
            "--any-hash",
            help="Accept a file whose SHA-256 differs from the published file's, if it fits the network.",
        ),
    ] = False,
    quiet: Quiet = False,
) -> int:
    """Import published weights from files that you have already. Uses no network."""
    screen = Screen(quiet)
    entry = checkpoints.checkpoint(checkpoint)
    with screen.progress() as progress:
        importing.import_files(entry, files, progress, part, any_hash)
    _say_here(entry.id, screen)
    return 0


def weights_verify(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID...]", help="Which weights. Default: all that are installed.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Check every weight file against its sha256. Published weights that are not here are nobody's fault."""
    screen = Screen()
    known = checkpoints.load_manifest()
    entries = [checkpoints.checkpoint(id) for id in ids] if ids else list(known.values())
    states = {entry.id: checkpoints.verify(entry) for entry in entries}
    if not ids:
        states = {id: state for id, state in states.items() if state != "missing" or not known[id].published}
    if as_json:
        screen.put(json.dumps([{"id": name, "state": state} for name, state in states.items()]))
    for name, state in [] if as_json else states.items():
        screen.say(f"{name}: {state}")
    return 0 if all(state == "present" for state in states.values()) else 1


def weights_remove(checkpoint: Id, quiet: Quiet = False) -> int:
    """Delete published weights from this computer. Starter weights stay."""
    screen = Screen(quiet)
    entry = checkpoints.checkpoint(checkpoint)
    if entry.published and not store.size(entry.id):
        raise CheckpointMissing(f"{entry.id} is not installed, so there is nothing to remove.")
    freed = importing.remove(entry)
    screen.say(f"{entry.id} was removed; {store.in_words(freed)} are free again.")
    return 0


def weights_export(
    checkpoint: Id,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.onnx", help="The file to write.")],
    quiet: Quiet = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
) -> int:
    """Write a detector, landmark finder or embedder as an ONNX file, for other programs."""
    screen = Screen(quiet)
    with screen.progress() as progress:
        written = Studio("cpu").export(checkpoint, output, overwrite, progress)
    entry = checkpoints.checkpoint(checkpoint)
    screen.say(f"{entry.id} -> {written} ({written.stat().st_size / 1e6:.1f} MB; licence: {entry.licence})")
    return 0


def to_get(entries: Iterable[Checkpoint]) -> str:
    """A hint that names those of `entries` that are not here but could be; "" when there are none."""
    absent = [f"facestudio weights get {entry.id}" for entry in entries if entry.published and not entry.here]
    return f"Get it with `{'` or `'.join(absent)}`." if absent else ""


def commands() -> typer.Typer:
    """The group of commands under `weights`."""
    group = typer.Typer(rich_markup_mode=None, help="List, download, import, verify and remove weights.")
    group.command("list")(weights_list)
    group.command("get")(weights_get)
    group.command("import")(weights_import)
    group.command("verify")(weights_verify)
    group.command("remove")(weights_remove)
    group.command("calibrate")(weights_calibrate)
    group.command("export")(weights_export)
    return group


def _accept_licence(entry: Checkpoint, accept: bool, screen: Screen) -> None:
    """Show the licence; have it accepted once, by the flag or by a person. UsageError when it is not."""
    screen.say(f"{entry.title}, about {store.in_words(entry.bytes)}, from {entry.source}")
    screen.say(f"Licence: {entry.licence}")
    if not entry.accept or store.accepted(entry.id, entry.licence):
        return
    if not accept and sys.stdin.isatty():
        accept = typer.confirm("Do you accept this licence?", err=True)
    if not accept:
        raise UsageError(
            f"The licence of {entry.title} was not accepted, so nothing was downloaded.",
            hint=f"It is: {entry.licence}. Use --accept-licence if you accept it.",
        )
    store.accept(entry.id, entry.licence)


def _say_here(id: str, screen: Screen) -> None:
    """Say what is here now, and what is still missing of it."""
    entry = checkpoints.checkpoint(id)
    lacking = importing.names(entry, missing=True)
    method = f"; used by --method {method_name(entry)}" if entry.method else ""
    if lacking:
        screen.say(
            f"{id} is here in part: {importing.listed(lacking)} {'is' if len(lacking) == 1 else 'are'} still missing."
        )
    else:
        screen.say(f"{id} is here ({store.in_words(entry.bytes)}; licence: {entry.licence}{method}).")
