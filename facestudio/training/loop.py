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

    The loop says in `images_seen` and `share_seen` how far it is: images, and the share of all minutes, those of the runs before
    included.
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


def train(
    recipe: TrainingRecipe, folder: Path, minutes: float, device: str = "auto", start: Start | None = None
) -> dict[str, Any]:
    """Train for `minutes` and return the last validation figures.

    Resumes from `folder`/last.pt when it is there; otherwise goes on from the weights of `start`, if any fit.
    """
    settings = recipe.settings
    target = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    torch.manual_seed(settings.seed)
    folder.mkdir(parents=True, exist_ok=True)
    network = recipe.network().to(memory_format=torch.channels_last).to(target)  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = Optimizer(network, settings.lr, settings.weight_decay, settings.muon, settings.outer)
    state: dict[str, Any] = {"step": 0, "images": 0, "minutes": 0.0}
    last = folder / "last.pt"
    if last.exists():
        saved = torch.load(last, map_location=target, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["state"]
        log.info("resumed at step %d (%.1f minutes so far)", state["step"], state["minutes"])
    elif start is not None and fill(shipped(network), start.weights, settings.added):
        if hasattr(recipe, "begin"):
            recipe.begin(network)
        average.load_state_dict(network.state_dict())
        state = dict(start.state)
        log.info("goes on from %s (%.1f minutes so far)", start.weights.name, state["minutes"])
    halved = bfloat16_pays(target)
    log.info("computes in %s", "bfloat16" if halved else "float32")
    warm = 0
    batches = recipe.batches(settings.seed + state["step"])
    began = previous = saved_at = validated_at = time.monotonic()
    figures: dict[str, Any] = {}
    sums: dict[str, float] = {}
    counted = 0
    whole = state["minutes"] + minutes
    while (elapsed := (previous - began) / 60) < minutes:
        batch = {key: value.to(target, non_blocking=True) for key, value in next(batches).items()}
        warm += 1
        scale = min(1.0, warm / settings.warmup)
        if settings.cooldown:
            scale *= min(1.0, max(0.01, (1 - elapsed / minutes) / settings.cooldown))
        optimizer.scale(scale)
        network.train()
        recipe.images_seen = state["images"]
        recipe.share_seen = state["minutes"] / whole
        with torch.autocast(target.type, torch.bfloat16, enabled=halved):
            loss, terms = recipe.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        if torch.isfinite(norm):
            optimizer.step()
        update(average, network, min(settings.ema, (1 + state["step"]) / (10 + state["step"])))
        state["step"] += 1
        state["images"] += len(next(iter(batch.values())))
        for key, value in {"loss": float(loss.detach()), **terms}.items():
            sums[key] = sums.get(key, 0.0) + value
        counted += 1
        now = time.monotonic()
        state["minutes"] += (now - previous) / 60
        previous = now
        if counted >= 100:
            record(
                folder / "log.csv", {**state, "lr": settings.lr * scale, **{k: v / counted for k, v in sums.items()}}
            )
            sums, counted = {}, 0
        if now - saved_at > 60 * settings.save_minutes:
            save(last, network, average, optimizer, state, recipe)
            saved_at = time.monotonic()
        if now - validated_at > 60 * settings.validate_minutes:
            figures = recipe.validate(shipped(average), target)
            record(folder / "validation.csv", {**state, **figures})
            previous = validated_at = time.monotonic()
    save(last, network, average, optimizer, state, recipe)
    figures = recipe.validate(shipped(average), target)
    record(folder / "validation.csv", {**state, **figures})
    save(last, network, average, optimizer, state, recipe)  # again: a recipe may measure what its network must know
    return figures


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


def save(
    path: Path, network: nn.Module, average: nn.Module, optimizer: Any, state: dict, recipe: TrainingRecipe
) -> None:
    """Write the resumable state beside `path`, then replace it."""
    partial = path.with_suffix(".part")
    torch.save(
        {
            "network": network.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "state": state,
            "settings": asdict(recipe.settings),
            "config": recipe.config,
        },
        partial,
    )
    os.replace(partial, path)


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
