"""A teacher that answers live: pupil and teacher see the same face, and what the pupil has to get over is done to its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facestudio.training import live
from facestudio.training.distilling import Distilled
from facestudio.training.identity_data import MS1M_TAPS, STEP, Teacher, probe_of
from facestudio.training.live import LiveTeacher, disturbed, drawn, faces_of, told
from facestudio.training.loop import Settings
from facestudio.training.losses import NOBODY
from facestudio.training.recipes import embedder_b
from facestudio.training.teachers import Ms1m, Ms1mNetwork

CROPS = np.random.default_rng(0).integers(0, 256, (12, 112, 112, 3), np.uint8)


class Echo(nn.Module):
    """Stands for a teacher: remembers what it saw; its answers are the means of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.saw: list[Tensor] = []
        self.register_buffer("one", torch.ones(1))

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.saw.append(faces)
        embedding = nn.functional.pad(nn.functional.normalize(faces.mean((2, 3)), dim=1), (0, 125))
        mean = (faces.mean((1, 2, 3)) / 255)[:, None, None, None]
        return embedding, mean.expand(-1, 128, 14, 14), mean.expand(-1, 128, 7, 7)


def batch(
    size: int = 8, mixed: float = 0.5, shares: tuple[float, float] = (0.0, 0.0), seed: int = 0
) -> dict[str, Tensor]:
    labels = np.arange(12) // 2
    return drawn(CROPS, np.arange(10), labels, np.arange(12), size, mixed, shares, np.random.default_rng(seed))


def test_half_of_a_batch_are_of_two_and_nobody() -> None:
    made = batch()
    nobody = made["label"] == NOBODY
    assert nobody.tolist() == [False] * 4 + [True] * 4 and len(made["others"]) == 4
    assert len(set(made["person"].tolist())) == 8 and made["person"][nobody].min() >= 12
    seen = made["faces"].numpy()
    assert all(any(np.array_equal(face, crop) for crop in CROPS[:10]) for face in seen), "of the training split only"


def test_pupil_and_teacher_see_the_same_face_which_is_none_that_was_photographed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live.variation, "tinted", lambda faces, *_: faces)
    teacher = Echo()
    made = batch()
    out = disturbed(made, teacher)  # type: ignore[arg-type]
    (saw,) = teacher.saw
    assert torch.allclose((out["crops"] + 1) * 127.5, saw, atol=1e-3) and out["weight"].tolist() == [1.0] * 8
    assert out["crops"].shape == (8, 3, 112, 112) and out["crops"].abs().max() <= 1
    assert torch.allclose(out["middle"][:, 0, 0, 0] / STEP, saw.mean((1, 2, 3)) / 255, atol=1e-4)
    originals = faces_of(made["faces"])
    for face, one in zip(saw[4:], originals[4:], strict=True):
        assert (face - one).abs().mean() > 5 and (face - one.flip(-1)).abs().mean() > 5
    again = disturbed(batch(), Echo())  # type: ignore[arg-type]
    assert torch.equal(out["crops"], again["crops"])


def test_what_is_damaged_or_off_is_so_to_the_pupil_alone() -> None:
    teacher, made = Echo(), batch(shares=(1.0, 0.0))
    out = disturbed(made, teacher)  # type: ignore[arg-type]
    assert out["weight"].numpy() == pytest.approx(0.3) and made["degraded"].all()
    assert ((out["crops"] + 1) * 127.5 - teacher.saw[0]).abs().mean() > 5
    moved = disturbed(batch(shares=(0.0, 1.0)), Echo())  # type: ignore[arg-type]
    assert moved["weight"].tolist() == [0.0] * 8, "its maps are elsewhere then"


def test_mirror_images_follow_their_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PORTION", 5)
    both = told(Echo(), CROPS, torch.device("cpu"))  # type: ignore[arg-type]
    plain = Echo()(faces_of(CROPS))[0]
    assert both.shape == (24, 128) and torch.allclose(both[::2], plain) and torch.allclose(both[1::2], plain, atol=1e-5)


def test_a_recipe_that_asks_live_learns_what_the_teacher_says() -> None:
    torch.manual_seed(0)
    recipe = Distilled.__new__(embedder_b.Recipe)
    recipe.config = {"layers": [1, 1, 1], "widths": [8, 8, 128, 128], "stem_stride": 2, "reduced": 8, "dimensions": 512}
    recipe.crops, recipe.training, recipe.people = CROPS, np.arange(10), np.arange(12)
    recipe.labels, recipe.classes, recipe.images_seen = np.arange(12) // 2, 6, 60_000
    recipe.isometry, recipe.live = torch.eye(128, 512), True
    recipe.settings = Settings(batch=8)
    recipe.__dict__["teacher"] = Echo()
    network = recipe.network().to(memory_format=torch.channels_last)
    expected = nn.functional.normalize(sum(told(recipe.teacher, CROPS[:2], torch.device("cpu"))), dim=0)  # type: ignore[arg-type]
    assert network.heads["margin"].centres[0] @ nn.functional.pad(expected, (0, 384)) > 0.999 * 512**0.5
    stream = recipe.batches(0)
    made = next(stream)
    stream.close()  # type: ignore[attr-defined]
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for _ in range(10):
        with torch.autocast("cpu", torch.bfloat16):
            loss, terms = recipe.loss(network, made)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(terms["cosine"])
    assert losses[-1] > losses[0] + 0.1, losses
    embedding, *maps = recipe.told(np.arange(3))
    assert embedding.shape == (3, 128) and [one.shape[1:] for one in maps] == [(128, 14, 14), (128, 7, 7)]


@pytest.mark.parametrize("name", ["ms1m", "casia"])
def test_the_live_teacher_says_what_the_other_says(name: str, shared: Path) -> None:
    smooth = nn.functional.interpolate(torch.rand(8, 3, 14, 14, generator=torch.Generator().manual_seed(0)), (112, 112))
    crops = (smooth * 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    asked, ours = Teacher(name, shared, probe_of(crops)), LiveTeacher(name, shared, probe_of(crops))
    embedding, *maps = ours(faces_of(crops))
    wanted, *levels = asked(crops)
    assert (embedding.numpy() * wanted).sum(1).min() > 0.998  # one of the two answers in bfloat16 where that pays
    for found, level in zip(maps, levels, strict=True):
        off = np.abs(found.clamp(-127 / STEP, 127 / STEP).numpy() - level / STEP)
        assert off.mean() < 0.03


def test_the_teacher_as_a_torch_network_is_the_one_of_onnx(shared: Path) -> None:
    first, second = (kind(shared / "teachers", MS1M_TAPS) for kind in (Ms1m, Ms1mNetwork))
    wanted, *maps = first(CROPS[:4])  # type: ignore[operator]
    with torch.no_grad():
        raw, found = second(faces_of(CROPS[:4]) / 255)
    assert nn.functional.normalize(raw, dim=1).numpy() == pytest.approx(wanted, abs=1e-5)
    for one, other in zip(found, maps, strict=True):
        assert one.numpy() == pytest.approx(other, abs=1e-3 * float(other.std()))
