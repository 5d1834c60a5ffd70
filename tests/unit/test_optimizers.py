"""Optimizers of the training loop: who steps what, and that the network sees it."""

from __future__ import annotations

import copy

import pytest
import torch

from facestudio.networks.estimator import EstimatorUNet
from facestudio.training.optimizers import Float32Muon, Optimizer, matrix


def made(seed: int = 0) -> EstimatorUNet:
    torch.manual_seed(seed)
    network = EstimatorUNet(widths=(8, 12), blocks=1, unshuffle=2, side=16).to(memory_format=torch.channels_last)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    for block in network.middle:
        torch.nn.init.normal_(block.conv2.weight, std=0.1)
    return network


def step(network: EstimatorUNet, optimizer: Optimizer) -> None:
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    optimizer.zero_grad()
    (network(x) - 0.3).square().mean().backward()
    optimizer.step()


def test_muon_steps_along_an_orthogonal_matrix() -> None:
    network = made()
    optimizer = Optimizer(network, lr=0.0, weight_decay=0.0, muon=0.1, outer=("head", "tail", "places"))
    weight = network.middle[0].conv1.weight
    before = weight.detach().clone()
    step(network, optimizer)
    moved = matrix(weight.detach() - before)
    values = torch.linalg.svdvals(moved)
    assert values.min() > 0.5 * values.max() > 0  # a gradient's own singular values differ by orders of magnitude
    assert torch.equal(network.head.weight, made().head.weight)  # AdamW's, whose rate is 0
    assert torch.equal(network.tail.weight, made().tail.weight)


def test_without_muon_it_is_adamw() -> None:
    network, same = made(), made()
    optimizer = Optimizer(network, lr=1e-2, weight_decay=0.0)
    plain = torch.optim.AdamW(same.parameters(), 1e-2, (0.9, 0.99), weight_decay=0.0)
    for _ in range(3):
        step(network, optimizer)
        plain.zero_grad()
        x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
        (same(x) - 0.3).square().mean().backward()
        plain.step()
    for mine, theirs in zip(network.parameters(), same.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    # a checkpoint from before there was Muon holds this state alone
    other = Optimizer(made(), lr=1e-2, weight_decay=0.0)
    other.load_state_dict(plain.state_dict())


def test_a_resumed_optimizer_goes_on_as_if_it_had_not_stopped() -> None:
    outer = ("head", "tail", "places")
    network = made()
    optimizer = Optimizer(network, 1e-2, 0.0, 1e-2, outer)
    step(network, optimizer)
    again = made(5)
    resumed = Optimizer(again, 1e-2, 0.0, 1e-2, outer)
    again.load_state_dict(network.state_dict())
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(network, optimizer)
    step(again, resumed)
    for mine, theirs in zip(network.parameters(), again.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


def test_depthwise_convolutions_and_linear_layers_are_told_apart() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3, groups=8), torch.nn.Flatten(), torch.nn.Linear(8, 4))
    network = network.to(memory_format=torch.channels_last)
    optimizer = Optimizer(network, lr=0.0, weight_decay=0.0, muon=0.1)
    before = [p.detach().clone() for p in network.parameters()]
    network(torch.ones(2, 8, 3, 3)).square().sum().backward()
    optimizer.step()
    moved = [not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)]
    assert moved == [False, False, True, False]


def test_rates_fall_together() -> None:
    network = made()
    optimizer = Optimizer(network, 1e-2, 0.0, 1e-2, ("head", "tail", "places"))
    optimizer.scale(0.0)
    before = [p.detach().clone() for p in network.parameters()]
    step(network, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_muon_wants_channels_last() -> None:
    with pytest.raises(ValueError, match="channels_last"):
        Optimizer(EstimatorUNet(widths=(8, 12), blocks=1, unshuffle=2), 1e-2, 0.0, 1e-2, ("head", "tail"))


def test_muon_in_float32_takes_torchs_steps() -> None:
    torch.manual_seed(3)
    start, gradients = torch.randn(6, 10), torch.randn(3, 6, 10)
    found = []
    for kind in (torch.optim.Muon, Float32Muon):
        weight = torch.nn.Parameter(start.clone())
        optimizer = kind([weight], 0.05, weight_decay=0.1, ns_steps=4, adjust_lr_fn="match_rms_adamw")
        for gradient in gradients:
            weight.grad = gradient.clone()
            optimizer.step()
        found.append((weight.detach(), optimizer.state_dict()))
    (torchs, torchs_state), (ours, our_state) = found
    moved = (torchs - start).norm()
    assert (ours - torchs).norm() < 0.02 * moved  # torch's is rounded to bfloat16
    torch.testing.assert_close(our_state["state"], torchs_state["state"])
    assert our_state["param_groups"] == torchs_state["param_groups"]
