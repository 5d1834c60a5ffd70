"""The face autoencoder, what its losses look at, and the recipe that trains it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.networks.deblocking import deblocked
from facestudio.networks.embedder import DenseFaceNet
from facestudio.training.loop import Settings
from facestudio.training.perceptual import PatchDiscriminator, Perceptual, adversarial
from facestudio.training.recipes import autoencoder as recipe_module
from facestudio.training.recipes.autoencoder import Recipe

TINY: dict[str, Any] = {"widths": [8, 8, 16], "blocks": 1, "latent": 4, "unshuffle": 4, "groups": 4}


def embedder() -> DenseFaceNet:
    torch.manual_seed(0)
    return DenseFaceNet((4, 8, 8, 8), (1, 1, 1), 16, 16, 16).eval()


def test_a_face_becomes_a_small_latent_and_a_face_again() -> None:
    torch.manual_seed(0)
    network = FaceAutoencoder(**TINY).eval()
    faces = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        latents = network.latents(faces)
        assert latents.shape == (2, 4, 4, 4)
        assert network.pixels(latents).shape == faces.shape
        assert torch.allclose(network(faces), network.decode(network.encode(faces).mode()))


def test_the_linear_path_begins_as_the_best_code_of_squares() -> None:
    torch.manual_seed(0)
    network = FaceAutoencoder(**TINY).eval()
    basis = torch.randn(4, 3 * 16 * 16) / 30
    squares = 0.2 + torch.randn(500, 4) @ basis
    network.code(squares)
    faces = torch.nn.functional.pixel_shuffle(squares[:8, :, None, None], 16)
    with torch.inference_mode():
        raw = network.encode(faces)
        assert torch.allclose(network.decode(raw.mode()), faces, atol=1e-3)
        every = network.encode(torch.nn.functional.pixel_shuffle(squares[:, :, None, None], 16))
        assert torch.allclose(every.mode().std(0), torch.ones(4, 1, 1), atol=0.02)
        assert raw.std.max() < 0.05, "little noise at the beginning"


def test_latents_are_normalised_by_what_was_measured() -> None:
    network = FaceAutoencoder(**TINY).eval()
    faces = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.inference_mode():
        raw = network.encode(faces).mode()
        network.mean.copy_(torch.tensor([1.0, 2, 3, 4]))
        network.spread.copy_(torch.tensor([1.0, 2, 1, 2]))
        latents = network.latents(faces)
        assert torch.allclose(latents[:, 1], (raw[:, 1] - 2) / 2, atol=1e-6)
        shown = deblocked(network.decode(raw), network.side).clamp(-1, 1)
        assert torch.allclose(network.pixels(latents), shown, atol=1e-5)


def test_the_perceptual_distance_sees_differences_and_leaves_the_embedder_alone() -> None:
    source = embedder()
    before = {key: value.clone() for key, value in source.state_dict().items()}
    distance = Perceptual(source).train()
    faces = torch.rand(2, 3, 64, 64) * 2 - 1
    assert distance(faces, faces).item() == pytest.approx(0, abs=1e-6)
    guess = (faces + 0.3 * torch.randn_like(faces)).requires_grad_()
    loss = distance(guess, faces)
    loss.backward()
    assert loss.item() > 0.01 and guess.grad is not None and guess.grad.abs().sum() > 0
    assert all(torch.equal(before[key], value) for key, value in source.state_dict().items())
    assert not any(parameter.requires_grad for parameter in distance.parameters())


def test_maker_and_discriminator_learn_apart() -> None:
    torch.manual_seed(0)
    discriminator = PatchDiscriminator((4, 8))
    guess = torch.rand(2, 3, 32, 32, requires_grad=True)
    truth = torch.rand(2, 3, 32, 32)
    maker, judge = adversarial(discriminator, guess, truth)
    (only,) = torch.autograd.grad(maker, guess, retain_graph=True)
    assert only.abs().sum() > 0
    assert torch.autograd.grad(maker, list(discriminator.parameters()), retain_graph=True, allow_unused=True) == (
        (None,) * len(list(discriminator.parameters()))
    )
    assert torch.autograd.grad(judge, [guess], retain_graph=True, allow_unused=True) == (None,)
    judge.backward()
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


def test_the_hinge_losses_are_those_of_the_paper() -> None:
    class Mean(nn.Module):
        def forward(self, faces: torch.Tensor) -> torch.Tensor:
            return faces.mean((1, 2, 3))

    made, real = torch.full((1, 3, 2, 2), -0.5), torch.full((1, 3, 2, 2), 0.25)
    maker, judge = adversarial(Mean(), made, real)
    assert maker.item() == pytest.approx(0.5)
    assert judge.item() == pytest.approx((1 - 0.25) + (1 - 0.5))


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    made = object.__new__(Recipe)
    made.config, made.settings = TINY, Settings(batch=2, lr=2e-3)
    made.faces = type("Faces", (), {"pixels": np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)})()
    made.training, made.images_seen, made.root = np.arange(6), 0, Path()
    made.crop, made.patches = 32, 100
    monkeypatch.setattr(recipe_module.checkpoints, "checkpoint", lambda name: name)
    monkeypatch.setattr(recipe_module, "fill_network", lambda entry: embedder())
    return made


@pytest.mark.parametrize("seen", [0, 10**9])
def test_the_recipe_learns_and_the_discriminator_comes_late(recipe: Recipe, seen: int) -> None:
    torch.manual_seed(0)
    recipe.images_seen = seen
    network = recipe.network().to(memory_format=torch.channels_last)
    batch = recipe.batch(np.random.default_rng(0))
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3)
    first: dict[str, float] = {}
    for _ in range(12):
        loss, terms = recipe.loss(network, batch)
        first = first or terms
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert terms["l1"] < first["l1"]
    assert ("judge" in terms) == (seen > 0)
    judged = [value.grad is not None for value in network.heads.parameters()]  # type: ignore[union-attr]
    assert all(judged) if seen else not any(judged)


def test_normalising_measures_the_channels(recipe: Recipe) -> None:
    network = FaceAutoencoder(**TINY).eval()
    with torch.inference_mode():
        recipe.normalise(network, torch.device("cpu"), 16)
        latents = network.latents(torch.from_numpy(recipe.faces.pixels).permute(0, 3, 1, 2).float() / 127.5 - 1)
    assert latents.mean((0, 2, 3)).abs().max() < 0.5
    assert (latents.std((0, 2, 3)) - 1).abs().max() < 0.3
