"""Faces varied for training: they stay faces in their place, and are not what was photographed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from facestudio.faces.face import FFHQ_256
from facestudio.training.recipes.estimator import Recipe
from facestudio.training.variation import FACE, bent, joined, overlaid, recoloured, tinted


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dotted(count: int) -> Tensor:
    """(count, 3, 256, 256), dark, with a bright dot of 9 px at each of the five points of the frame."""
    pixels = torch.full((count, 3, 256, 256), 40.0)
    for x, y in np.rint(FFHQ_256.points).astype(int):
        pixels[..., y - 4 : y + 5, x - 4 : x + 5] = 220
    return pixels


def textures(count: int, seed: int) -> Tensor:
    return (120 + 20 * torch.randn((count, 1, 256, 256), generator=seeded(seed))).clamp(0, 255).expand(-1, 3, -1, -1)


def test_a_bent_face_has_its_features_near_where_they_were_and_not_there() -> None:
    made = bent(dotted(30), seeded())
    assert made.shape == (30, 3, 256, 256) and torch.equal(made, made.round())
    assert made.min() >= 0 and made.max() <= 255
    moves = []
    for face in made[:, 0].numpy():
        for x, y in FFHQ_256.points:
            rows, columns = np.nonzero(face[round(y) - 32 : round(y) + 33, round(x) - 32 : round(x) + 33] > 130)
            assert len(rows) > 20, "the dot went out of its neighbourhood"
            moves.append(np.hypot(rows.mean() - 32, columns.mean() - 32))
    assert 2 < np.mean(moves) < 14 and np.max(moves) < 32
    assert torch.equal(made, bent(dotted(30), seeded()))


def test_only_those_are_bent_that_are_meant() -> None:
    faces = textures(2, 1)
    which = torch.tensor([True, False])
    made = bent(faces, seeded(), which)
    assert torch.equal(made[1], faces[1]) and not torch.equal(made[0], faces[0])


def test_tinting_keeps_the_order_of_levels_and_changes_their_mean() -> None:
    ramp = torch.arange(256.0).expand(40, 3, 4, 256)
    made = tinted(ramp, seeded())
    assert (made.diff(dim=-1) >= 0).all()
    means = made.mean((1, 2, 3))
    assert means.std() > 5 and means.min() > 60 and means.max() < 190


def test_colours_are_those_of_the_other_face_before_they_meet() -> None:
    model = textures(2, 1) * torch.tensor([1.0, 0.7, 0.4])[:, None, None]
    moved = recoloured(60 + textures(2, 2) / 2, model)
    rows, columns = (slice(round(part.start * 256), round(part.stop * 256)) for part in FACE)
    for one in (torch.mean, torch.std):
        assert torch.allclose(*(one(faces[..., rows, columns], (2, 3)) for faces in (moved, model)), rtol=0.02)


def test_a_joined_face_is_the_one_here_and_the_other_there() -> None:
    first, second = textures(20, 1), textures(20, 2)
    made = joined(first, second, seeded())
    of_first = ((made - first).abs().amax(1) < 1).float().mean((1, 2))
    assert 0.1 < of_first.min() and of_first.max() < 0.9
    for face, *both in zip(made, first, second, strict=True):
        inside = face[0, 96:200, 80:176].flatten()
        for one in both:
            alike = np.corrcoef(inside, one[0, 96:200, 80:176].flatten())[0, 1]
            assert alike > 0.03, "both are in the face itself"


def test_an_overlaid_face_is_both_everywhere() -> None:
    first, second = textures(20, 1), textures(20, 2)
    for face, *both in zip(overlaid(first, second, seeded()), first, second, strict=True):
        for half in (slice(0, 128), slice(128, 256)):
            assert min(np.corrcoef(face[0, half].flatten(), one[0, half].flatten())[0, 1] for one in both) > 0.3


@pytest.mark.parametrize("seed", range(3))
def test_the_recipe_leaves_some_faces_alone(seed: int) -> None:
    faces = dotted(60) + torch.arange(60.0)[:, None, None, None]
    made = Recipe.another(faces, faces.flip(0), seeded(seed))
    same = (made == faces).flatten(1).all(1).float().mean()
    assert 0.1 < same < 0.45
