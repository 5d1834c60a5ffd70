"""Faces made of two: what they look like, and that they are made once, of training faces, for one teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facestudio.training import mixtures as module
from facestudio.training.distilling import Distilled
from facestudio.training.loop import Settings
from facestudio.training.losses import NOBODY
from facestudio.training.mixtures import mix, mixtures


def flat(*colour: int, spread: float = 0) -> np.ndarray:
    """A crop of one colour, with noise of a deviation."""
    noise = np.random.default_rng(sum(colour)).normal(0, spread, (112, 112, 3))
    return np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)


class Asked:
    """Answers with the mean colour of the crop, so that answers can be told apart."""

    def __init__(self, name: str, root: Path, probe: np.ndarray) -> None:
        self.name = name

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        level = images.mean((1, 2, 3))
        embedding = np.zeros((len(images), 128), np.float32)
        embedding[:, 0], embedding[:, 1] = np.cos(level), np.sin(level)
        maps = [np.full((len(images), 128, side, side), 3, np.int8) for side in (14, 7)]
        return embedding, maps[0], maps[1]


def test_a_mixture_has_something_of_both() -> None:
    rows, columns = np.mgrid[:112, :112]
    stripes = [np.repeat(np.where(where // 2 % 2, 40.0, -40.0)[..., None], 3, 2) for where in (rows, columns)]
    first, second = ((128 + pattern).astype(np.uint8)[None].repeat(40, 0) for pattern in stripes)
    made = mix(first, second, torch.Generator().manual_seed(0))
    assert made.shape == (40, 112, 112, 3) and made.dtype == np.uint8
    for one in made.astype(float) - 128:
        inside = one[35:94, 31:81]
        shares = [(inside * pattern[35:94, 31:81]).mean() / 1600 for pattern in stripes]
        assert min(shares) > 0.02 and sum(shares) == pytest.approx(1, abs=0.06)
    even = [np.ptp(one[40:90, 40:72].std((1, 2))) < 3 for one in made]
    assert 0.2 < np.mean(even) < 0.8, "half have both everywhere"
    assert np.array_equal(made, mix(first, second, torch.Generator().manual_seed(0)))


def test_mixtures_are_of_training_faces_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Teacher", Asked)
    crops = np.stack([flat(20 * n, 20 * n, 20 * n, spread=8) for n in range(8)])
    crops[4:] = [255, 0, 0]  # held out, and to be told by its colour
    made = mixtures(tmp_path, tmp_path, "ms1m", crops, np.arange(4), 40, seed=5)
    assert made.crops.shape == (40, 112, 112, 3) and made.middle.shape == (40, 128, 14, 14)
    assert made.late.shape == (40, 128, 7, 7)
    assert np.ptp(made.crops.mean((1, 2)), axis=1).max() < 8  # all grey
    level = made.crops.mean((1, 2, 3))
    assert np.allclose(made.embedding[:, 0], np.cos(level), atol=1e-4)  # each with the answer to itself
    assert len(np.unique(made.crops.reshape(40, -1), axis=0)) == 40

    monkeypatch.setattr(module, "Teacher", None)
    again = mixtures(tmp_path, tmp_path, "ms1m", crops, np.arange(4), 40, seed=5)
    assert np.array_equal(again.crops, made.crops)
    with pytest.raises(TypeError):  # others have to be made first
        mixtures(tmp_path, tmp_path, "ms1m", crops, np.arange(4), 40, seed=6)


def test_half_of_a_batch_are_mixtures_that_are_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Teacher", Asked)
    recipe = Distilled.__new__(Distilled)
    random = np.random.default_rng(0)
    recipe.crops = random.integers(0, 256, (6, 112, 112, 3), np.uint8)
    recipe.labels, recipe.people = np.arange(6), np.arange(6)
    recipe.training, recipe.isometry = np.arange(6), torch.eye(128)
    recipe.root = recipe.cache = tmp_path
    recipe.teachers, recipe.channels = ("ms1m",), slice(0, 128)
    recipe.mixed_share, recipe.mixed_count = 0.5, 16
    recipe.degraded_share = recipe.moved_share = 0.0
    recipe.settings = Settings(batch=8)
    recipe.faces = type(
        "Answers",
        (),
        {
            "ms1m": np.tile(np.eye(128, dtype=np.float32)[2], (12, 1)),
            "middle": np.zeros((12, 128, 14, 14), np.int8),
            "late": np.zeros((12, 128, 7, 7), np.int8),
        },
    )()
    batch = recipe.batch(random)
    nobody = batch["label"] == NOBODY
    assert nobody.tolist() == [False] * 4 + [True] * 4
    assert (batch["middle"][nobody] == 3).all() and (batch["middle"][~nobody] == 0).all()
    assert (batch["target"][~nobody][:, 2] == 1).all() and (batch["target"][nobody][:, 2] == 0).all()
    assert len(set(batch["person"].tolist())) == 8  # a mixture is a person of its own
    assert batch["weight"].tolist() == [1.0] * 8 and batch["crops"].shape == (8, 3, 112, 112)
