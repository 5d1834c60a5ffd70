"""The flags of `generate`: what they are called, what they take and what is said of them.

Apart from the command, which does what they ask for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facestudio.datasets.asking import PER_IDENTITY
from facestudio.faces.sliders import CATALOGUE
from facestudio.generating import MOST
from facestudio.planning import as_written
from facestudio.populating import MOST_PEOPLE, MOST_PICTURES
from facestudio.whom import LARGEST, WIDEST

Output = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="Folder to write the pictures into (for a single picture, a file name works too).",
        parser=as_written,
    ),
]
Count = Annotated[int | None, typer.Option(min=1, max=MOST, help="Number of pictures. Default: 8.", show_default=False)]
Source = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="PHOTO",
        help="Draw the person in this photo. Without it, people who do not exist are drawn.",
    ),
]
FaceNumber = Annotated[
    int, typer.Option(min=0, help="Which face of the --from photo to draw, numbered from 0 (the largest).")
]
PosePicture = Annotated[
    Path | None,
    typer.Option(
        metavar="PICTURE",
        help="Keep the head pose of this normal map (a picture of the head's surface in colours, as EMOCA "
        "renders it). For arc2face with the weights arc2face-controlnet.",
    ),
]
Identities = Annotated[
    int | None,
    typer.Option(
        min=1, max=MOST_PEOPLE, help="Make a dataset of this many people who do not exist, one folder per person."
    ),
]
PerIdentity = Annotated[
    int | None,
    typer.Option(min=1, max=MOST_PICTURES, help=f"Pictures per person of the dataset. Default: {PER_IDENTITY}."),
]
Person = Annotated[
    str | None,
    typer.Option(
        metavar="SEED|PICTURE",
        help=(
            "Show the same person who does not exist in all pictures: the person of this seed, or the one in a "
            "picture made here."
        ),
    ),
]
Freely = Annotated[
    bool,
    typer.Option(
        "--anybody",
        help=(
            "Ask for nobody in particular. Nothing then keeps the faces from resembling people in the training data."
        ),
    ),
]
Walk = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="A B",
        help="Draw the way from one such person (a seed or a picture) to another, in --count pictures.",
    ),
]
Again = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        metavar="PICTURE",
        help="Take the method, options, seed and person from the recipe in this picture, which Face Studio made.",
    ),
]
Vary = Annotated[
    float | None,
    typer.Option(min=0.0, max=WIDEST, help="How much a person's looks vary between pictures. Default: 0."),
]
Slider = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Change one thing about the face, from -1 to 1, such as age=0.6 or yaw=-0.4. May be repeated. "
        f"Sliders: {', '.join(one.id for one in CATALOGUE)}.",
    ),
]
Tries = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100,
        help="How many times to draw a picture of a dataset at most, until it shows its person. Default: 3.",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Draw only this part of the dataset's people, such as 3/8, while other machines draw the other parts.",
    ),
]
Apart = Annotated[
    bool | None,
    typer.Option(
        "--apart/--no-apart",
        help="Replace a person whose pictures look too much like another person's in the dataset. Default: "
        "--apart; a resumed dataset keeps its own setting.",
        show_default=False,
    ),
]
Method = Annotated[str | None, typer.Option(help="Drawing method, such as arc2face.")]
Format = Annotated[str, typer.Option(help="File format of the pictures (png, jpg, webp ...).")]
Seed = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=LARGEST,
        help="Seed of the first picture; each further picture takes the next number. Default: 0.",
        show_default=False,
    ),
]
Extras = Annotated[
    bool,
    typer.Option("--extras", help="Also write the embeddings (.npz) and the recipe (.json) of each picture beside it."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing pictures.")]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Continue a dataset: keep the people who are complete and draw the others."),
]
