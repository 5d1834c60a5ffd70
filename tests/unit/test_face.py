from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from facestudio.errors import FaceStudioError
from facestudio.faces.face import ARCFACE_112, FFHQ_256, FFHQ_512, AlignedFace, Face, Identity, similarity

BOX, LANDMARKS = [10, 20, 40, 60], FFHQ_512.points


def test_values_are_copied_and_cannot_be_changed() -> None:
    landmarks = np.array(LANDMARKS)
    face = Face(np.array(BOX), landmarks, 0.7, [1, 2, 3])
    landmarks[0] = 0
    assert face.landmarks[0, 0] == pytest.approx(LANDMARKS[0, 0])
    for array in (face.box, face.landmarks, face.pose):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        face.score = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(("box", "landmarks"), [(BOX[:3], LANDMARKS), (BOX, LANDMARKS[:4]), (BOX, LANDMARKS.ravel())])
def test_wrong_shapes_are_refused(box: list[int], landmarks: np.ndarray) -> None:
    with pytest.raises(ValueError, match="shape"):
        Face(np.array(box), landmarks)


def test_measures_of_a_face() -> None:
    face = Face(np.array(BOX), [[0, 0], [3, 4], [1, 1], [0, 5], [3, 9]])  # type: ignore[arg-type]
    assert face.interocular == pytest.approx(5)
    assert face.area == 30 * 40
    assert Face(np.array([40, 60, 10, 20]), LANDMARKS).area == 0


def test_templates_are_one_framing_at_several_sizes() -> None:
    assert np.allclose(FFHQ_256.points * 2, FFHQ_512.points)
    scaled = ARCFACE_112.scaled(224)
    assert (scaled.size, scaled.name != ARCFACE_112.name) == (224, True)
    assert np.allclose(scaled.points, ARCFACE_112.points * 2)


def test_aligned_face_knows_its_scale_and_keeps_its_place() -> None:
    matrix = np.array([[0.0, -0.5, 3.0], [0.5, 0.0, 4.0]])
    pixels = np.zeros((256, 256, 3), np.uint8)
    aligned = AlignedFace(pixels, matrix, FFHQ_256)
    other = aligned.with_pixels(pixels + 9)
    assert aligned.scale == pytest.approx(0.5)
    assert (other.pixels == 9).all()
    assert (other.matrix == matrix).all()
    assert other.template is FFHQ_256
    with pytest.raises(ValueError, match="shape"):
        aligned.with_pixels(pixels[:255])


def test_identity_has_length_one_and_cosines_are_right() -> None:
    a, b = Identity(np.array([3.0, 4.0]), "e"), Identity(np.array([4.0, 3.0]), "e")
    assert np.linalg.norm(a.embedding) == pytest.approx(1)
    assert similarity(a, b) == pytest.approx(24 / 25)
    assert similarity(a, Identity(np.array([-30.0, -40.0]), "e")) == pytest.approx(-1)


def test_identities_of_two_embedders_are_not_compared() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        similarity(Identity(np.ones(4), "a"), Identity(np.ones(4), "b"))


@pytest.mark.parametrize("embedding", [np.zeros(4), np.array([1.0, np.nan]), np.array([np.inf, 1.0])])
def test_an_embedding_without_direction_is_refused(embedding: np.ndarray) -> None:
    with pytest.raises(FaceStudioError, match="e gives no usable identity for this face") as told:
        Identity(embedding, "e")
    assert "import it again" in told.value.hint
