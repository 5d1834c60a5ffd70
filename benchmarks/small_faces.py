"""Small faces of large photos: how many are found, and what the tiles cost in time and in false faces.

    python benchmarks/small_faces.py --root ../shared

Prints Markdown tables. Uses held-out photos of the training data: reduced until the face has a given width, damaged as a bad
camera would and put side by side into 12 megapixels (what is found), and enlarged six times to some nine megapixels (what is
found there that is no face).
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console

from facestudio import device
from facestudio.faces import detect
from facestudio.faces.looks import Look, looks_at
from facestudio.studio import Studio
from facestudio.training.recipes.detector import Labelled, Recipe, evaluate, plain_overlaps

SIZE, CELL = (4000, 3000), 320
WIDTHS = (20, 24, 30, 40, 60)
ENLARGED = 6.0
Scene = tuple[np.ndarray, Labelled]


def crowd(photos: list[Scene], width: float) -> Scene:
    """A photo of 12 megapixels of CELL px squares, each with one photo, its largest face `width` px wide, damaged."""
    across, down = SIZE[0] // CELL, SIZE[1] // CELL
    canvas = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    boxes = []
    for place, (pixels, label) in enumerate(photos[: across * down]):
        left, top = CELL * (place % across), CELL * (place // across)
        n = int(np.prod(label.boxes[:, 2:] - label.boxes[:, :2], axis=1).argmax())
        scale = width / float(label.boxes[n, 2] - label.boxes[n, 0])
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        photo = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=way)[:CELL, :CELL]
        box = (label.boxes[n] + 0.5) * scale - 0.5
        cell = np.full((CELL, CELL, 3), 128, np.uint8)
        cell[: photo.shape[0], : photo.shape[1]] = photo
        canvas[top : top + CELL, left : left + CELL] = Recipe.weathered(cell, np.random.default_rng(place))
        if label.sure[n] and box[2:].max() < CELL:
            boxes.append(box + np.tile((left, top), 2))
    return canvas, replace(photos[0][1], boxes=np.array(boxes))


def enlarged(pixels: np.ndarray, label: Labelled) -> Scene:
    """The photo and its labels, ENLARGED times larger."""
    big = cv2.resize(pixels, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
    boxes, points = ((values + 0.5) * ENLARGED - 0.5 for values in (label.boxes, label.points))
    return big, replace(label, boxes=boxes, points=points)


def whole_only(width: int, height: int) -> list[Look]:
    """The looks without tiles, as they were before there were any."""
    return [look for look in looks_at(width, height) if look.whole]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--most", type=int, default=120, help="photos of each kind")
    arguments = parser.parse_args()
    recipe = Recipe(arguments.root, arguments.cache)
    photos = [(recipe.pixels[i], recipe.photos[i]) for i in recipe.validation[: arguments.most]]
    detector = Studio("cpu")._detector()
    out = Console(soft_wrap=True, highlight=False, markup=False)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    out.print(
        f"{device.describe('cpu')}; torch {torch.__version__}; {datetime.date.today()}; commit {commit.strip()}\n"
    )
    kinds = {"with tiles": looks_at, "without": whole_only}
    out.print(f"| face, px wide | faces | {' | '.join(kinds)} |\n|---|---|---|---|")
    for width in WIDTHS:
        pixels, label = crowd(photos, width)
        found = []
        for looks in kinds.values():
            detect.looks_at = looks
            faces = detector.detect(pixels)
            hits = [max(plain_overlaps(box, np.array([f.box for f in faces]))) > 0.5 for box in label.boxes]
            found.append(f"{np.mean(hits):.1%}")
        out.print(f"| {width} | {len(label.boxes)} | {' | '.join(found)} |")
    out.print(f"\n| photos enlarged {ENLARGED:g} times | {' | '.join(kinds)} |\n|---|---|---|")
    columns = []
    for looks in kinds.values():
        detect.looks_at = looks
        began = time.process_time()
        figures = evaluate(detector, [enlarged(*photo) for photo in photos], smallest=24 * ENLARGED)
        columns.append(
            {**figures, "CPU seconds a photo, resizing included": (time.process_time() - began) / len(photos)}
        )
    for key in columns[0]:
        out.print(f"| {key} | {' | '.join(f'{column[key]:.4g}' for column in columns)} |")


if __name__ == "__main__":
    main()
