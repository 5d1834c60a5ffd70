"""The landmark network: a loosely framed crop to 68 points (iBUG order), five more exact ones, whether it is a face, and,
in newer weights, its head pose.

Each point is the expectation over a map of where it may be (soft-argmax; Nibali et al., "Numerical Coordinate Regression
with Convolutional Neural Networks", 2018), which moves with the face and is learned from far fewer faces than a linear
layer on the last map: in a trial of 47,000 images that one still erred by 5.7 % of the eyes' distance. The maps are made
at stride 4 from features of strides 4, 8 and 16.

The pose is told as six numbers, the first two rows of a rotation before they are made orthonormal (Zhou et al., "On the
Continuity of Rotation Representations in Neural Networks", CVPR 2019): without the jumps that angles have, and turning the
crop in its plane only mixes the two rows, so that a pose in the crop becomes one in the photo by a product.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.detector import Residual, unit

REACH = 1.3  # the maps' outermost places stand this far out, so that points just outside of the crop can be told


class LandmarkNet(nn.Module):
    """Crop to points.

    Args:
        widths: channels at strides 2, 4, 8 and 16; fused: channels of the map that the points are read from.
        points: how many (73: the 68, then the five of `Face`); pose: whether the head pose is told too.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (32, 64, 96, 128),
        fused: int = 64,
        points: int = 73,
        pose: bool = False,
    ) -> None:
        super().__init__()
        self.stem = unit(3, widths[0], 2)
        self.levels = nn.ModuleList(
            nn.Sequential(unit(narrow, wide, 2), Residual(wide))
            for narrow, wide in zip(widths[:-1], widths[1:], strict=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, fused, 1) for width in widths[1:])
        self.fuse = nn.Sequential(Residual(fused), unit(fused, fused))
        self.maps = nn.Conv2d(fused, points, 1)
        self.face = nn.Sequential(
            unit(widths[-1], widths[-1]), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 1)
        )
        self.pose = pose_head(widths[-1]) if pose else None

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """`x` (B, 3, 112, 112) RGB in [-1, 1] to points (B, points, 2), logits (B,) of being a face and, if the network
        tells the pose, rotations (B, 3, 3) of the head in the crop.

        Points are x and y in 0..1 of the crop; they may lie a little outside. What a rotation means says `faces/pose.py`.
        """
        h = self.stem(x)
        above: list[Tensor] = []
        for level, lateral in zip(self.levels, self.lateral, strict=True):
            h = level(h)
            above.append(lateral(h))
        fused = above[0]
        for coarse in above[1:]:
            fused = fused + functional.interpolate(coarse, size=fused.shape[2:], mode="bilinear")
        maps = self.maps(self.fuse(fused)).float()
        height, width = maps.shape[2:]
        weights = maps.flatten(2).softmax(-1).unflatten(2, (height, width))
        across = torch.linspace(0.5 - REACH / 2, 0.5 + REACH / 2, width, device=maps.device)
        down = torch.linspace(0.5 - REACH / 2, 0.5 + REACH / 2, height, device=maps.device)
        points = torch.stack([(weights.sum(2) * across).sum(-1), (weights.sum(3) * down).sum(-1)], dim=-1)
        logits = self.face(h).float()[:, 0]
        return (points, logits) if self.pose is None else (points, logits, rotations(self.pose(h).float()))


def pose_head(width: int) -> nn.Sequential:
    """A map of `width` channels to the six numbers of `rotations`; new, it says that every head looks straight."""
    last = nn.Linear(width, 6)
    nn.init.zeros_(last.weight)
    with torch.no_grad():
        last.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))
    return nn.Sequential(unit(width, width), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)


def rotations(six: Tensor) -> Tensor:
    """Rotations (B, 3, 3) from `six` (B, 6): the first three numbers made a unit row, the others one at right angles to it,
    and the third row, which is at right angles to both."""
    across = functional.normalize(six[:, :3], dim=1)
    down = six[:, 3:] - (across * six[:, 3:]).sum(1, keepdim=True) * across
    down = functional.normalize(down, dim=1)
    return torch.stack([across, down, torch.linalg.cross(across, down)], dim=1)
