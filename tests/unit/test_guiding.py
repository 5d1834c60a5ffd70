"""Guiding: a clean guess is pushed away from whom oracles know, no farther than need be, and only where it is drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facestudio.diffusion.difface import Sampling, Schedule, linear, noises, refine
from facestudio.diffusion.guiding import Oracle, Push, framed, guided, hinge, pushed, pushed_at, shaken
from facestudio.faces.align import align, similarity_transform
from facestudio.faces.face import ARCFACE_112, FFHQ_256
from facestudio.progress import Cancelled, Progress
from tests.fakes import picture

SIDE = 32
WHOLE = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
PUSH = Push(rate=0.05, steps=8, frames=3)


class Eye(nn.Module):
    """Looks at a picture and counts how often."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 8, 5, 4), nn.Tanh(), nn.Flatten(), nn.LazyLinear(16))
        self.looks = 0

    def forward(self, x: Tensor) -> Tensor:
        self.looks += 1
        found: Tensor = self.net(x)
        return found


def shown(latents: Tensor) -> Tensor:
    """A picture of latents, four pixels a place."""
    return torch.tanh(nn.functional.interpolate(latents, scale_factor=4.0, mode="bilinear"))


@pytest.fixture
def eye() -> Eye:
    torch.manual_seed(0)
    made = Eye()
    made(torch.zeros(1, 3, SIDE, SIDE))
    made.looks = 0
    return made


def latents() -> Tensor:
    return torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def half() -> Tensor:
    """Drawn is the right half."""
    return torch.cat([torch.zeros(1, 1, 8, 4), torch.ones(1, 1, 8, 4)], 3)


def oracle(eye: Eye, below: float, of: Tensor | None = None) -> Oracle:
    """One that knows who is shown by `of`, the latents by default."""
    with torch.no_grad():
        picture = shown(latents() if of is None else of)
        known = eye(picture)[0] + eye(picture.flip(-1))[0]
    eye.looks = 0
    return Oracle(eye, WHOLE, SIDE, known, below)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cosine(one: Oracle, of: Tensor) -> float:
    with torch.no_grad():
        return float(one.cosines(shown(of), one.frame[None]))


# ---- what an oracle sees


def test_a_frame_shows_what_the_crop_of_verifying_shows() -> None:
    pixels = picture(256, 256, seed=3)
    frame = similarity_transform(ARCFACE_112.points, FFHQ_256.points).astype(np.float32)
    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
    found = framed(tensor, torch.from_numpy(frame)[None], 112)[0].permute(1, 2, 0).numpy()
    wanted = align(pixels, FFHQ_256.points, ARCFACE_112).pixels.astype(np.float32)
    moved = torch.from_numpy(frame)[None] + torch.tensor([[0.0, 0.0, 0.9], [0.0, 0.0, 0.0]])
    aside = framed(tensor, moved, 112)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - wanted).mean() < 2.5 < np.abs(aside - wanted).mean()
    assert torch.allclose(framed(shown(latents()), WHOLE[None], SIDE), shown(latents()), atol=0.25)


def test_other_frames_lie_close_beside_the_straight_one_and_are_of_their_seed() -> None:
    frames = shaken(WHOLE, SIDE, 50, chance())
    assert torch.equal(frames[0], WHOLE) and torch.equal(frames, shaken(WHOLE, SIDE, 50, chance()))
    corners = torch.tensor([[0.0, 0.0], [SIDE - 1, 0], [0, SIDE - 1], [SIDE - 1, SIDE - 1]])
    moved = corners @ frames[:, :, :2].transpose(1, 2) + frames[:, None, :, 2] - corners
    assert 0.2 < float(moved[1:].norm(dim=2).amax(1).min()) and float(moved.norm(dim=2).max()) < 0.15 * SIDE


class OnApple(Tensor):
    """A tensor that says it were on Apple graphics, where `grid_sample` has no gradient in older versions of torch."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.grid_sample:
            raise NotImplementedError("aten::grid_sampler_2d_backward is not implemented for the MPS device")
        if getattr(func, "__self__", None) is Tensor.device:
            return torch.device("mps")
        if func is Tensor.cpu:
            return args[0].as_subclass(Tensor)
        return super().__torch_function__(func, types, args, kwargs)


def test_frames_have_gradients_on_apple_graphics(monkeypatch: pytest.MonkeyPatch) -> None:
    to = Tensor.to

    def moved(tensor: Tensor, *where: Any, **more: Any) -> Tensor:
        return tensor.as_subclass(OnApple) if where == (torch.device("mps"),) else to(tensor, *where, **more)

    monkeypatch.setattr(Tensor, "to", moved)
    frames, slopes, crops = shaken(WHOLE, SIDE, 3, chance()), [], []
    for kind in (Tensor, OnApple):
        picture = torch.rand(1, 3, SIDE, SIDE, generator=chance(5)).requires_grad_(True)
        crops.append(framed(picture.as_subclass(kind), frames.as_subclass(kind), 16))
        assert type(crops[-1]) is kind, "it goes on where it was"
        slopes.append(torch.autograd.grad(crops[-1].as_subclass(Tensor).square().sum(), picture)[0])
    assert torch.equal(crops[0], crops[1].as_subclass(Tensor)) and torch.equal(*slopes) and slopes[0].any()


# ---- one clean guess


def test_it_is_pushed_until_nobody_knows_it_and_no_farther(eye: Eye) -> None:
    one = oracle(eye, 0.6)
    made = pushed(latents(), shown, [one], half(), replace(PUSH, steps=60), chance())
    assert made is not None and cosine(one, latents()) == pytest.approx(1, abs=1e-2)
    assert 0.55 < cosine(one, made) < 0.61, "it stops at the threshold, however long a step may be"
    few = pushed(latents(), shown, [one], half(), replace(PUSH, steps=3), chance())
    assert few is not None and cosine(one, made) < cosine(one, few) < 0.99
    assert not made.requires_grad and all(value.grad is None for value in eye.parameters())


def test_nothing_is_computed_for_a_face_that_nobody_knows(eye: Eye, monkeypatch: pytest.MonkeyPatch) -> None:
    one = oracle(eye, 1.01)
    monkeypatch.setattr(torch.autograd, "grad", None)
    assert pushed(latents(), shown, [one], half(), PUSH, chance()) is None
    assert eye.looks == 1


def test_every_oracle_must_be_content(eye: Eye) -> None:
    content, other = oracle(eye, 1.01), oracle(eye, 0.6)
    together = pushed(latents(), shown, [content, other], half(), PUSH, chance())
    alone = pushed(latents(), shown, [other], half(), PUSH, chance())
    assert together is not None and alone is not None and cosine(other, together) < 0.95
    with torch.no_grad():
        both = float(hinge(shown(latents()), [oracle(eye, 0.6), oracle(eye, 0.5)], 1, chance()))
    assert both == pytest.approx(0.4 + 0.5, abs=1e-3)


def test_a_step_has_its_length_and_moves_only_what_is_drawn(eye: Eye) -> None:
    one = oracle(eye, -1.0)
    made = pushed(latents(), shown, [one], half(), replace(PUSH, steps=1), chance())
    assert made is not None
    off = made - latents()
    assert not off[..., :4].any() and float(off[..., 4:].square().mean().sqrt()) == pytest.approx(0.05, rel=1e-3)


def test_it_stops_between_two_gradient_steps(eye: Eye) -> None:
    progress, one = Progress(), oracle(eye, -1.0)
    hook = eye.register_forward_hook(lambda *_: progress.cancel() if eye.looks == 3 else None)
    with pytest.raises(Cancelled):
        pushed(latents(), shown, [one], half(), PUSH, chance(), progress)
    hook.remove()
    assert eye.looks == 3


# ---- all steps


def drawing(eye: Eye, below: float, push: Push = PUSH, seed: int = 0, steps: int = 6) -> Tensor:
    """What comes of a denoiser that knows only one picture, whose person the oracle knows."""
    target, schedule, sampling = latents(), linear(), Sampling(600, steps, "dpm")
    one = oracle(eye, below)

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        share = float(schedule.alphas_cumprod[int(time)])
        clean = (
            share * x + (1 - share) * target
        )  # what little noise is left is taken for signal, so a push is not undone
        return (x - share**0.5 * clean) / (1 - share) ** 0.5

    pushing = guided(denoise, schedule.kept(sampling.places(schedule)), shown, [one], half(), push, seed)
    more: dict[str, Any] = {"schedule": schedule, "clamp": None}
    return refine(pushing, target, sampling, noises([3], (3, 8, 8)), **more)


def test_what_is_drawn_is_less_like_who_it_was(eye: Eye) -> None:
    one, hard = oracle(eye, 0.0), replace(PUSH, rate=0.3)
    plain, led = drawing(eye, 1.01), drawing(eye, 0.0, hard)
    assert cosine(one, led) < cosine(one, plain) - 0.1
    assert torch.equal(led, drawing(eye, 0.0, hard)), "it is of its seed"
    assert not torch.equal(led, drawing(eye, 0.0, hard, seed=1))


def test_beyond_its_bounds_the_prior_is_alone(eye: Eye) -> None:
    one, noise = oracle(eye, 0.0), torch.randn(1, 3, 8, 8)
    pushing = guided(lambda x, time: noise, linear(), shown, [one], half(), Push(since=0.2, until=0.8), 0)
    shares = linear().alphas_cumprod
    moved = [place for place in (0, 100, 300, 400, 700, 999) if pushing(latents(), torch.tensor([place])) is not noise]
    assert moved == [place for place in (0, 100, 300, 400, 700, 999) if 0.2 <= shares[place] <= 0.8] != []


def test_where_no_level_lies_in_the_bounds_it_is_the_nearest_with_a_step_behind_it(eye: Eye) -> None:
    def found(*shares: float) -> list[int]:
        levels = Schedule(np.arange(len(shares)), np.array(shares))
        assert all(levels.alphas_cumprod[time] == share for time, share in pushed_at(levels, push).items())
        return list(pushed_at(levels, push))

    push = Push(since=0.3, until=0.999)
    assert found(0.9999, 0.9, 0.5, 0.1) == [1, 2]
    assert found(0.9, 0.01) == [0], "of those within, the last one may be"
    assert found(0.9999, 0.1, 0.01) == [1]
    assert found(0.99999, 0.9995, 0.1) == [1]
    assert found(0.9999, 0.01) == [1] and found(0.9999) == []

    one, hard = oracle(eye, 0.0), replace(PUSH, rate=0.3)
    assert cosine(one, drawing(eye, 0.0, hard, steps=2)) < cosine(one, drawing(eye, 1.01, hard, steps=2)) - 0.1
