"""Whether a quality measure is worth anything: the error-versus-discard curve, and fitting a logistic regression.

Paper: Grother and Tabassi, "Performance of Biometric Quality Measures", PAMI 2007. Separate from `metrics` because only the
panel needs it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

SHARES = (0.0, 0.1, 0.2, 0.3, 0.5)  # of the pairs that are discarded


def missed_after_discarding(quality: np.ndarray, known: np.ndarray, shares: tuple[float, ...] = SHARES) -> list[float]:
    """Share of pairs of the same person that are not `known` (N,) bool, after the worst by `quality` (N,) were discarded.

    One value for each of `shares` in 0..1; a good quality makes it fall fast.
    """
    kept = known[np.argsort(-quality, kind="stable")]
    counts = [max(1, round(len(kept) * (1 - share))) for share in shares]
    return [float(1 - kept[:count].mean()) for count in counts]


def logistic(x: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None, ridge: float = 1e-3) -> np.ndarray:
    """Coefficients (1 + F,), intercept first, of the logistic regression of `y` (N,) in 0..1 on `x` (N, F).

    `weight` (N,) counts the samples; `ridge` holds the coefficients of the standardised columns small, so that columns
    which say the same share the weight.
    """
    usual, spread = x.mean(0), x.std(0) + 1e-9
    columns = torch.from_numpy((x - usual) / spread).double()
    target = torch.from_numpy(np.asarray(y, np.float64))
    counted = torch.from_numpy(np.ones(len(x)) if weight is None else np.asarray(weight, np.float64))
    counted = counted / counted.sum()
    found = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        logits = columns @ found[1:] + found[0]
        loss = functional.binary_cross_entropy_with_logits(logits, target, counted, reduction="sum")
        loss = loss + ridge * found[1:].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    slopes = found.detach().numpy()[1:] / spread
    return np.concatenate([[float(found.detach()[0]) - float(slopes @ usual)], slopes])
