"""VGG-19 as the encoder of DFDNet: four maps of a face, from fine to coarse.

Paper: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014. Attribute names
are the state-dict keys of DFDNet's published generator (csxmli2016/DFDNet, CC BY-NC-SA 4.0; no code taken), which holds
every convolution twice: as `model.features.N` of the whole classifier and as `features.SEGMENT.N` of the part that is
used. Both are one tensor here too. What differs: the width may be chosen, and what is never used may be left out.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

SIDE = 224  # narrower pictures are enlarged to this side first
_CONVOLUTIONS = (2, 2, 4, 4, 4)  # of each block; a pool stands before every block but the first
_WIDTHS = (1, 2, 4, 8, 8)  # of each block, in units of the first one's
_STARTS = (0, 9, 18, 27, 35)  # first layer of each segment, and one past the last: conv5_4, without its ReLU


class VggTaps(nn.Module):
    """Maps of a picture after relu2_2, relu3_4, relu4_4 and conv5_4, the last one before its ReLU.

    Args:
        width: channels of the first block; the taps have 2, 4, 8 and 8 times as many.
        spare: whether the rest of the published weights is there too: VGG's classifier, and the second names of the
            convolutions.
    """

    def __init__(self, width: int = 64, spare: bool = True) -> None:
        super().__init__()
        # fixed, but counted among the parameters as in the source
        self.RGB_mean = nn.Parameter(Tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), requires_grad=False)
        self.RGB_std = nn.Parameter(Tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), requires_grad=False)
        layers = _layers(width)
        if spare:
            self.model = Vgg19(layers, width)
        self.features = nn.ModuleList(nn.Sequential() for _ in _STARTS[1:])
        for segment, start, end in zip(self.features, _STARTS[:-1], _STARTS[1:], strict=True):
            for index in range(start, end):
                segment.add_module(str(index), layers[index])

    def forward(self, x: Tensor) -> list[Tensor]:
        """The four maps, at strides 2, 4, 8 and 16, of `x` (B, 3, H, W) RGB in [-1, 1].

        A picture narrower than 224 px is enlarged to 224 x 224 first, so its maps are larger than their strides say.
        """
        x = ((x + 1) / 2 - self.RGB_mean) / self.RGB_std
        if x.shape[-1] < SIDE:
            x = functional.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        taps = []
        for segment in self.features:
            x = segment(x)
            taps.append(x)
        return taps


class Vgg19(nn.Module):
    """The classifier that the published weights carry along; it is never run."""

    def __init__(self, layers: nn.ModuleList, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(_WIDTHS[-1] * width * 49, _WIDTHS[-1] * width * 8),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(_WIDTHS[-1] * width * 8, _WIDTHS[-1] * width * 8),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(_WIDTHS[-1] * width * 8, 1000),
        )


def _layers(width: int) -> nn.ModuleList:
    """All layers before the classifier, as VGG-19 counts them."""
    layers = nn.ModuleList()
    inputs = 3
    for times, convolutions in zip(_WIDTHS, _CONVOLUTIONS, strict=True):
        for _ in range(convolutions):
            layers.extend([nn.Conv2d(inputs, times * width, 3, padding=1), nn.ReLU()])
            inputs = times * width
        layers.append(nn.MaxPool2d(2))
    return layers
