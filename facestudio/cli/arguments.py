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
        help="A face that was missed: left, top, right and bottom of a rough box around it, in pixels. May be repeated; "
        "such faces are numbered after those that are found.",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="OUT", help="Folder for the results (or a file, for one photo).", parser=as_written
    ),
]
Weights = Annotated[str | None, typer.Option(metavar="ID", help="Which weights (see `weights list`).")]
Seed = Annotated[int, typer.Option(min=0, max=LARGEST, help="Fixes all randomness.")]
FACES = "Which faces, counted from 0, which is the largest; in reports and messages that one is face 1."
Faces = Annotated[str, typer.Option(metavar="all|largest|0,2", help=FACES)]
METADATA = "What a written file keeps of the photo's metadata: everything; how it was exposed; nothing."
Device = Annotated[str, typer.Option(help="What computes: auto, cpu, cuda or mps.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Report = Annotated[Path | None, typer.Option(metavar="FILE.jsonl", help="Write one JSON object a photo to this file.")]
Far = Annotated[float, typer.Option(min=1e-6, max=0.5, help='False accept rate at which a verdict says "same person".')]
Judges = Annotated[
    str,
    typer.Option(
        metavar="all|starter",
        help="Which recognisers judge: all that are calibrated, yours among them, or those that come with Face Studio.",
    ),
]
