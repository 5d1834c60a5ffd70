"""SFace's two networks, an IR-50 and a MobileFaceNet. Its loss is in training/losses.py.

Paper: Zhong et al., "SFace", IEEE TIP 2021. Source: zhongyy/SFace, SFace_torch/backbone (no licence). Attribute names are its
state-dict keys. Both take RGB in 0..255 and scale it themselves, ten times farther than others do. No weights of them were
published; those of OpenCV are an ONNX file of another network.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from facestudio.networks.embedder import Published
from facestudio.networks.ir import IR, IR_50


def levels(crops: Tensor) -> Tensor:
    """0..255 instead of [-1, 1]."""
    return (crops + 1) * 127.5


def scaled(x: Tensor) -> Tensor:
    """About -10 to 10 instead of 0..255."""
    return (x - 127.5) * 0.078125


class SFaceIR(IR):
    """Its own input is (B, 3, side, side) RGB in 0..255.

    Args:
        layers: units of each stage; side: of the input, 112 or 224; crops: as of `Published`.
    """

    def __init__(self, layers: tuple[int, ...] = IR_50, side: int = 112, crops: bool = False) -> None:
        super().__init__(layers, side, normed=False, squeezed=False, affine=True, crops=crops)

    def own(self, x: Tensor) -> Tensor:
        return levels(x)

    def published(self, x: Tensor) -> Tensor:
        return self.raw(scaled(x))


class Convolution(nn.Module):
    """Convolution, batch normalisation and, unless `linear`, PReLU."""

    folds = (("conv2d", "batchnorm"),)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        linear: bool = False,
    ) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.batchnorm = nn.BatchNorm2d(outputs, eps=1e-3)
        self.relu = None if linear else nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.batchnorm(self.conv2d(x))
        return x if self.relu is None else self.relu(x)


class Bottleneck(nn.Module):
    """1x1 to `between` channels, depthwise 3x3, 1x1 without PReLU; added to what goes in if `added`."""

    def __init__(self, inputs: int, outputs: int, between: int, stride: int = 1, added: bool = False) -> None:
        super().__init__()
        self.added = added
        self.conv_sep = Convolution(inputs, between)
        self.conv_dw = Convolution(between, between, 3, stride, 1, groups=between)
        self.conv_proj = Convolution(between, outputs, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        found = self.conv_proj(self.conv_dw(self.conv_sep(x)))
        return x + found if self.added else found


class Residuals(nn.Module):
    """`count` bottlenecks that are added to what goes in, under the name "model"."""

    def __init__(self, width: int, between: int, count: int) -> None:
        super().__init__()
        blocks = ((f"block{n}", Bottleneck(width, width, between, added=True)) for n in range(count))
        self.model = nn.Sequential(OrderedDict(blocks))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class SFaceMobileFaceNet(Published):
    """Its own input is (B, 3, 112, 112) RGB in 0..255.

    Args:
        embedding_size: length of the embedding.
        crops: as of `Published`.
    """

    folds = (("pre_fc1", "fc1"),)

    def __init__(self, embedding_size: int = 512, crops: bool = False) -> None:
        super().__init__(crops)
        self.conv_1 = Convolution(3, 64, 3, 2, 1)
        self.conv_2_dw = Convolution(64, 64, 3, 1, 1, groups=64)
        self.dconv_23 = Bottleneck(64, 64, 128, 2)
        self.res_3 = Residuals(64, 128, 4)
        self.dconv_34 = Bottleneck(64, 128, 256, 2)
        self.res_4 = Residuals(128, 256, 6)
        self.dconv_45 = Bottleneck(128, 128, 512, 2)
        self.res_5 = Residuals(128, 256, 2)
        self.conv_6sep = Convolution(128, 512)
        self.conv_6dw7_7 = Convolution(512, 512, 7, groups=512, linear=True)
        self.pre_fc1 = nn.Linear(512, embedding_size)
        self.fc1 = nn.BatchNorm1d(embedding_size, eps=2e-5)

    def own(self, x: Tensor) -> Tensor:
        return levels(x)

    def published(self, x: Tensor) -> Tensor:
        x = self.conv_2_dw(self.conv_1(scaled(x)))
        x = self.res_4(self.dconv_34(self.res_3(self.dconv_23(x))))
        x = self.conv_6dw7_7(self.conv_6sep(self.res_5(self.dconv_45(x))))
        return self.fc1(self.pre_fc1(torch.flatten(x, 1)))
