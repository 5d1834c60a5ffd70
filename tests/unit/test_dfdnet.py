"""DFDNet, network and method: the transfer from the dictionary, what is skipped, and what is told of it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.errors import CheckpointMismatch, CheckpointMissing
from facestudio.faces.align import align
from facestudio.faces.components import NAMES, visible_boxes
from facestudio.faces.face import ARCFACE_112, FFHQ_512, AlignedFace
from facestudio.faces.landmarks import BOX, LandmarkFinder
from facestudio.methods.base import Restorer, load_method
from facestudio.methods.dfdnet import DFDNet
from facestudio.networks.dfdnet import SCALES, SpectralConv2d, entry_shapes
from facestudio.networks.dfdnet import DFDNet as Network
from facestudio.networks.dictionary import SKIPPED, Entries, statistics, transfer
from facestudio.networks.landmarks import LandmarkNet
from facestudio.photo import to_tensor
from facestudio.progress import Cancelled, Progress, Update
from facestudio.training.export import dump
from tests.fakes import face_at, fake_checkpoint, picture
from tests.unit.test_components import face_of_512

NGF, ENTRIES = 2, 3
LEFT, TOP, RIGHT, BOTTOM = BOX


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def network() -> Network:
    return Network(NGF, spare=False).eval()


def dictionary(entries: int = ENTRIES) -> dict[str, torch.Tensor]:
    return {name: torch.rand(entries, *shape) for name, shape in entry_shapes(NGF).items()}


class Told(torch.nn.Module):
    """Always gives the same 68 points (pixels of FFHQ_512)."""

    def __init__(self, points: np.ndarray) -> None:
        super().__init__()
        in_256 = np.concatenate([points, np.zeros((5, 2))]) / 2
        shares = (in_256 + 0.5 - [LEFT, TOP]) / [RIGHT - LEFT, BOTTOM - TOP]
        self.points = torch.from_numpy(shares).float()

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.points.repeat(len(x), 1, 1), torch.zeros(len(x))


def method(points: np.ndarray, net: Network | None = None, entries: dict[str, torch.Tensor] | None = None) -> DFDNet:
    made = {name: Entries.of(values) for name, values in (entries or dictionary()).items()}
    return DFDNet(fake_checkpoint(), net or network(), made, LandmarkFinder(Told(points)))


@pytest.fixture
def crop() -> AlignedFace:
    face = face_at(256, 256, 512)
    return align(picture(512, 512, [face]), face, FFHQ_512)


# ---- the transfer


def scored_plainly(region: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """As the paper says it: every entry is brought to the region's statistics, then multiplied with it."""
    scores = []
    for entry in values.double():
        spread = (entry.var((1, 2), correction=1) + 1e-5).sqrt()
        wanted = (region.double().var((1, 2), correction=1) + 1e-5).sqrt()
        fitted = (entry - entry.mean((1, 2))[:, None, None]) * (wanted / spread)[:, None, None]
        scores.append(((fitted + region.double().mean((1, 2))[:, None, None]) * region).sum())
    return torch.stack(scores)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_scores_are_inner_products_with_the_fitted_entries(dtype: torch.dtype) -> None:
    values, region = (torch.randn(5, 6, 7, 7) * 3 + 1).to(dtype), torch.randn(6, 7, 7) + 2
    entries = Entries.of(values)
    assert entries.values is values
    assert torch.allclose(entries.scores(region).double(), scored_plainly(region, values), rtol=1e-5)
    fitted = entries.fitted(3, region)
    for mine, theirs in zip(statistics(fitted), statistics(region), strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-3)


def test_many_entries_are_scored_in_portions_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    values, region = torch.randn(7, 3, 4, 4), torch.randn(3, 4, 4)
    at_once = Entries.of(values)
    monkeypatch.setattr("facestudio.networks.dictionary._PORTION", 2 * values[0].numel())
    in_portions = Entries.of(values)
    assert torch.equal(at_once.std, in_portions.std)
    assert torch.allclose(at_once.scores(region), in_portions.scores(region), atol=1e-4)


def test_an_entry_that_is_the_region_is_chosen_and_added_with_the_confidence() -> None:
    feature = torch.randn(1, 4, 12, 12)
    values = torch.randn(5, 4, 6, 6)
    values[2] = 3 * feature[0, :, 2:8, 4:10] + 7  # AdaIN takes scale and shift away
    box = torch.tensor([[[4, 2, 10, 8]]])
    found = transfer(feature, box, [Entries.of(values)], [lambda difference: torch.full_like(difference, -0.5)])
    assert found.entry.tolist() == [[2]]
    assert found.confidence.tolist() == [[0.5]]
    inside = found.feature[0, :, 2:8, 4:10]
    assert torch.allclose(inside, feature[0, :, 2:8, 4:10] * 0.5, atol=1e-4)
    untouched = torch.ones(12, 12, dtype=torch.bool)
    untouched[2:8, 4:10] = False
    assert torch.equal(found.feature[..., untouched], feature[..., untouched])


def test_boxes_are_cut_off_at_the_map_and_empty_ones_skipped() -> None:
    feature, entries = torch.randn(2, 4, 8, 8), [Entries.of(torch.rand(2, 4, 3, 3))] * 3
    blocks = [torch.ones_like] * 3
    over = torch.tensor([[[-5, -2, 3, 4], [9, 2, 12, 4], [4, 4, 4, 6]], [[0, 0, 0, 0]] * 3])
    within = torch.tensor([[[0, 0, 3, 4], [0, 0, 0, 0], [0, 0, 0, 0]], [[0, 0, 0, 0]] * 3])
    found, expected = (transfer(feature, boxes, entries, blocks) for boxes in (over, within))
    assert torch.equal(found.feature, expected.feature)
    assert torch.equal(found.feature[1], feature[1])
    assert not torch.equal(found.feature[0], feature[0])
    assert (found.entry == SKIPPED).tolist() == [[False, True, True], [True, True, True]]
    assert (found.confidence == 0).tolist() == [[False, True, True], [True, True, True]]


def test_where_regions_overlap_both_are_read_before_and_the_later_is_seen() -> None:
    feature = torch.randn(1, 4, 8, 8)
    entries = [Entries.of(torch.rand(2, 4, 3, 3)) for _ in range(2)]
    boxes = torch.tensor([[[0, 0, 5, 5], [3, 3, 8, 8]]])
    blocks = [torch.ones_like] * 2
    both = transfer(feature, boxes, entries, blocks).feature
    first = transfer(feature, boxes[:, :1], entries[:1], blocks[:1]).feature
    second = transfer(feature, boxes[:, 1:], entries[1:], blocks[1:]).feature
    assert torch.equal(both[..., 3:, 3:], second[..., 3:, 3:])
    assert torch.equal(both[..., :3, :], first[..., :3, :])


# ---- the network


def boxes_of(*middles: tuple[int, int]) -> torch.Tensor:
    return torch.tensor([[x - 20, y - 20, x + 20, y + 20] for x, y in middles])


BOXES = boxes_of((80, 80), (150, 80), (115, 120), (115, 170))


def test_each_picture_of_a_batch_has_its_own_boxes() -> None:
    net, entries = network(), {name: Entries.of(values) for name, values in dictionary().items()}
    x = torch.rand(2, 3, 224, 240) * 2 - 1
    boxes = torch.stack([BOXES, torch.zeros_like(BOXES)])
    with torch.inference_mode():
        both = net(x, boxes, entries)
        alone = [net(x[n : n + 1], boxes[n], entries) for n in range(2)]
    assert both.picture.shape == x.shape
    assert both.picture.abs().max() <= 1
    assert both.entry.shape == both.confidence.shape == (2, 4, 4)
    for n in range(2):
        assert torch.allclose(both.picture[n], alone[n].picture[0], atol=1e-5)
        assert torch.equal(both.entry[n], alone[n].entry[0])
    assert (both.entry[0] >= 0).all()
    assert (both.entry[1] == SKIPPED).all()


def test_a_box_that_leaves_the_picture_is_as_if_cut_off() -> None:
    net, entries = network(), {name: Entries.of(values) for name, values in dictionary().items()}
    x = torch.rand(1, 3, 224, 224) * 2 - 1
    over = BOXES.clone()
    over[3] = torch.tensor([-30, 180, 60, 270])
    with torch.inference_mode():
        found, expected = net(x, over, entries), net(x, over.clip(0, 224), entries)
    assert torch.equal(found.picture, expected.picture)
    assert (found.entry >= 0).all()


def test_folding_changes_nothing_but_rounding() -> None:
    net, entries = network(), {name: Entries.of(values) for name, values in dictionary().items()}
    x = torch.rand(1, 3, 224, 224) * 2 - 1
    with torch.inference_mode():
        before = net(x, BOXES, entries).picture
        after = net.fold().fold()(x, BOXES, entries).picture
    assert before.std() > 1e-4
    assert (before - after).abs().max() < 1e-3 * before.std()


def test_training_learns_the_spectral_norm_and_the_weights() -> None:
    layer = SpectralConv2d(4, 6)
    true = torch.linalg.matrix_norm(layer.weight_orig.detach().flatten(1), 2)
    x = torch.randn(1, 4, 8, 8)
    layer.eval()(x)
    assert layer.sigma() < 0.9 * true
    layer.train()
    for _ in range(50):
        outputs = layer(x), layer(x)  # the second call must not spoil the gradient of the first
    assert layer.sigma().item() == pytest.approx(true.item(), rel=1e-3)
    sum(outputs).square().mean().backward()  # type: ignore[union-attr]
    assert layer.weight_orig.grad is not None and layer.weight_orig.grad.abs().max() > 0


def test_the_gradient_reaches_encoder_and_confidence() -> None:
    net, entries = network().train(), {name: Entries.of(values) for name, values in dictionary().items()}
    net(torch.rand(1, 3, 224, 224), BOXES, entries).picture.square().mean().backward()
    for name in ("VggExtract.features.0.0.weight", "le_256.2.weight_orig", "mo_32.0.weight_orig", "up4.4.weight"):
        gradient = net.get_parameter(name).grad
        assert gradient is not None and gradient.abs().max() > 0, name


# ---- the method


def test_the_planted_entries_are_chosen_and_told(crop: AlignedFace) -> None:
    net, entries, points = network(), dictionary(), face_of_512()
    boxes = torch.from_numpy(visible_boxes(points))
    for layer in net.VggExtract.modules():
        if isinstance(layer, torch.nn.Conv2d):  # or so narrow a network hardly says anything
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    with torch.inference_mode():
        taps = net.VggExtract(to_tensor(crop.pixels))
    for component, name in enumerate(NAMES):
        for scale, tap in zip(SCALES, taps, strict=True):
            left, top, right, bottom = (boxes[component] // (512 // scale)).tolist()
            values = entries[f"{name}_{scale}"]
            region = tap[:, :, top:bottom, left:right]
            values[component % ENTRIES] = functional.interpolate(region, values.shape[2:], mode="bilinear")[0] * 2
    told = method(points, net, entries).explained(crop, DFDNet.Options(), Progress(), 0)[1]
    assert told.skipped == ()
    assert len(told.choices) == 16
    for component, name in enumerate(NAMES):
        choices = told.of(name)
        assert [choice.scale for choice in choices] == list(SCALES)
        assert {choice.entry for choice in choices} == {component % ENTRIES}
        assert all(choice.entries == ENTRIES and choice.confidence > 0 for choice in choices)


def test_a_face_is_restored_the_same_way_every_time(crop: AlignedFace) -> None:
    restore = method(face_of_512())
    assert isinstance(restore, Restorer)
    once, again = (restore(crop, DFDNet.Options(), Progress(), seed) for seed in (1, 2))
    assert np.array_equal(once.pixels, again.pixels)
    assert np.array_equal(once.matrix, crop.matrix)
    assert once.template == crop.template
    assert not np.array_equal(once.pixels, crop.pixels)


def test_what_cannot_be_seen_is_skipped_and_the_rest_restored(crop: AlignedFace) -> None:
    net, entries = network(), dictionary()
    low = face_of_512(70, (256.0, 385.0))  # the mouth below the crop, the right eye turned away
    partly, told = method(low, net, entries).explained(crop, DFDNet.Options(), Progress(), 0)
    assert told.skipped == ("right_eye", "mouth")
    assert {choice.component for choice in told.choices} == {"left_eye", "nose"}
    nothing, told = method(face_of_512(0, (-900.0, 245.0)), net, entries).explained(
        crop, DFDNet.Options(), Progress(), 0
    )
    assert told.skipped == NAMES
    assert told.choices == ()
    assert not np.array_equal(nothing.pixels, crop.pixels)
    assert not np.array_equal(nothing.pixels, partly.pixels)


def test_another_framing_is_refused(crop: AlignedFace) -> None:
    small = AlignedFace(np.zeros((112, 112, 3), np.uint8), crop.matrix, ARCFACE_112)
    with pytest.raises(ValueError, match="FFHQ_512"):
        method(face_of_512())(small, DFDNet.Options(), Progress(), 0)


def test_progress_is_told_and_a_stop_takes_one_call(crop: AlignedFace) -> None:
    updates: list[Update] = []
    restore = method(face_of_512())
    restore(crop, DFDNet.Options(), Progress(updates.append, every=0), 0)
    assert updates[-1].fraction == 1 or updates[-2].fraction == 1
    assert any(update.preview is not None and update.preview.shape == (512, 512, 3) for update in updates)

    calls: list[int] = []
    progress = Progress()

    class Stopping(Network):
        def forward(self, *arguments: object) -> object:  # type: ignore[override]
            calls.append(1)
            progress.cancel()
            return super().forward(*arguments)  # type: ignore[arg-type]

    for expected in (1, 1):  # the second time it is stopped before it begins
        with pytest.raises(Cancelled):
            method(face_of_512(), Stopping(NGF, spare=False).eval())(crop, DFDNet.Options(), progress, 0)
        assert len(calls) == expected


# ---- from the store


def stored(folder: Path, entries: dict[str, torch.Tensor] | None, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A store with a small DFDNet, its dictionary and a small landmark finder."""
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(folder))
    state = {key: value.clone() for key, value in network().state_dict().items()}
    parts = {"weights": state} if entries is None else {"weights": state, "dictionary": entries}
    finder = LandmarkNet((4, 4, 4, 4), 4)
    common = {"title": "", "licence": "", "source": "starter"}
    tables = {
        "tiny-dfdnet": {
            **common,
            "method": "dfdnet:DFDNet",
            "goal": "keep",
            "architecture": "dfdnet:DFDNet",
            "config": {"ngf": NGF, "spare": False},
            "files": {part: file(folder / f"{part}.safetensors", content) for part, content in parts.items()},
            "uses": {"landmarks": "tiny-landmarks"},
        },
        "tiny-landmarks": {
            **common,
            "architecture": "landmarks:LandmarkNet",
            "config": {"widths": [4, 4, 4, 4], "fused": 4},
            "files": {"weights": file(folder / "landmarks.safetensors", finder.state_dict())},
        },
    }
    (folder / "manifest.toml").write_text(dump({"checkpoints": tables}), encoding="utf-8")
    return checkpoints.checkpoint("tiny-dfdnet")


def file(path: Path, content: dict[str, torch.Tensor]) -> dict[str, object]:
    save_file({key: value for key, value in content.items() if not key.endswith("num_batches_tracked")}, path)
    data = path.read_bytes()
    return {"path": path.name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def test_it_loads_from_the_store_and_restores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crop: AlignedFace
) -> None:
    entries = dictionary()
    loaded = load_method(stored(tmp_path, entries, monkeypatch), "cpu")
    assert (loaded.id, loaded.goal, loaded.template) == ("dfdnet", "keep", FFHQ_512)
    restored, told = loaded.explained(crop, loaded.Options(), Progress(), 0)
    assert restored.pixels.shape == (512, 512, 3)
    assert {choice.entries for choice in told.choices} <= {ENTRIES}
    # the same as what the parts give when they are put together by hand; landmarks of that finder are at random
    torch.manual_seed(0)
    net = network()
    checkpoints.load_into(net, loaded.checkpoint)
    by_hand = DFDNet(
        loaded.checkpoint, net, {name: Entries.of(values) for name, values in entries.items()}, loaded._finder
    )
    again = by_hand(crop, loaded.Options(), Progress(), 0)
    off = np.abs(again.pixels.astype(int) - restored.pixels)
    assert (off > 1).mean() < 1e-4, (
        "untrained, the picture is black or white nearly everywhere, which rounding may turn"
    )


def test_a_dictionary_that_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for spoil in ("lack", "shape", "more"):
        entries = dictionary()
        if spoil == "lack":
            del entries["nose_64"]
        elif spoil == "shape":
            entries["nose_64"] = torch.rand(ENTRIES, NGF * 8, 7, 7)
        else:
            entries["nose_65"] = torch.rand(ENTRIES, NGF * 8, 6, 6)
        with pytest.raises(CheckpointMismatch, match="nose_6"):
            load_method(stored(tmp_path, entries, monkeypatch), "cpu")


def test_without_a_dictionary_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointMissing, match="dictionary"):
        load_method(stored(tmp_path, None, monkeypatch), "cpu")


def test_the_options_are_known_without_torch() -> None:
    code = "import sys, facestudio.methods.dfdnet as m; m.DFDNet.Options(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
