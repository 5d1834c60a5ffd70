"""Optimisers for the loop: AdamW, and Muon for inner weights where a recipe asks for it.

Muon (Jordan et al., 2024; torch's own implementation) steps along the orthogonalised momentum of each weight matrix. On
the estimator a step of it was worth two of AdamW (docs/benchmarks/starter.md). It takes matrices only, so a convolution's
weight (O, I, h, w) is shown to it as (O, h * w * I): a view of the same memory where the network is channels_last. Torch's
computes in bfloat16 always, which some CPUs only emulate: there the same steps are taken in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from facestudio.training.precision import bfloat16_pays


class Optimizer:
    """AdamW over all parameters of `network`, or, when `muon` is above 0, Muon at that rate over the inner weights.

    Inner weights are those of linear layers and of convolutions that mix channels (not depthwise ones), unless their names
    begin with one of `outer`: first and last layers and tables are to be named there and stay with AdamW.
    """

    def __init__(
        self, network: nn.Module, lr: float, weight_decay: float, muon: float = 0.0, outer: tuple[str, ...] = ()
    ) -> None:
        self._seen: list[tuple[nn.Parameter, nn.Parameter]] = []
        rest = []
        for name, parameter in network.named_parameters():
            mixes = parameter.ndim == 2 or (parameter.ndim == 4 and parameter.shape[1] > 1)
            if muon and mixes and not name.startswith(outer):
                self._seen.append((parameter, nn.Parameter(matrix(parameter.detach()))))
            else:
                rest.append(parameter)
        self._rates = [lr]
        self._parts: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr, (0.9, 0.99), weight_decay=weight_decay)]
        if self._seen:
            for parameter, flat in self._seen:
                if parameter.data_ptr() != flat.data_ptr():
                    raise ValueError("Muon needs a network in channels_last memory format")
            self._rates.append(muon)
            flats = [flat for _, flat in self._seen]
            kind = torch.optim.Muon if bfloat16_pays(flats[0].device) else Float32Muon
            self._parts.append(kind(flats, muon, weight_decay=weight_decay, ns_steps=4, adjust_lr_fn="match_rms_adamw"))

    def scale(self, share: float) -> None:
        """Set every rate to `share` of what was asked."""
        for part, rate in zip(self._parts, self._rates, strict=True):
            for group in part.param_groups:
                group["lr"] = rate * share

    def zero_grad(self) -> None:
        for part in self._parts:
            part.zero_grad(set_to_none=True)
        for parameter, _ in self._seen:
            parameter.grad = None

    def step(self) -> None:
        for parameter, flat in self._seen:
            flat.grad = None if parameter.grad is None else matrix(parameter.grad)
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a saved state; one of a plain AdamW (before there was Muon) too."""
        states = state.get("parts", [state])
        for part, one in zip(self._parts, states, strict=True):
            part.load_state_dict(one)


class Float32Muon(torch.optim.Muon):
    """Torch's Muon (same settings, same state, rates matched to AdamW's), computed in float32."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                momentum = group["momentum"]
                held = self.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter.grad))
                held.lerp_(parameter.grad, 1 - momentum)
                update = parameter.grad.lerp(held, momentum) if group["nesterov"] else held
                update = orthogonal(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-0.2 * group["lr"] * max(parameter.shape) ** 0.5)


def orthogonal(update: Tensor, coefficients: tuple[float, float, float], steps: int, tiny: float) -> Tensor:
    """About U V^T of `update` = U S V^T, (O, M), by a quintic Newton-Schulz iteration."""
    a, b, c = coefficients
    lying = update.T if len(update) > update.shape[1] else update
    lying = lying / lying.norm().clamp(min=tiny)
    for _ in range(steps):
        gram = lying @ lying.T
        lying = torch.addmm(lying, torch.addmm(gram, gram, gram, beta=b, alpha=c), lying, beta=a)
    return lying.T if len(update) > update.shape[1] else lying


def matrix(weight: Tensor) -> Tensor:
    """(O, I, h, w) as (O, h * w * I); (O, I) as it is."""
    return weight if weight.ndim == 2 else weight.permute(0, 2, 3, 1).reshape(len(weight), -1)
