"""The looks of faces, for the small form of Vec2Face: fitted, by least squares and principal components, before the training.

Each number is what is left of landmarks, or of a latent, once what the identity says of them is taken away, of deviation 1. So
they can be drawn for anybody.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from facestudio import checkpoints
from facestudio.faces.loading import fill_network
from facestudio.networks.sliders import Moves
from facestudio.networks.vec2face import Vec2Face

SLIDERS = "starter-sliders"
LIGHT = ("brightness", "side")
OF_WHO, OF_LOOKS = 0.5, 0.01  # penalties, of the inputs' variance: a person has few pictures, a look many
FARTHEST = 3.5  # deviations, beyond which a look is that far


def solved(told: np.ndarray, found: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """(D, M): how `found` (N, M) follows from `told` (N, D), both of mean 0, with a `penalty` (D,) of each input."""
    gram = told.T @ told
    gram[np.diag_indices_from(gram)] += len(told) * penalty
    return np.linalg.solve(gram, told.T @ found).astype(np.float32)


def main_directions(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first principal directions (count, M) of `values` (N, M), of mean 0, and the deviations (count,) along them."""
    torch.manual_seed(0)
    wide = min(count + 32, *values.shape)
    _, sizes, axes = torch.svd_lowrank(torch.from_numpy(np.ascontiguousarray(values, np.float32)), wide, niter=4)
    deviations = (sizes / len(values) ** 0.5).clamp(min=1e-6)
    return axes.T[:count].numpy(), deviations[:count].numpy()


class Fitted:
    """Looks of all faces and of their mirror images, `looks` (2N, L), those of one face together; and the linear path.

    Args:
        identities (N, D) unit, landmarks (N, 68, 2), latents (2N, C, h, w): of all faces; of latents, a face's mirror image
            follows it.
        loud: (C,), how much the channels of a latent show. training: whom it is fitted to.
        mirrored: where each landmark is found in a mirror image; width: of the faces, in the landmarks' pixels.
        counts: of shapes and pictures; rank: of the linear path; length: of vectors.
    """

    def __init__(
        self,
        identities: np.ndarray,
        landmarks: np.ndarray,
        latents: np.ndarray,
        loud: np.ndarray,
        training: np.ndarray,
        mirrored: np.ndarray,
        width: int,
        counts: Sequence[int],
        rank: int,
        length: float,
    ) -> None:
        shapes, pictures = counts
        rows = np.concatenate([2 * training, 2 * training + 1])
        self.loud, self.length = loud, length
        self.middle = identities[training].mean(0)
        who = length * np.repeat(identities - self.middle, 2, 0)
        varied = float(who[rows].var(0).mean())
        of_who = np.full(who.shape[1], OF_WHO * varied)
        flipped = (landmarks * [-1, 1] + [width - 1, 0])[:, mirrored]
        points = np.stack([landmarks, flipped], 1).reshape(len(who), -1).astype(np.float32)
        self.usual = points[rows].mean(0)
        points -= self.usual
        by_who = solved(who[rows], points[rows], of_who)
        left = points - who @ by_who
        axes, sizes = main_directions(left[rows], shapes)
        self.shape = axes / sizes[:, None]
        self.expected = length * self.shape @ by_who.T
        where = (left @ self.shape.T).clip(-FARTHEST, FARTHEST)
        seen = (latents.astype(np.float32) * loud[:, None, None]).reshape(len(who), -1)
        self.bias = seen[rows].mean(0)
        seen -= self.bias
        told = np.concatenate([who, where], 1)
        penalty = np.concatenate([of_who, np.full(shapes, OF_LOOKS)])
        rest = seen - told @ solved(told[rows], seen[rows], penalty)
        axes, sizes = main_directions(rest[rows], pictures)
        self.picture = axes / sizes[:, None]
        light = (rest @ self.picture.T).clip(-FARTHEST, FARTHEST)
        self.looks = np.concatenate([where, light], 1).astype(np.float32)
        told = np.concatenate([who, self.looks], 1)
        mean = told[rows].mean(0)
        penalty = np.concatenate([of_who, np.full(shapes + pictures, OF_LOOKS)])
        wholly = solved(told[rows] - mean, seen[rows], penalty)
        axes, _ = main_directions((told[rows] - mean) @ wholly, rank)
        self.inward, self.outward = (wholly @ axes.T).T, axes.T
        # vectors are told with their middle
        whole = mean + np.concatenate([length * self.middle, np.zeros(shapes + pictures, np.float32)])
        self.bias = self.bias - (whole @ wholly) @ axes.T @ axes
        others = np.setdiff1d(np.arange(len(who)), rows)
        error = seen[others] - (told[others] - mean) @ self.inward.T @ self.outward.T
        self.explained = 1 - float(np.square(error).mean() / np.square(seen[others]).mean())
        axes, sizes = main_directions(who[rows] / length, 32)
        self.anybody = axes * sizes[:, None]

    def fill(self, network: Vec2Face) -> None:
        """Let `network` know what was fitted."""
        assert network.looks is not None and network.coarse is not None
        looks = network.looks
        lights, lit = self.light()
        pairs = (
            (looks.shape, self.shape),
            (looks.usual, self.usual),
            (looks.expected, self.expected),
            (looks.middle, self.middle),
            (looks.anybody[: len(self.anybody)], self.anybody),
            (looks.lights, lights),
            (looks.lit, lit),
            (network.loud, self.loud),
            (network.coarse[0].weight, self.inward),
            (network.coarse[1].weight, self.outward),
            (network.coarse[1].bias, self.bias),
        )
        with torch.no_grad():
            for tensor, value in pairs:
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(value)))

    @torch.no_grad()
    def light(self) -> tuple[np.ndarray, np.ndarray]:
        """How much of each slider of light (2, C * h * w) a push of latents is, and what that adds to looks (P, 2)."""
        moves: Moves = fill_network(checkpoints.checkpoint(SLIDERS)).float()  # type: ignore[assignment]
        pushes = moves.push[[moves.names.index(name) for name in LIGHT]].flatten(1)
        return torch.linalg.pinv(pushes).T.numpy(), self.picture @ pushes.T.numpy()
