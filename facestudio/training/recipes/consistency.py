"""Recipe of `starter-lcm`: a low-rank update of the frozen prior that says where noise leads in one step, guidance included.

After Luo et al., "Latent Consistency Models" and "LCM-LoRA", 2023 (see networks/consistency.py). What differs: the guided prior
is solved to the end (DPM-Solver++, some sixteen steps), and every point on the way learns where its own way ended, instead of
asking a moving average of itself a step further on: one way gives sixteen exact lessons, and none waits for another.
People are training identities, or between two of them; both guidances and the number of steps are drawn anew for every few ways.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.diffusion import sampling
from facestudio.networks.consistency import ConsistencyUpdate, FewSteps
from facestudio.networks.prior import SCHEDULE
from facestudio.training.loop import Settings
from facestudio.training.oracles import Own, frozen
from facestudio.training.precision import bfloat16_pays
from facestudio.training.standing import PRIOR, Standing

LISTENER = "starter-embedder-a"
USUAL = 2.0  # guidance of validation, and what pictures are made with
REFERENCE = 20  # steps of what validation compares with
PORTION = 16  # faces that validation draws together


class Way(NamedTuple):
    """A point on the way of the guided prior, and where it ended: x, end (C, h, w), timestep, and what the prior was told.

    The sketch is told louder by how strictly its lines were followed.
    """

    x: Tensor
    end: Tensor
    time: Tensor
    identity: Tensor
    known: Tensor
    guidance: Tensor
    sketch: Tensor


class Recipe(Standing):
    id = "starter-lcm"
    architecture = "consistency:ConsistencyUpdate"
    uses = {"prior": PRIOR}  # noqa: RUF012  # as config
    settings = Settings(
        batch=32, lr=1e-3, warmup=30, ema=0.995, weight_decay=0.0, cooldown=0.6, validate_minutes=60, clip=1.0
    )
    config: dict[str, Any] = {"rank": 16, "alpha": 16.0}
    trained_on = "what starter-prior draws of CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 identities"
    together = 16  # ways that are solved at once
    steps = (12, 20)
    strict = (1.0, 4.0)  # guidance
    strict_lines = (0.0, 2.0)  # the same of the sketch
    between = 0.5  # share of people who are between two of the training faces
    nobody = 0.1
    uses_of_each = 2.0
    pool = 1024
    share_seen = 0.0
    images_seen = 0

    @property
    def latent(self) -> tuple[int, int, int]:
        """Channels, height and width of what the prior draws."""
        prior = self.config["prior"]
        return prior["latent"], prior["side"], prior["side"]

    def network(self) -> nn.Module:
        return ConsistencyUpdate(**self.config)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        random = np.random.default_rng(seed)
        known: deque[Way] = deque(maxlen=self.pool)
        owed = float(min(self.pool // 2, 512))  # a batch is not to be made of one or two ways
        while True:
            while owed > 0:
                ways = self.solved(random)
                known.extend(ways)
                owed -= len(ways)
            chosen = random.choice(len(known), self.settings.batch, replace=len(known) < self.settings.batch)
            owed += self.settings.batch / self.uses_of_each
            some = [known[i] for i in chosen]
            yield {name: torch.stack([getattr(way, name) for way in some]) for name in Way._fields}

    def solved(self, random: np.random.Generator) -> list[Way]:
        """All points on the ways of some new people, at one guidance."""
        people = torch.from_numpy(self.people(random, self.together))
        identities = None if random.random() < self.nobody else people
        chosen = random.choice(self.training, self.together)
        shown = np.full(self.together, random.random() >= self.source.without_sketch)
        sketch = self.source.sketches(chosen, random.random(self.together) < 0.5, shown)
        steps, guidance = int(random.integers(*self.steps, endpoint=True)), float(random.uniform(*self.strict))
        lines = float(random.uniform(*self.strict_lines))
        seeds = random.integers(0, 2**31, self.together).tolist()
        points, times, end = self.way(seeds, identities, guidance, sketch if shown.any() else None, steps, lines)
        louder = sketch * (1 + lines)
        who = torch.zeros(self.together, self.prior.dimensions) if identities is None else identities
        told = partial(torch.full, ())
        return [
            Way(x[n], end[n], time, who[n], told(identities is not None), told(guidance), louder[n])
            for x, time in zip(points, times, strict=True)
            for n in range(self.together)
        ]

    def people(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Unit embeddings (count, D) float32 of training faces, or of somebody between two of them."""
        identities = self.source.identities
        one, other = (identities[random.choice(self.training, count)] for _ in range(2))
        share = np.where(random.random(count) < self.between, random.random(count), 0.0)[:, None]
        mixed = (1 - share) * one + share * other
        return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)

    @torch.no_grad()
    def way(
        self,
        seeds: list[int],
        identities: Tensor | None,
        guidance: float,
        sketch: Tensor | None,
        steps: int,
        lines: float = 0.0,
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Where the guided prior passes on its way from noise: latents (B, C, h, w), timesteps, and the end; on the CPU."""
        device = self.prior.loud.device
        solver = sampling.scheduler("dpm", SCHEDULE)
        solver.set_timesteps(steps)
        x = sampling.noise(seeds, self.latent).to(device)
        who, shown = (None if one is None else one.to(device) for one in (identities, sketch))
        points, times = [], []
        with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16_pays(device)):
            predict = sampling.predictor(self.prior, sampling.Conditions(who, guidance, shown, lines), len(x), device)
            for time in solver.timesteps:
                points.append(x.cpu())
                times.append(time.cpu())
                guess = predict(x, time.expand(len(x)).to(device)).float()
                x = solver.step(guess, time, x).prev_sample
        return points, times, x.cpu()

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, ConsistencyUpdate)
        prior, time = self.prior.to(batch["x"].device), batch["time"]
        conditioning = prior.conditioning(batch["identity"], batch["known"])
        predict = partial(network.update, prior)
        guess = network.v(prior, batch["x"], time, conditioning, batch["guidance"], batch["sketch"], predict).float()
        alpha = prior.alphas_cumprod[time][:, None, None, None]
        # v of the straight way to the end
        truth = (alpha.sqrt() * batch["x"] - batch["end"]) / (1 - alpha).sqrt()
        early = time >= 900
        apart = (guess - truth).square().mean((1, 2, 3))
        ends = ((1 - alpha).sqrt() * (guess - truth)).square().mean((1, 2, 3)).detach()
        terms = {"end": ends.mean().item(), "end_of_noise": (ends * early).sum().item() / max(int(early.sum()), 1)}
        return apart.mean(), terms

    @torch.no_grad()
    def validate(self, network: nn.Module, device: torch.device, count: int = 48) -> dict[str, Any]:
        """Held-out people, drawn from the same noise by the prior in 20 steps and in as few as it can be told, and by the
        consistency model in 1, 2 and 4: how far latents are from the prior's, and cosines to the photo by embedder B."""
        assert isinstance(network, ConsistencyUpdate)
        chosen = self.source.validation[:: max(1, len(self.source.validation) // count)][:count]
        identities = torch.from_numpy(self.source.identities[chosen])
        seeds = [9000 + n for n in range(len(chosen))]
        quick = FewSteps(self.prior, network, USUAL).to(device).eval()
        judge = Own(frozen("starter-embedder-b"))
        real = torch.cat(
            [
                judge(self.decode(torch.from_numpy(self.source.tables[0][2 * i][None].astype(np.float32))))
                for i in chosen
            ]
        )
        *_, ends = self.way(seeds, identities, USUAL, None, REFERENCE)
        figures: dict[str, Any] = {"validation_faces": float(len(chosen)), "calibration.fitted_to": self.fitted_to}
        made = {f"prior_{REFERENCE}": ends, "prior_3": self.way(seeds, identities, USUAL, None, 3)[2]}
        for steps in (1, 2, 4):
            parts = []
            for n in range(0, len(seeds), PORTION):
                some = seeds[n : n + PORTION]
                solver = sampling.scheduler("ddim", SCHEDULE)  # as the product: on along the way, without new noise
                solver.set_timesteps(steps)
                start, who = sampling.noise(some, self.latent), identities[n : n + PORTION]
                parts.append(sampling.draw(quick, solver, start.to(device), sampling.Conditions(who.to(device), 1.0)))
            made[f"steps_{steps}"] = torch.cat(parts).cpu()
            figures[f"error_{steps}"] = functional.mse_loss(made[f"steps_{steps}"], ends).item()
        figures["error_prior_3"] = functional.mse_loss(made["prior_3"], ends).item()
        loud = self.prior.loud.cpu()[:, None, None]
        for name, latents in made.items():
            faces = torch.cat([judge(self.decode((one[None] / loud).to(device))) for one in latents])
            figures[f"identity_{name}"] = (faces * real).sum(1).mean().item()
        return figures
