"""What the estimator is trained on, and with which loss: faces of 256 px, and small ones that are believed at a quarter."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from facestudio.faces.face import FFHQ_256
from facestudio.training import small
from facestudio.training.data import held_out
from facestudio.training.identity_data import CELEBA_109
from facestudio.training.recipes.estimator import Recipe
from tests.fakes import face_at, picture


def jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives as ../shared/faces has them: eight of FFHQ, six of CelebA, drawn by code."""
    root = tmp_path_factory.mktemp("shared")
    with zipfile.ZipFile(root / "ffhq128.zip", "w") as archive:
        for n in range(8):
            archive.writestr(f"{n:05d}.jpg", jpeg(picture(128, 128, [face_at(64, 64, 128)], seed=n)))
    rows = [{"file": f"{n}.jpg", "identity": f"celeba-{n}"} for n in range(6)]
    with zipfile.ZipFile(root / "celeba_small.zip", "w") as archive:
        for row in rows:
            dots = np.full((109, 89, 3), 40, np.uint8)
            for x, y in np.rint(CELEBA_109).astype(int):
                cv2.circle(dots, (int(x), int(y)), 2, (230, 230, 230), -1)
            archive.writestr(row["file"], jpeg(dots))
    with (root / "celeba_small.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "identity"])
        writer.writeheader()
        writer.writerows(rows)
    return root


def test_small_faces_stand_where_the_large_ones_do(shared: Path, tmp_path: Path) -> None:
    found = small.celeba(shared, tmp_path)
    assert found.pixels.shape == (6, 128, 128, 3) and list(found.identity) == [f"celeba-{n}" for n in range(6)]
    bright = found.enlarged(0)[..., 0].astype(int)
    for x, y in FFHQ_256.points:
        assert bright[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4].max() > 150
    assert np.median(bright) < 60
    found = small.ffhq(shared, tmp_path)
    assert found.pixels.shape == (8, 128, 128, 3) and found.identity[3] == "ffhq-00003"
    assert (tmp_path / "ffhq128-128x128.npy").exists(), "packed once"


def test_what_is_done_to_small_faces_leaves_nothing_that_they_lack() -> None:
    drawn = [small.heavy(np.random.default_rng(seed)) for seed in range(40)]
    assert all(how.scale >= small.TRUE and min(how.sigma) >= 1.2 for how in drawn)
    assert max(how.scale for how in drawn) > 9


class Seen:
    """Stands for the teacher: an embedding that is the coarse of the picture, without its mean."""

    def __call__(self, faces: Tensor) -> Tensor:
        flat = functional.avg_pool2d(faces, 32).flatten(1)
        return functional.normalize(flat - flat.mean(1, keepdim=True), dim=1)


@pytest.fixture
def recipe(shared: Path, tmp_path: Path) -> Recipe:
    made = object.__new__(Recipe)
    made.root, made.cache = shared, tmp_path
    made.settings = replace(Recipe.settings, batch=6)
    made.small_ones, made.judged, made.identity_weight = 2, 4, 0.2
    made.training = np.arange(3)
    pixels = np.stack([picture(256, 256, [face_at(128, 128, 256)], seed=n) for n in range(3)])
    made.faces: Any = type("Faces", (), {"pixels": pixels})()
    sets = (small.ffhq(shared, tmp_path), small.celeba(shared, tmp_path))
    made.__dict__["small_faces"] = [(faces, np.arange(3)) for faces in sets]
    made.__dict__["who"] = Seen()
    return made


def test_without_small_faces_and_an_identity_nobody_is_asked_for_them(recipe: Recipe) -> None:
    recipe.small_ones, recipe.identity_weight = 0, 0.0
    for unasked in ("small_faces", "who"):
        recipe.__dict__[unasked] = None
    batch, which = recipe.drawn(np.random.default_rng(0))
    assert len(which) == 6
    loss, terms = recipe.compared(*recipe.made(batch))
    assert set(terms) == {"off"} and loss.item() == pytest.approx(terms["off"])


def test_a_batch_ends_with_small_faces_of_both_sets(recipe: Recipe) -> None:
    recipe.varied = False
    batch, which = recipe.drawn(np.random.default_rng(0))
    bad, clean = recipe.made(batch)
    assert bad.shape == clean.shape == (6, 3, 256, 256) and clean.abs().max() <= 1
    assert (bad - clean).abs().mean((1, 2, 3)).min() > 0.01
    assert len(which) == 4 and all(0 <= index < 3 for index, _ in which)
    sharp = functional.avg_pool2d(functional.interpolate(clean, scale_factor=0.5), 1)
    back = functional.interpolate(sharp, (256, 256), mode="bicubic")
    lost = (clean - back).abs().mean((1, 2, 3))
    assert lost[4:].max() < lost[:4].min(), "these have half the detail"
    again, _ = recipe.drawn(np.random.default_rng(0))
    assert torch.equal(bad, recipe.made(again)[0])


def test_a_face_that_was_chosen_to_be_grey_is_grey_before_and_after(recipe: Recipe) -> None:
    recipe.small_ones, recipe.grey = 0, 0.5
    batch, _ = recipe.drawn(np.random.default_rng(0))
    assert 0 < batch["grey"].sum() < 6
    bad, clean = recipe.made(batch)
    coloured = [(faces.amax(1) - faces.amin(1)).mean((1, 2)) for faces in (bad, clean)]
    assert coloured[1][batch["grey"]].max() == 0 and coloured[1][~batch["grey"]].min() > 0.02
    assert coloured[0][~batch["grey"]].min() > 0.02


def test_only_people_of_the_training_split_are_small_faces(shared: Path, tmp_path: Path) -> None:
    made = object.__new__(Recipe)
    made.root, made.cache = tmp_path / "root", tmp_path
    made.root.mkdir()
    (made.root / "faces").symlink_to(shared)
    for faces, training in made.small_faces:
        assert set(training) == {n for n, name in enumerate(faces.identity) if not held_out(str(name))}


def test_small_faces_count_small_and_the_last_ones_for_who_they_are(recipe: Recipe) -> None:
    clean = torch.rand(6, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    none, terms = recipe.compared(clean, clean)
    assert none.item() == pytest.approx(0, abs=1e-5) and terms["apart"] == pytest.approx(0, abs=1e-5)
    fine = torch.zeros(6, 3, 256, 256)
    fine[..., ::2] += 0.5
    fine[..., 1::2] -= 0.5
    assert recipe.compared(clean + fine * torch.eye(6)[5][:, None, None, None], clean)[0].item() < 1e-3
    large = recipe.compared(clean + fine * torch.eye(6)[0][:, None, None, None], clean)[1]["off"]
    assert large > 0.1, "a large face has to have the detail"
    other = clean.clone()
    other[1] = clean[0]
    assert recipe.compared(other, clean)[1]["apart"] == pytest.approx(0, abs=1e-5)
    other = clean.clone()
    other[2] = clean[0]
    assert recipe.compared(other, clean)[1]["apart"] > 0.1


def test_a_decibel_counts_alike_on_faces_that_are_hard_and_easy(recipe: Recipe) -> None:
    clean = torch.zeros(1, 3, 32, 32)
    right, easy, hard, harder = (float(recipe.apart(clean + off, clean)) for off in (0.0, 0.1, 0.2, 0.4))
    assert right == 0 and easy > 0
    assert hard - easy == pytest.approx(harder - hard, rel=0.01), "the error is doubled either time"
