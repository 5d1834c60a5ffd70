"""What DifFace's networks cost at 512 px, and how few steps its samplers need where the right answer is known.

    python benchmarks/difface.py [--root ../shared]

Prints Markdown tables. The networks have random weights: seconds and memory do not depend on them. The samplers run on a
prior that needs no weights: the cosine coefficients of faces, taken to be normal and independent with the spread that those of
training faces have, so the noise in a picture is known exactly. The input is blurred and noisy, and the guess the best one
there is, in the mean of squares. A right sampler then gives each band of frequencies the power that faces have, and of all
such results PSNR should be that of the exact flow. This tells what fewer steps lose, not how good a trained network is.
"""

from __future__ import annotations

import argparse
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from facestudio import device
from facestudio.diffusion.difface import Sampling, linear, noises, refine
from facestudio.networks.difface import DifFaceUNet
from facestudio.networks.swinir import SwinIR
from facestudio.training.data import decode

SIDE, FACES, COEFFICIENTS, PICTURES = 256, 600, 8192, 24
BLUR, NOISE = 4.0, 28 / 255  # deviations: of the blur in pixels, of the noise in [-1, 1]
BANDS = {"low": (0.0, 0.15), "middle": (0.15, 0.5), "high": (0.5, 2.0)}  # shares of the highest frequency
START = 400
SAMPLINGS = (
    *(Sampling(START, 100, "ddim", eta) for eta in (0.0, 0.5, 1.0)),
    *(Sampling(START, steps, "ddim", 0.5) for steps in (50, 20, 10)),
    *(Sampling(START, steps, "dpm") for steps in (20, 15, 10, 8, 5)),
)


def networks(say: Callable[[str], None]) -> None:
    """Seconds and memory of one call of each network for one face of 512 px."""
    say("| network | parameters | wall s | processor s | peak memory of the process so far |\n|---|---|---|---|---|")
    x, at = torch.rand(1, 3, 512, 512), torch.tensor([396])
    for kind in (SwinIR, DifFaceUNet):
        network = kind().eval()
        inputs = (x, at) if kind is DifFaceUNet else (x,)
        walls, works = [], []
        with torch.inference_mode():
            for _ in range(4):
                wall, work = time.perf_counter(), time.process_time()
                network(*inputs)
                walls.append(time.perf_counter() - wall)
                works.append(time.process_time() - work)
        count = sum(parameter.numel() for parameter in network.parameters())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        say(f"| {kind.__name__} | {count / 1e6:.1f} M | {min(walls):.1f} | {min(works):.1f} | {peak:.2f} GiB |")


def spread(archive: Path) -> np.ndarray:
    """Variance of each cosine coefficient (SIDE, SIDE) of grey faces in [-1, 1]."""
    with zipfile.ZipFile(archive) as faces:
        names = sorted(name for name in faces.namelist() if name.endswith((".jpg", ".png", ".webp")))
        chosen = names[:: max(1, len(names) // FACES)]
        grey = [decode(faces.read(name)).astype(np.float32) @ np.float32([0.299, 0.587, 0.114]) for name in chosen]
    return np.maximum(np.var([cv2.dct(one / 127.5 - 1) for one in grey], axis=0), 1e-7)


def samplers(root: Path, say: Callable[[str], None]) -> None:
    """PSNR of each sampler's result and the share of each band's power that it has."""
    variance = spread(root / "faces" / "faces256.zip")
    frequency = np.hypot(*np.mgrid[:SIDE, :SIDE]) / SIDE
    passed = np.exp(-((frequency * np.pi * BLUR) ** 2))  # power that the blur leaves
    known = passed * variance**2 / (passed * variance + NOISE**2)  # the power that the best guess has
    unknown = variance * NOISE**2 / (passed * variance + NOISE**2)
    chosen = np.random.default_rng(0).permutation(SIDE * SIDE)[:COEFFICIENTS]
    tables = (variance, known, unknown)
    of, guessed, left = (torch.tensor(table.ravel()[chosen], dtype=torch.float32) for table in tables)
    generator = torch.Generator().manual_seed(0)
    shape = (1, 1, COEFFICIENTS)
    missing, guess = (torch.randn(PICTURES, *shape, generator=generator) * v.sqrt() for v in (left, guessed))
    clean = guess + missing
    alphas = torch.tensor(linear().alphas_cumprod, dtype=torch.float32)

    def denoise(x: Tensor, at: Tensor) -> Tensor:
        alpha = alphas[at].view(-1, 1, 1, 1)
        return (1 - alpha).sqrt() * x / (alpha * of + 1 - alpha)

    def row(name: str, found: Tensor) -> None:
        psnr = 10 * np.log10(4 / ((found - clean) ** 2).mean().item())
        cells = []
        for low, high in BANDS.values():
            inside = torch.from_numpy((frequency.ravel()[chosen] >= low) & (frequency.ravel()[chosen] < high))
            cells.append(f"{(found[..., inside] ** 2).mean() / (clean[..., inside] ** 2).mean():.2f}")
        say(f"| {name} | {psnr:.2f} | {' | '.join(cells)} |")

    say(f"\n| from step {START} | PSNR | {' | '.join(f'power, {band}' for band in BANDS)} |\n|---|---|---|---|---|")
    row("the guess alone", guess)
    seeds = range(PICTURES)
    alpha = float(alphas[START])
    start = alpha**0.5 * guess + (1 - alpha) ** 0.5 * noises(seeds, shape)()
    row("exact flow", start * (of / (alpha * of + 1 - alpha)).sqrt())
    for sampling in SAMPLINGS:
        name = f"{sampling.sampler}, {sampling.steps} steps" + f", eta {sampling.eta}" * (sampling.sampler == "ddim")
        row(name, refine(denoise, guess, sampling, noises(seeds, shape), clamp=None))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--root", type=Path, help="folder of the training faces; without it only the networks are measured"
    )
    root = parser.parse_args().root
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    say(f"{device.describe('cpu')}, torch {torch.__version__}\n")
    networks(say)
    if root is not None:
        samplers(root, say)


if __name__ == "__main__":
    main()
