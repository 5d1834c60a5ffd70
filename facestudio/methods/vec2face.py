"""Vec2Face: faces of 112 px from vectors of a recogniser; more of one person from vectors near one another.

Paper: Wu et al., "Vec2Face: Scaling Face Dataset Generation with Loosely Constrained Vectors", ICLR 2025; source HaiyuWu/Vec2Face
(MIT; no code taken). Weights, also of Vec2Face+ without its poses, are those that the authors published. What differs: what is
hidden from the network at random, and by how much, follows from each picture's seed; a person's vector is known by its direction
and gets the length that vectors of this recogniser have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.faces.face import ARCFACE_112
from facestudio.faces.loading import load_network
from facestudio.methods.base import Wish
from facestudio.options import option
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
        help="How different the pictures of one person are, and how unlike the person they may become: the deviation of what "
        "is added to each number of the vector. The authors take 0.3 to 0.7. Without a photo it has no effect.",
        minimum=0.0,
        maximum=1.0,
        step=0.05,
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

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> Vec2Face:
        """Build and fill the network; CheckpointError when that cannot be."""
        return cls(checkpoint, load_network(checkpoint, device), device)

    def __call__(self, wish: Wish, seeds: Sequence[int], options: Any, progress: Progress) -> list[np.ndarray]:
        """Pictures (112, 112, 3) uint8 RGB, one for each of `seeds`; see `Synthesizer`. Stops between two batches."""
        if wish.identity is not None and wish.identity.embedder != self.embedder:
            raise ValueError(f"{self.id} understands {self.embedder}, not {wish.identity.embedder}")
        return run_batched(partial(self._draw, wish, options), list(seeds), BATCH, progress, "Drawing faces")

    def _draw(self, wish: Wish, options: Any, seeds: list[int]) -> list[np.ndarray]:
        import torch

        network = self._network
        randoms = [np.random.default_rng([seed, network.dimensions]) for seed in seeds]
        vectors = np.stack([_vector(wish, options.variety, network.dimensions, random) for random in randoms])
        rates = torch.tensor([_rate(network.rates, random) for random in randoms], device=self._device)
        hidden = np.stack([random.random(network.places, np.float32) for random in randoms])
        with torch.inference_mode():
            return list(to_pixels(network(self._tensor(vectors), self._tensor(hidden), rates)))

    def _tensor(self, values: np.ndarray) -> Tensor:
        import torch

        return torch.from_numpy(values).to(self._device)


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
