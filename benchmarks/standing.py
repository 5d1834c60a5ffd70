"""How often `--turn auto` sets a photo upright that lies on its side or its head, and how often it turns one that stood.

    python benchmarks/standing.py --root ../shared

Prints a Markdown table. The detector's held-out photos, which stand upright, are turned by each quarter turn, as they are and as
an old print might look (half the size, blurred, noisy, grey, JPEG). A photo is set right, left as it lies, or set wrong.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console

from facestudio import device
from facestudio.photo import Photo
from facestudio.studio import Studio
from facestudio.training.degradation import Degradation, degrade
from facestudio.training.recipes.detector import Recipe

OLD = Degradation(sigma=(1.5, 1.5), scale=2.0, noise=12.0, jpeg=60, grey=True, seed=3)
KINDS = {"as they are": None, "like an old print": OLD}
TURNS = (0, 90, 180, 270)  # degrees clockwise, of how the photo lies


def outcome(studio: Studio, upright: Photo, turn: int) -> str:
    """What becomes of the `upright` photo when it lies turned by `turn`."""
    found = studio.standing(upright.turned(turn)).turn
    if (turn + found) % 360 == 0:
        return "upright"
    return "left as it lies" if not found else "set wrong"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--count", type=int, help="of photos; all without it")
    arguments = parser.parse_args()
    recipe = Recipe(arguments.root, arguments.cache)
    photos = [np.ascontiguousarray(recipe.pixels[i]) for i in recipe.validation[: arguments.count]]
    studio = Studio("cpu")
    out = Console(soft_wrap=True, highlight=False, markup=False)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    out.print(f"{device.describe('cpu')}; {datetime.date.today()}; commit {commit.strip()}\n")
    out.print(
        "| photos | lie turned by | of | upright afterwards | left as they lie | set wrong |\n|---|---|---|---|---|---|"
    )
    for kind, damage in KINDS.items():
        for turn in TURNS:
            shown = (Photo(pixels if damage is None else degrade(pixels, damage)) for pixels in photos)
            counts = Counter(outcome(studio, photo, turn) for photo in shown)
            shares = " | ".join(
                f"{counts[what] / len(photos):.3f}" for what in ("upright", "left as it lies", "set wrong")
            )
            out.print(f"| {kind} | {turn}° | {len(photos)} | {shares} |")


if __name__ == "__main__":
    main()
