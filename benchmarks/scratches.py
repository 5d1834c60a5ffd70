"""Scratches: what is found and mended of those drawn on held-out photos, and what of the clean photos is taken for one.

    python benchmarks/scratches.py --root ../shared [--most 40] [--sheet FILE.png]

Prints a Markdown table. On each photo 5 scratches (straight, bent and jagged, 1 to 4 px wide at 512 px, white or black, more or
less opaque) and 15 specks are drawn. Found is what the mask covers of the pixels that differ by 12 levels or more; right is what
of the mask is within 2 px of such a pixel. The fit of `score_of` has not seen these photos. --sheet draws the clean photo with
what is taken for scratches of it in red, the scratched one, and both strengths' results.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from rich.console import Console

from benchmarks.speed import commit
from facestudio import device
from facestudio.faces.face import Face
from facestudio.mending import CAREFUL, STRONG
from facestudio.mending.mended import mended

LINES, SPECKS = 5, 15
SEEN = 12  # levels
ORDER = 5  # seeds the order of the photos; 100 to 139 of it are those that `score_of` was fitted to
SHEET = 1600  # px wide
POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


def photos_of(root: Path, most: int) -> list[tuple[np.ndarray, tuple[Face, ...]]]:
    """The first `most` photos, and their labelled faces."""
    faces: dict[str, list[Face]] = {}
    with (root / "faces" / "photos.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            x, y, w, h = (float(row[name]) for name in "xywh")
            points = [[float(row[f"{name}_{axis}"]) for axis in "xy"] for name in POINTS]
            faces.setdefault(row["file"], []).append(
                Face(np.array([x, y, x + w, y + h]), np.array(points), float(row["score"]))
            )
    with zipfile.ZipFile(root / "faces" / "photos.zip") as archive:
        names = sorted(archive.namelist())
        chosen = [names[n] for n in np.random.default_rng(ORDER).permutation(len(names))[:most]]
        return [
            (np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")), tuple(faces.get(name, ())))
            for name in chosen
        ]


def scratched(pixels: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`pixels` (H, W, 3) uint8 with drawn damage, and where it is seen, (H, W) bool."""
    height, width = pixels.shape[:2]
    unit = max(height, width) / 512
    photo = pixels.astype(np.float32)
    for _ in range(LINES):
        photo = _laid(photo, _curve(random, height, width, float(random.uniform(1, 4)) * unit), random)
    for _ in range(SPECKS):
        photo = _laid(photo, _speck(random, height, width, float(random.uniform(0.8, 3)) * unit), random)
    after = np.clip(np.rint(photo), 0, 255).astype(np.uint8)
    return after, np.abs(after.astype(np.int16) - pixels).max(axis=2) >= SEEN


def _laid(photo: np.ndarray, cover: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`photo` below something white or black that covers it by `cover`, more or less opaque."""
    tone = random.uniform(215, 255) if random.random() < 0.65 else random.uniform(0, 40)
    tint = np.clip(tone + random.uniform(-8, 8, 3), 0, 255)
    laid: np.ndarray = photo + (tint - photo) * (cover * random.uniform(0.6, 1.0))[..., None]
    return laid


def _curve(random: np.random.Generator, height: int, width: int, thick: float) -> np.ndarray:
    """How much of each pixel a scratch covers, (H, W) float32 0..1: straight, bent, or a jagged crack."""
    length, angle = random.uniform(0.15, 1.0) * max(height, width), random.uniform(0, np.pi)
    kind = random.choice(["straight", "bent", "crack"])
    t, off = np.linspace(-0.5, 0.5, 60), np.zeros(60)
    if kind == "bent":
        off = random.uniform(-0.12, 0.12) * length * (1 - 4 * t**2)
    elif kind == "crack":
        steps = np.cumsum(random.normal(0, 1, 60))
        off = 0.008 * length * (steps - np.linspace(steps[0], steps[-1], 60))
    along = np.array([np.cos(angle), np.sin(angle)])
    middle = np.array([random.uniform(0, width), random.uniform(0, height)])
    path = middle + np.outer(t * length, along) + np.outer(off, [-along[1], along[0]])
    widths = thick * (1 + 0.25 * np.sin(np.linspace(0, random.uniform(3, 12), 60)))
    finer = 4
    canvas = np.zeros((height * finer, width * finer), np.uint8)
    for n in range(59):
        start, end = (tuple(int(v) for v in path[n + i] * finer * 8) for i in (0, 1))
        cv2.line(canvas, start, end, 255, max(1, round(widths[n] * finer)), cv2.LINE_AA, 3)
    return _soft(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA))


def _speck(random: np.random.Generator, height: int, width: int, radius: float) -> np.ndarray:
    """How much of each pixel a speck covers, (H, W) float32 0..1: a small polygon."""
    x, y = random.uniform(0, width), random.uniform(0, height)
    corners = int(random.integers(5, 9))
    angles, radii = np.linspace(0, 2 * np.pi, corners, endpoint=False), radius * random.uniform(0.6, 1.3, corners)
    points = np.stack([x + radii * np.cos(angles), y + radii * np.sin(angles)], axis=1)
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return _soft(canvas)


def _soft(cover: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(cover.astype(np.float32) / 255, (0, 0), 0.5)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise ratio in dB."""
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(np.float64) - b) ** 2), 1e-9)))


def row(strength: str, photos: Sequence[tuple[np.ndarray, tuple[Face, ...]]]) -> tuple[str, list[list[np.ndarray]]]:
    """The table's row of a strength, and of each photo the clean one with what is touched of it, and the scratched one mended."""
    figures, shown = [], []
    for number, (clean, faces) in enumerate(photos):
        old, seen = scratched(clean, np.random.default_rng(number))
        spared = [part for face in faces for part in face.parts]
        after, found = mended(old, strength, spared=spared)
        kept, touched = mended(clean, strength, spared=spared)
        near = cv2.dilate(seen.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        right = float(near[found.mask].mean()) if found.share else np.nan
        figures.append(
            (seen.mean(), found.mask[seen].mean(), right, psnr(old, clean), psnr(after, clean), touched.share)
        )
        marked = kept.copy()
        marked[touched.mask] = (255, 0, 0)
        shown.append([marked, old, after])
    of = np.array(figures)
    drawn, recall, right, before, better, share = np.nanmean(of, axis=0)
    worse = int((of[:, 4] < of[:, 3]).sum())
    cells = [
        strength,
        f"{drawn:.1%}",
        f"{recall:.0%}",
        f"{right:.0%}",
        f"{before:.2f}",
        f"{better:.2f}",
        f"{worse} of {len(of)}",
        f"{share:.3%}",
        f"{np.median(of[:, 5]):.3%}",
        f"{of[:, 5].max():.2%}",
        f"{int((of[:, 5] == 0).sum())} of {len(of)}",
    ]
    return "| " + " | ".join(cells) + " |", shown


HEAD = (
    "| strength | drawn | found | right | PSNR scratched | PSNR mended | farther than before | clean photos: touched, mean | "
    "median | most | untouched |\n" + "|---" * 11 + "|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--most", type=int, default=40, help="photos; at most 100, the next were fitted to")
    parser.add_argument("--sheet", type=Path, help="draw what came out; it shows people, so keep it out of the project")
    arguments = parser.parse_args()
    photos = photos_of(arguments.root, min(arguments.most, 100))
    out = Console(soft_wrap=True, highlight=False, markup=False)
    out.print(f"{device.describe('cpu')}; {datetime.date.today()}; commit {commit()}; {len(photos)} photos\n")
    out.print(HEAD)
    sheets = []
    for strength in (CAREFUL, STRONG):
        line, shown = row(strength, photos)
        out.print(line)
        sheets.append(shown)
    if arguments.sheet:
        rows = [
            np.concatenate([*careful, strong[0], strong[2]], axis=1) for careful, strong in zip(*sheets, strict=True)
        ]
        fitted = [cv2.resize(each, (SHEET, round(SHEET * each.shape[0] / each.shape[1]))) for each in rows]
        Image.fromarray(np.concatenate(fitted)).save(arguments.sheet)


if __name__ == "__main__":
    main()
