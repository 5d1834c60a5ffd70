"""Twenty faces in one photo of 12 megapixels: how long each method takes over all of them, and how much memory.

    python benchmarks/many_faces.py --root ../shared [--methods starter-estimator,starter-difface] [--count 20]

Held-out faces, degraded as in the cell scale-4 of training/grid.py and enlarged to 512 px, stand side by side on grey. The photo
is opened, its faces are found, restored and judged by every recogniser, and it is saved, in a process of its own for each
method (that of benchmarks/speed.py), so that the peak memory is that of the whole product at work. Prints a Markdown row as
soon as it is measured.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from rich.console import Console

from benchmarks import speed
from benchmarks.restoring import BICUBIC, chosen
from facestudio.device import processor
from facestudio.studio import Studio
from facestudio.training import data, grid

SIZE, SIDE = (4000, 3000), 512
GIGABYTES = 3.0
DAMAGE = grid.Cell("scale", 4)


def crowd(faces: Sequence[np.ndarray]) -> np.ndarray:
    """A photo (3000, 4000, 3) uint8 of `faces` (S, S, 3), each enlarged to SIDE px in the middle of its own rectangle."""
    columns = next(n for n in range(1, len(faces) + 1) if n * SIZE[1] >= SIZE[0] * -(-len(faces) // n))
    rows = -(-len(faces) // columns)
    width, height = SIZE[0] // columns, SIZE[1] // rows
    side = min(SIDE, width, height)
    photo = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)
    for place, face in enumerate(faces):
        left = place % columns * width + (width - side) // 2
        top = place // columns * height + (height - side) // 2
        photo[top : top + side, left : left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    return photo


def line(method: str, count: int, told: dict[str, Any]) -> str:
    """A row of the table: what `speed.measure` told of `method` and a photo of `count` faces."""
    spent, memory = told["seconds"], told["peak"] / 1e9
    work = sum(spent[step] for step in speed.STEPS)
    cells = [method, f"{told['faces']} of {count}", *(f"{spent[step]:.1f}" for step in ("detect", "restore"))]
    cells += [f"{work:.1f}", f"{memory:.2f}", f"<= {GIGABYTES:g}", "yes" if memory <= GIGABYTES else "no"]
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument(
        "--methods", default="", help="ids of checkpoints, with commas; all that are here when left out"
    )
    parser.add_argument("--count", type=int, default=20)
    arguments = parser.parse_args()
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    methods = [variant.id for variant in chosen(Studio("cpu"), arguments.methods, []) if variant.id != BICUBIC]
    faces = data.faces256(arguments.root / "faces", arguments.cache)
    clean = np.stack([faces.pixels[place] for place in grid.held_out_faces(faces, arguments.count)])
    say(f"{processor()}, {os.cpu_count()} cores; {datetime.date.today()}; commit {speed.commit()}; {DAMAGE.name}\n")
    say("| method | faces found | s to find | s to restore and judge | s in all | peak GB | bar | met |")
    say("|---|---|---|---|---|---|---|---|")
    failed = False
    with tempfile.TemporaryDirectory() as name:
        photo = Path(name, "photo.jpg")
        Image.fromarray(crowd(list(DAMAGE.damaged(clean)))).save(photo, quality=92)
        for method in methods:
            out = Path(name, f"{method}.jpg")
            command = [sys.executable, speed.__file__, "--method", method, "--child", str(photo), str(out)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                failed = True
                say(f"| {method} | failed: {(done.stderr.strip().splitlines() or ['?'])[-1]} | | | | | | |")
            else:
                say(line(method, len(clean), json.loads(done.stdout.splitlines()[-1])))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
