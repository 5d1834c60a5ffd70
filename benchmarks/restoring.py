"""How a benchmark runs restorers: which ones, with which options, and each in a process of its own.

Separate from what is measured of the results. A process of its own makes seconds and peak memory those of the method, not of the
judges; `python benchmarks/restoring.py --child JSON` is that process.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import peak_memory
from facestudio import checkpoints, pipeline
from facestudio.errors import FaceStudioError
from facestudio.methods.base import method_name
from facestudio.options import OptionField, describe
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.subject import Subject

BICUBIC = "bicubic"
_BOOLEANS = {"yes": True, "no": False, "true": True, "false": False}


@dataclass(frozen=True)
class Variant:
    """A way to restore that is measured.

    Attributes:
        id: of the checkpoint, or "bicubic", which leaves the enlarged input as it is.
        method: its method's short name; starter: whether we trained it.
        options: those that were asked for; the rest have their defaults.
    """

    id: str
    method: str = ""
    starter: bool = True
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def title(self) -> str:
        """Checkpoint and options, as a row is called."""
        told = ", ".join(f"{name} {_shown(value)}" for name, value in self.options.items())
        return f"{self.id} ({told})" if told else self.id


@dataclass(frozen=True)
class Cost:
    """What restoring took: median `seconds` a face, `peak` memory of the process in bytes, and its torch `threads`."""

    seconds: float
    peak: int
    threads: int


def chosen(studio: Studio, methods: str, options: Sequence[Sequence[str]]) -> list[Variant]:
    """The variants to measure, bicubic first.

    Args:
        methods: ids of checkpoints with commas between; "" means all that restore and are here.
        options: each a group of "name=value,value"; see `combinations`.

    SystemExit in one sentence for what does not exist or is not here, and for an option that no method has.
    """
    known = {entry.id: entry for entry in studio.checkpoints() if entry.method and entry.goal == "keep"}
    here = [entry.id for entry in studio.restore_checkpoints() if entry.here]
    ids = [id for id in methods.split(",") if id and id != BICUBIC] if methods else here
    if unknown := [id for id in ids if id not in known]:
        raise SystemExit(f"No method restores with {unknown[0]}; there are {', '.join(known)}.")
    if lacking := [id for id in ids if not known[id].here]:
        raise SystemExit(f"The weights {lacking[0]} are not here; `facestudio weights get {lacking[0]}` gets them.")
    groups = [parsed(group) for group in options]
    fields = {id: {one.name: one for one in studio.options_for(id)} for id in ids}
    for name in {name for group in groups for name in group}:
        if not any(name in of for of in fields.values()):
            raise SystemExit(f"None of these methods has an option called {name}.")
    variants = [Variant(BICUBIC)]
    for id in ids:
        method, starter = method_name(known[id]), not known[id].published
        variants += [Variant(id, method, starter, told) for told in combinations(groups, fields[id])]
    return variants


def parsed(group: Sequence[str]) -> dict[str, list[str]]:
    """The values by option of "name=value,value" texts; SystemExit when one is something else."""
    found = {}
    for text in group:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise SystemExit(f"Options are given as name=value or name=value,value, not {text}.")
        found[name.replace("-", "_")] = values.split(",")
    return found


def combinations(
    groups: Sequence[Mapping[str, Sequence[str]]], fields: Mapping[str, OptionField]
) -> list[dict[str, Any]]:
    """Every combination of values within each of `groups`, of the options that are in `fields`; [{}] when none is.

    An option that only another group names has its default, so that all combinations tell of the same options.
    """
    usual = {name: fields[name].default for group in groups for name in group if name in fields}
    found: list[dict[str, Any]] = []
    for group in groups:
        own = {name: [valued(text, fields[name]) for text in texts] for name, texts in group.items() if name in fields}
        if own:
            found += [usual | dict(zip(own, values, strict=True)) for values in itertools.product(*own.values())]
    return [told for place, told in enumerate(found) if told not in found[:place]] or [{}]


def valued(text: str, of: OptionField) -> Any:
    """The value of option `of` that `text` means; SystemExit says what is allowed."""
    try:
        value = _BOOLEANS[text] if of.type is bool else of.type(text)
    except (ValueError, KeyError):
        value = text
    if problem := of.problem(value):
        raise SystemExit(problem)
    return value


def defaults(variant: Variant, studio: Studio) -> bool:
    """Whether the options that were asked for are what the method does anyway."""
    if variant.id == BICUBIC:
        return True
    usual = {one.name: one.default for one in describe(studio.method_options(variant.id))}
    return all(usual[name] == value for name, value in variant.options.items())


def restored(
    variant: Variant, bad: np.ndarray, folder: Path, device: str = "auto", seed: int = 0
) -> tuple[np.ndarray, Cost]:
    """`bad` (N, S, S, 3) uint8 RGB aligned crops restored in a new process, and what it cost; RuntimeError says why not.

    `folder` holds what goes there and back.
    """
    inputs, outputs = folder / "inputs.npy", folder / "outputs.npy"
    np.save(inputs, bad)
    order = {**asdict(variant), "device": device, "seed": seed, "inputs": str(inputs), "outputs": str(outputs)}
    command = [sys.executable, __file__, "--child", json.dumps(order)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["the process ended without a word"])[-1])
    return np.load(outputs), Cost(**json.loads(done.stdout.splitlines()[-1]))


def restore_all(order: Mapping[str, Any]) -> Cost:
    """Restore what `order` names as the product does with `--aligned`, but with no judges; write it, and say what it cost."""
    import torch

    studio = Studio(order["device"])
    restorer = studio._restorer(order["id"])
    recipe = Recipe(order["id"], restorer.id, order["options"], order["seed"])
    bad = np.load(order["inputs"])
    good = np.empty_like(bad)
    seconds = []
    for place, pixels in enumerate(bad):
        result = pipeline.restore(Subject.aligned(Photo.from_pixels(pixels), restorer.template), restorer, recipe)
        if result.error:
            raise SystemExit(result.error)
        good[place] = result.after.pixels
        seconds.append(result.seconds)
    np.save(order["outputs"], good)
    return Cost(statistics.median(seconds), peak_memory(), torch.get_num_threads())


def listens_to(id: str) -> tuple[str, ...]:
    """The embedders that the method of checkpoint `id` is conditioned on, itself or by what it uses."""
    if id == BICUBIC:
        return ()
    entry = checkpoints.checkpoint(id)
    used = [name for other in entry.uses.values() for name in checkpoints.checkpoint(other).conditioned_on]
    return tuple(dict.fromkeys([*entry.conditioned_on, *used]))


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", required=True, metavar="JSON")
    try:
        cost = restore_all(json.loads(parser.parse_args().child))
    except FaceStudioError as error:
        raise SystemExit(f"{error} {error.hint}") from error
    sys.stdout.write(json.dumps(asdict(cost)) + "\n")


if __name__ == "__main__":
    main()
