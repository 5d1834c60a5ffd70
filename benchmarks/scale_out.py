"""How many photos a second this machine anonymizes, in one process and by Ray, and what a million of them take.

    python benchmarks/scale_out.py [PHOTO|FOLDER...] [--methods solid starter-redraw] [--workers 1 2] [--photos 48] [--price 0.5]

Without photos the public-domain portrait of scikit-image is enlarged to 12 megapixels. Each run does `--photos` of them, repeated
under other names as often as needed. The start (loading weights, starting Ray's workers) is told apart: photos a second are
counted from the first `--warm` of them on. `--price` is what an hour of such a machine costs you, in any currency. Prints a
Markdown table. Run it on a machine that does nothing else; Ray needs `pip install -e '.[cluster]'`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.speed import commit, draw_photo, processor
from facestudio import batch, checkpoints
from facestudio.anonymize_settings import Settings
from facestudio.cluster import Cluster, Job, Task
from facestudio.methods.base import method_name
from facestudio.photo import Photo
from facestudio.planning import find_photos
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.results import Result
from facestudio.studio import Studio

MILLION = 1_000_000


def photos_of(given: list[Path], count: int, folder: Path) -> Path:
    """A folder of `count` photos: those `given`, or the portrait, under other names as often as needed."""
    sources = [found for path in given for found in (find_photos(path) if path.is_dir() else [path])]
    if not sources:
        sources = [folder / "portrait.jpg"]
        draw_photo(sources[0])
    asked = folder / "photos"
    asked.mkdir()
    for number in range(count):
        source = sources[number % len(sources)]
        shutil.copy(source, asked / f"{number:06d}{source.suffix}")
    return asked


def measure(photos: Path, out: Path, recipe: Recipe, workers: int | None, warm: int) -> tuple[float, float, int]:
    """Seconds until the first photo is done, photos a second after the first `warm`, and how many were not written.

    `workers`: of Ray; None: this process alone.
    """
    started = time.perf_counter()
    ends: list[float] = []
    unwritten = 0

    def done(outcome: batch.Outcome) -> None:
        nonlocal unwritten
        ends.append(time.perf_counter())
        unwritten += outcome.output is None

    planned = batch.Plan(tuple(batch.plan([photos], out)))
    writing, audience = batch.Writing(metadata="strip"), batch.Audience(done=done)
    if workers is None:
        studio = Studio()
        studio.prepare(recipe.checkpoint)

        def work(photo: Photo, progress: Progress) -> Result:
            return studio.anonymize(photo, studio.detect(photo, progress, unsure=True), recipe, None, progress)

        batch.run(planned, batch.Here(work), writing=writing, audience=audience)
    else:
        cluster = Cluster(Job(Settings(recipe)), lambda item: Task(item.source, item.target.name), workers)
        batch.run(planned, cluster, writing=writing, audience=audience)
    counted = len(ends) - warm
    return ends[0] - started, counted / (ends[-1] - ends[warm - 1]), unwritten


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("given", nargs="*", type=Path, metavar="PHOTO|FOLDER")
    parser.add_argument("--methods", nargs="*", default=["solid", "starter-redraw"], help="ids of checkpoints")
    parser.add_argument(
        "--workers", nargs="*", type=int, default=[1, os.cpu_count() or 1], help="of Ray, a run for each"
    )
    parser.add_argument("--photos", type=int, default=48)
    parser.add_argument("--warm", type=int, default=8, help="photos that are not counted")
    parser.add_argument("--price", type=float, help="of an hour of this machine")
    asked = parser.parse_args()
    if not 1 <= asked.warm < asked.photos:
        parser.error("--warm must be at least 1 and fewer than --photos")
    console = Console(width=200, soft_wrap=True)
    console.print(f"{processor()}; {datetime.date.today()}; commit {commit()}; {asked.photos} photos", markup=False)
    cost = " a million cost |" if asked.price is not None else ""
    console.print(f"\n| method | engine | first photo after | photos a second | a million take |{cost} not written |")
    console.print(f"|---|---|---|---|---|{'---|' if cost else ''}---|")
    with tempfile.TemporaryDirectory() as name:
        photos = photos_of(asked.given, asked.photos, Path(name))
        for id in asked.methods:
            recipe = Recipe(id, method_name(checkpoints.checkpoint(id)))
            for workers in (None, *dict.fromkeys(asked.workers)):
                out = Path(name) / f"{id}-{workers}"
                first, rate, unwritten = measure(photos, out, recipe, workers, asked.warm)
                shutil.rmtree(out, ignore_errors=True)
                hours = MILLION / rate / 3600
                engine = "this process" if workers is None else f"Ray, {workers} workers"
                costs = f" {hours * asked.price:.0f} |" if asked.price is not None else ""
                row = f"| {id} | {engine} | {first:.1f} s | {rate:.2f} | {hours:.0f} h |{costs} {unwritten} |"
                console.print(row, markup=False)


if __name__ == "__main__":
    main()
