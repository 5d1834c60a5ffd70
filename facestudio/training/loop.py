"""The loop: one for every recipe. Resumes, averages (EMA), logs to a CSV, and stops when its minutes are over.

A recipe supplies data, loss and validation; this file knows nothing of faces.
"""

from __future__ import annotations

import copy
import csv
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from facestudio.training.optimizers import Optimizer
from facestudio.training.precision import bfloat16_pays

log = logging.getLogger(__name__)
LOGGED = 100  # steps


@dataclass(frozen=True)
class Settings:
    """Optimiser settings, kept in the recipe's file. `cooldown` is the last share of the minutes, where lr falls to 0."""

    batch: int = 16
    lr: float = 3e-4
    warmup: int = 200
    weight_decay: float = 1e-4
    ema: float = 0.999
    clip: float = 1.0
    muon: float = 0.0  # rate of Muon for the inner weights; 0: AdamW for all
    outer: tuple[str, ...] = ("head", "tail")  # beginnings of the names of parameters that AdamW keeps
    added: tuple[str, ...] = ()  # beginnings of the names of tensors that the shipped weights may lack
    cooldown: float = 0.25
    seed: int = 0
    validate_minutes: float = 10.0
    save_minutes: float = 3.0


@dataclass(frozen=True)
class Start:
    """Weights to go on from (safetensors), and the state (step, images, minutes) that made them."""

    weights: Path
    state: dict[str, Any]


class Taught(nn.Module):
    """A `network` that ships and the `heads` that only its training needs: projections to a teacher, class centres."""

    def __init__(self, network: nn.Module, heads: nn.Module) -> None:
        super().__init__()
        self.network, self.heads = network, heads

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def shipped(network: nn.Module) -> nn.Module:
    """The part of `network` that ships: everything, or what `Taught` says."""
    return network.network if isinstance(network, Taught) else network


def shipped_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same of a state dict: under `Taught`'s names, the network's tensors by their own names."""
    if not any(key.startswith("heads.") for key in state):
        return state
    return {key.removeprefix("network."): value for key, value in state.items() if key.startswith("network.")}


class TrainingRecipe(Protocol):
    """What the loop asks of a recipe. `network` and `loss` may deal in `Taught`; `validate` gets what ships.

    A recipe may have settings `on_gpu` of its own. The loop says in `images_seen` and `share_seen` how far it is: images, and the
    share of all minutes, those of the runs before included.
    """

    id: str
    settings: Settings
    config: dict[str, Any]
    architecture: str
    images_seen: int
    share_seen: float

    def network(self) -> nn.Module: ...
    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]: ...
    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]: ...
    def validate(self, network: nn.Module, device: torch.device) -> dict[str, Any]: ...


class Run:
    """A training in a folder: the network, its average, the optimiser, and how far it is.

    Args:
        folder: of `last.pt`, from which it resumes when that is there, and of the logs.
        start: weights to go on from otherwise, if any fit.
    """

    def __init__(self, recipe: TrainingRecipe, folder: Path, device: torch.device, start: Start | None = None) -> None:
        self.recipe, self.folder, self.device = recipe, folder, device
        settings = recipe.settings
        torch.manual_seed(settings.seed)
        folder.mkdir(parents=True, exist_ok=True)
        self.network = recipe.network().to(memory_format=torch.channels_last).to(device)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = Optimizer(self.network, settings.lr, settings.weight_decay, settings.muon, settings.outer)
        self.state: dict[str, Any] = {"step": 0, "images": 0, "minutes": 0.0}
        self.halved = bfloat16_pays(device)
        self._sums: dict[str, float] = {}
        self._counted = 0
        if self.last.exists():
            self._resume()
        elif start is not None and fill(shipped(self.network), start.weights, settings.added):
            if hasattr(recipe, "begin"):
                recipe.begin(self.network)
            self.average.load_state_dict(self.network.state_dict())
            self.state = dict(start.state)
            log.info("goes on from %s (%.1f minutes so far)", start.weights.name, self.state["minutes"])

    @property
    def last(self) -> Path:
        return self.folder / "last.pt"

    def _resume(self) -> None:
        saved = torch.load(self.last, map_location=self.device, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.average.load_state_dict(saved["average"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.state = saved["state"]
        log.info("resumed at step %d (%.1f minutes so far)", self.state["step"], self.state["minutes"])

    def step(self, batch: dict[str, Tensor], rate: float) -> None:
        """Learn a batch at `rate` times the rates that the recipe sets."""
        settings, state = self.recipe.settings, self.state
        batch = {key: value.to(self.device, non_blocking=True) for key, value in batch.items()}
        self.optimizer.scale(rate)
        self.network.train()
        self.recipe.images_seen = state["images"]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.halved):
            loss, terms = self.recipe.loss(self.network, batch)
        self.optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        if torch.isfinite(norm):
            self.optimizer.step()
        update(self.average, self.network, min(settings.ema, (1 + state["step"]) / (10 + state["step"])))
        state["step"] += 1
        state["images"] += len(next(iter(batch.values())))
        for key, value in {"loss": float(loss.detach()), **terms}.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        self._counted += 1

    def report(self, rate: float) -> None:
        """Write what the last LOGGED steps came to, once there are so many."""
        if self._counted >= LOGGED:
            means = {key: value / self._counted for key, value in self._sums.items()}
            record(self.folder / "log.csv", {**self.state, "lr": self.recipe.settings.lr * rate, **means})
            self._sums, self._counted = {}, 0

    def save(self) -> None:
        """Write the resumable state beside `last`, then replace it."""
        whole = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "state": self.state,
            "settings": asdict(self.recipe.settings),
            "config": self.recipe.config,
        }
        partial = self.last.with_suffix(".part")
        torch.save(whole, partial)
        os.replace(partial, self.last)

    def validate(self) -> dict[str, Any]:
        """The figures of the averaged weights, which are written down too."""
        figures = self.recipe.validate(shipped(self.average), self.device)
        record(self.folder / "validation.csv", {**self.state, **figures})
        return figures


def train(
    recipe: TrainingRecipe, folder: Path, minutes: float, device: str = "auto", start: Start | None = None
) -> dict[str, Any]:
    """Train for `minutes` and return the last validation figures.

    Resumes from `folder`/last.pt when it is there; otherwise goes on from the weights of `start`, if any fit.
    """
    target = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    if target.type == "cuda":
        torch.backends.cudnn.benchmark = True  # batches are all of one size
        recipe.settings = getattr(recipe, "on_gpu", recipe.settings)
    settings = recipe.settings
    run = Run(recipe, folder, target, start)
    log.info("computes in %s", "bfloat16" if run.halved else "float32")
    batches = recipe.batches(settings.seed + run.state["step"])
    began = previous = saved_at = validated_at = time.monotonic()
    whole = run.state["minutes"] + minutes
    warm = 0
    while (elapsed := (previous - began) / 60) < minutes:
        warm += 1
        rate = rate_at(settings, warm, elapsed / minutes)
        recipe.share_seen = run.state["minutes"] / whole
        run.step(next(batches), rate)
        now = time.monotonic()
        run.state["minutes"] += (now - previous) / 60
        previous = now
        run.report(rate)
        if now - saved_at > 60 * settings.save_minutes:
            run.save()
            saved_at = time.monotonic()
        if now - validated_at > 60 * settings.validate_minutes:
            run.validate()
            previous = validated_at = time.monotonic()
    run.save()
    figures = run.validate()
    run.save()  # again: a recipe may measure what its network must know
    return figures


def rate_at(settings: Settings, step: int, share: float) -> float:
    """What the rates are multiplied by at the `step` (from 1) of this session, with a `share` (0..1) of its minutes over: they
    rise over `warmup` steps and fall to a hundredth over the last `cooldown` of the minutes."""
    rising = min(1.0, step / settings.warmup)
    falling = min(1.0, max(0.01, (1 - share) / settings.cooldown)) if settings.cooldown else 1.0
    return rising * falling


def fill(network: nn.Module, weights: Path, added: tuple[str, ...] = ()) -> bool:
    """Fill `network` from a safetensors file, if there is one and each tensor fits; whether it did.

    The file may lack tensors whose names begin with one of `added`; those stay as they are.
    """
    if not weights.exists():
        return False
    tensors = load_file(weights)
    wanted = {
        key: value.shape
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked") and (key in tensors or not key.startswith(added))
    }
    if {key: value.shape for key, value in tensors.items()} != wanted:
        log.info("%s does not fit this recipe any more: starting afresh", weights.name)
        return False
    network.load_state_dict(tensors, strict=False)
    return True


@torch.no_grad()
def blend(folder: Path, weights: Path, share: float) -> None:
    """Make the averaged weights of the run in `folder` a mean: `share` of them, the rest of `weights` that it went on from.

    Between two optima of one basin lies a better one (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022). What
    `weights` lack began at 0, and is taken for that.
    """
    last = folder / "last.pt"
    saved = torch.load(last, map_location="cpu", weights_only=True)
    before = load_file(weights)
    for key, value in saved["average"].items():
        if value.is_floating_point():
            value.mul_(share).add_(before[key].to(value.dtype) * (1 - share) if key in before else 0)
    partial = last.with_suffix(".part")
    torch.save(saved, partial)
    os.replace(partial, last)


@torch.no_grad()
def update(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Exponential moving average of weights and buffers, in place."""
    for mine, theirs in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.is_floating_point():
            mine.lerp_(theirs.to(mine.dtype), 1 - decay)
        else:
            mine.copy_(theirs)


def record(path: Path, row: dict[str, Any]) -> None:
    """Append one row to a CSV, writing the header first if the file is new, and say it in the log."""
    text = {key: f"{value:.6g}" for key, value in row.items() if isinstance(value, int | float)}
    log.info("%s %s", path.stem, " ".join(f"{key}={value}" for key, value in text.items()))
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(text))
        if fresh:
            writer.writeheader()
        writer.writerow(text)
