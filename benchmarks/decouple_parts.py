"""What each part of `starter-decouple`'s training is good for: it is trained without one of them, for a while, and looked at.

    python benchmarks/decouple_parts.py --root ../shared --minutes 10 [--only leak hinge] [--threads 1]

Every run begins with nothing, sees the same batches and takes the same minutes; how many pictures it saw is told.
Held-out faces become other held-out people, drawn from noise alone in 8 steps, with the branch
at full strength, before any verifying; judges as in the recipe. Prints a Markdown table. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import datetime
import logging
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.speed import commit, processor
from facestudio.training.loop import train
from facestudio.training.recipes.decouple import Recipe

# the weights of the loss that are set to nothing
PARTS: dict[str, tuple[str, ...]] = {
    "everything": (),
    "leak": ("leak_weight",),
    "reacts": ("gradient_weight",),
    "hinge": ("hinge_weight",),
    "divergence": ("attribute_weight",),
    "exchange": ("hinge_weight", "person_weight", "structure_weight", "light_weight", "gradient_weight"),
}
SAID = {
    "everything": "with every part",
    "leak": "without the bound on what the attributes tell of the person (CLUB)",
    "reacts": "without the gradient term (the person drawn must not react to the attributes)",
    "hinge": "without the hinge of the oracles",
    "divergence": "without the attribute code's divergence",
    "exchange": "without any look at faces that became somebody else",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if asked.threads:
        torch.set_num_threads(asked.threads)
    say = Console(soft_wrap=True, highlight=False).print
    say(f"{processor()}; {datetime.date.today()}; commit {commit()}; {asked.minutes:g} minutes a run\n")
    say(
        "| | pictures seen | cosine to the original (MS1M) | known to B | landmarks | light | cosine to the new person (A) |"
    )
    say("|---|---|---|---|---|---|---|")
    for part in asked.only:
        recipe = Recipe(asked.root, asked.runs / "cache")
        for weight in PARTS[part]:
            setattr(recipe, weight, 0.0)
        figures = train(recipe, asked.runs / f"parts-{asked.minutes:g}" / part, asked.minutes)
        if part == asked.only[0]:
            say(f"| without the branch | | {row(figures, 'free')}")
        say(f"| {SAID[part]} | {recipe.images_seen:,} | {row(figures, 'held')}")


def row(figures: dict[str, float], way: str) -> str:
    names = ("cosine", "known_to_b", "landmarks", "light", "person")
    found = [figures[f"{name}_{way}"] for name in names]
    return f"{found[0]:.3f} | {found[1]:.0%} | {found[2]:.4f} | {found[3]:.1f} | {found[4]:.3f} |"


if __name__ == "__main__":
    main()
