"""Quarter turns, clockwise: of arrays, which lose nothing by them, and of places in these.

At the bottom, because photos, colours, faces and strokes are all turned alike. Knows arrays only.
"""

from __future__ import annotations

import numpy as np

QUARTERS = (90, 180, 270)  # degrees, clockwise


def turned(samples: np.ndarray, degrees: int) -> np.ndarray:
    """`samples` (H, W, ...) turned clockwise by 0, 90, 180 or 270 `degrees`, read-only; ValueError for another number."""
    if degrees not in (0, *QUARTERS):
        raise ValueError(f"a photo is turned by {QUARTERS} degrees, not by {degrees}")
    view: np.ndarray = np.ascontiguousarray(np.rot90(samples, -degrees // 90))
    view = view.view()
    view.setflags(write=False)
    return view


def carried(points: np.ndarray, degrees: int, size: tuple[int, int]) -> np.ndarray:
    """Where `points` (..., 2) of an array of `size` (width, height) are once it is turned by `degrees`.

    x and y in pixels from corner to corner, so the middle of the first pixel is (0.5, 0.5); see `carried_middles`.
    """
    x, y = points[..., 0], points[..., 1]
    width, height = size
    places = {0: (x, y), 90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}
    return np.stack(places[degrees], axis=-1)


def carried_middles(points: np.ndarray, degrees: int, size: tuple[int, int]) -> np.ndarray:
    """As `carried`, of points that count from the middle of the first pixel, as those of a face do."""
    return carried(points + 0.5, degrees, size) - 0.5


def words(degrees: int) -> str:
    """By how much, as "90 degrees clockwise"; half a turn has no direction."""
    return "180 degrees" if degrees == 180 else f"{degrees} degrees clockwise"
