from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio.errors import NoFaceFound, UsageError
from facestudio.faces.components import Choice, Explanation
from facestudio.faces.face import FFHQ_256, AlignedFace, similarity
from facestudio.faces.judging import Judges
from facestudio.outcomes import face_record
from facestudio.photo import Photo
from facestudio.pipeline import compare, face_seed, restore
from facestudio.progress import Cancelled, Progress, Update
from facestudio.subject import Subject
from tests.asking import asked
from tests.fakes import FakeEmbedder, SlowRestorer, face_at, fake_panel, photo_of, picture

FACES = (face_at(80, 90, 110), face_at(220, 100, 90, 10), face_at(340, 90, 80))


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    return photo_of(tmp_path / "photo.png", picture(190, 400, FACES))


def changed_near(photo: Photo, after: Photo) -> list[bool]:
    """For each of FACES whether the pixel between its eyes changed."""
    places = [np.rint(face.landmarks[:2].mean(axis=0)).astype(int) for face in FACES]
    return [bool((photo.pixels[y, x] != after.pixels[y, x]).any()) for x, y in places]


def test_every_face_is_restored_and_measured(photo: Photo) -> None:
    embedder = FakeEmbedder()
    result = restore(Subject(photo, FACES), SlowRestorer(), asked(seed=5), judges=Judges([embedder]))
    assert result.status == "ok"
    assert result.error is None
    assert result.before is photo
    assert changed_near(photo, result.after) == [True, True, True]
    for index, face in enumerate(result.faces):
        assert (face.index, face.status, face.face) == (index, "restored", FACES[index])
        assert face.similarity[embedder.id] < 0  # the negative of a face is no longer that face
        assert face.summary is not None
        assert face.summary.words == "changed"
        assert face.aligned_before is not None
        assert face.aligned_after is not None
        assert face.aligned_before.template is FFHQ_256
        assert (face.aligned_before.matrix == face.aligned_after.matrix).all()


def test_before_and_after_are_embedded_with_the_same_landmarks(photo: Photo) -> None:
    embedder = FakeEmbedder()
    result = restore(Subject(photo, FACES), SlowRestorer(), judges=Judges([embedder]))
    was, now = embedder.seen  # one call a photo, for all faces
    assert was[0] is photo.pixels
    assert now[0] is result.after.pixels
    assert np.array_equal(was[1], [face.landmarks for face in FACES])
    assert np.array_equal(now[1], was[1])


def test_each_face_gets_its_own_measure(photo: Photo) -> None:
    embedder, alone = FakeEmbedder(), FakeEmbedder()
    result = restore(Subject(photo, FACES, {0, 1, 2}), SlowRestorer(fails=[1]), judges=Judges([embedder]))
    assert [len(landmarks) for _, landmarks in embedder.seen] == [2, 2]
    for index in (0, 2):
        pair = (alone.embed(p.pixels, FACES[index].landmarks) for p in (photo, result.after))
        assert result.faces[index].similarity[embedder.id] == pytest.approx(similarity(*pair))
    assert result.faces[1].similarity == {}


def test_an_embedder_that_the_method_listens_to_does_not_judge(photo: Photo) -> None:
    listened, other = FakeEmbedder("listened"), FakeEmbedder("other")
    result = restore(
        Subject(photo, FACES), SlowRestorer(conditioned_on=("listened",)), judges=Judges([listened, other])
    )
    assert not listened.seen
    assert all(set(face.similarity) == set(face.verdicts) == {"other"} for face in result.faces)


def test_the_most_cautious_verdict_speaks(photo: Photo) -> None:
    lax = {"1e-3": -1.0, "1e-1": -1.0}
    soft = FakeEmbedder("soft", thresholds=lax, same_mean=-0.5, same_std=0.1, different_mean=-1.0, different_std=0.1)
    hard = FakeEmbedder("hard")
    result = restore(Subject(photo, FACES[:1]), SlowRestorer(), judges=Judges([soft, hard]))
    (face,) = result.faces
    assert face.verdicts["soft"].words == "same person"
    assert face.summary is not None
    assert face.summary.words == face.verdicts["hard"].words == "changed"


def test_a_panel_decides_and_a_poor_face_is_not_judged(photo: Photo) -> None:
    judges = [FakeEmbedder("soft"), FakeEmbedder("hard")]
    panel = fake_panel(["soft", "hard"], qualities=[0.9, 0.8, 0.1])
    first, _, third = restore(Subject(photo, FACES), SlowRestorer(), judges=Judges(judges, panel)).faces
    assert first.summary is not None and first.summary.score is not None and third.summary is not None
    assert (first.summary.words, first.summary.quality) == ("changed", (0.9, 0.9))
    assert third.summary.words == "cannot be judged"
    assert third.summary.sentence.startswith("Cannot be judged: both faces are too poor")
    assert not third.summary.success


def test_a_panel_that_fails_leaves_the_verdicts_and_says_so(photo: Photo) -> None:
    panel = fake_panel(["judge", "other"], qualities=[])
    (face,) = restore(Subject(photo, FACES[:1]), SlowRestorer(), judges=Judges([FakeEmbedder("judge")], panel)).faces
    assert face.summary is not None and face.summary.words == face.verdicts["judge"].words
    assert face.error == "Restored, but how recognisable it is could not be measured: This measure was told to fail."


def test_comparing_asks_the_panel_about_both_faces(photo: Photo) -> None:
    judges = [FakeEmbedder("soft"), FakeEmbedder("hard")]
    same = compare((photo, FACES[0]), (photo, FACES[0]), Judges(judges, fake_panel(["soft", "hard"], [0.7])))
    assert same.summary is not None
    assert (same.summary.words, same.summary.quality) == ("same person", (0.7, 0.7))
    assert same.summary.agreement == "both recognisers agree"


def test_one_face_failing_leaves_the_others_done(photo: Photo) -> None:
    result = restore(Subject(photo, FACES), SlowRestorer(fails=[1]), judges=Judges([FakeEmbedder()]))
    assert [face.status for face in result.faces] == ["restored", "failed", "restored"]
    assert changed_near(photo, result.after) == [True, False, True]
    failed = result.faces[1]
    assert failed.error == "Call 1 was told to fail."
    assert not failed.similarity
    assert failed.aligned_after is None
    assert (result.status, result.error) == ("partial", "Face 2: Call 1 was told to fail.")


def test_all_failing_is_failed_and_the_photo_is_what_it_was(photo: Photo) -> None:
    result = restore(Subject(photo, FACES), SlowRestorer(fails=range(3)))
    assert result.status == "failed"
    assert np.array_equal(result.after.pixels, photo.pixels)


def test_a_mistake_in_a_method_is_not_swallowed(photo: Photo) -> None:
    class Broken(SlowRestorer):
        def __call__(self, *args: object) -> None:  # type: ignore[override]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        restore(Subject(photo, FACES), Broken())


def test_a_judge_that_fails_leaves_the_restoration_and_says_so(photo: Photo) -> None:
    judges = [FakeEmbedder("broken", fails=True), FakeEmbedder("sound")]
    result = restore(Subject(photo, FACES[:1]), SlowRestorer(), judges=Judges(judges))
    (face,) = result.faces
    assert (face.status, result.status) == ("restored", "ok")
    assert set(face.similarity) == {"sound"}
    assert face.error == "Restored, but broken could not measure it: This embedder was told to fail."


def test_a_judge_without_calibration_says_nothing(photo: Photo) -> None:
    judges = [FakeEmbedder("bare", thresholds={}), FakeEmbedder("sound"), FakeEmbedder("broken", fails=True)]
    (face,) = restore(Subject(photo, FACES[:1]), SlowRestorer(), judges=Judges(judges)).faces
    assert set(face.similarity) == set(face.verdicts) == {"sound"}
    assert face.error is not None
    assert "bare could not" in face.error and "broken could not" in face.error


def test_measuring_can_be_stopped(photo: Photo) -> None:
    judges = [FakeEmbedder("first"), FakeEmbedder("second")]

    def stop_then(update: Update) -> None:
        if update.stage == "Measuring identity":
            progress.cancel()

    progress = Progress(stop_then, every=0)
    with pytest.raises(Cancelled):
        restore(Subject(photo, FACES), SlowRestorer(), judges=Judges(judges), progress=progress)
    assert len(judges[0].seen) == 1
    assert not judges[1].seen


def test_only_the_selected_faces_are_touched(photo: Photo) -> None:
    result = restore(Subject(photo, FACES, {2}), SlowRestorer(), judges=Judges([FakeEmbedder()]))
    assert [face.status for face in result.faces] == ["skipped", "skipped", "restored"]
    assert changed_near(photo, result.after) == [False, False, True]
    assert restore(Subject(photo, FACES, set()), SlowRestorer()).status == "skipped"


def test_nonsense_is_refused_before_any_work(photo: Photo) -> None:
    restorer = SlowRestorer()
    with pytest.raises(NoFaceFound) as caught:
        restore(Subject(photo, ()), restorer)
    assert caught.value.hint
    with pytest.raises(UsageError, match="no face 7 in this photo: it shows . faces, counted from 0") as refused:
        restore(Subject(photo, FACES, {0, 7}), restorer)
    assert "facestudio detect" in refused.value.hint
    with pytest.raises(UsageError, match="Strength"):
        restore(Subject(photo, FACES), restorer, asked(strength=3))
    assert restorer.seeds == []


def test_cancel_passes_through(photo: Photo) -> None:
    restorer = SlowRestorer(steps=1000, seconds=0.002)
    progress = Progress()
    updates: list[Update] = []

    def stop_soon(update: Update) -> None:
        updates.append(update)
        if update.stage == "Working slowly":
            progress.cancel()

    progress = Progress(stop_soon)
    with pytest.raises(Cancelled):
        restore(Subject(photo, FACES), restorer, progress=progress)
    assert (restorer.finished, len(restorer.seeds)) == (0, 1)


def test_strength_is_applied_by_the_pipeline(photo: Photo) -> None:
    none = restore(Subject(photo, FACES), SlowRestorer(), asked(strength=0))
    assert np.array_equal(none.after.pixels, photo.pixels)
    half, full = (restore(Subject(photo, FACES[:1]), SlowRestorer(), asked(strength=s)).after for s in (0.5, 1.0))
    before = photo.pixels.astype(int)
    assert 0 < np.abs(half.pixels - before).sum() < np.abs(full.pixels - before).sum()


def test_the_recipe_tells_how_it_was_made(photo: Photo) -> None:
    recipe = restore(Subject(photo, FACES), SlowRestorer(), asked(seed=9)).recipe
    assert (recipe.checkpoint, recipe.method, recipe.seed) == ("slow-checkpoint", "slow", 9)
    assert recipe.options == {"strength": 1.0}


def test_randomness_depends_on_content_face_and_seed_alone(photo: Photo, tmp_path: Path) -> None:
    first, again = SlowRestorer(), SlowRestorer()
    restore(Subject(photo, FACES), first, asked(seed=1))
    renamed = photo_of(tmp_path / "elsewhere" / "other name.png", picture(190, 400, FACES))
    restore(Subject(renamed, FACES, {1, 2}), again, asked(seed=1))
    assert again.seeds == first.seeds[1:]
    assert len(set(first.seeds)) == 3
    assert face_seed(photo, 0, 1) != face_seed(photo, 0, 2)
    assert 0 <= face_seed(photo, 0, 1) < 2**63


def test_a_face_larger_than_the_crop_gets_a_note(tmp_path: Path) -> None:
    faces = (face_at(200, 200, 380), face_at(480, 100, 120))
    large = photo_of(tmp_path / "large.png", picture(400, 560, faces))
    result = restore(Subject(large, faces), SlowRestorer(), judges=Judges([FakeEmbedder()]))
    assert "256 px" in result.faces[0].notes[0] and "is lost" in result.faces[0].notes[0]
    assert result.faces[1].notes == ()


def test_a_large_face_that_is_sharp_keeps_its_detail_and_the_note_says_so(tmp_path: Path) -> None:
    face = face_at(200, 200, 380)
    pixels = picture(400, 560, [face])
    pixels[120:200:5, 100:300] = 40  # lines finer than the crop shows, over the eyes
    sharp = photo_of(tmp_path / "sharp.png", pixels)
    result = restore(Subject(sharp, (face,)), SlowRestorer(), judges=Judges([FakeEmbedder()]))
    assert "stays" in result.faces[0].notes[0]


def test_a_face_that_nobody_may_judge_says_so(photo: Photo) -> None:
    (face,) = restore(Subject(photo, (FACES[0],)), SlowRestorer()).faces
    assert "not measured" in face.notes[-1]


def test_overlapping_faces_build_on_one_another(tmp_path: Path) -> None:
    twins = (face_at(150, 150, 160), face_at(150, 150, 160))
    photo = photo_of(tmp_path / "twins.png", picture(300, 300, twins[:1]))
    after = restore(Subject(photo, twins), SlowRestorer()).after  # the negative of the negative
    assert np.abs(after.pixels[140:160, 140:160].astype(int) - photo.pixels[140:160, 140:160]).mean() < 8


def test_an_aligned_crop_is_replaced_to_its_edge(tmp_path: Path) -> None:
    crop = photo_of(tmp_path / "crop.png", picture(256, 256, [face_at(128, 128, 256)]))
    result = restore(Subject.aligned(crop, SlowRestorer().template), SlowRestorer(), judges=Judges([FakeEmbedder()]))
    assert np.array_equal(result.after.pixels, 255 - crop.pixels)
    assert result.status == "ok"


def test_progress_names_its_stages(photo: Photo) -> None:
    updates: list[Update] = []
    restore(
        Subject(photo, FACES),
        SlowRestorer(),
        judges=Judges([FakeEmbedder()]),
        progress=Progress(updates.append, every=0),
    )
    stages = list(dict.fromkeys(update.stage for update in updates))
    assert stages == ["Restoring faces", "Working slowly", "Measuring identity"]
    assert updates[-1].fraction == 1
    assert any(update.preview is not None for update in updates)


def test_a_photo_of_a_batch_is_done_when_it_is_measured(photo: Photo) -> None:
    updates: list[Update] = []
    progress = Progress(updates.append, every=0)
    for _ in progress.track(range(1), "Photos"):
        restore(Subject(photo, FACES), SlowRestorer(), judges=Judges([FakeEmbedder()]), progress=progress)
    fractions = [update.fraction for update in updates]
    assert fractions == sorted(fractions)
    assert max(u.fraction for u in updates if u.stage == "Restoring faces") < 0.9
    assert next(u.fraction for u in updates if u.stage == "Measuring identity") < 0.9


def test_compare_says_how_alike_two_faces_are(photo: Photo) -> None:
    embedder = FakeEmbedder()
    same = compare((photo, FACES[0]), (photo, FACES[0]), Judges([embedder]))
    other = compare((photo, FACES[0]), (photo, FACES[2]), Judges([embedder], far=1e-4))
    assert same.similarity[embedder.id] == pytest.approx(1)
    assert same.verdicts[embedder.id].words == "same person"
    assert other.similarity[embedder.id] < same.similarity[embedder.id]
    assert other.verdicts[embedder.id].far == 1e-4


def test_a_black_and_white_photo_is_not_tinted() -> None:
    from facestudio.faces.align import align
    from facestudio.faces.face import FFHQ_256, AlignedFace
    from facestudio.faces.tone import colourless, without_colour

    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 1), dtype=np.uint8).repeat(3, axis=2)
    crop = align(picture, FFHQ_256.points / 4, FFHQ_256)
    assert colourless(crop)
    tinted = crop.pixels.copy()
    tinted[..., 0] = 255 - tinted[..., 0]
    made = AlignedFace(tinted, crop.matrix, FFHQ_256)
    assert not colourless(made)
    assert colourless(without_colour(made))


def test_a_method_that_can_tell_how_is_asked(photo: Photo) -> None:
    """What DFDNet chose arrives with the face and in the report; what it left alone is said in words."""

    class Telling(SlowRestorer):
        def explained(
            self, aligned: AlignedFace, options: Any, progress: Progress, seed: int
        ) -> tuple[AlignedFace, Explanation]:
            chosen = (Choice("mouth", 64, 3, 8, 0.5),)
            return self(aligned, options, progress, seed), Explanation(chosen, skipped=("left_eye",))

    told = restore(Subject(photo, FACES[:1]), Telling()).faces[0]
    silent = restore(Subject(photo, FACES[:1]), SlowRestorer()).faces[0]
    assert told.explanation is not None and told.explanation.of("mouth")[0].entry == 3
    assert "left eye" in told.notes[-1]
    choice = {"component": "mouth", "scale": 64, "entry": 3, "entries": 8, "confidence": 0.5}
    assert face_record(told)["explanation"] == [choice]
    assert silent.explanation is None and "explanation" not in face_record(silent)
