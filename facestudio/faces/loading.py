"""From checkpoint to filled network: the one place that turns `architecture = "module:Class"` into a torch module.

It stands in `faces`, the lowest floor that may know both the checkpoints and the networks; `methods` uses it too.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from facestudio.checkpoints import Checkpoint, checkpoint, load_into, load_manifest
from facestudio.errors import CheckpointMismatch
from facestudio.faces.align import similarity_transform
from facestudio.faces.face import ARCFACE_112, FFHQ_256
from facestudio.faces.fusing import fuse

if TYPE_CHECKING:
    from torch import nn

    from facestudio.networks.onlooker import Onlooker


def load_network(checkpoint: Checkpoint, device: str, part: str = "weights") -> nn.Module:
    """Build the checkpoint's network with its config, fill it from `part`, and put it on `device` ready for inference.

    It is in evaluation mode and fused (see fusing.py), so it must not be trained or saved any more. CheckpointMismatch
    when the architecture is unknown or the tensors do not fit; CheckpointMissing and CheckpointCorrupt come from
    reading the file.
    """
    import torch

    network = fuse(fill_network(checkpoint, part)).to(device)
    if device == "cpu":
        # it convolves quicker, by up to a sixth, when the channels of a pixel lie together
        for value in network.parameters():
            if value.dim() == 4:  # StyleGAN2's weights have five axes
                value.data = value.data.contiguous(memory_format=torch.channels_last)
    return network


def load_used(asking: Checkpoint, role: str, device: str) -> nn.Module:
    """The network of the other checkpoint that `asking` uses as `role` ("autoencoder"), as by `load_network`.

    CheckpointMismatch when it does not say which one that is.
    """
    return load_network(_used(asking, role), device)


def _used(asking: Checkpoint, role: str) -> Checkpoint:
    if role not in asking.uses:
        raise CheckpointMismatch(
            f"{asking.id} does not say which {role} it works with.",
            hint="Install the version of Face Studio that these weights belong to.",
        )
    return checkpoint(asking.uses[role])


def refuse_others(asking: Checkpoint, recipe: str, known: Mapping[str, Checkpoint] | None = None) -> None:
    """CheckpointMismatch when `asking` was trained, by `recipe`, with other weights than are `known` (None: than are here)."""
    known = load_manifest() if known is None else known
    for name, sha256 in asking.calibration.get("fitted_to", {}).items():
        if name not in known or known[name].files["weights"].sha256 != sha256:
            raise CheckpointMismatch(
                f"{asking.id} was trained with different weights of {name} than those installed here.",
                hint=f"Train it again (`python -m facestudio.training {recipe} --export`), or install {name} again.",
            )


def fill_network(checkpoint: Checkpoint, part: str = "weights") -> nn.Module:
    """The checkpoint's network as it was trained: filled from `part`, on the CPU, in evaluation mode.

    Raises as `load_network` does.
    """
    network = build_network(*checkpoint.network(part), checkpoint.id)
    load_into(network, checkpoint, part)
    if getattr(network, "looked_on", False):
        refuse_others(checkpoint, "estimator")
        network.lend(onlooker(_used(checkpoint, "embedder")))  # type: ignore[operator]
    return network.eval()


def onlooker(recogniser: Checkpoint) -> Onlooker:
    """`recogniser`, of ARCFACE_112 crops, as it looks at FFHQ_256 ones, on the CPU."""
    from facestudio.networks.onlooker import Onlooker

    network: Any = fuse(fill_network(recogniser))
    frame = similarity_transform(FFHQ_256.points, ARCFACE_112.points)
    return Onlooker(network, frame.tolist(), FFHQ_256.size)


def build_network(architecture: str, config: Mapping[str, Any], asked_by: str) -> nn.Module:
    """The network "module:Class" with its `config`, not filled yet, on torch's default device.

    CheckpointMismatch when this version cannot build what `asked_by` asks for.
    """
    module, _, name = architecture.partition(":")
    try:
        return getattr(importlib.import_module(f"facestudio.networks.{module}"), name)(**config)
    except (ImportError, AttributeError, TypeError) as error:
        raise CheckpointMismatch(
            f"{asked_by} asks for the network {architecture!r}, which this version cannot build.",
            hint="Install the version of Face Studio that these weights belong to.",
        ) from error
