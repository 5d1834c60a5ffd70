"""GFPGAN, its "clean" version: a StyleGAN2 whose maps are changed by what a U-Net sees in the degraded face.

Papers: Wang et al., "Towards Real-World Blind Face Restoration with Generative Facial Prior", CVPR 2021; Karras et al.,
"Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020. Source: TencentARC/GFPGAN, gfpganv1_clean_arch (Apache-2.0
except StyleGAN2's and DFDNet's parts, which are non-commercial; no code taken). Attribute names are its state-dict keys.
What differs: the modulated convolution scales its input and its output instead of making weights for each picture, which
is the same sum; the noise is handed in, so that a picture's noise can depend on its own seed; only inference is here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


def leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)


def resized(x: Tensor, factor: float) -> Tensor:
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class ResBlock(nn.Module):
    """Two convolutions and a shortcut, with a resampling by `factor` in between."""

    def __init__(self, inputs: int, outputs: int, factor: float) -> None:
        super().__init__()
        self.factor = factor
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = leaky(self.conv2(resized(leaky(self.conv1(x)), self.factor)))
        return h + self.skip(resized(x, self.factor))


class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by a style, and its output channels back if `demodulated`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, style: int, demodulated: bool) -> None:
        super().__init__()
        self.demodulated = demodulated
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, kernel, kernel) / (inputs * kernel**2) ** 0.5)
        self.modulation = nn.Linear(style, inputs)
        nn.init.ones_(self.modulation.bias)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """`x` (B, C, H, W) under `style` (B, D)."""
        scale = self.modulation(style)
        weight = self.weight[0]
        found = functional.conv2d(x * scale[:, :, None, None], weight, padding=weight.shape[-1] // 2)
        if not self.demodulated:
            return found
        power = scale.square() @ weight.square().sum((2, 3)).T
        return found * torch.rsqrt(power + 1e-8)[:, :, None, None]


class StyleConv(nn.Module):
    """Modulated convolution, noise and bias."""

    def __init__(self, inputs: int, outputs: int, style: int, grows: bool = False) -> None:
        super().__init__()
        self.grows = grows
        self.modulated_conv = ModulatedConv(inputs, outputs, 3, style, demodulated=True)
        self.weight = nn.Parameter(torch.zeros(1))  # how much of the noise is added
        self.bias = nn.Parameter(torch.zeros(1, outputs, 1, 1))

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        found = self.modulated_conv(resized(x, 2.0) if self.grows else x, style) * 2**0.5
        return leaky(found + self.weight * noise + self.bias)


class ToRGB(nn.Module):
    """A map's colours, laid over the enlarged colours of the level below."""

    def __init__(self, inputs: int, style: int) -> None:
        super().__init__()
        self.modulated_conv = ModulatedConv(inputs, 3, 1, style, demodulated=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, style: Tensor, below: Tensor | None = None) -> Tensor:
        colours = self.modulated_conv(x, style) + self.bias
        return colours if below is None else colours + resized(below, 2.0)


class ConstantInput(nn.Module):
    """Where every picture starts."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, channels, 4, 4))

    def forward(self, batch: int) -> Tensor:
        return self.weight.expand(batch, -1, -1, -1)


class StyleGAN2(nn.Module):
    """Styles to pictures; `widths` are the channels at 4, 8, ... pixels. `style_mlp` is published, but styles come ready."""

    def __init__(self, widths: Sequence[int], style: int, layers: int) -> None:
        super().__init__()
        self.style_mlp = nn.Sequential(nn.Identity())
        for _ in range(layers):
            self.style_mlp.extend([nn.Linear(style, style), nn.LeakyReLU(0.2)])
        self.constant_input = ConstantInput(widths[0])
        self.style_conv1 = StyleConv(widths[0], widths[0], style)
        self.to_rgb1 = ToRGB(widths[0], style)
        self.style_convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        self.noises = nn.Module()
        self.noises.register_buffer("noise0", torch.randn(1, 1, 4, 4))
        for level, (inputs, width) in enumerate(zip(widths[:-1], widths[1:], strict=True), 1):
            self.style_convs.extend([StyleConv(inputs, width, style, grows=True), StyleConv(width, width, style)])
            self.to_rgbs.append(ToRGB(width, style))
            for number in (2 * level - 1, 2 * level):
                self.noises.register_buffer(f"noise{number}", torch.randn(1, 1, 4 << level, 4 << level))

    def forward(
        self, styles: Tensor, scales: Sequence[Tensor], shifts: Sequence[Tensor], noises: Sequence[Tensor]
    ) -> Tensor:
        """Pictures (B, 3, S, S) of `styles` (B, L, D), one a layer and colour.

        `scales` and `shifts` change the second half of the channels of each level above 4 px; `noises` as in GFPGANClean.
        """
        x = self.style_conv1(self.constant_input(len(styles)), styles[:, 0], noises[0])
        colours = self.to_rgb1(x, styles[:, 1])
        for level, (to_rgb, scale, shift) in enumerate(zip(self.to_rgbs, scales, shifts, strict=True)):
            first = 2 * level + 1
            x = self.style_convs[first - 1](x, styles[:, first], noises[first])
            kept, changed = x.chunk(2, 1)
            x = torch.cat([kept, changed * scale + shift], 1)
            x = self.style_convs[first](x, styles[:, first + 1], noises[first + 1])
            colours = to_rgb(x, styles[:, first + 2], colours)
        return colours


class GFPGANClean(nn.Module):
    """Degraded crop to restored crop of the same size, which is fixed. The defaults are GFPGAN 1.2, 1.3 and 1.4.

    Args (with the published names):
        out_size: side of the crops, a power of two; num_style_feat: length of a style.
        channel_multiplier: widens the levels from 64 px; narrow: of all widths; num_mlp: layers of the unused `style_mlp`.
    """

    def __init__(
        self,
        out_size: int = 512,
        num_style_feat: int = 512,
        channel_multiplier: int = 2,
        num_mlp: int = 8,
        narrow: float = 1.0,
    ) -> None:
        super().__init__()
        levels = out_size.bit_length() - 3  # above 4 px
        sides = [4 << level for level in range(levels + 1)]
        wide = [int((512 if side < 64 else 16384 // side * channel_multiplier) * narrow) for side in sides]
        widths = [width // 2 for width in wide]
        self.style = num_style_feat
        self.conv_body_first = nn.Conv2d(3, widths[-1], 1)
        self.conv_body_down = nn.ModuleList(ResBlock(widths[n + 1], widths[n], 0.5) for n in reversed(range(levels)))
        self.final_conv = nn.Conv2d(widths[0], widths[0], 3, padding=1)
        self.conv_body_up = nn.ModuleList(ResBlock(widths[n], widths[n + 1], 2.0) for n in range(levels))
        self.final_linear = nn.Linear(widths[0] * 16, (2 * levels + 2) * num_style_feat)
        self.stylegan_decoder = StyleGAN2(wide, num_style_feat, num_mlp)
        self.condition_scale = nn.ModuleList(_condition(width) for width in widths[1:])
        self.condition_shift = nn.ModuleList(_condition(width) for width in widths[1:])
        self.toRGB = nn.ModuleList(nn.Conv2d(width, 3, 1) for width in widths[1:])  # for the training's losses

    @property
    def stored_noise(self) -> list[Tensor]:
        """The noise (1, 1, s, s) of each layer that comes with the weights."""
        return list(self.stylegan_decoder.noises.buffers())

    def noise(self, seeds: Sequence[int]) -> list[Tensor]:
        """Standard normal noise (B, 1, s, s) of each layer, each picture's from its own one of B `seeds`."""
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]  # on the CPU: the same on every device
        stored = self.stored_noise
        drawn = [[torch.randn(known.shape[1:], generator=generator) for known in stored] for generator in generators]
        return [torch.stack(layer).to(known) for layer, known in zip(zip(*drawn, strict=True), stored, strict=True)]

    def forward(self, x: Tensor, noises: Sequence[Tensor] | None = None) -> Tensor:
        """Restore `x` (B, 3, S, S) RGB in [-1, 1] with S = `out_size`; the output has its shape and is not clamped.

        Args:
            noises: (B or 1, 1, s, s) for each layer, as by `noise`, which is what the published inference draws; None
                takes the stored noise.
        """
        h = leaky(self.conv_body_first(x))
        skips: list[Tensor] = []
        for down in self.conv_body_down:
            h = down(h)
            skips.append(h)
        h = leaky(self.final_conv(h))
        styles = self.final_linear(h.flatten(1)).unflatten(1, (-1, self.style))
        scales, shifts = [], []
        for up, scale, shift in zip(self.conv_body_up, self.condition_scale, self.condition_shift, strict=True):
            h = up(h + skips.pop())
            scales.append(scale(h))
            shifts.append(shift(h))
        return self.stylegan_decoder(styles, scales, shifts, self.stored_noise if noises is None else noises)


def _condition(width: int) -> nn.Sequential:
    """What makes a scale or a shift of a map of the U-Net."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 3, padding=1)
    )
