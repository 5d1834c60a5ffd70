"""Redraw: somebody else in the same place, the surroundings as they were."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.checkpoints import checkpoint, load_manifest
from facestudio.errors import CheckpointMismatch, CheckpointMissing, FaceStudioError
from facestudio.faces.face import FFHQ_256, FFHQ_512, AlignedFace, Identity
from facestudio.faces.identity import Embedder
from facestudio.faces.people import IdentitySpace
from facestudio.faces.pose import mean_face
from facestudio.methods.base import Anonymizer, Masked, Obscurer, Replacing, Strengthening, method_class
from facestudio.methods.redraw import Options, Parts, Redraw
from facestudio.networks.autoencoder import FaceAutoencoder
from facestudio.networks.consistency import ConsistencyUpdate, FewSteps
from facestudio.networks.people import People
from facestudio.networks.prior import FacePrior
from facestudio.progress import Cancelled, Progress
from tests.fakes import CALIBRATION, fake_checkpoint, picture
from tests.unit.test_prior import TINY

LISTENER = "listening"


class Listener:
    """Sees the same person in every crop; writes down where it looked."""

    id = LISTENER

    def __init__(self) -> None:
        self.who = Identity(np.eye(16, dtype=np.float32)[0] + 0.2, LISTENER)
        self.looks: list[np.ndarray] = []

    def embed(self, pixels: np.ndarray, landmarks: np.ndarray) -> Identity:
        self.looks.append(landmarks)
        return self.who


class Finder:
    """Finds the same 68 landmarks in every crop."""

    points = np.random.default_rng(1).uniform(80, 180, (68, 2)).astype(np.float32)

    def find(self, pixels: np.ndarray, face: Any) -> np.ndarray:
        return self.points


def space() -> IdentitySpace:
    people = People(16, 8, 40)
    people.fit(torch.nn.functional.normalize(torch.randn(40, 16, generator=torch.Generator().manual_seed(0)), dim=1))
    return IdentitySpace(people.eval(), LISTENER, strangers=0.5, copies=0.99)


@pytest.fixture(scope="module")
def method() -> Redraw:
    torch.manual_seed(0)
    prior = FacePrior(**TINY)
    for silent in (prior.unet.conv_out.weight, prior.nobody):
        torch.nn.init.normal_(silent, std=0.05)
    autoencoder = FaceAutoencoder(widths=(8, 8, 8), latent=4, groups=4)
    faces = torch.from_numpy(crop().pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    autoencoder.code(torch.nn.functional.pixel_unshuffle(faces, 16).permute(0, 2, 3, 1).flatten(0, 2))
    others: Any = (Listener(), Finder(), space())
    return Redraw(fake_checkpoint(conditioned_on=(LISTENER,)), Parts(prior.eval(), autoencoder.eval(), *others))


def seeing(method: Redraw, stranger: float = 0.4) -> Redraw:
    """`method`, whose listener looks at the crop, and knows a face from the cosine `stranger` on, which one in ten reaches."""
    torch.manual_seed(2)
    eye = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 9, 8), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(1352, 16)
    )
    calibration = {**CALIBRATION, "thresholds": {"1e-3": stranger + 0.1, "1e-1": stranger}}
    made = copy.copy(method)
    made._listener = Embedder(fake_checkpoint(LISTENER, calibration=calibration), eye.eval())
    return made.becoming(method.people.draw(1))


def crop(seed: int = 0) -> AlignedFace:
    return AlignedFace(picture(256, 256, seed=seed), np.array([[1.0, 0.0, 3.0], [0.0, 1.0, -2.0]]), FFHQ_256)


def distance(a: AlignedFace, b: AlignedFace) -> float:
    return float(np.abs(a.pixels.astype(int) - b.pixels.astype(int)).mean())


def test_what_ships_is_made_of_checkpoints_that_belong_together() -> None:
    entry, known = checkpoint("starter-redraw"), load_manifest()
    assert method_class(entry) is Redraw and entry.goal == "change" and not entry.files
    assert known[entry.uses["prior"]].conditioned_on == entry.conditioned_on == (entry.uses["embedder"],)
    assert known[entry.uses["people"]].conditioned_on == entry.conditioned_on
    assert known[entry.uses["prior"]].uses["autoencoder"] == entry.uses["autoencoder"]


def test_the_surroundings_stay_and_the_face_does_not(method: Redraw) -> None:
    assert isinstance(method, Anonymizer) and isinstance(method, Masked) and not isinstance(method, Obscurer)
    face = crop()
    made = method(face, Options(steps=3), Progress(), 7)
    off = np.abs(made.pixels.astype(int) - face.pixels).max(2)
    mask = method.mask(Options())
    assert not off[mask == 0].any() and off[mask == 1].mean() > 5
    assert np.array_equal(made.matrix, face.matrix)
    assert mask.shape == (256, 256) and mask[140, 128] == 1 and not mask[:20].any() and not mask[:, :20].any()


def test_a_seed_is_one_person_and_another_seed_another(method: Redraw) -> None:
    face, options = crop(), Options(steps=3)
    made = method(face, options, Progress(), 7)
    assert distance(made, method(face, options, Progress(), 7)) == 0
    assert distance(made, method(face, options, Progress(), 8)) > 0.5
    assert distance(made, method(face, Options(steps=3, change=0.5), Progress(), 7)) > 0.5


def test_whom_it_becomes_is_apart_from_who_it_was(method: Redraw, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Identity] = []
    draw = method.people.draw_apart

    def watched(count: int, seed: int, others: Any = ()) -> list[Identity]:
        told.extend(others)
        found = draw(count, seed, others)
        told.extend(found)
        return found

    monkeypatch.setattr(method.people, "draw_apart", watched)
    method(crop(), Options(steps=2), Progress(), 3)
    was, new = told
    assert was is method._listener.who  # type: ignore[attr-defined]
    assert float(was.embedding @ new.embedding) < 0.5
    assert np.allclose(method._listener.looks[-1], FFHQ_256.points)  # type: ignore[attr-defined]


def test_it_can_be_told_whom_a_face_becomes(method: Redraw, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(method, Replacing) and method.who(crop()) is method._listener.who  # type: ignore[attr-defined]
    face, options = crop(), Options(steps=3)
    untold = method(face, options, Progress(), 7)
    one, other = (method.becoming(method.people.draw(seed)) for seed in (1, 2))
    monkeypatch.setattr(method.people, "draw_apart", None)  # nobody else is drawn
    assert distance(one(face, options, Progress(), 7), other(face, options, Progress(), 7)) > 0.5
    assert distance(one(face, options, Progress(), 7), one(face, options, Progress(), 7)) == 0
    monkeypatch.undo()
    assert distance(method(face, options, Progress(), 7), untold) == 0, "who was told is not remembered"


def test_each_try_dissolves_more_and_the_last_pushes_away(method: Redraw) -> None:
    assert isinstance(method, Strengthening)
    options: Any = Options(change=0.75)
    changes = []
    while options is not None:
        changes.append((options.change, options.guide))
        options = method.stronger(options)
    assert changes == [(0.75, 0.0), (0.85, 0.0), (0.95, 0.0), (1.0, 0.0), (1.0, 1.0)]
    assert method.stronger(Options(change=0.75, steps=5)) == Options(change=0.85, steps=5)
    assert method.stronger(Options(change=1.0)) == Options(change=1.0, guide=1.0)


def test_features_are_held_as_strictly_as_asked(method: Redraw) -> None:
    face, plain = crop(), Options(steps=3, change=1.0, lines=0.0)
    free, held = (method(face, replace(plain, lines=lines), Progress(), 7) for lines in (0.0, 2.0))
    assert distance(held, free) > 0.2
    asked: list[int] = []
    hook = method._prior.register_forward_hook(lambda module, given, told: asked.append(len(given[0])))
    for options in (
        plain,
        replace(plain, lines=2.0),
        replace(plain, guidance=1.0),
        replace(plain, guidance=1.0, lines=1.0),
    ):
        method(face, options, Progress(), 7)
    hook.remove()
    assert asked == [2] * 3 + [3] * 3 + [1] * 3 + [2] * 3


def test_hair_that_hangs_into_the_face_stays(method: Redraw) -> None:
    pixels = np.full((256, 256, 3), (205, 160, 135), np.uint8)
    pixels[:90] = (40, 25, 20)
    face = AlignedFace(pixels, crop().matrix, FFHQ_256)
    shaped = copy.copy(method)
    shaped._finder = Finder()
    shaped._finder.points = (mean_face()[:, :2] * 92 + (128, 140)).astype(np.float32)  # type: ignore[attr-defined]
    over, kept = (shaped(face, Options(steps=2, change=1.0, hair=hair), Progress(), 7) for hair in (False, True))
    off = [np.abs(made.pixels.astype(int) - pixels).max(2) for made in (over, kept)]
    mask = method.mask(Options())
    hairy = (mask == 1) & (np.arange(256) < 80)[:, None]
    assert hairy.sum() > 200 and off[0][hairy].mean() > 5 and off[1][hairy].max() <= 1
    below = (mask == 1) & (np.arange(256) > 110)[:, None]
    assert off[1][below].mean() > 3, "the face is drawn anew"


class Watching(Finder):
    """Finds the landmarks further to the right in a brighter face."""

    def find(self, pixels: np.ndarray, face: Any) -> np.ndarray:
        return self.points + np.float32(pixels[80:180, 80:180].mean() / 10)


def test_of_several_takes_the_one_is_kept_whose_features_moved_least(method: Redraw) -> None:
    face, options, finder = crop(), Options(steps=2, change=1.0), Watching()
    watched = copy.copy(method)
    watched._finder = finder  # type: ignore[assignment]

    def moved(made: AlignedFace) -> float:
        return float(np.abs(finder.find(made.pixels, None) - finder.find(face.pixels, None)).mean())

    asked: list[int] = []
    hook = method._prior.register_forward_hook(lambda module, given, told: asked.append(len(given[0])))
    once, four = (watched(face, replace(options, takes=takes), Progress(), 7) for takes in (1, 4))
    hook.remove()
    assert asked == [3, 3, 4 * 3, 4 * 3], "all takes are drawn in the same calls"
    assert moved(four) < moved(once), "the first take is one of the four, and seldom the best"
    assert distance(four, watched(face, replace(options, takes=4), Progress(), 7)) == 0
    plain, same = (method(face, replace(options, takes=takes), Progress(), 7) for takes in (1, 3))
    assert distance(plain, same) < 0.05, "where no difference is seen the first one stays, but for rounding"


def test_each_take_has_noise_of_its_own_which_is_the_same_however_many_there_are(method: Redraw) -> None:
    face, options = crop(), Options(steps=2, change=1.0)
    three, two, one = (method.takes(face, replace(options, takes=takes), Progress(), 7) for takes in (3, 2, 1))
    assert min(distance(three[0].crop, three[place].crop) for place in (1, 2)) > 0.5
    for other in (two, one):
        for place, take in enumerate(other):
            assert distance(take.crop, three[place].crop) < 0.05, "but for rounding"


def consistent(method: Redraw) -> tuple[Redraw, FewSteps, list[tuple[float, float]]]:
    """`method` with a consistency model, that model, and the guidances that it is asked for."""
    asked: list[tuple[float, float]] = []
    few = FewSteps(method._prior, ConsistencyUpdate(TINY, 2, 2.0))

    def few_steps(guidance: float, lines: float) -> FewSteps:
        asked.append((guidance, lines))
        return few.at(guidance, lines)

    others = (method._listener, method._finder, method.people)
    made = type(method)(method.checkpoint, Parts(method._prior, method._autoencoder, *others, few_steps))
    return made, few, asked


def test_a_take_of_a_consistency_model_is_pushed_away_when_it_is_asked_for(method: Redraw) -> None:
    told, face = seeing(consistent(method)[0], stranger=0.0), crop()
    options = Options(steps=2, change=1.0, sampler="lcm", takes=3)
    looks: list[bool] = []
    told._listener.network.register_forward_hook(lambda *_: looks.append(torch.is_grad_enabled()))
    pushed = told.takes(face, replace(options, guide=1.0), Progress(), 7)
    assert not any(looks), "nobody may need them"
    plain = told.takes(face, options, Progress(), 7)
    assert [take.moved for take in pushed] == [take.moved for take in plain]
    who = told.who(face).embedding
    alike = [float(who @ told.who(takes[1].crop).embedding) for takes in (plain, pushed)]
    assert alike[1] < alike[0] - 0.02 and any(looks)
    mask = method.mask(options)
    assert np.array_equal(pushed[1].crop.pixels[mask == 0], face.pixels[mask == 0]), "around the face nothing moves"
    again = told.takes(face, replace(options, guide=1.0), Progress(), 7)[1]
    assert distance(again.crop, pushed[1].crop) == 0, "whether others were asked for does not matter"


def test_a_consistency_model_is_asked_once_a_step(method: Redraw) -> None:
    face, options = crop(), Options(steps=2, change=1.0, sampler="lcm")
    with pytest.raises(CheckpointMissing, match="no consistency model"):
        method(face, options, Progress(), 7)
    quick, few, asked = consistent(method)
    calls: list[int] = []
    few.prior.register_forward_hook(lambda module, given, told: calls.append(len(given[0])))
    made = quick(face, options, Progress(), 7)
    assert asked == [(3.0, 2.0)] and calls == [1, 1]
    off = np.abs(made.pixels.astype(int) - face.pixels).max(2)
    assert not off[method.mask(options) == 0].any() and off[method.mask(options) == 1].mean() > 5
    assert distance(made, quick(face, options, Progress(), 7)) == 0


def test_the_listener_knows_less_of_a_face_that_is_pushed_away(method: Redraw) -> None:
    face, options, told = crop(), Options(steps=8, change=0.7), seeing(method, stranger=0.0)
    plain, pushed = (told(face, replace(options, guide=guide), Progress(), 7) for guide in (0.0, 1.0))
    who = told.who(face).embedding
    alike = [float(who @ told.who(one).embedding) for one in (plain, pushed)]
    assert alike[1] < alike[0] - 0.05
    mask = method.mask(options)
    assert np.array_equal(pushed.pixels[mask == 0], face.pixels[mask == 0]), "around the face nothing moves"
    assert distance(pushed, told(face, replace(options, guide=1.0), Progress(), 7)) == 0
    weak = told(face, replace(options, guide=0.1), Progress(), 7)
    assert 0 < distance(weak, plain) < distance(pushed, plain)


@pytest.mark.parametrize("steps", [2, 3])
def test_few_steps_push_as_well(method: Redraw, steps: int) -> None:
    face, options, told = crop(), Options(steps=steps, change=1.0), seeing(method, stranger=0.0)
    plain, pushed = (told(face, replace(options, guide=guide), Progress(), 7) for guide in (0.0, 1.0))
    who = told.who(face).embedding
    assert float(who @ told.who(pushed).embedding) < float(who @ told.who(plain).embedding) - 0.02


def test_a_face_that_the_listener_does_not_know_is_drawn_as_without(method: Redraw) -> None:
    face, options, told = crop(), Options(steps=4), seeing(method, stranger=1.2)
    made = told(face, replace(options, guide=1.0), Progress(), 7)
    assert distance(made, told(face, options, Progress(), 7)) == 0
    # without any push nobody is asked who the face is: the listener of the other tests has no network
    assert distance(made, method.becoming(method.people.draw(1))(face, options, Progress(), 7)) == 0


def test_it_stops_between_two_pushes(method: Redraw) -> None:
    told, progress, looks = seeing(method, stranger=0.0), Progress(), []

    def looked(*_: Any) -> None:
        looks.append(torch.is_grad_enabled())
        if sum(looks) == 2:
            progress.cancel()

    told._listener.network.register_forward_hook(looked)
    with pytest.raises(Cancelled):
        told(crop(), Options(steps=8, change=0.7, guide=1.0), progress, 7)
    assert sum(looks) == 2


def test_who_judges_does_not_guide(method: Redraw) -> None:
    told = seeing(method)
    told.checkpoint = fake_checkpoint(conditioned_on=("another",))
    with pytest.raises(CheckpointMismatch, match=LISTENER):
        told(crop(), Options(steps=2, guide=1.0), Progress(), 7)


def test_where_the_features_are_is_told(method: Redraw, monkeypatch: pytest.MonkeyPatch) -> None:
    here = method(crop(), Options(steps=3), Progress(), 7)
    monkeypatch.setattr(Finder, "points", Finder.points + 12)
    assert distance(here, method(crop(), Options(steps=3), Progress(), 7)) > 0.05


def test_it_stops_between_two_steps(method: Redraw) -> None:
    calls: list[int] = []
    progress = Progress()

    def called(*_: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            progress.cancel()

    hook = method._prior.register_forward_hook(called)
    try:
        with pytest.raises(Cancelled):
            method(crop(), Options(steps=6), progress, 7)
    finally:
        hook.remove()
    assert len(calls) == 2


def test_parts_that_do_not_belong_together_and_other_crops_are_refused(method: Redraw) -> None:
    other: Any = Listener()
    other.id = "another"
    with pytest.raises(CheckpointMismatch, match="another"):
        Redraw(method.checkpoint, Parts(method._prior, method._autoencoder, other, method._finder, method.people))
    with pytest.raises(ValueError, match="works on"):
        method(AlignedFace(picture(512, 512), np.eye(2, 3), FFHQ_512), Options(), Progress(), 0)


def test_it_never_gives_back_the_person_when_nobody_else_fits(method: Redraw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method.people, "strangers", -2.0)
    with pytest.raises(FaceStudioError, match="clearly different"):
        method(crop(), Options(steps=2), Progress(), 0)
