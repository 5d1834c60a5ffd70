"""Scratches and specks: found where they were drawn, left alone where they belong to what is shown, and filled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facestudio.errors import UsageError
from facestudio.mending import CAREFUL, STRONG
from facestudio.mending.filling import filled
from facestudio.mending.scratches import MOST, mended, scratches_of
from facestudio.mending.specks import specks_of
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
    """The real façade with a method without weights and nobody who judges."""

    def _restorer(self, checkpoint_id: str) -> Any:
        return SlowRestorer()

    def _embedders(self) -> list[Any]:
        return []

    def _panel(self) -> None:
        return None


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
    found = specks_of(grey, 3, 70, 0.35, 60, [(40.0, 60.0, 12.0)])
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


def test_a_huge_photo_is_looked_at_reduced() -> None:
    damaged, seen = scratched(plain())
    times = int(np.ceil((1.3 * MOST / seen.size) ** 0.5))
    large = cv2.resize(damaged, None, fx=times, fy=times, interpolation=cv2.INTER_LINEAR)
    mask = scratches_of(large, CAREFUL)
    assert mask.shape == large.shape[:2]
    assert mask[times // 2 :: times, times // 2 :: times][seen].mean() > 0.5


def test_it_stops_when_asked_to_and_says_what_it_does() -> None:
    stages: list[str] = []
    progress = Progress(lambda update: stages.append(update.stage))
    mended(scratched(plain())[0], CAREFUL, progress)
    assert {"Looking for scratches", "Mending scratches"} <= set(stages)
    progress.cancel()
    with pytest.raises(Cancelled):
        mended(plain(), CAREFUL, progress)


def test_another_strength_is_refused() -> None:
    with pytest.raises(UsageError, match="careful or strong, not wild"):
        mended(plain(), "wild")


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (30, 30)])
def test_small_pictures_are_no_trouble(size: tuple[int, int]) -> None:
    assert not mended(np.full((*size, 3), 90, np.uint8), STRONG)[1].share
