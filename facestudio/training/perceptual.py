"""Two losses that look at pictures as a network does: distance of inner maps, and a patch discriminator.

Separate from `losses`, which deals in embeddings. The maps are those of our own embedder, frozen; no foreign network is
downloaded for this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.embedder import DenseFaceNet


class Perceptual(nn.Module):
    """Mean squared distance of unit-length map columns: Zhang et al., "LPIPS", CVPR 2018, without its learned weights.

    Args:
        embedder: whose stages at strides 2, 4 and 8 are looked at; it stays as it is. The pictures may have any size.
    """

    def __init__(self, embedder: DenseFaceNet) -> None:
        super().__init__()
        self.stages = nn.ModuleList([embedder.early[:4], embedder.early[4], embedder.early[5]]).eval()
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> Perceptual:
        """Stays in evaluation mode: the batch normalisations keep their statistics."""
        return super().train(False)

    def maps(self, faces: Tensor) -> list[Tensor]:
        found = []
        for stage in self.stages:
            faces = stage(faces)
            found.append(functional.normalize(faces.float(), dim=1, eps=1e-4))
        return found

    def forward(self, guess: Tensor, truth: Tensor) -> Tensor:
        """The distance of `guess` and `truth` (B, 3, H, W) in [-1, 1]; gradients pass to `guess` alone."""
        with torch.no_grad():
            wanted = self.maps(truth)
        pairs = zip(self.maps(guess), wanted, strict=True)
        return torch.stack([(a - b).square().sum(1).mean() for a, b in pairs]).mean()


class PatchDiscriminator(nn.Module):
    """Real or made, patch by patch: Isola et al., "pix2pix", CVPR 2017. (B, 3, H, W) to logits (B, 1, H / 16, W / 16)."""

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 128)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width in widths:
            layers += [nn.utils.parametrizations.spectral_norm(nn.Conv2d(inputs, width, 4, 2, 1)), nn.LeakyReLU(0.2)]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Conv2d(inputs, 1, 3, 1, 1))

    def forward(self, faces: Tensor) -> Tensor:
        return self.layers(faces)


def adversarial(discriminator: nn.Module, guess: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """(the maker's loss, the discriminator's), the hinge losses of Lim and Ye, "Geometric GAN", 2017.

    Both may be added and differentiated at once: the first leaves the discriminator without gradients, the second `guess`.
    """
    frozen: dict[str, Any] = {name: value.detach() for name, value in discriminator.named_parameters()}
    maker = -torch.func.functional_call(discriminator, frozen, (guess,)).float().mean()
    real, made = discriminator(truth).float(), discriminator(guess.detach()).float()
    return maker, functional.relu(1 - real).mean() + functional.relu(1 + made).mean()
