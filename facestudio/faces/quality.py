"""How well a face can be recognised at all, 0..1, so that nothing is claimed of one that is too poor.

The figure is a probability: that the recognisers, at one false accept in a thousand, know the person again in another,
clean picture. It comes from what they make of the face (see networks/panel.py), and was fitted on people that they were
not trained on. Torch is imported inside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.device import enough_memory, run_batched
from facestudio.errors import CheckpointMismatch
from facestudio.faces.align import align
from facestudio.faces.face import ARCFACE_112
from facestudio.faces.identity import Embedder
from facestudio.faces.loading import load_network
from facestudio.faces.recent import Recent
from facestudio.photo import to_tensor
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import nn

BATCH = 8  # faces whose attention is formed at once: each takes half a megabyte
KNOWN = 4096  # figures that are kept


class Quality:
    """Recognisability by a fitted `network` (networks/panel.py), from `embedders` in its order and the attention of one.

    `watched` is the embedder whose attention counts, in the block of this number (the first is 0; None: the last); its network
    can `examine` (networks/vit.py).
    """

    def __init__(
        self, network: nn.Module, embedders: Mapping[str, Embedder], watched: str, block: int | None = None
    ) -> None:
        self._network = network
        self._embedders = embedders
        self._watched = embedders[watched]
        self._blocks = None if block is None else (block,)
        self._known: Recent[float] = Recent(KNOWN)

    @classmethod
    def load(cls, checkpoint: Checkpoint, embedders: Mapping[str, Embedder]) -> Quality:
        """Load what was fitted to `embedders`; CheckpointMismatch when these are not the ones, or others lack."""
        fitted = checkpoint.calibration.get("embedders", {})
        for name, sha256 in fitted.items():
            weights = [file.sha256 for file in embedders[name].checkpoint.files.values()] if name in embedders else []
            if weights != [sha256]:
                raise CheckpointMismatch(
                    f"{checkpoint.id} was fitted to other weights of {name} than are here.",
                    hint=f"Fit it again (`python -m facestudio.training panel --export`), or install {name} again.",
                )
        network = load_network(checkpoint, "cpu")
        watched, block = str(checkpoint.calibration["watched"]), checkpoint.calibration.get("block")
        return cls(network, {name: embedders[name] for name in fitted}, watched, block)

    @enough_memory()
    def measure(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> tuple[float, ...]:
        """Recognisability of the faces with `landmarks` (N, 5, 2) in `pixels` (H, W, 3) uint8 RGB, in their order.

        The embedders are asked too, but remember faces that they have seen. OutOfMemory as for `Embedder.embed_all`.
        """
        import torch

        identities = [embedder.embed_all(pixels, landmarks, progress) for embedder in self._embedders.values()]
        crops = [align(pixels, points, ARCFACE_112).pixels for points in landmarks]
        keys = [hashlib.sha256(crop.data).digest() for crop in crops]
        found = {key: value for key in keys if (value := self._known.get(key)) is not None}
        new = {key: row for row, key in enumerate(keys) if key not in found}
        attention = run_batched(self._attention, [crops[row] for row in new.values()], BATCH, progress)
        for (key, row), seen in zip(new.items(), attention, strict=True):
            embedded = np.stack([faces[row].embedding for faces in identities])
            with torch.inference_mode():
                found[key] = float(self._network(torch.from_numpy(embedded)[None], torch.tensor([seen])))
            self._known.put(key, found[key])
        return tuple(found[key] for key in keys)

    def _attention(self, crops: list[np.ndarray]) -> list[float]:
        import torch

        from facestudio.networks.panel import mean_attention
        from facestudio.networks.vit import FaceTransformer

        network = self._watched.network
        if not isinstance(network, FaceTransformer):
            raise CheckpointMismatch(f"{self._watched.id} is not a transformer, so it has no attention to read.")
        with torch.inference_mode():
            logits = network.examine(to_tensor(np.stack(crops)).to(self._watched.device), self._blocks).logits
        return [float(value) for value in mean_attention(logits)[:, -1].cpu()]
