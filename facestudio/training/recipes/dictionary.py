"""Recipe of `starter-dictionary`: our own small DFDNet, on the estimator's maps (see networks/completion.py).

The dictionaries are made once, of what undamaged training faces look like in those maps: centres of k-means, per component and
level. Trained are how far they are trusted and the end of the way up, which begins as the estimator's, with the estimator's loss
and weight on the identity besides. The boxes are shaken, since in use they come from landmarks of a damaged face.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio import checkpoints
from facestudio.faces.components import NAMES, visible_boxes
from facestudio.faces.loading import fill_network
from facestudio.networks.completion import LEVELS, Completion, entry_shape
from facestudio.networks.estimator import EstimatorUNet
from facestudio.training import metrics
from facestudio.training.recipes import estimator
from facestudio.training.recipes.landmarks import mirrored_order

log = logging.getLogger(__name__)
ESTIMATOR, LANDMARKS = "starter-estimator", "starter-landmarks"


class Recipe(estimator.Recipe):
    id = "starter-dictionary"
    architecture = "completion:Completion"
    method, goal = "dfdnet:StarterDFDNet", "keep"
    varied = False  # the landmarks say where the components of the photographed face are
    uses = {"estimator": ESTIMATOR, "landmarks": LANDMARKS}  # noqa: RUF012  # as config
    settings = replace(
        estimator.Recipe.settings, batch=8, lr=2e-4, muon=3e-4, outer=("tail", "confidence"), warmup=100, cooldown=0.7
    )
    on_gpu = replace(settings, batch=32, lr=4e-4, muon=6e-4)
    config: dict[str, Any] = {"widths": [64, 128, 256, 384], "blocks": [2, 3, 2, 2], "unshuffle": 4, "entries": 64}
    identity_weight = 0.4
    judged = 8
    softness = 2.5  # judged as they are, with a weight of 1, faces got a pattern of dots
    small_ones = 0  # boxes need landmarks
    sampled = 3000  # faces that the dictionaries are made of
    shaken = 3.0  # px that a box may be off

    @property
    def fitted_to(self) -> dict[str, str]:
        """The hash of the estimator, whose maps the dictionaries are of; landmarks only say where to look."""
        return {ESTIMATOR: checkpoints.checkpoint(ESTIMATOR).files["weights"].sha256}

    def __init__(self, root: Path, cache: Path) -> None:
        super().__init__(root, cache)
        self.order = mirrored_order()[:68]

    @cached_property
    def estimator(self) -> EstimatorUNet:
        return fill_network(checkpoints.checkpoint(ESTIMATOR))  # type: ignore[return-value]

    @cached_property
    def landmarks(self) -> np.ndarray:
        """(N, 68, 2) in crop pixels."""
        return np.load(self.root / "faces" / "faces256_landmarks68.npy").astype(np.float32)

    def network(self) -> nn.Module:
        network = Completion(**self.config)
        network.begin(self.estimator)
        for name, entries in self.dictionaries.items():
            getattr(network, name).copy_(torch.from_numpy(entries))
        return network

    @cached_property
    def dictionaries(self) -> dict[str, np.ndarray]:
        """Entries (K, C, s, s) float32 by "left_eye_0" and the like, made once for these weights of the estimator."""
        known = checkpoints.checkpoint(ESTIMATOR).files["weights"].sha256[:12]
        path = self.cache / f"dictionary-{known}-{self.config['entries']}-{self.sampled}.npz"
        if not path.exists():
            made = {name: self._centres(found, name) for name, found in self._regions().items()}
            partial = path.with_suffix(".part.npz")
            np.savez(partial, allow_pickle=False, **made)
            partial.replace(path)
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}

    @torch.inference_mode()
    def _regions(self) -> dict[str, list[np.ndarray]]:
        """What the components of undamaged faces look like, each (C * s * s,) float32, by the dictionaries' names."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        estimator = self.estimator.to(device)
        found: dict[str, list[np.ndarray]] = {f"{name}_{level}": [] for level in range(LEVELS) for name in NAMES}
        for index in np.random.default_rng(5).permutation(self.training)[: self.sampled]:
            maps = estimator.encoded(metrics.tensor(np.asarray(self.faces.pixels[index])[None]).to(device))
            boxes = visible_boxes(self.landmarks[index], 256)
            for level in range(LEVELS):
                for name, box in zip(NAMES, boxes // (self.config["unshuffle"] << level), strict=True):
                    left, top, right, bottom = box
                    if right > left and bottom > top:
                        side = entry_shape(name, level, self.config["widths"], self.config["unshuffle"])[1:]
                        region = maps[level][:, :, top:bottom, left:right]
                        resized = functional.interpolate(region, size=side, mode="bilinear", align_corners=False)
                        found[f"{name}_{level}"].append(resized.flatten().cpu().numpy())
        return found

    def _centres(self, found: list[np.ndarray], name: str) -> np.ndarray:
        component, _, level = name.rpartition("_")
        shape = entry_shape(component, int(level), self.config["widths"], self.config["unshuffle"])
        samples = np.stack(found).astype(np.float32)
        cv2.setRNGSeed(0)
        ends = (cv2.TERM_CRITERIA_MAX_ITER | cv2.TERM_CRITERIA_EPS, 15, 1e-4)
        _, _, centres = cv2.kmeans(samples, self.config["entries"], None, ends, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
        log.info("%s: %d entries of %d regions", name, len(centres), len(samples))
        return np.asarray(centres).reshape(-1, *shape)

    def batch(self, random: np.random.Generator) -> dict[str, Tensor]:
        batch, which = self.drawn(random)
        boxes = np.stack([self.boxes(index, mirrored, random) for index, mirrored in which])
        return {**batch, "boxes": torch.from_numpy(boxes)}

    def boxes(self, index: int, mirrored: bool, random: np.random.Generator | None = None) -> np.ndarray:
        """(4, 4) int64 of a face, shaken by `random`; as of `visible_boxes`."""
        points = self.landmarks[index]
        if mirrored:
            points = (points * [-1, 1] + [255, 0])[self.order]
        if random is not None:
            points = points + random.uniform(-self.shaken, self.shaken, 2)
        return visible_boxes(points, 256)

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        bad, clean = self.made(batch)
        bad = bad.contiguous(memory_format=torch.channels_last)
        done = network(self.estimator.to(bad.device), bad, batch["boxes"])
        loss, terms = self.compared(done.picture.float(), clean)
        return loss, {**terms, "confidence": done.confidence.mean().item()}

    def restored(self, network: nn.Module, bad: np.ndarray, places: np.ndarray, device: torch.device) -> np.ndarray:
        boxes = torch.from_numpy(np.stack([self.boxes(index, False) for index in places]))
        done = network.symmetric(self.estimator.to(device), metrics.tensor(bad).to(device), boxes)  # type: ignore[operator]
        return metrics.pixels(done.picture)
