"""Vec2Face: faces of 112 px from vectors of a recogniser; more of one person from vectors near one another.

Paper: Wu et al., "Vec2Face: Scaling Face Dataset Generation with Loosely Constrained Vectors", ICLR 2025; source HaiyuWu/Vec2Face
(MIT; no code taken). Weights, also of Vec2Face+ without its poses, are those that the authors published. What differs: what is
hidden from the network at random, and by how much, follows from each picture's seed; a person's vector is known by its direction
and gets the length that vectors of this recogniser have. Of the control of attributes only the identity is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.faces.face import ARCFACE_112
from facestudio.faces.loading import load_network
from facestudio.methods.base import Wish, understood
from facestudio.options import PERSON, option
from facestudio.photo import to_pixels
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 8  # faces that are drawn together
LENGTH = 22.0  # of a vector of the recogniser, on average
MOST_DRAWS = 1000  # of a rate, until it lies within its bounds


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
    def load(cls, checkpoint: Checkpoint, device: str) -> Vec2Face:
        """Build and fill the network; CheckpointError when that cannot be."""
        return cls(checkpoint, load_network(checkpoint, device), device)

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        """Pictures (112, 112, 3) uint8 RGB, one for each of `seeds`; see `Synthesizer`.

        Stops between two batches, or two steps of refining.
        """
        wishes = understood(self, wish, len(seeds))
        draw = partial(self._draw, options, progress)
        return run_batched(draw, list(zip(wishes, seeds, strict=True)), BATCH, progress, "Drawing faces")

    def _draw(self, options: Any, progress: Progress, items: list[tuple[Wish, int]]) -> list[np.ndarray]:
        import torch

        network = self._network
        wishes, seeds = [wish for wish, _ in items], [seed for _, seed in items]
        randoms = [np.random.default_rng([seed, network.dimensions]) for seed in seeds]
        each = zip(wishes, randoms, strict=True)
        drawn = np.stack([_vector(wish, options.variety, network.dimensions, random) for wish, random in each])
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


def _vector(wish: Wish, variety: float, dimensions: int, random: np.random.Generator) -> np.ndarray:
    """The vector (D,) float32 of one picture: near the person, or of anybody."""
    drawn = random.standard_normal(dimensions, np.float32)
    if wish.identity is None:
        return drawn
    vector = LENGTH * wish.identity.embedding + np.float32(variety) * drawn
    return vector * np.float32(LENGTH / np.linalg.norm(vector))


def _rate(rates: tuple[float, float, float, float], random: np.random.Generator) -> float:
    """A number of the normal distribution that `rates` tells by mean, deviation and bounds."""
    mean, deviation, least, most = rates
    for _ in range(MOST_DRAWS):
        drawn = random.normal(mean, deviation)
        if least <= drawn <= most:
            return float(drawn)
    return mean
