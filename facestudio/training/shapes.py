"""What many landmarked faces tell together: the mean face in three dimensions, and which shapes are likely.

Both are made from the training faces alone, so no foreign 3-D model is needed. Separate from the recipe because it is
geometry and statistics of points (iBUG order) without pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facestudio.faces.pose import fit_rotation

NOSE_TIP, CORNERS = 30, (36, 45)  # of the nose, and the outer ones of the eyes
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # entries of a symmetric 3 x 3 matrix


def mean_face(shapes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The mean face (68, 3) of `shapes` (F, 68, 2) in pixels; outer eye corners 1 apart, z towards the camera.

    Factorisation under weak perspective: Tomasi and Kanade, "Shape and Motion from Image Streams under Orthography", IJCV
    1992. Each face is taken for one view of the same rigid head, and what people and expressions differ in for noise. `order`
    (68,) says which point stands in each one's place after mirroring: every face counts mirrored too, so the head is
    symmetric. It looks straight where the mean of the shapes does. Heads seen from one side only tell no depth: numpy's
    LinAlgError.
    """
    centred = np.asarray(shapes, dtype=np.float64)
    centred = centred - centred.mean(axis=1, keepdims=True)
    views = np.concatenate([centred, centred[:, order] * (-1, 1)])
    rows = views.transpose(0, 2, 1)
    flat = rows.reshape(-1, rows.shape[2])
    basis = np.linalg.eigh(flat.T @ flat)[1][
        :, -3:
    ]  # the same as a singular value decomposition of `flat`, and quicker
    head = basis @ np.linalg.inv(metric_upgrade(rows @ basis)).T
    head = head @ fit_rotation(views.mean(axis=0), head).T
    head = head - head[list(CORNERS)].mean(axis=0)
    if head[NOSE_TIP, 2] < 0:  # the same views show a head and its relief turned inside out
        head[:, 2] *= -1
    return head / np.linalg.norm(np.diff(head[list(CORNERS)], axis=0))


def metric_upgrade(motion: np.ndarray) -> np.ndarray:
    """C (3, 3) such that the two rows of `motion` (F, 2, 3) times C are as long as each other and at right angles.

    By least squares in C C^T, up to scale; LinAlgError when no C comes near.
    """
    across, down = motion[:, 0], motion[:, 1]
    size = (across**2 + down**2).sum(axis=1, keepdims=True)
    equations = np.concatenate(
        [(products(across, across) - products(down, down)) / size, 2 * products(across, down) / size]
    )
    found = np.linalg.eigh(equations.T @ equations)[1][:, 0]
    square = np.empty((3, 3))
    for (i, j), value in zip(PAIRS, found, strict=True):
        square[i, j] = square[j, i] = value
    return np.linalg.cholesky(square * np.sign(np.trace(square)))


def products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What `a` Q `b` of each row (F, 3) takes from the six entries of a symmetric Q: (F, 6)."""
    return np.stack([a[:, i] * b[:, j] + (i != j) * a[:, j] * b[:, i] for i, j in PAIRS], axis=1)


@dataclass(frozen=True)
class ShapeModel:
    """Active shape model: Cootes et al., CVIU 1995. `mean` (2 N,), `modes` (K, 2 N) and their `deviations` (K,)."""

    mean: np.ndarray
    modes: np.ndarray
    deviations: np.ndarray

    @classmethod
    def of(cls, shapes: np.ndarray, share: float = 0.9) -> ShapeModel:
        """The model of aligned `shapes` (F, N, 2) with as few modes as hold `share` (0 to 1) of their variance."""
        flat = np.asarray(shapes, dtype=np.float64).reshape(len(shapes), -1)
        values, vectors = np.linalg.eigh(np.cov(flat.T))
        values, vectors = values[::-1].clip(min=0), vectors[:, ::-1]
        count = int(np.searchsorted(np.cumsum(values) / values.sum(), share)) + 1
        return cls(flat.mean(axis=0), vectors[:, :count].T, np.sqrt(values[:count]))

    def smooth(self, shapes: np.ndarray) -> np.ndarray:
        """`shapes` (F, N, 2) as the model can say them, each mode within three standard deviations."""
        flat = np.asarray(shapes, dtype=np.float64).reshape(len(shapes), -1)
        amounts = (flat - self.mean) @ self.modes.T
        limit = 3 * self.deviations
        return (self.mean + amounts.clip(-limit, limit) @ self.modes).reshape(shapes.shape).astype(np.float32)
