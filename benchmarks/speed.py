"""How long a 12 megapixel photo with one face takes, and how much memory: `python benchmarks/speed.py`.

The photo is the public-domain portrait of scikit-image, enlarged. The measured work runs in a process of its own, so
that its peak memory is its own. Loading (imports and weights) is told apart from the work. Prints two Markdown tables:
the photo's steps, and what finding and recognising a face costs, with the networks as they are loaded and, to see what
fusing gives, as they were trained.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facestudio.device import processor

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SIZE = (4000, 3000)
STEPS = ("open", "detect", "restore", "save")
SMALL = (1024, 768)
REPEATS, WARM_UPS = 25, 3


def portrait(size: tuple[int, int]) -> Image.Image:
    """The astronaut, cropped to 4:3 and enlarged to `size` (width, height)."""
    from PIL import Image
    from skimage.data import astronaut

    return Image.fromarray(astronaut()).crop((0, 0, 512, 384)).resize(size, Image.Resampling.LANCZOS)


def draw_photo(path: Path) -> None:
    """The portrait with 12 megapixels, as a JPEG such as a camera writes."""
    portrait(SIZE).save(path, quality=92)


def measure(photo_path: Path, out: Path, method: str) -> dict[str, Any]:
    """Do the work once in this process and return the seconds of each step and the peak memory in bytes.

    `method` is a method's name, or the id of a checkpoint.
    """
    seconds: dict[str, float] = {}

    def lap(name: str, since: float) -> float:
        now = time.perf_counter()
        seconds[name] = now - since
        return now

    clock = time.perf_counter()
    import torch

    from facestudio.methods.base import method_name
    from facestudio.recipe import Recipe
    from facestudio.studio import Studio

    studio = Studio("cpu")
    fitting = [c for c in studio.restore_checkpoints() if method in (c.id, method_name(c))]
    if not fitting:
        raise SystemExit(f"No weights here feed the method {method}.")
    recipe = Recipe(fitting[0].id, method_name(fitting[0]))
    studio.prepare(recipe.checkpoint)
    clock = lap("load", clock)
    photo = studio.open(photo_path)
    clock = lap("open", clock)
    faces = studio.detect(photo)
    clock = lap("detect", clock)
    result = studio.restore(photo, faces, recipe)
    clock = lap("restore", clock)
    result.after.save(out, recipe=result.recipe, overwrite=True)
    lap("save", clock)
    if result.status != "ok":
        raise SystemExit(f"The photo was not restored: {result.error or result.status}")
    return {"seconds": seconds, "peak": peak_memory(), "faces": len(faces), "threads": torch.get_num_threads()}


def measure_parts() -> dict[str, dict[str, float]]:
    """Median milliseconds of each embedder on one face and of detection, by how the networks are: "loaded", "trained"."""
    import numpy as np

    from facestudio.checkpoints import load_manifest
    from facestudio.faces.detect import Detector
    from facestudio.faces.identity import Embedder
    from facestudio.faces.landmarks import LandmarkFinder
    from facestudio.faces.loading import fill_network, load_network
    from facestudio.loaded import DETECTOR, LANDMARKS

    entries = load_manifest()
    pixels = np.array(portrait(SMALL))
    networks = {"loaded": lambda entry: load_network(entry, "cpu"), "trained": fill_network}
    calls: dict[str, dict[str, Callable[[np.ndarray], Any]]] = {}
    for kind, network in networks.items():
        finder = LandmarkFinder(network(entries[LANDMARKS]))
        detector = Detector(network(entries[DETECTOR]), "cpu", finder)
        faces = detector.detect(pixels)
        if not faces:
            raise SystemExit("No face was found in the portrait.")
        for entry in entries.values():
            if entry.recognises:
                embedder = Embedder(entry, network(entry))
                calls.setdefault(entry.id, {})[kind] = partial(embedder.embed, landmarks=faces[0].landmarks)
        calls.setdefault("detect", {})[kind] = detector.detect
    random = np.random.default_rng(0)
    spent: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in networks} for name in calls}
    for repeat in range(WARM_UPS + REPEATS):
        # another photo each time, or the embedders would remember the face
        noisy = np.clip(pixels + random.integers(-2, 3, pixels.shape), 0, 255).astype(np.uint8)
        for name, kinds in calls.items():
            for kind, call in kinds.items():
                started = time.perf_counter()
                call(noisy)
                if repeat >= WARM_UPS:
                    spent[name][kind].append((time.perf_counter() - started) * 1000)
    return {name: {kind: statistics.median(times) for kind, times in of.items()} for name, of in spent.items()}


def peak_memory() -> int:
    """The most memory this process held so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent held before this program was started in its place
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def commit() -> str:
    """The short name of the commit, marked when files differ from it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "unknown"


def table(runs: list[dict[str, Any]], method: str) -> str:
    """The Markdown table: of each step the median over the runs, of the memory the most."""
    middle = {step: sorted(run["seconds"][step] for run in runs)[len(runs) // 2] for step in ("load", *STEPS)}
    work = sorted(sum(run["seconds"][step] for step in STEPS) for run in runs)[len(runs) // 2]
    rows = [
        f"| {SIZE[0]} x {SIZE[1]} JPEG, {runs[0]['faces']} face(s), method {method} | |",
        "|---|---|",
        f"| load (imports, weights) | {middle['load']:.2f} s |",
        *(f"| {step} | {middle[step]:.2f} s |" for step in STEPS),
        f"| **after loading** | **{work:.2f} s** |",
        f"| **peak memory** | **{max(run['peak'] for run in runs) / 1e9:.2f} GB** |",
        f"| machine | {processor()}, {os.cpu_count()} cores, {runs[0]['threads']} torch threads |",
        f"| runs | {len(runs)}, each in a new process; medians |",
        f"| date, commit | {datetime.date.today().isoformat()}, {commit()} |",
    ]
    return "\n".join(rows)


def parts_table(parts: dict[str, dict[str, float]]) -> str:
    """The Markdown table of what `measure_parts` gave."""
    import torch

    def row(name: str, of: dict[str, float], bar: str = "") -> str:
        return f"| {name} | {of['loaded']:.0f} ms | {of['trained']:.0f} ms | {bar} |"

    embedders = {name: of for name, of in parts.items() if name != "detect"}
    together = {kind: sum(of[kind] for of in embedders.values()) for kind in ("loaded", "trained")}
    rows = [
        "| part | as loaded | as trained | bar |",
        "|---|---|---|---|",
        *(row(f"{name}, one face", of) for name, of in embedders.items()),
        row(f"**all {len(embedders)} embedder(s), one face**", together, "three: 60 ms"),
        row(f"**detect, {SMALL[0]} x {SMALL[1]}, with the close look**", parts["detect"], "120 ms"),
        f"| machine | {processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} torch threads | | |",
        f"| runs | {REPEATS} in one process, after {WARM_UPS} to warm up; medians | | |",
        f"| date, commit | {datetime.date.today().isoformat()}, {commit()} | | |",
    ]
    return "\n".join(rows)


def main() -> int:
    """Measure in child processes and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--method", default="quick", help="its name, or the id of a checkpoint")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--child", nargs=2, type=Path, metavar=("PHOTO", "OUT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        sys.stdout.write(json.dumps(measure(*asked.child, asked.method)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        photo, out = Path(name, "photo.jpg"), Path(name, "out.jpg")
        draw_photo(photo)
        command = [sys.executable, __file__, "--method", asked.method, "--child", str(photo), str(out)]
        runs = []
        for _ in range(max(1, asked.runs)):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.stderr.write(done.stderr)
                return 1
            runs.append(json.loads(done.stdout))
    sys.stdout.write(table(runs, asked.method) + "\n\n")
    sys.stdout.write(parts_table(measure_parts()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
