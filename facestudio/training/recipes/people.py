"""Recipe of `starter-people`: what the identities of real people look like to the embedder that the prior listens to. Fitted.

Of all training faces at 256 px, of which there are no others in the product; held-out people only measure it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facestudio import checkpoints
from facestudio.networks.people import People
from facestudio.training.recipes.prior import EMBEDDER
from facestudio.training.recipes.prior import Recipe as Prior


class Recipe:
    id = "starter-people"
    architecture = "people:People"
    conditioned_on = (EMBEDDER,)
    config: dict[str, Any] = {"dimensions": 512, "axes": 128}  # noqa: RUF012  # as of other recipes
    trained_on = Prior.trained_on

    def __init__(self, root: Path, cache: Path) -> None:
        self.prior = Prior(root, cache)

    def fit(self, folder: Path) -> dict[str, Any]:
        """Fit, write `folder`/last.pt for the export, and return the figures of held-out people."""
        began = time.monotonic()
        identities = torch.from_numpy(self.prior.identities)
        training, validation = identities[self.prior.training], identities[self.prior.validation]
        self.config = {**self.config, "known": len(training)}
        network = People(**self.config)
        network.fit(training)
        folder.mkdir(parents=True, exist_ok=True)
        state = {"step": 0, "images": len(training), "minutes": (time.monotonic() - began) / 60}
        torch.save({"average": network.state_dict(), "state": state}, folder / "last.pt")
        drawn = network(
            torch.randn(2000, len(network.spread), generator=torch.Generator().manual_seed(3)) * network.spread
        )
        return {
            "validation_faces": float(len(validation)),
            "kept": float((network(network.coordinates(validation)) * validation).sum(1).mean()),
            "distance_real": float(network.distance(validation).median()),
            "distance_drawn": float(network.distance(drawn).median()),
            "nearest_real": float((validation @ training.T).amax(1).median()),
            "nearest_drawn": float((drawn @ training.T).amax(1).median()),
            "pairs_real": spread_of_pairs(validation),
            "pairs_drawn": spread_of_pairs(drawn),
            "calibration.nearest": {
                f"{share:.0e}": round(float((validation @ training.T).amax(1).quantile(1 - share)), 4)
                for share in (0.5, 0.1, 0.05)
            },
            "calibration.embedders": {EMBEDDER: checkpoints.checkpoint(EMBEDDER).files["weights"].sha256},
        }


def spread_of_pairs(identities: torch.Tensor) -> float:
    """The standard deviation of the cosines of all pairs, about their mean."""
    cosines = (identities @ identities.T).numpy()
    return float(cosines[np.triu_indices(len(cosines), 1)].std())
