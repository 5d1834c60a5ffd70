"""`python -m facestudio.training RECIPE --minutes M`: train a starter model; `--export` writes its weights."""

from __future__ import annotations

import importlib
import logging
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from facestudio.errors import UsageError
from facestudio.training import export as exporting
from facestudio.training.loop import blend, train
from facestudio.training.margins import MARGINS, choose

app = typer.Typer(add_completion=False)


@app.command()
def main(
    recipe: Annotated[
        str,
        typer.Argument(help="a module of training/recipes: detector, landmarks, embedder_a, panel, estimator, lafr..."),
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
    mixed: Annotated[
        float | None,
        typer.Option(help="share 0..1 of what was trained, the rest of the weights that ship: their mean is exported"),
    ] = None,
    config: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the network's config, for a trial; may be given again")
    ] = None,
    margin: Annotated[
        str | None,
        typer.Option(
            help=f"margin loss of an embedder, for a trial, instead of the recipe's own: {', '.join(MARGINS)}"
        ),
    ] = None,
    unpg: Annotated[bool, typer.Option(help="pairs of strangers join its denominator (UNPG)")] = False,
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
        for name in ("settings", "on_gpu"):
            if hasattr(made, name):
                setattr(made, name, replace(getattr(made, name), cooldown=cooldown))
    trial = dict(map(setting, config or ()))
    made.config = {**made.config, **trial}
    try:
        loss = choose(made, margin, unpg)
    except UsageError as error:
        raise typer.BadParameter(f"{error} {error.hint}".strip()) from error
    name = "-".join([made.id, *(f"{key}={value}" for key, value in trial.items())]) + loss
    folder = runs / (f"{name}-fit" if hasattr(made, "fit") else name)  # a fit cannot be resumed
    if hasattr(made, "fit"):
        figures = made.fit(folder)
    else:
        figures = train(made, folder, minutes, device, None if fresh else exporting.start(made, weights))
        if mixed is not None:
            blend(folder, weights / f"{made.id}.safetensors", mixed)
            figures = train(made, folder, 0, device)
    if export:
        if hasattr(made, "finish"):
            folder, figures = made.finish(folder)
        exporting.export(made, folder, figures, weights)


def setting(text: str) -> tuple[str, Any]:
    """Name and value of "name=value", whose value is TOML or else a word; typer.BadParameter when it is something else."""
    name, equals, value = text.partition("=")
    if not (name.isidentifier() and equals and value):
        raise typer.BadParameter(f"{text} is not NAME=VALUE")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value


if __name__ == "__main__":
    app()
