"""Grain of the photo laid over a face that was pasted into it, where the restored face is smoother than what stands around.

A restorer takes grain off with the damage, so that a smooth patch would stand in a grainy photo. How strong and how coarse the
photo's grain is, in each colour and of all of them together, is measured where the photo is plainest, and so is what of it the
pasted face still has. The difference is laid over the face: Gaussian noise shaped to that cross spectrum (Galerne, Gousseau and
Morel, "Random phase textures", 2011). A photo without grain is not touched: a texture is told from it, because grain is normally
distributed and the same in every corner of a plain part. Knows no networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from facestudio.device import enough_memory
from facestudio.faces.align import inverse, warp
from facestudio.faces.face import AlignedFace
from facestudio.faces.paste import region_of, soft_mask
from facestudio.faces.tone import LUMA
from facestudio.photo import Photo

MATCH, OFF = "match", "off"
CHOICES = (MATCH, OFF)
LEAST = 2.0  # levels of 255: deviation of the plainest parts below which nobody sees grain
ALIKE = 0.5  # of the grain around a face, how much the face itself had at least; else it is a texture of what is around
ENOUGH = 0.9  # of the photo's grain in the pasted face: nothing is missing
FEW = 4  # tiles that tell something
GROUPS = 4  # by brightness: grain is not the same in shadows and lights
STEADY = 1.8  # times the least grain of a group that another one's may be; what is more is texture
PEAKED = 1.0  # excess kurtosis of the plainest parts; above, it is texture: the least of 44 rough photos had 0.7
UNEVEN = 1.65  # typical ratio of most to least deviation in the four corners of a tile; above, it is texture as well
_MOST_TILES = 1500
_FIELD = 1024  # px after which the noise repeats


@dataclass(frozen=True, eq=False)
class Grain:
    """Grain as it was measured.

    Attributes:
        level: standard deviation of the brightness, in levels of 255.
        spectrum: (T, T, 3, 3) float64, the covariance of the colours at each frequency, of T px; its mean is that of the pixels.
        bright, gain: (G,) float32 each: how much stronger than all together the grain is at each brightness, 0 to 255.
        peaked, uneven: what tells it from texture, see PEAKED and UNEVEN.
    """

    level: float
    spectrum: np.ndarray
    bright: np.ndarray
    gain: np.ndarray
    peaked: float
    uneven: float

    @property
    def seen(self) -> bool:
        """Whether it is grain, and so much that it is seen."""
        return self.level >= LEAST and self.peaked < PEAKED and self.uneven < UNEVEN


@enough_memory()
def regrained(
    pasted: Photo, before: Photo, aligned: AlignedFace, strength: float = 1.0, seed: int = 0
) -> tuple[Photo, float]:
    """`pasted` with the grain of the photo `before` over the face, and the level of what was laid there, in levels of 255.

    `pasted` itself and 0.0 when there is no grain, or the face has it already. `aligned` says where the face is, `strength` how
    much of it was pasted; the same `seed` gives the same grain.
    """
    left, top, right, bottom = region_of(before, aligned)
    if right - left < 8 or bottom - top < 8 or strength == 0:
        return pasted, 0.0
    height, width = before.pixels.shape[:2]
    by = max(right - left, bottom - top) // 2
    x, y = max(left - by, 0), max(top - by, 0)
    around = (slice(y, min(bottom + by, height)), slice(x, min(right + by, width)))
    back = inverse(aligned.matrix)
    back[:, 2] -= (x, y)
    was, now = before.pixels[around], pasted.pixels[around]
    mask = soft_mask(aligned.template.size)
    weight = warp(mask, back, (was.shape[1], was.shape[0]), border=cv2.BORDER_CONSTANT)
    known = np.ones(weight.shape, bool) if before.damage is None else ~before.damage.unread[around]
    side = _tile_for(min(right - left, bottom - top))
    # grain that is coarse for its tiles looks uneven in them
    grain = next((one for one in (measured(was, known, of) for of in (side, 2 * side)) if one and one.seen), None)
    if grain is None or not _alike(was, known, weight, side := len(grain.spectrum)):
        return pasted, 0.0
    left_over = measured(now, known & (weight > 0.9), side)
    if left_over is not None and left_over.seen and left_over.level > ENOUGH * grain.level:
        return pasted, 0.0
    rest = (1 - strength) ** 2 * grain.spectrum if left_over is None else left_over.spectrum
    shaping, level = _missing(grain.spectrum - rest)
    if level < LEAST / 2:
        return pasted, 0.0
    part = (slice(top - y, bottom - y), slice(left - x, right - x))
    shown = weight[part] * strength
    # of the photo's own grain a mix keeps (1 - w)^2; with this, the variance is the same everywhere
    share = np.sqrt((2 * shown - shown**2) / (2 * strength - strength**2))
    noise = _noise(shaping, shown.shape, seed)
    if int(np.ptp(was, axis=2).max()) == 0:  # no colour, not even by rounding
        noise[:] = noise.mean(axis=2, keepdims=True)
    face = now[part].astype(np.float32)
    if len(grain.bright) > 1:
        bright = cv2.GaussianBlur(face @ LUMA, (0, 0), side / 4)
        share = share * np.interp(bright, grain.bright, grain.gain).astype(np.float32)
    laid = np.rint(face + share[..., None] * noise).clip(0, 255).astype(np.uint8)
    pixels = pasted.pixels.copy()
    np.copyto(pixels[top:bottom, left:right], laid, where=shown[..., None] > 0)
    return pasted.with_pixels(pixels), level


def measured(pixels: np.ndarray, where: np.ndarray, side: int = 32) -> Grain | None:
    """The grain in the plainest tiles, of `side` px, of `pixels` (H, W, 3) uint8 RGB that lie all in `where` (H, W) bool.

    None where too few tell anything: those with black or white, that would cut grain off, do not. Of a photo without grain it is
    what else there is, and its level is low.
    """
    tiles = _tiles(pixels, where, side)
    if len(tiles) < FEW:
        return None
    bright = (tiles @ LUMA).mean(axis=(1, 2))
    flat = _without_slope(tiles)
    spread = (flat @ LUMA).var(axis=(1, 2))
    order = np.argsort(bright, kind="stable")
    groups = np.array_split(order, min(GROUPS, max(len(tiles) // (4 * FEW), 1)))
    chosen = [group[np.argsort(spread[group], kind="stable")[: max(len(group) // 4, FEW)]] for group in groups]
    levels = np.array([float(np.sqrt(spread[group].mean())) for group in chosen])
    steady = levels <= STEADY * max(float(levels.min()), 1e-3)
    chosen = [group for group, kept in zip(chosen, steady, strict=True) if kept]
    levels = levels[steady]
    level = float(np.sqrt(np.mean(levels**2)))
    gains = levels / max(level, 1e-3)
    window = np.hanning(side + 2)[1:-1]
    window = np.outer(window, window)[None, :, :, None]
    evened = np.concatenate([flat[group] / gain for group, gain in zip(chosen, np.maximum(gains, 1e-3), strict=True)])
    waves = np.fft.fft2(evened * window, axes=(1, 2))
    power = np.einsum("nyxi,nyxj->yxij", waves, waves.conj()).real / (len(waves) * float((window**2).sum()))
    for axis in (0, 1):  # grain has no direction to the left or the right
        power = (power + np.roll(np.flip(power, axis), 1, axis)) / 2
    brightness = np.array([bright[group].mean() for group in chosen], np.float32)
    even = np.concatenate([flat[group] for group in chosen]) @ LUMA
    even /= np.maximum(even.std(axis=(1, 2), keepdims=True), 1e-3)
    half = side // 2
    corners = even.reshape(-1, 2, half, 2, half).std(axis=(2, 4)).reshape(-1, 4)
    uneven = float(np.median(corners.max(axis=1) / np.maximum(corners.min(axis=1), 1e-3)))
    return Grain(level, power, brightness, gains.astype(np.float32), float((even**4).mean()) - 3, uneven)


def _alike(was: np.ndarray, known: np.ndarray, weight: np.ndarray, side: int) -> bool:
    """Whether the face of the photo had about as much grain as what stands around it."""
    outside, inside = measured(was, known & (weight == 0), side), measured(was, known & (weight > 0.5), side)
    if inside is None or outside is None:
        return True
    return inside.level >= max(ALIKE * outside.level, LEAST / 2) and outside.level >= LEAST / 2


def _tile_for(face: int) -> int:
    """Side of the tiles in which the grain around a `face` of so many px is measured: larger photos have coarser grain."""
    return 16 if face < 256 else 32 if face < 1024 else 64


def _tiles(pixels: np.ndarray, where: np.ndarray, side: int) -> np.ndarray:
    """Tiles (N, side, side, 3) float32 that overlap by half, are all in `where`, and hold next to no black and white."""
    height, width = where.shape
    if height < side or width < side:
        return np.zeros((0, side, side, 3), np.float32)
    cut = np.any((pixels < 2) | (pixels > 253), axis=2)
    missing = _summed(~where)
    cutting = _summed(cut)
    ys, xs = (np.arange(0, length - side + 1, side // 2) for length in (height, width))

    def count(table: np.ndarray) -> np.ndarray:
        return (
            table[np.ix_(ys + side, xs + side)]
            - table[np.ix_(ys, xs + side)]
            - table[np.ix_(ys + side, xs)]
            + table[np.ix_(ys, xs)]
        )

    places = np.argwhere((count(missing) == 0) & (count(cutting) <= 0.02 * side**2))
    places = places[:: max(-(-len(places) // _MOST_TILES), 1)]
    found = [pixels[y : y + side, x : x + side] for y, x in zip(ys[places[:, 0]], xs[places[:, 1]], strict=True)]
    return np.array(found, np.float32).reshape(-1, side, side, 3)


def _summed(where: np.ndarray) -> np.ndarray:
    """How often `where` (H, W) bool is set above and to the left of each corner, (H + 1, W + 1) int."""
    return np.pad(where.astype(np.int64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _without_slope(tiles: np.ndarray) -> np.ndarray:
    """`tiles` (N, T, T, 3) without what light and shape add to each: the nearest curved surface of the second degree."""
    side = tiles.shape[1]
    line = np.linspace(-1, 1, side)
    x, y = np.meshgrid(line, line)
    basis, _ = np.linalg.qr(np.stack([x**0, x, y, x * y, x**2, y**2], axis=-1).reshape(-1, 6))
    flat = tiles.transpose(1, 2, 0, 3).reshape(side * side, -1)
    rest: np.ndarray = flat - basis.astype(np.float32) @ (basis.T.astype(np.float32) @ flat)
    return rest.reshape(side, side, -1, 3).transpose(2, 0, 1, 3)


def _missing(spectrum: np.ndarray) -> tuple[np.ndarray, float]:
    """What shapes white noise to `spectrum` (T, T, 3, 3) as far as that is positive, likewise; and its level, of the brightness.

    Tiles without their slope, and the plainest of them, show less of coarse grain than there is; how much less is measured on
    noise that is so made.
    """
    values, vectors = np.linalg.eigh(spectrum)
    values = values.clip(0, None)
    shaping = np.einsum("yxik,yxk,yxjk->yxij", vectors, np.sqrt(values), vectors)
    light = np.einsum("i,yxij->yxj", LUMA, shaping)
    level = float(np.sqrt((light**2).sum(axis=2).mean()))
    probe = (
        np.rint(128 + _noise(shaping * min(1.0, 25 / max(level, 1e-3)), (512, 512), 0)).clip(0, 255).astype(np.uint8)
    )
    seen = measured(probe, np.ones((512, 512), bool), len(spectrum))
    lost = min(level, 25.0) / seen.level if seen is not None and seen.level >= LEAST / 2 else 1.0
    lost = min(max(lost, 1.0), 1.5)
    return shaping * lost, level * lost


def _noise(shaping: np.ndarray, size: tuple[int, int], seed: int) -> np.ndarray:
    """Gaussian noise (H, W, 3) float32 of which the spectrum is that of `shaping` times itself; it repeats after 1024 px."""
    side = len(shaping)
    span = min(-(-max(*size, 2 * side) // 64) * 64, _FIELD)
    kernel = np.zeros((span, span, 3, 3), np.float32)
    places = (np.arange(side) - side // 2) % span
    kernel[np.ix_(places, places)] = np.fft.fftshift(np.fft.ifft2(shaping, axes=(0, 1)).real, axes=(0, 1))
    white = np.random.default_rng(seed).standard_normal((span, span, 3), np.float32)
    wave = np.fft.rfft2(white, axes=(0, 1))
    field = np.zeros((span, span, 3), np.float32)
    for channel in range(3):  # one after the other needs a third of the memory
        across = np.fft.rfft2(kernel[:, :, channel], axes=(0, 1))
        field[..., channel] = np.fft.irfft2((across * wave).sum(axis=2), (span, span), axes=(0, 1))
    rows, columns = (np.arange(length) % span for length in size)
    return field[np.ix_(rows, columns)]
