"""What few steps cost: pictures of the same people from the same noise, by DPM-Solver++ and by the consistency model.

    python benchmarks/few_steps.py --root ../shared [--people 96] [--sheet FILE]

Each person of the identity space (seeds 0, 1, ...) is drawn in each way. Measured are the Frechet distance to training faces in
the space of starter-embedder-c (as in benchmarks/prior.py), the cosine to who was asked for (embedder A, which the prior listens
to), that between the picture and the same one in 20 steps (embedder B), how far its pixels are from that one, of 255 levels, and
seconds a picture, looking for the face and measuring it included. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import datetime
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.features import FEATURES, embeddings
from benchmarks.prior import unit
from benchmarks.sheets import sheet, write
from benchmarks.speed import commit, processor
from facestudio.generating import Commission
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.training import data
from facestudio.training.metrics import frechet

PRIOR, JUDGE, LISTENER = "starter-prior", "starter-embedder-b", "starter-embedder-a"
WAYS = (("dpm", 20), ("dpm", 6), ("dpm", 3), ("lcm", 1), ("lcm", 2), ("lcm", 4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--people", type=int, default=96)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    say = Console(soft_wrap=True, highlight=False).print
    studio = Studio()
    faces = data.faces256(asked.root / "faces", asked.cache)
    training, _ = data.split(faces.identity)
    some = np.sort(np.random.default_rng(0).choice(training, min(1000, len(training)), replace=False))
    of_real = embeddings(studio, FEATURES, np.asarray(faces.pixels[some]))
    made: list[np.ndarray] = []
    say(f"{processor()}; {datetime.date.today()}; commit {commit()}; {asked.people} people\n")
    say(
        "| sampler | steps | Frechet distance | face found | asked person (A) | picture in 20 steps (B) | levels apart | s |"
    )
    say("|---|---|---|---|---|---|---|---|")
    for sampler, steps in WAYS:
        options = {"sampler": sampler, "steps": steps}
        began = time.perf_counter()
        gallery = studio.generate(Recipe(PRIOR, "arc2face", options, 0), Commission(asked.people))
        seconds = (time.perf_counter() - began) / asked.people
        pictures = np.stack([portrait.photo.pixels for portrait in gallery.portraits])
        wanted = np.stack([portrait.person.embedding for portrait in gallery.portraits if portrait.person is not None])
        found = np.mean([portrait.face is not None for portrait in gallery.portraits])
        made.append(pictures)
        of_made = [unit(embeddings(studio, JUDGE, some)) for some in (pictures, made[0])]
        alike = (of_made[0] * of_made[1]).sum(1).mean()
        heard = (unit(embeddings(studio, LISTENER, pictures)) * wanted).sum(1).mean()
        apart = np.abs(pictures.astype(float) - made[0]).mean()
        far = frechet(embeddings(studio, FEATURES, pictures), of_real)
        say(
            f"| {sampler} | {steps} | {far:.0f} | {found:.0%} | {heard:.3f} | {alike:.3f} | {apart:.1f} | {seconds:.2f} |"
        )
    if asked.sheet:
        write(asked.sheet, sheet(np.concatenate([pictures[:12] for pictures in made]), 12))


if __name__ == "__main__":
    main()
