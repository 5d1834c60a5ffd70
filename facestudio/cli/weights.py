"""The commands under `facestudio weights`: what checkpoints there are, and what can be done with them.

Separate from the commands that work on photos, which they share only the screen with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from facestudio import checkpoints
from facestudio.cli.arguments import Json, Quiet
from facestudio.cli.console import Screen
from facestudio.methods.base import method_name
from facestudio.studio import Studio


def weights_list(as_json: Json = False) -> int:
    """List the checkpoints, what they are for and under which licence."""
    screen = Screen()
    entries = list(checkpoints.load_manifest().values())
    rows = [
        {
            "id": c.id,
            "title": c.title,
            "method": method_name(c),
            "licence": c.licence,
            "source": c.source,
            "here": all(f.path.exists() for f in c.files.values()),
        }
        for c in entries
    ]
    if as_json:
        screen.put(json.dumps(rows))
    for row in [] if as_json else rows:
        used = f"method {row['method']}" if row["method"] else "used by all"
        screen.say(
            f"{row['id']}: {row['title']} ({used}; licence: {row['licence']}; {'here' if row['here'] else 'MISSING'})"
        )
    return 0


def weights_verify(as_json: Json = False) -> int:
    """Check every weight file against the sha256 in the manifest."""
    screen = Screen()
    states = {entry.id: checkpoints.verify(entry) for entry in checkpoints.load_manifest().values()}
    if as_json:
        screen.put(json.dumps([{"id": name, "state": state} for name, state in states.items()]))
    for name, state in [] if as_json else states.items():
        screen.say(f"{name}: {state}")
    return 0 if all(state == "present" for state in states.values()) else 1


def weights_export(
    checkpoint: Annotated[str, typer.Argument(metavar="ID", help="Which weights (see `weights list`).")],
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


def commands() -> typer.Typer:
    """The group of commands under `weights`."""
    group = typer.Typer(rich_markup_mode=None, help="The checkpoints.")
    group.command("list")(weights_list)
    group.command("verify")(weights_verify)
    group.command("export")(weights_export)
    return group
