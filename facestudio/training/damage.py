"""Degradation of whole batches, where they are: what `degradation.degrade` does to one picture with OpenCV, with torch.

A GPU learns from more faces a second than OpenCV degrades. The steps and their order are the same, and levels are rounded where
OpenCV and libjpeg round them; a unit test holds the two beside one another. Resizing is a product with two matrices, so that
every face of a batch may have its own size: a reduced face lies in the upper left corner, and its last row and column are
repeated to the right and below.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from facestudio.training.degradation import Degradation

RADIUS = 20  # px, of the widest blur
LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)  # the quantisation tables of ITU-T T.81, annex K
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def packed(hows: Sequence[Degradation], side: int) -> Tensor:
    """(B, 8) float32 of degradations of square faces of `side` px: what `damaged` takes."""
    rows = [
        (
            *how.sigma,
            how.angle,
            max(4, round(side / how.scale)) if how.scale > 1 else side,
            how.noise,
            how.jpeg,
            how.grey,
            how.upscaler,
        )
        for how in hows
    ]
    return torch.tensor(rows, dtype=torch.float32)


@torch.no_grad()
def damaged(faces: Tensor, hows: Tensor, random: torch.Generator) -> Tensor:
    """`faces` (B, 3, S, S), levels 0..255 of RGB, S a multiple of 16, each degraded as its row of `hows` (B, 8) says.

    Computed in float32; the result holds whole levels. `random` draws the grain and is of the faces' device.
    """
    with torch.autocast(faces.device.type, enabled=False):
        sigma, angle, size, noise, quality, grey, upscaler = (
            hows[:, :2],
            *(hows[:, column] for column in range(2, 8)),
        )
        x = levels(blurred(faces.float(), sigma, angle))
        down = areas(size, x.shape[-1])[:, None]
        x = levels(down @ x @ down.mT)
        grain = torch.randn(x.shape, generator=random, device=x.device)
        x = repeated(levels(x + noise[:, None, None, None] * grain), size)
        x = torch.where(grey[:, None, None, None] > 0, levels(luminance(x)).expand_as(x), x)
        x = torch.where(quality[:, None, None, None] > 0, compressed(x, quality.clamp(min=1)), x)
        up = taps(size, x.shape[-1], upscaler)[:, None]
        return levels(up @ x @ up.mT)


def levels(x: Tensor) -> Tensor:
    return x.round().clamp(0, 255)


def luminance(x: Tensor) -> Tensor:
    return (x * x.new_tensor(TO_YCC[0])[:, None, None]).sum(1, keepdim=True)


def blurred(x: Tensor, sigma: Tensor, angle: Tensor) -> Tensor:
    """`x` (B, C, S, S) under a Gaussian kernel of `sigma` (B, 2) px along axes turned by `angle` (B,), mirrored at the edges."""
    axis = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float32, device=x.device)
    down, across = torch.meshgrid(axis, axis, indexing="ij")
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along, beside = across * cosine + down * sine, down * cosine - across * sine
    narrow = sigma.clamp(min=1e-3)[:, :, None, None]
    kernel = torch.exp(-0.5 * ((along / narrow[:, 0]) ** 2 + (beside / narrow[:, 1]) ** 2))
    radius = (3 * sigma.amax(1)).ceil().clamp(1, RADIUS)[:, None, None]
    kernel = kernel * (torch.maximum(across.abs(), down.abs()) <= radius)
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    wide = functional.pad(x, (RADIUS,) * 4, mode="reflect")
    side = wide.shape[-1]
    response = torch.fft.rfft2(functional.pad(kernel, (0, side - 2 * RADIUS - 1) * 2).roll((-RADIUS, -RADIUS), (1, 2)))
    smooth = torch.fft.irfft2(torch.fft.rfft2(wide) * response[:, None], s=(side, side))
    return smooth[..., RADIUS:-RADIUS, RADIUS:-RADIUS]


def areas(size: Tensor, side: int) -> Tensor:
    """(B, side, side): what reduces `side` px to the first `size` (B,), each the mean of what it covers; the last is repeated."""
    place = torch.arange(side, dtype=torch.float32, device=size.device)
    cell = side / size[:, None, None]
    begin = torch.minimum(place[None, :, None], size[:, None, None] - 1) * cell
    covered = torch.minimum(begin + cell, place + 1) - torch.maximum(begin, place)
    return covered.clamp(min=0) / cell


def repeated(x: Tensor, size: Tensor) -> Tensor:
    """`x` (B, C, S, S) with everything beyond its first `size` (B,) rows and columns a copy of the last of these."""
    side = x.shape[-1]
    place = torch.minimum(torch.arange(side, device=x.device)[None], size[:, None].long() - 1)
    x = x.gather(2, place[:, None, :, None].expand(x.shape))
    return x.gather(3, place[:, None, None, :].expand(x.shape))


def taps(size: Tensor, side: int, kind: Tensor) -> Tensor:
    """(B, side, side): what enlarges the first `size` (B,) px to `side`, as OpenCV's interpolation `kind` (B,) does."""
    place = torch.arange(side, dtype=torch.float32, device=size.device)
    source = (place + 0.5) * size[:, None] / side - 0.5
    first = source.floor()
    kind = kind[:, None]
    matrix = source.new_zeros(len(size), side, side)
    weights, places = [], []
    for step in range(-3, 5):
        away = (source - first - step).abs()
        linear = (1 - away).clamp(min=0)
        near = (1.25 * away - 2.25) * away.square() + 1
        far = ((-0.75 * away + 3.75) * away - 6) * away + 3
        cubic = torch.where(away <= 1, near, torch.where(away < 2, far, 0.0))
        lanczos = torch.where(away < 4, torch.sinc(away) * torch.sinc(away / 4), 0.0)
        weights.append(
            torch.where(kind == cv2.INTER_LINEAR, linear, torch.where(kind == cv2.INTER_CUBIC, cubic, lanczos))
        )
        places.append(torch.minimum((first + step).clamp(min=0), size[:, None] - 1).long())
    whole = torch.stack(weights, -1)
    return matrix.scatter_add_(2, torch.stack(places, -1), whole / whole.sum(-1, keepdim=True))


def compressed(x: Tensor, quality: Tensor) -> Tensor:
    """`x` (B, 3, S, S), whole levels of RGB, as JPEG of `quality` (B,) 1..100 brings it back, colour at half the size."""
    ycc = torch.einsum("bchw,dc->bdhw", x, x.new_tensor(TO_YCC)) + x.new_tensor([0, 128, 128])[:, None, None]
    light = quantised(levels(ycc[:, :1]), quality, LUMA)
    colour = quantised(levels(functional.avg_pool2d(levels(ycc[:, 1:]), 2)), quality, CHROMA)
    colour = functional.interpolate(colour, scale_factor=2.0, mode="bilinear", align_corners=False)
    back = torch.cat([light, levels(colour)], 1) - x.new_tensor([0, 128, 128])[:, None, None]
    return levels(torch.einsum("bchw,dc->bdhw", back, x.new_tensor(TO_RGB)))


def quantised(x: Tensor, quality: Tensor, table: Sequence[Sequence[int]]) -> Tensor:
    """`x` (B, C, S, S), levels, whose blocks of 8x8 lost what `table` takes at `quality`."""
    batch, channels, side, _ = x.shape
    waves = x.new_tensor(WAVES)
    blocks = (x - 128).reshape(batch, channels, side // 8, 8, side // 8, 8).transpose(3, 4)
    strength = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality).floor()[:, None, None]
    steps = ((x.new_tensor(table) * strength + 50) / 100).floor().clamp(1, 255)[:, None, None, None]
    kept = (waves @ blocks @ waves.T / steps).round() * steps
    return levels((waves.T @ kept @ waves).transpose(3, 4).reshape(x.shape) + 128)


def _waves() -> np.ndarray:
    """The 8x8 matrix of the discrete cosine transform, orthonormal."""
    row, place = np.mgrid[:8, :8]
    waves = np.cos((2 * place + 1) * row * np.pi / 16) / 2
    waves[0] /= np.sqrt(2)
    return waves


WAVES = _waves().astype(np.float32).tolist()
