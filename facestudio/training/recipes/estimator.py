"""Recipe of `starter-estimator`: degraded 256 px crop to clean, PSNR plus an L1 loss of gradients (DifFace's first stage).

Most faces are damaged as photos mostly are (training/degradation.py, damage.py), and bent, tinted or joined of two
(training/variation.py), since the few photographs are learned by heart before the network is done. Embedder A looks on
(networks/onlooker.py): it says what it sees in the damaged face, and is no part of the loss.

The network was grown: it had one block a level for the first 144,000 images. What was added says nothing at first, so it went on
from where it was.

The pixels' loss is PSNR itself, as in HINet (Chen et al., CVPRW 2021): beside L1, which DifFace has and which this had for its
first 204,000 images, as many images gained twice as much, the identity's cosine too (docs/benchmarks/starter.md). From the
234,000th image on it learned on a GPU.

An identity term, the CASIA teacher's (as in GFPGAN, Wang et al. 2021), for some of the faces, judged through a blur, and small
faces (training/small.py), which count at a quarter of the size, can be asked for; the third version of the weights had both,
without the blur, and both cost PSNR. Validation asks the MS1M teacher, whose gradients take no part in training, so that the
figure is not circular. Embedder A, which judges in the product, was distilled from both, so that its readout of this restorer may
flatter a little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio import checkpoints
from facestudio.faces.loading import onlooker
from facestudio.networks.estimator import EstimatorUNet, gradients
from facestudio.training import data, grid, metrics, small, teachers, variation
from facestudio.training.damage import damaged, packed
from facestudio.training.degradation import drawn
from facestudio.training.loop import Settings
from facestudio.training.oracles import Recogniser

EMBEDDER = "starter-embedder-a"
EQUAL = 1e-5  # a squared error below it, of pixels in -1 to 1, counts next to nothing


class Recipe:
    id = "starter-estimator"
    architecture = "estimator:EstimatorUNet"
    method, goal = "quick:Quick", "keep"
    uses = {"embedder": EMBEDDER}  # noqa: RUF012  # as config
    conditioned_on = (EMBEDDER,)
    settings = Settings(
        batch=12,
        lr=2e-4,
        muon=5e-4,
        warmup=30,
        outer=("head", "tail", "places", "told", "seen"),
        ema=0.998,
        weight_decay=0.0,
        cooldown=1.0,
        validate_minutes=20,
    )
    on_gpu = replace(settings, batch=64, lr=4e-4, muon=1e-3, warmup=100)
    config: dict[str, Any] = {
        "widths": [64, 128, 256, 384],
        "blocks": [2, 3, 2, 2],
        "unshuffle": 4,
        "side": 256,
        "attend": [2],
        "onlooker": {"dimensions": 512, "maps": [256, 256]},
    }
    trained_on = (
        "CelebA (in the wild, and aligned small ones), FFHQ, StyleGAN2 and StyleGAN3 faces, up to 256 px; identity term by a "
        "MobileFaceNet trained on CASIA-WebFace"
    )
    gradient_weight = 0.5
    pixel_weight = 0.05  # of the mean logarithm of a face's squared error
    identity_weight = 0.0  # of the identity term
    judged = 3  # faces of a batch, the last ones, whose identity counts
    softness = 2.5  # standard deviation in px of the blur through which they are judged; as they are, they got patterns
    small_ones = 0  # faces of a batch, the last ones, that are small
    varied = True  # whether most of the faces are made others (training/variation.py)
    grey = 0.05  # share of the faces that lose their colours

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.cache = root, cache
        self.faces = data.faces256(root / "faces", cache)
        self.images_seen = 0
        self.training, self.validation = data.split(self.faces.identity)

    @cached_property
    def small_faces(self) -> list[tuple[small.SmallFaces, np.ndarray]]:
        """The sets of small faces, and which of each are to be trained on."""
        sets = [make(self.root / "faces", self.cache) for make in (small.ffhq, small.celeba)]
        return [(faces, data.split(faces.identity)[0]) for faces in sets]

    def network(self) -> nn.Module:
        network = EstimatorUNet(**self.config)
        if network.looked_on:
            network.lend(onlooker(checkpoints.checkpoint(EMBEDDER)))
        return network

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        _ = self.small_ones and self.small_faces  # before any thread needs them
        return data.prefetch(self.batch, seed, workers=2)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        return self.drawn(random)[0]

    def drawn(self, random: np.random.Generator) -> tuple[dict[str, Tensor], list[tuple[int, bool]]]:
        """What `made` makes a batch of, and of each of its faces that is not small the place among the faces and whether it is
        mirrored."""
        which, hows = [], []
        size = self.settings.batch
        faces = np.empty((size, 256, 256, 3), np.uint8)
        for slot in range(size):
            mirrored = bool(random.random() < 0.5)
            if slot < size - self.small_ones:
                index = int(random.choice(self.training))
                pixels, how = self.faces.pixels[index], drawn(random)
                which.append((index, mirrored))
            else:
                some, training = self.small_faces[int(random.integers(len(self.small_faces)))]
                pixels, how = some.enlarged(int(random.choice(training))), small.heavy(random)
            faces[slot] = pixels[:, ::-1] if mirrored else pixels
            hows.append(how)
        batch = {
            "faces": torch.from_numpy(faces),
            "hows": packed(hows, 256),
            "grey": torch.from_numpy(random.random(size) < self.grey),
            "seed": torch.from_numpy(random.integers(2**62, size=1)),
        }
        if self.varied:
            others = self.faces.pixels[np.sort(random.choice(self.training, size, replace=len(self.training) < size))]
            batch["others"] = torch.from_numpy(np.ascontiguousarray(others))
        return batch, which

    @torch.no_grad()
    def made(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(damaged, clean) faces of `batch`, (B, 3, 256, 256) in [-1, 1], made where it is."""
        with torch.autocast(batch["faces"].device.type, enabled=False):
            clean = batch["faces"].permute(0, 3, 1, 2).float().contiguous()
            random = torch.Generator(clean.device).manual_seed(int(batch["seed"]))
            if self.varied:
                clean = self.another(clean, batch["others"].permute(0, 3, 1, 2).float(), random)
            mean = clean.mean(1, keepdim=True).floor().expand_as(clean)
            clean = torch.where(batch["grey"][:, None, None, None], mean, clean)
            return damaged(clean, batch["hows"], random) / 127.5 - 1, clean / 127.5 - 1

    @staticmethod
    def another(faces: Tensor, others: Tensor, random: torch.Generator) -> Tensor:
        """Faces like `faces` (B, 3, 256, 256), or those, as one of five is; some are joined with one of the `others`."""
        made = variation.joined(faces, others, random, 0.3)
        made = variation.tinted(variation.bent(made, random, 0.7), random, 0.5)
        return torch.where(variation.chosen(len(faces), 0.8, random), made, faces)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        bad, clean = self.made(batch)
        guess = network(bad.contiguous(memory_format=torch.channels_last)).float()
        return self.compared(guess, clean)

    def compared(self, guess: Tensor, clean: Tensor) -> tuple[Tensor, dict[str, float]]:
        """The loss of `guess` (B, 3, 256, 256) beside `clean`, and its terms; the last `self.small_ones` are compared small."""
        whole = len(clean) - self.small_ones
        off = self.apart(guess[:whole], clean[:whole]) * whole
        if self.small_ones:
            less = [functional.avg_pool2d(faces[whole:], small.TRUE) for faces in (guess, clean)]
            off = off + self.apart(less[0], less[1]) * self.small_ones
            # nothing but the recogniser would look at what is finer in these, and it can be pleased by patterns that nobody sees
            coarse = [functional.interpolate(faces, scale_factor=float(small.TRUE), mode="bilinear") for faces in less]
            guess, clean = torch.cat([guess[:whole], coarse[0]]), torch.cat([clean[:whole], coarse[1]])
        loss, terms = off / len(clean), {"off": off.item() / len(clean)}
        if self.identity_weight:
            with torch.no_grad():
                person = self.who(softened(clean[-self.judged :], self.softness))
            unlike = (1 - (self.who(softened(guess[-self.judged :], self.softness)) * person).sum(1)).mean()
            loss, terms["apart"] = loss + self.identity_weight * unlike, unlike.item()
        return loss, terms

    def apart(self, guess: Tensor, clean: Tensor) -> Tensor:
        """How far PSNR is from that of equal faces, and L1 of the gradients; 0 for equal faces."""
        edges = sum(functional.l1_loss(a, b) for a, b in zip(gradients(guess), gradients(clean), strict=True))
        squared = (guess - clean).square().mean((1, 2, 3))
        return self.pixel_weight * torch.log1p(squared / EQUAL).mean() + self.gradient_weight * edges

    @cached_property
    def who(self) -> Recogniser:
        return Recogniser(teachers.Casia(self.root / "teachers"))

    def restored(self, network: nn.Module, bad: np.ndarray, places: np.ndarray, device: torch.device) -> np.ndarray:
        """What `network` makes of the degraded faces at `places`, all (N, 256, 256, 3) uint8 RGB."""
        return metrics.pixels(network.symmetric(metrics.tensor(bad).to(device)))  # type: ignore[operator]

    @property
    def fitted_to(self) -> dict[str, str]:
        """The hashes of what the weights work with, and with nothing else."""
        return {name: checkpoints.checkpoint(name).files["weights"].sha256 for name in self.uses.values()}

    @torch.inference_mode()
    def validate(self, network: nn.Module, device: torch.device, count: int = 96) -> dict[str, Any]:
        """PSNR, SSIM and identity cosine (judge: the MS1M teacher) at the project's two fixed degradations."""
        judge = teachers.Ms1m(self.root / "teachers")
        chosen = grid.held_out_faces(self.faces, count)
        clean = np.stack([self.faces.pixels[i] for i in chosen])
        points = data.landmarks5([self.faces.rows[i] for i in chosen])
        truth = judge.embed_faces(clean, points)
        figures: dict[str, Any] = {"validation_faces": float(len(chosen)), "calibration.fitted_to": self.fitted_to}
        for scale in (4, 8):
            bad = grid.Cell("scale", scale).damaged(clean)
            portions = [slice(start, start + 8) for start in range(0, len(bad), 8)]
            good = np.concatenate([self.restored(network, bad[some], chosen[some], device) for some in portions])
            for name, images in (("input", bad), ("output", good)):
                pairs = list(zip(images, clean, strict=True))
                figures[f"psnr_{name}_x{scale}"] = float(np.mean([metrics.psnr(a, b) for a, b in pairs]))
                figures[f"ssim_{name}_x{scale}"] = float(np.mean([metrics.ssim(a, b) for a, b in pairs]))
                cosine = (judge.embed_faces(images, points) * truth).sum(axis=1)
                figures[f"identity_{name}_x{scale}"] = float(cosine.mean())
        return figures


def softened(faces: Tensor, sigma: float) -> Tensor:
    """`faces` (B, 3, H, W) after a Gaussian blur of `sigma` px, as float32, mirrored at the edges; as they are with 0.

    A recogniser that judges them through it is not to be pleased by fine patterns, which people see as dirt.
    """
    if not sigma:
        return faces
    with torch.autocast(faces.device.type, enabled=False):
        down, across = (blur(side, sigma).to(faces.device) for side in faces.shape[2:])
        return down @ faces.float().contiguous() @ across.T


def blur(side: int, sigma: float) -> Tensor:
    """(side, side): what takes a column to the blurred one. As matrices, it takes a tenth of the time of a convolution here."""
    radius = int(3 * sigma + 0.5)
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    mirrored = functional.pad(torch.eye(side)[None], (radius, radius), "reflect")
    return functional.conv1d(mirrored.transpose(0, 1), (weights / weights.sum())[None, None])[:, 0].T.contiguous()
