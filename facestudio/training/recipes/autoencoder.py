"""Recipe of `starter-autoencoder`: 256 px faces to latents of 16 x 16 and back.

L1, the distance of our own embedder's inner maps, a small divergence from the normal distribution, and late a patch
discriminator, as for the autoencoders of latent diffusion (Rombach et al., 2022). Some batches decode shrunken latents to
shrunken faces (Kouzelis et al., "EQ-VAE", ICML 2025): latents that scale as pictures do are easier for a prior to learn.
Trains on quarters of faces, which the network, all convolutions, takes as it takes whole ones: four times the steps.
Frozen once something is trained on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio import checkpoints
from facestudio.faces.loading import fill_network
from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.training import data, metrics, teachers
from facestudio.training.loop import Settings, Taught
from facestudio.training.perceptual import PatchDiscriminator, Perceptual, adversarial

CRITIC = "starter-embedder-a"


class Recipe:
    id = "starter-autoencoder"
    architecture = "autoencoder:FaceAutoencoder"
    settings = Settings(
        batch=12,
        lr=1e-4,
        muon=6e-4,
        outer=(
            "heads.",
            "network.vae.encoder.conv_in",
            "network.vae.decoder.conv_out",
            "network.inward",
            "network.outward",
        ),
        ema=0.999,
        weight_decay=0.0,
        cooldown=0.5,
        validate_minutes=10,
    )
    config: dict[str, Any] = {"widths": [48, 96, 192], "blocks": 1, "latent": 16, "unshuffle": 4, "groups": 16}
    trained_on = "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces, 256 px"
    perceptual_weight = 0.1
    divergence_weight = 1e-5
    adversarial_weight = 0.05
    adversarial_from = 200_000  # crops
    crop = 128
    patches = 20_000  # from which the linear path is made
    shrunken = 0.0  # share of batches: the linear code does not scale as pictures do, so none

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.faces = data.faces256(root / "faces", cache)
        self.training, self.validation = data.split(self.faces.identity)
        self.images_seen = 0

    def network(self) -> nn.Module:
        network = FaceAutoencoder(**self.config)
        network.code(self.squares(network.side, self.patches))
        return Taught(network, nn.ModuleDict({"discriminator": PatchDiscriminator()}))

    def squares(self, side: int, count: int) -> Tensor:
        """(count, 3 * side * side) in [-1, 1]: squares of training faces."""
        random = np.random.default_rng(4)
        corners = random.integers(0, self.faces.pixels.shape[1] - side + 1, (count, 2))
        chosen = random.choice(self.training, count)
        pixels = [self.faces.pixels[i, y : y + side, x : x + side] for i, (y, x) in zip(chosen, corners, strict=True)]
        return functional.pixel_unshuffle(metrics.tensor(np.stack(pixels)), side).flatten(1)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        return data.prefetch(self.batch, seed)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        size = self.settings.batch
        chosen = random.choice(self.training, size)
        corners = random.integers(0, self.faces.pixels.shape[1] - self.crop + 1, (size, 2))
        faces = [
            self.faces.pixels[i, y : y + self.crop, x : x + self.crop][:, :: 1 if random.random() < 0.5 else -1]
            for i, (y, x) in zip(chosen, corners, strict=True)
        ]
        kept = 0.5 + 0.25 * random.integers(0, 2) if random.random() < self.shrunken else 1.0
        return {
            "faces": metrics.tensor(np.stack(faces)).contiguous(memory_format=torch.channels_last),
            "kept": torch.full((size,), kept),
        }

    @cached_property
    def perceptual(self) -> Perceptual:
        return Perceptual(fill_network(checkpoints.checkpoint(CRITIC)))  # type: ignore[arg-type]

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, Taught)
        faces = batch["faces"]
        latent = network.network.encode(faces)
        raw = latent.sample()
        if (kept := float(batch["kept"][0])) < 1:
            raw, faces = shrink(raw, kept), shrink(faces, kept)
        guess = network.network.decode(raw).float()
        pixel = functional.l1_loss(guess, faces)
        seen = self.perceptual.to(faces.device)(guess, faces)
        divergence = latent.kl().mean() / latent.mean[0].numel()
        loss = pixel + self.perceptual_weight * seen + self.divergence_weight * divergence
        terms = {"l1": pixel.item(), "perceptual": seen.item(), "divergence": divergence.item()}
        if self.images_seen >= self.adversarial_from:
            maker, judge = adversarial(network.heads["discriminator"], guess, faces)
            loss = loss + self.adversarial_weight * maker + judge
            terms |= {"maker": maker.item(), "judge": judge.item()}
        return loss, terms

    @torch.inference_mode()
    def validate(self, network: nn.Module, device: torch.device, count: int = 96) -> dict[str, Any]:
        """PSNR, SSIM and identity cosine (judge: the MS1M teacher) of held-out faces through the latent and back.

        Sets the network's `mean` and `spread` from as many training faces, so that what is exported has them.
        """
        self.normalise(network, device, count)
        judge = teachers.Ms1m(self.root / "teachers")
        wild = [i for i in self.validation if self.faces.rows[i]["source"] == "celeba_wild"]
        chosen = np.random.default_rng(1).permutation(wild)[:count]
        clean = np.stack([self.faces.pixels[i] for i in chosen])
        points = data.landmarks5([self.faces.rows[i] for i in chosen])
        again = np.concatenate(
            [
                metrics.pixels(network.pixels(network.latents(metrics.tensor(clean[i : i + 8]).to(device))))
                for i in range(0, len(clean), 8)
            ]
        )
        cosine = (judge.embed_faces(again, points) * judge.embed_faces(clean, points)).sum(axis=1)
        pairs = list(zip(again, clean, strict=True))
        return {
            "validation_faces": float(len(chosen)),
            "psnr": float(np.mean([metrics.psnr(a, b) for a, b in pairs])),
            "ssim": float(np.mean([metrics.ssim(a, b) for a, b in pairs])),
            "identity": float(cosine.mean()),
        }

    def normalise(self, network: nn.Module, device: torch.device, count: int) -> None:
        """Measure mean and standard deviation of each channel of the raw latents on `count` training faces."""
        chosen = np.random.default_rng(2).choice(self.training, count)
        raw = torch.cat(
            [
                network.encode(
                    metrics.tensor(np.stack([self.faces.pixels[i] for i in chosen[n : n + 8]])).to(device)
                ).mode()
                for n in range(0, count, 8)
            ]
        )
        network.mean.copy_(raw.mean((0, 2, 3)))
        network.spread.copy_(raw.std((0, 2, 3)))


def shrink(picture: Tensor, share: float) -> Tensor:
    """`picture` (B, C, H, W) with sides of `share`, smoothed before."""
    return functional.interpolate(picture, scale_factor=share, mode="bilinear", antialias=True)
