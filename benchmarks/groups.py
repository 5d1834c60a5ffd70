"""Whether the recognisers mistake some people for one another more often than others, at the thresholds that the product uses.

    python benchmarks/groups.py --root ../shared

Small held-out CelebA faces, the only ones with enough people, by what CelebA calls them. For each group: how often two people of
it are taken for one (the threshold was set to 1e-3 over all), and how often one person of it is known again. Prints a Markdown
table. CelebA says nothing of where people come from, by which the published recognisers differ most.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from benchmarks.speed import commit, processor
from facestudio import checkpoints
from facestudio.faces.calibrating import pairs
from facestudio.faces.calibration import threshold_at
from facestudio.faces.loading import load_network
from facestudio.training import data, metrics
from facestudio.training.identity_data import all_crops

SMALL, FAR = "celeba_small", 1e-3
EMBEDDERS = ("starter-embedder-a", "starter-embedder-b", "starter-embedder-c")
GROUPS = {
    "women": ("Male", -1),
    "men": ("Male", 1),
    "young": ("Young", 1),
    "not young": ("Young", -1),
    "with glasses": ("Eyeglasses", 1),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    asked = parser.parse_args()
    crops, identity, source = all_crops(asked.root, asked.cache)
    table = data.read_rows(asked.root / "faces" / f"{SMALL}.csv")
    held = data.split(identity)[1]
    held = held[source[held] == SMALL]
    rows = [table[index - int(np.flatnonzero(source == SMALL)[0])] for index in held]
    say: Any = Console(soft_wrap=True, highlight=False).print
    say(f"{processor()}; {datetime.date.today()}; commit {commit()}\n")
    found = {}
    for name in EMBEDDERS:
        network: Any = load_network(checkpoints.checkpoint(name), "cpu")
        with torch.inference_mode():
            parts = [
                network.symmetric(metrics.tensor(crops[held[n : n + 32]])).numpy() for n in range(0, len(held), 32)
            ]
        found[name] = np.concatenate(parts)
    heads = " | ".join(f"{name}: mistaken | known again" for name in EMBEDDERS)
    say(f"| both are | faces | people | pairs of two people | {heads} |")
    say("|---|---|---|---|" + "---|---|" * len(EMBEDDERS))
    for group, (column, sign) in {"anybody": ("", 0), **GROUPS}.items():
        those = np.array([not column or sign * int(row[column]) > 0 for row in rows])
        people = identity[held][those]
        cells = []
        for name in EMBEDDERS:
            threshold = threshold_at(checkpoints.checkpoint(name).calibration, FAR, name)
            same, different = pairs(found[name][those], people)
            cells.append(f"{(different >= threshold).mean():.5f} | {(same >= threshold).mean():.3f} ({len(same)})")
        say(f"| {group} | {those.sum()} | {len(set(people))} | {len(different)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
