"""IR: IR-ResNet as AdaFace, SFace (see `sface`) and the encoders of StyleGAN (IR-SE-50) wrote it, with keys and units of its own.

Papers: Deng et al., "ArcFace", 2019 (the unit); Hu et al., "Squeeze-and-Excitation Networks", 2018; Kim et al., "AdaFace",
CVPR 2022. Sources: mk-minchul/AdaFace, net.py (MIT); TreB1eN/InsightFace_Pytorch, model.py (MIT), as pSp, e4e and RiDDLE
use it. Attribute names are their state-dict keys. Against `iresnet` the first stage halves the shortcut by taking every
second pixel instead of by a convolution, and the PReLU may follow the first convolution directly.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.embedder import Published
from facestudio.networks.squeeze import Squeeze

WIDTHS = (64, 128, 256, 512)
IR_50, IR_101 = (3, 4, 14, 3), (3, 13, 30, 3)


class Known(NamedTuple):
    """What AdaFace says of a batch: unit embeddings (B, 512) and how long they were (B, 1), which grows with the quality."""

    embedding: Tensor
    norm: Tensor


class Unit(nn.Module):
    """BN, 3x3 convolution, BN if `normed`, PReLU, strided 3x3 convolution, BN, squeeze if `squeezed`; plus the shortcut."""

    def __init__(self, inputs: int, width: int, stride: int, normed: bool, squeezed: bool) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        if inputs != width:
            self.shortcut_layer = nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, width, 3, 1, 1, bias=False),
            *([nn.BatchNorm2d(width)] if normed else []),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            *([Squeeze(width)] if squeezed else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.res_layer(x) + self.shortcut_layer(x)


class IR(Published):
    """What they have in common.

    Args:
        layers: units of each of the four stages; each stage halves the map.
        side: of the input in pixels, a multiple of 16.
        normed, squeezed: as of `Unit`; affine: whether the last batch normalisation scales and shifts.
        crops: as of `Published`.
    """

    def __init__(
        self, layers: tuple[int, ...], side: int, normed: bool, squeezed: bool, affine: bool, crops: bool
    ) -> None:
        super().__init__(crops)
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False), nn.BatchNorm2d(WIDTHS[0]), nn.PReLU(WIDTHS[0])
        )
        units, inputs = [], WIDTHS[0]
        for count, width in zip(layers, WIDTHS, strict=True):
            for n in range(count):
                units.append(Unit(inputs, width, 1 if n else 2, normed, squeezed))
                inputs = width
        self.body = nn.Sequential(*units)
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Dropout(0.4),
            nn.Flatten(),
            nn.Linear(inputs * (side // 16) ** 2, 512),
            nn.BatchNorm1d(512, affine=affine),
        )

    def raw(self, x: Tensor) -> Tensor:
        """Embeddings (B, 512), not normalised, of `x` (B, 3, side, side) in the network's own channels and range."""
        return self.output_layer(self.body(self.input_layer(x)))


class AdaFace(IR):
    """AdaFace's IR-50 and IR-101. Its own input is BGR in [-1, 1], (B, 3, 112, 112); its output has unit length.

    Args:
        layers: IR_50 or IR_101; (2, 2, 2, 2) is its IR-18 and (3, 4, 6, 3) its IR-34.
        side: of the input, 112 or 224; crops: as of `Published`.
    """

    def __init__(self, layers: tuple[int, ...] = IR_50, side: int = 112, crops: bool = False) -> None:
        super().__init__(layers, side, normed=True, squeezed=False, affine=False, crops=crops)

    def own(self, x: Tensor) -> Tensor:
        return x.flip(1)

    def examine(self, x: Tensor) -> Known:
        """Embeddings and their lengths, of `x` (B, 3, side, side) BGR in [-1, 1]."""
        raw = self.raw(x)
        norm = raw.norm(dim=1, keepdim=True)
        return Known(raw / norm, norm)

    def published(self, x: Tensor) -> Tensor:
        return self.examine(x).embedding


class IRSE(IR):
    """IR-SE-50, the recogniser by which encoders of StyleGAN are trained. RGB in [-1, 1]; its output has unit length.

    Its own input (B, 3, 112, 112) is no ARCFACE_112 crop but a part of an FFHQ_256 crop, averaged; with `crops` the whole
    FFHQ_256 crop is what `forward` takes, and that part is cut out here.

    Args:
        layers, side, crops: as of `AdaFace`.
    """

    def __init__(self, layers: tuple[int, ...] = IR_50, side: int = 112, crops: bool = False) -> None:
        super().__init__(layers, side, normed=False, squeezed=True, affine=True, crops=crops)
        self.side = side
        if crops:
            self.template = "FFHQ_256"

    def own(self, x: Tensor) -> Tensor:
        return functional.adaptive_avg_pool2d(x[:, :, 35:223, 32:220], self.side)

    def published(self, x: Tensor) -> Tensor:
        return functional.normalize(self.raw(x), dim=1)
