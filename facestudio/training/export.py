"""Export: the averaged weights as float16 safetensors in weights/, and their entry in the manifest."""

from __future__ import annotations

import datetime
import hashlib
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from facestudio.training.loop import Start, shipped_state

TITLES = {
    "starter-detector": "Starter face detector",
    "starter-landmarks": "Starter 68-landmark finder",
    "starter-embedder-a": "Starter identity embedder A",
    "starter-embedder-b": "Starter identity embedder B (IR-ResNet)",
    "starter-embedder-c": "Starter identity embedder C (transformer)",
    "starter-autoencoder": "Starter face autoencoder",
    "starter-estimator": "Starter quick restorer",
    "starter-lafr": "Starter LAFR",
    "starter-lcm": "Starter few steps: the prior as a consistency model",
    "starter-prior": "Starter face prior",
    "starter-people": "Starter people: what identities are like",
    "starter-sliders": "Starter sliders: what can be changed of a made face",
    "starter-decouple": "Starter decouple",
    "starter-dictionary": "Starter DFDNet",
    "starter-vec2face": "Starter faces at once (256 px)",
    "starter-panel": "Starter panel: all embedders together, and how recognisable a face is",
}
ADDED = ("conditioned_on", "uses")  # written only where there is something to say


def export(recipe: Any, folder: Path, figures: dict[str, Any], weights: Path) -> Path:
    """Write `weights`/ID.safetensors and replace the ID table of `weights`/manifest.toml."""
    saved = torch.load(folder / "last.pt", map_location="cpu", weights_only=True)
    tensors = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in shipped_state(saved["average"]).items()
        if not key.endswith("num_batches_tracked")
    }
    weights.mkdir(parents=True, exist_ok=True)
    path = weights / f"{recipe.id}.safetensors"
    partial = path.with_suffix(".part")
    save_file(tensors, partial)
    partial.chmod(0o644)
    os.replace(partial, path)
    content = path.read_bytes()
    manifest = weights / "manifest.toml"
    document = tomllib.loads(manifest.read_text()) if manifest.exists() else {}
    table = document.setdefault("checkpoints", {})
    digest = hashlib.sha256(content).hexdigest()
    trained = {
        "recipe": f"facestudio/training/recipes/{recipe.__module__.rsplit('.', 1)[-1]}.py",
        "commit": commit(),
        "date": datetime.date.today().isoformat(),
        "data": recipe.trained_on,
        "steps": saved["state"]["step"],
        "images": saved["state"]["images"],
        "minutes": round(saved["state"]["minutes"], 1),
    }
    before = table.get(recipe.id)
    if before and before["files"]["weights"]["sha256"] == digest:
        trained = before["trained"]  # measuring again is not training
    calibration = {key[12:]: value for key, value in figures.items() if key.startswith("calibration.")}
    table[recipe.id] = {
        "title": TITLES[recipe.id],
        "licence": "non-commercial research",
        "source": "starter",
        "method": getattr(recipe, "method", ""),
        "goal": getattr(recipe, "goal", "none"),
        "conditioned_on": list(getattr(recipe, "conditioned_on", ())),
        "architecture": recipe.architecture,
        "config": recipe.config,
        "files": {"weights": {"path": path.name, "sha256": digest, "bytes": len(content)}},
        "figures": {key: round(value, 4) for key, value in figures.items() if not key.startswith("calibration.")},
        "calibration": nested(calibration),
        "uses": dict(getattr(recipe, "uses", {})),
        "trained": trained,
    }
    table[recipe.id] = {key: value for key, value in table[recipe.id].items() if key not in ADDED or value}
    partial = manifest.with_suffix(".part")
    partial.write_text(dump(document))
    os.replace(partial, manifest)
    return path


def start(recipe: Any, weights: Path) -> Start | None:
    """The shipped weights of `recipe`, to go on from; None when there are none."""
    manifest = weights / "manifest.toml"
    table = tomllib.loads(manifest.read_text()) if manifest.exists() else {}
    trained = table.get("checkpoints", {}).get(recipe.id, {}).get("trained")
    if trained is None:
        return None
    state = {"step": trained["steps"], "images": trained["images"], "minutes": trained["minutes"]}
    return Start(weights / f"{recipe.id}.safetensors", state)


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """{"thresholds.1e-3": x} to {"thresholds": {"1e-3": x}}."""
    out: dict[str, Any] = {}
    for key, value in flat.items():
        first, _, rest = key.partition(".")
        if rest:
            out.setdefault(first, {})[rest] = round(value, 5)
        else:
            out[first] = round(value, 5) if isinstance(value, float) else value
    return out


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "uncommitted"


def dump(document: dict[str, Any]) -> str:
    """The manifest as TOML: one table a checkpoint, its parts as sub-tables. Only the types that it holds are known."""
    lines = [
        "# One table per checkpoint. Written by `python -m facestudio.training ... --export`; read by checkpoints.py."
    ]
    for name, table in sorted(document.get("checkpoints", {}).items()):
        lines.append(f"\n[checkpoints.{name}]")
        lines += [f"{key} = {scalar(value)}" for key, value in table.items() if not isinstance(value, dict)]
        for key, value in table.items():
            if isinstance(value, dict):
                lines.append(f"[checkpoints.{name}.{key}]")
                lines += [f"{scalar_key(k)} = {scalar(v)}" for k, v in value.items()]
    return "\n".join(lines) + "\n"


def scalar_key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else f'"{key}"'


def scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{scalar_key(k)} = {scalar(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(scalar(item) for item in value) + "]"
    return repr(value)
