"""How a method that changes a person does on held-out faces.

    python benchmarks/anonymizing.py --root ../shared [--method starter-redraw] [--faces 24] [--options change=1.0] [--sheet FILE]

Each face is a photo of its own, FFHQ-framed at 256 px, and goes through the whole of `Studio.anonymize`, with tries and
fallback; all photos are those of one run, so that new faces are kept apart. The cosines are the MS1M teacher's, at the labelled
landmarks of the original, and once more at those that the product finds in it, as some labels are wrong; it takes no part in
drawing or verifying; landmarks are the landmark teacher's. Prints a Markdown table; `--sheet` writes originals beside results,
which are never committed.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from benchmarks.restoring import combinations, parsed
from benchmarks.sheets import sheet, write
from benchmarks.speed import commit, processor
from facestudio import checkpoints
from facestudio.casting import Cast
from facestudio.faces.pose import pose_of_68
from facestudio.methods.base import method_name
from facestudio.newcomers import Newcomers
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.training import data, grid, teachers
from facestudio.training.oracles import impostor_threshold

FAR = 1e-3
STATUSES = ("verified", "fallback", "needs review", "failed")


def stranger_threshold(judge: teachers.Ms1m, faces: data.Faces, count: int = 1500) -> float:
    """The cosine that one pair of different training people in a thousand reaches, all of them photographed as the held-out
    ones are: children and made faces are more alike to it, and would make the threshold lenient."""
    training, _ = data.split(faces.identity)
    wild = np.array([place for place in training if faces.rows[place]["source"] == grid.SOURCE])
    some = np.random.default_rng(0).permutation(wild)[:count]
    known = judge.embed_faces(np.stack([faces.pixels[i] for i in some]), data.landmarks5([faces.rows[i] for i in some]))
    return impostor_threshold(torch.from_numpy(known), faces.identity[some], FAR)


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
    made, outcomes, tries, seen, pushed = [], [], [], [], 0
    newcomers = Newcomers()
    began = time.perf_counter()
    for pixels in clean:
        photo = Photo.from_pixels(pixels)
        detected = studio.detect(photo, unsure=True)
        result = studio.anonymize(photo, detected, recipe, cast=Cast(newcomers=newcomers))
        newcomers.add(photo.content_hash, result.newcomers)
        seen.append(detected[0].landmarks.astype(np.float32))
        outcomes.append(result.faces[0].status)
        tries.append(len(result.faces[0].tries))
        pushed += outcomes[-1] == "verified" and result.faces[0].tries[-1].options.get("guide", 0) > 0
        made.append(result.after.pixels)
    seconds = (time.perf_counter() - began) / len(clean)
    found = sum(bool(studio.detect(Photo.from_pixels(pixels))) for pixels in made)
    judge, points = teachers.Ms1m(asked.root / "teachers"), data.landmarks5([faces.rows[i] for i in chosen])
    changed, before = judge.embed_faces(np.stack(made), points), judge.embed_faces(clean, points)
    cosines = (changed * before).sum(1)
    at_found = [judge.embed_faces(images, np.stack(seen)) for images in (np.stack(made), clean)]
    found_cosines = (at_found[0] * at_found[1]).sum(1)
    threshold = stranger_threshold(judge, faces)
    verified = np.array([one == "verified" for one in outcomes])
    new = changed[verified]
    pairs = (new @ new.T)[np.triu_indices(len(new), 1)]
    finder = teachers.Pfld(asked.root / "teachers")
    points68 = [finder(np.stack(images)) for images in (clean, made)]
    eyes = np.linalg.norm(points68[0][:, 36:42].mean(1) - points68[0][:, 42:48].mean(1), axis=1)
    shift = np.linalg.norm(points68[1] - points68[0], axis=2).mean(1) / eyes
    turned = np.abs(np.stack([pose_of_68(b) - pose_of_68(a) for a, b in zip(*points68, strict=True)]))
    console = Console(width=200, soft_wrap=True)
    console.print(
        f"{processor()}; {datetime.date.today()}; commit {commit()}; {len(clean)} held-out faces", markup=False
    )
    console.print(f"\n| {entry.id} | |\n|---|---|", markup=False)
    for name in STATUSES:
        console.print(f"| {name} | {Counter(outcomes)[name]} |", markup=False)
    console.print(f"| verified, but only pushed away | {pushed} |", markup=False)
    known = cosines >= threshold
    console.print(f"| still the same person to the teacher at FAR 1e-3 ({threshold:.3f}), all | {known.mean():.4f} |")
    console.print(f"| the same of those verified | {known[verified].mean():.4f} |", markup=False)
    anew = (found_cosines >= threshold).mean()
    console.print(f"| all, at the landmarks that are found | {anew:.4f} |", markup=False)
    highest = f"{found_cosines.mean():.3f} / {found_cosines.max():.3f}"
    console.print(f"| cosine at these, mean / highest | {highest} |", markup=False)
    console.print(
        f"| pairs of new faces that it takes for one person | {np.mean(pairs >= threshold):.4f} |", markup=False
    )
    many = f"{(pairs >= threshold).sum()} of {len(pairs)}; {pairs.mean():.3f} / {pairs.max():.3f}"
    console.print(f"| how many these are; cosine of pairs, mean / highest | {many} |", markup=False)
    console.print(
        f"| landmarks move, in distances of the eyes, verified | {shift[verified].mean():.3f} |", markup=False
    )
    degrees = " / ".join(f"{value:.1f}" for value in turned[verified].mean(0))
    console.print(f"| yaw / pitch / roll change by, degrees | {degrees} |", markup=False)
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
