from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facestudio.faces.align import align, inverse, warp, whole_face
from facestudio.faces.face import FFHQ_256, FFHQ_512, Face
from facestudio.faces.paste import paste, soft_mask
from facestudio.photo import Photo
from tests.fakes import face_at, photo_of, picture

FACE = face_at(150, 130, 140, 20)


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    return photo_of(tmp_path / "photo.png", picture(260, 300, [FACE]))


def mask_in(photo: Photo, face: Face, side: int = 256) -> np.ndarray:
    """How much of the crop of `face` shows at each pixel of the photo, computed over the whole photo at once."""
    matrix = align(photo, face, FFHQ_256).matrix
    height, width = photo.pixels.shape[:2]
    return warp(np.pad(soft_mask(side), 1)[1:-1, 1:-1], inverse(matrix), (width, height), border=0)


def test_outside_of_the_mask_every_bit_stays(photo: Photo) -> None:
    aligned = align(photo, FACE, FFHQ_256)
    after = paste(photo, aligned.with_pixels(255 - aligned.pixels)).pixels
    touched = (after != photo.pixels).any(axis=2)
    shows = mask_in(photo, FACE)
    assert not touched[shows == 0].any()
    assert touched[shows > 0.9].mean() > 0.9
    assert 0.02 < touched.mean() < 0.5


def test_in_the_middle_the_face_shows_and_half_strength_mixes(photo: Photo) -> None:
    aligned = align(photo, FACE, FFHQ_256)
    negative = aligned.with_pixels(255 - aligned.pixels)
    full, half = (paste(photo, negative, strength).pixels.astype(int) for strength in (1.0, 0.5))
    middle = mask_in(photo, FACE) > 0.999
    before = photo.pixels.astype(int)
    assert np.abs(full - (255 - before))[middle].mean() < 8
    assert np.abs(half - (full + before) / 2)[middle].max() <= 1


def test_pasting_back_the_untouched_crop_hardly_changes_anything(tmp_path: Path) -> None:
    face = face_at(300.75, 260.75, 256)  # the crop's pixels are the photo's, so nothing is lost by resampling
    photo = photo_of(tmp_path / "photo.png", picture(520, 600, [face]))
    after = paste(photo, align(photo, face, FFHQ_256)).pixels
    assert np.abs(after.astype(int) - photo.pixels).max() <= 1


def test_the_photo_itself_is_never_changed(photo: Photo) -> None:
    before = photo.pixels.copy()
    aligned = align(photo, FACE, FFHQ_256)
    paste(photo, aligned.with_pixels(255 - aligned.pixels))
    assert np.array_equal(photo.pixels, before)


def test_strength_zero_keeps_all_and_impossible_strengths_are_refused(photo: Photo) -> None:
    aligned = align(photo, FACE, FFHQ_256)
    negative = aligned.with_pixels(255 - aligned.pixels)
    assert np.array_equal(paste(photo, negative, 0.0).pixels, photo.pixels)
    for strength in (-0.1, 1.1):
        with pytest.raises(ValueError, match="strength"):
            paste(photo, negative, strength)


@pytest.mark.parametrize("where", [(5, 5), (295, 255), (150, -20), (-2000, 100)])
def test_faces_over_the_edge_or_outside_are_no_trouble(photo: Photo, where: tuple[float, float]) -> None:
    face = face_at(*where, 140)
    aligned = align(photo, face, FFHQ_256)
    after = paste(photo, aligned.with_pixels(255 - aligned.pixels)).pixels
    assert after.shape == photo.pixels.shape
    assert (after != photo.pixels).any() == (where[0] > -1000)


@pytest.mark.parametrize("side", [256, 300])
def test_a_whole_crop_is_replaced_to_its_edge(tmp_path: Path, side: int) -> None:
    crop = photo_of(tmp_path / "crop.png", picture(side, side))
    aligned = align(crop, whole_face(crop), FFHQ_256)
    white = aligned.with_pixels(np.full_like(aligned.pixels, 255))
    assert (paste(crop, white, whole=True).pixels == 255).all()
    masked = paste(crop, white).pixels
    assert np.array_equal(masked[0], crop.pixels[0])


def test_a_tall_face_is_blended_without_seams(tmp_path: Path) -> None:
    face = face_at(450, 450, 800)  # taller than a strip
    grey = photo_of(tmp_path / "grey.png", np.full((900, 900, 3), 100, np.uint8))
    aligned = align(grey, face, FFHQ_256)
    column = paste(grey, aligned.with_pixels(np.full_like(aligned.pixels, 200))).pixels[:, 450, 0].astype(int)
    assert column.max() == 200
    assert column[0] == column[-1] == 100
    assert np.abs(np.diff(column)).max() <= 12


@pytest.mark.parametrize("side", [112, 256, 512])
def test_the_mask_is_soft_symmetric_and_empty_at_the_rim(side: int) -> None:
    mask = soft_mask(side)
    assert (mask.shape, mask.dtype) == ((side, side), np.float32)
    assert np.allclose(mask, mask.T)
    assert np.allclose(mask, mask[::-1, ::-1])
    assert mask[:2].max() == 0
    tenth = side // 10 + 1
    assert mask[tenth:-tenth, tenth:-tenth].min() == pytest.approx(1, abs=1e-6)
    middle = mask[side // 2, : side // 2]
    assert (np.diff(middle) >= -1e-7).all()
    assert np.diff(middle).max() < 0.3


def test_the_published_paste_looks_much_the_same(shared: Path, tmp_path: Path) -> None:
    path = shared / "parity" / "face_align_paste" / "case.npz"
    if not path.is_file():
        pytest.skip("no figures of face_align_paste here")
    with np.load(path) as case:
        theirs, matrix = case["paste_white_0"], case["inverse_affine_scaled"][0].copy()
    matrix[:, 2] += 1.0  # their paste moves by half the upscale of 2
    black = photo_of(tmp_path / "black.png", np.zeros((*theirs.shape, 3), np.uint8))
    white = align(black, face_at(100, 100, 512), FFHQ_512)
    white = type(white)(np.full((512, 512, 3), 255, np.uint8), inverse(matrix), FFHQ_512)
    ours = paste(black, white).pixels[..., 0].astype(int)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98
    assert abs(ours.mean() - theirs.mean()) < 5
