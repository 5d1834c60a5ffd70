"""Nothing of a face that was changed is left in any file that comes of its photo, however it is written and whatever is kept.

The face is that of scikit-image's public-domain portrait. `leaks` takes the files apart, and is tried first on files that leak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facestudio.anonymized import Anonymized
from facestudio.cli.main import run
from facestudio.faces.face import Face
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from tests.deep_files import read_deep, write_deep
from tests.end2end import leaks
from tests.end2end.leaks import FOUND, likeness, parts_of, said, telling

data = pytest.importorskip("skimage.data")

SUFFIXES = ("jpg", "png", "webp", "tif", "heic", "avif", "gif", "bmp")
POLICIES = ("strip", "technical", "keep")


@pytest.fixture(scope="module")
def studio() -> Studio:
    return Studio("cpu")


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[10:190, 135:315])


@pytest.fixture(scope="module")
def face(studio: Studio, portrait: np.ndarray) -> Face:
    (found,) = studio.detect(Photo(portrait))
    return found


def features(pixels: np.ndarray, face: Face) -> np.ndarray:
    """What lies between the eyes' corners, and from the brows to the chin."""
    unit, (x, y) = face.interocular, face.landmarks.mean(axis=0)
    return pixels[int(y - 0.9 * unit) : int(y + 0.9 * unit), int(x - 0.8 * unit) : int(x + 0.8 * unit)]


def grey(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean(axis=2).astype(np.float32)


def small(pixels: np.ndarray, face: Face) -> np.ndarray:
    return np.ascontiguousarray(cv2.resize(features(pixels, face), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def photos(portrait: np.ndarray, face: Face, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A telling photo of each format, made when it is asked for."""
    folder = tmp_path_factory.mktemp("photos")

    def photo(suffix: str) -> Path:
        path = folder / f"friend.{suffix}"
        return path if path.exists() else telling(path, portrait, small(portrait, face))

    return photo


@pytest.fixture(scope="module")
def changed(studio: Studio, photos: Callable[[str], Path]) -> Callable[[str, str], Anonymized]:
    """A photo of a format, changed by a method; by `solid` it is a PNG that is, and others are hidden where that one is."""
    known: dict[tuple[str, str], Anonymized] = {}

    def result(suffix: str, method: str) -> Anonymized:
        if (suffix, method) not in known:
            photo = Photo.open(photos(suffix))
            if method == "solid" and suffix != "png":
                block = result("png", method)
                where = (block.after.pixels != block.before.pixels).any(axis=2)
                pixels = np.where(where[..., None], block.after.pixels, photo.pixels)
                known[suffix, method] = replace(block, after=photo.with_hidden(pixels, where))
            else:
                faces = studio.detect(photo, unsure=True)
                known[suffix, method] = studio.anonymize(photo, faces, Recipe(method, method))
        return known[suffix, method]

    return result


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_search_finds_a_face_wherever_it_hides(
    photos: Callable[[str], Path], portrait: np.ndarray, face: Face, tmp_path: Path, suffix: str
) -> None:
    wanted, preview = grey(features(portrait, face)), small(portrait, face)
    content = photos(suffix).read_bytes()
    assert likeness(content, wanted) > 0.85
    blank = np.zeros_like(portrait)
    hidden = telling(tmp_path / f"hidden.{suffix}", blank, preview).read_bytes()
    assert likeness(hidden, wanted) > 0.85, "what is small and beside the picture counts"
    if suffix not in ("gif", "bmp"):
        assert len(said(hidden)) >= 3 and parts_of(hidden, preview) > 30
    faint = np.clip(128 + 0.1 * (portrait.astype(float) - 128), 0, 255).astype(np.uint8)
    assert likeness(leaks.written(faint, "PNG"), wanted) > 0.85, "and what is faint"
    assert likeness(leaks.written(np.dstack([blank, portrait[..., 1]]), "PNG"), wanted) > 0.85, "or in the transparency"
    assert likeness(leaks.written(blank, "PNG"), wanted) == 0


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_no_face_and_no_word_comes_out_below_a_block(
    changed: Callable[[str, str], Anonymized], portrait: np.ndarray, face: Face, tmp_path: Path, suffix: str
) -> None:
    for policy in POLICIES if suffix in ("jpg", "png") else ("strip", "keep"):
        check(changed(suffix, "solid"), portrait, face, tmp_path / f"{policy}.{suffix}", policy)


@pytest.mark.parametrize(
    ("method", "suffix", "to"),
    [
        *(("blur", "jpg", to) for to in ("jpg", "webp", "avif")),
        *(("pixelate", "tif", to) for to in ("tif", "png", "bmp")),
        *(("solid", "png", to) for to in ("gif", "tif")),
    ],
)
def test_no_face_comes_out_of_another_method_in_another_format(
    changed: Callable[[str, str], Anonymized],
    portrait: np.ndarray,
    face: Face,
    tmp_path: Path,
    method: str,
    suffix: str,
    to: str,
) -> None:
    result = changed(suffix, method)
    assert result.writable
    for policy in ("strip", "keep"):
        check(result, portrait, face, tmp_path / f"{policy}.{to}", policy)


def deep(path: Path, portrait: np.ndarray) -> Path:
    """Write the portrait with 16 bits; its lower bytes show the face, and so do those of its transparency."""
    seen = np.dstack([portrait, np.full(portrait.shape[:2], 255, np.uint8)]).astype(np.uint16) << 8
    return write_deep(path, seen | np.dstack([portrait, portrait[..., 1]]), artist="A. Friend")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_no_face_comes_out_in_the_lower_bytes_of_16_bits(
    studio: Studio,
    changed: Callable[[str, str], Anonymized],
    portrait: np.ndarray,
    face: Face,
    tmp_path: Path,
    suffix: str,
) -> None:
    photo, wanted = Photo.open(deep(tmp_path / f"deep.{suffix}", portrait)), grey(features(portrait, face))
    block = changed("png", "solid")
    where = (block.after.pixels != block.before.pixels).any(axis=2)
    pixels = np.where(where[..., None], block.after.pixels, photo.pixels)
    bare = photo.with_pixels(pixels).save(tmp_path / f"bare.{suffix}")
    assert likeness(bare.read_bytes(), wanted) > 0.85, "there is something to find"
    squares = studio.anonymize(photo, (face,), Recipe("pixelate", "pixelate"))
    for result in (replace(block, after=photo.with_hidden(pixels, where)), squares):
        for policy in ("strip", "keep"):
            path = tmp_path / f"{policy}-{result.recipe.method}.{suffix}"
            check(result, portrait, face, path, policy)
            assert np.array_equal(read_deep(path)[:8], read_deep(photo.path or path)[:8]), "all 16 bits of the rest"
            assert not result.after.loses_depth()


def test_a_face_that_only_shadows_of_16_bits_show_is_pointed_out(
    studio: Studio, portrait: np.ndarray, face: Face, tmp_path: Path
) -> None:
    dark = portrait.astype(np.uint16) * 4 + np.random.default_rng(0).integers(0, 20, portrait.shape, dtype=np.uint16)
    photo = Photo.open(write_deep(tmp_path / "dark.png", dark))
    assert photo.pixels.max() == 4 and studio.detect(photo, unsure=True) == ()
    result = studio.anonymize(photo, (), Recipe("solid", "solid"))
    (missed,) = result.missed
    assert result.status == "needs review" and np.abs(missed.landmarks - face.landmarks).max() < 0.3 * face.interocular
    found = read_deep(result.after.save(tmp_path / "out.png", metadata_policy="strip"))
    assert len(np.unique(features(found, face))) <= 5 < len(np.unique(features(dark, face))), "8 bits are left of it"


def check(result: Anonymized, portrait: np.ndarray, face: Face, path: Path, policy: str) -> None:
    """Write `result` and look for what must not be in the file."""
    result.after.save(path, recipe=result.saved_recipe, metadata_policy=policy, generative=result.generative)
    content = path.read_bytes()
    assert likeness(content, grey(features(portrait, face))) < FOUND
    assert not parts_of(content, small(portrait, face))
    if policy != "keep":
        assert said(content) == set()


def test_nothing_else_that_a_run_writes_shows_a_face_or_says_what_the_photos_said(
    photos: Callable[[str], Path], portrait: np.ndarray, face: Face, tmp_path: Path, own_folders: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(photos("jpg").read_bytes())
    (folder / "broken.jpg").write_bytes(photos("jpg").read_bytes()[:3000])
    run(["anonymize", str(folder), "-o", str(tmp_path / "out"), "--method", "solid", "--quiet"])
    wanted, preview = grey(features(portrait, face)), small(portrait, face)
    files = [path for place in (tmp_path, own_folders) for path in place.rglob("*") if path.is_file()]
    files = [path for path in files if folder not in path.parents]
    names = {path.name for path in files}
    assert {"one.jpg", "out-report.jsonl", "out-report.html"} <= names and any(
        name.endswith(".sqlite") for name in names
    )
    for path in files:
        content = path.read_bytes()
        assert likeness(content, wanted) < FOUND and not parts_of(content, preview), path
        assert said(content) == set(), path
