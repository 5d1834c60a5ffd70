"""IR-ResNet: the improved residual network that most published recognisers are, of any size.

Papers: Han et al., "Deep Pyramidal Residual Networks", 2017 (the unit); Deng et al., "ArcFace", 2019 (its use for faces).
Source: insightface, recognition/arcface_torch/backbones/iresnet.py (MIT). Attribute names are its state-dict keys, so the
published R50 and R100 load unmapped with `layers=(3, 4, 14, 3), widths=(64, 64, 128, 256, 512), stem_stride=1, reduced=0`
(R100: `(3, 13, 30, 3)`); so do ElasticFace, MagFace and the recognisers of Vec2Face, and `squeezed` is ElasticFace's
`use_se`. What differs: the stem may halve the picture, which leaves one layer out and most of the
arithmetic with it; a 1x1 convolution `reduce` may come before the flattening, where otherwise most parameters lie; the
scale of the last batch normalisation may be learned. `forward` also comes in parts (`early`, `late`, `head`), because the
maps of teachers are matched between them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facestudio.networks.embedder import Mirrored
from facestudio.networks.squeeze import Squeeze


class Unit(nn.Module):
    """BN, 3x3 convolution, BN, PReLU, strided 3x3 convolution, BN; added to the shortcut. Linear at its end.

    `squeezed`: whether its channels are scaled before they are added, by what the whole map says of them.
    """

    folds = (("conv1", "bn2"), ("conv2", "bn3"))  # for faces/fusing.py

    def __init__(self, inputs: int, width: int, stride: int, squeezed: bool = False) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.se_block: nn.Module = Squeeze(width) if squeezed else nn.Identity()
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != width:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return shortcut + self.se_block(self.bn3(self.conv2(self.prelu(self.bn2(self.conv1(self.bn1(x)))))))


class IResNet(Mirrored):
    """ARCFACE_112 crop to embedding.

    Args:
        layers: units of each layer; each layer halves the map.
        widths: channels of the stem and of each layer, one more than `layers`.
        stem_stride: 1 or 2; together with the layers it must bring 112 px down to 7.
        reduced: channels that the last map is reduced to before it is flattened; 0 flattens it as it is.
        dimensions: length of the embedding; dropout: share of the flattened map that is dropped in training.
        squeezed: as of `Unit`.

    ValueError when the layers do not lead to a 7x7 map, or the widths do not fit the layers.
    """

    folds = (("conv1", "bn1"),)

    def __init__(
        self,
        layers: tuple[int, ...] = (2, 4, 2),
        widths: tuple[int, ...] = (32, 64, 128, 256),
        stem_stride: int = 2,
        reduced: int = 64,
        dimensions: int = 512,
        dropout: float = 0.0,
        squeezed: bool = False,
    ) -> None:
        super().__init__()
        if stem_stride * 2 ** len(layers) != 16 or len(widths) != len(layers) + 1:
            raise ValueError(f"layers {layers} and widths {widths} with stem stride {stem_stride} do not lead to 7x7")
        self.conv1 = nn.Conv2d(3, widths[0], 3, stem_stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.prelu = nn.PReLU(widths[0])
        self.depth = len(layers)
        for index, units in enumerate(layers):
            inputs, width = widths[index], widths[index + 1]
            made = (Unit(width if n else inputs, width, 1 if n else 2, squeezed) for n in range(units))
            layer = nn.Sequential(*made)
            setattr(self, f"layer{index + 1}", layer)
        self.bn2 = nn.BatchNorm2d(widths[-1])
        self.reduce = nn.Conv2d(widths[-1], reduced, 1, bias=False) if reduced else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear((reduced or widths[-1]) * 49, dimensions)
        self.features = nn.BatchNorm1d(dimensions)

    def early(self, x: Tensor) -> Tensor:
        """Map (B, C, 14, 14) at stride 8, linear, of `x` (B, 3, 112, 112) RGB in [-1, 1]."""
        x = self.prelu(self.bn1(self.conv1(x)))
        for index in range(1, self.depth):
            x = getattr(self, f"layer{index}")(x)
        return x

    def late(self, x: Tensor) -> Tensor:
        """Map (B, C, 7, 7) at stride 16, linear, of the map at stride 8."""
        return getattr(self, f"layer{self.depth}")(x)

    def head(self, x: Tensor) -> Tensor:
        """Embeddings (B, D), not normalised, of the map at stride 16."""
        x = self.reduce(self.bn2(x))
        return self.features(self.fc(self.dropout(torch.flatten(x, 1))))

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (B, D), not normalised, of `x` (B, 3, 112, 112) RGB in [-1, 1]."""
        return self.head(self.late(self.early(x)))
