from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facestudio.errors import UsageError
from facestudio.faces.align import align, inverse, similarity_transform, transform, warp, whole_face
from facestudio.faces.face import ARCFACE_112, FFHQ_256, FFHQ_512, Template
from tests.fakes import crop_corners, face_at, photo_of, picture


def turned(degrees: float, scale: float, x: float, y: float) -> np.ndarray:
    a = np.radians(degrees)
    return np.array([[scale * np.cos(a), -scale * np.sin(a), x], [scale * np.sin(a), scale * np.cos(a), y]])


@pytest.mark.parametrize("template", [FFHQ_512, FFHQ_256, ARCFACE_112])
def test_a_photo_that_is_the_crop_comes_out_as_it_is(template: Template) -> None:
    pixels = picture(template.size, template.size)
    aligned = align(pixels, template.points, template)
    assert np.allclose(aligned.matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    assert np.array_equal(aligned.pixels, pixels)


@pytest.mark.parametrize("known", [turned(0, 1, 0, 0), turned(30, 2.5, -40, 7), turned(-170, 0.2, 3, 900)])
def test_a_known_transform_is_found(known: np.ndarray) -> None:
    found = similarity_transform(FFHQ_512.points, transform(known, FFHQ_512.points))
    assert np.allclose(found, known, atol=1e-9)


def test_noisy_points_give_the_least_squares_fit() -> None:
    random = np.random.default_rng(5)
    target = transform(turned(12, 0.7, 5, 6), FFHQ_512.points) + random.normal(0, 6, (5, 2))
    matrix = similarity_transform(FFHQ_512.points, target)
    # the same least squares problem, written as a linear system in (a, b, x, y)
    rows = np.concatenate([[(x, -y, 1, 0), (y, x, 0, 1)] for x, y in FFHQ_512.points])
    a, b, x, y = np.linalg.lstsq(rows, target.ravel(), rcond=None)[0]
    assert np.allclose(matrix, [[a, -b, x], [b, a, y]], atol=1e-6)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = FFHQ_512.points * [-1, 1]
    assert np.linalg.det(similarity_transform(mirrored, FFHQ_512.points)[:, :2]) > 0


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan)])
def test_points_that_say_nothing_are_refused(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(points, FFHQ_512.points)


def test_inverse_brings_every_point_back() -> None:
    matrix = turned(40, 0.3, 11, -5)
    points = np.random.default_rng(0).uniform(-900, 900, (20, 2))
    assert np.allclose(transform(inverse(matrix), transform(matrix, points)), points, atol=1e-6)


@pytest.mark.parametrize("turn", [0.0, 25.0, -90.0])
def test_landmarks_land_on_the_template(turn: float) -> None:
    face = face_at(300, 200, 350, turn)
    aligned = align(picture(400, 600, [face]), face, FFHQ_256)
    assert np.allclose(transform(aligned.matrix, face.landmarks), FFHQ_256.points, atol=0.01)
    corners = crop_corners(aligned)
    assert np.allclose(np.linalg.norm(corners[1] - corners[0]), 350, atol=0.01)


def test_a_marked_eye_is_seen_where_the_template_has_it() -> None:
    face = face_at(300, 200, 512)
    pixels = np.zeros((400, 600, 3), np.uint8)
    x, y = np.rint(face.landmarks[0]).astype(int)
    pixels[y - 3 : y + 4, x - 3 : x + 4, 0] = 255
    seen = np.argwhere(align(pixels, face, FFHQ_512).pixels[..., 0] > 128).mean(axis=0)[::-1]
    assert np.allclose(seen, FFHQ_512.points[0], atol=0.6)


def test_shrinking_averages_instead_of_picking() -> None:
    board = np.indices((1120, 1120)).sum(axis=0) % 2 * 255
    pixels = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    crop = align(pixels, ARCFACE_112.points * 10, ARCFACE_112).pixels
    assert np.abs(crop[4:-4, 4:-4].astype(int) - 127.5).max() < 12


def test_beyond_the_edge_the_photo_is_mirrored() -> None:
    pixels = picture(300, 300)
    crop = align(pixels, FFHQ_256.points - (50, 0), FFHQ_256).pixels  # the crop begins 50 pixels left of the photo
    assert np.array_equal(crop[:, 50:], pixels[:256, :206])
    assert np.array_equal(crop[:, :50], pixels[:256, 1:51][:, ::-1])


def test_a_face_wholly_outside_still_gives_a_crop() -> None:
    crop = align(picture(100, 100), face_at(-4000, 9000, 200), FFHQ_256)
    assert crop.pixels.shape == (256, 256, 3)


def test_one_channel_is_warped_like_three() -> None:
    pixels, matrix = picture(120, 160), turned(15, 0.8, 3, 4)
    colour = warp(pixels, matrix, (50, 70))
    assert colour.shape == (70, 50, 3)
    assert np.array_equal(warp(np.ascontiguousarray(pixels[..., 1]), matrix, (50, 70)), colour[..., 1])


@pytest.mark.parametrize("side", [256, 512, 700])
def test_the_whole_face_of_a_crop_covers_it(tmp_path: Path, side: int) -> None:
    photo = photo_of(tmp_path / "crop.png", picture(side, side))
    for template in (FFHQ_256, FFHQ_512):
        aligned = align(photo, whole_face(photo, template), template)
        square = np.array([(0, 0), (side, 0), (side, side), (0, side)]) - 0.5
        assert np.allclose(crop_corners(aligned), square, atol=0.01)
        assert side != template.size or np.array_equal(aligned.pixels, photo.pixels)


def test_a_crop_that_is_not_square_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="120 x 100"):
        whole_face(photo_of(tmp_path / "crop.png", picture(100, 120)))


# ---- against the figures of the published alignments


def load(shared: Path, name: str) -> dict[str, np.ndarray]:
    path = shared / "parity" / name / "case.npz"
    if not path.is_file():
        pytest.skip(f"no figures of {name} here")
    with np.load(path) as case:
        return dict(case)


def test_ffhq_matrices_and_crop_are_the_published_ones(shared: Path) -> None:
    case = load(shared, "face_align_paste")
    assert np.allclose(case["template"], FFHQ_512.points)
    for landmarks, expected in zip(case["landmarks_5"], case["affine_least_squares"], strict=True):
        assert np.allclose(similarity_transform(landmarks, FFHQ_512.points), expected, atol=1e-3)
    pixels = np.ascontiguousarray(case["image_bgr"][..., ::-1])
    crop = warp(pixels, case["affine"][0], (512, 512))
    # theirs is filled with one colour beyond the photo's edge, ours mirrors it: compare where both show the photo
    rows, columns = np.indices((512, 512))
    at = transform(inverse(case["affine"][0]), np.stack([columns.ravel(), rows.ravel()], axis=1)).reshape(512, 512, 2)
    inside = ((at >= 0) & (at <= np.array(pixels.shape[1::-1]) - 1)).all(axis=2)
    difference = np.abs(crop.astype(int) - case["crop_0"][..., ::-1])[inside]
    assert inside.mean() > 0.3
    assert (difference <= 2).mean() >= 0.995


def test_arcface_matrices_and_crops_are_the_published_ones(shared: Path) -> None:
    case = load(shared, "face_align_112")
    assert np.allclose(case["template_112"], ARCFACE_112.points, atol=1e-4)
    for landmarks, expected, double in zip(case["landmarks"], case["matrix_112"], case["matrix_224"], strict=True):
        assert np.allclose(similarity_transform(landmarks, ARCFACE_112.points), expected, atol=1e-4)
        assert np.allclose(similarity_transform(landmarks, ARCFACE_112.scaled(224).points), double, atol=1e-4)
    pixels = np.ascontiguousarray(case["image_bgr"][..., ::-1])
    height, width = pixels.shape[:2]
    for index, expected in zip((0, 3), case["warped_112_bgr"], strict=True):
        matrix = case["matrix_112"][index]
        rows, columns = np.indices((112, 112))
        at = transform(inverse(matrix), np.stack([columns.ravel(), rows.ravel()], axis=1)).reshape(112, 112, 2)
        inside = ((at >= 0) & (at <= (width - 1, height - 1))).all(axis=2)
        difference = np.abs(warp(pixels, matrix, (112, 112)).astype(int) - expected[..., ::-1])[inside]
        assert inside.any()
        assert difference.max() <= 2
