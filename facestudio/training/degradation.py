"""Degradation: how a clean face becomes the kind of picture that people bring in.

The order is the one of blind face restoration (GFPGAN, DifFace; see the restoration spec, 1.6):
y = { [ (x * k) down_s + n ]_JPEG } up_s. Strengths are for 256 px crops: half of those published for 512 px.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

USUAL = 0.8  # share of what restorers learn from that is damaged as photos mostly are
RESIZERS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


@dataclass(frozen=True)
class Degradation:
    """One drawn degradation.

    sigma: blur in px (x, y), angle in radians; scale: reduction factor >= 1 (below 1 none); noise: standard deviation
    in levels of 255; jpeg: quality 1..100, 0 for none; grey: drop colour; upscaler: an OpenCV interpolation flag.
    """

    sigma: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    scale: float = 1.0
    noise: float = 0.0
    jpeg: int = 0
    grey: bool = False
    upscaler: int = cv2.INTER_CUBIC
    seed: int = 0


def kernel(sigma: tuple[float, float], angle: float) -> np.ndarray:
    """Normalised Gaussian kernel, sides odd, wide enough for three standard deviations (at most 41)."""
    radius = min(20, max(1, int(np.ceil(3 * max(sigma)))))
    axis = np.arange(-radius, radius + 1, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    weights = np.exp(-0.5 * ((u / max(sigma[0], 1e-3)) ** 2 + (v / max(sigma[1], 1e-3)) ** 2))
    return (weights / weights.sum()).astype(np.float32)


def degrade(pixels: np.ndarray, how: Degradation) -> np.ndarray:
    """Apply `how` to `pixels` (H, W, 3) uint8 RGB; the result has the same shape and type."""
    height, width = pixels.shape[:2]
    image = pixels
    if max(how.sigma) > 0.05:
        if how.sigma[0] == how.sigma[1]:
            image = cv2.GaussianBlur(image, (0, 0), how.sigma[0])
        else:
            image = cv2.filter2D(image, -1, kernel(how.sigma, how.angle), borderType=cv2.BORDER_REFLECT)
    if how.scale > 1:
        size = max(4, round(width / how.scale)), max(4, round(height / how.scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if how.noise > 0:
        noise = np.random.default_rng(how.seed).standard_normal(image.shape, np.float32)
        image = np.clip(np.rint(image + how.noise * noise), 0, 255).astype(np.uint8)
    if how.grey:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if how.jpeg:
        _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, how.jpeg])  # OpenCV encodes BGR
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=how.upscaler)
    return np.ascontiguousarray(image)


def draw(random: np.random.Generator, strength: float = 1.0) -> Degradation:
    """Draw a degradation for a 256 px crop; `strength` below 1 keeps blur and reduction milder.

    Three times in four the blur goes with the reduction (about half of it, as in a photo that was scanned or sent small);
    else it is any blur, as of a photo out of focus. One time in ten nothing is blurred or reduced: a sharp photo of a noisy
    sensor, or one that was compressed.
    """
    if random.random() < 0.1:
        return Degradation(
            noise=float(random.uniform(2, 30)) if random.random() < 0.75 else 0.0,
            jpeg=int(random.integers(15, 96)) if random.random() < 0.5 else 0,
            seed=int(random.integers(2**31)),
        )
    scale = float(np.exp(random.uniform(np.log(0.9), np.log(1 + 11 * strength))))
    if random.random() < 0.75:
        first = 0.5 * scale * float(np.exp(random.normal(0, 0.35)))
    else:
        first = float(np.exp(random.uniform(np.log(0.2), np.log(0.2 + 6.3 * strength))))
    first = float(np.clip(first, 0.2, 0.2 + 6.3 * strength))
    second = first if random.random() < 0.5 else max(0.2, first * float(np.exp(random.uniform(-0.7, 0.0))))
    return Degradation(
        sigma=(first, second),
        angle=float(random.uniform(0, np.pi)),
        scale=scale,
        noise=float(random.uniform(0, 20)) if random.random() < 0.85 else 0.0,
        jpeg=int(random.integers(30, 96)) if random.random() < 0.85 else 0,
        upscaler=int(random.choice(RESIZERS)),
        seed=int(random.integers(2**31)),
    )


def usual(random: np.random.Generator) -> Degradation:
    """Draw what mostly happens to a photo that is passed on: made small by 2 to 16, as blurred as that asks for, of a moderate
    grain, compressed once, and enlarged again.

    `bar` lies in the middle of it. `draw` reaches much further and has little of it: a network that must cope with all that
    is worse at this.
    """
    scale = float(np.exp(random.uniform(np.log(2), np.log(16))))
    sigma = min(0.5 * scale * float(np.exp(random.normal(0, 0.15))), 6.5)
    return Degradation(
        sigma=(sigma, sigma),
        scale=scale,
        noise=float(random.uniform(4, 16)),
        jpeg=int(random.integers(45, 81)),
        seed=int(random.integers(2**31)),
    )


def drawn(random: np.random.Generator) -> Degradation:
    """What a restorer learns from: the `usual` in eight of ten, else anything that `draw` gives."""
    return usual(random) if random.random() < USUAL else draw(random)


def bar(scale: int, seed: int = 0) -> Degradation:
    """The two fixed degradations that the project's bars are stated for: scale 4 (sigma 2) and scale 8 (sigma 4)."""
    return Degradation(sigma=(scale / 2, scale / 2), scale=scale, noise=10, jpeg=60, seed=seed)
