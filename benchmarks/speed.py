"""How long a 12 megapixel photo with one face takes, and how much memory: `python benchmarks/speed.py`.

The photo is the public-domain portrait of scikit-image, enlarged. The measured work runs in a process of its own, so
that its peak memory is its own. Loading (imports and weights) is told apart from the work. Prints one Markdown table.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from facestudio.device import processor

ROOT = Path(__file__).resolve().parent.parent
SIZE = (4000, 3000)
STEPS = ("open", "detect", "restore", "save")


def draw_photo(path: Path) -> None:
    """The astronaut, cropped to 4:3 and enlarged to 12 megapixels, as a JPEG such as a camera writes."""
    from PIL import Image
    from skimage.data import astronaut

    photo = Image.fromarray(astronaut()).crop((0, 0, 512, 384))
    photo.resize(SIZE, Image.Resampling.LANCZOS).save(path, quality=92)


def measure(photo_path: Path, out: Path, method: str) -> dict[str, Any]:
    """Do the work once in this process and return the seconds of each step and the peak memory in bytes."""
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
    fitting = [c for c in studio.restore_checkpoints() if method_name(c) == method]
    if not fitting:
        raise SystemExit(f"No weights here feed the method {method}.")
    recipe = Recipe(fitting[0].id, method)
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


def main() -> int:
    """Measure in child processes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--method", default="quick")
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
    sys.stdout.write(table(runs, asked.method) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
