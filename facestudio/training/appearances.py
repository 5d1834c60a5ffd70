"""The appearances of faces, for networks/at_once.py: fitted, by least squares and principal components, before the training.

Each number is what is left of landmarks, or of a latent, once what the identity says of them is taken away, of deviation 1. So
they can be drawn for anybody.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from facestudio import checkpoints
from facestudio.faces.loading import fill_network
from facestudio.networks.at_once import Appearance, AtOnce
from facestudio.networks.sliders import Moves

SLIDERS = "starter-sliders"
LIGHT = ("brightness", "side")
OF_WHO, OF_APPEARANCE = 0.5, 0.01  # penalties, of the inputs' variance: a person has few pictures, an appearance many


def solved(told: np.ndarray, found: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """(D, M): how `found` (N, M) follows from `told` (N, D), both of mean 0, with a `penalty` (D,) of each input."""
    gram = told.T @ told
    gram[np.diag_indices_from(gram)] += len(told) * penalty
    return np.linalg.solve(gram, told.T @ found).astype(np.float32)


def main_directions(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first principal directions (count, M) of `values` (N, M), of mean 0, and the deviations (count,) along them.

    Which way each points is the same on every machine, so that what one learned of them another can go on with.
    """
    torch.manual_seed(0)
    wide = min(count + 32, *values.shape)
    _, sizes, axes = torch.svd_lowrank(torch.from_numpy(np.ascontiguousarray(values, np.float32)), wide, niter=4)
    deviations = (sizes / len(values) ** 0.5).clamp(min=1e-6)
    rows = axes.T[:count].numpy()
    forward = np.sign(rows @ np.random.default_rng(0).standard_normal(rows.shape[1]))
    return (rows * forward[:, None]).astype(np.float32), deviations[:count].numpy()


class Fitted:
    """Appearances of all faces and of their mirror images, `appearance` (2N, L), those of one face together; and the linear path.

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
        self.length = length
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
        where = (left @ self.shape.T).clip(-Appearance.FARTHEST, Appearance.FARTHEST)
        seen = (latents.astype(np.float32) * loud[:, None, None]).reshape(len(who), -1)
        self.bias = seen[rows].mean(0)
        seen -= self.bias
        told = np.concatenate([who, where], 1)
        penalty = np.concatenate([of_who, np.full(shapes, OF_APPEARANCE)])
        rest = seen - told @ solved(told[rows], seen[rows], penalty)
        axes, sizes = main_directions(rest[rows], pictures)
        self.picture = axes / sizes[:, None]
        light = (rest @ self.picture.T).clip(-Appearance.FARTHEST, Appearance.FARTHEST)
        self.appearance = np.concatenate([where, light], 1).astype(np.float32)
        told = np.concatenate([who, self.appearance], 1)
        mean = told[rows].mean(0)
        penalty = np.concatenate([of_who, np.full(shapes + pictures, OF_APPEARANCE)])
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

    def fill(self, network: AtOnce) -> None:
        """Let `network` know what was fitted."""
        appearance = network.appearance
        lights, lit = self.light()
        pairs = (
            (appearance.shape, self.shape),
            (appearance.usual, self.usual),
            (appearance.expected, self.expected),
            (appearance.middle, self.middle),
            (appearance.anybody[: len(self.anybody)], self.anybody),
            (appearance.lights, lights),
            (appearance.lit, lit),
            (network.coarse[0].weight, self.inward),
            (network.coarse[1].weight, self.outward),
            (network.coarse[1].bias, self.bias),
        )
        with torch.no_grad():
            for tensor, value in pairs:
                tensor.copy_(torch.from_numpy(np.ascontiguousarray(value)))

    @torch.no_grad()
    def light(self) -> tuple[np.ndarray, np.ndarray]:
        """How much of each slider of light (2, C * h * w) a push of latents is, and what that adds to appearances (P, 2)."""
        moves: Moves = fill_network(checkpoints.checkpoint(SLIDERS)).float()  # type: ignore[assignment]
        pushes = moves.push[[moves.names.index(name) for name in LIGHT]].flatten(1)
        return torch.linalg.pinv(pushes).T.numpy(), self.picture @ pushes.T.numpy()
