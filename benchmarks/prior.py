"""How good the faces are that the prior draws: real-looking, varied, somebody new, and the person who was asked for.

    python benchmarks/prior.py --root ../shared [--samples 500] [--people 40] [--sheets benchmark-output/prior]

Prints Markdown tables. The Frechet distance and k-NN precision and recall are measured in the space of starter-embedder-c's
embeddings before they are made unit vectors, 512 numbers of a face that is cut out by the crop's template points (no detector,
so that framing counts): |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). The floor is that distance between two halves of the real
faces. "Detected" asks for a face whose five landmarks lie, on average, within a quarter of the eyes' distance of where real
faces have them. Likeness is judged by embedders B and C, which the prior does not listen to, and by the
MS1M teacher, from which the one that it listens to has learned.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.features import FEATURES, embeddings
from benchmarks.sheets import sheet, write
from facestudio import checkpoints, device
from facestudio.faces.calibration import threshold_at
from facestudio.faces.face import Face
from facestudio.generating import Commission
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.training import data, teachers
from facestudio.training.metrics import frechet
from facestudio.whom import Anybody

PRIOR, JUDGE = "starter-prior", "starter-embedder-b"
NEAR = 0.25  # of the eyes' distance
NEIGHBOURS = 3
LIKENESS = ((2.0, 0.0), (2.0, 1.0), (2.0, 0.5), (3.0, 1.0))  # guidance, and how far a face is led nearer


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(np.clip(squares, 0, None))


def covered(points: np.ndarray, by: np.ndarray) -> float:
    """The share of `points` that lie within the k-NN ball of some point of `by` (Kynkaanniemi et al., NeurIPS 2019)."""
    radii = np.sort(distances(by, by), axis=1)[:, NEIGHBOURS]
    return float((distances(points, by) <= radii).any(1).mean())


def well_detected(studio: Studio, faces: np.ndarray, usual: np.ndarray) -> list[Face | None]:
    """The face of each picture whose landmarks are near the `usual` ones, else None."""
    found: list[Face | None] = []
    eyes = np.linalg.norm(usual[1] - usual[0])
    for pixels in faces:
        face = next(iter(studio.detect(Photo.from_pixels(pixels))), None)
        off = np.inf if face is None else np.linalg.norm(face.landmarks - usual, axis=1).mean() / eyes
        found.append(face if off <= NEAR else None)
    return found


def drawn(studio: Studio, count: int, source: Any = None, seed: int = 0, **options: Any) -> np.ndarray:
    anybody = Anybody() if source is None else None  # the prior alone, not people of the identity space
    gallery = studio.generate(Recipe(PRIOR, "arc2face", options, seed, person=anybody), Commission(count, source))
    return np.stack([portrait.photo.pixels for portrait in gallery.portraits])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--samples", type=int, default=500, help="pictures of nobody; 0 measures likeness alone")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--sheets", type=Path)
    arguments = parser.parse_args()
    say = Console(soft_wrap=True, highlight=False).print
    studio = Studio()
    faces = data.faces256(arguments.root / "faces", arguments.cache)
    training, validation = data.split(faces.identity)
    landmarks = data.landmarks5(faces.rows)
    usual = landmarks[training].mean(0)
    studio.prepare(PRIOR)

    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    say(f"{datetime.date.today()}, {commit.stdout.strip()}, {device.describe(device.resolve('auto'))}")
    if arguments.samples:
        of_nobody(studio, faces, training, validation, usual, arguments, say)
    of_people(studio, faces, validation, landmarks, usual, arguments, say)


def of_nobody(
    studio: Studio,
    faces: Any,
    training: np.ndarray,
    validation: np.ndarray,
    usual: np.ndarray,
    arguments: Any,
    say: Any,
) -> None:
    """How good pictures of nobody are, and whether they are somebody."""
    began = time.perf_counter()
    eight = drawn(studio, 8)
    seconds = time.perf_counter() - began
    samples = np.concatenate([eight, drawn(studio, arguments.samples - 8, seed=8)])
    say(f"\n| of {len(samples)} pictures of nobody | |\n|---|---|")
    say(f"| eight pictures with default options | {seconds:.1f} s |")
    found = well_detected(studio, samples, usual)
    say(f"| detected | {np.mean([face is not None for face in found]):.3f} |")

    random = np.random.default_rng(0)
    real = np.asarray(
        faces.pixels[np.sort(random.choice(training, min(2 * len(samples), len(training)), replace=False))]
    )
    of_real, of_made = (embeddings(studio, FEATURES, x) for x in (real, samples))
    halves = random.permutation(len(of_real))
    one, other = of_real[halves[: len(halves) // 2]], of_real[halves[len(halves) // 2 :]]
    say(f"| Frechet distance to {len(real)} training faces | {frechet(of_made, of_real):.1f} |")
    say(f"| the same of two halves of those faces | {frechet(one, other):.1f} |")
    say(f"| precision / recall | {covered(of_made, of_real):.3f} / {covered(of_real, of_made):.3f} |")

    entry = checkpoints.checkpoint(JUDGE)
    who = unit(embeddings(studio, JUDGE, samples))
    pairs = (who @ who.T)[np.triu_indices(len(who), 1)]
    say(
        f"| pairs above {JUDGE}'s threshold at FAR 1e-3 | {np.mean(pairs >= threshold_at(entry.calibration, 1e-3)):.4f} |"
    )
    known = unit(embeddings(studio, JUDGE, np.asarray(faces.pixels[training])))
    nearest = who @ known.T
    copies = nearest.max(1) >= threshold_at(entry.calibration, 1e-4)
    say(f"| above its threshold at FAR 1e-4 with one of {len(training)} training faces | {copies.mean():.4f} |")
    strangers = unit(embeddings(studio, JUDGE, np.asarray(faces.pixels[validation])))
    above = (strangers @ known.T).max(1) >= threshold_at(entry.calibration, 1e-4)
    say(f"| the same of {len(validation)} real faces of people who are not among them | {above.mean():.4f} |")
    if arguments.sheets:
        write(arguments.sheets / "nobody.png", sheet(samples[:64], 8))
        beside = np.stack(
            [np.hstack([a, faces.pixels[training[i]]]) for a, i in zip(samples, nearest.argmax(1), strict=True)]
        )
        write(arguments.sheets / "nearest.png", sheet(beside[:64], 4))


def of_people(
    studio: Studio,
    faces: Any,
    validation: np.ndarray,
    landmarks: np.ndarray,
    usual: np.ndarray,
    arguments: Any,
    say: Any,
) -> None:
    """How alike pictures of held-out people are, by who took no part, for the settings of LIKENESS."""
    wild = [i for i in validation if faces.rows[i]["source"] == "celeba_wild"]
    people = {str(faces.identity[i]): i for i in wild}
    chosen = list(people.values())[: arguments.people]
    teacher = teachers.Ms1m(arguments.root / "teachers")
    say("\n| guidance | nearer | detected | B | C | MS1M teacher |\n|---|---|---|---|---|---|")
    for guidance, nearer in LIKENESS:
        cosines: dict[str, list[float]] = {}
        made, good = [], []
        for number, index in enumerate(chosen):
            photo = Photo.from_pixels(np.asarray(faces.pixels[index]))
            face = Face(np.array([60, 60, 200, 220], float), landmarks[index], 1.0)
            portraits = drawn(studio, arguments.each, (photo, face), 1000 * number, guidance=guidance, nearer=nearer)
            made.append(np.concatenate([photo.pixels[None], portraits]))
            seen = well_detected(studio, portraits, usual)
            good += [one is not None for one in seen]
            for pixels, one in zip(portraits, seen, strict=True):
                if one is None:
                    continue
                for embedder in studio._embedders()[1:]:
                    a, b = embedder.embed(photo.pixels, face.landmarks), embedder.embed(pixels, one.landmarks)
                    cosines.setdefault(embedder.id, []).append(float(a.embedding @ b.embedding))
                both, points = np.stack([photo.pixels, pixels]), np.stack([face.landmarks, one.landmarks])
                a, b = teacher.embed_faces(both, points)
                cosines.setdefault("teacher", []).append(float(a @ b))
        columns = [f"{np.mean(values):.3f}" for values in cosines.values()]
        say(f"| {guidance:g} | {nearer:g} | {np.mean(good):.3f} | {' | '.join(columns)} |")
        if arguments.sheets:
            write(
                arguments.sheets / f"people-{guidance:g}-{nearer:g}.png",
                sheet(np.concatenate(made), 1 + arguments.each),
            )


if __name__ == "__main__":
    main()
