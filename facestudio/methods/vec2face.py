"""Vec2Face: faces of 112 px from vectors of a recogniser; more of one person from vectors near one another.

Paper: Wu et al., "Vec2Face: Scaling Face Dataset Generation with Loosely Constrained Vectors", ICLR 2025; source HaiyuWu/Vec2Face
(MIT; no code taken). Weights, also of Vec2Face+ without its poses, are those that the authors published. What differs: what is
hidden from the network at random, and by how much, follows from each picture's seed; a person's vector is known by its direction
and gets the length that vectors of this recogniser have. Of the control of attributes only the identity is here.

Our own small weights (networks/vec2face.py) draw in the latents of our autoencoder, whose pictures the face is cut from;
they are told looks besides, and what a seed decides is these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.faces.align import align, inverse, similarity_transform, transform
from facestudio.faces.face import ARCFACE_112, FFHQ_256
from facestudio.faces.loading import load_network, load_used, refuse_others
from facestudio.methods.base import Wish, wishes_of
from facestudio.options import PERSON, PHOTO, option
from facestudio.photo import to_pixels
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 8  # faces that are drawn together
MOST_DRAWS = 1000  # of a rate, until it lies within its bounds
FARTHEST = 3.5  # deviations that a look may be from the middle


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    variety: float = option(
        0.3,
        title="Variety",
        help="How much the pictures of one person differ, and how unlike the person they may become (the standard "
        "deviation of the noise added to the identity vector). The authors use 0.3 to 0.7. No effect without "
        "a photo.",
        needs=PERSON,
        minimum=0.0,
        maximum=1.0,
        step=0.05,
    )
    refine: int = option(
        0,
        title="Refine",
        help="Steps that adjust the identity vector until the recogniser finds the intended person in the picture "
        "(AttrOP). Requires the recogniser's weights.",
        minimum=0,
        maximum=30,
        step=1,
        rare=True,
    )


class Vec2Face:
    """The loaded method; its `network` is networks/vec2face.py, on `device`."""

    id = "vec2face"
    goal = "create"
    template = ARCFACE_112
    Options: type[Any] = Options

    def __init__(self, checkpoint: Checkpoint, network: nn.Module, device: str = "cpu") -> None:
        self.checkpoint = checkpoint
        self.embedder = next(iter(checkpoint.conditioned_on), "")
        self._network: Any = network
        self._device = device
        self._recogniser: Any = None

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Self:
        """Build and fill the network; CheckpointError when that cannot be."""
        return cls(checkpoint, load_network(checkpoint, device), device)

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        """Pictures (112, 112, 3) uint8 RGB, one for each of `seeds`; see `Synthesizer`.

        Stops between two batches, or two steps of refining.
        """
        wishes = wishes_of(wish, len(seeds))
        for one in wishes:
            if one.identity is not None and one.identity.embedder != self.embedder:
                raise ValueError(f"{self.id} understands {self.embedder}, not {one.identity.embedder}")
        draw = partial(self._draw, options, progress)
        return run_batched(draw, list(zip(wishes, seeds, strict=True)), BATCH, progress, "Drawing faces")

    def _draw(self, options: Any, progress: Progress, items: list[tuple[Wish, int]]) -> list[np.ndarray]:
        import torch

        network = self._network
        wishes, seeds = [wish for wish, _ in items], [seed for _, seed in items]
        randoms = [np.random.default_rng([seed, network.dimensions]) for seed in seeds]
        each = zip(wishes, randoms, strict=True)
        drawn = np.stack([_vector(wish, options.variety, network, random) for wish, random in each])
        rates = torch.tensor([_rate(network.rates, random) for random in randoms], device=self._device)
        hidden = self._tensor(np.stack([random.random(network.places, np.float32) for random in randoms]))
        vectors = self._tensor(drawn)
        if options.refine:
            told = [wish.identity.embedding for wish in wishes if wish.identity is not None]
            who = self._tensor(np.stack(told)) if told else vectors
            # one at a time, so that a picture does not depend on what is drawn with it
            singly = zip(vectors.split(1), hidden.split(1), rates.split(1), who.split(1), strict=True)
            vectors = torch.cat([self._refined(*one, options.refine, progress) for one in singly])
        with torch.inference_mode():
            return list(to_pixels(network(vectors, hidden, rates)))

    def _refined(
        self, vector: Tensor, hidden: Tensor, rate: Tensor, who: Tensor, steps: int, progress: Progress
    ) -> Tensor:
        """`vector` (1, D), moved until the recogniser says `who` (1, D) of its picture."""
        from facestudio.networks.attrop import Aim, steer

        if self._recogniser is None:
            self._recogniser = load_network(checkpoints.checkpoint(self.embedder), self._device)
        aim = Aim(self._recogniser, who)
        moved, _ = steer(vector, lambda x: self._network(x, hidden, rate), aim, steps, progress=progress)
        return moved

    def _tensor(self, values: np.ndarray) -> Tensor:
        import torch

        return torch.from_numpy(np.array(values, np.float32)).to(self._device)


@dataclass(frozen=True)
class StarterOptions:
    """What a person may choose of our own weights."""

    looks: float = option(
        0.7,
        title="Looks",
        help="How much pose, expression, light and background differ between pictures: 0 draws every face as people look "
        "on average, 1 as they differ in real photos.",
        minimum=0.0,
        maximum=1.2,
        step=0.05,
    )
    hold_pose: bool = option(
        False,
        title="Hold pose",
        help="Keep the pose and expression of the photo. No effect without a photo.",
        needs=PHOTO,
    )


class StarterVec2Face(Vec2Face):
    """The same on our own small weights, which follow landmarks and light too, and an `autoencoder`."""

    Options: type[Any] = StarterOptions
    drawn = FFHQ_256  # of which the template is cut out

    def __init__(self, checkpoint: Checkpoint, network: nn.Module, autoencoder: Any, device: str = "cpu") -> None:
        super().__init__(checkpoint, network, device)
        self._autoencoder = autoencoder

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Self:
        """Build and fill the networks; CheckpointError when that cannot be, or when they belong to others than are here."""
        refuse_others(checkpoint, "vec2face")
        return cls(checkpoint, load_network(checkpoint, device), load_used(checkpoint, "autoencoder", device), device)

    def _draw(self, options: Any, progress: Progress, items: list[tuple[Wish, int]]) -> list[np.ndarray]:
        import torch

        network = self._network
        told = np.stack([np.concatenate(self._told(wish, seed, options)) for wish, seed in items])
        hidden = torch.zeros(len(items), network.places, device=self._device)
        with torch.inference_mode():
            latents = network(self._tensor(told), hidden, 0.0).float() / network.loud[:, None, None]
            pictures = to_pixels(self._autoencoder.pixels(latents))
        return [align(pixels, self.drawn.points, self.template).pixels for pixels in pictures]

    def landmarks(self, wish: Wish, seed: int, options: Any) -> np.ndarray:
        """Where the features of that picture are told to be; see `Placing`."""
        if wish.landmarks is not None:
            return wish.landmarks
        vector, looks = self._told(wish, seed, options)
        found = self._network.looks.landmarks(
            self._tensor(looks)[None], self._tensor(vector / self._network.length)[None]
        )
        return transform(self._cut, found[0].cpu().numpy()).astype(np.float32)

    @property
    def _cut(self) -> np.ndarray:
        """The matrix (2, 3) from pixels of what is drawn to those of the template."""
        return similarity_transform(self.drawn.points, self.template.points)

    def _told(self, wish: Wish, seed: int, options: Any) -> tuple[np.ndarray, np.ndarray]:
        """The vector (D,) of who is on a picture, and the numbers (L,) that say how they look."""
        import torch

        network, known = self._network, self._network.looks
        random = np.random.default_rng([seed, network.dimensions])
        looks = options.looks * random.standard_normal(known.count, np.float32)
        with torch.inference_mode():
            if wish.identity is None:
                drawn = self._tensor(random.standard_normal(len(known.anybody), np.float32))
                who = torch.nn.functional.normalize(known.middle + drawn @ known.anybody, dim=0)
            else:
                who = self._tensor(wish.identity.embedding)
            if wish.landmarks is not None:
                points = self._tensor(transform(inverse(self._cut), wish.landmarks))
                held = known.shapes(points[None], who[None])[0].clamp(-FARTHEST, FARTHEST)
                looks[: len(held)] = held.cpu().numpy()
            if wish.push is not None:
                lit = known.light(self._tensor(wish.push)[None])[0].cpu().numpy()
                looks[-len(lit) :] += lit
        return network.length * who.cpu().numpy(), looks


def _vector(wish: Wish, variety: float, network: Any, random: np.random.Generator) -> np.ndarray:
    """The vector (D,) float32 of one picture: near the person, or of anybody."""
    drawn = random.standard_normal(network.dimensions, np.float32)
    if wish.identity is None:
        return drawn
    vector = network.length * wish.identity.embedding + np.float32(variety) * drawn
    return vector * np.float32(network.length / np.linalg.norm(vector))


def _rate(rates: tuple[float, float, float, float], random: np.random.Generator) -> float:
    """A number of the normal distribution that `rates` tells by mean, deviation and bounds."""
    mean, deviation, least, most = rates
    for _ in range(MOST_DRAWS):
        drawn = random.normal(mean, deviation)
        if least <= drawn <= most:
            return float(drawn)
    return mean
