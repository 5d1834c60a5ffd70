"""A batch that is killed again and again, as by a power cut: `python -m tests.crashing FOLDER PHOTOS KILLS SEED [named]`.

Each round forks a child that runs the batch with its journal, resuming, and kills it with SIGKILL after a moment that is drawn at
random. After each round the output folder is looked at; after the last the batch runs to its end. What was seen is printed as
JSON. A process of its own, because it forks: nothing here may have started threads before. With "named" it goes as on a file
system without nameless files.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facestudio import batch
from facestudio.faces.face import FFHQ_512, Face
from facestudio.journal import Journal
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.results import FaceResult, Result
from tests.batches import run_batch

FACE = Face(np.array([10, 10, 50, 50]), FFHQ_512.points / 10)
SIZE = (60, 64)


def work(photo: Photo, progress: Progress) -> Result:
    """The negative of a photo."""
    faces = (FaceResult(FACE, 0, "restored", None, {}, {}),)
    return Result(photo, photo.with_pixels(255 - photo.pixels), faces, Recipe("none", "negative"), 0.0)


def album(folder: Path, photos: int) -> None:
    """Photos of noise in three formats and two folders."""
    for number in range(photos):
        pixels = np.random.default_rng(number).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
        path = folder / ("deep" if number % 3 else ".") / f"{number:03d}.{('png', 'jpg', 'webp')[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def once(source: Path, out: Path, log: Path) -> list[batch.Outcome]:
    """Run the batch to its end, or until somebody kills it."""

    def done(outcome: batch.Outcome) -> None:
        with log.open("a") as file:
            file.write(f"{outcome.source.name} {outcome.earlier is not None}\n")

    return run_batch([source], out, work, journal=Journal(out, "negative"), resume=True, done=done)


def killed(source: Path, out: Path, log: Path, results: int, moment: float) -> bool:
    """Run the batch in a child and kill it `moment` seconds after there are `results`; whether it came to its end before."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if all(outcome.status == "ok" for outcome in once(source, out, log)) else 1
        finally:
            os._exit(code)
    while count(out) < results:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.001)
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == 0


def count(out: Path) -> int:
    """How many files there are."""
    return sum(len(files) for _, _, files in os.walk(out))


def seen(out: Path) -> tuple[dict[str, tuple[int, int, str]], list[str]]:
    """The whole results by name, as inode, time and hash; and whatever else lies there."""
    whole, others = {}, []
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        name = path.relative_to(out).as_posix()
        try:
            with Image.open(path) as image:
                image.load()
                good = image.size == (SIZE[1], SIZE[0]) and not path.name.startswith(".")
        except OSError:
            good = False
        status = path.stat()
        if good:
            whole[name] = (status.st_ino, status.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        else:
            others.append(name)
    return whole, others


def main(folder: Path, photos: int, kills: int, seed: int) -> dict[str, Any]:
    """See the module."""
    draw = random.Random(seed)
    source, out, log = folder / "in", folder / "out", folder / "log"
    album(source, photos)
    partial: list[str] = []
    twice: list[str] = []
    ended_early, progress = 0, []
    known: dict[str, tuple[int, int, str]] = {}
    for left in range(kills, 0, -1):
        more = draw.randint(0, max(2 * (photos - len(known)) // left, 1))
        ended_early += killed(source, out, log, min(len(known) + more, photos), draw.uniform(0, 0.03))
        whole, others = seen(out)
        partial += others
        twice += [name for name, was in known.items() if whole.get(name) != was]
        known = whole
        progress.append(len(whole))
    outcomes = once(source, out, log)
    whole, others = seen(out)
    twice += [name for name, was in known.items() if whole.get(name) != was]
    run_batch([source], folder / "calm", work)
    calm = {path.relative_to(folder / "calm").as_posix(): path for path in (folder / "calm").rglob("*.*")}
    return {
        "wrong": [name for name, path in calm.items() if (out / name).read_bytes() != path.read_bytes()],
        "kills": kills,
        "ended_early": ended_early,
        "progress": progress,
        "partial": [name for name in partial if not Path(name).name.startswith(".facestudio-")],
        "hidden": len([name for name in partial if Path(name).name.startswith(".facestudio-")]),
        "left": others,
        "twice": twice,
        "outputs": len(whole),
        "statuses": sorted({outcome.status for outcome in outcomes}),
        "resumed": sum(outcome.earlier is not None for outcome in outcomes),
    }


if __name__ == "__main__":
    where, number, times, chance = sys.argv[1:5]
    if "named" in sys.argv[5:]:
        del os.O_TMPFILE
    sys.stdout.write(json.dumps(main(Path(where), int(number), int(times), int(chance))) + "\n")
