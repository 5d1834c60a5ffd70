"""The flags of `anonymize`: what they are called, what they take and what is said of them.

Apart from the command, which does what they ask for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Method = Annotated[str | None, typer.Option(help="Anonymization method, such as solid, blur or pixelate.")]
LeaveOthers = Annotated[
    bool,
    typer.Option(
        "--leave-others",
        help=(
            "Leave the faces that --faces does not choose as they are, on purpose: such photos are marked "
            "“left as is” and need no review."
        ),
    ),
]
Tries = Annotated[int, typer.Option(min=1, max=100, help="How many times to try a face before the fallback hides it.")]
Fallback = Annotated[
    str,
    typer.Option(
        metavar="solid|blur|pixelate|none",
        help="Method that hides a face which could not be verified as changed.",
    ),
]
Metadata = Annotated[
    str,
    typer.Option(
        metavar="strip|technical|keep",
        help=(
            "Which of the photo's metadata the result keeps: none (strip), only the exposure settings "
            "(technical), or all, including people and places (keep)."
        ),
    ),
]
Names = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.csv",
        help=(
            "Name the results by number, and write which number is which photo into this file. Keep it apart "
            "from the results."
        ),
    ),
]
ResetTimes = Annotated[
    bool, typer.Option("--reset-times", help="Set the modification time of the result files to 1980.")
]
Consistent = Annotated[bool, typer.Option("--consistent", help="Give the same person the same new face in all photos.")]
Similar = Annotated[
    bool,
    typer.Option("--similar", help="Replace people by others of about the same age and gender presentation."),
]
Key = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help=(
            "File for the secret of --consistent, created if it does not exist. Whoever has it can give the "
            "same people the same new faces again, so keep it apart from the results."
        ),
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="local|ray",
        help="Work in this process (local) or in many processes with Ray (needs facestudio[cluster]).",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Number of processes with --engine ray. Default: one per graphics card or processor."),
]
Report = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.jsonl",
        help=(
            "Write the report to this file, with a .csv and an .html beside it. Default: OUT-report.jsonl beside OUT."
        ),
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped or interrupted.")]
