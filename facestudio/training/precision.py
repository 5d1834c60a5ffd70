"""What a device computes quickly. Separate because both the loop and the optimisers ask."""

from __future__ import annotations

import torch


def bfloat16_pays(device: torch.device) -> bool:
    """Whether `device` computes bfloat16 quicker than float32: a CPU without the instructions takes some ten times as long."""
    if device.type != "cpu":
        return True
    can = torch.cpu.get_capabilities()
    return bool(can.get("avx512_bf16") or can.get("amx_bf16") or can.get("architecture") == "aarch64")
