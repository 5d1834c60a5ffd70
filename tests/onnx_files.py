"""ONNX graphs of IR-ResNets as others export them: with torch's older exporter, which published files were made with, and
with its present one; with batch normalisations folded into the layers before them, or left as they are.

Needs the packages onnx and onnxscript of the test extra.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from facestudio.networks.iresnet import IResNet

PUBLISHED: dict[str, Any] = {"widths": [16, 16, 16, 16, 24], "stem_stride": 1, "reduced": 0, "dimensions": 16}
SMALL: dict[str, Any] = {"layers": [1, 2, 1, 1], **PUBLISHED}  # laid out as the published ones
OURS: dict[str, Any] = {"layers": [1, 2, 1], "widths": [4, 4, 8, 8], "dimensions": 16, "reduced": 6}  # as our starter
WAYS = ("folded", "plain", "present")


def filled(config: dict[str, Any], seed: int = 0) -> IResNet:
    """An IResNet filled by chance, its statistics, slopes and biases as well, ready for inference."""
    torch.manual_seed(seed)
    network = IResNet(**config).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.normal_(module.weight, 1, 0.2)
            nn.init.normal_(module.bias, std=0.2)
        elif isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, -0.1, 0.5)
    return network


def write(network: nn.Module, path: Path, way: str = "folded", side: int = 112) -> Path:
    """Export `network` to `path` in one of `WAYS`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = torch.zeros(1, 3, side, side)
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporters' own age
            if way == "present":
                _present(network, picture, path)
            else:
                told: dict[str, Any] = {"opset_version": 11, "input_names": ["data"], "dynamo": False}
                if way == "plain":
                    told |= {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}
                torch.onnx.export(network, (picture,), str(path), **told)
    finally:
        log.setLevel(level)
    return path


def _present(network: nn.Module, picture: torch.Tensor, path: Path) -> None:
    import onnx
    from tqdm import tqdm

    interval, tqdm.monitor_interval = tqdm.monitor_interval, 0  # else it starts a thread
    try:
        axes = ({0: torch.export.Dim("batch")},)
        pictures = (picture.repeat(2, 1, 1, 1),)
        program = torch.onnx.export(network, pictures, dynamo=True, verbose=False, dynamic_shapes=axes)
        assert program is not None
        onnx.save(program.model_proto, path)
    finally:
        tqdm.monitor_interval = interval
