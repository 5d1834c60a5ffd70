"""DifFace: its networks at any size, its sampler where the answer is known, and the method with small networks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import save_file
from torch import Tensor

from facestudio import pipeline
from facestudio.checkpoints import Checkpoint, File, load_manifest
from facestudio.diffusion.difface import (
    Sampling,
    Schedule,
    ancestral,
    ddim,
    dissolve,
    even,
    linear,
    noises,
    refine,
    restore,
    strided,
)
from facestudio.errors import CheckpointMismatch, CheckpointMissing, OutOfMemory
from facestudio.faces.face import FFHQ_256, FFHQ_512, AlignedFace
from facestudio.methods.base import Restorer, load_method, method_class
from facestudio.methods.crops import noise_seed
from facestudio.methods.difface import DifFace, Options
from facestudio.networks.difface import Attention, DifFaceUNet
from facestudio.networks.prior import SCHEDULE
from facestudio.networks.swinir import SwinIR, from_windows, shift_mask, to_windows
from facestudio.options import validate
from facestudio.photo import Photo
from facestudio.progress import Cancelled, Progress, Update
from facestudio.subject import Subject
from tests.asking import asked
from tests.fakes import picture
from tests.unit.test_floors import modules_after

UNET: dict[str, Any] = {"multipliers": [1, 1, 1, 2], "blocks": [1, 1, 1, 2], "attention": [3], "head": 32}
SWINIR: dict[str, Any] = {"width": 12, "depths": [2, 1], "heads": 2, "features": 8, "grid": 16}


def filled(network: Any, seed: int = 0) -> Any:
    """`network` in evaluation mode with weights that keep what passes at about unit size; none is zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            wide = parameter.ndim > 1 and not name.endswith("table")
            values = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(values / parameter[0].numel() ** 0.5 if wide else 0.1 * values + name.endswith("weight"))
    return network.eval()


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """With networks as small as these, a second thread mostly waits, and for long on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def unet() -> DifFaceUNet:
    return filled(DifFaceUNet(**UNET))


@pytest.fixture(scope="module")
def swinir() -> SwinIR:
    return filled(SwinIR(**SWINIR))


def pictures(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape[0], 3, *shape[1:], generator=torch.Generator().manual_seed(seed))


# ---- networks


@torch.inference_mode()
def test_the_prior_takes_any_multiple_and_looks_at_each_picture_alone(unet: DifFaceUNet) -> None:
    x, time = pictures(2, 32, 24) * 2 - 1, torch.tensor([396, 8])
    both = unet(x, time)
    assert both.shape == (2, 6, 32, 24)
    assert torch.allclose(both[1:], unet(x[1:], time[1:]), atol=1e-4)
    assert not torch.allclose(both[1:], unet(x[1:], time[:1]), atol=1e-2), "the time counts"
    with pytest.raises(ValueError, match="multiples of 8"):
        unet(pictures(1, 16, 20), time[:1])


def test_the_prior_refuses_what_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="heads of 48"):
        DifFaceUNet(**{**UNET, "head": 48})
    with pytest.raises(ValueError, match="4 multipliers and 2"):
        DifFaceUNet(**{**UNET, "blocks": [1, 1]})


@torch.inference_mode()
def test_untrained_the_prior_tells_no_noise() -> None:
    torch.manual_seed(0)
    assert not DifFaceUNet(**UNET)(pictures(1, 16, 16), torch.tensor([5])).any()


@torch.inference_mode()
def test_attention_has_queries_keys_and_values_of_a_head_together() -> None:
    attention = filled(Attention(64, 32))
    x = pictures(1, 2, 2).repeat_interleave(22, 1)[:, :64] + torch.arange(64)[:, None, None] % 5 / 10
    qkv = attention.qkv(attention.norm(x).flatten(2))[0]
    heads = []
    for head in (0, 1):
        q, k, v = (qkv[96 * head + 32 * part :][:32] for part in range(3))
        heads.append(v @ torch.softmax(q.T @ k / 32**0.5, 1).T)
    expected = x + attention.proj_out(torch.cat(heads)[None]).view_as(x)
    assert torch.allclose(attention(x), expected, atol=1e-5)


def test_a_shifted_window_keeps_apart_what_was_not_near() -> None:
    window, shift, height, width = 8, 4, 16, 24
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    at = torch.stack([rows, columns], -1)[None].roll((-shift, -shift), (1, 2))
    windows = to_windows(at, window)
    near = ((windows[:, :, None] - windows[:, None, :]).abs() < window).all(-1)
    mask = shift_mask(height, width, window, shift)
    assert mask.shape == (6, 64, 64)
    assert torch.equal(mask == 0, near) and torch.equal(mask == -100, ~near)
    assert torch.equal(from_windows(windows, window, height, width), at)


@torch.inference_mode()
def test_the_restorer_keeps_size_and_looks_at_each_picture_alone(swinir: SwinIR) -> None:
    x = pictures(2, 64, 192)
    both = swinir(x)
    assert both.shape == x.shape
    assert torch.allclose(both[1:], swinir(x[1:]), atol=1e-5)
    odd = x[..., :60, :150]
    continued = torch.nn.functional.pad(odd, (0, 42, 0, 4), mode="reflect")
    assert torch.equal(swinir(odd), swinir(continued)[..., :60, :150])


@torch.inference_mode()
def test_stored_masks_count_for_their_own_grid_alone() -> None:
    swinir, other = filled(SwinIR(**SWINIR)), filled(SwinIR(**SWINIR))
    masks = [buffer for name, buffer in other.named_buffers() if name.endswith("attn_mask")]
    assert len(masks) == 1 and torch.equal(masks[0], shift_mask(16, 16, 8, 4))
    masks[0].zero_()
    of_the_grid, wider = pictures(1, 128, 128), pictures(1, 128, 192)
    assert not torch.allclose(swinir(of_the_grid), other(of_the_grid), atol=1e-4)
    assert torch.equal(swinir(wider), other(wider))


# ---- sampler


def oracle(schedule: Schedule, answer: Tensor | float, spread: float = 0.0) -> Any:
    """A denoiser that knows: pictures are `answer` with normal differences of deviation `spread`."""
    alphas = torch.from_numpy(schedule.alphas_cumprod)

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        alpha = alphas[time].view(-1, *(1,) * (x.ndim - 1))
        error = x - alpha.sqrt() * answer
        return ((1 - alpha).sqrt() * error / (alpha * spread**2 + 1 - alpha)).to(x.dtype)

    return denoise


def test_the_published_steps_are_the_default() -> None:
    times: list[int] = []

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        times.append(int(time[0]))
        return x

    drawn = iter(torch.randn(101, 1, 3, 4, 4, generator=torch.Generator().manual_seed(0)))
    refine(denoise, torch.zeros(1, 3, 4, 4), Sampling(), lambda: next(drawn))
    assert times == list(range(396, -1, -4)), "made at 400, denoised from 396"
    assert next(drawn, None) is None, "one noise for the start and one a step, also for the last"


def test_levels_that_are_kept() -> None:
    assert strided(250)[[0, 1, -1]].tolist() == [0, 4, 996]
    assert even(250)[[0, 1, -1]].tolist() == [0, 4, 999]
    with pytest.raises(ValueError, match="no whole stride gives 300"):
        strided(300)
    few = linear().kept(strided(100))
    assert np.allclose(np.cumprod(1 - few.betas), few.alphas_cumprod, rtol=1e-12)
    for start, steps in ((400, 10), (400, 20), (1000, 7), (3, 50), (1, 1)):
        for sampler in ("ddim", "dpm"):
            places = Sampling(start, steps, sampler).places(linear())
            assert (np.diff(places) > 0).all() and places[0] >= 0 and len(places) <= steps
            assert places[-1] == (max(start - 4, 0) if sampler == "ddim" else min(start, 999)) or steps == 1


@pytest.mark.parametrize("sampler", ["ddim", "dpm", "lcm"])
@pytest.mark.parametrize("steps", [5, 20])
def test_who_knows_the_answer_finds_it(sampler: str, steps: int) -> None:
    answer = pictures(2, 4, 4) * 2 - 1
    for start in (40, 400, 1000):
        guess = torch.zeros(2, 3, 4, 4)
        found = refine(oracle(linear(), answer), guess, Sampling(start, steps, sampler), noises([1, 2], (3, 4, 4)))
        assert torch.allclose(found, answer, atol=2e-3)


def test_a_consistency_model_is_asked_at_each_level_for_the_end_and_dissolved_with_new_noise_in_between() -> None:
    asked: list[tuple[int, Tensor]] = []
    ends = [torch.full((1, 1, 2, 2), value) for value in (0.5, -0.25)]

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        alpha = float(linear().alphas_cumprod[int(time)])
        asked.append((int(time), x))
        return (x - alpha**0.5 * ends[len(asked) - 1]) / (1 - alpha) ** 0.5

    draws = [torch.randn(1, 1, 2, 2, generator=torch.Generator().manual_seed(n)) for n in range(2)]
    left = iter(draws)
    found = refine(denoise, torch.zeros(1, 1, 2, 2), Sampling(800, 2, "lcm"), lambda: next(left))
    assert [time for time, _ in asked] == [800, 400] and torch.allclose(found, ends[1], atol=1e-5)
    assert torch.allclose(asked[1][1], dissolve(ends[0], float(linear().alphas_cumprod[400]), draws[1]), atol=1e-5)


@pytest.mark.parametrize(("steps", "most"), [(5, 0.12), (10, 0.03), (20, 0.03)])
def test_few_steps_of_dpm_end_where_the_differential_equation_does(steps: int, most: float) -> None:
    """The flow of normally spread pictures is known: distances to their mean shrink as the deviation does."""
    alpha, guess = linear().alphas_cumprod[400], torch.zeros(1, 3, 8, 8)
    for spread in (0.05, 0.1, 0.3, 1.0):
        start = dissolve(guess, alpha, noises([1], (3, 8, 8))())
        exact = start * spread / (alpha * spread**2 + 1 - alpha) ** 0.5
        sampling = Sampling(400, steps, "dpm")
        found = refine(oracle(linear(), 0.0, spread), guess, sampling, noises([1], (3, 8, 8)), clamp=None)
        assert (found - exact).abs().max() < most * exact.abs().max(), spread


def test_a_step_goes_on_with_the_networks_own_noise_after_clipping() -> None:
    schedule = Schedule(np.array([10, 20]), np.array([0.9, 0.5]))
    x, said = torch.full((1, 1, 1, 1), 2.0), 0.2
    after: list[Tensor] = []

    def denoise(seen: Tensor, time: Tensor) -> Tensor:
        after.append(seen)
        return torch.full_like(seen, said)

    ddim(denoise, x, schedule, lambda: torch.ones(1, 1, 1, 1), eta=1.0)
    sigma = (0.1 / 0.5 * (1 - 0.5 / 0.9)) ** 0.5
    assert 2 / 0.5**0.5 - said > 1, "it is clipped"
    assert after[1].item() == pytest.approx(0.9**0.5 + (0.1 - sigma**2) ** 0.5 * said + sigma, abs=1e-6)
    after.clear()
    ddim(denoise, x, schedule, lambda: torch.ones(1, 1, 1, 1), eta=1.0, clamp=None)
    clean = (2 - 0.5**0.5 * said) / 0.5**0.5
    assert after[1].item() == pytest.approx(0.9**0.5 * clean + (0.1 - sigma**2) ** 0.5 * said + sigma, abs=1e-6)


def test_ancestral_sampling_draws_with_the_variance_that_the_network_tells() -> None:
    schedule = Schedule(np.array([10, 20]), np.array([0.9, 0.5]))
    beta = 1 - 0.5 / 0.9
    posterior = beta * 0.1 / 0.5
    ends = []
    for share, variance in ((1.0, beta), (-1.0, posterior), (0.0, (beta * posterior) ** 0.5)):
        seen: list[Tensor] = []

        def predict(x: Tensor, time: Tensor, share: float = share, seen: list[Tensor] = seen) -> tuple[Tensor, Tensor]:
            seen.append(x)
            return torch.zeros_like(x), torch.full_like(x, share)

        for noise in (0.0, 1.0):
            ancestral(predict, torch.full((1, 1, 1, 1), 0.3), schedule, partial(torch.full, (1, 1, 1, 1), noise))
        assert (seen[3] - seen[1]).item() == pytest.approx(variance**0.5, rel=1e-5)
        ends.append(seen[1].item())
    assert ends == pytest.approx([ends[0]] * 3)
    mean = (beta * 0.9**0.5 * 0.3 / 0.5**0.5 + 0.1 * (1 - beta) ** 0.5 * 0.3) / 0.5
    assert ends[0] == pytest.approx(mean, rel=1e-5)


def test_nothing_is_dissolved_at_the_start_0_and_nothing_is_beyond_the_end() -> None:
    guess = pictures(1, 4, 4)
    draw = noises([1], (3, 4, 4))
    assert torch.equal(refine(oracle(linear(), 0.0), guess, Sampling(0), draw), guess)
    with pytest.raises(ValueError, match="beyond the 1000"):
        refine(oracle(linear(), 0.0), guess, Sampling(1001), draw)
    for wrong in ({"start": -1}, {"steps": 0}, {"sampler": "euler"}):
        with pytest.raises(ValueError):
            Sampling(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("sampler", ["ddim", "dpm", "lcm"])
def test_a_face_does_not_depend_on_those_beside_it(unet: DifFaceUNet, sampler: str) -> None:
    def made(guess: Tensor, seeds: list[int]) -> Tensor:
        denoise = lambda x, time: unet(x, time)[:, :3]  # noqa: E731
        return refine(denoise, guess, Sampling(400, 3, sampler), noises(seeds, (3, 16, 16)))

    guess = pictures(2, 16, 16) * 2 - 1
    both = made(guess, [5, 6])
    assert torch.equal(both, made(guess, [5, 6])), "the same twice"
    assert torch.allclose(both[1:], made(guess[1:], [6]), atol=1e-3)
    assert not torch.allclose(both[1:], made(guess[1:], [7]), atol=1e-2)


@pytest.mark.parametrize("sampler", ["ddim", "dpm", "lcm"])
def test_latents_with_another_schedule_are_carried_as_well(sampler: str) -> None:
    """As a prior that predicts v would: its schedule, its noise made of v, and no bounds."""
    trained: Any = DDIMScheduler(**SCHEDULE)
    schedule = Schedule(np.arange(1000), trained.alphas_cumprod.double().numpy())
    answer = 3 * torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        alpha = trained.alphas_cumprod[time].view(-1, 1, 1, 1)
        v = (alpha.sqrt() * x - answer) / (1 - alpha).sqrt()  # of x, when `answer` is the clean latent
        return alpha.sqrt() * v + (1 - alpha).sqrt() * x

    sampling = Sampling(600, 10, sampler)
    found = refine(denoise, torch.zeros_like(answer), sampling, noises([1], (4, 8, 8)), schedule, clamp=None)
    assert torch.allclose(found, answer, atol=0.02)
    assert found.abs().max() > 2


def test_pictures_of_another_size_come_back_in_it() -> None:
    seen: list[Tensor] = []

    def restorer(x: Tensor) -> Tensor:
        seen.append(x)
        return x * 3 - 1

    low = pictures(1, 40, 28)
    found = restore(low, restorer, lambda guess: guess, 32)
    assert seen[0].shape == (1, 3, 32, 32) and found.shape == low.shape
    assert found.min() == 0 and found.max() == 1
    same = pictures(1, 32, 32)
    assert torch.allclose(restore(same, restorer, lambda guess: guess, 32), (same * 3 - 1).clamp(0, 1), atol=1e-6)


@pytest.mark.parametrize("sampler", ["ddim", "dpm", "lcm"])
def test_it_stops_within_one_step_and_shows_the_clean_guess(sampler: str) -> None:
    answer = pictures(1, 4, 4)
    calls: list[int] = []
    shown: list[Tensor] = []

    def report(update: Update) -> None:
        if update.preview is not None:
            shown.append(update.preview)
        if len(shown) == 3:
            progress.cancel()

    def denoise(x: Tensor, time: Tensor) -> Tensor:
        calls.append(1)
        return oracle(linear(), answer)(x, time)

    progress = Progress(report, every=0, rest=0)
    with pytest.raises(Cancelled):
        refine(denoise, answer, Sampling(400, 20, sampler), noises([1], (3, 4, 4)), progress=progress, show=torch.clone)
    assert len(calls) == 3
    assert all(torch.allclose(one, answer, atol=1e-3) for one in shown)


# ---- the method


class Small(DifFace):
    """The same at 64 px: the networks take any multiple of it."""

    template = FFHQ_512.scaled(64)


def stored(folder: Path, networks: dict[str, Any], config: dict[str, Any] = UNET) -> Checkpoint:
    """A checkpoint whose parts are written to `folder`; `config` is the prior's."""
    files = {}
    for part, network in networks.items():
        path = folder / f"{part}.safetensors"
        save_file(network.state_dict(), path)
        content = path.read_bytes()
        files[part] = File(path, hashlib.sha256(content).hexdigest(), len(content))
    return Checkpoint(
        "small",
        title="Small",
        licence="none",
        source="starter",
        method="difface:DifFace",
        goal="keep",
        architecture="difface:DifFaceUNet",
        config=config,
        files=files,
        parts={"restorer": ("swinir:SwinIR", SWINIR)},
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, unet: DifFaceUNet, swinir: SwinIR) -> Checkpoint:
    return stored(tmp_path_factory.mktemp("store"), {"weights": unet, "restorer": swinir})


@pytest.fixture(scope="module")
def method(checkpoint: Checkpoint) -> DifFace:
    return Small.load(checkpoint, "cpu")


def crop(size: int = 64, seed: int = 0) -> AlignedFace:
    matrix = np.array([[1.0, 0.0, 3.0], [0.0, 1.0, -2.0]])
    return AlignedFace(picture(size, size, seed=seed), matrix, FFHQ_512.scaled(size) if size != 512 else FFHQ_512)


def distance(a: AlignedFace, b: AlignedFace) -> float:
    return float(np.abs(a.pixels.astype(int) - b.pixels.astype(int)).mean())


def test_it_is_a_restorer_that_keeps_the_person(method: DifFace) -> None:
    assert isinstance(method, Restorer)
    assert (method.id, method.goal, method.template.size) == ("difface", "keep", 64)
    assert DifFace.template == FFHQ_512
    sampling = Options().sampling()
    assert (sampling.start, sampling.sampler, sampling.steps) == (400, "dpm", 10)
    assert Options(realism=0.25, steps=7, sampler="ddim", eta=1.0).sampling() == Sampling(250, 7, "ddim", 1.0)


@pytest.mark.parametrize("sampler", ["dpm", "ddim"])
def test_the_same_seed_and_crop_give_the_same_face(method: DifFace, sampler: str) -> None:
    options = Options(steps=3, sampler=sampler)
    validate(options)
    face = crop()
    made = method(face, options, Progress(), 7)
    assert made.pixels.shape == (64, 64, 3) and np.array_equal(made.matrix, face.matrix)
    assert np.array_equal(made.pixels, method(face, options, Progress(), 7).pixels)
    assert distance(made, method(face, options, Progress(), 8)) > 1
    assert distance(made, method(face, replace(options, steps=4), Progress(), 7)) > 0.1


def test_the_noise_comes_from_the_crops_own_content() -> None:
    face, other = crop(), crop(seed=1)
    assert noise_seed(face.pixels, 7) == noise_seed(face.pixels.copy(), 7)
    seeds = {noise_seed(face.pixels, 7), noise_seed(face.pixels, 8), noise_seed(other.pixels, 7)}
    assert len(seeds) == 3 and all(0 <= seed < 2**63 for seed in seeds)


def test_eta_is_of_ddim_alone_and_realism_of_both(method: DifFace) -> None:
    face = crop()
    for sampler in ("dpm", "ddim"):
        plain = method(face, Options(steps=3, sampler=sampler, eta=0.0), Progress(), 7)
        fresh = method(face, Options(steps=3, sampler=sampler, eta=1.0), Progress(), 7)
        assert (distance(plain, fresh) > 0.5) == (sampler == "ddim")
        assert distance(plain, method(face, Options(steps=3, sampler=sampler, realism=0.8), Progress(), 7)) > 0.5


def test_without_realism_it_shows_the_restorers_guess(method: DifFace, swinir: SwinIR) -> None:
    face = crop()
    with torch.inference_mode():
        low = torch.from_numpy(face.pixels.copy()).permute(2, 0, 1)[None].float() / 255
        guess = (swinir(low).clamp(0, 1) * 255).round()[0].permute(1, 2, 0).numpy()
    found = method(face, Options(realism=0.0), Progress(), 7).pixels
    assert np.abs(found.astype(int) - guess).max() <= 1
    assert found.std() > 5 and np.abs(found.astype(int) - face.pixels).mean() > 5


def test_it_stops_between_two_calls_and_previews_pictures(checkpoint: Checkpoint) -> None:
    method = Small.load(checkpoint, "cpu")
    calls: list[int] = []
    method._prior.register_forward_hook(lambda *_: calls.append(1))
    shown: list[np.ndarray] = []

    def report(update: Update) -> None:
        if update.preview is not None:
            shown.append(update.preview)
        if len(calls) == 2:
            progress.cancel()

    progress = Progress(report, every=0, rest=0)
    with pytest.raises(Cancelled):
        method(crop(), Options(), progress, 7)
    assert len(calls) == 2
    assert len(shown) == 3, "of the guess and of each step"
    assert all(one.shape == (64, 64, 3) and one.dtype == np.uint8 for one in shown)


def test_progress_is_of_the_guess_and_of_each_step(method: DifFace) -> None:
    updates: list[Update] = []
    progress = Progress(updates.append, every=0, rest=0)
    for _ in progress.track(range(1), "Restoring"):
        method(crop(), Options(steps=4), progress, 7)
    fractions = [update.fraction for update in updates]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    shown = [update.stage for update in updates if update.preview is not None]
    assert shown == ["Restoring", *["Denoising"] * 4], "the guess, and each step"


def test_too_little_memory_is_said(checkpoint: Checkpoint) -> None:
    method = Small.load(checkpoint, "cpu")

    def full(x: Tensor, time: Tensor) -> Tensor:
        raise MemoryError

    method._prior = full
    with pytest.raises(OutOfMemory):
        method(crop(), Options(), Progress(), 7)


def test_a_crop_of_another_size_is_refused(method: DifFace) -> None:
    face = AlignedFace(picture(256, 256), np.eye(2, 3), FFHQ_256)
    with pytest.raises(ValueError, match="FFHQ_256"):
        method(face, Options(), Progress(), 7)


def test_a_photo_goes_through_it_at_512(tmp_path: Path, swinir: SwinIR) -> None:
    coarse = {"multipliers": [1] * 6, "blocks": [1] * 6, "attention": [], "head": 32}
    networks = {"weights": filled(DifFaceUNet(**coarse)), "restorer": swinir}
    method = load_method(stored(tmp_path, networks, coarse), "cpu")
    assert isinstance(method, DifFace)
    before = Photo(picture(512, 512))
    result = pipeline.restore(Subject.aligned(before, method.template), method, asked(seed=3, steps=1, realism=0.1))
    assert result.status == "ok", result.error
    assert dict(result.recipe.options)["steps"] == 1 and result.recipe.method == "difface"
    changed = np.abs(result.after.pixels.astype(int) - before.pixels).mean()
    assert result.after.pixels.shape == (512, 512, 3) and changed > 1


def test_a_checkpoint_lacks_no_part_and_fits(tmp_path: Path, checkpoint: Checkpoint, unet: DifFaceUNet) -> None:
    with pytest.raises(CheckpointMissing, match="restorer"):
        DifFace.load(stored(tmp_path, {"weights": unet}), "cpu")
    with pytest.raises(CheckpointMismatch, match="lack layers"):
        DifFace.load(replace(checkpoint, parts={"restorer": ("swinir:SwinIR", {**SWINIR, "depths": [2, 2]})}), "cpu")
    with pytest.raises(CheckpointMismatch, match="difface:DifFaceUNet"):
        DifFace.load(replace(checkpoint, config={"depth": 3}), "cpu")


def test_the_manifest_asks_for_what_was_published() -> None:
    entry = load_manifest()["difface"]
    assert method_class(entry) is DifFace
    assert {part: entry.network(part) for part in ("weights", "restorer")} == {
        "weights": ("difface:DifFaceUNet", {}),
        "restorer": ("swinir:SwinIR", {}),
    }


def test_its_options_are_known_before_torch_is_there() -> None:
    assert not modules_after("from facestudio.methods.difface import Options") & {"torch", "diffusers", "PySide6"}
