"""The story of anonymized faces: verified by those who may judge, tried again, hidden in the end, and never passed off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio.anonymized import WRITTEN, Anonymized, AnonymizedFace
from facestudio.anonymizing import FOUND, UNSURE
from facestudio.checkpoints import checkpoint
from facestudio.cli.anonymize import _text as told
from facestudio.cluster import _without_pictures
from facestudio.decoding import deep_note
from facestudio.errors import FaceStudioError, UsageError
from facestudio.faces.align import align
from facestudio.faces.face import FFHQ_256, AlignedFace, Face, Identity
from facestudio.gui.anonymize_rows import Row
from facestudio.methods.base import load_method
from facestudio.outcomes import Outcome
from facestudio.photo import Photo
from facestudio.pipeline import face_seed
from facestudio.progress import Cancelled, Progress, Update
from tests.asking import anonymized
from tests.fakes import FakeDetector, FakeEmbedder, SlowRestorer, face_at, fake_checkpoint, fake_panel, picture
from tests.unit.test_tone import off_tone, sepia

FACES = (face_at(80, 90, 110), face_at(220, 100, 90, 10), face_at(340, 90, 80))
NOBODY = FakeDetector(())


@pytest.fixture
def photo() -> Photo:
    return Photo.from_pixels(picture(190, 400, FACES))


def method(name: str) -> Any:
    return load_method(checkpoint(name), "cpu")


class Stubborn(SlowRestorer):
    """A generator whose first `idle` calls for each photo change nothing; remembers its seeds."""

    def __init__(self, idle: int, **settings: Any) -> None:
        super().__init__(goal="change", **settings)
        self.idle = idle

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        made = super().__call__(aligned, options, progress, seed)
        return aligned if len(self.seeds) <= self.idle else made


class Eyes(FakeDetector):
    """Finds one set of faces after the other, and remembers from which score on it was asked."""

    def __init__(self, *found: Sequence[Face]) -> None:
        super().__init__(())
        self.found = list(found)
        self.asked: list[float] = []
        self.photos: list[Any] = []

    def detect(self, photo: Any, progress: Progress | None = None, minimum_score: float = 0.5) -> tuple[Face, ...]:
        super().detect(photo, progress)
        self.asked.append(minimum_score)
        self.photos.append(photo)
        return tuple(self.found.pop(0)) if self.found else ()


def done(photo: Photo, anonymizer: Any, faces: Sequence[Face] = FACES[:1], **settings: Any) -> Anonymized:
    settings = {"detector": NOBODY, "embedders": [FakeEmbedder()], "fallback": method("solid"), **settings}
    return anonymized(photo, faces, anonymizer, **settings)


def only(result: Anonymized) -> AnonymizedFace:
    (face,) = result.faces
    assert isinstance(face, AnonymizedFace)
    return face


def changed_near(photo: Photo, after: Photo) -> list[bool]:
    places = [np.rint(face.landmarks[:2].mean(axis=0)).astype(int) for face in FACES]
    return [bool((photo.pixels[y, x] != after.pixels[y, x]).any()) for x, y in places]


def test_every_face_is_hidden_and_verified(photo: Photo) -> None:
    result = done(photo, method("solid"), FACES, seed=3)
    assert (result.status, result.error, result.writable, result.generative) == ("verified", None, True, False)
    assert result.before is photo
    assert changed_near(photo, result.after) == [True] * 3
    for index, face in enumerate(result.faces):
        assert isinstance(face, AnonymizedFace)
        assert (face.index, face.status, face.method, face.erased) == (index, "verified", "solid", True)
        assert face.verdicts["fake-embedder"].words == "changed"
        assert face.verdicts["fake-embedder"].goal == "change"
        assert face.summary is not None and face.summary.success
        assert [one.obstacle for one in face.tries] == [""]
        assert set(face.tries[0].cosines) == {"crop", "photo"}
    assert result.recipe.method == "solid" and result.recipe.seed == 3


def test_pixels_outside_of_the_mask_are_those_of_the_photo(photo: Photo) -> None:
    result = done(photo, method("solid"), FACES)
    left, top, right, bottom = (np.array([face.box for face in FACES]).T).round().astype(int)
    far = np.ones(photo.pixels.shape[:2], bool)
    for n in range(3):
        reach = (right[n] - left[n]) // 2
        far[max(top[n] - reach, 0) : bottom[n] + reach, max(left[n] - reach, 0) : right[n] + reach] = False
    assert far.sum() > 5000
    assert np.array_equal(result.after.pixels[far], photo.pixels[far])


def test_a_weak_blur_is_found_out_made_stronger_and_in_the_end_replaced(photo: Photo) -> None:
    blur = method("blur")
    face = only(done(photo, blur, options=blur.Options(radius=1.0), tries=2))
    assert (face.status, face.method) == ("fallback", "solid")
    assert [(one.method, bool(one.obstacle)) for one in face.tries] == [
        ("blur", True),
        ("blur", True),
        ("solid", False),
    ]
    first, second, _ = face.tries
    assert "says same person" in first.obstacle and first.cosines["crop"]["fake-embedder"] > 0.8
    assert second.options["radius"] > first.options["radius"]
    said = f"Hidden by solid, because it was not verified after 2 tries with blur. {second.obstacle}"
    assert face.notes[0] == said and second.obstacle.startswith("fake-embedder says")
    assert face.details()["fallback"] and [one["method"] for one in face.details()["tries"]] == [
        "blur",
        "blur",
        "solid",
    ]
    assert not only(done(photo, method("solid"))).details()["fallback"]


def test_without_a_fallback_it_needs_review_and_is_not_written(photo: Photo) -> None:
    blur = method("blur")
    result = done(photo, blur, options=blur.Options(radius=1.0), tries=1, fallback=None)
    face = only(result)
    assert (face.status, face.method, face.erased) == ("needs review", "blur", False)
    assert face.error is not None and "says same person" in face.error
    assert (result.status, result.writable) == ("needs review", False)
    assert result.error is not None and result.error.endswith("Nothing was written.")


def test_a_generated_face_is_tried_again_with_another_seed(photo: Photo) -> None:
    stubborn = Stubborn(idle=2)
    result = done(photo, stubborn, seed=5)
    face = only(result)
    assert (face.status, face.method, face.generative) == ("verified", "slow", True)
    assert (len(stubborn.seeds), len(set(stubborn.seeds))) == (3, 3)
    assert stubborn.seeds[0] == face_seed(photo, 0, 5)
    assert [one.seed for one in face.tries] == stubborn.seeds
    assert result.generative
    again = Stubborn(idle=2)
    done(Photo.from_pixels(photo.pixels), again, seed=5)
    assert again.seeds == stubborn.seeds


def test_a_generator_that_can_is_asked_for_more(photo: Photo) -> None:
    class Rising(Stubborn):
        def stronger(self, options: Any) -> Any | None:
            return self.Options(strength=options.strength + 0.25) if options.strength < 1 else None

    rising = Rising(idle=99)
    face = only(done(photo, rising, options=Rising.Options(strength=0.5), tries=4))
    tried = [one for one in face.tries if one.method == "slow"]
    assert [one.options["strength"] for one in tried] == [0.5, 0.75, 1.0, 1.0]
    assert len({one.seed for one in tried}) == 4


def test_after_all_tries_a_generated_face_is_hidden(photo: Photo) -> None:
    stubborn = Stubborn(idle=99)
    result = done(photo, stubborn, tries=3)
    face = only(result)
    assert (len(stubborn.seeds), face.status, face.method) == (3, "fallback", "solid")
    assert (result.status, result.generative, result.writable) == ("fallback", False, True)


def test_a_method_that_fails_is_a_try_and_never_returns_the_face(photo: Photo) -> None:
    face = only(done(photo, SlowRestorer(goal="change", fails=range(99)), tries=2))
    assert (face.status, face.method, [one.obstacle for one in face.tries]) == (
        "fallback",
        "solid",
        ["Call 0 was told to fail.", "Call 1 was told to fail.", ""],
    )
    result = done(photo, SlowRestorer(goal="change", fails=range(99)), FACES[:2], tries=2, fallback=None)
    assert [face.status for face in result.faces] == ["failed", "failed"]
    assert (result.status, result.writable) == ("failed", False)
    assert np.array_equal(result.after.pixels, photo.pixels)
    assert result.error is not None and "Face 1: Call" in result.error


def test_the_judge_that_the_method_listens_to_has_no_say(photo: Photo) -> None:
    listened, other = FakeEmbedder("listened"), FakeEmbedder("other")
    stubborn = Stubborn(idle=0, conditioned_on=("listened",))
    face = only(done(photo, stubborn, embedders=[listened, other]))
    assert not listened.seen
    assert (face.status, set(face.similarity)) == ("verified", {"other"})


def test_what_hides_a_face_listens_to_nobody_so_all_judge_it(photo: Photo) -> None:
    knowing, blind = Stuck("knowing"), FakeEmbedder("blind", thresholds={"1e-3": 2.0, "1e-1": 1.9})
    stubborn = Stubborn(idle=0, conditioned_on=("knowing",), fails=range(9))
    result = done(photo, stubborn, embedders=[knowing, blind], fallback=method("blur"))
    face = only(result)
    assert (face.status, face.method, result.writable) == ("needs review", "blur", False)
    assert "knowing says same person" in (face.error or "")
    both = done(photo, Stubborn(idle=0, conditioned_on=("knowing",)), embedders=[knowing, blind])
    assert (only(both).status, set(only(both).similarity)) == ("verified", {"blind"})


def test_without_judges_nothing_is_verified(photo: Photo) -> None:
    result = done(photo, method("solid"), embedders=[])
    assert (result.status, result.writable) == ("needs review", True)  # hidden all the same, so it may be written
    assert "No recogniser is here" in (result.error or "")
    stubborn = Stubborn(idle=0, conditioned_on=("fake-embedder",))
    assert not done(photo, stubborn, fallback=None).writable


@pytest.mark.parametrize("trouble", ["fails", "uncalibrated"])
def test_a_judge_that_fails_leaves_nothing_verified(photo: Photo, trouble: str) -> None:
    broken = FakeEmbedder("broken", fails=True) if trouble == "fails" else FakeEmbedder("broken", thresholds={})
    face = only(done(photo, method("solid"), embedders=[FakeEmbedder("sound"), broken]))
    assert face.status == "needs review"
    assert face.error is not None and face.error.startswith("broken could not judge it")
    assert set(face.similarity) == {"sound"}


def test_every_judge_must_agree(photo: Photo) -> None:
    """One that still says "uncertain" is enough to go on."""
    wary = FakeEmbedder("wary", thresholds={"1e-3": 0.9, "1e-1": -1.0})
    face = only(done(photo, Stubborn(idle=0), embedders=[FakeEmbedder(), wary], tries=1))
    assert face.status == "needs review" and face.method == "solid"
    assert "wary says uncertain" in (face.error or "")


def test_the_face_is_looked_at_as_it_is_found_again(photo: Photo) -> None:
    seen = Face(FACES[0].box + 2, FACES[0].landmarks + 2, 0.35)
    eyes, embedder = Eyes([seen]), FakeEmbedder()
    result = done(photo, Stubborn(idle=0), detector=eyes, embedders=[embedder])
    face = only(result)
    assert face.found_again is seen and result.missed == ()
    assert set(face.tries[-1].cosines) == {"crop", "photo", "found again"}
    assert eyes.asked == [UNSURE] and UNSURE < FOUND
    assert any(np.array_equal(marks, [seen.landmarks]) for _, marks in embedder.seen)
    assert face.details()["found_again"] == pytest.approx(0.35)


def test_before_and_after_are_embedded_with_the_same_landmarks(photo: Photo) -> None:
    embedder = FakeEmbedder()
    result = done(photo, method("solid"), FACES, embedders=[embedder])
    whole = [(pixels, marks) for pixels, marks in embedder.seen if pixels.shape == photo.pixels.shape]
    (_, before), (finished, after) = whole
    assert np.array_equal(before, [face.landmarks for face in FACES]) and np.array_equal(before, after)
    assert np.array_equal(finished, result.after.pixels)


def test_what_the_finished_photo_shows_decides(photo: Photo) -> None:
    """A crop that passes, of which the photo shows only a trace, does not pass."""

    class Faint(FakeEmbedder):
        """Knows everybody in the photo at a second look, whatever the crop shows."""

        def embed_all(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> Any:
            if pixels.shape == photo.pixels.shape:
                return super().embed_all(photo.pixels, landmarks, progress)
            return super().embed_all(pixels, landmarks, progress)

    stubborn = Stubborn(idle=0)
    face = only(done(photo, stubborn, embedders=[Faint()], tries=2, fallback=None))
    assert face.status == "needs review" and len(stubborn.seeds) == 2
    assert "in the finished photo" in (face.error or "")


def test_a_face_that_nobody_worked_on_is_pointed_out(photo: Photo) -> None:
    other = Face(FACES[2].box, FACES[2].landmarks, 0.25)
    result = done(photo, method("solid"), detector=Eyes([other]))
    assert (result.status, result.missed, result.writable) == ("needs review", (other,), True)
    assert f"Possible missed face: 56 x 56 px at 312, 62. {WRITTEN}" in (result.error or "")
    assert result.details()["possible_missed_faces"][0]["score"] == 0.25
    part = Face(FACES[0].box + np.array([20, 20, -20, -20]), FACES[0].landmarks, 0.3)
    assert done(photo, method("solid"), detector=Eyes([part])).missed == ()


def test_a_face_that_was_left_on_purpose_is_not_a_missed_one(photo: Photo) -> None:
    result = done(photo, method("solid"), FACES, selected={0}, detector=Eyes([FACES[1]]))
    assert [face.status for face in result.faces] == ["verified", "skipped", "skipped"]
    assert result.missed == ()
    assert changed_near(photo, result.after) == [True, False, False]
    assert done(photo, method("solid"), FACES, selected=set()).status == "skipped"


def test_a_photo_with_faces_that_were_not_chosen_is_not_verified(photo: Photo) -> None:
    """They are as recognisable as before, and nobody may have known of them: `--faces largest` is said of a whole folder."""
    result = done(photo, method("solid"), FACES, selected={0})
    assert (result.status, result.writable) == ("needs review", True)
    assert result.error == "2 faces were not chosen: they are left as they are and may be recognised."
    assert result.faces[1].error == "It was not chosen, so it is left as it is."
    assert done(photo, method("solid"), FACES[:2], selected={0}).error == (
        "1 face was not chosen: it is left as it is and may be recognised."
    )
    assert done(photo, method("solid"), FACES[:1], selected={0}).status == "verified"


def test_whoever_knows_of_the_others_leaves_them_as_they_are_and_the_photo_says_so(photo: Photo) -> None:
    result = done(photo, method("solid"), FACES, selected={0}, leave=True)
    assert [face.status for face in result.faces] == ["verified", "left as is", "left as is"]
    assert (result.status, result.writable) == ("left as is", True)
    assert result.error is not None and "Face 3: It was not chosen and is left as it is, as asked" in result.error
    assert changed_near(photo, result.after) == [True, False, False]


class Glimpsing(Eyes):
    """Is unsure of a small face, which it takes for one when it sees it larger."""

    finder = None

    def survey(self, photo: Any, progress: Progress | None = None, minimum_score: float = 0.5) -> Any:
        small = Face(np.array([200.0, 20.0, 212.0, 34.0]), np.full((5, 2), 27.0), 0.4)
        return self.detect(photo, progress, minimum_score), (small, *FACES)

    def candidates(self, pixels: np.ndarray, minimum_score: float) -> Any:
        height, width = pixels.shape[:2]
        box = np.array([width / 3, height / 3, width / 1.5, height / 1.5])
        return box[None], np.full((1, 5, 2), width / 2), np.array([0.6])


def test_a_small_face_that_shows_only_when_it_is_enlarged_is_pointed_out(photo: Photo) -> None:
    result = done(photo, method("solid"), FACES, detector=Glimpsing())
    assert result.status == "needs review"
    (missed,) = result.missed
    assert missed.score == pytest.approx(0.6) and np.abs(missed.box - (200, 20, 212, 34)).max() < 4


def test_a_photo_without_a_face_is_looked_at_once_more(photo: Photo) -> None:
    nobody = done(photo, method("solid"), ())
    assert (nobody.status, nobody.error, nobody.writable) == ("no face", None, True)
    assert np.array_equal(nobody.after.pixels, photo.pixels)
    assert done(photo, method("solid"), (), detector=Eyes([FACES[0]])).status == "needs review"


def test_a_face_that_nobody_could_recognise_is_verified_only_when_nothing_is_left(photo: Photo) -> None:
    judges = [FakeEmbedder("soft"), FakeEmbedder("hard")]
    poor = fake_panel(["soft", "hard"], qualities=[0.1])
    solid = only(done(photo, method("solid"), embedders=judges, panel=poor))
    assert (solid.status, len(solid.tries)) == ("verified", 1)
    assert "nothing of it is left" in solid.notes[0]
    blurred = only(done(photo, method("blur"), embedders=judges, panel=poor))
    assert (blurred.status, blurred.method) == ("fallback", "solid")
    assert [one.method for one in blurred.tries] == ["blur", "solid"]
    assert "too poor to be recognised before (10%, 30% is needed)" in blurred.tries[0].obstacle
    left = done(photo, method("blur"), embedders=judges, panel=poor, fallback=None)
    assert (left.status, left.writable) == ("needs review", False)
    assert only(left).summary.words == "cannot be judged"  # type: ignore[union-attr]


class Stuck(FakeEmbedder):
    """A judge that takes everything for the same person, as one does that sees nothing but what lies around a block."""

    def embed_all(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> Any:
        return tuple(Identity(np.ones(8), self.id) for _ in landmarks)


TINY = face_at(80, 90, 24)


@pytest.mark.parametrize("name", ["pixelate", "solid"])
def test_a_tiny_face_that_is_known_however_it_is_changed_ends_below_a_block(photo: Photo, name: str) -> None:
    way = method(name)
    result = done(photo, way, (TINY,), embedders=[Stuck()], fallback=way, eraser=method("solid"))
    face = only(result)
    assert result.writable and result.error is None
    assert (face.status, face.method, face.erased) == ("verified" if name == "solid" else "fallback", "solid", True)
    assert face.tries[-1].options["area"] == "head" and all(
        "says same person" in one.obstacle for one in face.tries[:-1]
    )
    why = "Nothing of it is left: what is said of it is of what lies around it. fake-embedder says same person"
    assert any(note.startswith(why) for note in face.notes)
    left, top, right, bottom = np.rint(TINY.box).astype(int)
    assert (result.after.pixels[top:bottom, left:right] == 0).all(axis=2).mean() > 0.9


def test_a_tiny_face_that_is_found_again_below_its_block_needs_review(photo: Photo) -> None:
    result = done(photo, method("solid"), (TINY,), embedders=[Stuck()], detector=FakeDetector((TINY,)))
    assert only(result).status == "needs review"


def test_only_tiny_faces_are_hidden_by_what_nobody_asked_for(photo: Photo) -> None:
    settings: dict[str, Any] = {"embedders": [Stuck()], "fallback": method("pixelate"), "eraser": method("solid")}
    large = only(done(photo, method("blur"), **settings))
    assert (large.status, large.method) == ("needs review", "pixelate")
    alone = only(done(photo, method("blur"), (TINY,), **{**settings, "fallback": None, "eraser": None}))
    assert (alone.status, alone.method) == ("needs review", "blur"), "nor is one where no fallback is wanted"


def test_that_nobody_can_be_recognised_any_more_is_no_obstacle(photo: Photo) -> None:
    judges = [FakeEmbedder("soft"), FakeEmbedder("hard")]
    panel = fake_panel(["soft", "hard"], qualities=[])
    seen: list[float] = [0.9, 0.05]
    panel.quality = lambda pixels, landmarks, progress=None: (seen.pop(0),) * len(landmarks)  # type: ignore[method-assign]
    face = only(done(photo, method("solid"), embedders=judges, panel=panel))
    assert face.status == "verified" and face.summary is not None
    assert (face.summary.words, face.summary.quality) == ("changed", (0.9, 0.05))
    assert "Nobody can be recognised in it any more (5%, 30% is needed)." in face.notes


def test_a_measure_of_quality_that_fails_leaves_nothing_verified(photo: Photo) -> None:
    panel = fake_panel(["fake-embedder"], qualities=[])
    face = only(done(photo, method("solid"), panel=panel))
    assert face.status == "needs review" and "could not be measured" in (face.error or "")


def test_faces_that_overlap_do_not_undo_each_other(photo: Photo) -> None:
    pair = (face_at(100, 95, 110), face_at(150, 95, 110))
    together = Photo.from_pixels(picture(190, 400, pair))
    result = done(together, method("solid"), pair)
    assert result.status == "verified"
    for face in pair:
        for x, y in np.rint(face.landmarks).astype(int):
            assert not result.after.pixels[y, x].any()


def test_a_black_and_white_photo_stays_so(photo: Photo) -> None:
    grey = Photo.from_pixels(np.repeat(photo.pixels[..., :1], 3, axis=2))

    class Tinting(SlowRestorer):
        def __call__(self, aligned: AlignedFace, *rest: Any) -> AlignedFace:
            made = super().__call__(aligned, *rest).pixels.copy()
            made[..., 0] //= 2
            return aligned.with_pixels(made)

    after = done(grey, Tinting(goal="change")).after.pixels
    assert int(np.ptp(after.astype(int), axis=2).max()) == 0


def test_a_face_that_is_made_for_a_sepia_photo_has_its_tone(photo: Photo) -> None:
    old = Photo.from_pixels(sepia(photo.pixels))

    class Tinting(SlowRestorer):
        def __call__(self, aligned: AlignedFace, *rest: Any) -> AlignedFace:
            made = super().__call__(aligned, *rest).pixels.copy()
            made[..., 0] //= 2
            return aligned.with_pixels(made)

    painted = Tinting(goal="change")(align(old, FACES[0], FFHQ_256), None, Progress(), 0).pixels
    result = done(old, Tinting(goal="change"))
    face = only(result)
    assert face.status == "verified" and face.method != "solid"
    assert off_tone(painted) > 10 and off_tone(result.after.pixels) < 3
    x, y = np.rint(FACES[0].landmarks[2]).astype(int)
    assert not done(old, method("solid")).after.pixels[y, x].any(), "a block stays as it is"


def test_the_saved_recipe_tells_neither_settings_nor_seed(photo: Photo) -> None:
    blur = method("blur")
    result = done(photo, blur, options=blur.Options(radius=40.0), seed=9)
    assert (result.recipe.options["radius"], result.recipe.seed) == (40.0, 9)
    assert (result.saved_recipe.method, dict(result.saved_recipe.options), result.saved_recipe.seed) == ("blur", {}, 0)


def test_nonsense_is_refused_before_any_work(photo: Photo) -> None:
    slow = SlowRestorer(goal="change")
    with pytest.raises(UsageError, match="no face 7 in this photo: it shows . faces?, counted from 0"):
        done(photo, slow, FACES, selected={0, 7})
    with pytest.raises(UsageError, match="at least once"):
        done(photo, slow, FACES, tries=0)
    with pytest.raises(UsageError, match="Strength"):
        done(photo, slow, FACES, options=slow.Options(strength=3))
    assert slow.seeds == []


def test_it_is_stopped_between_two_steps_and_progress_comes_to_its_end(photo: Photo) -> None:
    updates: list[Update] = []
    done(photo, method("solid"), FACES, progress=Progress(updates.append, every=0))
    fractions = [update.fraction for update in updates]
    assert fractions == sorted(fractions) and fractions[-1] == 1

    def stop(update: Update) -> None:
        if update.stage == "Working slowly":
            progress.cancel()

    slow = SlowRestorer(steps=1000, seconds=0.002, goal="change")
    progress = Progress(stop, every=0)
    with pytest.raises(Cancelled):
        done(photo, slow, progress=progress)
    assert slow.finished == 0


def test_a_mistake_in_a_method_is_not_swallowed(photo: Photo) -> None:
    @dataclass
    class Broken:
        id = "broken"
        goal = "change"
        checkpoint = fake_checkpoint("broken", goal="change")
        template = FFHQ_256
        Options = SlowRestorer.Options

        def __call__(self, *args: object) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        done(photo, Broken())
    assert issubclass(UsageError, FaceStudioError)


def test_a_photo_that_was_written_says_what_its_file_has_not_and_one_that_was_not_what_it_holds(photo: Photo) -> None:
    result = done(replace(photo, bits=16, notes=(deep_note(16), "It holds several pictures.")), method("solid"))
    given = Path("deep.png"), result.status, None, 1.0, "", result
    written, not_written = (Outcome(given[0], output, *given[1:]) for output in (Path("out.png"), None))
    said = ["Saved with 8 bits per colour; the original has 16.", "The original holds several pictures."]
    assert written.record()["notes"] == said == [line.strip() for line in told(written).splitlines()[1:3]]
    assert Row(given[0], "deep.png", None, written.record()).reason.endswith(" ".join(said))
    assert not_written.record()["notes"] == [deep_note(16), "It holds several pictures."]
    assert replace(written, result=_without_pictures(result)).record() == written.record(), "also from a cluster"
    assert "notes" not in Outcome(given[0], None, "verified", None, 1.0, "", done(photo, method("solid"))).record()
