"""Faces behind a mask and dark glasses: how many are worked on or pointed out, and what is pointed out that is no face.

    python benchmarks/disguises.py --root ../shared

Prints a Markdown table. Held-out photos, as they are and with a mask, dark glasses or both painted on each face where its five
landmarks are. The colours of the masks are drawn; those of the last row are black.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console

from benchmarks.overlooked import inside
from benchmarks.speed import commit, processor
from facestudio.anonymizing import FOUND, UNSURE
from facestudio.faces.overlooked import half_hidden
from facestudio.progress import Progress
from facestudio.studio import Studio

COLOURS = ((150, 190, 215), (235, 235, 235), (30, 30, 34))
DARK, BLACK = (22, 20, 24), (30, 30, 34)
KINDS = {  # mask, glasses, and its colour if that is not drawn
    "as they are": (False, False, None),
    "mask": (True, False, None),
    "dark glasses": (False, True, None),
    "mask and dark glasses": (True, True, None),
    "black mask and dark glasses": (True, True, BLACK),
}
EYES = 12.0  # px between the eyes: smaller faces do not count
# outline of a mask and its folds, from the middle of the eyes: x by the eyes' distance, y by that of eyes and mouth
OUTLINE = (
    *((-1.05, 0.30), (-0.45, 0.48), (0, 0.38), (0.45, 0.48), (1.05, 0.30)),
    *((1.0, 1.05), (0.62, 1.55), (0, 1.75), (-0.62, 1.55), (-1.0, 1.05)),
)
FOLDS = (0.75, 1.0, 1.25)


def disguised(
    pixels: np.ndarray, landmarks: np.ndarray, mask: bool, glasses: bool, colour: Sequence[int] = COLOURS[0]
) -> np.ndarray:
    """`pixels` (H, W, 3) uint8 RGB with a mask of that colour, dark glasses, or both on the face with five `landmarks` (5, 2)."""
    out = pixels.copy()
    left, right, _, *corners = np.asarray(landmarks, float)
    middle, mouth = (left + right) / 2, (corners[0] + corners[1]) / 2
    unit = float(np.linalg.norm(right - left))
    across = (right - left) / unit
    down = np.array([-across[1], across[0]])
    down *= np.sign(down @ (mouth - middle)) or 1.0
    tall = max(float((mouth - middle) @ down), 0.5 * unit)

    def at(x: float, y: float) -> tuple[int, int]:
        """In sixteenths of a pixel."""
        point = np.rint(16 * (middle + across * x * unit + down * y * tall)).astype(int)
        return int(point[0]), int(point[1])

    def line(a: tuple[int, int], b: tuple[int, int], of: Sequence[int], wide: float) -> None:
        cv2.line(out, a, b, tuple(of), max(1, int(wide * unit)), cv2.LINE_AA, 4)

    if mask:
        cv2.fillPoly(out, [np.array([at(*point) for point in OUTLINE], np.int32)], tuple(colour), cv2.LINE_AA, 4)
        for fold in FOLDS:
            line(at(-0.9, fold), at(0.9, fold), [int(0.82 * c) for c in colour], 0.03)
        for side in (-1, 1):
            line(at(side, 0.4), at(1.35 * side, 0.1), colour, 0.05)
    if glasses:
        turn = float(np.degrees(np.arctan2(across[1], across[0])))
        axes = (int(0.40 * unit * 16), int(0.33 * unit * 16))
        for side in (-1, 1):
            cv2.ellipse(out, at(0.5 * side, 0.05), axes, turn, 0, 360, DARK, -1, cv2.LINE_AA, 4)
            line(at(0.5 * side, 0), at(1.15 * side, -0.05), DARK, 0.07)
        line(at(-0.5, 0), at(0.5, 0), DARK, 0.08)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--most", type=int, default=1000, help="photos of each kind")
    asked = parser.parse_args()
    from facestudio.training.recipes.detector import Recipe

    detector, console = Studio("cpu")._detector(), Console(width=200, soft_wrap=True, highlight=False, markup=False)
    recipe = Recipe(asked.root, asked.cache)
    console.print(f"{processor()}; {datetime.date.today()}; commit {commit()}\n")
    console.print(
        "| painted | photos | faces | worked on | pointed out before | now | no face before | now | in photos |"
    )
    console.print(f"|{'---|' * 9}")
    for kind, (mask, glasses, fixed) in KINDS.items():
        random, total = np.random.default_rng(3), np.zeros(8, int)
        for i in recipe.validation[: asked.most]:
            pixels, label = np.asarray(recipe.pixels[i]), recipe.photos[i]
            for points in label.points:
                colour = fixed or COLOURS[int(random.integers(len(COLOURS)))]
                pixels = disguised(pixels, points, mask, glasses, colour)
            found, glimpses = detector.survey(pixels, None, UNSURE)
            more = half_hidden(pixels, glimpses, found, detector, Progress())
            worked_on = [face for face in found if face.score >= FOUND]
            apart = np.linalg.norm(label.points[:, 1] - label.points[:, 0], axis=1)
            faces = [
                box for box, eyes, sure in zip(label.boxes, apart, label.sure, strict=True) if sure and eyes >= EYES
            ]
            hits = [
                sum(any(inside(face.box, box) for face in some) for box in faces)
                for some in (worked_on, found, (*found, *more))
            ]
            wrong = [
                sum(not any(inside(face.box, box) for box in label.boxes) for face in some)
                for some in ([face for face in found if face.score < FOUND], more)
            ]
            total += (1, len(faces), hits[0], hits[1] - hits[0], hits[2] - hits[0], wrong[0], sum(wrong), wrong[1] > 0)
        console.print(f"| {kind} | {' | '.join(map(str, total))} |")


if __name__ == "__main__":
    main()
