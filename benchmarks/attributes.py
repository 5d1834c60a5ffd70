"""How well what a face looks like is read, as the tables of a dataset say it (`images.csv`): of held-out faces with labels.

    python benchmarks/attributes.py --root ../shared [--faces 2000]

Small CelebA faces of people whom nothing was trained on. Area under the ROC curve of what is read against CelebA's yes or no.
Prints a Markdown table.
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
from facestudio.faces.face import Identity
from facestudio.faces.loading import load_network
from facestudio.faces.people import IdentitySpace
from facestudio.faces.resemblance import READ, Resemblance
from facestudio.faces.sliders import Sliders
from facestudio.training import data, metrics
from facestudio.training.identity_data import all_crops
from facestudio.training.recipes.sliders import ATTRIBUTES

SMALL = "celeba_small"
LABELS = {**ATTRIBUTES, "hair": ("Blond_Hair", 1)}


def area(values: np.ndarray, yes: np.ndarray) -> float:
    """Share of pairs of one with `yes` (N,) and one without in which the former has the larger of `values` (N,)."""
    places = np.argsort(np.argsort(values))
    count = int(yes.sum())
    return float((places[yes].sum() - count * (count - 1) / 2) / (count * (len(yes) - count)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--faces", type=int, default=2000)
    asked = parser.parse_args()
    known = checkpoints.load_manifest()
    space = IdentitySpace.load(known["starter-people"], known)
    looks = Resemblance(space, Sliders.load(known["starter-sliders"], known), READ)
    crops, identity, source = all_crops(asked.root, asked.cache)
    table = data.read_rows(asked.root / "faces" / f"{SMALL}.csv")
    held = data.split(identity)[1]
    held = held[source[held] == SMALL][: asked.faces]
    rows = [table[index - int(np.flatnonzero(source == SMALL)[0])] for index in held]
    network: Any = load_network(known[space.embedder], "cpu")
    seen = []
    with torch.inference_mode():
        for start in range(0, len(held), 32):
            seen.append(network.symmetric(metrics.tensor(crops[held[start : start + 32]])).numpy())
    named = [looks.named(Identity(one, space.embedder)) for one in np.concatenate(seen)]
    say: Any = Console(soft_wrap=True, highlight=False).print
    say(f"{processor()}; {datetime.date.today()}; commit {commit()}; {len(held)} faces\n")
    say(
        "| attribute | CelebA says | faces with it | area under the curve | mean without | mean with |\n|---|---|---|---|---|---|"
    )
    for name in READ:
        column, sign = LABELS[name]
        yes = np.array([sign * int(row[column]) > 0 for row in rows])
        values = np.array([one[name] for one in named])
        words = column if sign > 0 else f"not {column}"
        means = f"{values[~yes].mean():+.2f} | {values[yes].mean():+.2f}"
        say(f"| {name} | {words} | {yes.sum()} | {area(values, yes):.3f} | {means} |")


if __name__ == "__main__":
    main()
