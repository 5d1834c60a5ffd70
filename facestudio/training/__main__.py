"""`python -m facestudio.training RECIPE --minutes M`: train a starter model; `--export` writes its weights."""

from __future__ import annotations

import importlib
import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer

from facestudio.training import export as exporting
from facestudio.training.loop import train

app = typer.Typer(add_completion=False)


@app.command()
def main(
    recipe: Annotated[
        str, typer.Argument(help="detector, landmarks, embedder_a, embedder_b, embedder_c, panel or estimator")
    ],
    minutes: Annotated[float, typer.Option(help="how long to train, in minutes")] = 10.0,
    root: Annotated[Path, typer.Option(help="folder with faces/ and teachers/")] = Path("../shared"),
    runs: Annotated[Path, typer.Option(help="folder for checkpoints, logs and the packed data")] = Path("runs"),
    threads: Annotated[int, typer.Option(help="CPU threads; 0 lets torch choose")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    cooldown: Annotated[
        float | None, typer.Option(help="last share of the minutes in which the rate falls; 0 to go on later")
    ] = None,
    fresh: Annotated[
        bool, typer.Option(help="do not go on from the shipped weights when there is no checkpoint")
    ] = False,
    export: Annotated[bool, typer.Option(help="afterwards write the averaged weights to weights/")] = False,
    weights: Annotated[Path, typer.Option(help="folder that holds manifest.toml")] = Path("weights"),
) -> None:
    """Train one starter model, resuming where it stopped. `--minutes 0 --export` only validates and exports.

    What is fitted at once (panel) takes what time it needs; fit it again after any of its embedders.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if threads:
        torch.set_num_threads(threads)
    made = importlib.import_module(f"facestudio.training.recipes.{recipe}").Recipe(root, runs / "cache")
    if cooldown is not None:
        made.settings = replace(made.settings, cooldown=cooldown)
    folder = runs / (f"{made.id}-fit" if hasattr(made, "fit") else made.id)  # a fit cannot be resumed
    if hasattr(made, "fit"):
        figures = made.fit(folder)
    else:
        figures = train(made, folder, minutes, device, None if fresh else exporting.start(made, weights))
    if export:
        exporting.export(made, folder, figures, weights)


if __name__ == "__main__":
    app()
