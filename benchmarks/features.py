"""The space in which the benchmarks measure Frechet distances: embeddings before they are made unit vectors."""

from __future__ import annotations

import numpy as np
import torch

from facestudio.faces.align import align
from facestudio.faces.face import ARCFACE_112, FFHQ_256
from facestudio.photo import to_tensor
from facestudio.studio import Studio

FEATURES = "starter-embedder-c"
BATCH = 32


def embeddings(studio: Studio, id: str, faces: np.ndarray) -> np.ndarray:
    """(N, 512) raw embeddings of FFHQ-framed `faces` (N, 256, 256, 3), cut out by the template's points."""
    embedder = next(e for e in studio._embedders() if e.id == id)
    found = []
    for start in range(0, len(faces), BATCH):
        crops = [align(face, FFHQ_256.points, ARCFACE_112).pixels for face in faces[start : start + BATCH]]
        with torch.inference_mode():
            found.append(embedder.network(to_tensor(np.stack(crops)).to(embedder.device)).float().cpu().numpy())
    return np.concatenate(found)
