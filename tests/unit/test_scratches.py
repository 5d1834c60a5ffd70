"""Scratches and specks: found where they were drawn, left alone where they belong to what is shown, and filled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facestudio.errors import NoFaceFound, UsageError
from facestudio.faces.face import Face
from facestudio.gui.list_work import restore_all
from facestudio.mending import CAREFUL, STRONG, scratches
from facestudio.mending import kept as kept_module
from facestudio.mending.filling import filled
from facestudio.mending.mended import mend, mended
from facestudio.mending.scratches import scratches_of, search
from facestudio.mending.specks import drawn, found_specks
from facestudio.photo import Photo
from facestudio.progress import Cancelled, Progress
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from tests.fakes import SlowRestorer, face_at, photo_of, picture

FACE = face_at(200, 150, 150)
LINES = (((20, 30), (380, 250), 245), ((330, 10), (60, 290), 240), ((15, 200), (250, 285), 14))
SPECKS = ((60, 60, 250), (350, 90, 245), (120, 280, 10))


def plain(height: int = 300, width: int = 400) -> np.ndarray:
    """A drawn portrait, no scratches."""
    return cv2.GaussianBlur(picture(height, width, [FACE]), (0, 0), 0.7)


def scratched(pixels: np.ndarray, lines: Any = LINES, specks: Any = SPECKS) -> tuple[np.ndarray, np.ndarray]:
    """`pixels` with drawn scratches, and where they are seen."""
    after = pixels.copy()
    for start, end, tone in lines:
        cv2.line(after, start, end, (tone,) * 3, 2, cv2.LINE_AA)
    for x, y, tone in specks:
        cv2.circle(after, (x, y), 2, (tone,) * 3, -1, cv2.LINE_AA)
    return after, np.abs(after.astype(int) - pixels).max(axis=2) > 12


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9)))


class OneMethod(Studio):
    """The real façade with a method without weights, nobody who judges, and a detector that a white line across FACE blinds."""

    def detect(self, photo: Photo, progress: Any = None, *, unsure: bool = False) -> tuple[Face, ...]:
        left, top, right, bottom = FACE.box.astype(int)
        return () if (photo.pixels[top:bottom, left:right] > 235).all(axis=2).sum() > 400 else (FACE,)

    def _restorer(self, checkpoint_id: str) -> Any:
        return SlowRestorer()

    def _embedders(self) -> list[Any]:
        return []

    def _panel(self) -> None:
        return None


class OneBlind(OneMethod):
    """Finds somebody in "face.png" alone."""

    def detect(self, photo: Photo, progress: Any = None, *, unsure: bool = False) -> tuple[Face, ...]:
        return (FACE,) if photo.path is not None and photo.path.name == "face.png" else ()


def restored(photo: Photo, scratches: str = "", upscale: int = 1) -> Any:
    recipe = Recipe("slow-checkpoint", "slow", {"strength": 0.0}, upscale=upscale, scratches=scratches)
    return OneMethod("cpu").restore(photo, (FACE,), recipe)


def test_a_scratched_photo_comes_out_nearer_to_what_it_was(tmp_path: Path) -> None:
    clean = plain()
    damaged, seen = scratched(clean)
    photo = photo_of(tmp_path / "old.png", damaged)
    left, result = restored(photo), restored(photo, CAREFUL)
    assert psnr(result.after.pixels, clean) > psnr(left.after.pixels, clean) + 5
    assert result.before is photo, "the scratches are seen in the photo before"
    assert result.mended.mask[seen].mean() > 0.7
    assert 0.5 * seen.mean() < result.mended.share < 3 * seen.mean()
    assert result.details()["mended"] == {"scratches": "careful", "share": round(result.mended.share, 5)}
    assert Recipe.from_json(result.recipe.to_json()) == result.recipe and result.recipe.scratches == CAREFUL
    assert left.mended is None and "scratches" not in left.recipe.to_json() and "mended" not in left.details()
    assert np.array_equal(restored(photo, CAREFUL).after.pixels, result.after.pixels), "the recipe makes it again"


@pytest.mark.parametrize("strength", [CAREFUL, STRONG])
def test_a_clean_photo_is_hardly_touched(tmp_path: Path, strength: str) -> None:
    result = restored(photo_of(tmp_path / "new.png", plain()), strength)
    assert result.mended.share < 0.001
    outside = ~result.mended.mask
    assert np.array_equal(result.after.pixels[outside], result.before.pixels[outside])
    if not result.mended.share:
        assert result.mended.sentence == "Scratches: none were found."


def test_a_larger_result_is_mended_too(tmp_path: Path) -> None:
    clean = plain()
    damaged, _ = scratched(clean)
    result = restored(photo_of(tmp_path / "old.png", damaged), CAREFUL, upscale=2)
    wanted = Photo.from_pixels(clean).enlarged(2).pixels
    assert result.after.size == (800, 600)
    assert psnr(result.after.pixels, wanted) > psnr(result.before.pixels, wanted) + 5


@pytest.mark.parametrize("strength", [CAREFUL, STRONG])
def test_most_of_what_was_drawn_is_found_and_little_else(strength: str) -> None:
    damaged, seen = scratched(plain())
    mask = scratches_of(damaged, strength)
    near = cv2.dilate(seen.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert mask[seen].mean() > 0.7
    assert near[mask].mean() > 0.95


def test_hair_is_no_scratch() -> None:
    random = np.random.default_rng(3)
    hair = np.full((300, 400, 3), 60, np.uint8)
    for _ in range(900):
        x, y = random.uniform(0, 400), random.uniform(0, 300)
        tone = int(random.integers(30, 150))
        far = (int(x + random.normal(0, 12)), int(y + random.uniform(60, 160)))
        cv2.line(hair, (int(x), int(y)), far, (tone, int(tone * 0.8), int(tone * 0.6)), 1, cv2.LINE_AA)
    assert scratches_of(hair, CAREFUL).mean() < 0.001


def test_edges_of_things_are_no_scratches() -> None:
    house = np.full((300, 400, 3), 190, np.uint8)
    cv2.rectangle(house, (60, 80), (320, 290), (120, 90, 70), -1)
    cv2.fillPoly(house, [np.array([(40, 82), (190, 10), (340, 82)])], (70, 60, 60), cv2.LINE_AA)
    for x in (90, 170, 250):
        cv2.rectangle(house, (x, 120), (x + 40, 180), (40, 50, 70), -1)
    assert not scratches_of(cv2.GaussianBlur(house, (0, 0), 0.7), CAREFUL).any()


def test_what_is_spared_stays() -> None:
    grey = np.full((120, 160), 120, np.uint8)
    for x in (40, 110):
        cv2.circle(grey, (x, 60), 2, 250, -1, cv2.LINE_AA)
    specks = found_specks(grey, 3, 70, 0.35, 60)
    assert drawn(specks, grey.shape)[60, [40, 110]].all()
    found = drawn(specks, grey.shape, [(40.0, 60.0, 12.0)])
    assert found[60, 110] and not found[:, :80].any()


def test_the_parts_of_a_face_are_where_they_are() -> None:
    for point, (x, y, radius) in zip(FACE.landmarks[:3], FACE.parts[:3], strict=True):
        assert np.hypot(*(point - (x, y))) < 1e-3 and 0.2 < radius / FACE.interocular < 0.8


def test_what_is_filled_keeps_the_rest_and_has_the_same_grain() -> None:
    random = np.random.default_rng(1)
    grainy = np.clip(random.normal(128, 8, (200, 700, 3)), 0, 255).astype(np.uint8)
    mask = np.zeros((200, 700), bool)
    mask[80:88, 20:680] = True  # over the seam of two tiles
    hidden = grainy.copy()
    hidden[mask] = 255
    after = filled(hidden, mask)
    assert np.array_equal(after[~mask], hidden[~mask])
    assert 5 < after[mask].std() < 11, "as grainy as around it"
    assert abs(after[mask].mean() - 128) < 4


def test_what_was_not_read_of_a_photo_is_not_mended() -> None:
    damaged, _ = scratched(plain())
    unknown = np.zeros(damaged.shape[:2], bool)
    unknown[150:] = True
    _, result = mended(damaged, CAREFUL, unknown=unknown)
    assert result.mask[:150].any() and not result.mask[150:].any()


def test_a_huge_photo_is_looked_at_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    damaged, seen = scratched(plain())
    monkeypatch.setattr(scratches, "MOST", 2 * seen.size)
    large = cv2.resize(damaged, None, fx=3, fy=3, interpolation=cv2.INTER_LINEAR)
    found = search(large, CAREFUL)
    mask = found.mask(())
    assert found.grey.size < 2.1 * seen.size and mask.shape == large.shape[:2]
    assert mask[1::3, 1::3][seen].mean() > 0.5


def test_it_stops_when_asked_to_and_says_what_it_does() -> None:
    stages: list[str] = []
    progress = Progress(lambda update: stages.append(update.stage))
    mended(scratched(plain())[0], CAREFUL, progress)
    assert {"Looking for scratches", "Mending scratches"} <= set(stages)
    progress.cancel()
    with pytest.raises(Cancelled):
        mended(plain(), CAREFUL, progress)


def test_the_search_for_specks_stops_too_and_says_how_far_it_is() -> None:
    random = np.random.default_rng(0)
    dusty = np.full((400, 400), 120, np.uint8)
    for x, y in random.integers(10, 390, (1400, 2)):
        dusty[y : y + 3, x : x + 3] = 250
    fractions: list[float] = []
    progress = Progress(lambda update: fractions.append(update.fraction), every=0.0)
    found_specks(dusty, 3, 70, 0.35, 60, progress)
    assert len(set(fractions)) > 5 and fractions == sorted(fractions)
    stopped = Progress(lambda update: stopped.cancel() if update.fraction > 0.2 else None, every=0.0)
    with pytest.raises(Cancelled):
        found_specks(dusty, 3, 70, 0.35, 60, stopped)


def test_what_is_spared_later_comes_out_as_if_it_were_known_before() -> None:
    calm = np.full((300, 700, 3), 120, np.uint8)
    damaged, _ = scratched(calm, specks=((60, 250, 250), (600, 90, 250)))
    mending = mend(damaged, STRONG)
    assert mending.mask[90, 600] and mending.mask[250, 60] and mending.sparing()[0] is mending.pixels
    after, found = mending.sparing([(600.0, 90.0, 14.0)])
    assert not found.mask[90, 600] and found.mask[250, 60]
    assert np.array_equal(after, filled(damaged, found.mask)), "only the places around are filled anew"
    assert np.array_equal(after[~found.mask], damaged[~found.mask])


def landscape() -> np.ndarray:
    """A scratched photo without anybody."""
    return scratched(cv2.GaussianBlur(picture(300, 400), (0, 0), 0.7))[0]


def test_a_photo_without_a_face_is_mended_and_nothing_else_is_said_of_it(tmp_path: Path) -> None:
    photo = photo_of(tmp_path / "hills.png", landscape())
    recipe = Recipe("slow-checkpoint", "slow", {}, scratches=CAREFUL)
    result = OneMethod("cpu").restore(photo, (), recipe)
    assert result.status == "mended" and result.writable and not result.generative and not result.faces
    assert result.only_mended.startswith("No face was found") and "no identity" in result.only_mended
    assert np.array_equal(result.after.pixels, mended(photo.pixels, CAREFUL)[0]) and result.before is photo
    with pytest.raises(NoFaceFound):
        OneMethod("cpu").restore(photo, (), Recipe("slow-checkpoint", "slow", {}))
    clean = photo_of(tmp_path / "clean.png", np.full((300, 400, 3), 120, np.uint8))
    with pytest.raises(NoFaceFound, match="Neither a face nor a scratch"):
        OneMethod("cpu").restore(clean, (), recipe)


def test_faces_that_nobody_chose_stay_and_scratches_go(tmp_path: Path) -> None:
    photo = photo_of(tmp_path / "old.png", scratched(plain())[0])
    result = OneMethod("cpu").restore(photo, (FACE,), Recipe("slow-checkpoint", "slow", {}, scratches=CAREFUL), set())
    assert result.status == "mended" and [face.status for face in result.faces] == ["skipped"]
    assert result.only_mended.startswith("No face was chosen")
    assert np.array_equal(result.after.pixels, mended(photo.pixels, CAREFUL, spared=FACE.parts)[0])


def test_a_face_behind_a_crack_is_found_once_it_is_mended_and_that_is_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cracked, _ = scratched(plain(), lines=(((150, 10), (250, 290), 250), ((20, 30), (380, 250), 245)), specks=())
    photo = photo_of(tmp_path / "cracked.png", cracked)
    studio, searches = OneMethod("cpu"), list[str]()
    real = kept_module.search

    def search(pixels: np.ndarray, strength: str, progress: Progress | None = None) -> Any:
        searches.append(strength)
        return real(pixels, strength, progress)

    monkeypatch.setattr(kept_module, "search", search)
    assert studio.detect(studio.mended(photo, "")) == () and studio.mended(photo, "") is photo
    seen = studio.mended(photo, STRONG)
    faces = studio.detect(seen)
    result = studio.restore(photo, faces, Recipe("slow-checkpoint", "slow", {}, scratches=STRONG))
    assert result.status == "ok" and len(result.faces) == 1 and result.generative and not result.only_mended
    assert searches == [STRONG], "mended once, for the search and the result"
    again = OneMethod("cpu").restore(photo, faces, result.recipe)
    assert np.array_equal(again.after.pixels, result.after.pixels)
    studio.mended(photo, CAREFUL)
    assert searches == [STRONG, STRONG, CAREFUL], "another studio and another strength are others"


def test_a_folder_with_a_landscape_is_done_and_told(tmp_path: Path) -> None:
    photo_of(tmp_path / "in" / "face.png", scratched(plain())[0])
    photo_of(tmp_path / "in" / "hills.png", landscape())
    photo_of(tmp_path / "in" / "plain.png", np.full((300, 400, 3), 250, np.uint8))
    told: dict[str, str] = {}
    recipe = Recipe("slow-checkpoint", "slow", {}, scratches=CAREFUL)
    given = (
        OneBlind("cpu"),
        [tmp_path / "in"],
        tmp_path / "out",
        recipe,
        lambda path, how: told.update({path.name: how}),
    )
    done = restore_all(*given, Progress())
    assert told == {"face.png": "restored", "hills.png": "only mended", "plain.png": "without a face"}
    assert done.words.startswith("Restored 1 of 3 photos") and done.words.endswith("; 1 only mended, 1 without a face")
    assert np.array_equal(Photo.open(tmp_path / "out" / "hills.png").pixels, mended(landscape(), CAREFUL)[0])
    again = restore_all(*given, Progress())
    assert [o.status for o in again.outcomes] == [o.status for o in done.outcomes], "kept, or done again"


def test_another_strength_is_refused() -> None:
    with pytest.raises(UsageError, match="careful or strong, not wild"):
        mended(plain(), "wild")


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (30, 30)])
def test_small_pictures_are_no_trouble(size: tuple[int, int]) -> None:
    assert not mended(np.full((*size, 3), 90, np.uint8), STRONG)[1].share
