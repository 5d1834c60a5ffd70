"""Recipe of `starter-decouple`: who a face is and the rest of it as two codes, and a branch of the frozen prior for the rest.

The parts of identity-decoupled anonymization (see networks/decouple.py) are losses: v of the prior with both codes of the face,
or with the person's code from another picture; divergence of both codes; the CLUB bound of what the attributes tell of the
person; that the person drawn does not react to the attributes (the gradient, by a difference along a random direction); and,
with somebody else's code, decoded: a hinge for every oracle whose cosine to the original is not below its impostor threshold,
the new person (embedder A), the same landmarks and light. The oracles here are the CASIA teacher and embedder C. Embedder B,
which verifies in the product as well, and the MS1M teacher, which judges here, take no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio import checkpoints
from facestudio.diffusion.difface import Sampling, noises, refine
from facestudio.diffusion.latents import denoiser, schedule
from facestudio.diffusion.sampling import Conditions, predictor
from facestudio.faces.calibration import threshold_at
from facestudio.methods.obscuring import area_mask
from facestudio.networks.decouple import Code, Decoupler, HoldingPrior, leak, surprise
from facestudio.training import data, metrics, teachers
from facestudio.training.loop import Settings, Taught
from facestudio.training.oracles import (
    Oracle,
    Own,
    Recogniser,
    features,
    frozen,
    impostor_threshold,
    misplaced,
)
from facestudio.training.recipes import prior as prior_recipe
from facestudio.training.standing import AUTOENCODER, LANDMARKS, PRIOR, Standing

LISTENER, ORACLE, OUTSIDE = "starter-embedder-a", "starter-embedder-c", "starter-embedder-b"
FAR = 1e-3  # at which embedder B is asked whether it still knows the person
STRANGERS = 0.1  # the hinge lets go where so many strangers are as alike, as verifying in the product does


class Recipe(Standing):
    id = "starter-decouple"
    architecture = "decouple:Decoupler"
    method, goal = "decouple:Decouple", "change"
    conditioned_on = (LISTENER,)
    belongs_to = (AUTOENCODER, PRIOR)
    uses = {  # noqa: RUF012  # as config
        "prior": PRIOR,
        "autoencoder": AUTOENCODER,
        "embedder": LISTENER,
        "landmarks": LANDMARKS,
        "people": "starter-people",
    }
    settings = Settings(
        batch=16,
        lr=1e-3,
        muon=1e-3,
        warmup=50,
        outer=(
            "heads.",
            "network.identity",
            "network.attributes.inward",
            "network.attributes.outward",
            "network.holder.inward",
            "network.holder.outward",
            "network.holder.tempo",
        ),
        ema=0.998,
        weight_decay=0.0,
        cooldown=0.5,
        validate_minutes=20,
    )
    config: dict[str, Any] = {"code": 4, "width": 96, "blocks": 3, "branch": 2, "hidden": 512}
    trained_on = (
        "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces, 256 px; oracles: a MobileFaceNet trained on CASIA-WebFace, "
        "starter-embedder-c"
    )
    swapped = 4  # faces of a batch that somebody else's code is tried on, decoded, in every so many steps
    every = 2
    of_another_picture = 0.4
    without = 0.1  # of the identity, and of the attributes
    without_sketch = 0.1
    error_weight = 3.0
    identity_weight, attribute_weight = 1e-3, 1e-3  # of the codes' divergence
    leak_weight, swap_weight, code_weight = 0.1, 0.1, 0.1
    gradient_weight, gradient_every, gradient_step = 0.01, 8, 0.5
    margin = 0.05  # of the hinge
    hinge_weight, person_weight, structure_weight, light_weight = 1.0, 0.2, 0.5, 0.5
    times = (750, 1000)  # of the decoded faces: so noisy that hardly anything is left of who it was
    share_seen = 0.0
    images_seen = 0

    @cached_property
    def listener(self) -> Oracle:
        return Own(frozen(LISTENER))

    @cached_property
    def oracles(self) -> list[tuple[Oracle, float]]:
        """The recognisers that take part, and the cosine of each above which it knows the person."""
        casia = Recogniser(teachers.Casia(self.root / "teachers"))
        some = np.random.default_rng(5).choice(self.training, min(800, len(self.training)), replace=False)
        with torch.no_grad():
            known = torch.cat(
                [casia(metrics.tensor(self.faces.pixels[some[i : i + 32]])) for i in range(0, len(some), 32)]
            )
        threshold = impostor_threshold(known, self.faces.identity[some], STRANGERS)
        entry = checkpoints.checkpoint(ORACLE)
        return [(casia, threshold), (Own(frozen(ORACLE)), threshold_at(entry.calibration, STRANGERS, ORACLE))]

    @cached_property
    def drawn(self) -> Tensor:
        """Where the face is drawn anew, of a latent (1, 1, h, w) in 0..1."""
        side = self.config["prior"]["side"]
        return torch.from_numpy(cv2.resize(area_mask("face"), (side, side), interpolation=cv2.INTER_AREA))[None, None]

    def network(self) -> nn.Module:
        wide = self.config["prior"]["dimensions"]
        # of the person's code from the means of the attributes, for the bound alone
        guess = nn.Sequential(nn.Linear(4 * self.config["code"], 128), nn.SiLU(), nn.Linear(128, 2 * wide))
        return Taught(Decoupler(**self.config), nn.ModuleDict({"guess": guess}))

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        _ = self.source.tables, self.source.landmarks, self.oracles  # before any thread needs them
        return data.prefetch(self.batch, seed)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        latents, identities = self.source.tables
        size = self.settings.batch
        chosen, mirrored = random.choice(self.training, size), random.random(size) < 0.5
        others = np.array([self.source.another(i, random) for i in chosen])
        new = random.choice(self.training, self.swapped)
        for place in range(self.swapped):
            while self.faces.identity[new[place]] == self.faces.identity[chosen[place]]:
                new[place] = random.choice(self.training)
        pixels = np.stack(
            [self.faces.pixels[i][:, :: -1 if flip else 1] for i, flip in zip(chosen, mirrored, strict=True)]
        )
        return {
            "latents": torch.from_numpy(latents[2 * chosen + mirrored].astype(np.float32)),
            "sketch": self.source.sketches(chosen, mirrored, np.ones(size, bool)),
            "drawn_as": torch.from_numpy(random.random(size) >= self.without_sketch),
            "identity": torch.from_numpy(identities[chosen]),
            "other": torch.from_numpy(identities[others]),
            "another": torch.from_numpy((others != chosen) & (random.random(size) < self.of_another_picture)),
            "known": torch.from_numpy(random.random(size) >= self.without),
            "held": torch.from_numpy(random.random(size) >= self.without),
            "time": torch.from_numpy(random.integers(0, prior_recipe.STEPS, size)),
            "noise": torch.from_numpy(random.standard_normal((size, *latents.shape[1:]), np.float32)),
            "new": torch.from_numpy(identities[new]),
            "late": torch.from_numpy(random.integers(*self.times, self.swapped)),
            "clean": metrics.tensor(pixels[: self.swapped]),
        }

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, Taught) and isinstance(network.network, Decoupler)
        made, prior = network.network, self.prior.to(batch["latents"].device)
        clean = batch["latents"] * prior.loud[:, None, None]
        lines = batch["sketch"]
        who = made.identity(torch.where(batch["another"][:, None], batch["other"], batch["identity"]))
        own = made.identity(batch["identity"])
        rest = made.attributes(clean, lines)
        code, held = who.drawn(), rest.drawn()
        said = self.said(made, held, clean)
        quiet = [one * batch["held"][:, None, None, None] for one in said]
        alpha = prior.alphas_cumprod[batch["time"]][:, None, None, None]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * batch["noise"]
        # the person's code learns from the decoded faces what the prior makes of it: half of the U-Net needs no gradients here
        conditioning = prior.conditioning(made.identity.embedding(code).detach(), batch["known"])
        told_lines = lines * batch["drawn_as"][:, None, None, None]
        guess = prior(noisy, batch["time"], conditioning, told_lines, made.holder.at(quiet, batch["time"])).float()
        truth = alpha.sqrt() * batch["noise"] - (1 - alpha).sqrt() * clean
        # all times count alike: what the branch is for is decided where there is hardly anything but noise
        error = (guess - truth).square().mean()
        losses = {
            "error": (self.error_weight, error),
            "identity_code": (self.identity_weight, who.divergence().mean()),
            "attribute_code": (self.attribute_weight, rest.divergence().mean()),
            "returned": (self.code_weight, (1 - (made.identity.embedding(code) * batch["identity"]).sum(1)).mean()),
            "pictures": (self.swap_weight, (own.mean - made.identity(batch["other"]).mean).square().mean()),
            "leak": (self.leak_weight * min(1.0, self.share_seen / 0.2), self.leak(network, own, rest)),
            "surprise": (1.0, self.surprise(network, own, rest)),
        }
        if self.images_seen // self.settings.batch % self.every == 0:
            losses |= self.exchanged(made, batch, clean, held)
        return sum((weight * value for weight, value in losses.values()), clean.new_zeros(())), {
            key: value.item() for key, (_, value) in losses.items()
        }

    def said(self, made: Decoupler, held: Tensor, clean: Tensor) -> list[Tensor]:
        """What the branch says of attributes `held` and of what is around the face in `clean` latents."""
        drawn = self.drawn.to(clean.device).expand(len(clean), -1, -1, -1)
        found: list[Tensor] = made.holder(held, clean * (1 - drawn), drawn)
        return found

    @staticmethod
    def gathered(rest: Code) -> Tensor:
        """What the guess of the person is made from (B, 4 * code): the means of the attributes' quarters of the face."""
        return functional.adaptive_avg_pool2d(rest.mean, 2).flatten(1)

    def leak(self, network: Taught, own: Code, rest: Code) -> Tensor:
        """The CLUB bound; gradients reach the attributes alone."""
        guess = network.heads["guess"]
        frozen_guess = {key: value.detach() for key, value in guess.named_parameters()}
        mean, spread = torch.func.functional_call(guess, frozen_guess, (self.gathered(rest),)).float().chunk(2, 1)
        return leak(own.mean.detach(), mean, spread.clamp(-4, 4))

    def surprise(self, network: Taught, own: Code, rest: Code) -> Tensor:
        """What the guess learns by: it alone gets gradients."""
        mean, spread = network.heads["guess"](self.gathered(rest).detach()).float().chunk(2, 1)
        return surprise(own.mean.detach(), mean, spread.clamp(-4, 4))

    def exchanged(
        self, made: Decoupler, batch: dict[str, Tensor], clean: Tensor, held: Tensor
    ) -> dict[str, tuple[float, Tensor]]:
        """The losses of some faces that become somebody else in one step, and their weights."""
        some = slice(self.swapped)
        original = batch["clean"]
        conditioning = self.prior.conditioning(
            made.identity.embedding(made.identity(batch["new"]).mean), torch.ones_like(batch["known"][some])
        )
        draw = partial(self.changed, made, batch, clean[some], conditioning)
        faces = draw(held[some])
        with torch.no_grad():
            points = features(self.finder, original)
            before = [oracle(original) for oracle, _ in self.oracles]
        hinges = [
            ((oracle(faces) * known).sum(1) - threshold + self.margin).clamp(min=0)
            for (oracle, threshold), known in zip(self.oracles, before, strict=True)
        ]
        person = self.listener(faces)
        losses = {
            "hinge": (self.hinge_weight, torch.stack(hinges).sum(0).mean()),
            "person": (self.person_weight, (1 - (person * batch["new"]).sum(1)).mean()),
            "structure": (self.structure_weight, misplaced(features(self.finder, faces), points).mean()),
            "light": (self.light_weight, functional.l1_loss(lit(faces), lit(original))),
        }
        if self.images_seen // self.settings.batch % self.gradient_every == 0:
            aside = torch.randn_like(held[some])
            moved = self.listener(draw(held[some] + self.gradient_step * aside))
            reacts = ((moved - person) / self.gradient_step).square().sum(1).mean()
            losses["reacts"] = (self.gradient_weight * self.gradient_every, reacts)
        return losses

    def changed(
        self, made: Decoupler, batch: dict[str, Tensor], clean: Tensor, conditioning: Tensor, held: Tensor
    ) -> Tensor:
        """Pictures (B, 3, H, W) of the `clean` latents, noisy, that the prior makes under this `conditioning` in one step."""
        time, some = batch["late"], slice(len(clean))
        alpha = self.prior.alphas_cumprod[time][:, None, None, None]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * batch["noise"][some]
        said = made.holder.at(self.said(made, held, clean), time)
        v = self.prior(noisy, time, conditioning, batch["sketch"][some], said).float()
        found = alpha.sqrt() * noisy - (1 - alpha).sqrt() * v
        drawn = self.drawn.to(clean.device)
        return self.decode(torch.lerp(clean, found, drawn) / self.prior.loud[:, None, None])

    @torch.no_grad()
    def validate(self, network: nn.Module, device: torch.device, count: int = 48) -> dict[str, Any]:
        """Held-out faces that become another held-out person, drawn from noise alone in 8 steps, with the branch and without.

        Cosines to the original by the MS1M teacher, and how many embedder B still knows; landmarks in distances of the eyes;
        light, in levels of 255; cosine to the new person by embedder A, which the prior listens to.
        """
        assert isinstance(network, Decoupler)
        latents, identities = self.source.tables
        chosen, new = self.strangers(count)
        judge = teachers.Ms1m(self.root / "teachers")
        points = data.landmarks5([self.faces.rows[i] for i in chosen])
        pixels = np.stack([self.faces.pixels[i] for i in chosen])
        outside = Own(frozen(OUTSIDE))
        threshold = threshold_at(checkpoints.checkpoint(OUTSIDE).calibration, FAR, OUTSIDE)
        flat = np.zeros(len(chosen), int)
        lines = self.source.sketches(chosen, flat, np.ones(len(chosen), bool)).to(device)
        prior = self.prior.to(device)
        clean = torch.from_numpy(latents[2 * chosen].astype(np.float32)).to(device) * prior.loud[:, None, None]
        who = torch.from_numpy(identities[new]).to(device)
        said = self.said(network, network.attributes(clean, lines).mean, clean)
        told_who = network.identity.embedding(network.identity(who).mean)
        figures: dict[str, Any] = {"validation_faces": float(len(chosen)), "calibration.fitted_to": self.fitted_to}
        truth, before = judge.embed_faces(pixels, points), metrics.tensor(pixels)
        for name, holding, person in (
            ("held", HoldingPrior(prior, network.holder, said), told_who),
            ("free", prior, who),
        ):
            predict = predictor(holding, Conditions(person, 3.0, lines), len(clean), device)
            faces = self.redrawn(predict, clean).cpu()
            landmarks = [features(self.finder, x) for x in (faces, before)]
            alike = (outside(faces) * outside(before)).sum(1)
            figures |= {
                f"cosine_{name}": float((judge.embed_faces(metrics.pixels(faces), points) * truth).sum(1).mean()),
                f"known_to_b_{name}": float((alike >= threshold).float().mean()),
                f"landmarks_{name}": float(misplaced(*landmarks).mean()),
                f"light_{name}": float((lit(faces) - lit(before)).abs().mean() * 127.5),
                f"person_{name}": float((self.listener(faces) * who.cpu()).sum(1).mean()),
            }
        return figures

    def strangers(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """`count` held-out faces, those of whole photos where there are any, and for each one of somebody else."""
        held_out = np.random.default_rng(3).permutation(self.source.validation)
        whole = [i for i in held_out if self.faces.rows[i]["source"] == "celeba_wild"]
        chosen = np.array(whole or held_out)[:count]
        people = self.faces.identity
        return chosen, np.array(
            [next(j for j in np.roll(held_out, -k) if people[j] != people[i]) for k, i in enumerate(chosen)]
        )

    def redrawn(self, tell: Callable[[Tensor, Tensor], Tensor], clean: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) of `clean` latents whose faces are drawn from noise alone, in 8 steps, as v is told."""
        levels, drawn = schedule(self.prior), self.drawn.to(clean.device)
        denoise = denoiser(self.prior, tell, lambda found: torch.lerp(clean, found, drawn))
        noise = noises(list(range(len(clean))), tuple(clean.shape[1:]), clean.device)
        made = refine(denoise, clean, Sampling(len(levels), 8, "dpm"), noise, levels, None)
        plain = made / self.prior.loud[:, None, None]
        return torch.cat([self.decode(one).clamp(-1, 1) for one in plain.split(8)])


def lit(faces: Tensor) -> Tensor:
    """The light of `faces` (B, 3, H, W): means of squares of 32 pixels."""
    return functional.avg_pool2d(faces, 32)
