"""What a mask covers, filled from what is around it: tone and edges by inpainting, grain from beside it.

Inpainting is OpenCV's after Telea ("An image inpainting technique based on the fast marching method", 2004). It leaves a
smooth band that shows in a grainy photo, so the grain of places nearby is laid over it. Knows arrays only.
"""

from __future__ import annotations

import cv2
import numpy as np

from facestudio.progress import Progress

TILE, MARGIN = 512, 24  # px; what is filled at once, and what is seen around it at least
RADIUS = 3.0  # px around a place that its tone is made of
FINE = 1.0  # px; grain is what is finer
WIDE = 8  # px from the middle of a mark to its sides
STEPS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, -1), (-1, 0), (-1, -1), (-1, 1))


def filled(
    pixels: np.ndarray,
    mask: np.ndarray,
    progress: Progress | None = None,
    known: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """`pixels` (H, W, 3) uint8 with other values where `mask` (H, W) bool is set; elsewhere every bit is kept.

    The same pixels and mask always give the same. Only tiles that the mask reaches are computed, and those in which it is
    another than that of the `known` mask and what was filled by it. Around a tile as much is seen as the mask is wide, so that
    neighbours agree.
    """
    progress = progress or Progress()
    after = pixels.copy()
    height, width = mask.shape
    margin = _margin(mask)
    if known is not None and _margin(known[0]) != margin:
        known = None
    tiles = [(top, left) for top in range(0, height, TILE) for left in range(0, width, TILE)]
    for top, left in progress.track(tiles, "Mending scratches", share=0.15):
        inner = np.s_[top : min(top + TILE, height), left : min(left + TILE, width)]
        if not mask[inner].any():
            continue
        first, second = max(top - margin, 0), max(left - margin, 0)
        outer = np.s_[first : min(top + TILE + margin, height), second : min(left + TILE + margin, width)]
        if known is not None and np.array_equal(known[0][outer], mask[outer]):
            after[inner] = known[1][inner]
            continue
        made = _tile(np.ascontiguousarray(pixels[outer]), mask[outer], np.random.default_rng((top, left)))
        cut = made[top - first : top - first + TILE, left - second : left - second + TILE]
        np.copyto(after[inner], cut[: after[inner].shape[0], : after[inner].shape[1]], where=mask[inner][..., None])
    return after


def _margin(mask: np.ndarray) -> int:
    """How many px are to be seen around a tile: those to the other side of what is widest in `mask`."""
    ringed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    inside = cv2.distanceTransform(ringed, cv2.DIST_L1, 3, dstType=cv2.CV_8U)  # ends at 255, which is a large brush
    return MARGIN * max(1, int(np.ceil(2 * int(inside.max()) / MARGIN)))


def _wide(mask: np.ndarray) -> np.ndarray:
    """What of `mask` belongs to something wider than 2 WIDE px, as only a person marks it."""
    deep = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3) > WIDE
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * WIDE + 1, 4 * WIDE + 1))
    return mask & (cv2.dilate(deep.astype(np.uint8), disc) > 0)


def _tile(pixels: np.ndarray, mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`pixels` filled; the grain of each place is that of one nearby, in a direction drawn by `random`."""
    plain = cv2.inpaint(pixels, mask.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA)
    smooth = cv2.GaussianBlur(plain, (0, 0), FINE).astype(np.float32)
    grain = plain - smooth
    # edges are no grain: what is more than grain usually is here does not come along
    usual = 1.5 * cv2.blur(np.abs(grain), (15, 15)) + 1.0
    known = ~mask & (np.abs(grain).max(axis=2) <= 2.0 * usual.max(axis=2))
    rows, columns = np.nonzero(mask)
    found = np.zeros((len(rows), 3), np.float32)
    missing = np.ones(len(rows), bool)
    way = random.integers(len(STEPS))
    for far in (4, 6, 8, 11, 15, 20):
        for turn in range(len(STEPS)):
            if not missing.any():
                break
            down, right = STEPS[(way + turn) % len(STEPS)]
            y = np.clip(rows[missing] + far * down, 0, mask.shape[0] - 1)
            x = np.clip(columns[missing] + far * right, 0, mask.shape[1] - 1)
            good = known[y, x]
            places = np.flatnonzero(missing)[good]
            found[places] = grain[y[good], x[good]]
            missing[places] = False
    wide = _wide(mask)[rows, columns]
    calm = np.argwhere(known & (usual.max(axis=2) <= np.median(usual.max(axis=2)[~mask]))) if wide.any() else ()
    if len(calm):  # what is taken from beside it would be seen as a pattern there
        y, x = calm[random.integers(len(calm), size=int(wide.sum()))].T
        found[wide] = grain[y, x]
    made = plain.astype(np.float32)
    made[rows, columns] = smooth[rows, columns] + found
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)
