"""The edges of a decoder's squares: gone where they are, and nothing else is touched."""

from __future__ import annotations

import pytest
import torch

from facestudio import checkpoints
from facestudio.faces.loading import load_network
from facestudio.networks.deblocking import REACH, SHARE, deblocked

SIDE = 16


def squares(levels: torch.Tensor) -> torch.Tensor:
    """A picture (1, 1, 64, 64) of flat squares."""
    return levels.repeat_interleave(SIDE, 0).repeat_interleave(SIDE, 1)[None, None]


def steps(pictures: torch.Tensor) -> tuple[float, float]:
    """The mean difference of neighbouring pixels: across the edges of squares, and elsewhere."""
    across = (pictures[..., 1:] - pictures[..., :-1]).abs()
    edge = torch.arange(across.shape[-1]) % SIDE == SIDE - 1
    return float(across[..., edge].mean()), float(across[..., ~edge].mean())


def test_a_grid_of_squares_goes() -> None:
    picture = squares(torch.tensor([[0.0, 0.2, 0.1, 0.3]] * 4))
    made = deblocked(picture, SIDE)
    assert steps(made)[0] < 0.4 * steps(picture)[0]
    turned = deblocked(picture.transpose(2, 3), SIDE)
    assert torch.allclose(turned.transpose(2, 3), made, atol=1e-6)
    far = [x for x in range(64) if REACH <= x % SIDE < SIDE - REACH]
    assert torch.equal(made[..., far], picture[..., far])
    assert made.mean() == pytest.approx(float(picture.mean()), abs=1e-6)


def test_slopes_flat_pictures_and_single_noisy_pixels_stay() -> None:
    x = torch.linspace(-1, 1, 64)
    for picture in (x.expand(64, 64)[None, None], (x[:, None] + 0.5 * x).expand(64, 64)[None, None]):
        assert torch.allclose(deblocked(picture.contiguous(), SIDE), picture, atol=1e-5)
    spot = torch.zeros(1, 1, 64, 64)
    spot[..., 24, 16] = 1.0  # beside an edge: averaged along it, little is taken for a step
    assert deblocked(spot, SIDE)[..., 24, 16] > 1 - SHARE / 2


def test_small_pictures_and_squares_are_no_trouble_and_gradients_pass() -> None:
    alone = torch.rand(1, 3, SIDE, SIDE)
    assert torch.equal(deblocked(alone, SIDE), alone)
    assert torch.equal(deblocked(alone, 4), alone)
    picture = torch.rand(1, 3, 32, 48, requires_grad=True)
    kept = picture.detach().clone()
    deblocked(picture, SIDE).sum().backward()
    assert picture.grad is not None and picture.grad.isfinite().all() and torch.equal(picture.detach(), kept)


def test_what_the_autoencoder_shows_has_no_grid() -> None:
    autoencoder = load_network(checkpoints.checkpoint("starter-autoencoder"), "cpu")
    torch.manual_seed(0)
    with torch.inference_mode():
        latents = torch.randn(2, 16, 16, 16)
        shown = autoencoder.pixels(latents)
        bare = autoencoder.decode(latents * autoencoder.spread[:, None, None] + autoencoder.mean[:, None, None])
    assert autoencoder.side == SIDE
    (edge, within), (edge_bare, within_bare) = steps(shown), steps(bare)
    assert edge / within < 0.7 * edge_bare / within_bare
