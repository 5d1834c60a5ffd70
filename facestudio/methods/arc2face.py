"""Arc2Face: faces of one person, or of nobody, from an identity embedding.

Paper: Papantoniou et al., "Arc2Face: A Foundation Model of Human Faces", ECCV 2024; source foivospar/Arc2Face (MIT; no code
taken): a latent diffusion model whose only words are the embedding. There are two carriers of it (methods/carriers.py): our own
prior at 256 px, which may also be told where the features of the face are, and learned to draw people who do not exist when it is
told nobody; and the published networks at 512 px, which are told a random identity then, and may be shown a pose picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.faces.align import similarity_transform
from facestudio.faces.face import ARCFACE_112, FFHQ_256, FFHQ_512
from facestudio.faces.loading import load_network, load_used
from facestudio.faces.normals import resized
from facestudio.faces.sketch import sketch
from facestudio.methods import carriers
from facestudio.methods.arc2face_options import Options, PublishedOptions
from facestudio.methods.base import Wish, understood
from facestudio.methods.carriers import Carrier
from facestudio.photo import to_pixels
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from facestudio.diffusion.sampling import Lead

PREVIEW = 128  # pixels of a face in a preview
DRAFT = 3  # steps of a draft
QUICKEST = 2  # the same of a consistency model
RATE = 0.01  # length of a step nearer; three times that begins to leave marks


class Arc2Face:
    """The loaded method on a `carrier`, on `device`; of this class on our own one."""

    id = "arc2face"
    goal = "create"
    template = FFHQ_256
    Options: type[Any] = Options
    batch = 8  # faces that are drawn together

    def __init__(self, checkpoint: Checkpoint, carrier: Carrier, device: str = "cpu") -> None:
        self.checkpoint = checkpoint
        self.embedder = next(iter(checkpoint.conditioned_on), "")
        self._carrier = carrier
        self._device = device
        self._recogniser: Any = None

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Self:
        """Build and fill the networks; CheckpointError when that cannot be."""
        return cls(checkpoint, carriers.starter(checkpoint, device), device)

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        """Pictures (S, S, 3) uint8 RGB, one for each of `seeds`; see `Synthesizer`."""
        wishes = understood(self, wish, len(seeds))
        items = list(zip(wishes, seeds, strict=True))
        return run_batched(partial(self._draw, options, progress), items, self.batch, progress, "Drawing faces")

    def draft(self, options: Any) -> Any:
        """`options` with few steps of the sampler that needs the fewest; see `Drafting`."""
        if hasattr(options, "nearer"):
            options = replace(options, nearer=0.0)
        if self._carrier.few_steps is not None:
            return replace(options, steps=QUICKEST, sampler="lcm")
        sampler = "dpm" if options.sampler == "ddim" else options.sampler
        return replace(options, steps=min(options.steps, DRAFT), sampler=sampler)

    def _draw(self, options: Any, progress: Progress, items: list[tuple[Wish, int]]) -> list[np.ndarray]:
        from facestudio.diffusion.sampling import Conditions, draw, noise, scheduler

        carrier = self._carrier
        wishes, seeds = [wish for wish, _ in items], [seed for _, seed in items]
        start = noise(seeds, carrier.latent).to(self._device)
        who, sketch = self._who(wishes, seeds), self._lines(wishes, options)
        prior, guidance = self._prior(options, sketch), options.guidance
        strict = 0.0 if sketch is None else getattr(options, "lines", 0.0)
        sampler = options.sampler
        if sampler == "lcm" and carrier.few_steps is not None:
            # it has learned both guidances, and where the prior's own way ends: on that it stays without new noise
            prior, guidance, strict, sampler = carrier.few_steps(guidance, strict), 1.0, 0.0, "ddim"
        steps = scheduler(sampler, dict(carrier.schedule))
        steps.set_timesteps(options.steps)
        push = self._push(wishes)
        seen = self._sheet if options.steps > DRAFT else None  # a preview takes as long as one of so few steps
        lead = self._lead(items, options, progress)
        latents = draw(
            prior, steps, start, Conditions(who, guidance, sketch, strict), progress, seen, seeds, push, lead
        )
        return list(self._pixels(latents))

    def _lead(self, items: list[tuple[Wish, int]], options: Any, progress: Progress) -> Lead | None:
        """What leads the faces nearer to their people; None where nobody is led."""
        import torch

        from facestudio.diffusion import sampling
        from facestudio.diffusion.nearing import Pull, nearer

        led = [wish.identity is not None for wish, _ in items]
        if options.sampler == "lcm" or not getattr(options, "nearer", 0) or not any(led):
            return None
        pull = Pull(rate=RATE * options.nearer)
        oracles = [self._oracle(wish.identity) if leads else None for (wish, _), leads in zip(items, led, strict=True)]
        chances = [torch.Generator().manual_seed(seed) for _, seed in items]

        def wanted(latents: Tensor) -> Tensor:
            return nearer(latents, self._carrier.decode, oracles, pull.rate, chances, progress)

        return sampling.Lead(wanted, pull.among)

    def _oracle(self, identity: Any) -> Any:
        """What knows the person, for diffusion/nearing.py."""
        import torch

        from facestudio.diffusion.guiding import Oracle

        if self._recogniser is None:
            self._recogniser = load_network(checkpoints.checkpoint(self.embedder), self._device)
        frame = similarity_transform(ARCFACE_112.points, self.template.points).astype(np.float32)
        known = torch.from_numpy(np.array(identity.embedding, np.float32)).to(self._device)
        return Oracle(self._recogniser, torch.from_numpy(frame).to(self._device), ARCFACE_112.size, known, 1.0)

    def _who(self, wishes: list[Wish], seeds: list[int]) -> Tensor | None:
        """The embeddings (B, D) that the prior hears; None for nobody."""
        import torch

        told = [wish.identity.embedding for wish in wishes if wish.identity is not None]
        return torch.from_numpy(np.stack(told).astype(np.float32)).to(self._device) if told else None

    def _prior(self, options: Any, lines: Tensor | None) -> Any:
        """What is drawn from, where the prior sees `lines`, or nothing."""
        return self._carrier.prior

    def _lines(self, wishes: list[Wish], options: Any) -> Tensor | None:
        """The sketches (B, C, h, w) that the prior sees, zeros where nothing is given; None when nothing is given at all."""
        from facestudio.networks.prior import FINER, unshuffled

        if all(wish.landmarks is None for wish in wishes):
            return None
        side = self._carrier.latent[1] * FINER
        drawn: dict[int, np.ndarray] = {}  # of each landmarks once
        for wish in wishes:
            if wish.landmarks is not None and id(wish.landmarks) not in drawn:
                drawn[id(wish.landmarks)] = sketch(wish.landmarks, self.template.size, side)
        blank = np.zeros_like(next(iter(drawn.values())))
        sketches = np.stack([drawn.get(id(wish.landmarks), blank) for wish in wishes])
        return unshuffled(sketches).to(self._device)

    def _push(self, wishes: list[Wish]) -> Tensor | None:
        """How far the latents are pushed (B, C, h, w); None when none is."""
        import torch

        if all(wish.push is None for wish in wishes):
            return None
        still = np.zeros(self._carrier.latent, np.float32)
        pushes = np.stack([still if wish.push is None else wish.push for wish in wishes])
        return torch.from_numpy(pushes).to(self._device)

    def _pixels(self, latents: Tensor) -> np.ndarray:
        """(B, S, S, 3) uint8 RGB."""
        import torch

        with torch.inference_mode():
            return to_pixels(self._carrier.decode(latents))

    def _sheet(self, latents: Tensor) -> np.ndarray:
        """The faces of a batch side by side, each of `PREVIEW` pixels, for a preview (H, W, 3) uint8 RGB."""
        faces = self._pixels(latents)
        stride = max(faces.shape[1] // PREVIEW, 1)
        faces = faces[:, ::stride, ::stride]
        columns = min(len(faces), 4)
        blank = -len(faces) % columns
        faces = np.concatenate([faces, np.zeros((blank, *faces.shape[1:]), np.uint8)])
        rows = faces.reshape(-1, columns, *faces.shape[1:]).transpose(0, 2, 1, 3, 4)
        return rows.reshape(rows.shape[0] * rows.shape[1], -1, 3)


class PublishedArc2Face(Arc2Face):
    """The same on the published networks; it sees no features but pose pictures, and nobody is somebody at random."""

    template = FFHQ_512
    Options: type[Any] = PublishedOptions
    batch = 1  # so that memory does not grow with the number of pictures
    posed_by = "pose"
    _lora: Any = None

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Self:
        """Build and fill the networks; CheckpointError when that cannot be."""
        return cls(checkpoint, carriers.published(checkpoint, device), device)

    def _draw(self, options: Any, progress: Progress, items: list[tuple[Wish, int]]) -> list[np.ndarray]:
        if options.sampler != "lcm":
            return super()._draw(options, progress, items)
        if self._lora is None:
            self._lora = load_used(self.checkpoint, "lcm", self._device)
        quick = replace(options, guidance=1.0)
        with self._lora.on(self._carrier.prior.unet):
            return super()._draw(quick, progress, items)

    def _who(self, wishes: list[Wish], seeds: list[int]) -> Tensor | None:
        """As of Arc2Face, but nobody is a direction at random, which is how recognisers spread people."""
        import torch

        known = super()._who(wishes, seeds)
        if known is not None:
            return known
        random = [np.random.default_rng([seed, 512]).standard_normal(512, np.float32) for seed in seeds]
        return torch.from_numpy(np.stack(random)).to(self._device)

    def _prior(self, options: Any, lines: Tensor | None) -> Any:
        if lines is None or self._carrier.posed is None:
            return self._carrier.prior
        return self._carrier.posed(options.pose_strength)

    def _lines(self, wishes: list[Wish], options: Any) -> Tensor | None:
        """The pose pictures (B, 3, 8h, 8w) in [0, 1]; None where none is given, or it is not held at all. ValueError when only
        some are."""
        import torch

        from facestudio.networks.arc2face import FINER

        if len({wish.pose is None for wish in wishes}) > 1:
            raise ValueError("either all pictures of a batch are shown a pose or none is")
        if wishes[0].pose is None or not options.pose_strength:
            return None
        side = self._carrier.latent[1] * FINER
        shown = np.stack([resized(wish.pose, side) for wish in wishes if wish.pose is not None])
        return torch.from_numpy(shown).permute(0, 3, 1, 2).to(self._device).float() / 255

    def _push(self, wishes: list[Wish]) -> Tensor | None:
        return None
