"""Networks: shapes, geometry and the promises of their docstrings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from facestudio.networks.detector import STRIDES, FaceDetector, centres, decode, flatten
from facestudio.networks.embedder import DenseFaceNet
from facestudio.networks.estimator import EstimatorUNet, SelfAttention, gradients
from facestudio.networks.iresnet import IResNet
from facestudio.networks.landmarks import LandmarkNet, rotations
from facestudio.networks.vit import FaceTransformer


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_estimator_begins_as_the_identity_and_keeps_the_shape() -> None:
    network = EstimatorUNet(widths=(8, 12, 16), blocks=1)
    x = torch.rand(2, 3, 64, 48) * 2 - 1
    assert torch.equal(network(x), x)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    changed = network(x)
    assert changed.shape == x.shape
    assert not torch.allclose(changed, x)


def test_estimator_with_places_tells_where_it_is_and_takes_other_sides() -> None:
    network = EstimatorUNet(widths=(8, 12), blocks=1, unshuffle=2, side=32)
    assert [tuple(p.shape) for p in network.places] == [(1, 8, 16, 16), (1, 12, 8, 8)]
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    flat = torch.zeros(1, 3, 64, 64)
    with torch.no_grad():
        network.places[0][:, :, :4] = 1.0
    changed = network(flat)
    assert changed.shape == flat.shape
    assert (changed[..., :16, :] - changed[..., 40:56, :]).abs().max() > 1e-3
    assert network(flat[..., :32, :32]).shape == (1, 3, 32, 32)


def test_estimator_makes_the_same_of_a_mirrored_face_when_asked() -> None:
    network = EstimatorUNet(widths=(8, 12), blocks=1, unshuffle=2)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    both = network.symmetric(x)
    assert both.shape == x.shape
    assert torch.allclose(both.flip(-1), network.symmetric(x.flip(-1)), atol=1e-6)
    assert not torch.allclose(both, network(x), atol=1e-4)


def test_an_estimator_with_more_blocks_and_attention_begins_as_the_one_that_it_grew_from() -> None:
    small = EstimatorUNet(widths=(8, 12, 16), blocks=1, unshuffle=2)
    torch.nn.init.normal_(small.tail.weight, std=0.1)
    grown = EstimatorUNet(widths=(8, 12, 16), blocks=(2, 3, 2), unshuffle=2, attend=(1,))
    assert [len(level) for level in (*grown.down, grown.middle, *grown.up)] == [2, 4, 2, 4, 2]
    missing, unknown = grown.load_state_dict(small.state_dict(), strict=False)
    assert not unknown and {name.rpartition(".")[0].rpartition(".")[0] for name in missing} >= {"down.1.3", "up.0.3"}
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    assert torch.allclose(grown(x), small(x), atol=1e-6)
    grown(x).square().mean().backward()
    assert grown.down[1][3].out.weight.grad.any() and grown.up[1][1].conv2.weight.grad.any()  # type: ignore[index,union-attr]


def test_attention_lets_every_place_hear_of_every_other() -> None:
    layer = SelfAttention(16, head=8)
    assert layer.heads == 2
    torch.nn.init.normal_(layer.out.weight, std=1.0)
    x = torch.randn(1, 16, 4, 4)
    other = x.clone()
    other[..., 0, 0] += 1
    assert (layer(other) - layer(x)).abs().amax(1).min() > 1e-5


def test_gradients_are_forward_differences() -> None:
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    across, down = gradients(x)
    assert (across == 1).all() and across.shape == (1, 1, 3, 3)
    assert (down == 4).all() and down.shape == (1, 1, 2, 4)


def test_embedder_is_symmetric_over_mirroring() -> None:
    network = DenseFaceNet(widths=(4, 8, 8, 12), blocks=(1, 1, 1), bottleneck=8, features=16, dimensions=32).eval()
    x = torch.rand(3, 3, 112, 112) * 2 - 1
    assert network(x).shape == (3, 32)
    both = network.symmetric(x)
    assert torch.allclose(both.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(both, network.symmetric(x.flip(-1)), atol=1e-5)


def test_embedder_in_parts_is_the_embedder() -> None:
    network = DenseFaceNet(widths=(4, 8, 8, 12), blocks=(1, 1, 1), bottleneck=8, features=16, dimensions=32).eval()
    x = torch.rand(1, 3, 112, 112)
    middle = network.early(x)
    assert middle.shape == (1, 8, 14, 14)
    late = network.late(middle)
    assert late.shape == (1, 8, 7, 7)
    assert torch.equal(network.head(late), network(x))


def small_iresnet() -> IResNet:
    return IResNet(layers=(1, 2, 1), widths=(4, 8, 8, 12), reduced=6, dimensions=32)


def small_transformer(stem: tuple[int, ...] = (4, 8), local: bool = True) -> FaceTransformer:
    return FaceTransformer(width=24, heads=3, depth=4, stem=stem, local=local, features=16, dimensions=32)


@pytest.mark.parametrize("make", [small_iresnet, small_transformer, lambda: small_transformer((), False)])
def test_other_embedders_are_whole_in_parts_and_symmetric(make: Callable[[], torch.nn.Module]) -> None:
    network = make().eval()
    x = torch.rand(3, 3, 112, 112) * 2 - 1
    middle = network.early(x)
    assert middle.shape[2:] == (14, 14)
    raw = network.head(network.late(middle))
    assert raw.shape == (3, 32) and torch.equal(raw, network(x))
    both = network.symmetric(x)
    assert torch.allclose(both.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.allclose(both, network.symmetric(x.flip(-1)), atol=1e-5)


def test_iresnet_refuses_what_does_not_end_at_seven_places() -> None:
    with pytest.raises(ValueError, match="7x7"):
        IResNet(layers=(1, 1, 1), widths=(4, 8, 8, 8), stem_stride=1)
    with pytest.raises(ValueError, match="7x7"):
        IResNet(layers=(1, 1, 1), widths=(4, 8, 8), stem_stride=2)


def test_shipped_sizes_stay_below_twelve_megabytes_in_float16() -> None:
    for made in (IResNet, FaceTransformer):
        with torch.device("meta"):
            parameters = sum(value.numel() for value in made().state_dict().values())
        assert 2 * parameters < 12e6, made


def test_transformer_trains_with_the_attention_that_it_runs_with() -> None:
    attention = small_transformer().blocks[0].attn
    x = torch.randn(2, 196, 24)
    assert torch.allclose(attention.train()(x), attention.eval()(x), atol=1e-5)


def test_examining_a_transformer_shows_the_attention_and_the_exits() -> None:
    network = small_transformer().eval()
    x = torch.rand(2, 3, 112, 112) * 2 - 1
    with torch.inference_mode():
        seen = network.examine(x, (1, 3))
        assert seen.blocks == (1, 3)
        assert seen.exits.shape == (2, 2, 32) and seen.pooled.shape == (2, 2, 24)
        assert seen.logits.shape == (2, 2, 3, 196, 196) and seen.logits.dtype == torch.float32
        assert torch.allclose(seen.exits[1], network(x), atol=1e-5)
        assert torch.equal(network.examine(x).exits[0], seen.exits[1])
        # the softmax of the logits, applied to the values, is what the attention gives
        tokens = network.tokens(x)
        block = network.blocks[1]
        entering = block.norm1(block.entering(network.blocks[0](tokens)))
        attention = block.attn
        values = attention.split(entering)[2]
        given = attention.proj((seen.logits[0].softmax(-1) @ values).transpose(1, 2).flatten(2))
        assert torch.allclose(given, attention(entering), atol=1e-5)


def test_examining_early_blocks_runs_no_further() -> None:
    network = small_transformer().eval()
    network.blocks[2].register_forward_hook(lambda *_: pytest.fail("ran too far"))
    assert network.examine(torch.rand(1, 3, 112, 112), (0, 1)).exits.shape == (2, 1, 32)


@pytest.mark.parametrize("blocks", [(), (4,), (-1,), (1, 0), (1, 1)])
def test_examining_asks_for_blocks_that_exist(blocks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        small_transformer().examine(torch.rand(1, 3, 112, 112), blocks)


def test_landmarks_begin_in_the_middle_of_the_crop() -> None:
    network = LandmarkNet(widths=(4, 8, 8, 8), fused=8).eval()
    torch.nn.init.zeros_(network.maps.weight)
    points, logits = network(torch.rand(2, 3, 112, 112))
    assert points.shape == (2, 73, 2) and logits.shape == (2,)
    assert torch.allclose(points, torch.full_like(points, 0.5), atol=1e-5)


def test_a_pose_is_told_when_asked_and_begins_straight() -> None:
    plain, posed = (LandmarkNet(widths=(4, 8, 8, 8), fused=8, pose=pose).eval() for pose in (False, True))
    assert {key.partition(".")[0] for key in set(posed.state_dict()) - set(plain.state_dict())} == {"pose"}
    told = posed(torch.rand(2, 3, 112, 112))
    assert len(told) == 3
    assert torch.allclose(told[2], torch.eye(3).repeat(2, 1, 1))


def test_six_numbers_make_a_rotation() -> None:
    torch.manual_seed(0)
    six = torch.randn(5, 6)
    made = rotations(six)
    assert torch.allclose(made @ made.mT, torch.eye(3).repeat(5, 1, 1), atol=1e-5)
    assert torch.allclose(torch.linalg.det(made), torch.ones(5), atol=1e-5)
    assert torch.allclose(made[:, 0], torch.nn.functional.normalize(six[:, :3], dim=1), atol=1e-6)
    assert torch.allclose(rotations(made[:, :2].flatten(1)), made, atol=1e-5)


def test_a_landmark_stands_where_its_map_is_high() -> None:
    class Given(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            maps = torch.full((1, 2, 28, 28), -50.0)
            maps[0, 0, 0, 27] = 50  # the upper right place, just outside of the crop
            maps[0, 1, 20, 10] = 50
            return maps

    network = LandmarkNet(widths=(4, 8, 8, 8), fused=8, points=2).eval()
    network.maps = Given()
    points = network(torch.rand(1, 3, 112, 112))[0][0]
    assert points[0].tolist() == pytest.approx([1.15, -0.15], abs=1e-4)
    assert points[1].tolist() == pytest.approx([-0.15 + 1.3 * 10 / 27, -0.15 + 1.3 * 20 / 27], abs=1e-4)


def test_detector_maps_have_one_place_a_stride() -> None:
    maps = FaceDetector(widths=(4, 4, 8, 8, 8), pyramid=8).eval()(torch.rand(2, 3, 96, 64))
    assert [tuple(m.shape) for m in maps] == [(2, 15, 96 // s, 64 // s) for s in STRIDES]


def test_centres_are_the_middles_of_the_places() -> None:
    found = centres(2, 3, 8)
    assert found.shape == (6, 2)
    assert found[0].tolist() == [3.5, 3.5]
    assert found[5].tolist() == [19.5, 11.5]


def test_decoding_gives_back_a_face_written_into_the_maps() -> None:
    maps = [torch.zeros(1, 15, 64 // s, 64 // s) for s in STRIDES]
    for m in maps:
        m[:, 0] = -9
    # at stride 16, row 1, column 2: centre (39.5, 23.5)
    maps[1][0, 0, 1, 2] = 3.0
    maps[1][0, 1:5, 1, 2] = torch.log(torch.tensor([10.0, 12.0, 8.0, 6.0]) / 16)
    maps[1][0, 5:, 1, 2] = torch.arange(10.0) / 16
    ((boxes, marks, scores),) = decode(maps, 0.5)
    assert len(scores) == 1
    assert scores[0] == pytest.approx(torch.sigmoid(torch.tensor(3.0)).item())
    assert boxes[0].tolist() == pytest.approx([29.5, 11.5, 47.5, 29.5], abs=1e-4)
    expected = [39.5, 24.5, 41.5, 26.5, 43.5, 28.5, 45.5, 30.5, 47.5, 32.5]
    assert marks[0].tolist() == pytest.approx(expected, abs=1e-4)
    logits, flat, _, places, strides = flatten(maps)
    assert logits.shape == (1, 64 + 16 + 4) and flat.shape == (1, 84, 4)
    assert places.shape == (84, 2) and strides.shape == (84,)


def test_decoding_sorts_by_score() -> None:
    maps = [torch.zeros(1, 15, 32 // s, 32 // s) for s in STRIDES]
    maps[0][0, 0] = torch.linspace(-4, 4, 16).reshape(4, 4)
    ((_, _, scores),) = decode(maps, 0.1)
    assert (scores[:-1] >= scores[1:]).all()
    assert scores.min() >= 0.1
