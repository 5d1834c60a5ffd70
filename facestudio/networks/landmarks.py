"""The landmark network: a loosely framed crop of a face to 68 points (iBUG order), and to five more exact ones.

A plain residual network with dense convolutions whose last map is read by a linear layer, as PFLD does (Guo et al.,
"PFLD: A Practical Facial Landmark Detector", 2019), so that position is kept until the end.
"""

from __future__ import annotations

from torch import Tensor, nn

from facestudio.networks.embedder import normed, stage


class LandmarkNet(nn.Module):
    """Crop to points.

    Args:
        widths: channels at strides 2, 4, 8 and 16; blocks: residual blocks at strides 4, 8 and 16.
        points: how many (73: the 68, then the five of `Face`).
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (24, 48, 96, 128),
        blocks: tuple[int, int, int] = (1, 2, 1),
        points: int = 73,
    ) -> None:
        super().__init__()
        self.points = points
        self.body = nn.Sequential(
            normed(3, widths[0], stride=2),
            nn.PReLU(widths[0]),
            *(stage(a, b, n) for a, b, n in zip(widths[:-1], widths[1:], blocks, strict=True)),
        )
        self.reduce = nn.Sequential(normed(widths[-1], 48, 1), nn.PReLU(48))
        self.read = nn.Linear(48 * 7 * 7, 2 * points)
        nn.init.constant_(self.read.bias, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """`x` (B, 3, 112, 112) RGB in [-1, 1] to (B, points, 2), x and y in 0..1 of the crop (it may reach outside)."""
        return self.read(self.reduce(self.body(x)).flatten(1)).unflatten(1, (self.points, 2))
