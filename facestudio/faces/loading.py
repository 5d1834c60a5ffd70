"""From checkpoint to filled network: the one place that turns `architecture = "module:Class"` into a torch module.

It stands in `faces`, the lowest floor that may know both the checkpoints and the networks; `methods` uses it too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from facestudio.checkpoints import Checkpoint, load_into
from facestudio.errors import CheckpointMismatch

if TYPE_CHECKING:
    from torch import nn


def load_network(checkpoint: Checkpoint, device: str, part: str = "weights") -> nn.Module:
    """Build the checkpoint's network with its config, fill it from `part`, and put it on `device` in evaluation mode.

    CheckpointMismatch when the architecture is unknown or the tensors do not fit; CheckpointMissing and
    CheckpointCorrupt come from reading the file.
    """
    module, _, name = checkpoint.architecture.partition(":")
    try:
        architecture = getattr(importlib.import_module(f"facestudio.networks.{module}"), name)
        network = architecture(**checkpoint.config)
    except (ImportError, AttributeError, TypeError) as error:
        raise CheckpointMismatch(
            f"{checkpoint.id} asks for the network {checkpoint.architecture!r}, which this version cannot build.",
            hint="Install the version of Face Studio that these weights belong to.",
        ) from error
    load_into(network, checkpoint, part)
    return network.to(device).eval()
