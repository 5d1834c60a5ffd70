"""A pasted face gets the grain of the photo, as strong and as coarse; a photo without grain is not touched."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facestudio.faces.align import align
from facestudio.faces.face import FFHQ_256, AlignedFace, similarity
from facestudio.faces.judging import Judges
from facestudio.faces.paste import paste
from facestudio.faces.regraining import measured, regrained
from facestudio.faces.tone import LUMA
from facestudio.photo import Photo
from facestudio.pipeline import restore
from facestudio.recipe import Recipe
from facestudio.results import Result
from facestudio.subject import Subject
from tests.fakes import FakeEmbedder, SlowRestorer, face_at, picture

SIZE = 520, 560
FACE = face_at(280, 250, 150)
CLEAN = cv2.GaussianBlur(picture(*SIZE, [FACE]), (0, 0), 1.5) // 2 + 60
INSIDE, AROUND = (slice(200, 300), slice(230, 330)), (slice(430, 520), slice(0, 560))


def film(sigma: float, blur: float = 0.0, grey: bool = False, seed: int = 0) -> np.ndarray:
    """Grain (H, W, 3) of which the brightness deviates by `sigma`, mostly the same in all colours."""
    random = np.random.default_rng(seed)
    noise = 2 * random.standard_normal((*SIZE, 1)) + (0 if grey else 1) * random.standard_normal((*SIZE, 3))
    if blur:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), blur), float)
    return np.asarray(noise * (sigma / (noise @ LUMA).std()))


def grainy(grain: np.ndarray, clean: np.ndarray = CLEAN) -> Photo:
    return Photo.from_pixels(np.rint(clean + grain).clip(0, 255).astype(np.uint8))


def smooth(photo: Photo, strength: float = 1.0, clean: np.ndarray = CLEAN) -> tuple[Photo, AlignedFace]:
    """`photo` with the face without grain laid into it, as a restorer would."""
    aligned = align(photo, FACE, FFHQ_256)
    return paste(photo, align(Photo.from_pixels(clean), FACE, FFHQ_256), strength), aligned


def left_over(photo: Photo, part: tuple[slice, slice], clean: np.ndarray = CLEAN) -> np.ndarray:
    """The grain (H, W, 3) in a part of `photo`."""
    return np.asarray(photo.pixels[part].astype(float) - clean[part])


def neighbours(grain: np.ndarray) -> float:
    """How alike pixels beside one another are in the brightness of `grain`."""
    light = grain @ LUMA
    return float(np.corrcoef(light[:, 1:].ravel(), light[:, :-1].ravel())[0, 1])


@pytest.mark.parametrize(("sigma", "blur"), [(5, 0.0), (10, 0.0), (20, 0.0), (10, 1.2), (20, 2.0)])
def test_the_face_gets_grain_as_strong_and_as_coarse_as_the_photo_has(sigma: float, blur: float) -> None:
    photo = grainy(film(sigma, blur))
    pasted, aligned = smooth(photo)
    after, level = regrained(pasted, photo, aligned, seed=3)
    assert level == pytest.approx(sigma, rel=0.2)
    had, lacked, has = (left_over(*which) for which in ((photo, AROUND), (pasted, INSIDE), (after, INSIDE)))
    assert (lacked @ LUMA).std() < 0.4 * sigma
    assert (has @ LUMA).std() == pytest.approx((had @ LUMA).std(), rel=0.2)
    assert neighbours(has) == pytest.approx(neighbours(had), abs=0.12)
    # of one colour as much as of the other, and as much the same in all of them
    assert has.std(axis=(0, 1)) == pytest.approx(had.std(axis=(0, 1)), rel=0.25)
    alike = [np.corrcoef(grain.reshape(-1, 3).T)[0, 1] for grain in (had, has)]
    assert alike[1] == pytest.approx(alike[0], abs=0.12)


def test_no_ring_of_less_grain_is_left_where_the_mask_fades() -> None:
    photo = grainy(film(12))
    pasted, aligned = smooth(photo)
    after, _ = regrained(pasted, photo, aligned, seed=3)
    weight = np.abs(pasted.pixels.astype(float) - photo.pixels).max(axis=2) > 0
    off = (after.pixels.astype(float) - CLEAN) @ LUMA
    rim = cv2.dilate(weight.astype(np.uint8), np.ones((5, 5))) - cv2.erode(weight.astype(np.uint8), np.ones((25, 25)))
    assert off[rim > 0].std() == pytest.approx(12, rel=0.15)


@pytest.mark.parametrize("strength", [0.3, 0.6])
def test_of_a_face_that_was_mixed_only_what_is_missing_is_laid(strength: float) -> None:
    photo = grainy(film(10))
    pasted, aligned = smooth(photo, strength)
    after, level = regrained(pasted, photo, aligned, strength, seed=3)
    assert 1 < level < 10.5
    assert (left_over(after, INSIDE) @ LUMA).std() == pytest.approx(10, rel=0.2)


def test_outside_of_the_face_every_bit_stays_and_the_same_seed_gives_the_same() -> None:
    photo = grainy(film(10))
    pasted, aligned = smooth(photo)
    kept = pasted.pixels.copy()
    after, again, other = (regrained(pasted, photo, aligned, seed=seed)[0].pixels for seed in (1, 1, 2))
    assert np.array_equal(after, again) and not np.array_equal(after, other)
    assert np.array_equal(pasted.pixels, kept)
    assert np.array_equal(after[AROUND], photo.pixels[AROUND])


def stripes() -> np.ndarray:
    """A photo with a texture around a smooth face."""
    woven = CLEAN.astype(float)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    far = np.hypot(x - 280, y - 250) > 130
    woven += far[..., None] * (14 * np.sin(x / 1.3) * np.sin(y / 1.7))[..., None]
    return np.rint(woven).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "pixels",
    [CLEAN, stripes(), np.zeros_like(CLEAN), np.full_like(CLEAN, 128)],
    ids=["smooth", "texture", "black", "plain"],
)
def test_a_photo_without_grain_is_not_touched(pixels: np.ndarray) -> None:
    photo = Photo.from_pixels(pixels)
    pasted, aligned = smooth(photo)
    after, level = regrained(pasted, photo, aligned, seed=3)
    assert after is pasted and level == 0


def test_a_face_that_kept_its_grain_gets_no_more() -> None:
    photo = grainy(film(10))
    after, level = regrained(photo, photo, align(photo, FACE, FFHQ_256), seed=3)
    assert after is photo and level == 0


def test_a_grey_photo_stays_grey() -> None:
    grey = np.repeat(np.rint(CLEAN @ LUMA).astype(np.uint8)[..., None], 3, axis=2)
    photo = grainy(film(10, grey=True), grey)
    pasted, aligned = smooth(photo, clean=grey)
    after, level = regrained(pasted, photo, aligned, seed=3)
    assert level > 8 and np.ptp(after.pixels, axis=2).max() == 0


def test_grain_that_is_stronger_in_the_lights_is_so_in_the_face() -> None:
    clean = np.rint(np.linspace(50, 200, SIZE[1])[None, :, None] * np.ones((*SIZE, 3))).astype(np.uint8)
    photo = grainy(film(8) * (np.linspace(0.6, 1.4, SIZE[1])[None, :, None]), clean)
    pasted, aligned = smooth(photo, clean=clean)
    after, _ = regrained(pasted, photo, aligned, seed=3)
    dark, light = (
        (left_over(after, (INSIDE[0], part), clean) @ LUMA).std() for part in (slice(190, 240), slice(320, 370))
    )
    assert light > 1.15 * dark


def test_tiny_places_are_left_alone() -> None:
    assert measured(np.zeros((3, 40, 3), np.uint8), np.ones((3, 40), bool)) is None
    assert measured(np.full((40, 40, 3), 90, np.uint8), np.zeros((40, 40), bool)) is None


class Smooth(SlowRestorer):
    """Gives every crop back without its grain."""

    def __call__(self, aligned, *args, **kwargs):  # type: ignore[no-untyped-def]
        return aligned.with_pixels(cv2.GaussianBlur(aligned.pixels, (0, 0), 3))


def restored(photo: Photo, photo_grain: str = "") -> Result:
    return restore(
        Subject(photo, (FACE,)), Smooth(), Recipe("", "", photo_grain=photo_grain), judges=Judges([FakeEmbedder()])
    )  # type: ignore[arg-type,list-item]


def test_the_pipeline_lays_it_only_when_asked_to_says_so_and_measures_what_is_shown() -> None:
    photo = grainy(film(12))
    plain, matched, again = restored(photo), restored(photo, photo_grain="match"), restored(photo, photo_grain="match")
    assert plain.recipe.photo_grain == "" and "photo_grain" not in plain.recipe.to_json() and plain.faces[0].grain == 0
    assert matched.recipe.photo_grain == "match" and replace(matched.recipe, photo_grain="") == plain.recipe
    assert Recipe.from_json(matched.recipe.to_json()) == matched.recipe
    assert np.array_equal(matched.after.pixels, again.after.pixels)
    (face,) = matched.faces
    assert face.grain > 6 and face.details()["grain"] == pytest.approx(face.grain, abs=0.01)
    judge = FakeEmbedder()
    was, now = (judge.embed(of.pixels, FACE.landmarks) for of in (photo, matched.after))
    assert face.similarity[judge.id] == pytest.approx(similarity(was, now), abs=1e-5)
    assert face.aligned_after is not None
    assert np.array_equal(face.aligned_after.pixels, align(matched.after, FACE, FFHQ_256).pixels)


def test_without_grain_the_pipeline_gives_the_same_bits() -> None:
    photo = Photo.from_pixels(CLEAN)
    assert np.array_equal(restored(photo).after.pixels, restored(photo, photo_grain="match").after.pixels)
