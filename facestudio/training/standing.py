"""What recipes stand on that go on from the shipped prior: its faces, and networks that stay as they are.

Separate from `oracles`, which knows how to ask a network and not which one ships.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facestudio import checkpoints
from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.networks.prior import FacePrior
from facestudio.training.oracles import frozen
from facestudio.training.recipes import prior as prior_recipe

AUTOENCODER, PRIOR, LANDMARKS = "starter-autoencoder", "starter-prior", "starter-landmarks"


class Standing:
    """Autoencoder, prior and landmark finder, and the faces that the prior was trained on; `config` gets the prior's."""

    config: dict[str, Any]
    belongs_to: tuple[str, ...] = (PRIOR,)  # checkpoints without whose very weights the result is worth nothing

    def __init__(self, root: Path, cache: Path) -> None:
        self.root = root
        self.source = prior_recipe.Recipe(root, cache)
        self.faces, self.training = self.source.faces, self.source.training
        self.config = {**type(self).config, "prior": dict(checkpoints.checkpoint(PRIOR).config)}

    @cached_property
    def fitted_to(self) -> dict[str, str]:
        """The hashes of the weights that the result belongs to."""
        return {name: checkpoints.checkpoint(name).files["weights"].sha256 for name in self.belongs_to}

    @cached_property
    def autoencoder(self) -> FaceAutoencoder:
        return frozen(AUTOENCODER)  # type: ignore[return-value]

    @cached_property
    def prior(self) -> FacePrior:
        return frozen(PRIOR)  # type: ignore[return-value]

    @cached_property
    def finder(self) -> nn.Module:
        return frozen(LANDMARKS)

    def decode(self, latents: Tensor) -> Tensor:
        """Faces (B, 3, H, W) of the autoencoder's `latents`, not clamped, so that gradients pass everywhere."""
        autoencoder = self.autoencoder.to(latents.device)
        raw = latents * autoencoder.spread[:, None, None] + autoencoder.mean[:, None, None]
        return autoencoder.decode(raw.contiguous(memory_format=torch.channels_last)).float()
