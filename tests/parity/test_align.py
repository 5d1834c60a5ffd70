"""Crops against those of the published recognisers (112 px) and restorers (512 px), and the paste where both agree.

What differs on purpose, with figures of the fixtures:

- The published restorers drop an outlier among the five landmarks (least median of squares); here all five count.
- Beyond the photo's edge they show grey or black, here the photo is mirrored.
- They enlarge the photo first and paste into that, erode the mask along the photo's axes, and round down; here the mask
  belongs to the crop, and levels are rounded. Where both show the face alone, or the photo alone, they agree.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facestudio.faces.align import align, inverse, similarity_transform, transform, warp
from facestudio.faces.face import ARCFACE_112, FFHQ_512, AlignedFace
from facestudio.faces.paste import paste
from facestudio.photo import Photo


def figures(shared: Path, name: str) -> dict[str, np.ndarray]:
    path = shared / "parity" / name / "case.npz"
    if not path.is_file():
        pytest.skip(f"no figures of {name} here")
    with np.load(path) as case:
        arrays = dict(case)
    return {name: _rgb(array) if array.shape[-1] == 3 and array.ndim > 2 else array for name, array in arrays.items()}


def _rgb(bgr: np.ndarray) -> np.ndarray:
    return bgr if bgr.shape[-2:] == (2, 3) else np.ascontiguousarray(bgr[..., ::-1])


@pytest.fixture
def recogniser(shared: Path) -> dict[str, np.ndarray]:
    return figures(shared, "face_align_112")


@pytest.fixture
def restorer(shared: Path) -> dict[str, np.ndarray]:
    return figures(shared, "face_align_paste")


def matrices(landmarks: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.stack([similarity_transform(points, target) for points in landmarks])


# ---- recognisers, 112 px


def test_the_template_of_recognisers(recogniser: dict[str, np.ndarray]) -> None:
    for name in ("template_112", "template_adaface"):
        assert np.abs(recogniser[name] - ARCFACE_112.points).max() < 1e-5


@pytest.mark.parametrize(("name", "scale", "right"), [("matrix_112", 1, 0), ("matrix_224", 2, 0), ("matrix_128", 1, 8)])
def test_the_fit_of_recognisers(name: str, scale: float, right: float, recogniser: dict[str, np.ndarray]) -> None:
    found = matrices(recogniser["landmarks"], ARCFACE_112.points * scale + (right, 0))
    assert np.abs(found - recogniser[name]).max() < 1e-4


def test_the_fit_of_adaface_is_the_other_way_round(recogniser: dict[str, np.ndarray]) -> None:
    """It is the template that is fitted to the photo; the same only where the five points fit perfectly."""
    landmarks, expected = recogniser["landmarks"], recogniser["matrix_adaface_rule"]
    found = np.stack([inverse(similarity_transform(ARCFACE_112.points, points)) for points in landmarks])
    assert np.abs(found - expected).max() < 1e-4
    assert np.abs(matrices(landmarks, ARCFACE_112.points) - expected).max() > 0.1


@pytest.mark.parametrize(("which", "index"), [(0, 0), (1, 3)])
def test_the_crop_of_recognisers(which: int, index: int, recogniser: dict[str, np.ndarray]) -> None:
    pixels, landmarks = recogniser["image_bgr"], recogniser["landmarks"][index]
    matrix = similarity_transform(landmarks, ARCFACE_112.points)
    found = warp(pixels, matrix, (112, 112), border=cv2.BORDER_CONSTANT).astype(float)
    assert np.abs(found - recogniser["warped_112_exact"][which]).max() <= 0.6
    assert np.abs(found - recogniser["warped_112_bgr"][which]).max() <= 2
    # what differs when the photo is mirrored at its edge is outside of it
    inside = cv2.warpAffine(np.ones(pixels.shape[:2], np.float32), matrix, (112, 112)) > 0.999
    mirrored = align(pixels, landmarks, ARCFACE_112).pixels.astype(float)
    assert inside.mean() > 0.9
    assert np.abs(mirrored - recogniser["warped_112_exact"][which])[inside].max() <= 0.6


# ---- restorers, 512 px


def test_the_template_and_the_fit_of_restorers(restorer: dict[str, np.ndarray]) -> None:
    assert np.array_equal(restorer["template"], FFHQ_512.points)
    found = matrices(restorer["landmarks_5"], FFHQ_512.points)
    assert np.abs(found - restorer["affine_least_squares"]).max() < 1e-6


def test_an_outlier_moves_the_crop_by_less_than_a_pixel_of_the_photo(restorer: dict[str, np.ndarray]) -> None:
    corners = np.array([(0, 0), (511, 0), (511, 511), (0, 511)])
    moved = []
    for mine, theirs in zip(matrices(restorer["landmarks_5"], FFHQ_512.points), restorer["affine"], strict=True):
        moved.append(np.abs(transform(inverse(mine), corners) - transform(inverse(theirs), corners)).max())
    assert sorted(moved)[-2] < 1e-4  # those without an outlier
    assert 0.5 < max(moved) < 1


def test_the_crop_of_restorers(restorer: dict[str, np.ndarray]) -> None:
    aligned = align(restorer["image_bgr"], restorer["landmarks_5"][0], FFHQ_512)
    difference = np.abs(aligned.pixels.astype(int) - restorer["crop_0"])
    assert (difference.max(axis=2) <= 2).mean() >= 0.995
    assert difference.max() <= 2


def test_the_paste_of_restorers_where_only_one_of_both_is_seen(restorer: dict[str, np.ndarray]) -> None:
    pixels, crop = restorer["image_bgr"], restorer["crop_0"]
    back = restorer["inverse_affine_scaled"][0].copy()
    back[:, 2] += 1.0  # they move the face by half the upscale of 2
    height, width = pixels.shape[:2]
    photo = Photo(cv2.resize(pixels, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR))
    black = Photo(np.zeros_like(photo.pixels))
    found = paste(photo, AlignedFace(255 - crop, inverse(back), FFHQ_512)).pixels.astype(int)
    shows = paste(black, AlignedFace(np.full_like(crop, 255), inverse(back), FFHQ_512)).pixels[..., 0].astype(int)
    theirs, expected = restorer["paste_white_0"].astype(int), restorer["paste_inverted_0"]
    difference = np.abs(found - expected).max(axis=2)
    face = (shows >= 254) & (theirs >= 254)
    outside = (shows == 0) & (theirs == 0)
    assert face.mean() > 0.2
    assert outside.mean() > 0.5
    assert difference[face].max() <= 2
    assert difference[outside].max() <= 1
    assert difference.mean() < 2
