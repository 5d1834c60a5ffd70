"""Published recognisers where a user meets them: what they make of our crops, and that none judges without calibration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facestudio import importing, store
from facestudio.checkpoints import checkpoint, load_manifest
from facestudio.cli.main import run
from facestudio.errors import CheckpointMismatch
from facestudio.faces.align import align
from facestudio.faces.face import ARCFACE_112, FFHQ_256, Template, similarity
from facestudio.faces.fusing import fuse
from facestudio.faces.identity import Embedder, verdict
from facestudio.networks.embedder import Published
from facestudio.networks.ir import IRSE, AdaFace
from facestudio.networks.iresnet import IResNet
from facestudio.networks.mobilefacenet import MobileFaceNet, MobileFaceNet112x96
from facestudio.networks.sface import SFaceIR, SFaceMobileFaceNet
from facestudio.networks.squeeze import Squeeze
from facestudio.photo import Photo, to_tensor
from facestudio.studio import Studio
from tests import published
from tests.fakes import draw_face, face_at, picture
from tests.unit.test_fusing import randomised
from tests.unit.test_importing import in_this_process

SHALLOW = (1, 1, 1, 1)
FEW_ROWS = ((2, 64, 1, 2), (2, 128, 2, 2), (2, 128, 1, 2))


@pytest.fixture
def face() -> np.ndarray:
    """A drawn face, (256, 256, 3) uint8, framed as FFHQ_256 says, left and right unlike."""
    pixels = picture(256, 256, seed=2)
    draw_face(pixels, face_at(127.5, 127.5, 256))
    return pixels


@pytest.fixture
def crop(face: np.ndarray) -> np.ndarray:
    """The same, (112, 112, 3) uint8, framed as ARCFACE_112 says."""
    return align(face, FFHQ_256.points, ARCFACE_112).pixels


def both(cls: Callable[..., Published], **config: Any) -> tuple[Published, Published]:
    """The same network twice: one that takes our crops, and one that takes its own input."""
    torch.manual_seed(0)
    ours, theirs = cls(crops=True, **config), cls(**config)
    for module in ours.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    side = 256 if ours.template == "FFHQ_256" else 112
    ours(torch.rand(8, 3, side, side) * 2 - 1)  # normalises by what comes, else the picture would hardly count
    theirs.load_state_dict(ours.state_dict())
    return ours.eval(), theirs.eval()


def assert_same(found: torch.Tensor, expected: torch.Tensor, *others: torch.Tensor) -> None:
    """That both are the same, and `others` are not."""
    assert (found - expected).abs().max() < 1e-4 * expected.std()
    for other in others:
        assert (found - other).abs().max() > 0.1 * found.std()


def planes(pixels: np.ndarray) -> torch.Tensor:
    """Levels (H, W, 3) as (1, 3, H, W) float32."""
    return torch.from_numpy(np.float32(pixels)).permute(2, 0, 1)[None]


@torch.inference_mode()
def test_adaface_takes_blue_first(crop: np.ndarray) -> None:
    ours, theirs = both(AdaFace, layers=SHALLOW)
    blue_first = (planes(crop[..., ::-1].copy()) / 255 - 0.5) / 0.5
    assert_same(ours(to_tensor(crop)), theirs(blue_first), theirs(to_tensor(crop)))
    assert isinstance(theirs, AdaFace)
    known = theirs.examine(blue_first)
    assert_same(known.embedding * known.norm, theirs.raw(blue_first))
    assert known.norm.shape == (1, 1) and known.embedding.norm().item() == pytest.approx(1, abs=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("cls", [SFaceIR, SFaceMobileFaceNet])
def test_sface_takes_levels(cls: Callable[..., Published], crop: np.ndarray) -> None:
    ours, theirs = both(cls, **({"layers": SHALLOW} if cls is SFaceIR else {}))
    assert_same(ours(to_tensor(crop)), theirs(planes(crop)), theirs(to_tensor(crop)))


@torch.inference_mode()
def test_mobilefacenet_112x96_takes_the_narrow_crop(face: np.ndarray) -> None:
    ours, theirs = both(MobileFaceNet112x96, bottleneck_setting=FEW_ROWS)
    crop = align(face, FFHQ_256.points, ARCFACE_112).pixels
    shifted = Template("narrow", 112, ARCFACE_112.points - (8, 0))
    narrow = align(face, FFHQ_256.points, shifted).pixels[:, :96]
    assert np.abs(narrow.astype(int) - crop[:, 8:104]).max() <= 1, "the template of 96 px is ours, shifted"
    given = (planes(crop[:, 8:104]) - 127.5) / 128
    found = ours(to_tensor(crop))
    assert found.shape == (1, 128)
    assert_same(found, theirs(given), theirs((planes(crop[:, 16:]) - 127.5) / 128))


@torch.inference_mode()
def test_ir_se_50_takes_a_part_of_the_ffhq_crop(face: np.ndarray) -> None:
    ours, theirs = both(IRSE, layers=SHALLOW)
    assert (ours.template, theirs.template) == ("FFHQ_256", "ARCFACE_112")
    part = face[35:223, 32:220].astype(np.float32) / 127.5 - 1
    pooled = np.empty((112, 112, 3), np.float32)
    edges = [(188 * n // 112, -(-188 * (n + 1) // 112)) for n in range(112)]
    for row, (top, bottom) in enumerate(edges):
        for column, (left, right) in enumerate(edges):
            pooled[row, column] = part[top:bottom, left:right].mean((0, 1))
    found = ours(to_tensor(face))
    five_points = to_tensor(align(face, FFHQ_256.points, ARCFACE_112).pixels)
    assert_same(found, theirs(planes(pooled)), theirs(five_points))
    assert found.norm().item() == pytest.approx(1, abs=1e-5)


@torch.inference_mode()
def test_squeeze_is_its_formula() -> None:
    torch.manual_seed(0)
    squeeze, x = Squeeze(32), torch.randn(2, 32, 3, 5)
    down, up = squeeze.fc1.weight[:, :, 0, 0], squeeze.fc2.weight[:, :, 0, 0]
    assert down.shape == (2, 32)
    scales = 1 / (1 + torch.exp(-torch.relu(x.flatten(2).mean(2) @ down.T) @ up.T))
    assert torch.allclose(squeeze(x), x * scales[:, :, None, None], atol=1e-6)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "squeezed IR-ResNet": lambda: IResNet((1, 1, 1), (16, 16, 16, 16), dimensions=16, squeezed=True),
    "AdaFace": lambda: AdaFace(SHALLOW),
    "IR-SE": lambda: IRSE(SHALLOW),
    "MobileFaceNet": lambda: MobileFaceNet(32, (1, 1, 1, 1), 1),
    "deep MobileFaceNet": lambda: MobileFaceNet(32, (2, 1, 1, 1), 1),
    "MobileFaceNet 112 x 96": lambda: MobileFaceNet112x96(FEW_ROWS),
    "SFace": lambda: SFaceIR(SHALLOW),
    "SFace's MobileFaceNet": SFaceMobileFaceNet,
}


@torch.inference_mode()
@pytest.mark.parametrize("name", NETWORKS)
def test_fusing_leaves_few_normalisations_and_the_same_embeddings(name: str) -> None:
    network = randomised(NETWORKS[name]())
    x = torch.rand(2, 3, 112, 96 if "96" in name else 112) * 2 - 1
    before = network(x)
    count = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    fuse(network)
    left = [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d)]
    first = [
        name for name in left if name.endswith(("bn1", "res_layer.0", "output_layer.0")) or name in ("bn2", "features")
    ]
    assert left == first and len(left) < count, "only those before a convolution with a rim, or a flattening, stay"
    assert (network(x) - before).abs().max() < 1e-3 * before.std()


# ---- imported, by a user


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest with an AdaFace of few units, whose Lightning file was imported."""
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path / "weights"))
    table = {
        "title": "Shallow AdaFace",
        "purpose": "Tells people apart",
        "licence": published.LICENCE,
        "accept": True,
        "source": "https://example.org/weights",
        "architecture": "ir:AdaFace",
        "config": {"layers": list(SHALLOW), "crops": True},
        "files": {
            "weights": {"name": "shallow.ckpt", "about": 80_000_000, "wrappers": ["state_dict"], "prefixes": ["model."]}
        },
    }
    published.write_manifest(tmp_path / "weights", {"shallow": table})
    network = randomised(AdaFace(SHALLOW))
    state = {f"model.{key}": value for key, value in network.state_dict().items()}
    head = {"head.kernel": torch.randn(512, 10), "head.t": torch.zeros(1), "head.batch_mean": torch.ones(1) * 20}
    torch.save({"epoch": 25, "state_dict": {**state, **head}}, tmp_path / "shallow.ckpt")
    assert run(["weights", "import", "shallow", str(tmp_path / "shallow.ckpt")]) == 0


def test_an_imported_recogniser_is_listed_and_embeds_but_does_not_judge(
    imported: None, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    capsys.readouterr()
    assert run(["weights", "list"]) == 0
    assert "shallow: Shallow AdaFace (Tells people apart; " in capsys.readouterr().out
    entry = checkpoint("shallow")
    assert entry.here and entry.published and not entry.recognises and store.size("shallow")

    embedder = Embedder.load(entry, "cpu")
    faces = [face_at(100, 100, 150), face_at(230, 160, 110, 25)]
    pixels = picture(300, 350, faces)
    one, other = embedder.embed_all(pixels, np.stack([face.landmarks for face in faces]))
    assert one.embedder == "shallow" and one.embedding.shape == (512,) and similarity(one, other) < 1
    with pytest.raises(CheckpointMismatch, match="shallow has no calibrated"):
        verdict(similarity(one, other), entry)

    studio = Studio("cpu")
    assert studio._embedders() == [] and studio._panel() is None
    assert studio.identities(Photo(pixels), faces) == ({}, {})
    assert studio.restore_checkpoints() == studio.generate_checkpoints() == []


def test_a_recogniser_says_which_crops_it_takes() -> None:
    network = IRSE(SHALLOW, crops=True).eval()
    seen: list[torch.Size] = []
    network.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape))
    embedder = Embedder(load_manifest()["ir-se-50"], network)
    face = face_at(100, 100, 150)
    embedder.embed(picture(300, 350, [face]), face.landmarks)
    assert seen == [(2, 3, 256, 256)]


def test_the_published_recognisers_take_our_crops_and_are_not_calibrated() -> None:
    found = {id: entry for id, entry in load_manifest().items() if entry.published and not entry.method}
    assert set(found) >= {"arcface-r100-glint360k", "adaface-ir50-webface4m", "elasticface-arc", "ir-se-50"}
    for id, entry in found.items():
        if entry.purpose == "Tells people apart":
            own = entry.architecture.partition(":")[0] not in ("iresnet",)
            assert bool(entry.config.get("crops")) == own, id
            assert not entry.recognises
