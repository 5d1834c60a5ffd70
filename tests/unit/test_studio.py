"""The facade: what it asks of what it loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facestudio.checkpoints import checkpoint
from facestudio.errors import CheckpointMissing
from facestudio.faces.face import Identity
from facestudio.faces.identity import Embedder
from facestudio.generating import Commission
from facestudio.importing import import_files
from facestudio.photo import Photo
from facestudio.progress import Cancelled, Progress
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.whom import Drawn
from tests import published
from tests.fakes import FakeEmbedder, SlowRestorer, face_at, fake_checkpoint, picture
from tests.people import Choosy, Texture, space

FACES = (face_at(80, 90, 110), face_at(220, 100, 90, 10), face_at(340, 90, 80))


class Judged(Studio):
    """A Studio with embedders that need no weights."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.judges: list[Any] = [FakeEmbedder("one"), FakeEmbedder("two")]

    def _embedders(self) -> list[Any]:
        return self.judges


@pytest.fixture
def photo() -> Photo:
    return Photo.from_pixels(picture(190, 400, FACES))


def test_an_embedder_is_asked_once_about_all_faces(photo: Photo) -> None:
    studio = Judged()
    found = studio.identities(photo, FACES)
    for judge in studio.judges:
        ((pixels, landmarks),) = judge.seen
        assert pixels is photo.pixels
        assert np.array_equal(landmarks, [face.landmarks for face in FACES])
    assert [set(of) for of in found] == [{"one", "two"}] * len(FACES)
    for face, of in zip(FACES, found, strict=True):
        alone = studio.identity(photo, face)
        assert all(np.array_equal(alone[name].embedding, of[name].embedding) for name in of)


def test_restoring_again_with_other_settings_embeds_only_what_changed(
    photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio, restorer, seen = Studio("cpu"), SlowRestorer(), []
    monkeypatch.setattr(studio, "_method", lambda checkpoint_id: restorer)

    def count(embedder: Embedder, crops: list[np.ndarray], plain: Any = Embedder._embedded) -> list[Identity]:
        seen.append((embedder.id, len(crops)))
        return plain(embedder, crops)

    monkeypatch.setattr(Embedder, "_embedded", count)
    for strength in (0.5, 1.0, 1.0, 0.0):
        studio.restore(photo, FACES, Recipe("slow-checkpoint", "slow", {"strength": strength}))
    faces, judges = len(FACES), [judge.id for judge in studio._embedders()]
    calls = {judge: [count for id, count in seen if id == judge] for judge in judges}
    # before and after; then what is new; then the same again, and what restores nothing, which are known
    assert calls == {judge: [faces, faces, faces] for judge in judges}


def test_nobody_in_the_photo_is_nobody(photo: Photo) -> None:
    assert Judged().identities(photo, ()) == ()


def test_measuring_is_stopped_between_two_embedders(photo: Photo) -> None:
    studio, progress = Judged(), Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        studio.identities(photo, FACES, progress)
    assert not any(judge.seen for judge in studio.judges)


def test_whom_a_method_listens_to_need_not_be_calibrated_but_be_here(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    table = {**published.tables()["tiny"], **published.BACKBONE, "accept": False}
    published.write_manifest(tmp_path / "weights", {"tiny": table})
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path / "weights"))
    studio, method = Studio("cpu"), SimpleNamespace(id="painter", embedder="tiny")
    monkeypatch.setattr(studio, "_synthesizer", lambda id: method)
    with pytest.raises(
        CheckpointMissing, match="painter follows the person in a photo through the recogniser tiny"
    ) as caught:
        studio.generate(Recipe("painter-weights", "painter", {}, 0), Commission(1, (photo, FACES[0])))
    assert caught.value.hint == "Get it under File > Weights, or with `facestudio weights get tiny`."
    torch.save(published.network(published.BACKBONE).state_dict(), tmp_path / "tiny.ckpt")
    import_files(checkpoint("tiny"), [tmp_path / "tiny.ckpt"], Progress())
    listener = studio._listener("tiny", "painter")
    assert listener.id == "tiny" and len(listener.embed(photo.pixels, FACES[0].landmarks).embedding) == 32
    assert not studio._embedders(), "it does not judge"


class Drawing(Judged):
    """A Studio whose method draws textures of people of a small space, and can draft."""

    def __init__(self) -> None:
        super().__init__()
        self.texture, self.people = Texture(), space()
        self.texture.draft = lambda options: replace(options, steps=1)  # type: ignore[attr-defined]

    def _synthesizer(self, checkpoint_id: str) -> Any:
        return self.texture

    def _space(self, method: Any) -> Any:
        return self.people

    def _detector(self) -> Any:
        return Choosy()

    def _finder(self) -> Any:
        return None

    def _panel(self) -> Any:
        return None


def test_a_draft_is_drawn_quickly_and_measured_by_nobody() -> None:
    studio = Drawing()
    recipe = Recipe("texture-weights", "texture", {"steps": 9}, 4)
    (draft,) = studio.generate(recipe, Commission(1, draft=True)).portraits
    assert draft.face is None and not draft.identities and not any(judge.seen for judge in studio.judges)
    assert draft.recipe.options == {"steps": 1} and draft.recipe.person == Drawn(4)
    (fine,) = studio.generate(recipe, Commission(1)).portraits
    assert fine.recipe.options == {"steps": 9} and set(fine.identities) == {"one", "two"}
    assert np.array_equal(fine.photo.pixels, draft.photo.pixels), "the same person and seed"


def test_pictures_are_compared_with_each_other() -> None:
    studio = Drawing()
    gallery = studio.generate(Recipe("texture-weights", "texture", {}, 4), Commission(3))
    studio.texture.embedder = "two"
    one, two = studio.alike(gallery.portraits, "texture-weights")
    assert (one.told, two.told) == (False, True) and one.cosines.shape == (3, 3)


def test_which_weights_can_be_told_people_who_do_not_exist() -> None:
    studio = Studio("cpu")
    assert studio.knows_people("starter-prior")
    assert not studio.knows_people("vec2face") and not studio.knows_people("starter-detector")
    assert not studio.knows_people("no-such")


def test_the_published_arc2face_drafts_in_few_steps() -> None:
    from facestudio.methods.arc2face import DRAFT, PublishedArc2Face, PublishedOptions
    from facestudio.methods.carriers import Carrier

    method = PublishedArc2Face(fake_checkpoint("published"), Carrier(None, {}, (4, 8, 8), lambda latents: latents))
    theirs = method.draft(PublishedOptions(steps=3, sampler="lcm"))
    assert theirs == PublishedOptions(steps=3, sampler="lcm"), "quick as it is"
    assert method.draft(PublishedOptions(steps=40)).steps == DRAFT
