"""The story of made faces: who is asked for, what is measured, and what is said of a picture without a face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from facestudio.errors import UsageError
from facestudio.faces.face import FFHQ_256, Face, similarity
from facestudio.faces.judging import Judges
from facestudio.generating import PORTION, WITHOUT_FACE, Commission, Easel, Gallery, Portrait, generate
from facestudio.methods.base import Synthesizer, Wish
from facestudio.options import option
from facestudio.photo import Photo
from facestudio.progress import Cancelled, Progress
from facestudio.recipe import Recipe
from facestudio.whom import Anybody, Drawn, Shot, shots, walk
from tests.asking import asked
from tests.fakes import FakeDetector, FakeEmbedder, face_at, fake_checkpoint, fake_panel, picture
from tests.people import Choosy, Texture, space
from tests.poses import head

FACE = face_at(128, 128, 256)
SOURCE = face_at(120, 100, 150)
FREE = replace(asked(), person=Anybody())


class Painter:
    """A Synthesizer without weights: it draws a face whose grain is the seed's, and writes down what it was asked."""

    id, goal, template, embedder = "painter", "create", FFHQ_256, "listener"

    @dataclass(frozen=True)
    class Options:
        """What a person may choose."""

        hold_pose: bool = option(False, title="Hold pose")

    def __init__(self) -> None:
        self.checkpoint = fake_checkpoint("painter-weights", goal="create", conditioned_on=("listener",))
        self.asked: list[tuple[Any, list[int]]] = []

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        self.asked.append((wish, list(seeds)))
        for _ in progress.track(range(3), "Painting"):
            pass
        return [picture(256, 256, [FACE], seed) for seed in seeds]


class FakeFinder:
    def find(self, photo: Photo, face: Face) -> np.ndarray:
        return np.tile(face.landmarks[2], (68, 1))


@pytest.fixture
def source() -> tuple[Photo, Face]:
    return Photo.from_pixels(picture(200, 240, [SOURCE])), SOURCE


def made(
    count: int,
    painter: Painter | Texture | None = None,
    *,
    detector: Any = None,
    listener: Any = None,
    finder: Any = None,
    space: Any = None,
    embedders: Sequence[Any] = (),
    panel: Any = None,
    recipe: Recipe | None = None,
    source: tuple[Photo, Face] | None = None,
    plan: Sequence[Shot] | None = None,
    pose: Photo | None = None,
    progress: Progress | None = None,
    done: Callable[[Portrait], None] = lambda portrait: None,
) -> Gallery:
    synthesizer: Any = painter or Painter()
    easel = Easel(synthesizer, detector or FakeDetector([FACE]), listener, finder, space)
    commission = Commission(count, source, plan, pose)
    return generate(easel, recipe or asked(), commission, Judges(embedders, panel), progress, done)


def test_people_of_nowhere_are_drawn_from_seeds_that_follow_one_another() -> None:
    painter = Painter()
    assert isinstance(painter, Synthesizer)
    gallery = made(PORTION + 2, painter, recipe=asked(40))
    assert [portrait.recipe.seed for portrait in gallery.portraits] == list(range(40, 50 + PORTION - 8))
    assert [len(seeds) for _, seeds in painter.asked] == [PORTION, 2]
    assert all(wish.identity is None and wish.landmarks is None for wish, _ in painter.asked)
    assert all(p.photo.synthetic and p.face is FACE and not p.similarity for p in gallery.portraits)
    (alone,) = made(1, recipe=asked(41)).portraits
    assert np.array_equal(alone.photo.pixels, gallery.portraits[1].photo.pixels)
    assert alone.recipe == gallery.portraits[1].recipe


def test_a_person_is_asked_for_and_the_listener_does_not_judge(source: tuple[Photo, Face]) -> None:
    painter, listener, judge = Painter(), FakeEmbedder("listener"), FakeEmbedder("judge")
    more = {"source": source, "listener": listener, "embedders": [listener, judge]}
    gallery = made(3, painter, **more, panel=fake_panel(["judge"], [0.8, 0.7, 0.6]))
    ((wish, _),) = painter.asked
    assert wish.identity is not None and wish.identity.embedder == "listener" and wish.landmarks is None
    assert np.array_equal(wish.identity.embedding, listener.embed(source[0].pixels, SOURCE.landmarks).embedding)
    assert [set(p.similarity) for p in gallery.portraits] == [{"judge"}] * 3
    assert all(p.summary is not None and p.summary.quality == (0.8, 0.8) for p in gallery.portraits)
    assert gallery.source is source[0] and gallery.face is source[1]
    pixels, landmarks = judge.seen[1]
    assert np.array_equal(pixels, gallery.portraits[0].photo.pixels) and np.array_equal(landmarks[0], FACE.landmarks)


def test_the_pose_is_held_in_the_methods_own_crop(source: tuple[Photo, Face]) -> None:
    painter, listener = Painter(), FakeEmbedder("listener")
    more: dict[str, Any] = {"source": source, "listener": listener, "finder": FakeFinder()}
    made(1, painter, **more, recipe=asked(hold_pose=True))
    made(1, painter, **more)
    held, free = (wish.landmarks for wish, _ in painter.asked)
    assert free is None
    assert held is not None and held.shape == (68, 2)
    assert np.allclose(held, FFHQ_256.points[2], atol=0.5), "the nose is where the template has it"


class Posing(Painter):
    posed_by = "pose"


def test_a_pose_picture_is_shown_for_everybody_and_recorded(source: tuple[Photo, Face]) -> None:
    painter, listener, pose = Posing(), FakeEmbedder("listener"), Photo.from_pixels(head())
    gallery = made(PORTION + 1, painter, pose=pose)
    made(1, painter, pose=pose, source=source, listener=listener)
    assert len(painter.asked) == 3
    assert all(wish.pose is not None and np.array_equal(wish.pose, head()) for wish, _ in painter.asked)
    assert painter.asked[2][0].identity is not None
    assert gallery.recipe.pose == pose.content_hash
    assert {portrait.recipe.pose for portrait in gallery.portraits} == {pose.content_hash}
    assert made(1, painter).recipe.pose == "" and painter.asked[3][0].pose is None
    with pytest.raises(UsageError, match="painter-weights cannot be shown a pose picture"):
        made(1, pose=pose)
    with pytest.raises(UsageError, match="colours are not those"):
        made(1, painter, pose=Photo.from_pixels(picture(200, 200, [FACE])))


def test_a_picture_without_a_face_is_said_to_be_one(source: tuple[Photo, Face]) -> None:
    listener, judge = FakeEmbedder("listener"), FakeEmbedder("judge")
    gallery = made(1, source=source, listener=listener, embedders=[judge], detector=FakeDetector([]))
    (portrait,) = gallery.portraits
    assert portrait.face is None and portrait.note == WITHOUT_FACE
    assert not portrait.similarity and portrait.summary is None


def test_the_listener_must_be_the_methods_own(source: tuple[Photo, Face]) -> None:
    with pytest.raises(ValueError, match="listens to listener"):
        made(1, source=source, listener=FakeEmbedder("another"))


def test_every_picture_shows_a_person_of_its_own_seed() -> None:
    texture, of = Texture(), space()
    gallery = made(PORTION + 1, texture, space=of, detector=Choosy(), recipe=asked(3))
    wishes, seeds = texture.asked[0]
    assert isinstance(wishes, list) and len(wishes) == PORTION and seeds[0] == 3
    for portrait in gallery.portraits:
        seed = portrait.recipe.seed
        assert portrait.recipe.person == Drawn(seed) and portrait.person is not None
        assert np.array_equal(portrait.person.embedding, of.draw(seed).embedding)
    recipe = Recipe.from_json(gallery.portraits[4].recipe.to_json())
    (again,) = made(1, Texture(), space=of, detector=Choosy(), recipe=recipe).portraits
    assert np.array_equal(again.photo.pixels, gallery.portraits[4].photo.pixels)
    assert again.recipe == recipe == gallery.portraits[4].recipe


def test_one_person_has_several_pictures_and_may_look_otherwise() -> None:
    texture, of = Texture(), space()
    gallery = made(2, texture, space=of, detector=Choosy(), recipe=replace(asked(8), person=Drawn(1)))
    ((wish, seeds),) = texture.asked
    assert isinstance(wish, Wish) and seeds == [8, 9]
    assert [portrait.recipe.person for portrait in gallery.portraits] == [Drawn(1), Drawn(1)]
    plan = shots(8, 2, Drawn(1), vary=0.2)
    looks = [p.person for p in made(2, texture, space=of, detector=Choosy(), plan=plan).portraits]
    assert all(one is not None and similarity(one, of.draw(1)) == pytest.approx(0.8, abs=1e-5) for one in looks)


def test_a_walk_keeps_the_seed_and_ends_at_the_people_it_was_asked_for() -> None:
    of = space()
    gallery = made(4, Texture(), space=of, detector=Choosy(), plan=walk(Drawn(1), Drawn(2), 4, seed=6))
    assert [portrait.recipe.seed for portrait in gallery.portraits] == [6] * 4
    first, last = gallery.portraits[0].person, gallery.portraits[-1].person
    assert first is not None and np.allclose(first.embedding, of.draw(1).embedding, atol=1e-5)
    assert last is not None and np.allclose(last.embedding, of.draw(2).embedding, atol=1e-5)


def test_nobody_is_told_where_anybody_is_asked_for_or_no_person_is_known() -> None:
    painter = Painter()
    gallery = made(2, painter, space=space(), recipe=FREE)
    assert all(wish.identity is None for wish, _ in painter.asked)
    assert [portrait.recipe.person for portrait in gallery.portraits] == [Anybody()] * 2
    assert all(portrait.recipe.person is None for portrait in made(2).portraits)
    with pytest.raises(UsageError, match="cannot draw a person"):
        made(1, recipe=replace(asked(), person=Drawn(3)))


def test_a_face_like_one_of_the_training_is_said_to_be_one() -> None:
    of, judges = space(), [FakeEmbedder("one")]
    of.embedder, of.near_known = "one", 0.8  # who measures how near the training people are, and what is remarkable
    (free,) = made(1, recipe=FREE, embedders=judges).portraits
    face = free.identities["one"].embedding
    of._known = np.stack([np.roll(face, 1), -face])
    (other,) = made(1, recipe=FREE, space=of, embedders=judges).portraits
    of._known = np.stack([face, -face])
    (alike,) = made(1, recipe=FREE, space=of, embedders=judges).portraits
    assert alike.nearest_known is not None and alike.nearest_known == pytest.approx((1, 0.8), abs=1e-5)
    assert "trained on" in alike.note and other.note == "" and free.nearest_known is None
    assert set(free.identities) == {"one"}


def test_a_photo_says_who_and_a_recipe_which_photo(source: tuple[Photo, Face]) -> None:
    more: dict[str, Any] = {"source": source, "listener": FakeEmbedder("listener"), "space": space()}
    (portrait,) = made(1, **more).portraits
    assert portrait.recipe.reference == source[0].content_hash and portrait.recipe.person is None
    assert portrait.person is not None and portrait.person.embedder == "listener"
    (other,) = made(1, **more, recipe=replace(asked(), person=Drawn(1))).portraits
    assert other.recipe.person is None, "the photo says who it is"
    with pytest.raises(ValueError, match="where a photo does"):
        made(1, **more, plan=(Shot(0, Drawn(1)),))


@pytest.mark.parametrize("count", [0, 1001])
def test_counts_have_bounds(count: int) -> None:
    with pytest.raises(UsageError):
        made(count)


def test_what_is_done_is_told_before_a_stop() -> None:
    told: list[Portrait] = []
    progress = Progress()

    def done(portrait: Portrait) -> None:
        told.append(portrait)
        if len(told) == 3:
            progress.cancel()

    with pytest.raises(Cancelled):
        made(20, progress=progress, done=done)
    assert [p.recipe.seed for p in told] == [0, 1, 2]


def test_looking_for_the_face_of_a_picture_is_stopped_at_its_next_step() -> None:
    progress, steps = Progress(), list[int]()

    class Slow:
        def detect(self, photo: Photo, heard: Progress | None = None) -> tuple[Face, ...]:
            for step in (heard or Progress()).track(range(3), "Finding faces"):
                steps.append(step)
                progress.cancel()
            return (FACE,)

    with pytest.raises(Cancelled):
        made(1, detector=Slow(), progress=progress)
    assert steps == [0]
