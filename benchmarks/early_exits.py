"""What the blocks of embedder C say of how recognisable a face is, each by itself: error versus discard.

    python benchmarks/early_exits.py --root ../shared [--lost 128] [--small 300]

Large held-out faces (or so many small ones), undamaged and damaged in three ways (as `starter-panel` is measured), against
undamaged other pictures of the person; C alone knows a pair again at a false accept rate of 1e-2. Of every block: the mean of
its attention before the softmax (ATTN-FIQA), how far its early exit is from those of faces that nobody would recognise, and how
near to what the last block says (EX-FIQA reads quality from such exits). Prints a Markdown table: the share that is not known
once the worst were discarded.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch.nn import functional

from benchmarks.speed import commit, processor
from facestudio import checkpoints
from facestudio.faces.calibration import threshold_at
from facestudio.faces.loading import load_network
from facestudio.training import data, metrics
from facestudio.training.degradation import degrade
from facestudio.training.embedding import WILD
from facestudio.training.identity_data import all_crops
from facestudio.training.recipes.panel import LAX, WATCHED, damages, hopeless
from facestudio.training.rejection import SHARES, missed_after_discarding

BATCH, SMALL = 8, "celeba_small"


@torch.inference_mode()
def seen(network: Any, crops: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of M crops (112, 112, 3) uint8: embeddings (M, D) as the product has them, and of L blocks unit exits (L, M, D) and mean
    attention (L, M)."""
    embeddings, exits, attention = [], [], []
    for start in range(0, len(crops), BATCH):
        x = metrics.tensor(np.stack(crops[start : start + BATCH]))
        found = network.examine(x, range(len(network.blocks)))
        embeddings.append(network.symmetric(x).numpy())
        exits.append(functional.normalize(found.exits, dim=2).numpy())
        attention.append(found.logits.mean((2, 3, 4)).numpy())
    return np.concatenate(embeddings), np.concatenate(exits, 1), np.concatenate(attention, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--small", type=int, default=0, help="so many small CelebA faces instead of the large ones")
    parser.add_argument("--lost", type=int, default=128, help="training faces that are made unrecognisable")
    asked = parser.parse_args()
    entry = checkpoints.checkpoint(WATCHED)
    network, random = load_network(entry, "cpu"), np.random.default_rng(4)
    crops, identity, source = all_crops(asked.root, asked.cache)
    training, held = data.split(identity)
    held = held[source[held] == (SMALL if asked.small else WILD)]
    if asked.small:  # of people with several pictures
        names, counts = np.unique(identity[held], return_counts=True)
        held = held[np.isin(identity[held], names[counts > 1])][: asked.small]
    chosen = np.sort(random.choice(training, asked.lost, replace=False))
    _, lost, _ = seen(network, [hopeless(crops[index], random) for index in chosen])
    whole = seen(network, [crops[index] for index in held])
    harmed = [(n, degrade(crops[index], how)) for n, index in enumerate(held) for how in damages(random)]
    damaged = seen(network, [crop for _, crop in harmed])
    face = np.concatenate([np.arange(len(held)), [n for n, _ in harmed]])
    embeddings, exits, attention = (
        np.concatenate(both, axis) for both, axis in zip(zip(whole, damaged, strict=True), (0, 1, 1), strict=True)
    )
    alike = (identity[held][face][:, None] == identity[held][None]) & (face[:, None] != np.arange(len(held)))
    probe, reference = np.nonzero(alike)
    threshold = threshold_at(entry.calibration, LAX, entry.id)
    known = (embeddings[probe] * whole[0][reference]).sum(1) >= threshold
    say: Any = Console(soft_wrap=True, highlight=False).print
    say(
        f"{processor()}; {datetime.date.today()}; commit {commit()}; {len(held)} faces, {len(face)} probes, {len(probe)} pairs\n"
    )
    say("| block | measure | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |")
    say("|---|---|" + "---|" * len(SHARES))
    centres = lost.mean(1)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    measures = {
        "attention": attention,
        "distance of its exit from the unrecognisable": 1 - np.einsum("lmd,ld->lm", exits, centres),
        "its exit, to the last one": np.einsum("lmd,md->lm", exits, exits[-1]),
    }
    for name, values in measures.items():
        for block, quality in enumerate(values):
            missed = missed_after_discarding(quality[probe], known)
            say(f"| {block + 1} | {name} | " + " | ".join(f"{share:.3f}" for share in missed) + " |")
        mean = ((values - values.mean(1, keepdims=True)) / (values.std(1, keepdims=True) + 1e-9)).mean(0)
        missed = missed_after_discarding(mean[probe], known)
        say(f"| all | {name} | " + " | ".join(f"{share:.3f}" for share in missed) + " |")


if __name__ == "__main__":
    main()
