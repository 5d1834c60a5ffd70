"""DFDNet: a degraded face is encoded by VGG, its eyes, nose and mouth are completed from dictionaries, and it is decoded.

Paper: Li et al., "Blind Face Restoration via Deep Multi-scale Component Dictionaries", ECCV 2020. Source: csxmli2016/DFDNet
(CC BY-NC-SA 4.0 for code and weights; no code taken). Attribute names are its state-dict keys, so the published generator
loads unmapped. What differs: sigma of the spectral norm is u^T W v in evaluation mode, where the published test goes on
iterating, and may be folded into the weights; every picture of a batch has its own boxes; parts that are never used may be
left out. The dictionaries are no part of the state dict, there and here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.dictionary import COMPONENTS, Entries, transfer
from facestudio.networks.vgg import VggTaps

SCALES = (256, 128, 64, 32)  # names of the four maps: their side where the picture has 512 px
PICTURE = 512
BASES = {
    "left_eye": 80,
    "right_eye": 80,
    "nose": 50,
    "mouth": 110,
}  # sides of the components where the picture has 512 px
_TAPS = (2, 4, 8, 8)  # channels of the four maps, in units of VGG's first width
_SHORT = {"left_eye": "le", "right_eye": "re", "nose": "no", "mouth": "mo"}


class Restored(NamedTuple):
    """The `picture` (B, 3, H, W) in [-1, 1]; of each picture, component and scale (B, 4, 4), in the order of COMPONENTS and
    SCALES, the chosen `entry` (-1: skipped) and the mean absolute `confidence`."""

    picture: Tensor
    entry: Tensor
    confidence: Tensor


class DFDNet(nn.Module):
    """The published generator.

    Args:
        ngf: width of the decoder's last level and of VGG's first; 64 as published.
        spare: whether what the published checkpoint holds without using it is there too: VGG's classifier and second
            names, and the `to_rgb` heads. Without, the file has less than half its size.
    """

    def __init__(self, ngf: int = 64, spare: bool = True) -> None:
        super().__init__()
        self.ngf = ngf
        taps = tuple(ngf * times for times in _TAPS)
        for component in COMPONENTS:
            for scale, width in zip(SCALES, taps, strict=True):
                setattr(self, f"{_SHORT[component]}_{scale}", _pair(width, width))
        self.VggExtract = VggTaps(ngf, spare)
        self.MSDilate = DilatedBranches(taps[-1])
        widths = (taps[-1], *(ngf * times for times in (8, 4, 2, 1)))
        for level, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            setattr(self, f"up{level}", Level(inputs, outputs, taps[-1 - level]))
            if spare:
                setattr(self, f"to_rgb{level}", _pair(outputs, outputs, 3))
        self.up4 = nn.Sequential(
            SpectralConv2d(ngf, ngf),
            nn.LeakyReLU(0.2),
            ResidualBlock(ngf),
            ResidualBlock(ngf),
            nn.Conv2d(ngf, 3, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, x: Tensor, boxes: Tensor, dictionary: Mapping[str, Entries]) -> Restored:
        """Restore `x` (B, 3, H, W) RGB in [-1, 1], H and W multiples of 16 and at least 224.

        Args:
            boxes: (B, 4, 4) or (4, 4) for all, whole numbers: left, top, right, bottom (exclusive) of each of COMPONENTS in
                pixels of `x`. What lies outside is cut off; an empty box is a component that is not to be touched.
            dictionary: by "left_eye_256" and the like, entries (K, C, s, s) where `x` is.
        """
        boxes = boxes.expand(len(x), len(COMPONENTS), 4)
        taps = self.VggExtract(x)
        conditions, chosen, certain = [], [], []
        for scale, tap in zip(SCALES, taps, strict=True):
            completed = transfer(
                tap,
                torch.div(boxes, PICTURE // scale, rounding_mode="floor"),
                [dictionary[f"{component}_{scale}"] for component in COMPONENTS],
                [getattr(self, f"{_SHORT[component]}_{scale}") for component in COMPONENTS],
            )
            conditions.append(completed.feature)
            chosen.append(completed.entry)
            certain.append(completed.confidence)
        h = self.MSDilate(taps[-1])
        for level, condition in enumerate(reversed(conditions)):
            h = getattr(self, f"up{level}")(h, condition)
        return Restored(self.up4(h), torch.stack(chosen, -1), torch.stack(certain, -1))

    def fold(self) -> DFDNet:
        """Put every spectral norm into its weights, for good: the network must not be trained or saved any more."""
        for module in self.modules():
            if isinstance(module, SpectralConv2d):
                module.fold()
        return self


def entry_shapes(ngf: int = 64) -> dict[str, tuple[int, int, int]]:
    """Channels, height and width of the dictionary's entries, by "left_eye_256" and the like.

    The published files, LEFT_EYE_256_center.npy and the like in small letters, hold entries of these shapes one after the
    other: `numpy.load(path, allow_pickle=False).reshape(-1, *shape)`.
    """
    shapes = {}
    for component in COMPONENTS:
        for scale, times in zip(SCALES, _TAPS, strict=True):
            side = BASES[component] * scale // PICTURE
            shapes[f"{component}_{scale}"] = (ngf * times, side, side)
    return shapes


class SpectralConv2d(nn.Module):
    """A 3x3 convolution whose weights are divided by their spectral norm (Miyato et al., 2018).

    The norm is u^T W v with the stored `weight_u` and `weight_v`; in training each call improves them once.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        plain = nn.Conv2d(inputs, outputs, 3)
        self.bias = plain.bias
        self.weight_orig = plain.weight
        self.register_buffer("weight_u", functional.normalize(torch.randn(outputs), dim=0))
        self.register_buffer("weight_v", functional.normalize(torch.randn(inputs * 9), dim=0))
        self.dilation = dilation
        self.folded = False

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.folded:
            self.iterate()
        weight = self.weight_orig if self.folded else self.weight_orig / self.sigma()
        return functional.conv2d(x, weight, self.bias, padding=self.dilation, dilation=self.dilation)

    def sigma(self) -> Tensor:
        """The spectral norm, as well as `weight_u` and `weight_v` know it."""
        # clones, because the next iteration writes into what the gradient still needs
        return torch.dot(self.weight_u.clone(), torch.mv(self.weight_orig.flatten(1), self.weight_v.clone()))

    @torch.no_grad()
    def iterate(self) -> None:
        """One step of power iteration."""
        matrix = self.weight_orig.flatten(1)
        self.weight_v.copy_(functional.normalize(torch.mv(matrix.t(), self.weight_u), dim=0))
        self.weight_u.copy_(functional.normalize(torch.mv(matrix, self.weight_v), dim=0))

    @torch.no_grad()
    def fold(self) -> None:
        """Put the norm into the weights, for good."""
        if not self.folded:
            self.weight_orig.div_(self.sigma())
            self.folded = True


class DilatedBranches(nn.Module):
    """Four pairs of convolutions that see differently far, fused and added to the input (B, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = _pair(width, width, dilation=4)
        self.conv2 = _pair(width, width, dilation=3)
        self.conv3 = _pair(width, width, dilation=2)
        self.conv4 = _pair(width, width, dilation=1)
        self.convi = SpectralConv2d(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        branches = (self.conv1, self.conv2, self.conv3, self.conv4)
        return self.convi(torch.cat([branch(x) for branch in branches], 1)) + x


class Level(nn.Module):
    """A level of the decoder: blurred, scaled and shifted as a feature map of the same size says, then twice as large."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        # the activation is applied twice in the source
        self.conv1 = nn.Sequential(Blur(inputs), SpectralConv2d(inputs, outputs), nn.LeakyReLU(0.2), nn.LeakyReLU(0.2))
        self.convup = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            SpectralConv2d(outputs, outputs),
            nn.LeakyReLU(0.2),
        )
        self.ScaleModel1 = _pair(condition, outputs)
        self.ShiftModel1 = _pair(condition, outputs).append(nn.Sigmoid())

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`x` (B, inputs, H, W) and `condition` (B, condition, H, W) to (B, outputs, 2H, 2W)."""
        return self.convup(self.conv1(x) * self.ScaleModel1(condition) + self.ShiftModel1(condition))


class Blur(nn.Module):
    """Each channel blurred by [1, 2, 1] both ways; `weight_flip` is what the source's gradient uses."""

    weight: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        line = Tensor([1.0, 2.0, 1.0])
        kernel = (torch.outer(line, line) / 16).expand(width, 1, 3, 3)
        self.register_buffer("weight", kernel.clone())
        self.register_buffer("weight_flip", kernel.flip(-1, -2))

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, padding=1, groups=x.shape[1])


class ResidualBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.Model = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.Model(x)


def _pair(inputs: int, width: int, outputs: int | None = None, dilation: int = 1) -> nn.Sequential:
    """Two convolutions with an activation between them; as many `outputs` as `width` unless said."""
    return nn.Sequential(
        SpectralConv2d(inputs, width, dilation), nn.LeakyReLU(0.2), SpectralConv2d(width, outputs or width, dilation)
    )
