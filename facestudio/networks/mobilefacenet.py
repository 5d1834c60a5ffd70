"""MobileFaceNet as insightface and as the repository of the 112 x 96 crops wrote it: recognisers of one to three million weights.

Paper: Chen et al., "MobileFaceNets", 2018. Sources: deepinsight/insightface, arcface_torch/backbones/mobilefacenet.py (MIT);
Xiaoccer/MobileFaceNet_Pytorch, core/model.py (no licence). Attribute names are their state-dict keys. Three repositories
share the plan and none of the names, so what they share here is the plan alone; the third is in `sface`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facestudio.networks.embedder import Mirrored, Published


class Layers(nn.Module):
    """What stands behind one another, under the name "layers"."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Added(Layers):
    """`Layers` that are added to what goes in."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def normed(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, padding: int = 0, groups: int = 1, linear: bool = False
) -> Layers:
    """Convolution, batch normalisation and, unless `linear`, PReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return Layers(convolution, nn.BatchNorm2d(outputs), *([] if linear else [nn.PReLU(outputs)]))


def bottleneck(inputs: int, outputs: int, between: int, stride: int = 1, added: bool = False) -> Layers:
    """1x1 to `between` channels, depthwise 3x3, 1x1 without PReLU."""
    kind = Added if added else Layers
    return kind(
        normed(inputs, between),
        normed(between, between, 3, stride, 1, groups=between),
        normed(between, outputs, linear=True),
    )


def residuals(width: int, between: int, count: int) -> Layers:
    """`count` bottlenecks that are added to what goes in."""
    return Layers(*(bottleneck(width, width, between, added=True) for _ in range(count)))


class MobileFaceNet(Mirrored):
    """insightface's: ARCFACE_112 crop to embedding.

    Args:
        num_features: length of the embedding.
        blocks: residual bottlenecks at the strides 2, 4, 8 and 16. With one of the first it is no bottleneck but a 3x3
            convolution in 64 groups, whatever the width.
        scale: what the widths 64, 64, 128 and 128 are multiplied by; those between are fixed.
    """

    def __init__(self, num_features: int = 512, blocks: tuple[int, ...] = (1, 4, 6, 2), scale: int = 2) -> None:
        super().__init__()
        early, late = 64 * scale, 128 * scale
        self.layers = nn.Sequential(
            normed(3, early, 3, 2, 1),
            normed(early, early, 3, 1, 1, groups=64) if blocks[0] == 1 else residuals(early, 128, blocks[0]),
            bottleneck(early, early, 128, 2),
            residuals(early, 128, blocks[1]),
            bottleneck(early, late, 256, 2),
            residuals(late, 256, blocks[2]),
            bottleneck(late, late, 512, 2),
            residuals(late, 256, blocks[3]),
        )
        self.conv_sep = normed(late, 512)
        self.features = Layers(
            normed(512, 512, 7, groups=512, linear=True),
            nn.Flatten(),
            nn.Linear(512, num_features, bias=False),
            nn.BatchNorm1d(num_features),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (B, num_features), not normalised, of `x` (B, 3, 112, 112) RGB in [-1, 1]."""
        return self.features(self.conv_sep(self.layers(x)))


class Convolution(nn.Module):
    """Convolution, batch normalisation and, unless `linear`, PReLU."""

    folds = (("conv", "bn"),)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        padding: int = 0,
        depthwise: bool = False,
        linear: bool = False,
    ) -> None:
        super().__init__()
        groups = inputs if depthwise else 1
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = None if linear else nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return x if self.prelu is None else self.prelu(x)


class Bottleneck(nn.Module):
    """1x1 to `expansion` times the channels, depthwise 3x3, 1x1 without PReLU; added to what goes in where that fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.added = stride == 1 and inputs == outputs
        between = inputs * expansion
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, between, 1, bias=False),
            nn.BatchNorm2d(between),
            nn.PReLU(between),
            nn.Conv2d(between, between, 3, stride, 1, groups=between, bias=False),
            nn.BatchNorm2d(between),
            nn.PReLU(between),
            nn.Conv2d(between, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.added else self.conv(x)


ROWS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


class MobileFaceNet112x96(Published):
    """Xiaoccer's, of crops that are 112 px high and 96 px wide: those of ARCFACE_112 without 8 px at their left and right.

    Its own input is (B, 3, 112, 96) RGB, (level - 127.5) / 128.

    Args:
        bottleneck_setting: for each row of bottlenecks expansion, channels, how many, and stride of the first one.
        crops: as of `Published`.
    """

    def __init__(self, bottleneck_setting: Sequence[Sequence[int]] = ROWS, crops: bool = False) -> None:
        super().__init__(crops)
        self.conv1 = Convolution(3, 64, 3, 2, 1)
        self.dw_conv1 = Convolution(64, 64, 3, 1, 1, depthwise=True)
        blocks, inputs = [], 64
        for expansion, width, count, stride in bottleneck_setting:
            for n in range(count):
                blocks.append(Bottleneck(inputs, width, 1 if n else stride, expansion))
                inputs = width
        self.blocks = nn.Sequential(*blocks)
        self.conv2 = Convolution(inputs, 512)
        self.linear7 = Convolution(512, 512, (7, 6), depthwise=True, linear=True)
        self.linear1 = Convolution(512, 128, linear=True)

    def own(self, x: Tensor) -> Tensor:
        return x[:, :, :, 8:104] * (127.5 / 128)

    def published(self, x: Tensor) -> Tensor:
        x = self.conv2(self.blocks(self.dw_conv1(self.conv1(x))))
        return torch.flatten(self.linear1(self.linear7(x)), 1)
