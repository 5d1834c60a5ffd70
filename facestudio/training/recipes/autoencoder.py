"""Recipe of `starter-autoencoder`: 256 px faces to latents of 16 x 16 and back.

L1, the distance of our own embedder's inner maps, a small divergence from the normal distribution, and late a patch
discriminator, as for the autoencoders of latent diffusion (Rombach et al., 2022). Frozen once something is trained on it.
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
        batch=8,
        lr=4e-4,
        muon=8e-4,
        outer=("heads.", "network.vae.encoder.conv_in", "network.vae.decoder.conv_out"),
        ema=0.999,
        weight_decay=0.0,
        cooldown=0.5,
        validate_minutes=15,
    )
    config: dict[str, Any] = {"widths": [64, 128, 256], "blocks": 1, "latent": 16, "unshuffle": 4, "groups": 16}
    trained_on = "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces, 256 px"
    perceptual_weight = 0.5
    divergence_weight = 1e-5
    adversarial_weight = 0.05
    adversarial_from = 60_000  # images

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.faces = data.faces256(root / "faces", cache)
        self.training, self.validation = data.split(self.faces.identity)
        self.images_seen = 0

    def network(self) -> nn.Module:
        return Taught(FaceAutoencoder(**self.config), nn.ModuleDict({"discriminator": PatchDiscriminator()}))

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        return data.prefetch(self.batch, seed)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        chosen = random.choice(self.training, self.settings.batch)
        faces = [self.faces.pixels[i][:, :: 1 if random.random() < 0.5 else -1] for i in chosen]
        return {"faces": metrics.tensor(np.stack(faces)).contiguous(memory_format=torch.channels_last)}

    @cached_property
    def perceptual(self) -> Perceptual:
        return Perceptual(fill_network(checkpoints.checkpoint(CRITIC)))  # type: ignore[arg-type]

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, Taught)
        faces = batch["faces"]
        latent = network.network.encode(faces)
        guess = network.network.decode(latent.sample()).float()
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
