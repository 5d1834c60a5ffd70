"""Sliders: what a setting changes of a person, of landmarks and of the latent, who may use it, and how it is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.checkpoints import checkpoint, load_manifest
from facestudio.diffusion.sampling import Conditions, draw, noise, scheduler
from facestudio.errors import CheckpointMismatch, UsageError
from facestudio.faces.align import transform
from facestudio.faces.face import FFHQ_256, Face, Identity, similarity
from facestudio.faces.pose import mean_face, pose_of_68
from facestudio.faces.recent import Recent
from facestudio.faces.sliders import CATALOGUE, INNER_LIPS, PERSON, Sliders, check, offered
from facestudio.methods.arc2face import Arc2Face
from facestudio.methods.base import Synthesizer, Wish
from facestudio.methods.carriers import Carrier
from facestudio.methods.moving import Moving
from facestudio.networks.prior import SCHEDULE, FacePrior
from facestudio.networks.sliders import Moves
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.studio import Studio
from facestudio.training.colours import colours
from facestudio.training.recipes.sliders import forward, orthonormal, straight
from tests.fakes import fake_checkpoint
from tests.unit.test_prior import TINY

WHO = Identity(np.random.default_rng(3).standard_normal(16), "listener")
NAMES = ("age", "yaw", "pitch", "smile", "mouth", "brightness")


def face68() -> np.ndarray:
    """The mean face in an FFHQ_256 crop, a little turned, so that it is no special case."""
    points = 90 * mean_face()[:, :2]
    five = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
    return (points - five.mean(0) + FFHQ_256.points.mean(0)).astype(np.float32)


@pytest.fixture
def moves() -> Moves:
    network = Moves(NAMES, dimensions=16, latent=4, side=16)
    network.identity[0, 0] = 0.5
    network.turn[1, 0], network.turn[2, 1] = 25.0, 15.0
    network.features[3, 48, 0], network.features[3, 54, 0] = -0.1, 0.1
    for upper, lower in INNER_LIPS:
        network.features[4, lower, 1] = 0.3
        network.features[4, upper, 1] = -0.1
    network.push[5] = 0.25
    return network


@pytest.fixture
def sliders(moves: Moves) -> Sliders:
    return Sliders(moves, "listener")


def test_a_person_moves_along_the_sphere_and_only_when_asked(sliders: Sliders) -> None:
    assert sliders.identity(WHO, {}) is WHO and sliders.identity(WHO, {"age": 0.0, "yaw": 1.0}) is WHO
    older, younger = (sliders.identity(WHO, {"age": amount}) for amount in (1.0, -1.0))
    assert np.linalg.norm(older.embedding) == pytest.approx(1, abs=1e-6)
    assert older.embedding[0] > WHO.embedding[0] > younger.embedding[0]
    half = sliders.identity(WHO, {"age": 0.5})
    assert similarity(WHO, half) > similarity(WHO, older) > 0.7
    assert sliders.moves_identity({"age": 0.1}) and not sliders.moves_identity({"age": 0.0, "yaw": 1.0})
    with pytest.raises(ValueError, match="listener"):
        sliders.identity(Identity(WHO.embedding, "another"), {"age": 1.0})


@pytest.mark.parametrize(("name", "angle", "degrees"), [("yaw", 0, 25), ("pitch", 1, 15)])
@pytest.mark.parametrize("amount", [-1.0, 0.4])
def test_a_head_turns_by_as_many_degrees_as_were_asked(
    sliders: Sliders, name: str, angle: int, degrees: float, amount: float
) -> None:
    points = face68()
    turned = sliders.features(points, {name: amount}, FFHQ_256)
    change = pose_of_68(turned) - pose_of_68(points)
    assert change[angle] == pytest.approx(amount * degrees, abs=2)
    assert np.abs(np.delete(change, angle)).max() < 2.5
    assert np.allclose(sliders.features(points, {name: 0.0}, FFHQ_256), points, atol=1e-3)


def test_a_turned_face_stays_in_its_frame(sliders: Sliders) -> None:
    points = face68()
    turned = sliders.features(points, {"yaw": 1.0}, FFHQ_256)
    eyes, mouth = turned[36:48].mean(0), turned[[48, 54]].mean(0)
    assert np.linalg.norm(eyes - points[36:48].mean(0)) < 12 and np.linalg.norm(mouth - points[[48, 54]].mean(0)) < 12
    assert turned[30, 0] - eyes[0] > points[30, 0] - points[36:48, 0].mean(), (
        "the nose goes to the right of the picture"
    )


def test_an_expression_goes_with_size_and_turn_of_the_face_and_lips_never_cross(sliders: Sliders) -> None:
    points = face68()
    smiling = sliders.features(points, {"smile": 1.0}, FFHQ_256)
    wider = np.linalg.norm(smiling[54] - smiling[48]) / np.linalg.norm(points[54] - points[48])
    assert wider > 1.1
    small = np.array([[0.5, 0.1, 40], [-0.1, 0.5, 60]])
    moved = sliders.features(transform(small, points), {"smile": 1.0}, FFHQ_256)
    five = [30, *range(36, 48), 48, 54]
    a, b = (of - of[five].mean(0) for of in (transform(small, smiling), moved))
    assert np.abs(a - b)[:17].max() < 2.5, "the same face, smaller and turned"
    closed = sliders.features(points, {"mouth": -1.0}, FFHQ_256)
    opened = sliders.features(points, {"mouth": 1.0}, FFHQ_256)
    for upper, lower in INNER_LIPS:
        assert closed[lower, 1] >= closed[upper, 1] - 1e-3
        assert opened[lower, 1] - opened[upper, 1] > points[lower, 1] - points[upper, 1] + 5


def test_light_is_a_push_and_what_is_not_asked_for_is_none(sliders: Sliders) -> None:
    push = sliders.push({"brightness": -0.5, "age": 1.0})
    assert push is not None and push.shape == (4, 16, 16) and np.allclose(push, -0.125)
    assert sliders.push({"age": 1.0}) is None and sliders.push({}) is None
    assert sliders.moves_features({"smile": 0.2}) and not sliders.moves_features({"brightness": 1.0, "age": 1.0})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"wings": 0.1}, "no slider called wings"),
        ({"age": 1.2}, "from -1 to 1"),
        ({"age": float("nan")}, "takes a number"),
        ({"age": True}, "takes a number"),
        ({"age": "much"}, "takes a number"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check(settings, CATALOGUE)
    check({"age": -1, "yaw": 1.0, "smile": 0}, CATALOGUE)


def test_nobody_cannot_be_made_older_but_turned() -> None:
    check({"yaw": 0.5, "age": 0.0}, CATALOGUE, told=False)
    with pytest.raises(UsageError, match="drawn freely"):
        check({"age": 0.5}, CATALOGUE, told=False)


def test_only_what_reached_its_bar_is_offered_in_groups() -> None:
    entry = fake_checkpoint("sliders", calibration={"offered": ["yaw", "hair", "age"]})
    assert [slider.id for slider in offered(entry)] == ["age", "hair", "yaw"]
    assert offered(fake_checkpoint("none")) == ()
    entry = fake_checkpoint("sliders", calibration={"offered": ["glasses", "age"], "added": ["glasses"]})
    age, glasses = offered(entry)
    assert (age.least, glasses.least) == (-1, 0) and glasses.low == "as drawn" and "Remov" not in glasses.help
    check({"glasses": 0.4, "age": -0.4}, (age, glasses))
    with pytest.raises(UsageError, match="glasses goes from 0 to 1, not to -0.1"):
        check({"glasses": -0.1}, (age, glasses))
    groups = [slider.group for slider in CATALOGUE]
    assert sorted(set(groups), key=groups.index) == [group for n, group in enumerate(groups) if group not in groups[:n]]
    assert len({slider.id for slider in CATALOGUE}) == len(CATALOGUE)


# ---- a prior whose middle is pushed


@pytest.fixture(scope="module")
def prior() -> FacePrior:
    """One that is the linear guess, of latents that are normally distributed."""
    torch.manual_seed(0)
    network = FacePrior(**TINY)
    network.linear.fit(torch.randn(400, 4 * 256) * 0.5 + 0.2, torch.nn.functional.normalize(torch.randn(400, 16)), 0.1)
    return network.eval()


def test_a_pushed_guess_is_that_of_faces_whose_middle_is_elsewhere(prior: FacePrior) -> None:
    push, noisy = torch.randn(2, 4, 16, 16), torch.randn(2, 4, 16, 16)
    share, who = torch.tensor([0.02, 0.9]), torch.nn.functional.normalize(torch.randn(2, 16))
    for kind in (0, 1):
        known = torch.full((2,), float(kind))
        plain = prior.linear(noisy, share, who, known)
        farther = prior.linear.pushed(push, share, kind)
        for row in (0, 1):
            moved = FacePrior(**TINY).linear
            moved.load_state_dict(prior.linear.state_dict())
            moved.middle += push[row].flatten()
            again = moved(noisy[row : row + 1], share[row : row + 1], who[row : row + 1], known[:1])
            assert torch.allclose(plain[row : row + 1] + farther[row : row + 1], again, atol=1e-4)


def test_what_is_drawn_is_as_far_as_its_middle_was_pushed(prior: FacePrior) -> None:
    push = torch.randn(1, 4, 16, 16)
    found = []
    for given in (None, push):
        steps = scheduler("ddim", SCHEDULE)
        steps.set_timesteps(50)
        found.append(draw(prior, steps, noise([5], (4, 16, 16)), Conditions(), push=given))
    assert torch.allclose(found[1] - found[0], push, atol=0.1 * float(push.std()))


def test_a_push_is_of_one_picture_among_others(prior: FacePrior) -> None:
    entry = fake_checkpoint("prior", conditioned_on=("listener",))
    carrier = Carrier(prior, SCHEDULE, (4, 16, 16), lambda latents: latents[:, :3] / 4)
    method = Arc2Face(entry, carrier)
    options = method.Options(steps=3, nearer=0.0)
    still, pushed = Wish(WHO), Wish(WHO, push=np.full((4, 16, 16), 2.0, np.float32))
    together = method([still, pushed], [4, 4], options, Progress())
    assert np.abs(together[0].astype(int) - method(still, [4], options, Progress())[0]).max() <= 1
    assert together[1].mean() > together[0].mean() + 20


# ---- moving a synthesizer


class Painter:
    """A Synthesizer that draws nothing and writes down what it was asked."""

    id, goal, template, embedder = "painter", "create", FFHQ_256, "listener"
    Options: type[Any] = Arc2Face.Options

    def __init__(self) -> None:
        self.checkpoint = fake_checkpoint("painter", conditioned_on=("listener",))
        self.asked: list[list[Wish]] = []

    def __call__(self, wish: Any, seeds: Sequence[int], options: Any, progress: Progress) -> list[np.ndarray]:
        self.asked.append([wish] * len(seeds) if isinstance(wish, Wish) else list(wish))
        for _ in progress.track(range(2), "Painting"):
            pass
        return [np.full((256, 256, 3), seed, np.uint8) for seed in seeds]


class Finder:
    """Finds the mean face, moved by the colour of the picture, so that each picture has its own."""

    def find(self, photo: Photo | np.ndarray, face: Face) -> np.ndarray:
        assert isinstance(photo, np.ndarray) and np.allclose(face.landmarks, FFHQ_256.points)
        return face68() + float(photo[0, 0, 0])


def test_features_are_looked_for_in_a_first_drawing_and_moved_in_a_second(sliders: Sliders) -> None:
    painter = Painter()
    moving = Moving(painter, sliders, {"yaw": 1.0, "age": 1.0}, Finder())  # type: ignore[arg-type]
    assert isinstance(moving, Synthesizer) and moving.moved == {"yaw": 1.0, "age": 1.0}
    pictures = moving(Wish(WHO), [3, 7], None, Progress())
    assert [int(one[0, 0, 0]) for one in pictures] == [3, 7]
    first, second = painter.asked
    older = sliders.identity(WHO, {"age": 1.0})
    assert all(wish.identity is WHO and wish.landmarks is None for wish in first), "as they are"
    for wish in second:
        assert wish.identity is not None and np.array_equal(wish.identity.embedding, older.embedding)
    for wish, seed in zip(second, (3, 7), strict=True):
        expected = sliders.features(face68() + seed, {"yaw": 1.0}, FFHQ_256)
        assert wish.landmarks is not None and np.allclose(wish.landmarks, expected, atol=1e-3)


def test_features_that_are_known_or_stay_need_one_drawing(sliders: Sliders) -> None:
    painter = Painter()
    held = Wish(WHO, face68())
    Moving(painter, sliders, {"smile": 1.0}, Finder())(held, [1], None, Progress())  # type: ignore[arg-type]
    Moving(painter, sliders, {"brightness": 1.0}, Finder())(Wish(), [1], None, Progress())  # type: ignore[arg-type]
    (smiling,), (lit,) = painter.asked
    assert smiling.landmarks is not None and not np.allclose(smiling.landmarks, face68()) and smiling.push is None
    assert lit.landmarks is None and lit.push is not None and lit.identity is None


def test_a_person_who_is_moved_holds_their_features_and_a_first_drawing_is_not_made_again(sliders: Sliders) -> None:
    painter, known = Painter(), Recent[np.ndarray](8)
    for amount in (0.5, 1.0):
        moving = Moving(painter, sliders, {"age": amount}, Finder(), known=known)  # type: ignore[arg-type]
        moving(Wish(WHO), [3], None, Progress())
    first, half, whole = (asked[0] for asked in painter.asked)
    assert first.landmarks is None and first.identity is WHO
    for wish in (half, whole):
        assert wish.landmarks is not None and np.allclose(wish.landmarks, face68() + 3)
    moving(Wish(WHO), [4], None, Progress())
    assert len(painter.asked) == 5, "another seed is another picture"


def test_nobody_becomes_a_training_person(sliders: Sliders) -> None:
    painter, elsewhere = Painter(), Identity(-WHO.embedding, "listener")
    moving = Moving(painter, sliders, {"age": 1.0}, Finder(), lambda identity: elsewhere)  # type: ignore[arg-type]
    moving(Wish(WHO), [1], None, Progress())
    assert painter.asked[-1][0].identity is elsewhere


# ---- what ships


def test_what_ships_was_fitted_to_what_ships() -> None:
    known = load_manifest()
    shipped = Sliders.load(known["starter-sliders"], known)
    assert shipped.embedder == known["starter-prior"].conditioned_on[0]
    listed = Studio().sliders("starter-prior")
    assert {"age", "yaw"} <= {slider.id for slider in listed} <= set(known["starter-sliders"].config["names"])
    assert {slider.id for slider in listed if slider.least == 0} == {"glasses"}, "they do not come off everybody"
    assert Studio().sliders("starter-estimator") == () == Studio().sliders("vec2face")
    who = Identity(np.random.default_rng(0).standard_normal(512), shipped.embedder)
    steps = [
        shipped.identity(who, {slider.id: 1.0}).embedding - who.embedding for slider in listed if slider.group == PERSON
    ]
    assert all(np.linalg.norm(step) > 0.1 for step in steps)
    turned = shipped.features(face68(), {"yaw": 1.0}, FFHQ_256)
    assert pose_of_68(turned)[0] > pose_of_68(face68())[0] + 15


def test_other_weights_are_refused() -> None:
    known = load_manifest()
    file = known["starter-prior"].files["weights"]
    other = replace(known["starter-prior"], files={"weights": replace(file, sha256="0" * 64)})
    with pytest.raises(CheckpointMismatch, match="different weights of starter-prior"):
        Sliders.load(checkpoint("starter-sliders"), {**known, "starter-prior": other})


# ---- fitting


def test_a_forward_direction_is_what_differs_when_the_rest_is_alike() -> None:
    random = np.random.default_rng(0)
    male = random.choice([-1.0, 1.0], 2000)
    beard = np.where((male > 0) & (random.random(2000) < 0.5), 1.0, -1.0)
    effects = random.standard_normal((2, 6))
    found = forward({"male": male, "beard": beard}, np.column_stack([male, beard]) @ effects + 3)
    assert np.allclose(found["male"], effects[0]) and np.allclose(found["beard"], effects[1])
    several = forward({"both": np.column_stack([male, beard])}, np.column_stack([male, beard]) @ effects)
    assert np.allclose(several["both"], effects)


def test_directions_are_made_orthogonal_without_favour() -> None:
    found = orthonormal(np.array([[2.0, 0, 0], [1.0, 1.0, 0]]))
    assert np.allclose(found @ found.T, np.eye(2))
    assert found[0] @ [1, 0, 0] == pytest.approx(found[1] @ (np.array([1, 1, 0]) / 2**0.5))


def test_a_turned_face_is_turned_straight(sliders: Sliders) -> None:
    shapes = straight(np.stack([sliders.features(face68(), {"yaw": amount}, FFHQ_256) for amount in (0.0, 0.8)]))
    assert np.abs(shapes[0] - shapes[1]).max() < 0.02
    assert np.linalg.norm(shapes[0][36] - shapes[0][45]) == pytest.approx(1, abs=0.05), "in eye distances"


def test_colours_are_measured_where_they_are() -> None:
    points = face68()
    pixels = np.full((256, 256, 3), 40, np.uint8)
    pixels[110:, :128], pixels[110:, 128:] = 150, 230  # left and right side of the face
    pixels[:60, :30] = pixels[:60, -30:] = 255
    seen = colours(pixels, points)
    assert seen.background == pytest.approx(100, abs=0.5)
    assert seen.side == pytest.approx(seen.right - seen.left) and 25 < seen.side < 35
    assert seen.skin == pytest.approx((seen.left + seen.right) / 2) and seen.hair < 20
