"""Recipe of `starter-vec2face`: faces from embedder A's vectors in one pass, as latents of our own autoencoder.

All large training faces are drawn again from who they are and how they look just then (networks/vec2face.py): the error of their
latents, and, of a few, the distance of the embedder's inner maps and what the embedder says of the picture. Some are drawn that
nobody has seen, of people as they are drawn in use or of somebody with another's looks: of these who they are counts and, late,
what a discriminator of latents says. What differs from the paper (Wu et al., "Vec2Face", ICLR 2025): nothing is masked, since
looks say what masks leave open, so there is no loss of tokens; latents stand for pixels, our own network's maps for LPIPS.
"""

from __future__ import annotations

import os
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
from facestudio.networks.embedder import DenseFaceNet
from facestudio.networks.people import People
from facestudio.networks.vec2face import Vec2Face
from facestudio.training import metrics, teachers
from facestudio.training.data import prefetch
from facestudio.training.looks import Fitted
from facestudio.training.loop import Settings, Taught
from facestudio.training.oracles import Cropper
from facestudio.training.precision import bfloat16_pays
from facestudio.training.recipes.landmarks import mirrored_order
from facestudio.training.recipes.prior import AUTOENCODER, EMBEDDER
from facestudio.training.standing import Standing

CPU = torch.device("cpu")
PEOPLE, SLIDERS = "starter-people", "starter-sliders"


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


class Discriminator(nn.Module):
    """Real or made: (B, C, 16, 16) to logits (B, 1, 4, 4)."""

    def __init__(self, inputs: int, widths: tuple[int, int, int] = (64, 128, 192)) -> None:
        super().__init__()
        first, second, third = widths
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, first, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(first, second, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(second, third, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(third, 1, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits


def versus(discriminator: nn.Module, made: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(the maker's loss, the discriminator's, its squared steepness), each made one against a true one: Huang et al., "The GAN is
    dead; long live the GAN!", NeurIPS 2024. The first leaves the discriminator without gradients, the others `made`."""
    with torch.autocast(made.device.type, enabled=False):
        true = truth.detach().requires_grad_()
        false = made.detach().requires_grad_()
        real, fake = discriminator(true), discriminator(false)
        pairs = real[torch.arange(len(fake), device=real.device) % len(real)]
        judge = functional.softplus(fake - pairs).mean()
        slopes = torch.autograd.grad(real.sum() + fake.sum(), (true, false), create_graph=True)
        steep = torch.cat(slopes).square().sum((1, 2, 3)).mean()
        frozen: dict[str, Any] = {name: value.detach() for name, value in discriminator.named_parameters()}
        maker = functional.softplus(pairs.detach() - torch.func.functional_call(discriminator, frozen, (made,))).mean()
    return maker, judge, steep


class Recipe(Standing):
    id = "starter-vec2face"
    architecture = "vec2face:Vec2Face"
    method, goal = "vec2face:StarterVec2Face", "create"
    conditioned_on = (EMBEDDER,)
    uses = {"autoencoder": AUTOENCODER, "sliders": SLIDERS}  # noqa: RUF012  # as config
    belongs_to = (AUTOENCODER, EMBEDDER)
    settings = Settings(
        batch=24,
        lr=6e-4,
        muon=7e-4,
        outer=(
            "heads.",
            "network.latent_prior_proj_f",
            "network.token_emb",
            "network.feature_token",
            "network.im_decoder.conv_out",
        ),
        ema=0.998,
        weight_decay=0.0,
        cooldown=0.35,
        warmup=100,
        validate_minutes=15,
        save_minutes=2.5,
    )
    config: dict[str, Any] = {
        "rep_dim": 512,
        "embed_dim": 256,
        "depth": 2,
        "num_heads": 4,
        "decoder_depth": 1,
        "decoder_num_heads": 4,
        "mlp_ratio": 2.0,
        "z_channels": 96,
        "ch": 32,
        "ch_mult": [3, 4],
        "num_res_blocks": 1,
        "mask_ratio_min": 0.0,
        "mask_ratio_max": 0.0,
        "mask_ratio_mu": 0.0,
        "mask_ratio_std": 0.0,
        "looks": [24, 72],
        "latent": 16,
        "side": 8,
        "coarse": 96,
        "length": 22.6,
    }
    trained_on = "CelebA (in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces, 256 px; identities by starter-embedder-a"
    # those that reach the bars of docs/benchmarks/generation.md
    offered: tuple[str, ...] = ()
    unseen = 6  # faces a batch that nobody has seen, beside those that are drawn again
    watched = (1, 3)  # of both kinds, how many become pictures at which the critic looks
    watched_from = 0.0  # of the minutes
    perceptual_weight = 0.3
    identity_weight = 0.3
    adversarial_weight = 0.8
    steepness = 5.0
    adversarial_from = 0.03  # of the minutes
    shift = 3  # px that a picture may be moved before the critic looks

    def __init__(self, root: Path, cache: Path) -> None:
        super().__init__(root, cache)
        self.cache, self.config = cache, dict(type(self).config)
        self.validation = self.source.validation
        self.images_seen, self.share_seen = 0, 0.0

    @cached_property
    def latents(self) -> np.ndarray:
        """(2N, C, h, w) float16 of the faces, each followed by its mirror image, in bfloat16 where that pays; made once."""
        entry = checkpoints.checkpoint(AUTOENCODER)
        target = self.cache / f"latents-bfloat16-{entry.files['weights'].sha256[:12]}.npy"
        if not target.exists():
            found = []
            for start in range(0, len(self.faces.pixels), 8):
                faces = metrics.tensor(np.asarray(self.faces.pixels[start : start + 8]))
                both = torch.stack([faces, faces.flip(-1)], 1).flatten(0, 1)
                with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_pays(CPU)):
                    latents = self.autoencoder.latents(both.contiguous(memory_format=torch.channels_last))
                found.append(latents.half().numpy())
            partial = target.with_suffix(".part.npy")
            np.save(partial, np.concatenate(found))
            os.replace(partial, target)
        return np.load(target, mmap_mode="r")

    @cached_property
    def people(self) -> np.ndarray:
        """Unit identities (N, D)."""
        return self.source.identities

    @cached_property
    def fitted(self) -> Fitted:
        """The looks of all faces, and the linear path."""
        return Fitted(
            self.people,
            self.source.landmarks,
            self.latents,
            self.source.loud.numpy(),
            self.training,
            mirrored_order()[:68],
            self.faces.pixels.shape[2],
            self.config["looks"],
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
        network = Vec2Face(**self.config)
        self.fitted.fill(network)
        nn.init.normal_(network.decoder_pos_embed_learned, std=0.02)
        nn.init.zeros_(network.im_decoder.conv_out.weight)
        nn.init.zeros_(network.im_decoder.conv_out.bias)  # type: ignore[arg-type]
        assert network.coarse is not None
        network.coarse.requires_grad_(False)  # as it is it is the best linear path
        return Taught(network, nn.ModuleDict({"discriminator": Discriminator(2 * self.config["latent"])}))

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        _ = self.fitted, self.drawing, self.critic, self.autoencoder  # before any thread needs them
        return prefetch(self.batch, seed)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        size, looks, length = self.settings.batch, self.fitted.looks, self.config["length"]
        chosen = random.choice(self.training, size)
        rows = 2 * chosen + (random.random(size) < 0.5)
        who = self.people[random.choice(self.training, self.unseen)]
        who[::2] = self.drawn(len(who[::2]), random)
        theirs = looks[2 * random.choice(self.training, self.unseen) + (random.random(self.unseen) < 0.5)]
        few = self.watched[0]
        faces = [self.faces.pixels[row // 2][:, :: -1 if row % 2 else 1] for row in rows[:few]]
        return {
            "told": torch.from_numpy(np.concatenate([length * self.people[chosen], looks[rows]], 1)),
            "latents": torch.from_numpy(self.latents[rows].astype(np.float32)),
            "unseen": torch.from_numpy(np.concatenate([length * who, theirs], 1)),
            "faces": metrics.tensor(np.stack(faces)),
            "shift": torch.from_numpy(random.integers(0, 2 * self.shift + 1, 2)),
        }

    def drawn(self, count: int, random: np.random.Generator) -> np.ndarray:
        """Unit identities (count, D) of people who do not exist, as the product draws them."""
        steps = torch.from_numpy(random.standard_normal((count, len(self.drawing.spread)), np.float32))
        return self.drawing(steps * self.drawing.spread).numpy()

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, Taught)
        told, unseen = batch["told"], batch["unseen"]
        truth = batch["latents"] * network.network.loud[:, None, None]
        made = self.draw(network.network, torch.cat([told, unseen]))
        again, new = made[: len(told)], made[len(told) :]
        error = (again - truth).square().mean()
        loss, terms = error, {"error": error.item(), "perceptual": 0.0, "again": 0.0, "unseen": 0.0, "maker": 0.0}
        if self.share_seen >= self.watched_from:
            few, some = self.watched
            wanted = torch.cat([told[:few], unseen[:some]])[:, : self.config["rep_dim"]] / self.config["length"]
            latents = torch.cat([again[:few], new[:some]]) / network.network.loud[:, None, None]
            seen, cosine = self.watch(self.decode(latents), batch["faces"], wanted, batch["shift"])
            loss = loss + self.perceptual_weight * seen + self.identity_weight * (1 - cosine).mean()
            terms |= {"perceptual": seen.item()}
            terms |= {"again": cosine[:few].mean().item(), "unseen": cosine[few:].mean().item()}
        if self.share_seen >= self.adversarial_from:
            with torch.no_grad():
                plain = network.network.linear(torch.cat([told, unseen])).float()
            beside = torch.cat([made, plain], 1), torch.cat([truth, plain[: len(truth)]], 1)
            maker, judge, steep = versus(network.heads["discriminator"], *beside)
            judge = judge + self.steepness / 2 * steep
            # as loud as the error at what is drawn: Esser et al., "Taming Transformers", CVPR 2021
            pulls = [torch.autograd.grad(one, made, retain_graph=True)[0].norm() for one in (error, maker)]
            weight = (pulls[0] / (pulls[1] + 1e-6)).clamp(max=10).detach()
            loss = loss + self.adversarial_weight * weight * maker + judge
            terms |= {"maker": maker.item(), "judge": judge.item(), "steep": steep.item()}
        return loss, {"judge": 0.0, "steep": 0.0, **terms}

    def watch(self, made: Tensor, faces: Tensor, wanted: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """The distance of the critic's maps of the first pictures `made` (B, 3, 256, 256) to those of `faces`, and the cosines
        (B,) of all to the identities `wanted` (B, D)."""
        crops = self.moved(self.crops(torch.cat([made, faces])), shift)
        with torch.no_grad():
            truth, _ = self.critic.maps(crops[len(made) :])
        maps, inner = self.critic.maps(crops[: len(made)])
        apart = [(a[: len(faces)] - b).square().sum(1).mean() for a, b in zip(maps, truth, strict=True)]
        return torch.stack(apart).mean(), (self.critic.who(inner) * wanted).sum(1)

    @staticmethod
    def draw(network: Any, vectors: Tensor) -> Tensor:
        """Latents (B, C, h, w) of `vectors`, `loud` times the autoencoder's; nothing is masked."""
        made: Tensor = network(vectors, vectors.new_zeros(len(vectors), network.places), 0.0)
        return made.float()

    def moved(self, faces: Tensor, shift: Tensor) -> Tensor:
        """`faces`, all moved by the same few pixels, so that the critic is not pleased by a pattern in one place."""
        x, y = shift.tolist()
        padded = functional.pad(faces, (self.shift,) * 4, mode="replicate")
        side = faces.shape[-1]
        return padded[..., y : y + side, x : x + side].contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def validate(self, network: nn.Module, device: torch.device, count: int = 64) -> dict[str, Any]:
        """Of held-out faces: the error of their latents, and the cosine of what is drawn to them (judge: the MS1M teacher), with
        their own looks and with somebody else's."""
        judge = teachers.Ms1m(self.root / "teachers")
        chosen = np.sort(np.random.default_rng(1).permutation(self.validation)[:count])
        who, own = self.config["length"] * self.people[chosen], self.fitted.looks[2 * chosen]
        truth = torch.from_numpy(self.latents[2 * chosen].astype(np.float32)).to(device)
        loud = network.loud[:, None, None]  # type: ignore[index]
        known = judge(metrics.pixels(self.crops(metrics.tensor(np.stack([self.faces.pixels[i] for i in chosen])))))[0]
        figures: dict[str, Any] = {"validation_faces": float(len(chosen)), "linear": self.fitted.explained}
        for name, looks in (("own", own), ("others", np.roll(own, 1, 0))):
            told = torch.from_numpy(np.concatenate([who, looks], 1)).to(device)
            made = self.draw(network, told)
            if name == "own":
                figures["error"] = float((made - truth * loud).square().mean())
            pictures = torch.cat([self.autoencoder.pixels(some / loud) for some in made.split(8)])
            found = judge(metrics.pixels(self.crops(pictures)))[0]
            figures[f"identity_{name}"] = float((found * known).sum(1).mean())
        figures["calibration.fitted_to"] = self.fitted_to
        figures["calibration.offered"] = list(self.offered)
        return figures
