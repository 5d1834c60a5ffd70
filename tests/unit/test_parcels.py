"""Parcels: what is sent to another machine is there what it was here, and what comes back is a run that goes on."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from facestudio.training import data, parcels
from facestudio.training.identity_data import CROPS, all_crops
from facestudio.training.loop import Run, Settings, Taught
from facestudio.training.metrics import psnr
from tests.fakes import face_at, picture

NAMES = [f"celeba-{n}" for n in range(5)]


@pytest.fixture
def here(tmp_path: Path) -> tuple[Path, Path]:
    """A root with five large faces in the cache already, and seven crops."""
    root, runs = tmp_path / "here" / "shared", tmp_path / "here" / "runs"
    (root / "faces").mkdir(parents=True)
    (runs / "cache").mkdir(parents=True)
    with (root / "faces" / parcels.FACES).open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "identity"])
        writer.writeheader()
        writer.writerows({"file": f"{name}.jpg", "identity": name} for name in NAMES)
    np.save(root / "faces" / parcels.LANDMARKS, np.random.default_rng(0).random((5, 68, 2)).astype(np.float16))
    faces = np.stack([picture(256, 256, [face_at(128, 128, 200)], seed=n) for n in range(5)])
    np.save(runs / "cache" / parcels.FACES_TABLE, faces)
    return root, runs


def run(*told: object) -> None:
    result = CliRunner().invoke(parcels.app, [str(one) for one in told])
    assert result.exit_code == 0, result.output


def test_faces_are_there_what_they_were_here(here: tuple[Path, Path], tmp_path: Path) -> None:
    root, runs = here
    there, far = tmp_path / "there" / "shared", tmp_path / "there" / "runs"
    run("pack", "faces", tmp_path / "sent", "--root", root, "--runs", runs, "--parts", 2)
    parts = sorted((tmp_path / "sent").iterdir())
    assert [part.name for part in parts] == ["faces.0.npz", "faces.1.npz"]
    run("unpack", parts[1], "--root", there, "--runs", far)
    assert not (far / "cache" / parcels.FACES_TABLE).exists(), "half of the faces would be black"
    run("unpack", parts[0], "--root", there, "--runs", far)
    assert [path.name for path in (far / "cache").iterdir()] == [parcels.FACES_TABLE]
    before, after = (data.faces256(one / "faces", two / "cache") for one, two in (here, (there, far)))
    assert after.identity.tolist() == NAMES and after.rows == before.rows
    assert min(psnr(one, other) for one, other in zip(before.pixels, after.pixels, strict=True)) > 33
    marks = [(one / "faces" / parcels.LANDMARKS).read_bytes() for one in (root, there)]
    assert marks[0] == marks[1]


def test_crops_come_with_who_they_are(here: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = np.stack([picture(112, 112, [face_at(56, 56, 90)], seed=n) for n in range(7)])
    who = np.array([f"somebody-{n}" for n in range(7)]), np.array(["celeba_small"] * 7)
    monkeypatch.setattr(parcels, "all_crops", lambda *_: (crops, *who))
    run("pack", "crops", tmp_path / "sent", "--root", here[0], "--runs", here[1], "--parts", 3)
    far = tmp_path / "there"
    run("unpack", *(tmp_path / "sent").iterdir(), "--root", far / "shared", "--runs", far / "runs")
    found, identity, source = all_crops(far / "shared", far / "runs" / "cache")
    assert identity.tolist() == who[0].tolist() and source.tolist() == who[1].tolist()
    assert min(psnr(one, other) for one, other in zip(crops, found, strict=True)) > 30
    assert (far / "runs" / "cache" / CROPS).exists()


def test_nothing_else_is_packed(here: tuple[Path, Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(parcels.app, ["pack", "photos", str(tmp_path), "--root", str(here[0])])
    assert result.exit_code == 2 and "neither faces nor crops" in result.output


class Tiny:
    id = "starter-tiny"
    settings, config = Settings(batch=2), {"width": 3}
    images_seen, share_seen = 0, 0.0

    def network(self) -> nn.Module:
        return Taught(nn.Linear(40, 30), nn.ModuleDict({"count": nn.Linear(1, 1)}))

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        return network(batch["x"]).square().mean(), {}


def test_what_comes_back_in_pieces_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "load", lambda *_: Tiny())
    monkeypatch.setattr(parcels, "PIECE", 2000)
    there = Run(Tiny(), tmp_path / "there" / "starter-tiny", torch.device("cpu"))  # type: ignore[arg-type]
    there.network.heads["count"].weight.data.fill_(1e6)  # type: ignore[union-attr,index]  # too large to be halved
    for _ in range(11):
        there.step({"x": torch.randn(2, 40)}, 1.0)
    there.save()
    run("give", "tiny", tmp_path / "out", "--runs", tmp_path / "there")
    pieces = list((tmp_path / "out").iterdir())
    assert len(pieces) > 1 and all(piece.stat().st_size <= 2000 for piece in pieces)
    run("take", "tiny", *reversed(sorted(pieces)), "--runs", tmp_path / "here")
    back = Run(Tiny(), tmp_path / "here" / "starter-tiny", torch.device("cpu"))  # type: ignore[arg-type]
    assert back.state == there.state and back.state["step"] == 11
    for key, value in there.average.state_dict().items():
        assert torch.allclose(back.network.state_dict()[key], value, atol=1e-3, rtol=1e-3)
    back.step({"x": torch.randn(2, 40)}, 1.0)
