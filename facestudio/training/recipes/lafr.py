"""Recipe of `starter-lafr`: a codebook adapter for latents of degraded faces, then a low-rank update of the prior with it.

Paper: see networks/lafr.py. Stage 1 trains the adapter on latents alone, but for a look at some decoded faces now and then; stage
2 trains adapter and update on the one step's latents and on some decoded faces: pixels, our embedder A's inner maps, the
person (to the CASIA teacher) and the 68 landmarks (of our finder). Autoencoder and prior stay as they are: the weights belong to
those that they were trained with, whose hashes are exported with them.

Validation asks the MS1M teacher, which takes no part. Embedder A, which judges in the product, was distilled from both teachers
and lends its maps, so that its readout of this restorer may flatter.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.errors import CheckpointMismatch
from facestudio.networks.estimator import EstimatorUNet
from facestudio.networks.lafr import Aligned, CodebookLearner, LAFRNet, one_step
from facestudio.training import data, grid, metrics, teachers
from facestudio.training.clusters import k_means
from facestudio.training.damage import damaged, packed
from facestudio.training.degradation import drawn
from facestudio.training.loop import Settings, Taught
from facestudio.training.oracles import Recogniser, features, frozen, misplaced
from facestudio.training.perceptual import Perceptual
from facestudio.training.recipes.estimator import EMBEDDER, softened
from facestudio.training.standing import AUTOENCODER, PRIOR, Standing

ESTIMATOR, CRITIC = "starter-estimator", EMBEDDER


class Stamp(nn.Module):
    """Which weights a run was begun with: their hashes, kept with it."""

    def __init__(self, hashes: dict[str, str]) -> None:
        super().__init__()
        self.hashes = nn.Buffer(torch.tensor(list(bytes.fromhex("".join(hashes.values()))), dtype=torch.uint8))


class Recipe(Standing):
    id = "starter-lafr"
    architecture = "lafr:LAFRNet"
    method, goal = "lafr:LAFR", "keep"
    settings = Settings(
        batch=8,
        lr=5e-4,
        muon=1e-3,
        warmup=50,
        outer=(
            "heads.",
            "network.update",
            *(f"network.adapter.{name}" for name in ("inward", "outward", "places", "shifts", "gate")),
        ),
        ema=0.998,
        weight_decay=0.0,
        cooldown=0.5,
        validate_minutes=10,
    )
    on_gpu = replace(settings, batch=32, lr=8e-4, muon=1.5e-3)
    config: dict[str, Any] = {
        "time": 100,
        "rank": 16,
        "alpha": 16.0,
        "guess": "estimator",
        "person": True,
        "mode": "gated",
        "codes": 1024,
    }
    trained_on = (
        "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces, 256 px; identity term by a MobileFaceNet trained on "
        "CASIA-WebFace"
    )
    first_stage = 0.25  # share of the minutes
    patience = 200  # steps until a code that nobody uses starts anew
    decoded = 6  # faces of a batch that are decoded; of stage 1 only in every so many steps
    every = 4
    commitment_weight = 0.25
    glance_weight = 0.1  # of decoded pixels in stage 1
    latent_weight = 0.5  # of the latents after the step, and of the aligned ones, in stage 2
    perceptual_weight = 0.3
    identity_weight = 3.0  # likeness is the hardest of what is asked for, and PSNR has room
    softness = 2.5  # px of the blur through which it is judged, as in the estimator's recipe
    structure_weight = 0.5
    crop = 128  # of the decoded faces, that the inner maps are of
    grey = 0.05
    share_seen = 0.0
    images_seen = 0

    @property
    def uses(self) -> dict[str, str]:
        """What the method works with, by its part in it."""
        guess = {"estimator": ESTIMATOR} if self.config["guess"] == "estimator" else {}
        return {"autoencoder": AUTOENCODER, "prior": PRIOR, **guess}

    @property
    def belongs_to(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self.uses.values())

    @property
    def conditioned_on(self) -> tuple[str, ...]:
        """Who must not judge it, since it listens to them: with the estimator, to its onlooker."""
        return (EMBEDDER,) if self.config["guess"] == "estimator" else ()

    @cached_property
    def latents(self) -> np.ndarray:
        """(2N, C, h, w) float16: of the faces and their mirror images, as the prior's recipe made them."""
        return self.source.tables[0]

    @cached_property
    def estimator(self) -> EstimatorUNet:
        return frozen(ESTIMATOR)  # type: ignore[return-value]

    @cached_property
    def perceptual(self) -> Perceptual:
        return Perceptual(frozen(CRITIC))  # type: ignore[arg-type]

    @cached_property
    def who(self) -> Recogniser:
        return Recogniser(teachers.Casia(self.root / "teachers"))

    def network(self) -> nn.Module:
        network = LAFRNet(**self.config)
        heads: dict[str, nn.Module] = {"stamp": Stamp(self.fitted_to)}
        if network.adapter.mode != "none":
            codes = network.adapter.codebook.codes
            chosen = np.random.default_rng(5).choice(self.training, 160)
            with torch.no_grad():
                features = network.adapter.features(torch.from_numpy(self.latents[2 * chosen].astype(np.float32)))
            codes.copy_(k_means(features.permute(0, 2, 3, 1).flatten(0, 2), len(codes), rounds=8))
            heads["learner"] = CodebookLearner(len(codes), codes.shape[1], patience=self.patience)
        return Taught(network, nn.ModuleDict(heads))

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        _ = self.latents, self.autoencoder  # before any thread needs them
        return data.prefetch(self.batch, seed)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        size = self.settings.batch
        chosen, mirrored = random.choice(self.training, size), random.random(size) < 0.5
        faces = np.stack(
            [self.faces.pixels[i][:, :: -1 if flip else 1] for i, flip in zip(chosen, mirrored, strict=True)]
        )
        return {
            "faces": torch.from_numpy(faces),
            "latents": torch.from_numpy(self.latents[2 * chosen + mirrored].astype(np.float32)),
            "hows": packed([drawn(random) for _ in range(size)], 256),
            "grey": torch.from_numpy(random.random(size) < self.grey),
            "seed": torch.from_numpy(random.integers(2**62, size=1)),
        }

    @torch.no_grad()
    def made(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """(damaged, clean) faces of `batch`, (B, 3, 256, 256) in [-1, 1], and the latents of the clean ones, made where it is."""
        clean, latents, grey = batch["faces"].permute(0, 3, 1, 2).float(), batch["latents"], batch["grey"]
        random = torch.Generator(clean.device).manual_seed(int(batch["seed"]))
        clean = torch.where(grey[:, None, None, None], clean.mean(1, keepdim=True).floor().expand_as(clean), clean)
        bad = damaged(clean, batch["hows"], random) / 127.5 - 1
        clean = clean / 127.5 - 1
        if grey.any():
            latents = latents.clone()
            latents[grey] = self.autoencoder.to(clean.device).latents(clean[grey]).to(latents.dtype)
        return bad, clean, latents

    @torch.no_grad()
    def given(self, bad: Tensor) -> Tensor:
        """The latents that the adapter is given of degraded faces (B, 3, H, W) in [-1, 1]."""
        bad = bad.contiguous(memory_format=torch.channels_last)
        if self.config["guess"] == "estimator":
            bad = self.estimator.to(bad.device)(bad).clamp(-1, 1)
        return self.autoencoder.to(bad.device).latents(bad).float()

    @torch.no_grad()
    def person(self, bad: Tensor) -> Tensor | None:
        """Who the prior is told (B, D) is in the degraded faces (B, 3, H, W); None for nobody."""
        return self.estimator.to(bad.device).person(bad).float() if self.config["person"] else None

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, Taught) and isinstance(network.network, LAFRNet)
        self.check(network)
        bad, faces, clean = self.made(batch)
        made, prior = network.network, self.prior.to(clean.device)
        aligned = made.adapter(self.given(bad))
        loud = prior.loud[:, None, None]
        off = ((aligned.latents - clean) * loud).abs().mean()
        terms = {"aligned": off.item()}
        second = self.share_seen >= self.first_stage or made.adapter.mode == "none"
        loss = self.latent_weight * off if second else off
        if aligned.features is not None:
            apart, used = self.learn(network, aligned, clean)
            loss = loss + self.commitment_weight * apart
            terms |= {"apart": apart.item(), "codes": used, "opening": made.adapter.opening.mean().item()}
        some = slice(self.decoded)
        if second:
            latents = one_step(prior, aligned.latents, made.time, partial(made.update, prior), self.person(bad))
            stepped = ((latents - clean) * loud).abs().mean()
            alike, more = self.alike(self.decode(latents[some]), faces[some])
            loss = loss + self.latent_weight * stepped + alike
            terms |= {"stepped": stepped.item(), **more}
        elif self.images_seen // self.settings.batch % self.every == 0:
            pixel = functional.l1_loss(self.decode(aligned.latents[some]), faces[some])
            loss = loss + self.glance_weight * pixel
        return loss, terms

    def check(self, network: Taught) -> None:
        """CheckpointMismatch when the run was begun with other weights than are here now."""
        stamp = Stamp(self.fitted_to).hashes
        begun = network.heads["stamp"].hashes.cpu()
        if not torch.equal(stamp, begun):
            raise CheckpointMismatch(
                f"This run of {self.id} was begun with other weights of {' or '.join(self.uses.values())} than are here.",
                hint=f"Remove its folder to begin again; with exported weights of {self.id} it goes on from those.",
            )

    def learn(self, network: Taught, aligned: Aligned, clean: Tensor) -> tuple[Tensor, float]:
        """Let the codebook follow `clean` latents; (how far the features are from their codes, in squares a number of a
        latent, share of the codes that this batch used)."""
        adapter: Any = network.network.adapter
        assert aligned.features is not None and aligned.found is not None
        apart = (aligned.features - aligned.found).square().sum(1).mean() / clean.shape[1]
        with torch.no_grad():
            features = adapter.features(clean).float()
        used = network.heads["learner"].learn(adapter.codebook, features)
        return apart, len(used.unique()) / len(adapter.codebook.codes)

    def alike(self, faces: Tensor, clean: Tensor) -> tuple[Tensor, dict[str, float]]:
        """The loss of decoded `faces` (B, 3, H, W) beside the `clean` ones, and its terms."""
        device = faces.device
        x, y = (int(torch.randint(faces.shape[-1] - self.crop + 1, ())) for _ in range(2))
        part = (..., slice(y, y + self.crop), slice(x, x + self.crop))
        with torch.no_grad():
            person, points = self.who(softened(clean, self.softness)), features(self.finder, clean)
        terms = {
            "l1": functional.l1_loss(faces, clean),
            "perceptual": self.perceptual.to(device)(faces[part], clean[part]),
            "person": (1 - (self.who(softened(faces, self.softness)) * person).sum(1)).mean(),
            "structure": misplaced(features(self.finder, faces), points).mean(),
        }
        loss = (
            terms["l1"]
            + self.perceptual_weight * terms["perceptual"]
            + self.identity_weight * terms["person"]
            + self.structure_weight * terms["structure"]
        )
        return loss, {key: value.item() for key, value in terms.items()}

    @torch.no_grad()
    def validate(self, network: nn.Module, device: torch.device, count: int = 96) -> dict[str, Any]:
        """PSNR, SSIM and identity cosine (judge: the MS1M teacher) as of the estimator; how far latents are from the clean
        faces' before and after the adapter; how many codes degraded faces use, and how evenly (perplexity)."""
        assert isinstance(network, LAFRNet)
        prior = copy.deepcopy(self.prior).to(device)
        network.update.merge(prior)
        judge = teachers.Ms1m(self.root / "teachers")
        chosen = grid.held_out_faces(self.faces, count)
        clean = np.stack([self.faces.pixels[i] for i in chosen])
        points = data.landmarks5([self.faces.rows[i] for i in chosen])
        truth, latents = judge.embed_faces(clean, points), self.latents[2 * chosen].astype(np.float32)
        figures: dict[str, Any] = {"validation_faces": float(len(chosen)), "calibration.fitted_to": self.fitted_to}
        used: list[Tensor] = []
        for scale in (4, 8):
            bad = grid.Cell("scale", scale).damaged(clean)
            good, before, after = np.empty_like(bad), [], []
            for start in range(0, len(bad), 8):
                some = slice(start, start + 8)
                x = metrics.tensor(bad[some]).to(device)
                both = torch.cat([x, x.flip(-1)])  # as the method does
                given, who = self.given(both), self.person(both)
                aligned = network.adapter(given)
                made = self.decode(one_step(prior, aligned.latents, network.time, identity=who))
                good[some] = metrics.pixels((made[: len(x)] + made[len(x) :].flip(-1)) / 2)
                wanted, loud = torch.from_numpy(latents[some]).to(device), prior.loud[:, None, None]
                before.append(((given[: len(x)] - wanted) * loud).abs().mean((1, 2, 3)))
                after.append(((aligned.latents[: len(x)] - wanted) * loud).abs().mean((1, 2, 3)))
                used += [] if aligned.chosen is None else [aligned.chosen.flatten()]
            for name, images in (("input", bad), ("output", good)):
                pairs = list(zip(images, clean, strict=True))
                figures[f"psnr_{name}_x{scale}"] = float(np.mean([metrics.psnr(a, b) for a, b in pairs]))
                figures[f"ssim_{name}_x{scale}"] = float(np.mean([metrics.ssim(a, b) for a, b in pairs]))
                figures[f"identity_{name}_x{scale}"] = float((judge.embed_faces(images, points) * truth).sum(1).mean())
            figures[f"latent_given_x{scale}"] = torch.cat(before).mean().item()
            figures[f"latent_aligned_x{scale}"] = torch.cat(after).mean().item()
        if used:
            counts = torch.bincount(torch.cat(used), minlength=len(network.adapter.codebook.codes)).float()
            shares = counts[counts > 0] / counts.sum()
            figures["codes_used"] = (counts > 0).float().mean().item()
            figures["codes_perplexity"] = (-(shares * shares.log()).sum()).exp().item()
            figures["gate"] = network.adapter.opening.mean().item() if network.adapter.mode == "gated" else 0.0
        return figures
