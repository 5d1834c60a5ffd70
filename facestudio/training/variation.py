"""Faces varied for training: bent, moved, tinted and joined of two, so that a few thousand photographs are more people.

For a restorer what is seen of a clean face may be anything a face may look like, since it is shown a damaged copy of the same;
for a network that a teacher teaches too, since the teacher answers about any picture. Bending (elastic deformation, Simard,
Steinkraus and Platt, "Best practices for convolutional neural networks", ICDAR 2003) changes who it is; so does joining (CutMix,
Yun et al. 2019, along a soft line; mixup, Zhang et al. 2018, with both everywhere).

Everything takes and gives faces (B, 3, S, S), levels 0..255 of RGB in float32, on any device, where `random`, their generator,
is too; lengths are shares of the side. `share` is how many of the faces, on average, are changed, or which ones (B,).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

CENTRE = (0.502, 0.5645)  # of a face in the FFHQ_256 frame, x and y; in ARCFACE_112 nearly so
FACE = (slice(0.3125, 0.84375), slice(0.28125, 0.71875))  # rows and columns where colours are compared


def uniform(low: float, high: float, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=random, device=random.device) * (high - low) + low


def normal(shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=random, device=random.device)


def chosen(count: int, share: float | Tensor, random: torch.Generator) -> Tensor:
    """(B, 1, 1, 1) bool: which of `count` faces."""
    if isinstance(share, Tensor):
        return share[:, None, None, None]
    return uniform(0, 1, (count, 1, 1, 1), random) < share


@torch.no_grad()
def bent(
    faces: Tensor,
    random: torch.Generator,
    share: float | Tensor = 1.0,
    turn: float = 8.0,
    resize: float = 0.1,
    shift: float = 0.03,
    bend: float = 0.047,
) -> Tensor:
    """`faces` turned by up to `turn` degrees, resized, stretched by up to 5 in 100, moved by up to `shift`, and bent: some
    knots along the side are off by up to `bend` divided by their number, as a standard deviation."""
    count, side = len(faces), faces.shape[-1]
    angle = torch.deg2rad(uniform(-turn, turn, (count,), random))
    size = uniform(1 - resize, 1 + resize, (count,), random)
    across = size * uniform(0.95, 1.05, (count,), random)
    axis = (torch.arange(side, device=faces.device) + 0.5) / side
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    x, y = columns - CENTRE[0], rows - CENTRE[1]
    cosine, sine = (wave[:, None, None] for wave in (angle.cos(), angle.sin()))
    moved = uniform(-shift, shift, (2, count, 1, 1), random)
    places = torch.stack(
        [
            (x * cosine + y * sine) * across[:, None, None] + CENTRE[0] + moved[0],
            (y * cosine - x * sine) * size[:, None, None] + CENTRE[1] + moved[1],
        ],
        -1,
    )
    field = torch.zeros_like(places)
    knots = torch.randint(4, 8, (count,), generator=random, device=random.device)
    for many in range(4, 8):
        off = normal((count, 2, many, many), random) * uniform(0, bend / many, (count, 1, 1, 1), random)
        smooth = functional.interpolate(off, (side, side), mode="bicubic", align_corners=False).permute(0, 2, 3, 1)
        field = torch.where((knots == many)[:, None, None, None], smooth, field)
    made = functional.grid_sample(
        faces, (places + field) * 2 - 1, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    return torch.where(chosen(count, share, random), made.round().clamp(0, 255), faces)


@torch.no_grad()
def tinted(faces: Tensor, random: torch.Generator, share: float | Tensor = 1.0) -> Tensor:
    """`faces` in other light: contrast and brightness, a cast of colour, a curve (gamma)."""
    count = (len(faces), 1, 1, 1)
    gain = uniform(0.75, 1.15, count, random) * uniform(0.93, 1.07, (len(faces), 3, 1, 1), random)
    curve = (normal(count, random) * 0.2).exp()
    made = (faces / 255) ** curve * 255 * gain + uniform(-15, 15, count, random)
    return torch.where(chosen(len(faces), share, random), made.round().clamp(0, 255), faces)


def recoloured(faces: Tensor, models: Tensor) -> Tensor:
    """`faces` with the mean and the deviation that each channel has in `models`, in the face itself."""
    side = faces.shape[-1]
    inside = tuple(slice(round(part.start * side), round(part.stop * side)) for part in FACE)
    (mean, spread), (wanted, wanted_spread) = (
        (part.mean((2, 3), keepdim=True), part.std((2, 3), keepdim=True, unbiased=False))
        for part in (faces[..., inside[0], inside[1]], models[..., inside[0], inside[1]])
    )
    return (faces - mean) * (wanted_spread / spread.clamp(min=1)).clamp(0.5, 2) + wanted


def soft_line(side: int, count: int, random: torch.Generator, about: float, softness: tuple[float, float]) -> Tensor:
    """(B, 1, S, S) from 0 on the one side of a line in any direction to 1 on the other.

    about: how far from the middle of the face it passes, a standard deviation; softness: between which widths of the transition.
    """
    axis = (torch.arange(side, device=random.device) + 0.5) / side
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    off = normal((2, count, 1, 1), random) * about
    angle = uniform(0, 2 * torch.pi, (count, 1, 1), random)
    across = (columns - CENTRE[0] - off[0]) * angle.cos() + (rows - CENTRE[1] - off[1]) * angle.sin()
    return torch.sigmoid(across / uniform(*softness, (count, 1, 1), random))[:, None]


@torch.no_grad()
def joined(faces: Tensor, others: Tensor, random: torch.Generator, share: float | Tensor = 1.0) -> Tensor:
    """`faces` with one of the `others`, as many, beyond a soft line through the middle, in the colours of the first."""
    line = soft_line(faces.shape[-1], len(faces), random, 0.0625, (0.0156, 0.055))
    made = faces.lerp(recoloured(others, faces), line)
    return torch.where(chosen(len(faces), share, random), made.round().clamp(0, 255), faces)


@torch.no_grad()
def overlaid(faces: Tensor, others: Tensor, random: torch.Generator, share: float | Tensor = 1.0) -> Tensor:
    """`faces` with one of the `others`, as many, over it, in the colours of the first: 3 to 7 tenths of each."""
    made = faces.lerp(recoloured(others, faces), uniform(0.3, 0.7, (len(faces), 1, 1, 1), random))
    return torch.where(chosen(len(faces), share, random), made.round().clamp(0, 255), faces)
