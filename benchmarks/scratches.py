"""Scratches: what is found and mended of those drawn on held-out photos, and what of the clean photos is taken for one.

    python benchmarks/scratches.py --root ../shared [--most 40] [--sheet FILE.png]
    python benchmarks/scratches.py --root ../shared --fit [--seed 0] [--fitted 40] [--most 40]

The first prints a Markdown table. On each photo 5 scratches (straight, bent and jagged, 1 to 4 px wide at 512 px, white or
black, more or less opaque) and 15 specks are drawn. Found is what the mask covers of the pixels that differ by 12 levels or more;
right is what of the mask is within 2 px of such a pixel. The fit of `score_of` has not seen these photos. --sheet draws the clean
photo with what is taken for scratches of it in red, the scratched one, and both strengths' results.

The second fits the coefficients of `score_of` (facestudio/mending/scratches.py): a logistic regression of what is known of each
line of `--fitted` photos, clean and with damage drawn by `--seed`, on whether a scratch was drawn there. Lines of which a part
lies on one are left out. It prints the coefficients, and how well these and those in use tell lines of the `--most` held-out
photos apart: log loss, the area under the curve, and what share of drawn scratches' lines is found where few others are taken.
The same seed gives the same. Nothing is written; thresholds are chosen for the coefficients in use, so others need others.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import io
import zipfile
from collections.abc import Iterator, Sequence
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
from facestudio.mending.scratches import COEFFICIENTS, CONSTANT, features_of, search
from facestudio.training.rejection import logistic

LINES, SPECKS = 5, 15
SEEN = 12  # levels
ORDER = 5  # seeds the order of the photos
FIRST = 100  # in it, of the photos that `score_of` was fitted to; those before are held out
ON, OFF = 0.7, 0.1  # shares of a line's px on drawn scratches from which on it is one, and to which it is none
RIDGE = 1e-4
FEW = (0.001, 0.01)  # shares of the lines that are no scratches
SHEET = 1600  # px wide
POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


def photos_of(root: Path, most: int, first: int = 0) -> list[tuple[np.ndarray, tuple[Face, ...]]]:
    """`most` photos from the `first` on, and their labelled faces."""
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
        chosen = [names[n] for n in np.random.default_rng(ORDER).permutation(len(names))[first : first + most]]
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


def lines_and_truths(pixels: np.ndarray, seen: np.ndarray) -> Iterator[tuple[list[float], bool]]:
    """What is known of each line of `pixels`, in the order of COEFFICIENTS, and whether it lies where scratches are `seen`."""
    near = cv2.dilate(seen.astype(np.uint8), np.ones((3, 3), np.uint8))
    for level in search(pixels, STRONG).levels:
        for _, line in level.lines:
            rows, columns = np.minimum(line.points.T * 2**line.level, np.array(seen.shape)[:, None] - 1)
            share = float(near[rows, columns].mean())
            if share >= ON or share <= OFF:
                known = features_of(line, max(pixels.shape[:2]))
                yield [known[name] for name in COEFFICIENTS], share >= ON


def evidence(photos: Sequence[tuple[np.ndarray, tuple[Face, ...]]], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the lines of `photos`, clean and damaged by `seed`, what is known (N, F), and whether they are scratches (N,)."""
    found: list[tuple[list[float], bool]] = []
    for number, (clean, _) in enumerate(photos):
        found += lines_and_truths(clean, np.zeros(clean.shape[:2], bool))
        found += lines_and_truths(*scratched(clean, np.random.default_rng((seed, number))))
    return np.array([known for known, _ in found]), np.array([truth for _, truth in found])


def told_apart(scores: np.ndarray, truths: np.ndarray) -> list[float]:
    """Log loss, the area under the curve, and the share of scratches that is found where FEW of the others are taken."""
    loss = float(np.mean(np.logaddexp(0, np.where(truths, -scores, scores))))
    others, own = np.sort(scores[~truths]), scores[truths]
    below = (np.searchsorted(others, own, "left") + np.searchsorted(others, own, "right")) / 2
    found = [float((own > np.quantile(others, 1 - few)).mean()) for few in FEW]
    return [loss, float(below.mean() / len(others)), *found]


def fit(root: Path, fitted: int, most: int, seed: int, out: Console) -> None:
    """Fit the coefficients, and print them and how good they are beside those in use."""
    known, truths = evidence(photos_of(root, fitted, FIRST), seed)
    new = logistic(known, truths, ridge=RIDGE)
    unseen, really = evidence(photos_of(root, most), seed)
    out.print(f"{len(truths)} lines of {fitted} photos, {truths.sum()} on drawn scratches; seed {seed}\n")
    out.print("| coefficient | in use | fitted |\n|---|---|---|")
    used = np.array([CONSTANT, *COEFFICIENTS.values()])
    for name, before, after in zip(("constant", *COEFFICIENTS), used, new, strict=True):
        out.print(f"| {name} | {before:.2f} | {after:.2f} |")
    out.print(f"\n{len(really)} lines of {most} other photos, {really.sum()} on drawn scratches\n")
    found = " | ".join(f"found, {few:.1%} of others taken" for few in FEW)
    out.print(f"| coefficients | log loss | area under the curve | {found} |\n|---|---|---" + "|---" * len(FEW) + "|")
    for name, weights in (("in use", used), ("fitted", np.round(new, 2))):
        loss, area, *shares = told_apart(weights[0] + unseen @ weights[1:], really)
        out.print(f"| {name} | {loss:.4f} | {area:.4f} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")


HEAD = (
    "| strength | drawn | found | right | PSNR scratched | PSNR mended | farther than before | clean photos: touched, mean | "
    "median | most | untouched |\n" + "|---" * 11 + "|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--most", type=int, default=40, help=f"photos; at most {FIRST}, the next were fitted to")
    parser.add_argument("--fit", action="store_true", help="fit the coefficients of the score instead")
    parser.add_argument("--fitted", type=int, default=40, help="photos to fit to")
    parser.add_argument("--seed", type=int, default=0, help="of the damage that is drawn to fit")
    parser.add_argument("--sheet", type=Path, help="draw what came out; it shows people, so keep it out of the project")
    arguments = parser.parse_args()
    out = Console(soft_wrap=True, highlight=False, markup=False)
    if arguments.fit:
        fit(arguments.root, arguments.fitted, min(arguments.most, FIRST), arguments.seed, out)
        return
    photos = photos_of(arguments.root, min(arguments.most, FIRST))
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
