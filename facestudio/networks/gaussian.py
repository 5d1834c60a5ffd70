"""What can be known of a noisy latent without any network: the best linear guess, as if latents were normally distributed.

After Wang and Vastola, "The Unreasonable Effectiveness of Gaussian Score Approximation for Diffusion Models" (TMLR 2024): most
of what a diffusion model learns first is this guess, so the prior begins with it. Told who the face is, the normal
distribution moves by a linear map of the identity.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GaussianGuess(nn.Module):
    """Clean latents (B, C, h, w), as a normal distribution has them, of noisy ones.

    Args:
        size: C * h * w; axes: directions whose variance is known each, the rest share one.
        dimensions: length of an identity embedding.

    There are two distributions: of anybody (0), and of a known person (1), whose middle is `accent` away.
    """

    def __init__(self, size: int, axes: int, dimensions: int) -> None:
        super().__init__()
        self.middle = nn.Buffer(torch.zeros(size))
        self.axes = nn.Buffer(torch.zeros(2, size, axes))
        self.sizes = nn.Buffer(torch.ones(2, axes))
        self.rest = nn.Buffer(torch.ones(2))
        self.accent = nn.Buffer(torch.zeros(axes, dimensions))
        self.usual = nn.Buffer(torch.zeros(dimensions))

    @torch.no_grad()
    def fit(self, latents: Tensor, identities: Tensor, ridge: float) -> None:
        """Measure both distributions on `latents` (N, size) of faces with unit `identities` (N, D).

        `ridge` is added to the variances of the identities' components, each of which is about 1 / D.
        """
        count = self.sizes.shape[1]
        self.middle.copy_(latents.mean(0))
        self.usual.copy_(identities.mean(0))
        off, who = latents - self.middle, identities - self.usual
        self._measure(0, off)
        coefficients = off @ self.axes[0]
        spread = who.T @ who / len(who) + ridge * torch.eye(who.shape[1])
        self.accent.copy_(torch.linalg.solve(spread, who.T @ coefficients / len(who)).T[:count])
        self._measure(1, off - self.shift(identities))

    def _measure(self, kind: int, off: Tensor) -> None:
        count = self.sizes.shape[1]
        sizes, axes = torch.linalg.eigh(off.T @ off / len(off))
        self.axes[kind] = axes[:, -count:]
        self.sizes[kind] = sizes[-count:]
        self.rest[kind] = sizes[:-count].mean() if len(sizes) > count else 0.0

    def shift(self, identities: Tensor) -> Tensor:
        """How far (B, size) the middle of the persons `identities` (B, D) is from everybody's."""
        return (identities - self.usual) @ self.accent.T @ self.axes[0].T

    def pushed(self, push: Tensor, alpha: Tensor, kind: int) -> Tensor:
        """How much farther (B, C, h, w) the guess is when the middle of a distribution (`kind` 0 or 1) is `push` (B, C, h, w)
        farther: all of it in pure noise, and nothing where the noisy latent already tells everything."""
        with torch.autocast(push.device.type, enabled=False):
            flat, alpha = push.flatten(1).float(), alpha[:, None].float()
            noise = (1 - alpha) / alpha
            rest = self.rest[kind] / (self.rest[kind] + noise)
            kept = self.sizes[kind] / (self.sizes[kind] + noise) - rest
            return (flat - rest * flat - ((flat @ self.axes[kind]) * kept) @ self.axes[kind].T).view(push.shape)

    def forward(self, noisy: Tensor, alpha: Tensor, identities: Tensor, known: Tensor) -> Tensor:
        """Guesses of the clean latents in `noisy` (B, C, h, w), whose share of signal is `alpha` (B,), alphas_cumprod.

        `known` (B,) is 1 where `identities` (B, D) says who it is, 0 where it says nothing.
        """
        with torch.autocast(noisy.device.type, enabled=False):  # shares of 1e-9 and of 0.9999 need float32
            flat = noisy.flatten(1).float()
            alpha = alpha[:, None].float()
            told = known[:, None].float()
            everybody, nobody = bool((known == 1).all()), bool((known == 0).all())
            # what has no weight is not asked for: the axes are most of what a call of a small prior reads
            middle = self.middle if nobody else self.middle + told * self.shift(identities.float())
            off = flat / alpha.sqrt() - middle
            noise = (1 - alpha) / alpha

            def guess(kind: int) -> Tensor:
                rest = self.rest[kind] / (self.rest[kind] + noise)
                kept = self.sizes[kind] / (self.sizes[kind] + noise) - rest
                return rest * off + ((off @ self.axes[kind]) * kept) @ self.axes[kind].T

            found = guess(int(everybody)) if everybody or nobody else torch.lerp(guess(0), guess(1), told)
            return (middle + found).view(noisy.shape)
