"""DifFace in the latents of 256 px faces: our own prior, autoencoder and estimator, tiny here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from facestudio.checkpoints import Checkpoint, checkpoint
from facestudio.diffusion.difface import refine
from facestudio.diffusion.latents import denoiser, schedule
from facestudio.diffusion.sampling import Conditions, predictor
from facestudio.errors import CheckpointMismatch
from facestudio.faces.face import FFHQ_256, FFHQ_512, AlignedFace, Identity
from facestudio.methods.base import Guided, Restorer, method_class, method_name, method_title
from facestudio.methods.crops import held
from facestudio.methods.difface import LatentDifFace, LatentOptions
from facestudio.methods.quick import Options as QuickOptions
from facestudio.methods.quick import Quick
from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.networks.estimator import EstimatorUNet
from facestudio.networks.prior import FacePrior
from facestudio.progress import Cancelled, Progress
from tests.fakes import picture
from tests.unit.test_prior import TINY

EMBEDDER = "starter-embedder-a"


@pytest.fixture(scope="module")
def method() -> LatentDifFace:
    torch.manual_seed(0)
    prior = FacePrior(**TINY)
    for silent in (prior.unet.conv_out.weight, prior.nobody):
        torch.nn.init.normal_(silent, std=0.05)
    prior.loud.copy_(torch.linspace(0.5, 1.5, 4))
    autoencoder = FaceAutoencoder(widths=(8, 8, 8), latent=4, groups=4)
    squares = torch.nn.functional.pixel_unshuffle(face_tensor(), 16).permute(0, 2, 3, 1).flatten(0, 2)
    autoencoder.code(squares)
    estimator = EstimatorUNet(widths=(8, 16), blocks=1)
    torch.nn.init.normal_(estimator.tail.weight, std=0.02)
    return LatentDifFace(checkpoint("starter-difface"), prior.eval(), autoencoder.eval(), estimator.eval())


def crop(seed: int = 0) -> AlignedFace:
    return AlignedFace(picture(256, 256, seed=seed), np.array([[1.0, 0.0, 3.0], [0.0, 1.0, -2.0]]), FFHQ_256)


def face_tensor() -> Tensor:
    return torch.from_numpy(crop().pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def somebody(seed: int = 0, embedder: str = EMBEDDER) -> Identity:
    return Identity(np.random.default_rng(seed).standard_normal(16).astype(np.float32), embedder)


def distance(a: AlignedFace, b: AlignedFace) -> float:
    return float(np.abs(a.pixels.astype(int) - b.pixels.astype(int)).mean())


def test_what_ships_is_the_method_difface_of_three_other_checkpoints() -> None:
    entry = checkpoint("starter-difface")
    assert method_title(method_name(entry)) == "DifFace" and method_title("quick") == "Quick"
    assert method_name(entry) == "difface" and method_class(entry) is LatentDifFace
    assert entry.here and not entry.published and entry.goal == "keep"
    assert entry.conditioned_on == (EMBEDDER,), "its estimator listens to it"
    assert {role: checkpoint(id).architecture for role, id in entry.uses.items()} == {
        "prior": "prior:FacePrior",
        "autoencoder": "autoencoder:FaceAutoencoder",
        "estimator": "estimator:EstimatorUNet",
    }


def test_it_needs_to_be_told_of_all_three() -> None:
    entry = checkpoint("starter-difface")
    uses = {role: id for role, id in entry.uses.items() if role != "estimator"}
    with pytest.raises(CheckpointMismatch, match="which estimator"):
        LatentDifFace.load(replace(entry, uses=uses), "cpu")


@pytest.mark.parametrize("sampler", ["dpm", "ddim"])
def test_the_same_seed_and_crop_give_the_same_face(method: LatentDifFace, sampler: str) -> None:
    assert isinstance(method, Restorer) and method.template == FFHQ_256
    options, face = LatentOptions(steps=3, sampler=sampler), crop()
    made = method(face, options, Progress(), 7)
    assert made.pixels.shape == (256, 256, 3) and np.array_equal(made.matrix, face.matrix)
    assert distance(made, method(face, options, Progress(), 7)) == 0
    assert distance(made, method(face, options, Progress(), 8)) > 0.2
    assert distance(made, method(face, replace(options, realism=0.8), Progress(), 7)) > 0.1


def test_without_realism_it_is_quick(method: LatentDifFace) -> None:
    quick = Quick(Checkpoint("tiny"), method._estimator)
    face = crop()
    assert (
        distance(
            method(face, LatentOptions(realism=0.0), Progress(), 7), quick(face, QuickOptions(grain=0.0), Progress(), 0)
        )
        == 0
    )


@pytest.mark.parametrize("sampler", ["dpm", "ddim"])
def test_the_noise_that_the_priors_v_means_leads_back_to_the_answer(method: LatentDifFace, sampler: str) -> None:
    """A prior that knows the answer tells the v that points to it; whoever turns v into noise wrongly ends elsewhere."""

    class Knowing:
        alphas_cumprod, dimensions = method._prior.alphas_cumprod, 16
        answer = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(5))

        def conditioning(self, identity: Tensor, known: Tensor) -> Tensor:
            return identity

        def __call__(self, noisy: Tensor, time: Tensor, conditioning: Tensor, sketch: Tensor | None = None) -> Tensor:
            alpha = self.alphas_cumprod[time][:, None, None, None]
            return (alpha.sqrt() * noisy - self.answer) / (1 - alpha).sqrt()

    knowing: Any = Knowing()
    sampling = LatentOptions(realism=0.6, steps=6, sampler=sampler, eta=0.0).sampling()
    noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(6))
    denoise = denoiser(knowing, predictor(knowing, Conditions(), 1))
    found = refine(denoise, torch.zeros(1, 4, 16, 16), sampling, lambda: noise, schedule(knowing), None)
    assert torch.allclose(found, knowing.answer, atol=0.02)


def test_a_reference_says_who_it_is_and_its_embedder_no_longer_judges(method: LatentDifFace) -> None:
    assert isinstance(method, Guided) and method.embedder == EMBEDDER
    face, options = crop(), LatentOptions(steps=3, realism=0.8)
    nobody = method(face, options, Progress(), 7)
    told = method.guided(somebody())
    assert told.checkpoint.conditioned_on == (EMBEDDER,)
    assert distance(told(face, options, Progress(), 7), nobody) > 0.02
    stricter = told(face, replace(options, guidance=6.0), Progress(), 7)
    assert distance(stricter, nobody) > distance(told(face, replace(options, guidance=1.0), Progress(), 7), nobody)
    assert distance(method(face, replace(options, guidance=6.0), Progress(), 7), nobody) == 0
    with pytest.raises(ValueError, match="understands"):
        method.guided(somebody(embedder="another"))


def test_large_areas_keep_the_colours_of_the_guess() -> None:
    guess = face_tensor() * 0.5
    fine = 0.2 * torch.randn(guess.shape, generator=torch.Generator().manual_seed(1))
    kept = held((guess + 0.3 + fine).clamp(-1, 1), guess, 16)
    assert abs(float((kept - guess).mean())) < 0.02
    assert float((kept - guess).std()) > 0.15, "what is fine stays"


def test_the_less_is_held_the_more_of_the_guess_is_left(method: LatentDifFace) -> None:
    face = crop()
    guess, *found = (
        method(face, LatentOptions(steps=3, realism=realism, hold=hold), Progress(), 7)
        for realism, hold in ((0.0, 4), (0.8, 2), (0.8, 4), (0.8, 32))
    )
    near = [distance(guess, one) for one in found]
    assert near[0] < near[1] < near[2]


def test_what_every_step_leads_to_may_be_changed(method: LatentDifFace) -> None:
    prior, x, time = method._prior, torch.randn(1, 4, 16, 16), torch.tensor([500])
    share = prior.alphas_cumprod[time][:, None, None, None]

    def clean(noise: Tensor) -> Tensor:
        return (x - (1 - share).sqrt() * noise) / share.sqrt()

    with torch.inference_mode():
        predict = predictor(prior, Conditions(), 1)
        free, led = denoiser(prior, predict)(x, time), denoiser(prior, predict, lambda guess: guess + 2)(x, time)
    assert torch.allclose(clean(led), clean(free) + 2, atol=1e-4)


def test_every_step_holds_what_is_coarse(method: LatentDifFace) -> None:
    guess = face_tensor() * 0.5
    x, time = torch.full((1, 4, 16, 16), 3.0), torch.tensor([500])  # what the prior makes of it is far from the guess
    share = method._prior.alphas_cumprod[time][:, None, None, None]
    with torch.inference_mode():
        off = []
        for hold in (64.0, 8.0):
            noise = method._denoiser(guess, LatentOptions(hold=hold))(x, time)
            shown = method._faces((x - (1 - share).sqrt() * noise) / share.sqrt())
            off.append(float(torch.nn.functional.avg_pool2d(shown - guess, 32).abs().mean()))
    assert off[1] < 0.7 * off[0]


def test_it_stops_between_two_steps_and_shows_faces_on_the_way(method: LatentDifFace) -> None:
    shown: list[np.ndarray] = []
    calls: list[int] = []
    progress = Progress(lambda update: shown.append(update.preview) if update.preview is not None else None, every=0)

    def called(*_: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            progress.cancel()

    hook = method._prior.register_forward_hook(called)
    try:
        with pytest.raises(Cancelled):
            method(crop(), LatentOptions(steps=6), progress, 7)
    finally:
        hook.remove()
    assert len(calls) == 2
    assert shown and all(one.shape == (256, 256, 3) and one.dtype == np.uint8 for one in shown)


def test_a_crop_of_another_size_is_refused(method: LatentDifFace) -> None:
    other = AlignedFace(picture(512, 512), np.eye(2, 3), FFHQ_512)
    with pytest.raises(ValueError, match="works on"):
        method(other, LatentOptions(), Progress(), 0)
