"""Recipe of `starter-prior`: latent diffusion of 256 px faces, told who and where, each left out at random.

v-prediction (Salimans and Ho, "Progressive Distillation", 2022) on the cosine schedule, with min-SNR weights (Hang et al.,
"Efficient Diffusion Training via Min-SNR Weighting", ICCV 2023). The identity is embedder A's of the same face, or, now and
then, of another picture of the person, so that it does not carry the pose. Latents, identities and landmarks are made once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from facestudio import checkpoints
from facestudio.faces.loading import fill_network, load_network
from facestudio.faces.sketch import sketch
from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.networks.prior import SCHEDULE, FacePrior, unshuffled
from facestudio.training import data, metrics, teachers
from facestudio.training.loop import Settings
from facestudio.training.recipes.landmarks import mirrored_order

AUTOENCODER, EMBEDDER = "starter-autoencoder", "starter-embedder-a"
STEPS: int = SCHEDULE["num_train_timesteps"]


def schedule() -> DDIMScheduler:
    """The noise that the prior is trained with."""
    return DDIMScheduler(**SCHEDULE)


def min_snr(alphas_cumprod: Tensor, time: Tensor, most: float = 5.0) -> Tensor:
    """Weights (B,) of the error of v: min(SNR, most) / (SNR + 1)."""
    ratio = alphas_cumprod[time] / (1 - alphas_cumprod[time])
    return ratio.clamp(max=most) / (ratio + 1)


class Recipe:
    id = "starter-prior"
    architecture = "prior:FacePrior"
    method, goal = "arc2face:Arc2Face", "create"
    conditioned_on = (EMBEDDER,)
    uses = {"autoencoder": AUTOENCODER, "lcm": "starter-lcm"}  # noqa: RUF012  # as config
    settings = Settings(
        batch=32,
        lr=2e-4,
        muon=6e-4,
        outer=("unet.conv_in", "unet.conv_out", "unet.time_embedding", "speak", "nobody"),
        ema=0.9995,
        weight_decay=0.0,
        cooldown=0.3,
        validate_minutes=15,
    )
    config: dict[str, Any] = {
        "latent": 16,
        "side": 16,
        "widths": [128, 192],
        "blocks": 2,
        "heads": 64,
        "words": 4,
        "tongue": 192,
        "dimensions": 512,
        "sketch": 64,
        "axes": 512,
        "groups": 32,
    }
    trained_on = "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces, 256 px; identities by starter-embedder-a"
    ridge = 1e-3  # explains 0.167 of held-out faces' latents; 4e-3 0.138, 1.6e-2 0.103
    without_identity = 0.15
    without_sketch = 0.5
    of_another_picture = 0.3

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.cache = root, cache
        self.faces = data.faces256(root / "faces", cache)
        self.training, self.validation = data.split(self.faces.identity)
        self.alphas_cumprod: Tensor = schedule().alphas_cumprod  # type: ignore[attr-defined]  # set by its constructor
        self.images_seen = 0
        self.order = mirrored_order()[:68]

    def network(self) -> nn.Module:
        network = FacePrior(**self.config)
        network.loud.copy_(self.loud)
        latents, identities = self.tables
        both = np.concatenate([2 * self.training, 2 * self.training + 1])
        network.linear.fit(
            (torch.from_numpy(latents[both].astype(np.float32)) * self.loud[:, None, None]).flatten(1),
            torch.from_numpy(np.tile(identities[self.training], (2, 1))),
            self.ridge,
        )
        return network

    @cached_property
    def autoencoder(self) -> FaceAutoencoder:
        return fill_network(checkpoints.checkpoint(AUTOENCODER))  # type: ignore[return-value]

    @cached_property
    def loud(self) -> Tensor:
        """How much each channel of a latent shows in the picture (C,), by the autoencoder's linear path; 1 on average."""
        shown = self.autoencoder.outward.weight.detach()[:, :, 0, 0].square().sum(0).sqrt() * self.autoencoder.spread
        return (shown / shown.square().mean().sqrt()).cpu()

    @cached_property
    def landmarks(self) -> np.ndarray:
        """(N, 68, 2) in crop pixels."""
        return np.load(self.root / "faces" / "faces256_landmarks68.npy").astype(np.float32)

    @cached_property
    def tables(self) -> tuple[np.ndarray, np.ndarray]:
        """Latents (2N, C, h, w) float16 of the faces and their mirror images, and identities (N, D), made once."""
        latents = self.cache / f"latents-{self._known(AUTOENCODER)}.npy"
        if not latents.exists():
            self._save(latents, [self._latents(index) for index in range(0, len(self.faces.pixels), 16)])
        return np.load(latents, mmap_mode="r"), self.identities

    @cached_property
    def identities(self) -> np.ndarray:
        """Of the faces to the embedder (N, D), made once."""
        identities = self.cache / f"identities-{self._known(EMBEDDER)}.npy"
        if not identities.exists():
            embedder = load_network(checkpoints.checkpoint(EMBEDDER), "cpu")
            points = data.landmarks5(self.faces.rows)
            found = []
            for start in range(0, len(points), 32):
                rows = range(start, min(start + 32, len(points)))
                crops = np.stack([teachers.crop112(np.asarray(self.faces.pixels[i]), points[i]) for i in rows])
                with torch.inference_mode():
                    found.append(embedder.symmetric(metrics.tensor(crops)).numpy())  # type: ignore[operator]
            self._save(identities, found)
        return np.load(identities)

    @staticmethod
    def _known(id: str) -> str:
        return checkpoints.checkpoint(id).files["weights"].sha256[:12]

    @torch.inference_mode()
    def _latents(self, start: int) -> np.ndarray:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        faces = metrics.tensor(self.faces.pixels[start : start + 16]).to(device)
        both = torch.stack([faces, faces.flip(-1)], 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.autoencoder.to(device).latents(both).half().cpu().numpy()

    @staticmethod
    def _save(path: Path, parts: list[np.ndarray]) -> None:
        partial = path.with_suffix(".part.npy")
        np.save(partial, np.concatenate(parts))
        os.replace(partial, path)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        _ = self.tables, self.landmarks  # before any thread needs them
        return data.prefetch(self.batch, seed)

    def another(self, index: int, random: np.random.Generator) -> int:
        """Another training picture of the person of `index`; itself when there is none."""
        others = self.training[self.faces.identity[self.training] == self.faces.identity[index]]
        return int(random.choice(others)) if len(others) else index

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        latents, identities = self.tables
        size = self.settings.batch
        chosen = random.choice(self.training, size)
        mirrored = random.random(size) < 0.5
        who = [self.another(i, random) if random.random() < self.of_another_picture else i for i in chosen]
        time = torch.from_numpy(random.integers(0, STEPS, size))
        return {
            "latents": torch.from_numpy(latents[2 * chosen + mirrored].astype(np.float32)),
            "sketch": self.sketches(chosen, mirrored, random.random(size) >= self.without_sketch),
            "identity": torch.from_numpy(identities[who]),
            "known": torch.from_numpy(random.random(size) >= self.without_identity),
            "time": time,
            "noise": torch.from_numpy(random.standard_normal((size, *latents.shape[1:]), np.float32)),
        }

    def sketches(self, chosen: np.ndarray, mirrored: np.ndarray, given: np.ndarray) -> Tensor:
        """(B, S, h, w) of the `chosen` faces, zeros where not `given`."""
        drawn = []
        for index, flip, show in zip(chosen, mirrored, given, strict=True):
            points = self.landmarks[index]
            points = (points * [-1, 1] + [255, 0])[self.order] if flip else points
            drawn.append(sketch(points) if show else np.zeros((64, 64, 4), np.float32))
        return unshuffled(np.stack(drawn))

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        error = self.errors(network, batch)
        weight = min_snr(self.alphas_cumprod.to(error.device), batch["time"])
        return (error * weight).mean(), {"error": error.mean().item()}

    def errors(self, network: nn.Module, batch: dict[str, Tensor]) -> Tensor:
        """Mean squared error of v (B,)."""
        clean, noise = batch["latents"] * network.loud[:, None, None], batch["noise"]
        alpha = self.alphas_cumprod.to(clean.device)[batch["time"]][:, None, None, None]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        truth = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
        conditioning = network.conditioning(batch["identity"], batch["known"])
        guess = network(noisy, batch["time"], conditioning, batch["sketch"]).float()
        return (guess - truth).square().mean((1, 2, 3))

    @torch.inference_mode()
    def validate(self, network: nn.Module, device: torch.device, rounds: int = 4) -> dict[str, Any]:
        """Error of v on held-out faces at fixed noise: with identity and sketch, with identity alone, with neither."""
        latents, identities = self.tables
        random = np.random.default_rng(3)
        chosen = self.validation[: 64 * rounds]
        figures: dict[str, Any] = {"validation_faces": float(len(chosen))}
        sums: dict[str, list[float]] = {}
        for start in range(0, len(chosen), 64):
            rows = chosen[start : start + 64]
            flat = np.zeros(len(rows), int)
            common = {
                "latents": torch.from_numpy(latents[2 * rows].astype(np.float32)),
                "identity": torch.from_numpy(identities[rows]),
                "time": torch.from_numpy(random.integers(0, STEPS, len(rows))),
                "noise": torch.from_numpy(random.standard_normal((len(rows), *latents.shape[1:]), np.float32)),
            }
            for name, who, where in (("both", True, True), ("identity", True, False), ("neither", False, False)):
                told = {
                    "known": torch.full((len(rows),), who),
                    "sketch": self.sketches(rows, flat, np.full(len(rows), where)),
                }
                batch = {key: value.to(device) for key, value in {**common, **told}.items()}
                sums.setdefault(name, []).extend(self.errors(network, batch).tolist())
        return figures | {f"error_{name}": float(np.mean(values)) for name, values in sums.items()}
