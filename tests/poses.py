"""Pose pictures drawn by code: the surface of an egg with a nose, in the colours of its normals."""

from __future__ import annotations

import numpy as np


def head(side: int = 128, turn: float = 0.0) -> np.ndarray:
    """(side, side, 3) uint8: normals n / 2 + 1 / 2, grey around it; the nose is `turn` (-1 to 1) to the right."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    inside = 1 - (x / 0.6) ** 2 - (y / 0.8) ** 2
    nose = 0.15 * np.exp(-(((x - 0.4 * turn) / 0.12) ** 2) - (y / 0.2) ** 2)
    depth = 0.7 * np.sqrt(np.clip(inside, 0, None)) + nose
    down, right = np.gradient(depth, 2 / side)
    vectors = np.stack([-right, down, np.ones_like(depth)], axis=2)
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    vectors[inside <= 0] = 0
    return ((vectors * 0.5 + 0.5) * 255).astype(np.uint8)
