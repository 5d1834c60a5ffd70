"""How a method that changes a person does on held-out faces.

    python benchmarks/anonymizing.py --root ../shared [--method starter-redraw] [--faces 24] [--options change=1.0] [--sheet FILE]

Each face is a photo of its own, FFHQ-framed at 256 px, and goes through the whole of `Studio.anonymize`, with tries and
fallback. The cosines are the MS1M teacher's, at the labelled landmarks of the original; it takes no part in drawing or
verifying. Prints a Markdown table; `--sheet` writes originals beside results, which are never committed.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.restoring import combinations, parsed
from benchmarks.sheets import sheet, write
from benchmarks.speed import commit, processor
from facestudio import checkpoints
from facestudio.methods.base import method_name
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.training import data, grid, teachers

STATUSES = ("verified", "fallback", "needs review", "failed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--method", default="starter-redraw", help="id of the checkpoint")
    parser.add_argument("--faces", type=int, default=24)
    parser.add_argument("--options", nargs="*", default=[], metavar="NAME=VALUE", help="of the method")
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    studio = Studio()
    entry = checkpoints.checkpoint(asked.method)
    (told,) = combinations([parsed(asked.options)], {one.name: one for one in studio.options_for(entry.id)})
    recipe = Recipe(entry.id, method_name(entry), told)
    studio.prepare(entry.id)
    faces = data.faces256(asked.root / "faces", asked.cache)
    chosen = grid.held_out_faces(faces, asked.faces)
    clean = np.stack([faces.pixels[i] for i in chosen])
    made, statuses, tries = [], Counter[str](), []
    began = time.perf_counter()
    for pixels in clean:
        photo = Photo.from_pixels(pixels)
        result = studio.anonymize(photo, studio.detect(photo, unsure=True), recipe)
        statuses[result.faces[0].status] += 1
        tries.append(len(result.faces[0].tries))
        made.append(result.after.pixels)
    seconds = (time.perf_counter() - began) / len(clean)
    found = sum(bool(studio.detect(Photo.from_pixels(pixels))) for pixels in made)
    judge, points = teachers.Ms1m(asked.root / "teachers"), data.landmarks5([faces.rows[i] for i in chosen])
    cosines = (judge.embed_faces(np.stack(made), points) * judge.embed_faces(clean, points)).sum(1)
    console = Console(width=200, soft_wrap=True)
    console.print(
        f"{processor()}; {datetime.date.today()}; commit {commit()}; {len(clean)} held-out faces", markup=False
    )
    console.print(f"\n| {entry.id} | |\n|---|---|", markup=False)
    for name in STATUSES:
        console.print(f"| {name} | {statuses[name]} |", markup=False)
    console.print(f"| tries a face | {np.mean(tries):.1f} |", markup=False)
    console.print(f"| a face is found in the result | {found} |", markup=False)
    console.print(
        f"| cosine to the original, mean / highest | {cosines.mean():.3f} / {cosines.max():.3f} |", markup=False
    )
    console.print(f"| seconds a photo | {seconds:.1f} |", markup=False)
    if asked.sheet:
        pairs = [one for pair in zip(clean, made, strict=True) for one in pair]
        write(asked.sheet, sheet(np.stack(pairs), 8))


if __name__ == "__main__":
    main()
