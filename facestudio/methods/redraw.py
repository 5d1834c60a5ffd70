"""Redraw: the face is dissolved in noise and drawn anew as somebody who does not exist, in the same pose and the same light.

Papers: Meng et al., "SDEdit", ICLR 2022 (how far a picture is dissolved says how much of it is left); Lugmayr et al., "RePaint",
CVPR 2022 (what is around stays known while the middle is drawn); Wu et al., "Vec2Face", ICLR 2025 (who it becomes is drawn from
the space of identities, apart from who it was). The prior is told the new person, and where the features are. Nothing was
trained for this, so pose and expression are held by the landmarks alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.device import enough_memory
from facestudio.errors import CheckpointMismatch, CheckpointMissing
from facestudio.faces.align import similarity_transform
from facestudio.faces.calibration import threshold_at
from facestudio.faces.face import ARCFACE_112, FFHQ_256, TEMPLATES, AlignedFace, Identity
from facestudio.faces.fringe import fringe
from facestudio.faces.identity import LENIENT_FAR, Embedder
from facestudio.faces.landmarks import LandmarkFinder
from facestudio.faces.loading import load_used
from facestudio.faces.people import IdentitySpace
from facestudio.faces.sketch import sketch
from facestudio.methods.base import Take
from facestudio.methods.carriers import consistent
from facestudio.methods.crops import check_size, features, held, noise_seed
from facestudio.methods.obscuring import area_mask
from facestudio.methods.redraw_options import (
    change_option,
    guidance_option,
    guide_option,
    hair_option,
    lines_option,
    sampler_option,
    steps_option,
    takes_option,
)
from facestudio.photo import to_pixels, to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

    from facestudio.diffusion.difface import Denoiser, Sampling, Schedule
    from facestudio.diffusion.guiding import Oracle

LIGHT = 24.0  # deviation, in pixels, of the blur that leaves the light and the colour of the skin
RIM = 6.0  # deviation, in pixels, of the blur of the mask's edge
RATE = 0.02  # length of a gradient step at most (see diffusion/guiding.Push) with all strength
MARGIN = 0.15  # how far below its threshold a cosine is pushed: to about 0, where strangers are on average


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    change: float = change_option(0.8)
    guidance: float = guidance_option()
    steps: int = steps_option(12)
    guide: float = guide_option()
    lines: float = lines_option()
    sampler: str = sampler_option("dpm")
    takes: int = takes_option(1)
    hair: bool = hair_option()


class Parts(NamedTuple):
    """What a face is drawn anew with.

    Attributes:
        prior, autoencoder: networks (networks/prior.py, networks/autoencoder.py); listener: the embedder that the prior listens
            to; finder: of landmarks; people: whom a face may become; few_steps: the prior for the sampler "lcm", as of
            `methods.carriers.Carrier`, None where it is not here.
    """

    prior: nn.Module
    autoencoder: nn.Module
    listener: Embedder
    finder: LandmarkFinder
    people: IdentitySpace
    few_steps: Callable[[float, float], Any] | None = None

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Parts:
        """The parts of `checkpoint`, which are other checkpoints'; CheckpointError when that cannot be."""
        known = checkpoints.load_manifest()
        prior, autoencoder = (load_used(checkpoint, role, device) for role in ("prior", "autoencoder"))
        listener = Embedder.load(known[checkpoint.uses["embedder"]], device)
        finder = LandmarkFinder.load(known[checkpoint.uses["landmarks"]], device)
        people = IdentitySpace.load(known[checkpoint.uses["people"]], known)
        few_steps = consistent(known[checkpoint.uses["prior"]], prior, device)
        return cls(prior, autoencoder, listener, finder, people, few_steps)


class _Scene(NamedTuple):
    """A crop that is worked on, and what is told of it.

    Attributes:
        aligned: the crop. latents: (1, C, h, w), as the prior deals in them. points: (68, 2), where its features are; lines: the
            same as the prior is told it, (1, S, h, w). skin: how much of each pixel the new face covers, (S, S).
    """

    aligned: AlignedFace
    latents: Tensor
    points: np.ndarray
    lines: Tensor
    skin: np.ndarray

    def laid(self, found: Tensor) -> np.ndarray:
        """The first of `found` (B, 3, S, S) as pixels, and around the face, and where hair hangs into it, the crop's own."""
        drawn = to_pixels(found[:1])[0].astype(np.float32)
        mixed = self.aligned.pixels + self.skin[..., None] * (drawn - self.aligned.pixels)
        pixels: np.ndarray = np.rint(mixed).astype(np.uint8)
        return pixels


class Redraw:
    """The loaded method: its `parts`, on `device`."""

    id = "redraw"
    goal = "change"
    template = FFHQ_256
    Options: type[Any] = Options

    def __init__(self, checkpoint: Checkpoint, parts: Parts, device: str = "cpu") -> None:
        listens, people = parts.listener.id, parts.people
        if listens != people.embedder:
            raise CheckpointMismatch(f"The people of {checkpoint.id} are those of {people.embedder}, not of {listens}.")
        self.checkpoint = checkpoint
        self._prior: Any = parts.prior
        self._autoencoder: Any = parts.autoencoder
        self._listener = parts.listener
        self._finder = parts.finder
        self.people = people
        self._few_steps = parts.few_steps
        self._person: Identity | None = None  # whom every face becomes
        self._device = device

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Redraw:
        """Build and fill everything, which are other checkpoints'; CheckpointError when that cannot be."""
        return cls(checkpoint, Parts.load(checkpoint, device), device)

    def stronger(self, options: Any) -> Any | None:
        """A tenth more of the face dissolved, and when that is all of it, pushed away with all strength; None in the end."""
        if options.change < 1:
            return replace(options, change=min(1.0, round(options.change + 0.1, 2)))
        return replace(options, guide=1.0) if options.guide < 1 else None

    def who(self, aligned: AlignedFace) -> Identity:
        """Who the face in an FFHQ_256 crop is, to the embedder that the prior listens to."""
        return self._listener.embed(aligned.pixels, self.template.points)

    def becoming(self, person: Identity) -> Redraw:
        """The same method, which makes `person`, of `people`, of every face."""
        told = copy.copy(self)
        told._person = person
        return told

    def mask(self, options: Any) -> np.ndarray:
        """How much of the crop is laid over the photo, (256, 256) float32: the face, fading out within it."""
        size = (self.template.size, self.template.size)
        hard = cv2.resize(area_mask("face"), size, interpolation=cv2.INTER_AREA)
        # shrunk before it is blurred, so that it ends where the face does
        inner = cv2.erode(hard, np.ones((3, 3), np.uint8), iterations=round(RIM))
        soft: np.ndarray = np.minimum(cv2.GaussianBlur(inner, (0, 0), RIM), hard)
        return soft

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Draw one FFHQ_256 crop anew; the noise, and whom it becomes if nobody said so, come from its own pixels and `seed`.

        Stops between two calls of the prior. FaceStudioError when nobody can be found who is apart from the face.
        """
        return min(self.takes(aligned, options, progress, seed), key=lambda take: take.moved).crop

    def takes(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> list[Take]:
        """As many as the options say, drawn in the same calls of the prior, each from other noise; of a single one it is not
        measured how far it moved. Of "lcm" each is pushed away when it is asked for."""
        import torch

        from facestudio.diffusion.difface import Sampling
        from facestudio.diffusion.latents import schedule

        check_size(self.id, self.template, aligned)
        chance = noise_seed(aligned.pixels, seed)
        new = self._person or self.people.draw_apart(1, chance, others=[self.who(aligned)])[0]
        sampling = Sampling(round(len(schedule(self._prior)) * options.change), options.steps, options.sampler)
        chances = [chance, *(noise_seed(aligned.pixels, chance + take) for take in range(1, options.takes))]
        # what a consistency model draws before its last step is dissolved again, so pushing it would be for nothing
        late = options.guide if options.sampler == "lcm" else 0.0
        with enough_memory(), torch.inference_mode():
            scene = self._scene(aligned, options)
            if options.guide > 0 and not late:
                parts = [self._latents(scene, new, options, sampling, [one], progress) for one in chances]
                latents = torch.cat(parts)
            else:
                latents = self._latents(scene, new, options, sampling, chances, progress)
            made = [aligned.with_pixels(one) for one in self._pictures(scene, latents)]
        moved = [self._moved(scene, one) for one in made] if len(made) > 1 else [0.0]

        def finished(place: int) -> AlignedFace:
            away = self._away(scene, latents[place, None], late, chances[place], progress)
            return made[place] if away is None else aligned.with_pixels(self._pictures(scene, away)[0])

        return [Take(partial(finished, place) if late else made[place], moved[place]) for place in range(len(made))]

    def _scene(self, aligned: AlignedFace, options: Any) -> _Scene:
        points = self._features(aligned.pixels)
        skin = self.mask(options)
        if options.hair:
            skin = skin * (1 - fringe(aligned.pixels, points, skin))
        latents = self._autoencoder.latents(to_tensor(aligned.pixels).to(self._device)) * self._loud
        return _Scene(aligned, latents, points, self._lines(points), skin)

    @property
    def _loud(self) -> Tensor:
        loud: Tensor = self._prior.loud[:, None, None]
        return loud

    def _latents(
        self,
        scene: _Scene,
        new: Identity,
        options: Any,
        sampling: Sampling,
        chances: Sequence[int],
        progress: Progress,
    ) -> Tensor:
        """`new` drawn in `scene` once for each of `chances`, the noise's seeds, (B, C, h, w); where it is pushed away meanwhile,
        one at a time."""
        from facestudio.diffusion.difface import noises, refine
        from facestudio.diffusion.latents import schedule

        levels, count = schedule(self._prior), len(chances)
        denoise = self._denoiser(new, options, scene, count)
        if options.guide > 0 and options.sampler != "lcm":
            asked = levels.kept(sampling.places(levels))
            denoise = self._guided(denoise, asked, options.guide, scene, chances[0], progress)

        def shown(x: Tensor) -> np.ndarray:
            return self._pictures(scene, x[:1])[0]

        noise = noises(chances, tuple(scene.latents.shape[1:]), self._device)
        more: dict[str, Any] = {"schedule": levels, "clamp": None, "progress": progress, "show": shown}
        return refine(denoise, scene.latents.expand(count, -1, -1, -1), sampling, noise, **more)

    def _pictures(self, scene: _Scene, latents: Tensor) -> list[np.ndarray]:
        """The pixels (S, S, 3) that `latents` (B, C, h, w) come to in `scene`."""
        import torch

        with enough_memory(), torch.inference_mode():
            original = to_tensor(scene.aligned.pixels).to(self._device)
            found = held(self._autoencoder.pixels(latents / self._loud), original, LIGHT, scene.skin)
            return [scene.laid(one[None]) for one in found]

    def _moved(self, scene: _Scene, made: AlignedFace) -> float:
        """By how many pixels the features are elsewhere than they were, on average."""
        return float(np.linalg.norm(self._features(made.pixels) - scene.points, axis=1).mean())

    def _denoiser(self, new: Identity, options: Any, scene: _Scene, count: int) -> Denoiser:
        """What tells the noise of `count` latents that, outside of the face, are those of `scene`, and inside are to be `new`."""
        import torch

        from facestudio.diffusion.latents import denoiser
        from facestudio.diffusion.sampling import Conditions, predictor

        known, drawn = scene.latents, _drawn(scene.latents)
        who = torch.from_numpy(np.array(new.embedding, np.float32))[None].to(self._device)
        prior, guidance, strict = self._prior, options.guidance, options.lines
        if options.sampler == "lcm":
            if self._few_steps is None:
                raise CheckpointMissing(f"{self.checkpoint.id} has no consistency model here, which lcm needs.")
            prior, guidance, strict = self._few_steps(guidance, strict), 1.0, 0.0  # which it has learned
        asked, who = self._asked(prior, who, options, scene.lines, known, drawn)
        sketch = scene.lines.expand(count, -1, -1, -1)
        predict = predictor(asked, Conditions(who, guidance, sketch, strict), count, self._device)
        return denoiser(self._prior, predict, lambda clean: torch.lerp(known, clean, drawn))

    def _asked(
        self, prior: Any, who: Tensor, options: Any, lines: Tensor, known: Tensor, drawn: Tensor
    ) -> tuple[Any, Tensor]:
        """What is asked in the place of `prior`, and for whom (1, D); `drawn` (1, 1, h, w) is 1 where the face is drawn anew."""
        return prior, who

    def _guided(
        self, denoise: Denoiser, levels: Schedule, strength: float, scene: _Scene, seed: int, progress: Progress
    ) -> Denoiser:
        """`denoise`, which is asked at `levels`, led away from who the face in `scene` is; `strength` is 0..1."""
        from facestudio.diffusion.guiding import Push, guided

        shown, oracles = self._shown_to(scene), self._oracles(scene)
        push = Push(rate=RATE * strength)
        return guided(denoise, levels, shown, oracles, _drawn(scene.latents), push, seed, progress)

    def _away(self, scene: _Scene, latents: Tensor, strength: float, seed: int, progress: Progress) -> Tensor | None:
        """`latents` (1, C, h, w) led away from who the face in `scene` is; None where the listener does not know it."""
        import torch

        from facestudio.diffusion.guiding import Push, pushed

        with enough_memory():
            shown, oracles = self._shown_to(scene), self._oracles(scene)
            chance = torch.Generator().manual_seed(seed)
            return pushed(latents, shown, oracles, _drawn(scene.latents), Push(rate=RATE * strength), chance, progress)

    def _shown_to(self, scene: _Scene) -> Callable[[Tensor], Tensor]:
        """What makes of latents (1, C, h, w) the picture (1, 3, S, S) that those see who are pushed away from, with gradients."""
        import torch

        with torch.inference_mode(False):  # what was made for inference could take part in no gradient
            original = to_tensor(scene.aligned.pixels).to(self._device)
            weight = torch.from_numpy(scene.skin).to(self._device)
            loud = self._loud.clone()

        def shown(x: Tensor) -> Tensor:
            found = self._autoencoder.pixels(x / loud)
            with torch.no_grad():  # the light is held in the end, and says little of the person
                light = held(found, original, LIGHT, scene.skin) - found
            return torch.lerp(original, found + light, weight)

        return shown

    def _oracles(self, scene: _Scene) -> list[Oracle]:
        import torch

        with torch.inference_mode(False):
            return [self._oracle(one, scene.aligned) for one in self._guides()]

    def _oracle(self, embedder: Embedder, aligned: AlignedFace) -> Oracle:
        """What says whether the face in `aligned` is still known to `embedder`, by the threshold that verifying goes by."""
        import torch

        from facestudio.diffusion.guiding import Oracle

        template = TEMPLATES[getattr(embedder.network, "template", ARCFACE_112.name)]
        frame = similarity_transform(template.points, self.template.points).astype(np.float32)
        who = np.array(embedder.embed(aligned.pixels, self.template.points).embedding)
        below = threshold_at(embedder.checkpoint.calibration, LENIENT_FAR, embedder.id) - MARGIN
        known, place = torch.from_numpy(who).to(self._device), torch.from_numpy(frame).to(self._device)
        return Oracle(embedder.network, place, template.size, known, below)

    def _guides(self) -> list[Embedder]:
        """The recognisers that the face is pushed away from: those that the prior listens to, as they judge nothing.

        CheckpointMismatch when one of them would have a say in whether it was changed enough.
        """
        guides = [self._listener]
        for one in guides:
            if one.id not in self.checkpoint.conditioned_on:
                raise CheckpointMismatch(f"{one.id} would judge what it has guided in {self.checkpoint.id}.")
        return guides

    def _features(self, pixels: np.ndarray) -> np.ndarray:
        """Where the features are in an FFHQ_256 crop, (68, 2)."""
        return features(self._finder, pixels, self.template)

    def _lines(self, points: np.ndarray) -> Tensor:
        """Where the features are, as the prior is told it (1, S, h, w)."""
        from facestudio.networks.prior import FINER, unshuffled

        side = self.template.size
        count = side // self._autoencoder.side * FINER
        return unshuffled(sketch(points, side, count)[None]).to(self._device)


def _drawn(known: Tensor) -> Tensor:
    """Where latents like `known` (1, C, h, w) are drawn anew, (1, 1, h, w) in 0..1."""
    import torch

    inside = cv2.resize(area_mask("face"), known.shape[:1:-1], interpolation=cv2.INTER_AREA)
    return torch.from_numpy(inside)[None, None].to(known)
