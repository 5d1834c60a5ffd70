"""The command `weights calibrate`, and what the list of weights says of calibrations.

Separate from the other commands under `weights`, because it alone looks at photos.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from facestudio.checkpoints import Checkpoint
from facestudio.cli.arguments import Device, Json, Quiet
from facestudio.cli.console import Screen
from facestudio.cli.report import count
from facestudio.errors import UsageError
from facestudio.faces.calibration import interval_at, threshold_at
from facestudio.files import shown
from facestudio.own_people import Calibrated
from facestudio.store import OwnCalibration
from facestudio.studio import Studio

COMES, OWN, STALE, NONE = "comes with it", "own people", "other weights", "no"


def weights_calibrate(
    checkpoint: Annotated[
        str, typer.Argument(metavar="ID", help="Which published recogniser (listed by `facestudio weights list`).")
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="Folder with photos of people you know, one subfolder per person.", readable=False
        ),
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Forget the calibration; the recogniser no longer judges.")
    ] = False,
    as_json: Json = False,
    device: Device = "auto",
    quiet: Quiet = False,
) -> int:
    """Measure what a recogniser's cosines mean by photos of people you know, so that it judges.

    It takes 20 people or more, each with two photos or more in a folder of their own. Photos are only read; kept are figures
    that name nobody.
    """
    if reset == (folder is not None):
        raise UsageError("Name a folder of people, or use --reset.")
    screen = Screen(quiet)
    studio = Studio(device)
    if folder is None:
        had = studio.uncalibrate(checkpoint)
        if as_json:
            screen.put(json.dumps({"id": checkpoint, "forgotten": had}))
        else:
            screen.say(
                f"The calibration of {checkpoint} was forgotten." if had else f"{checkpoint} had no calibration."
            )
        return 0
    with screen.progress() as progress:
        found = studio.calibrate(checkpoint, folder, progress)
    if as_json:
        screen.put(json.dumps(calibrated_record(checkpoint, found)))
    else:
        screen.say(calibrated_text(found))
    return 0


def calibrated_record(id: str, found: Calibrated) -> dict[str, Any]:
    """What `weights calibrate --json` says."""
    return {
        "id": id,
        **own_record(found.own),
        "calibration": found.own.table,
        "known_again": {f"{rate:.0e}": round(share, 4) for rate, share in found.known_again.items()},
        "too_few_pairs_for": [f"{rate:.0e}" for rate in found.unsupported],
        "left_out": [{"path": str(left.path), "reason": left.reason} for left in found.left_out],
        "not_needed": found.spared,
        "several_faces": found.crowded,
        "perhaps_one_person": [{"people": [a, b], "cosine": round(cosine, 4)} for a, b, cosine in found.alike],
    }


def own_record(own: OwnCalibration) -> dict[str, Any]:
    """When and on how many a calibration was made."""
    return {name: value for name, value in asdict(own).items() if name != "table"}


def calibrated_text(found: Calibrated) -> str:
    """What `weights calibrate` says."""
    own = found.own
    lines = [found.sentence, f"{own.same_pairs} pairs of one person, {own.different_pairs} of two:"]
    for rate in found.rates:
        interval = interval_at(own.table, rate)
        between = f" ({interval[0]:.2f} to {interval[1]:.2f})" if interval else ""
        lines.append(
            f"  one stranger in {1 / rate:,.0f} reaches a cosine of {threshold_at(own.table, rate):.2f}{between}, and "
            f"{found.known_again[rate]:.0%} of the pairs of one person do"
        )
    if found.crowded:
        lines.append(f"{count(found.crowded, 'photo')} with several faces: the largest counts")
    if found.spared:
        lines.append(f"{count(found.spared, 'photo')} not needed")
    for one, other, cosine in found.alike:
        lines.append(
            f"Please check whether {shown(one)} and {shown(other)} are the same person: their faces are as alike "
            f"({cosine:.2f}) as one person's."
        )
    lines += [f"left out: {left.path}: {left.reason}" for left in found.left_out]
    return "\n".join(lines)


def calibration_state(entry: Checkpoint) -> str | None:
    """Whether a recogniser is calibrated, and by whom; None for other weights."""
    if not entry.embeds:
        return None
    if entry.own is not None:
        return OWN if entry.recognises else STALE
    return COMES if entry.recognises else NONE


def calibration_text(row: Mapping[str, Any]) -> str:
    """What the list says of the calibration of a recogniser that is here."""
    own = row["own_calibration"]
    way = f"`facestudio weights calibrate {row['id']} FOLDER`"
    return {
        COMES: "comes calibrated; it judges",
        OWN: own
        and (f"calibrated on {own['people']} people you know ({own['faces']} faces, {own['date']}); it judges"),
        STALE: f"calibrated with other weights, so it judges nothing; {way} calibrates it again",
        NONE: f"not calibrated, so it judges nothing; {way} calibrates it with photos of people you know",
    }[row["calibrated"]]
