"""Arguments that several commands take: each is said once, so that it means the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facestudio.planning import as_written, given
from facestudio.whom import LARGEST

# readable=False: Typer would refuse the whole command for one unreadable photo, which here fails alone
Photos = Annotated[
    list[Path],
    typer.Argument(metavar="PHOTO|FOLDER...", help="Photos, or folders of photos.", readable=False, parser=given),
]
Boxes = Annotated[
    list[str] | None,
    typer.Option(
        "--box",
        metavar="X0,Y0,X1,Y1",
        help="Add a face that detection missed: left, top, right and bottom of a rough box around it, in pixels. "
        "May be repeated; such faces are numbered after the detected ones.",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="Folder to write the results into (for a single photo, a file name works too).",
        parser=as_written,
    ),
]
Weights = Annotated[
    str | None, typer.Option(metavar="ID", help="Use these weights (listed by `facestudio weights list`).")
]
Seed = Annotated[
    int, typer.Option(min=0, max=LARGEST, help="Random seed; the same seed, input and options give the same result.")
]
FACES = (
    "Which faces to work on, numbered from 0 (the largest). Reports and messages count from 1: number 0 is their "
    "face 1."
)
Faces = Annotated[str, typer.Option(metavar="all|largest|0,2", help=FACES)]
METADATA = (
    "Which of the photo's metadata the result keeps: all of it (keep), only the exposure settings (technical), or "
    "none (strip)."
)
Device = Annotated[str, typer.Option(help="Device to compute on: auto, cpu, cuda or mps.")]
Format = Annotated[
    str | None, typer.Option(help="Write this format (png, jpg, webp ...) instead of the input's format.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Report = Annotated[
    Path | None,
    typer.Option(metavar="FILE.jsonl", help="Write a report to this file: one JSON object per photo, one per line."),
]
Far = Annotated[
    float,
    typer.Option(
        min=1e-6,
        max=0.5,
        help='False accept rate behind the verdict "same person": 0.001 accepts one pair of strangers in a thousand.',
    ),
]
Judges = Annotated[
    str,
    typer.Option(
        metavar="all|starter",
        help=(
            "Which recognisers judge the result: all calibrated ones, including those you calibrated yourself, or "
            "only those that come with Face Studio (starter)."
        ),
    ),
]
