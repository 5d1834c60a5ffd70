"""Small faces of groups that nobody worked on: how many are pointed out, and what is pointed out that is no face.

    python benchmarks/overlooked.py --root ../shared

Prints Markdown tables. Held-out aligned faces are reduced to a width and put side by side into a photo of 640 x 480, as they
are and damaged in two ways; faces from `FOUND` on are taken for worked on and painted over. Held-out photos, as they are and
enlarged, show what is pointed out in them; which of that is a real face without a label is for a person to see.
"""

from __future__ import annotations

import argparse
import datetime
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console

from benchmarks.speed import commit, processor
from facestudio.anonymizing import FOUND, UNSURE
from facestudio.faces.detect import Detector
from facestudio.faces.face import Face
from facestudio.faces.overlooked import overlooked
from facestudio.progress import Progress
from facestudio.studio import Studio
from facestudio.training import data, grid
from facestudio.training.recipes.detector import Recipe

WIDTHS, SIZE, COUNT, MOSAICS = (10, 12, 14, 16, 20, 24), (640, 480), 30, 3
DAMAGES = {"JPEG 88": (0.0, 88), "blur 1, JPEG 40": (1.0, 40), "blur 1.6, JPEG 40": (1.6, 40)}
ALIGNED = 0.54  # width of a face in an aligned crop, by the crop's
ENLARGED = (1.0, 3.0)


def mosaic(faces: np.ndarray, width: int, seed: int, blur: float, quality: int) -> tuple[np.ndarray, np.ndarray]:
    """A photo of COUNT of `faces` (N, 256, 256, 3), `width` px wide, on a smooth ground, and their boxes (COUNT, 4)."""
    random, side = np.random.default_rng(seed), round(width / ALIGNED)
    ground = random.uniform(40, 210, (6, 8, 3)).astype(np.float32)
    canvas, boxes = cv2.resize(ground, SIZE, interpolation=cv2.INTER_CUBIC), []
    across = min((SIZE[0] - 40) // (side + 4), 10)
    down = max((SIZE[1] - 40) * across // COUNT, side + 3)
    reach = np.abs(np.linspace(-1, 1, side))
    alpha = np.clip((1.08 - np.maximum(reach[:, None], reach)) / 0.16, 0, 1)[..., None]
    for n in range(COUNT):
        row, column = divmod(n, across)
        x, y = 20 + column * (SIZE[0] - 40) // across, 20 + row * down
        if y + side > SIZE[1]:
            break
        small = cv2.resize(faces[(97 * seed + n) % len(faces)], (side, side), interpolation=cv2.INTER_AREA)
        part = canvas[y : y + side, x : x + side]
        part += (small - part) * alpha
        boxes.append(np.array([x, y, x, y]) + side * np.array([0.23, 0.22, 0.77, 0.92]))
    if blur:
        canvas = cv2.GaussianBlur(canvas, (0, 0), blur)
    noisy = np.clip(canvas + random.normal(0, 2, canvas.shape), 0, 255).astype(np.uint8)
    written = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR)), np.array(boxes)


def pointed_out(detector: Detector, pixels: np.ndarray) -> tuple[list[Face], list[Face], list[Face], float, float]:
    """Faces worked on; pointed out by the survey, and by the second look; CPU seconds of both."""
    known = list(detector.detect(pixels, None, FOUND))
    after = pixels.copy()
    for face in known:
        margin = 0.15 * (face.box[2] - face.box[0])
        (left, top), (right, bottom) = (face.box[:2] - margin).astype(int), (face.box[2:] + margin).astype(int)
        cv2.rectangle(after, (int(left), int(top)), (int(right), int(bottom)), (0, 0, 0), -1)
    began = time.process_time()
    found, glimpses = detector.survey(after, None, UNSURE)
    between = time.process_time()
    again = list(overlooked(after, glimpses, [*known, *found], detector, Progress()))
    first = [face for face in found if not any(inside(face.box, one.box) for one in known)]
    return known, first, again, between - began, time.process_time() - between


def inside(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether half of the smaller of two boxes (4,) lies in the other."""
    common = np.prod(np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None))
    return bool(common >= 0.5 * min(np.prod(one[2:] - one[:2]), np.prod(other[2:] - other[:2])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--most", type=int, default=60, help="photos of each kind")
    asked = parser.parse_args()
    detector, console = Studio("cpu")._detector(), Console(width=200, soft_wrap=True, highlight=False, markup=False)
    console.print(f"{processor()}; {datetime.date.today()}; commit {commit()}\n")
    faces = data.faces256(asked.root / "faces", asked.cache)
    pixels = np.stack([faces.pixels[i] for i in grid.held_out_faces(faces, 160)]).astype(np.float32)
    console.print(
        "| px wide | damage | faces | not worked on | pointed out before | now | no face |\n|---|---|---|---|---|---|---|"
    )
    for width in WIDTHS:
        for damage, (blur, quality) in DAMAGES.items():
            total = np.zeros(5, int)
            for seed in range(MOSAICS):
                photo, boxes = mosaic(pixels, width, seed, blur, quality)
                known, first, again, _, _ = pointed_out(detector, photo)
                left = [box for box in boxes if not any(inside(face.box, box) for face in known)]
                hits = [[any(inside(f.box, box) for f in some) for box in left] for some in (first, [*first, *again])]
                false = sum(not any(inside(f.box, box) for box in boxes) for f in again)
                total += np.array([len(boxes), len(left), sum(hits[0]), sum(hits[1]), false])
            console.print(f"| {width} | {damage} | {' | '.join(map(str, total))} |")
    recipe = Recipe(asked.root, asked.cache)
    console.print(
        f"\n| enlarged | photos | by the survey | by the second look | in photos | CPU s | more |\n|{'---|' * 7}"
    )
    for times in ENLARGED:
        rows = []
        for i in recipe.validation[: asked.most]:
            photo = cv2.resize(recipe.pixels[i], None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
            boxes = (recipe.photos[i].boxes + 0.5) * times - 0.5
            _, first, again, before, more = pointed_out(detector, photo)
            new = [sum(not any(inside(f.box, box) for box in boxes) for f in some) for some in (first, again)]
            rows.append((*new, new[1] > 0, before, more))
        some = np.array(rows, dtype=float)
        seconds = " | ".join(f"{x:.3f}" for x in np.median(some[:, 3:], axis=0))
        console.print(
            f"| {times:g} | {len(some)} | {' | '.join(str(int(x)) for x in some[:, :3].sum(0))} | {seconds} |"
        )


if __name__ == "__main__":
    main()
