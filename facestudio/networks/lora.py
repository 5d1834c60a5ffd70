"""A correction of low rank for the U-Net of Stable Diffusion, in the layout in which most are published.

Paper: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022. The one that is meant here makes a
consistency model of the U-Net: Luo et al., "LCM-LoRA: A Universal Stable-Diffusion Acceleration Module", 2023. It is added while
the network runs, so that what is drawn without it stays exactly the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.arc2face import denoiser

# the ends of the names of the layers that LCM-LoRA corrects: in attention, in residual blocks, and between levels
CORRECTED = (
    *("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"),
    *("conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv"),
)


class Correction(nn.Module):
    """What is added to the output of one `layer`; numbers of 16 bits, as published."""

    alpha: Tensor

    def __init__(self, layer: nn.Module, rank: int) -> None:
        super().__init__()
        if isinstance(layer, nn.Conv2d):
            shape: dict[str, Any] = {"kernel_size": layer.kernel_size, "stride": layer.stride, "padding": layer.padding}
            down: nn.Module = nn.Conv2d(layer.in_channels, rank, **shape, bias=False)
            up: nn.Module = nn.Conv2d(rank, layer.out_channels, 1, bias=False)
        elif isinstance(layer, nn.Linear):
            down = nn.Linear(layer.in_features, rank, bias=False)
            up = nn.Linear(rank, layer.out_features, bias=False)
        else:
            raise TypeError(f"{type(layer).__name__} cannot be corrected")
        self.lora_down, self.lora_up = down.half(), up.half()
        self.rank = rank
        self.register_buffer("alpha", torch.tensor(float(rank), dtype=torch.float16))

    def forward(self, x: Tensor) -> Tensor:
        down: Any = self.lora_down
        up: Any = self.lora_up
        first, second = down.weight.to(x.dtype), up.weight.to(x.dtype)
        if first.dim() == 4:
            told = functional.conv2d(functional.conv2d(x, first, None, down.stride, down.padding), second)
        else:
            told = functional.linear(functional.linear(x, first), second)
        return told * (self.alpha.to(x.dtype) / self.rank)


class Lora(nn.Module):
    """Corrections of all layers of a U-Net whose names end as `CORRECTED` says; the names are the published ones.

    Args:
        unet: keyword arguments of the U-Net that it fits (networks/arc2face.py `denoiser`); rank: of the corrections.
    """

    def __init__(self, rank: int = 64, unet: dict[str, Any] | None = None) -> None:
        super().__init__()
        with torch.device("meta"):  # only its shapes matter
            layers = dict(denoiser(**(unet or {})).named_modules())
        for name, layer in layers.items():
            if name.endswith(CORRECTED) and isinstance(layer, nn.Linear | nn.Conv2d):
                self.add_module(_published(name), Correction(layer, rank))

    @contextmanager
    def on(self, unet: nn.Module) -> Iterator[None]:
        """Correct what `unet` says for as long as this lasts. ValueError when it has not all of the layers."""
        layers = {_published(name): layer for name, layer in unet.named_modules()}
        corrections = dict(self.named_children())
        if not corrections.keys() <= layers.keys():
            raise ValueError("these corrections are of another network")
        hooks = [layers[name].register_forward_hook(partial(_added, one)) for name, one in corrections.items()]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _published(name: str) -> str:
    return "lora_unet_" + name.replace(".", "_")


def _added(correction: nn.Module, layer: nn.Module, given: tuple[Any, ...], told: Tensor) -> Tensor:
    return told + correction(given[0])
