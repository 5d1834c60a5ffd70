"""Fusing: what is folded, what must not be, and that every shipped network says what it said before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from facestudio import checkpoints
from facestudio.faces.exporting import form_of
from facestudio.faces.fusing import fuse
from facestudio.faces.loading import fill_network, load_network
from facestudio.networks.detector import FaceDetector
from facestudio.networks.embedder import DenseFaceNet
from facestudio.networks.landmarks import LandmarkNet

SHIPPED = {entry.id: form for entry in checkpoints.load_manifest().values() if (form := form_of(entry))}
CROP, PHOTO = (2, 3, 112, 112), (2, 3, 96, 160)
SMALL = {
    "detector": (FaceDetector(widths=(4, 4, 8, 8, 8), pyramid=8), PHOTO),
    "landmarks": (LandmarkNet(widths=(4, 8, 8, 8), fused=8), CROP),
    "landmarks and pose": (LandmarkNet(widths=(4, 8, 8, 8), fused=8, pose=True), CROP),
    "embedder": (DenseFaceNet((4, 8, 8, 12), (1, 1, 1), bottleneck=8, features=16, dimensions=32), CROP),
}


def randomised(network: nn.Module) -> nn.Module:
    """In evaluation mode, with statistics as training leaves them: none of them 0 or 1."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias)
    return network.eval()


def outputs(network: nn.Module, x: Tensor) -> list[Tensor]:
    with torch.inference_mode():
        said = network(x)
    return [said] if isinstance(said, Tensor) else list(said)


def unfused(network: nn.Module) -> Iterator[nn.Module]:
    """Batch normalisations that stand behind a layer they could have gone into."""
    for sequence in network.modules():
        if isinstance(sequence, nn.Sequential):
            for layer, norm in zip(sequence[:-1], sequence[1:], strict=True):
                if isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
                    yield norm


def assert_alike(before: list[Tensor], after: list[Tensor]) -> None:
    """To 1e-4 of the size of the output."""
    for was, now in zip(before, after, strict=True):
        assert (was - now).abs().max() <= 1e-4 * was.abs().max()


@pytest.mark.parametrize("name", SMALL)
def test_a_fused_network_says_the_same(name: str) -> None:
    network, shape = SMALL[name]
    randomised(network)
    x = torch.rand(shape) * 2 - 1
    assert list(unfused(network))
    before = outputs(network, x)
    assert fuse(network) is network
    assert not list(unfused(network))
    assert_alike(before, outputs(network, x))


@pytest.mark.parametrize("id", SHIPPED)
def test_every_shipped_detector_and_embedder_says_the_same(id: str) -> None:
    entry = checkpoints.checkpoint(id)
    side = SHIPPED[id].side or 128
    x = torch.rand(2, 3, side, side) * 2 - 1
    loaded = load_network(entry, "cpu")
    assert not list(unfused(loaded))
    assert_alike(outputs(fill_network(entry), x), outputs(loaded, x))


@pytest.mark.parametrize(
    "pair",
    [
        [nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6)],
        [nn.Conv2d(4, 8, 3, groups=4, bias=False), nn.BatchNorm2d(8, affine=False)],
        [nn.Flatten(), nn.Linear(256, 5, bias=False), nn.BatchNorm1d(5, affine=False)],
        [nn.Flatten(), nn.Linear(256, 5), nn.BatchNorm1d(5)],
    ],
)
def test_layers_with_and_without_bias_take_their_normalisation(pair: list[nn.Module]) -> None:
    network = randomised(nn.Sequential(*pair))
    x = torch.randn(3, 4, 8, 8)
    before = outputs(network, x)
    assert isinstance(fuse(network)[-1], nn.Identity)
    assert_alike(before, outputs(network, x))


class Unit(nn.Module):
    """A block as the published residual networks have it, which says what stands behind one another."""

    folds = (("conv1", "bn2"), ("fc", "features"))

    def __init__(self) -> None:
        super().__init__()
        self.bn1, self.conv1, self.bn2 = nn.BatchNorm2d(4), nn.Conv2d(4, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.fc, self.features = nn.Linear(8 * 36, 5), nn.BatchNorm1d(5)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(self.fc(self.bn2(self.conv1(self.bn1(x))).flatten(1)))


def test_a_module_may_say_what_stands_behind_one_another() -> None:
    network = randomised(Unit())
    x = torch.randn(3, 4, 8, 8)
    before = outputs(network, x)
    fuse(network)
    assert isinstance(network.bn1, nn.BatchNorm2d)
    assert isinstance(network.bn2, nn.Identity) and isinstance(network.features, nn.Identity)
    assert_alike(before, outputs(network, x))


class Doubled(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu() * 2


class Backwards(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        for layer in reversed(self):
            x = layer(x)
        return x


def shared() -> nn.Module:
    layer = nn.Conv2d(4, 4, 3)
    return nn.Sequential(layer, nn.BatchNorm2d(4), layer)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(Doubled(4, 4, 3), nn.BatchNorm2d(4)),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)),
        nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)),
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        shared(),
        Backwards(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)),
    ],
)
def test_what_cannot_be_folded_stays(network: nn.Module) -> None:
    randomised(network)
    x = torch.randn(2, 4, 8, 8)
    before = outputs(network, x)
    fuse(network)
    assert not any(isinstance(module, nn.Identity) for module in network.modules())
    assert torch.equal(before[0], outputs(network, x)[0])


def test_a_network_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="evaluation"):
        fuse(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
