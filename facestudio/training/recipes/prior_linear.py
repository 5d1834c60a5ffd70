"""Recipe of a first `starter-prior`: the linear guess alone, which is fitted in minutes instead of trained for hours.

Faces that are drawn from it are those of a normal distribution in 512 directions, soft and a little ghostly; what its directions
do not hold is left out, because as independent noise it looks like dirt. Its U-Net says nothing and is as small as can be.
The real prior (recipe `prior`) takes its place once it is better.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from facestudio.networks.prior import FacePrior
from facestudio.training.recipes import prior


class Recipe(prior.Recipe):
    config = {**prior.Recipe.config, "widths": [32, 64], "blocks": 1, "heads": 32}  # noqa: RUF012  # as there

    def fit(self, folder: Path) -> dict[str, Any]:
        """Fit, write `folder`/last.pt for the export, and return the figures of held-out faces."""
        began = time.monotonic()
        torch.manual_seed(self.settings.seed)
        network = self.network().eval()
        assert isinstance(network, FacePrior)
        network.linear.rest.zero_()
        state = {"step": 0, "images": len(self.training), "minutes": (time.monotonic() - began) / 60}
        saved = {
            "average": network.state_dict(),
            "state": state,
            "settings": asdict(self.settings),
            "config": self.config,
        }
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(saved, folder / "last.pt")
        return self.validate(network, torch.device("cpu"))
