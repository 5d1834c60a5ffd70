"""Grain: how much of it stands within and around a restored face, with the photo's laid over it and without, and identity.

    python benchmarks/grain.py --root ../shared [--faces 8] [--methods quick] [--sheet FILE.png]

Prints a Markdown table. Held-out faces are enlarged to 400 px and laid into a photo of 800 px whose background is dark, of middle
brightness or a slope; that is blurred a little and gets grain of a film's kind, two parts of brightness to one of colour.
Level is the deviation of what is finer than 4 px in the plainest quarter of tiles, in levels of 255: around the face, where the
photo is untouched, and in it. Identity is the mean cosine of the judges to the photo before, as Face Studio shows it, and to the
clean face.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from rich.console import Console

from facestudio.faces.face import Face, similarity
from facestudio.faces.regraining import MATCH
from facestudio.faces.tone import LUMA
from facestudio.methods.base import method_name
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.results import Result
from facestudio.studio import Studio
from facestudio.training import data, grid

SIDE, CROP = 800, 400
GRAINS = {"fine": 0.0, "coarse": 1.5}  # px of blur of the grain
SIGMAS = (0, 5, 10, 20)
TILE = 16


@dataclass(frozen=True)
class Laid:
    """A face in a photo: clean, with grain, and where it is."""

    clean: Photo
    grainy: Photo
    face: Face


def laid(crop: np.ndarray, landmarks: np.ndarray, sigma: float, blur: float, place: int) -> Laid:
    """`crop` (256, 256, 3) in a photo of its own, with grain of `sigma` levels that is blurred by `blur` px."""
    at = (SIDE - CROP) // 2
    canvas = np.full((SIDE, SIDE, 3), (30, 90, 0)[place % 3], np.float32)
    if place % 3 == 2:
        canvas += np.linspace(30, 190, SIDE, dtype=np.float32)[:, None, None]
    large = cv2.resize(crop, (CROP, CROP), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    y, x = np.mgrid[:CROP, :CROP] / (CROP - 1) * 2 - 1
    oval = np.clip((1.0 - np.hypot(x, y)) / 0.2, 0, 1).astype(np.float32)[..., None]
    part = canvas[at : at + CROP, at : at + CROP]
    part += oval * (large - part)
    clean = cv2.GaussianBlur(canvas, (0, 0), 1.2)
    noise = film(clean.shape[:2], sigma, blur, place)
    points = (landmarks + 0.5) * (CROP / 256) - 0.5 + at
    low, high = points.min(axis=0), points.max(axis=0)
    face = Face(np.concatenate([low - 60, high + 60]), points, 0.99)
    made = [Photo.from_pixels(np.rint(p).clip(0, 255).astype(np.uint8)) for p in (clean, clean + noise)]
    return Laid(made[0], made[1], face)


def film(size: tuple[int, int], sigma: float, blur: float, seed: int) -> np.ndarray:
    """Grain (H, W, 3) float32 whose brightness deviates by `sigma`."""
    random = np.random.default_rng(seed)
    noise = 2 * random.standard_normal((*size, 1), np.float32) + random.standard_normal((*size, 3), np.float32)
    if blur:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur), np.float32)
    shaped: np.ndarray = noise * (sigma / float((noise @ LUMA).std()))
    return shaped


def level(pixels: np.ndarray, where: np.ndarray) -> float:
    """Deviation of what is fine in the plainest quarter of tiles of `pixels` that lie all in `where`."""
    grey = pixels.astype(np.float32) @ LUMA
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 4)
    found = [
        float(fine[y : y + TILE, x : x + TILE].std())
        for y in range(0, SIDE - TILE, TILE)
        for x in range(0, SIDE - TILE, TILE)
        if where[y : y + TILE, x : x + TILE].all()
    ]
    return float(np.mean(np.sort(found)[: max(len(found) // 4, 1)]))


def parts() -> tuple[np.ndarray, np.ndarray]:
    """Where the face is, and what is around its crop, (H, W) bool each."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    return np.hypot(x / 0.75, y) < 0.3 * CROP, np.maximum(abs(x), abs(y)) > 0.52 * CROP


def identity(studio: Studio, result: Result, clean: Photo) -> tuple[float, float]:
    """The mean cosine of the face after to that before, and to the clean one."""
    (face,) = result.faces
    now, was = studio.identity(result.after, face.face), studio.identity(clean, face.face)
    return (
        float(np.mean(list(face.similarity.values()))),
        float(np.mean([similarity(now[name], was[name]) for name in face.similarity])),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--faces", type=int, default=8)
    parser.add_argument("--methods", nargs="+", default=["quick"])
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args(arguments)
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    studio = Studio("cpu")
    faces = data.faces256(asked.root / "faces", asked.cache)
    places = grid.held_out_faces(faces, asked.faces)
    marks = data.landmarks5([faces.rows[place] for place in places])
    say(
        "| method | grain | level | around | in the face, left off | matched | cosine to before | matched | to clean | matched |"
    )
    say("|---|---|---|---|---|---|---|---|---|---|")
    inside, outside = parts()
    shown = []
    for method in asked.methods:
        entry = next(c for c in studio.checkpoints() if c.method and method_name(c) == method and c.here)
        for kind, blur in GRAINS.items():
            for sigma in SIGMAS:
                rows = []
                for number, place in enumerate(places):
                    one = laid(faces.pixels[place], marks[number], sigma, blur, number)
                    results = [
                        studio.restore(one.grainy, (one.face,), Recipe(entry.id, method, photo_grain=grain))
                        for grain in ("", MATCH)
                    ]
                    rows.append(
                        [level(one.grainy.pixels, outside)]
                        + [level(result.after.pixels, inside) for result in results]
                        + [x for result in results for x in identity(studio, result, one.clean)]
                    )
                    if not sigma and not np.array_equal(results[0].after.pixels, results[1].after.pixels):
                        say(f"Face {number} was changed, though there is no grain.")
                    if sigma and number < 3:
                        shown.append(np.hstack([one.grainy.pixels, *(result.after.pixels for result in results)]))
                around, left, matched, b0, c0, b1, c1 = np.mean(rows, axis=0)
                say(
                    f"| {method} | {kind} | {sigma} | {around:.1f} | {left:.1f} | {matched:.1f} "
                    f"| {b0:.3f} | {b1:.3f} | {c0:.3f} | {c1:.3f} |"
                )
    if asked.sheet:
        Image.fromarray(np.vstack(shown)).save(asked.sheet)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
