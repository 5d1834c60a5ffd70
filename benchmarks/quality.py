"""Quality of the shipped starter weights, measured again on people that they were not trained on.

    python benchmarks/quality.py --root ../shared [--only detector]

Prints one Markdown table with every figure next to its bar. Needs the training faces (they are not in this repository)
and the `training` extra; the figures in docs/benchmarks/starter.md come from it.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import subprocess
import tempfile
from pathlib import Path

import torch
from rich.console import Console

from facestudio import checkpoints, device
from facestudio.faces.loading import load_network

RECIPES = ("detector", "landmarks", "embedder_a", "embedder_b", "embedder_c", "panel", "estimator")
REDUCED = (
    ("TAR at FAR 1e-3, probe of 32 px (bar for the best of three)", "tar_at_far_1e-03_32px", ">=", 0.65),
    ("TAR at FAR 1e-3, probe of 16 px (bar for the best of three)", "tar_at_far_1e-03_16px", ">=", 0.15),
)
CARRIED = (
    ("FAR that the calibrated 1e-3 gives, at least", "far_of_calibrated_1e-03", ">=", 3e-4),
    ("FAR that the calibrated 1e-3 gives, at most", "far_of_calibrated_1e-03", "<=", 3e-3),
)
# figure, what is asked of it; a pair of figures means the difference of the second and the first
BARS: dict[str, list[tuple[str, str, str, float]]] = {
    "detector": [
        ("recall at IoU 0.5, eyes >= 24 px apart", "recall_0.4", ">=", 0.985),
        ("false faces a photo", "false_a_photo_0.4", "<=", 0.03),
        ("landmark error / eye distance", "landmark_error", "<=", 0.04),
    ],
    "landmarks": [],
    "embedder_a": [("TAR at FAR 1e-3", "tar_at_far_1e-03", ">=", 0.86), *REDUCED, *CARRIED],
    "embedder_b": [("TAR at FAR 1e-3", "tar_at_far_1e-03", ">=", 0.82), *REDUCED, *CARRIED],
    "embedder_c": [("TAR at FAR 1e-3", "tar_at_far_1e-03", ">=", 0.78), *REDUCED, *CARRIED],
    "panel": [
        ("TAR at FAR 1e-3, mean of the three calibrated scores", "tar_at_far_1e-03_abc", ">=", 0.90),
        ("FAR that the calibrated 1e-3 gives, at least", "far_of_calibrated_1e-03_abc", ">=", 3e-4),
        ("FAR that the calibrated 1e-3 gives, at most", "far_of_calibrated_1e-03_abc", "<=", 3e-3),
    ],
    "estimator": [
        ("PSNR gain at scale 4, dB", "psnr_x4", ">=", 1.4),
        ("identity gain at scale 4", "identity_x4", ">=", 0.10),
        ("PSNR gain at scale 8, dB", "psnr_x8", ">=", 1.7),
        ("SSIM gain at scale 8", "ssim_x8", ">=", 0.06),
        ("identity gain at scale 8", "identity_x8", ">=", 0.22),
    ],
}


def gain(figures: dict[str, float], key: str) -> float:
    """A figure, or output minus input where both are measured ("psnr_x4")."""
    if key in figures:
        return figures[key]
    name, _, scale = key.partition("_")
    return figures[f"{name}_output_{scale}"] - figures[f"{name}_input_{scale}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--only", choices=RECIPES, nargs="*", default=RECIPES)
    arguments = parser.parse_args()
    out = Console(soft_wrap=True, highlight=False, markup=False)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    out.print(
        f"{device.describe('cpu')}; torch {torch.__version__}; {datetime.date.today()}; commit {commit.strip()}\n"
    )
    out.print("| weights | figure | measured | bar | met |\n|---|---|---|---|---|")
    for name in arguments.only:
        recipe = importlib.import_module(f"facestudio.training.recipes.{name}").Recipe(arguments.root, arguments.cache)
        if hasattr(recipe, "fit"):  # what is fitted is measured by fitting it again
            with tempfile.TemporaryDirectory() as folder:
                figures = recipe.fit(Path(folder))
        else:
            figures = recipe.validate(load_network(checkpoints.checkpoint(recipe.id), "cpu"), torch.device("cpu"))
        for title, key, sign, bar in BARS[name]:
            value = gain(figures, key)
            met = value >= bar if sign == ">=" else value <= bar
            out.print(f"| {recipe.id} | {title} | {value:.4g} | {sign} {bar:g} | {'yes' if met else 'no'} |")
        for key, value in figures.items():
            if not key.startswith("calibration."):
                out.print(f"| {recipe.id} | {key} | {value:.4g} | | |")


if __name__ == "__main__":
    main()
