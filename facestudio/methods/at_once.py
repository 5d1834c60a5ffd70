"""Faces of a vector in one step of our own prior, so that they answer while a slider is dragged.

The setting is that of Wu et al., "Vec2Face", ICLR 2025, whose own network is in methods/vec2face.py: a vector of the recogniser
becomes a face at once. Ours is another (networks/at_once.py), and is told the appearance besides: pose, expression, light and
background in a few numbers. What a seed decides is these, so that one person looks otherwise with each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import run_batched
from facestudio.faces.face import FFHQ_256
from facestudio.faces.loading import load_network, load_used, refuse_others
from facestudio.faces.sketch import sketch
from facestudio.methods.base import Wish, understood
from facestudio.methods.usual_options import guidance_option
from facestudio.options import PHOTO, option
from facestudio.photo import to_pixels
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 8  # faces that are drawn together


@dataclass(frozen=True)
class Options:
    """What a person may choose."""

    guidance: float = guidance_option(
        3.0,
        "How strictly the pictures follow the person (guidance): higher makes people less like one another, and from about "
        "5 on harder in contrast.",
    )
    appearance: float = option(
        0.7,
        title="Varied appearance",
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


class AtOnce:
    """The loaded method: its `network`, the `prior` that it asks, and an `autoencoder`, on `device`."""

    id = "at_once"
    goal = "create"
    template = FFHQ_256
    Options: type[Any] = Options

    def __init__(self, checkpoint: Checkpoint, network: Any, prior: Any, autoencoder: Any, device: str = "cpu") -> None:
        from facestudio.networks.consistency import merged

        self.checkpoint = checkpoint
        self.embedder = next(iter(checkpoint.conditioned_on), "")
        self._network, self._autoencoder, self._device = network, autoencoder, device
        self._prior: Any = merged(prior, network.learned)

    @classmethod
    def load(cls, checkpoint: Checkpoint, device: str) -> AtOnce:
        """Build and fill the networks; CheckpointError when that cannot be, or when they belong to others than are here."""
        refuse_others(checkpoint, "vec2face")
        prior, autoencoder = (load_used(checkpoint, role, device) for role in ("prior", "autoencoder"))
        return cls(checkpoint, load_network(checkpoint, device), prior, autoencoder, device)

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        """Pictures (256, 256, 3) uint8 RGB, one for each of `seeds`; see `Synthesizer`. Stops between two batches."""
        wishes = understood(self, wish, len(seeds))
        draw = partial(self._draw, options)
        return run_batched(draw, list(zip(wishes, seeds, strict=True)), BATCH, progress, "Drawing faces")

    def landmarks(self, wish: Wish, seed: int, options: Any) -> np.ndarray:
        """Where the features of that picture are told to be; see `Placing`."""
        if wish.landmarks is not None:
            return wish.landmarks
        placed: np.ndarray = (
            self._network.landmarks(self._tensor(self._told(wish, seed, options))[None])[0].cpu().numpy()
        )
        return placed

    def _draw(self, options: Any, items: list[tuple[Wish, int]]) -> list[np.ndarray]:
        import torch

        from facestudio.networks.prior import FINER, unshuffled

        told = self._tensor(np.stack([self._told(wish, seed, options) for wish, seed in items]))
        side = self._network.drawn[1] * FINER
        placed = self._network.landmarks(told).cpu().numpy()
        points = [
            one if wish.landmarks is None else wish.landmarks for one, (wish, _) in zip(placed, items, strict=True)
        ]
        lines = unshuffled(np.stack([sketch(one, self.template.size, side) for one in points])).to(self._device)
        with torch.inference_mode():
            latents = self._network(self._prior, told, lines, guidance=options.guidance)
            return list(to_pixels(self._autoencoder.pixels(latents / self._prior.loud[:, None, None])))

    def _told(self, wish: Wish, seed: int, options: Any) -> np.ndarray:
        """The vector (D,) of who is on a picture, and the numbers (L,) that say how they look, as one (D + L,)."""
        import torch

        network, known = self._network, self._network.appearance
        random = np.random.default_rng([seed, network.dimensions])
        appearance = options.appearance * random.standard_normal(known.count, np.float32)
        with torch.inference_mode():
            if wish.identity is None:
                drawn = self._tensor(random.standard_normal(len(known.anybody), np.float32))
                who = torch.nn.functional.normalize(known.middle + drawn @ known.anybody, dim=0)
            else:
                who = self._tensor(wish.identity.embedding)
            if wish.landmarks is not None:
                held = known.shapes(self._tensor(wish.landmarks)[None], who[None])[0].clamp(
                    -known.FARTHEST, known.FARTHEST
                )
                appearance[: len(held)] = held.cpu().numpy()
            if wish.push is not None:
                lit = known.light(self._tensor(wish.push)[None])[0].cpu().numpy()
                appearance[-len(lit) :] += lit
        return np.concatenate([network.length * who.cpu().numpy(), appearance])

    def _tensor(self, values: np.ndarray) -> Tensor:
        import torch

        return torch.from_numpy(np.array(values, np.float32)).to(self._device)
