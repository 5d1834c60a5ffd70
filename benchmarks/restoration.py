"""How well restorers restore: a grid of degradations on faces of people whom nothing was trained on, methods side by side.

    python benchmarks/restoration.py --root ../shared [--faces 96] [--methods starter-estimator,starter-difface]
        [--cells scale-4 scale-8] [--options steps=5,10 sampler=dpm,ddim] [--sheets benchmark-output/restoration] [--markdown]

Prints a Markdown row as soon as it is measured, then what the project asks; with --markdown also the tables of the page, which
have the methods beside the degradations. Faces, degradations and the judge of identity are those of the estimator's validation,
so that figures compare.

- "scale-8" means reduced 8 times, blurred by sigma 4, noise of 10 levels and JPEG 60; other cells are one damage alone.
  The input is enlarged by bicubic interpolation, and "bicubic" is that input.
- Each method is run as the product runs it on an aligned crop, in a process of its own: the median of the seconds a face, and
  the peak memory of that process. Results at 512 px are reduced to the input's 256.
- Identity: the MS1M teacher's cosine to the clean face, cut out by the clean face's landmarks. Landmarks: mean distance of the
  PFLD teacher's 68 from those that it finds in the clean face, in distances of the eyes. Neither took part in any method.
- The Frechet distance is in the space of starter-embedder-c's embeddings before they are made unit vectors: to the same faces,
  clean, where a perfect method has 0; and to faces of other people, where the line above the table says what clean ones have.
  With few faces it is large; compare it only within a run.

--options takes name=value,value; every combination is measured of the methods that have such an option, and given several
times it adds groups of combinations. Sheets (clean, degraded, each method) show people: keep them out of the project.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from benchmarks.features import FEATURES, embeddings
from benchmarks.restoration_report import Row, bars_table, head, line, page
from benchmarks.restoring import BICUBIC, Variant, chosen, defaults, listens_to, restored
from benchmarks.sheets import titled, write
from benchmarks.speed import commit
from facestudio import device
from facestudio.studio import Studio
from facestudio.training import data, grid, metrics, teachers

SHOWN = 8  # faces on a sheet


class Judges:
    """What is measured of restored `faces` whose clean ones are known; embedders of `studio` and teachers under `root`."""

    def __init__(
        self, studio: Studio, root: Path, clean: np.ndarray, landmarks: np.ndarray, others: np.ndarray
    ) -> None:
        self._studio = studio
        self._recogniser = teachers.Ms1m(root / "teachers")
        self._finder = teachers.Pfld(root / "teachers")
        self._clean = clean
        self._landmarks = landmarks
        self._eyes = np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1)
        self._identities = self._recogniser.embed_faces(clean, landmarks)
        self._points = self._finder(clean)
        self._features = embeddings(studio, FEATURES, clean)
        self._others = embeddings(studio, FEATURES, others)
        self.floor = metrics.frechet(self._features, self._others)

    def figures(self, faces: np.ndarray) -> dict[str, float]:
        """Means over `faces` (N, 256, 256, 3) uint8 RGB, by the keys of restoration_report.FIGURES."""
        pairs = list(zip(faces, self._clean, strict=True))
        cosines = (self._recogniser.embed_faces(faces, self._landmarks) * self._identities).sum(axis=1)
        off = np.linalg.norm(self._finder(faces) - self._points, axis=2).mean(axis=1) / self._eyes
        features = embeddings(self._studio, FEATURES, faces)
        return {
            "psnr": float(np.mean([metrics.psnr(a, b) for a, b in pairs])),
            "ssim": float(np.mean([metrics.ssim(a, b) for a, b in pairs])),
            "landmarks": float(off.mean()),
            "identity": float(cosines.mean()),
            "frechet": metrics.frechet(features, self._features),
            "others": metrics.frechet(features, self._others),
        }


def other_people(faces: data.Faces, count: int) -> np.ndarray:
    """`count` pictures (fewer where there are not so many) of training people, taken as the held-out ones were."""
    training = [place for place in data.split(faces.identity)[0] if faces.rows[place]["source"] == grid.SOURCE]
    places = np.sort(np.random.default_rng(2).permutation(np.array(training, int))[:count])
    return np.asarray(faces.pixels[places])


def measured(
    cell: grid.Cell, bad: np.ndarray, variant: Variant, judges: Judges, arguments: argparse.Namespace, usual: bool
) -> tuple[Row, np.ndarray]:
    """The row of `variant` on the `bad` faces of `cell`, and what it made of the first few; a failure is a row as well."""
    good, cost = bad, None
    if variant.id != BICUBIC:
        with tempfile.TemporaryDirectory() as folder:
            try:
                good, cost = restored(variant, bad, Path(folder), arguments.device, arguments.seed)
            except RuntimeError as error:
                return Row(cell.name, variant, failure=str(error), usual=usual), np.zeros_like(bad[:SHOWN])
    figures = judges.figures(good)
    seconds, peak = (None, None) if cost is None else (cost.seconds, cost.peak)
    return Row(cell.name, variant, figures, seconds, peak, usual=usual), good[:SHOWN].copy()


def arguments_of(parser: argparse.ArgumentParser) -> argparse.Namespace:
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--faces", type=int, default=96, help="at least 2")
    parser.add_argument("--others", type=int, default=600, help="faces of other people for the Frechet distance")
    parser.add_argument(
        "--methods", default="", help="ids of checkpoints, with commas; all that are here when left out"
    )
    parser.add_argument("--options", nargs="+", action="append", default=[], metavar="NAME=VALUE,VALUE")
    parser.add_argument("--cells", nargs="+", default=[cell.name for cell in grid.GRID])
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--markdown", action="store_true", help="print the tables of the page as well")
    parser.add_argument("--device", default="auto", choices=device.NAMES)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments = arguments_of(parser)
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    try:
        cells = [grid.Cell.named(name) for name in arguments.cells]
    except ValueError as error:
        parser.error(str(error))
    if min(arguments.faces, arguments.others) < 2:
        parser.error("a Frechet distance needs at least two faces")
    studio = Studio(arguments.device)
    variants = chosen(studio, arguments.methods, arguments.options)
    faces = data.faces256(arguments.root / "faces", arguments.cache)
    places = grid.held_out_faces(faces, arguments.faces)
    clean = np.stack([faces.pixels[place] for place in places])
    landmarks = data.landmarks5([faces.rows[place] for place in places])
    judges = Judges(studio, arguments.root, clean, landmarks, other_people(faces, arguments.others))

    people = len(set(faces.identity[places]))
    heading = (
        f"{studio.device_name()}; torch {torch.__version__}; {datetime.date.today()}; commit {commit()}; "
        f"{len(clean)} held-out faces of {people} people; seed {arguments.seed}. Fréchet distance of the clean faces to "
        f"{arguments.others} of other people: {judges.floor:.1f}."
    )
    say(heading)
    for id in dict.fromkeys(variant.id for variant in variants):
        if told := listens_to(id):
            say(f"{id} can listen to {', '.join(told)}.")
    say("\n" + head())
    rows: list[Row] = []
    for cell in cells:
        bad = cell.damaged(clean)
        columns, titles = [clean[:SHOWN], bad[:SHOWN]], ["clean", cell.name]
        for variant in variants:
            row, pictures = measured(cell, bad, variant, judges, arguments, defaults(variant, studio))
            rows.append(row)
            say(line(row))
            if variant.id != BICUBIC:
                columns.append(pictures)
                titles.append(variant.title)
        if arguments.sheets:
            write(arguments.sheets / f"{cell.name}.png", titled(columns, titles))
    if arguments.markdown:
        say(f"\n{heading}\n\n{page(rows)}")
    elif bars := bars_table(rows):
        say(f"\n{bars}")
    return 1 if any(row.failure for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
