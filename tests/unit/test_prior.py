"""The face prior: what it hears and sees, how it is trained, and what is drawn from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.diffusion.sampling import Conditions, draw, noise, predictor, scheduler
from facestudio.faces.sketch import sketch
from facestudio.networks.gaussian import GaussianGuess
from facestudio.networks.prior import FacePrior
from facestudio.progress import Cancelled, Progress
from facestudio.training.loop import Settings
from facestudio.training.recipes.prior import Recipe, min_snr, schedule

TINY: dict[str, Any] = {
    "latent": 4,
    "side": 16,
    "widths": [8, 16],
    "blocks": 1,
    "heads": 8,
    "words": 2,
    "tongue": 8,
    "dimensions": 16,
    "sketch": 64,
    "axes": 6,
    "groups": 4,
}


@pytest.fixture(scope="module")
def prior() -> FacePrior:
    """One that was trained a little: a new one adds nothing to the linear guess."""
    torch.manual_seed(0)
    network = FacePrior(**TINY)
    torch.nn.init.normal_(network.unet.conv_out.weight, std=0.05)
    return network.eval()


def people(count: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(count, 16, generator=torch.Generator().manual_seed(1)), dim=1)


def test_it_hears_who_unless_nobody_is_known(prior: FacePrior) -> None:
    with torch.inference_mode():
        known = prior.conditioning(people(3), torch.tensor([True, True, False]))
        assert known.shape == (3, 1 + 16 + 2 * 8)
        assert known[:, 0].tolist() == [1, 1, 0]
        assert not torch.allclose(known[0, 17:], known[1, 17:])
        assert torch.equal(known[2, 17:], prior.nobody.flatten())
        noisy, time = torch.randn(2, 4, 16, 16), torch.tensor([500, 500])
        told = prior(noisy, time, known[:2])
        assert told.shape == noisy.shape
        assert not torch.allclose(told, prior(noisy, time, known[[1, 0]]))
        assert torch.allclose(told, prior(noisy, time, known[:2], torch.zeros(2, 64, 16, 16)))
        assert not torch.allclose(told, prior(noisy, time, known[:2], torch.ones(2, 64, 16, 16)))


def test_the_linear_guess_is_the_mean_of_a_normal_posterior() -> None:
    """Against the textbook formula with whole covariance matrices, for anybody and for a known person."""
    random = torch.Generator().manual_seed(2)
    who = torch.nn.functional.normalize(torch.randn(400, 5, generator=random), dim=1)
    mixing, moving = torch.randn(12, 12, generator=random) / 3, torch.randn(5, 12, generator=random)
    latents = 0.3 + torch.randn(400, 12, generator=random) @ mixing + who @ moving
    guess = GaussianGuess(12, 12, 5)
    guess.fit(latents, who, ridge=0.0)
    noisy, share = torch.randn(2, 3, 2, 2, generator=random), torch.tensor([0.3, 0.8])
    found = guess(noisy, share, who[:2], torch.tensor([0.0, 1.0])).flatten(1)

    ones = torch.cat([torch.ones(400, 1), who], 1)
    fitted = ones @ torch.linalg.lstsq(ones, latents).solution
    for row, middle, off in ((0, latents.mean(0), latents - latents.mean(0)), (1, fitted[1], latents - fitted)):
        covariance, a = off.T @ off / 400, share[row]
        gain = a.sqrt() * covariance @ torch.linalg.inv(a * covariance + (1 - a) * torch.eye(12))
        expected = middle + gain @ (noisy[row].flatten() - a.sqrt() * middle)
        assert torch.allclose(found[row], expected, atol=1e-3)


def test_directions_beyond_the_axes_share_one_variance() -> None:
    latents = torch.randn(2000, 12, generator=torch.Generator().manual_seed(2)) * torch.tensor([3.0, 2, *[0.5] * 10])
    guess = GaussianGuess(12, 2, 5)
    guess.fit(latents, torch.zeros(2000, 5), ridge=1.0)
    assert guess.rest[0].item() == pytest.approx(0.25, rel=0.1)
    noisy = torch.ones(1, 12, 1, 1)
    clean = guess(noisy, torch.tensor([0.5]), torch.zeros(1, 5), torch.zeros(1)).flatten()
    sizes = torch.tensor([9.0, 4, *[0.25] * 10])
    assert torch.allclose(clean, sizes / (sizes + 1) * 2**0.5, atol=0.1)


def test_a_new_prior_is_the_linear_guess() -> None:
    network = FacePrior(**TINY).eval()
    network.linear.fit(torch.randn(50, 4 * 256), people(50), 0.01)
    noisy, time = torch.randn(2, 4, 16, 16), torch.tensor([10, 900])
    with torch.inference_mode():
        conditioning = network.conditioning(people(2), torch.tensor([True, True]))
        v = network(noisy, time, conditioning)
        share = network.alphas_cumprod[time][:, None, None, None]
        clean = share.sqrt() * noisy - (1 - share).sqrt() * v
        expected = network.linear(noisy, network.alphas_cumprod[time], people(2), torch.ones(2))
    assert torch.allclose(clean, expected, atol=1e-3)


def test_the_weights_of_v_are_those_of_min_snr() -> None:
    alphas = torch.tensor([0.99, 0.5, 0.1])
    ratio = alphas / (1 - alphas)
    expected = torch.minimum(ratio, torch.tensor(5.0)) / (ratio + 1)
    assert torch.allclose(min_snr(alphas, torch.arange(3)), expected)
    assert min_snr(alphas, torch.arange(3))[1] == pytest.approx(0.5)


def test_a_sketch_shows_where_the_features_are() -> None:
    points = np.full((68, 2), 128.0)
    points[36:42] = [[80, 100], [90, 95], [100, 95], [110, 100], [100, 105], [90, 105]]
    drawn = sketch(points)
    assert drawn.shape == (64, 64, 4) and 0 <= drawn.min() and drawn.max() <= 1
    rows, columns = np.nonzero(drawn[..., 1] > 0.3)
    left = columns < 30
    assert abs(np.mean(columns[left]) - 95 / 4) < 1.5 and abs(np.mean(rows[left]) - 100 / 4) < 1.5
    assert not drawn[:28, :28, 3].any(), "no mouth there"


@pytest.mark.parametrize("name", ["ddim", "dpm"])
def test_drawing_depends_on_each_seed_alone(prior: FacePrior, name: str) -> None:
    steps = scheduler(name, dict(schedule().config))
    assert steps.config.prediction_type == "v_prediction"

    def drawn(seeds: list[int], who: torch.Tensor | None, guidance: float = 2.0) -> torch.Tensor:
        steps.set_timesteps(4)
        return draw(prior, steps, noise(seeds, (4, 16, 16)), Conditions(who, guidance))

    who = people(2)
    both = drawn([5, 6], who)
    assert torch.equal(both, drawn([5, 6], who)), "the same twice"
    assert torch.allclose(both[1:], drawn([6], who[1:]), atol=1e-4)
    assert not torch.allclose(both, drawn([5, 6], who, 1.0), atol=1e-4), "guidance counts"
    assert not torch.allclose(both, drawn([5, 6], None), atol=1e-4)
    assert torch.isfinite(both).all()


def test_ddim_follows_v(prior: FacePrior) -> None:
    """One step from pure noise with a prior that knows the answer gives the answer."""

    class Oracle(FacePrior):
        answer = torch.full((1, 4, 16, 16), 0.7)

        def forward(self, noisy: torch.Tensor, time: torch.Tensor, *_: Any) -> torch.Tensor:
            share = schedule().alphas_cumprod[int(time[0])]  # type: ignore[attr-defined]
            error = (noisy - share.sqrt() * self.answer) / (1 - share).sqrt()
            return share.sqrt() * error - (1 - share).sqrt() * self.answer

    for name in ("ddim", "dpm"):
        steps = scheduler(name, dict(schedule().config))
        steps.set_timesteps(8)
        found = draw(Oracle(**TINY), steps, noise([3], (4, 16, 16)), Conditions())
        assert torch.allclose(found, Oracle.answer, atol=0.02)


def test_drawing_stops_when_asked(prior: FacePrior) -> None:
    steps = scheduler("ddim", dict(schedule().config))
    steps.set_timesteps(50)
    progress = Progress(lambda update: progress.cancel(), every=0)
    with pytest.raises(Cancelled):
        draw(prior, steps, noise([3], (4, 16, 16)), Conditions(), progress=progress)


def test_person_and_sketch_are_followed_as_strictly_as_asked(prior: FacePrior) -> None:
    x, time, lines = torch.randn(2, 4, 16, 16), torch.tensor([800, 300]), torch.rand(2, 64, 16, 16)
    known, nobody = torch.ones(2, dtype=torch.bool), torch.zeros(2, dtype=torch.bool)
    with torch.inference_mode():
        both = prior(x, time, prior.conditioning(people(2), known), lines)
        no_person = prior(x, time, prior.conditioning(people(2), nobody), lines)
        no_lines = prior(x, time, prior.conditioning(people(2), known))
        wanted = both + 2 * (both - no_person) + 1.5 * (both - no_lines)
        assert torch.allclose(predictor(prior, Conditions(people(2), 3.0, lines, 1.5), 2)(x, time), wanted, atol=1e-4)
        wanted = both + 1.5 * (both - no_lines)
        assert torch.allclose(predictor(prior, Conditions(people(2), 1.0, lines, 1.5), 2)(x, time), wanted, atol=1e-4)
        nowhere = no_lines + 2 * (no_lines - prior(x, time, prior.conditioning(people(2), nobody)))
        assert torch.allclose(predictor(prior, Conditions(people(2), 3.0, None, 1.5), 2)(x, time), nowhere, atol=1e-4)


@pytest.fixture
def recipe() -> Recipe:
    random = np.random.default_rng(0)
    made = object.__new__(Recipe)
    made.config, made.settings = TINY, Settings(batch=16, lr=2e-3)
    made.faces = type("Faces", (), {"identity": np.array(["a", "a", "b", "c"])})()
    made.training, made.validation = np.arange(3), np.array([3])
    made.alphas_cumprod, made.images_seen, made.root = schedule().alphas_cumprod, 0, Path()  # type: ignore[attr-defined]
    from facestudio.training.recipes.landmarks import mirrored_order

    made.order = mirrored_order()[:68]
    identities = random.standard_normal((4, 16)).astype(np.float32)
    made.__dict__["tables"] = (
        random.standard_normal((8, 4, 16, 16)).astype(np.float16),
        identities / np.linalg.norm(identities, axis=1, keepdims=True),
    )
    made.__dict__["loud"] = torch.tensor([2.0, 1, 0.5, 0.5])
    made.__dict__["landmarks"] = random.uniform(40, 216, (4, 68, 2)).astype(np.float32)
    return made


def test_the_recipe_learns(recipe: Recipe) -> None:
    torch.manual_seed(0)
    network = recipe.network().to(memory_format=torch.channels_last)
    batch = recipe.batch(np.random.default_rng(0))
    assert batch["sketch"].shape == (16, 64, 16, 16)
    assert 0 < batch["known"].float().mean() and 0 < batch["sketch"].flatten(1).any(1).float().mean() < 1
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        loss, _ = recipe.loss(network, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    figures = recipe.validate(network.eval(), torch.device("cpu"))
    assert {"error_both", "error_identity", "error_neither"} <= set(figures)


def test_held_out_people_are_never_trained_on_nor_borrowed(recipe: Recipe) -> None:
    random = np.random.default_rng(0)
    assert {recipe.another(0, random) for _ in range(30)} == {0, 1}
    assert {recipe.another(3, random) for _ in range(5)} == {3}


def test_a_mirrored_sketch_is_the_mirror_image(recipe: Recipe) -> None:
    plain = recipe.sketches(np.array([1]), np.array([False]), np.array([True]))
    flipped = recipe.sketches(np.array([1]), np.array([True]), np.array([True]))
    back = torch.nn.functional.pixel_shuffle(flipped, 4).flip(-1)
    assert torch.allclose(torch.nn.functional.pixel_shuffle(plain, 4), back, atol=0.35)
