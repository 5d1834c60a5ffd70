"""Nearing: a guess is led towards whom an oracle knows, by small steps, each face by itself."""

from __future__ import annotations

import pytest
import torch

from facestudio.diffusion.nearing import Pull, nearer
from facestudio.diffusion.sampling import clean, leading
from facestudio.progress import Cancelled, Progress
from tests.unit.test_guiding import chance, cosine, eye, latents, oracle, shown  # noqa: F401  # eye is a fixture


def test_a_step_is_of_its_length_and_leads_nearer(eye) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    other = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    known = oracle(eye, 1.0, other)
    now = latents()
    before = cosine(known, now)
    for _ in range(20):
        moved = nearer(now, shown, [known], 0.05, [chance()])
        assert (moved - now).square().mean().sqrt().item() == pytest.approx(0.05, rel=1e-3)
        now = moved
    assert cosine(known, now) > before + 0.2
    assert not now.requires_grad and not now.is_inference()


def test_each_face_is_led_by_itself_and_who_has_no_oracle_stays(eye) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    other = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    known = oracle(eye, 1.0, other)
    with torch.inference_mode():
        three = torch.cat([latents(), other + 0.3, latents()])
        moved = nearer(three, shown, [known, None, known], 0.05, [chance(1), chance(2), chance(3)])
        assert torch.equal(moved[1], three[1])
        alone = nearer(three[:1], shown, [known], 0.05, [chance(1)])
        assert torch.equal(moved[:1], alone), "whatever else is drawn with it"
        assert not torch.equal(moved[2], moved[0]), "frames are moved by chance"


def test_it_stops_between_two_faces(eye) -> None:  # type: ignore[no-untyped-def]  # noqa: F811
    progress, looks = Progress(), []

    def once(x: torch.Tensor) -> torch.Tensor:
        looks.append(1)
        progress.cancel()
        return shown(x)

    known = oracle(eye, 1.0)
    with pytest.raises(Cancelled):
        nearer(torch.cat([latents()] * 3), once, [known] * 3, 0.05, [chance()] * 3, progress)
    assert len(looks) == 1


@pytest.mark.parametrize(("steps", "expected"), [(3, [3, 5, 7]), (10, [3, 4, 5, 6, 7]), (1, [3])])
def test_levels_within_the_bounds_are_chosen_evenly(steps: int, expected: list[int]) -> None:
    shares = [0.0, 0.1, 0.29, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0]
    assert Pull(steps=steps, until=0.99).among(shares) == expected


@pytest.mark.parametrize("kind", ["v_prediction", "epsilon"])
def test_what_is_wanted_becomes_the_guess_that_means_it(kind: str) -> None:
    random = torch.Generator().manual_seed(0)
    noisy, wanted = torch.randn(2, 4, 8, 8, generator=random), torch.randn(2, 4, 8, 8, generator=random)
    guess = leading(noisy, wanted, 0.7, kind)
    assert torch.allclose(clean(noisy, guess, 0.7, kind), wanted, atol=1e-5)
