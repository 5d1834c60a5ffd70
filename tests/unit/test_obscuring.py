"""Blur, pixelate and solid: what they hide, what they leave, and that their strengths are those of the face."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facestudio.checkpoints import checkpoint
from facestudio.errors import UsageError
from facestudio.faces.align import align, inverse, transform
from facestudio.faces.face import FFHQ_256, FFHQ_512, AlignedFace
from facestudio.faces.paste import covered, paste
from facestudio.methods.base import Anonymizer, Obscurer, load_method
from facestudio.methods.obscuring import AREAS, area_mask
from facestudio.options import validate
from facestudio.photo import Photo
from facestudio.progress import Cancelled, Progress
from tests.fakes import face_at, picture

NAMES = ("blur", "pixelate", "solid")
FACE = face_at(110, 100, 160, 12)


@pytest.fixture(params=NAMES)
def method(request: pytest.FixtureRequest) -> Any:
    return load_method(checkpoint(request.param), "cpu")


@pytest.fixture
def photo() -> Photo:
    return Photo.from_pixels(picture(200, 240, [FACE]))


def detail(pixels: np.ndarray) -> float:
    """How much neighbours differ, of the middle of a crop."""
    middle = pixels[180:380, 180:340].astype(float)
    return float(np.abs(np.diff(middle, axis=0)).mean() + np.abs(np.diff(middle, axis=1)).mean())


def test_each_is_an_obscurer_without_weights(method: Any) -> None:
    assert isinstance(method, Anonymizer) and isinstance(method, Obscurer)
    assert (method.goal, method.template) == ("change", FFHQ_512)
    assert not method.checkpoint.files and method.checkpoint.here
    assert method.erases == (method.id == "solid")


def test_the_crop_is_hidden_within_the_area_and_untouched_beyond(method: Any, photo: Photo) -> None:
    before = align(photo, FACE, method.template)
    options = method.Options()
    after = method(before, options, Progress(), 0)
    mask = method.mask(options)
    assert np.array_equal(after.pixels[mask == 0], before.pixels[mask == 0])
    changed = (after.pixels != before.pixels).any(axis=2)[mask == 1].mean()
    assert changed > 0.9
    assert np.array_equal(after.pixels, method(before, options, Progress(), 7).pixels)


@pytest.mark.parametrize("area", AREAS)
def test_the_area_holds_all_landmarks_and_more_of_the_head_when_asked(area: str) -> None:
    mask = area_mask(area)
    for x, y in np.rint(FFHQ_512.points).astype(int):
        assert (mask[y - 40 : y + 40, x - 40 : x + 40] == 1).all()
    assert mask.min() == 0 and mask.max() == 1 and not mask.flags.writeable
    assert (area_mask("head") >= area_mask("face")).all()


def test_solid_does_not_depend_on_the_face(photo: Photo) -> None:
    solid = load_method(checkpoint("solid"), "cpu")
    other = Photo.from_pixels(255 - photo.pixels)
    one, two = (solid(align(p, FACE, FFHQ_512), solid.Options(colour="grey"), Progress(), 0) for p in (photo, other))
    inside = solid.mask(solid.Options()) > 0
    assert np.array_equal(one.pixels[inside], two.pixels[inside])
    assert set(np.unique(one.pixels[inside])) == {128}


def test_stronger_hides_more_and_comes_to_an_end(method: Any, photo: Photo) -> None:
    options = {"blur": {"radius": 2.0}, "pixelate": {"blocks": 40}, "solid": {}}[method.id]
    chosen = method.Options(**options)
    before = align(photo, FACE, method.template)
    steps = [chosen]
    while (more := method.stronger(steps[-1])) is not None:
        validate(more)
        steps.append(more)
        assert len(steps) < 20
    assert steps[-1].area == "head"
    seen = [detail(method(before, step, Progress(), 0).pixels) for step in steps]
    assert seen[-1] < 0.35 * seen[0] or method.id == "solid"
    if method.id == "blur":
        assert all(b < a + 1e-6 for a, b in zip(seen, seen[1:], strict=False))


@pytest.mark.parametrize(("name", "options"), [("blur", {"radius": 12.0}), ("pixelate", {"blocks": 6})])
def test_strength_is_relative_to_the_face(name: str, options: dict[str, Any]) -> None:
    """A face of twice the size, in twice the photo, looks the same when it is hidden."""
    method = load_method(checkpoint(name), "cpu")
    small = picture(200, 240, [face_at(110, 100, 160)])
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    crops = []
    for pixels, face in ((small, face_at(110, 100, 160)), (large, face_at(220.5, 200.5, 320))):
        crops.append(method(align(pixels, face, FFHQ_512), method.Options(**options), Progress(), 0).pixels.astype(int))
    assert np.abs(crops[0] - crops[1]).mean() < 2


def test_outside_of_the_mask_not_one_bit_of_the_photo_changes(method: Any, photo: Photo) -> None:
    options = replace(method.Options(), area="head")
    made = method(align(photo, FACE, method.template), options, Progress(), 0)
    mask = method.mask(options)
    after = paste(photo, made, mask=mask)
    rows, columns = np.mgrid[:200, :240]
    places = transform(made.matrix, np.column_stack([columns.ravel(), rows.ravel()])).reshape(200, 240, 2)
    y, x = (np.clip(np.rint(places[..., n]).astype(int), 0, 511) for n in (1, 0))
    outside = ((places < 0) | (places > 511)).any(axis=2) | (mask[y, x] == 0)
    margin = np.pad(outside, 2, constant_values=True)
    far = np.all([margin[i : i + 200, j : j + 240] for i in range(5) for j in range(5)], axis=0)
    assert far.sum() > 10_000
    assert np.array_equal(after.pixels[far], photo.pixels[far])
    hidden = covered(photo, made, mask)
    assert hidden[int(FACE.landmarks[2, 1]), int(FACE.landmarks[2, 0])] and not (hidden & far).any()
    if method.erases:
        assert not after.pixels[hidden].any()


def test_the_middle_of_a_face_is_covered_wherever_it_is_and_shows_nothing_of_the_photo() -> None:
    solid: Any = load_method(checkpoint("solid"), "cpu")
    mask = solid.mask(solid.Options())
    dark, light = (Photo.from_pixels(np.full((90, 90, 3), level, np.uint8)) for level in (0, 255))
    for n in range(40):  # resampled, the mask is 1 in some places and a little less in others
        face = face_at(40 + 0.37 * n, 42 + 0.23 * n, 12 + n, n)
        crop = align(dark, face, solid.template)
        made = crop.with_pixels(np.full_like(crop.pixels, 128))
        hidden = covered(dark, made, mask)
        middle = np.rint(face.landmarks[2]).astype(int)
        assert hidden[middle[1], middle[0]], n
        below = [paste(photo, made, mask=mask).pixels[hidden] for photo in (dark, light)]
        assert np.array_equal(*below), "what is there does not depend on the photo"


def test_nothing_is_covered_beyond_the_photo(photo: Photo) -> None:
    solid = load_method(checkpoint("solid"), "cpu")
    away = AlignedFace(np.zeros((512, 512, 3), np.uint8), inverse(np.array([[1.0, 0, 900], [0, 1, 900]])), FFHQ_512)
    assert not covered(photo, away, solid.mask(solid.Options())).any()


def test_what_makes_no_sense_is_refused(method: Any, photo: Photo) -> None:
    with pytest.raises(ValueError, match="works on FFHQ_512"):
        method(align(photo, FACE, FFHQ_256), method.Options(), Progress(), 0)
    with pytest.raises(UsageError):
        validate(replace(method.Options(), area="feet"))
    stopped = Progress()
    stopped.cancel()
    with pytest.raises(Cancelled):
        method(align(photo, FACE, FFHQ_512), method.Options(), stopped, 0)
