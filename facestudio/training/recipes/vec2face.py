"""Recipe of `starter-vec2face`: faces from embedder A's vectors in one pass, by one step of the prior (networks/at_once.py).

What a vector and an appearance leave open would be averaged, which is blur, unless somebody decides it. The prior does: it begins
at what the linear path draws, under noise that is the same for everybody, and is led to a picture, guided. So each vector has
one answer, which an update of the prior learns to give in one step; it begins as that of the consistency model. After Luhman
and Luhman, "Knowledge Distillation in Iterative Generative Models", 2021, and Meng et al., "SDEdit", ICLR 2022.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio import checkpoints
from facestudio.diffusion import sampling
from facestudio.faces.loading import fill_network
from facestudio.faces.sketch import sketch
from facestudio.networks.at_once import AtOnce
from facestudio.networks.embedder import DenseFaceNet
from facestudio.networks.people import People
from facestudio.networks.prior import SCHEDULE, unshuffled
from facestudio.training import metrics, teachers
from facestudio.training.appearances import Fitted
from facestudio.training.loop import Settings
from facestudio.training.oracles import Cropper, frozen
from facestudio.training.precision import bfloat16_pays
from facestudio.training.recipes.landmarks import mirrored_order
from facestudio.training.recipes.prior import AUTOENCODER, EMBEDDER
from facestudio.training.standing import PRIOR, Standing

PEOPLE, SLIDERS, LCM = "starter-people", "starter-sliders", "starter-lcm"


class Critic(nn.Module):
    """What the embedder sees in a picture: unit-length map columns at strides 2, 4 and 8, and who it is."""

    def __init__(self, embedder: DenseFaceNet) -> None:
        super().__init__()
        self.stages = nn.ModuleList([embedder.early[:4], embedder.early[4], embedder.early[5]])
        self.rest = nn.Sequential(embedder.early[6], embedder.late, embedder.head)
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Critic:
        """Stays in evaluation mode: the batch normalisations keep their statistics."""
        return super().train(False)

    def maps(self, faces: Tensor) -> tuple[list[Tensor], Tensor]:
        """The map columns of `faces` (B, 3, 112, 112), and the last map as `who` takes it."""
        found = []
        for stage in self.stages:
            faces = stage(faces)
            found.append(functional.normalize(faces.float(), dim=1, eps=1e-4))
        return found, faces

    def who(self, inner: Tensor) -> Tensor:
        """Unit identities (B, D)."""
        return functional.normalize(self.rest(inner).float(), dim=1)


class Recipe(Standing):
    id = "starter-vec2face"
    architecture = "at_once:AtOnce"
    method, goal = "at_once:AtOnce", "create"
    conditioned_on = (EMBEDDER,)
    uses = {"prior": PRIOR, "autoencoder": AUTOENCODER, "sliders": SLIDERS}  # noqa: RUF012  # as config
    belongs_to = (PRIOR, AUTOENCODER, EMBEDDER)
    settings = Settings(
        batch=32,
        lr=5e-4,
        ema=0.995,
        weight_decay=0.0,
        cooldown=0.5,
        warmup=50,
        validate_minutes=20,
        save_minutes=2.5,
    )
    config: dict[str, Any] = {
        "rank": 16,
        "alpha": 16.0,
        "appearance": [24, 72],
        "coarse": 96,
        "length": 22.6,
        "time": 750,
        "guidance": 3.0,
        "lines": 1.0,
    }
    trained_on = "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces, 256 px; identities by starter-embedder-a"
    # those that reach the bars of docs/benchmarks/generation.md: all but glasses, which seldom come off
    offered = (
        *("age", "gender", "skin", "hair", "beard", "yaw", "pitch"),
        *("smile", "mouth", "brightness", "side"),
    )
    noise_seed = 0
    steps = 6  # of the prior in a lesson
    uses_of_each = 12.0  # lesson
    together = 16  # lessons that are given at once
    pool = 8192
    watched, watched_every = 4, 3  # pictures that the critic looks at, and in how many steps it does once
    perceptual_weight = 0.3
    identity_weight = 0.05
    shift = 3  # px that a picture may be moved before the critic looks

    def __init__(self, root: Path, cache: Path) -> None:
        super().__init__(root, cache)
        self.validation = self.source.validation
        self.images_seen, self.share_seen, self.steps_seen = 0, 0.0, 0

    @cached_property
    def latents(self) -> np.ndarray:
        """(2N, C, h, w) float16 of the faces, each followed by its mirror image."""
        return self.source.tables[0]

    @cached_property
    def people(self) -> np.ndarray:
        """Unit identities (N, D)."""
        return self.source.identities

    @cached_property
    def fitted(self) -> Fitted:
        """The appearances of all faces, and the linear path."""
        return Fitted(
            self.people,
            self.source.landmarks,
            self.latents,
            self.source.loud.numpy(),
            self.training,
            mirrored_order()[:68],
            self.faces.pixels.shape[2],
            self.config["appearance"],
            self.config["coarse"],
            self.config["length"],
        )

    @cached_property
    def critic(self) -> Critic:
        return Critic(fill_network(checkpoints.checkpoint(EMBEDDER)))  # type: ignore[arg-type]

    @cached_property
    def drawing(self) -> People:
        return fill_network(checkpoints.checkpoint(PEOPLE)).float()  # type: ignore[return-value]

    @cached_property
    def crops(self) -> Cropper:
        return Cropper()

    def network(self) -> nn.Module:
        network = AtOnce(**self.config)
        self.fitted.fill(network)
        network.noise.copy_(sampling.noise([self.noise_seed], network.drawn)[0])
        network.coarse.requires_grad_(False)  # as it is it is the best linear path
        network.learned.load_state_dict(frozen(LCM).state_dict())
        return network

    @cached_property
    def linear(self) -> AtOnce:
        """A network of which only what was fitted is asked."""
        return self.network().eval().requires_grad_(False)  # type: ignore[return-value]

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        random, size = np.random.default_rng(seed), self.settings.batch
        known: deque[tuple[Tensor, Tensor, Tensor]] = deque(maxlen=self.pool)
        owed = 8.0 * size  # a batch is not to be made of a few lessons
        while True:
            while owed > 0:
                told = torch.from_numpy(self.told(random, self.together))
                lines = self.sketches(told)
                known.extend(zip(told, lines, self.lesson(told, lines), strict=True))
                owed -= self.together
            chosen = random.choice(len(known), size, replace=len(known) < size)
            owed += size / self.uses_of_each
            told, sketch, latents = (torch.stack([known[i][part] for i in chosen]) for part in range(3))
            shift = torch.from_numpy(random.integers(0, 2 * self.shift + 1, 2))
            yield {"told": told, "sketch": sketch, "latents": latents, "shift": shift}

    def told(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Vectors and appearances (count, D + L) float32: of training faces, of people between two of them as another was seen,
        and of people who do not exist, with an appearance as it is drawn in use."""
        appearance, length = self.fitted.appearance, self.config["length"]
        kinds = random.integers(0, 3, count)
        chosen = random.choice(self.training, count)
        faces = self.people[chosen]
        share = random.random((count, 1))
        mixed = (1 - share) * faces + share * self.people[random.choice(self.training, count)]
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        who = np.choose(kinds[:, None], [faces, mixed, self.drawn(count, random)])
        sides = random.integers(0, 2, count)
        others = appearance[2 * random.choice(self.training, count) + sides]
        drawn = random.uniform(0.3, 1.2, (count, 1)) * random.standard_normal(others.shape)
        how = np.choose(kinds[:, None], [appearance[2 * chosen + sides], others, drawn])
        return np.concatenate([length * who, how], 1).astype(np.float32)

    def drawn(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Unit identities (count, D) of people who do not exist, as the product draws them."""
        steps = torch.from_numpy(random.standard_normal((count, len(self.drawing.spread)), np.float32))
        return self.drawing(steps * self.drawing.spread).numpy()

    def sketches(self, told: Tensor) -> Tensor:
        """The lines (B, S, h, w) of what is `told` (B, D + L)."""
        points = self.linear.landmarks(told.to(self.linear.noise.device)).cpu().numpy()
        return unshuffled(np.stack([sketch(one.astype(np.float32)) for one in points]))

    @torch.no_grad()
    def lesson(self, told: Tensor, lines: Tensor) -> Tensor:
        """What the guided prior makes of what the linear path draws of `told` (B, D + L) with its `lines` (B, S, h, w): latents
        (B, C, h, w), times `loud`."""
        device = self.prior.loud.device
        told, linear = told.to(device), self.linear.to(device)
        x = linear.begun(self.prior, told)
        who = told[:, : linear.dimensions] / linear.length
        conditions = sampling.Conditions(who, linear.guidance, lines.to(device), linear.lines)
        solver = sampling.scheduler("dpm", SCHEDULE)
        solver.set_timesteps(timesteps=np.linspace(linear.time, 0, self.steps + 1)[:-1].round().astype(int).tolist())
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16_pays(device)):
            predict = sampling.predictor(self.prior, conditions, len(x), device)
            for time in solver.timesteps:
                x = solver.step(predict(x, time.expand(len(x)).to(device)).float(), time, x).prev_sample
        return x.cpu()

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, AtOnce)
        told, truth = batch["told"], batch["latents"]
        prior = self.prior.to(told.device)
        made = network(prior, told, batch["sketch"], partial(network.learned.update, prior))
        error = (made - truth).square().mean()
        loss, terms = error, {"error": error.item(), "perceptual": 0.0, "identity": 0.0}
        self.steps_seen += 1
        if self.steps_seen % self.watched_every == 0:
            some = self.watched
            who = told[:some, : network.dimensions] / network.length
            pictures = self.decode(torch.cat([made[:some], truth[:some]]) / prior.loud[:, None, None])
            seen, cosine = self.watch(pictures[:some], pictures[some:].detach(), who, batch["shift"])
            loss = loss + self.perceptual_weight * seen + self.identity_weight * (1 - cosine).mean()
            found = {"perceptual": seen.item(), "identity": cosine.mean().item()}
            terms |= {name: value * self.watched_every for name, value in found.items()}
        return loss, terms

    def watch(self, made: Tensor, faces: Tensor, wanted: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """The distance of the critic's maps of the pictures `made` (B, 3, 256, 256) to those of `faces`, and the cosines (B,) to
        the identities `wanted` (B, D)."""
        crops, critic = self.moved(self.crops(torch.cat([made, faces])), shift), self.critic.to(made.device)
        with torch.no_grad():
            truth, _ = critic.maps(crops[len(made) :])
        maps, inner = critic.maps(crops[: len(made)])
        apart = [(a - b).square().sum(1).mean() for a, b in zip(maps, truth, strict=True)]
        return torch.stack(apart).mean(), (critic.who(inner) * wanted).sum(1)

    def moved(self, faces: Tensor, shift: Tensor) -> Tensor:
        """`faces`, all moved by the same few pixels, so that the critic is not pleased by a pattern in one place."""
        x, y = shift.tolist()
        padded = functional.pad(faces, (self.shift,) * 4, mode="replicate")
        side = faces.shape[-1]
        return padded[..., y : y + side, x : x + side].contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def validate(self, network: nn.Module, device: torch.device, count: int = 48) -> dict[str, Any]:
        """Of held-out people as they were seen: the error of latents to those of the lesson, of the network, of the consistency
        model that it began as, and of the linear path alone; and the cosine to the photo (judge: the MS1M teacher) of what is
        drawn, of what is drawn with somebody else's appearance, and of the lesson."""
        assert isinstance(network, AtOnce)
        judge = teachers.Ms1m(self.root / "teachers")
        chosen = np.sort(np.random.default_rng(1).permutation(self.validation)[:count])
        who, own = network.length * self.people[chosen], self.fitted.appearance[2 * chosen]
        known = judge(metrics.pixels(self.crops(metrics.tensor(np.stack([self.faces.pixels[i] for i in chosen])))))[0]
        told = {
            "own": torch.from_numpy(np.concatenate([who, own], 1)),
            "others": torch.from_numpy(np.concatenate([who, np.roll(own, 1, 0)], 1)),
        }
        lines = {name: self.sketches(one) for name, one in told.items()}
        prior, parts = self.prior.to(device), range(0, count, 8)
        made = {name: self._drawn(network, one, lines[name], device) for name, one in told.items()}
        first = self._drawn(self.linear.to(device), told["own"], lines["own"], device)
        made["lesson"] = torch.cat([self.lesson(told["own"][n : n + 8], lines["own"][n : n + 8]) for n in parts])
        figures: dict[str, Any] = {"validation_faces": float(len(chosen)), "linear": self.fitted.explained}
        coarse = self.linear.to(device).linear(told["own"].to(device)).cpu()
        for name, latents in (("", made["own"]), ("_first", first), ("_linear", coarse)):
            figures[f"error{name}"] = float((latents - made["lesson"]).square().mean())
        for name, latents in made.items():
            some = (latents[n : n + 8].to(device) / prior.loud[:, None, None] for n in parts)
            pictures = torch.cat([self.autoencoder.to(device).pixels(one) for one in some])
            found = judge(metrics.pixels(self.crops(pictures)))[0]
            figures[f"identity_{name}"] = float((found * known).sum(1).mean())
        figures["calibration.fitted_to"] = self.fitted_to
        figures["calibration.offered"] = list(self.offered)
        return figures

    def _drawn(self, network: AtOnce, told: Tensor, lines: Tensor, device: torch.device) -> Tensor:
        """What `network` draws, its update not merged, on the CPU."""
        predict = partial(network.learned.update, self.prior)
        parts = [
            network(self.prior, some.to(device), seen.to(device), predict)
            for some, seen in zip(told.split(8), lines.split(8), strict=True)
        ]
        return torch.cat(parts).cpu()
