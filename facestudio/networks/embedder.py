"""The first identity embedder: an ARCFACE_112 crop to a 512-d embedding.

Its plan is MobileFaceNet's (Chen et al., "MobileFaceNets", 2018): a fast fall to stride 4, linear bottlenecks, a global
depthwise convolution instead of pooling. The blocks are dense 3x3 residuals instead of inverted depthwise ones, because
those train several times faster on a laptop's cores. The linear bottlenecks at stride 8 and 16 are where, in training,
the maps of teachers are matched; `forward` therefore also comes in parts (`early`, `late`, `head`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def normed(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution without bias, then batch normalisation."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


class ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = normed(width, width)
        self.act1 = nn.PReLU(width)
        self.second = normed(width, width)
        self.act2 = nn.PReLU(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.act2(x + self.second(self.act1(self.first(x))))


def stage(inputs: int, width: int, blocks: int) -> nn.Sequential:
    """A strided convolution and residual blocks."""
    return nn.Sequential(
        normed(inputs, width, stride=2), nn.PReLU(width), *(ResidualBlock(width) for _ in range(blocks))
    )


class Mirrored(nn.Module):
    """What every embedder has: one embedding for a crop and its mirror image.

    Attributes:
        template: name of the crops that `forward` takes, (B, 3, S, S) RGB in [-1, 1] with S their side.
    """

    template = "ARCFACE_112"

    def symmetric(self, x: Tensor) -> Tensor:
        """Unit embeddings (B, D) of `x`, summed over the crop and its mirror image, which is how faces are compared."""
        both = self(torch.cat([x, x.flip(-1)])).float()
        return nn.functional.normalize(both[: len(x)] + both[len(x) :], dim=1)


class Published(Mirrored):
    """A recogniser of others whose own input is not what ours take: other channels, another range, another part of the face.

    Args:
        crops: whether `forward` takes our crops and makes its own input of them, as it must where a photo's face is
            embedded; otherwise it takes what its authors' code hands to it.
    """

    def __init__(self, crops: bool = False) -> None:
        super().__init__()
        self.crops = crops

    def own(self, x: Tensor) -> Tensor:
        """The network's own input, of crops `x` (B, 3, S, S) RGB in [-1, 1] as `template` frames them."""
        raise NotImplementedError

    def published(self, x: Tensor) -> Tensor:
        """Embeddings (B, D) of the network's own input `x`."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (B, D) of our crops or of the network's own input, as `crops` says."""
        return self.published(self.own(x) if self.crops else x)


class DenseFaceNet(Mirrored):
    """ARCFACE_112 crop to embedding.

    Args:
        widths: channels at strides 2, 4, 8 and 16; blocks: residual blocks at strides 4, 8 and 16.
        bottleneck: channels of the two linear bottlenecks; features: channels before the global depthwise convolution.
        dimensions: length of the embedding.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (32, 64, 160, 256),
        blocks: tuple[int, int, int] = (2, 3, 2),
        bottleneck: int = 256,
        features: int = 1024,
        dimensions: int = 512,
    ) -> None:
        super().__init__()
        self.early = nn.Sequential(
            normed(3, widths[0], stride=2),
            nn.PReLU(widths[0]),
            normed(widths[0], widths[0]),
            nn.PReLU(widths[0]),
            stage(widths[0], widths[1], blocks[0]),
            stage(widths[1], widths[2], blocks[1]),
            normed(widths[2], bottleneck, 1),
        )
        self.late = nn.Sequential(stage(bottleneck, widths[3], blocks[2]), normed(widths[3], bottleneck, 1))
        self.head = nn.Sequential(
            normed(bottleneck, features, 1),
            nn.PReLU(features),
            nn.Conv2d(features, features, 7, groups=features, bias=False),
            nn.BatchNorm2d(features),
            nn.Flatten(),
            nn.Linear(features, dimensions),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (B, D), not normalised, of `x` (B, 3, 112, 112) RGB in [-1, 1]."""
        return self.head(self.late(self.early(x)))
