"""How strong blur, squares and a block must be until no recogniser knows the face: `python benchmarks/obscuring.py`.

The faces are drawn by our own prior, so that nobody is in them, and the public-domain portrait of scikit-image. Each is hidden
once by each strength, without second tries, and judged in the finished photo. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from facestudio.anonymizing import UNSURE
from facestudio.checkpoints import checkpoint
from facestudio.device import processor
from facestudio.faces.align import align
from facestudio.faces.face import Face
from facestudio.faces.paste import paste
from facestudio.faces.verifying import PHOTO, Verifier
from facestudio.generating import Commission
from facestudio.methods.base import load_method
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.studio import Studio

STRENGTHS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("blur", {"radius": float(radius)}) for radius in (2, 4, 6, 8, 10, 14, 20, 30, 45)),
    *(("pixelate", {"blocks": blocks}) for blocks in (24, 16, 12, 8, 6, 4, 3, 2)),
    *(("solid", {"colour": colour}) for colour in ("black", "grey", "white")),
    ("solid", {"area": "head"}),
)


def faces(studio: Studio, count: int) -> list[tuple[Photo, Face]]:
    """Photos with one face each: the portrait, and `count` drawn ones."""
    from skimage.data import astronaut

    drawn = studio.generate(Recipe("starter-prior", "arc2face", {}, 0), Commission(count)).portraits
    photos = [Photo.from_pixels(astronaut()), *(portrait.photo for portrait in drawn)]
    return [(photo, found[0]) for photo in photos if (found := studio.detect(photo))]


def measure(studio: Studio, subjects: list[tuple[Photo, Face]]) -> list[str]:
    """One row of the table for each strength."""
    judges, panel, progress = studio._embedders(), studio._panel(), Progress()
    verifiers = [Verifier(photo.pixels, {0: face}, judges, panel, 1e-3, progress) for photo, face in subjects]
    rows = []
    for name, chosen in STRENGTHS:
        method = load_method(checkpoint(name), "cpu")
        options = method.Options(**chosen)
        cosines, words, quality, found = [], [], [], 0
        for (photo, face), verifier in zip(subjects, verifiers, strict=True):
            made = method(align(photo, face, method.template), options, progress, 0)
            after = paste(photo, made, mask=method.mask(options))
            said = verifier.look(after.pixels, {0: face.landmarks}, progress)[0]
            cosines.append([said[judge.id].cosine for judge in judges])
            finding = verifier.finding(0, {PHOTO: said})
            known = {one.words for one in said.values()}
            words.append("same person" if "same person" in known else "changed" if finding.changed else "uncertain")
            quality.append(verifier.quality(after.pixels, {0: face.landmarks}, progress)[0])
            found += bool(studio._detector().detect(after, minimum_score=UNSURE))
        strength = ", ".join(
            f"{key} {value:g}" if key != "colour" and key != "area" else str(value) for key, value in chosen.items()
        )
        means = " | ".join(f"{value:.2f}" for value in np.mean(cosines, axis=0))
        counts = " | ".join(str(words.count(word)) for word in ("same person", "uncertain", "changed"))
        rows.append(f"| {name} | {strength} | {counts} | {means} | {np.mean(quality):.2f} | {found} |")
    return rows


def main() -> None:
    """Print the table and where it was made."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=24, help="faces that are drawn")
    count = parser.parse_args().count
    studio = Studio("cpu")
    subjects = faces(studio, count)
    root = Path(__file__).resolve().parent.parent
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=root, check=True
    )
    out = [
        f"{len(subjects)} faces; {processor()}; {datetime.date.today()}; commit {commit.stdout.strip()}",
        "",
        "| method | strength | some judge: same person | else uncertain | all: changed | A | B | C | recognisable | found |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *measure(studio, subjects),
    ]
    sys.stdout.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
