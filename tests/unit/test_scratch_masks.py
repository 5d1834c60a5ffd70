"""What a person says of scratches: strokes over what was found, and masks as files that are written, corrected, handed back."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facestudio.errors import PhotoError, UnwritableOutput, UsageError
from facestudio.mending import BY_HAND, CAREFUL
from facestudio.mending.by_hand import ByHand, Stroke, painted
from facestudio.mending.filling import filled
from facestudio.mending.mended import mend, mended
from facestudio.mending.scratches import search
from facestudio.metadata import read_recipe
from facestudio.recipe import Recipe
from facestudio.scratch_masks import MaskFolder, mask_beside, read_mask, write_mask
from facestudio.studio import Studio
from tests.fakes import photo_of, write_picture
from tests.unit.test_scratches import FACE, OneMethod, plain, scratched

ALONG = Stroke(((20.0, 60.0), (120.0, 60.0)), 6.0, adds=True)
RECIPE = Recipe("slow-checkpoint", "slow", {"strength": 0.0})


def band() -> np.ndarray:
    """(H, W) bool: a mark across a photo of 300 x 400."""
    mask = np.zeros((300, 400), bool)
    mask[250:256, 30:380] = True
    return mask


def test_strokes_are_painted_and_taken_away_in_their_order() -> None:
    mask = np.zeros((100, 200), bool)
    mask[20:24] = True
    eraser = Stroke(((50.0, 60.0), (50.0, 22.0)), 10.0, adds=False)
    after = painted(mask, (ALONG, eraser))
    assert not mask[60].any(), "what was found stays as it was"
    assert after[60, 25:38].all() and after[55:65, 100].all() and not after[52, 100] and not after[60, 45:55].any()
    assert after[22, :38].all() and not after[18:26, 42:58].any() and after[22, 62:].all()
    again = painted(mask, (eraser, ALONG))
    assert again[60, 20:120].all(), "what is painted later lies above"
    assert np.array_equal(painted(mask, ()), mask)


@pytest.mark.parametrize("radius", [0.5, 1.0, 2.5, 40.0])
def test_a_dot_is_as_large_as_the_brush(radius: float) -> None:
    dot = painted(np.zeros((120, 120), bool), (Stroke(((60.5, 60.5),), radius, adds=True),))
    rows, columns = np.nonzero(dot)
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == pytest.approx(max(2 * radius, 1), abs=1.01)
    assert rows.mean() == columns.mean() == pytest.approx(60, abs=0.51)


def test_a_stroke_beyond_the_photo_is_no_trouble() -> None:
    outside = Stroke(((-500.0, -500.0), (30.0, 30.0), (1e6, 30.0)), 3.0, adds=True)
    after = painted(np.zeros((60, 90), bool), (outside,))
    assert after[30, 30:].all() and after[10, 10] and not after[50].any()


def test_what_is_painted_is_mended_and_what_is_erased_is_not() -> None:
    clean = plain()
    damaged, _ = scratched(clean, specks=())
    damaged[60:66, 20:120] = (90, 200, 90)  # a stain that nobody finds
    found = search(damaged, CAREFUL).mask()
    rows, columns = np.nonzero(found & (np.arange(400) > 200))
    place = float(columns[0]) + 0.5, float(rows[0]) + 0.5
    strokes = (ALONG, Stroke((place,), 12.0, adds=False))
    by_hand = ByHand(strokes)
    after, about = mend(damaged, CAREFUL, by_hand=by_hand).sparing()
    assert np.array_equal(about.mask, painted(found, strokes))
    assert np.array_equal(after, filled(damaged, about.mask))
    assert np.abs(after[62:64, 30:110].astype(int) - clean[62:64, 30:110]).max() < 60, "the stain is gone"
    assert about.by_hand and len(about.by_hand) == 64 and about.sentence.endswith("mended, by marks corrected by hand.")
    assert about.details()["by_hand"] is True and "by_hand" not in mended(damaged, CAREFUL)[1].details()


def test_other_strokes_come_out_as_if_they_were_known_before() -> None:
    damaged, _ = scratched(np.full((300, 700, 3), 120, np.uint8))
    first = mend(damaged, CAREFUL)
    second = mend(damaged, CAREFUL, by_hand=ByHand((ALONG,)), known=first)
    assert second.search is first.search, "looked for once"
    assert np.array_equal(second.pixels, mend(damaged, CAREFUL, by_hand=ByHand((ALONG,))).pixels)
    thick = ByHand((Stroke(((500.0, 150.0),), 60.0, adds=True),))
    assert np.array_equal(
        mend(damaged, CAREFUL, by_hand=thick, known=second).pixels, mend(damaged, CAREFUL, by_hand=thick).pixels
    )


def test_by_hand_alone_nothing_is_looked_for() -> None:
    damaged, _ = scratched(plain())
    assert not mend(damaged, BY_HAND).mask.any()
    _, about = mend(damaged, BY_HAND, by_hand=ByHand((ALONG,))).sparing(FACE.parts)
    assert np.array_equal(about.mask, painted(np.zeros(damaged.shape[:2], bool), (ALONG,)))
    assert mended(damaged, BY_HAND)[1].sentence == "Scratches: nothing was marked."


def test_a_wide_mark_over_the_seam_of_tiles_has_no_seam() -> None:
    ramp = np.repeat(np.linspace(40, 210, 1100)[None, :, None], 3, axis=2)
    photo = np.rint(np.repeat(ramp, 700, axis=0)).astype(np.uint8)
    mask = np.zeros((700, 1100), bool)
    mask[440:600, 440:640] = True  # over four tiles, wider than what is seen around one
    hidden = photo.copy()
    hidden[mask] = (255, 0, 0)
    after = filled(hidden, mask).astype(int)
    assert np.array_equal(after[~mask], photo[~mask])
    assert np.abs(after - photo).max() < 40
    seam = np.abs(np.diff(after, axis=0))[440:599, 440:640]
    assert seam.max() < 12, "rows are alike, also at row 512"


def test_what_is_wide_gets_the_grain_of_calm_places_and_no_pattern() -> None:
    random = np.random.default_rng(2)
    grainy = np.clip(random.normal(120, 6, (300, 400, 3)), 0, 255)
    grainy[:, 240:] += 60 * (np.arange(160)[None, :, None] // 2 % 2)  # a fence beside it
    photo = np.clip(grainy, 0, 255).astype(np.uint8)
    mask = painted(np.zeros((300, 400), bool), (Stroke(((170.0, 150.0),), 60.0, adds=True),))
    hidden = photo.copy()
    hidden[mask] = 255
    inside = filled(hidden, mask)[120:180, 130:200].astype(float).mean(axis=2)
    assert abs(inside.mean() - 120) < 8 and 1.5 < inside.std() < 9
    columns = inside.mean(axis=0)
    assert np.abs(columns[2:] - columns[:-2]).max() < 6, "no fence"


def test_the_recipe_says_that_a_person_corrected_the_marks(tmp_path: Path) -> None:
    photo = photo_of(tmp_path / "old.png", scratched(plain())[0])
    studio = OneMethod("cpu")
    found = studio.marks(photo, CAREFUL, (FACE,))
    assert np.array_equal(found, mended(photo.pixels, CAREFUL, spared=FACE.parts)[1].mask)
    careful = Recipe("slow-checkpoint", "slow", {"strength": 0.0}, scratches=CAREFUL)
    by_itself = studio.restore(photo, (FACE,), careful)
    assert by_itself.recipe.scratch_mask == "" and "scratch_mask" not in by_itself.recipe.to_json()
    result = studio.restore(photo, (FACE,), careful, by_hand=ByHand((ALONG,)))
    assert np.array_equal(result.mended.mask, painted(found, (ALONG,)))  # type: ignore[union-attr]
    recipe = Recipe.from_json(result.recipe.to_json())
    assert recipe == result.recipe and recipe.scratches == CAREFUL and len(recipe.scratch_mask) == 64
    saved = result.after.save(tmp_path / "out.png", recipe=result.recipe)
    assert json.loads(read_recipe(saved) or "")["scratch_mask"] == recipe.scratch_mask

    written = write_mask(mask_beside(tmp_path / "out.png"), result.mended.mask)  # type: ignore[union-attr]
    given = OneMethod("cpu").restore(photo, (FACE,), RECIPE, by_hand=studio.open_scratch_mask(written))
    assert np.array_equal(given.after.pixels, result.after.pixels)
    assert given.recipe.scratches == BY_HAND and given.recipe.scratch_mask == recipe.scratch_mask
    assert "mended, by marks made by hand." in given.mended.sentence  # type: ignore[union-attr]


def test_with_a_mask_nothing_is_looked_for_and_faces_are_seen_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cracked, seen = scratched(plain(), lines=(((150, 10), (250, 290), 250), ((20, 30), (380, 250), 245)), specks=())
    photo = photo_of(tmp_path / "cracked.png", cracked)
    studio = OneMethod("cpu")
    monkeypatch.setattr("facestudio.mending.scratches.lines_of", lambda *_: pytest.fail("looked for"))
    by_hand = ByHand(mask=cv2.dilate(seen.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    assert studio.detect(photo) == ()
    faces = studio.detect(studio.mended(photo, "", by_hand=by_hand))
    result = studio.restore(photo, faces, RECIPE, by_hand=by_hand)
    assert result.status == "ok" and len(faces) == 1
    assert result.mended is not None and by_hand.mask is not None
    assert np.array_equal(result.mended.mask, by_hand.mask)


def test_a_mask_survives_being_written_and_read(tmp_path: Path) -> None:
    path = mask_beside(tmp_path / "old photo.jpg")
    assert path.name == "old photo.jpg.scratches.png"
    assert write_mask(path, band()) == path
    with Image.open(path) as image:
        assert image.mode == "L" and set(np.unique(np.asarray(image))) == {0, 255}
    assert np.array_equal(read_mask(path), band())
    write_mask(path, band())  # the same is there already
    with pytest.raises(UnwritableOutput, match=r"old photo\.jpg\.scratches\.png exists already"):
        write_mask(path, ~band())
    assert np.array_equal(read_mask(path), band())
    write_mask(path, np.roll(band(), 9, axis=0), overwrite=True)
    assert not np.array_equal(read_mask(path), band()) and not list(tmp_path.glob(".*"))


def test_whatever_a_paint_program_makes_of_a_mask_is_read(tmp_path: Path) -> None:
    grey = np.where(band(), 255, 0).astype(np.uint8)
    Image.fromarray(grey).convert("RGB").save(tmp_path / "a.jpg", quality=60)
    assert (read_mask(tmp_path / "a.jpg") != band()).mean() < 0.005
    clear = np.dstack([np.full((300, 400, 3), 255, np.uint8), grey])  # white paint on a layer without ground
    Image.fromarray(clear).save(tmp_path / "b.png")
    assert np.array_equal(read_mask(tmp_path / "b.png"), band())
    turned = Image.fromarray(np.rot90(grey, 1))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "c.png", exif=exif)
    assert read_mask(tmp_path / "c.png").shape == (300, 400), "upright, as the photo is"
    assert np.array_equal(read_mask(tmp_path / "c.png"), band())


def test_what_is_no_mask_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write_picture(tmp_path / "photo.png", plain())
    with pytest.raises(UsageError, match=r"photo\.png is no mask: .* black and white"):
        read_mask(tmp_path / "photo.png")
    write_mask(tmp_path / "inverted.png", ~band())
    with pytest.raises(UsageError, match=r"inverted\.png marks 98% of the photo as damaged"):
        read_mask(tmp_path / "inverted.png")
    with pytest.raises(PhotoError):
        read_mask(tmp_path / "nothing.png")


def test_a_mask_of_another_size_is_refused_in_a_sentence(tmp_path: Path) -> None:
    photo = photo_of(tmp_path / "old.png", plain())
    by_hand = ByHand(mask=np.zeros((360, 600), bool))
    with pytest.raises(UsageError, match="mask of scratches is 600 × 360 pixels, and the photo, upright, 400 × 300"):
        OneMethod("cpu").restore(photo, (FACE,), RECIPE, by_hand=by_hand)


def test_marks_of_another_strength_are_others(tmp_path: Path) -> None:
    photo = photo_of(tmp_path / "old.png", scratched(plain())[0])
    studio: Studio = OneMethod("cpu")
    assert not studio.marks(photo, BY_HAND, ()).any()
    assert studio.marks(photo, CAREFUL, ()).any()


def test_a_folder_of_masks_has_the_tree_and_names_of_the_photos(tmp_path: Path) -> None:
    for name in (
        "a.png",
        "2019/b.jpg.scratches.png",
        "2019/b.png",
        "2019/c.tif",
        "2019/c.webp",
        "2020/b.png",
        ".d.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    masks = MaskFolder(tmp_path)
    assert masks.of(Path("a.jpg")) == tmp_path / "a.png"
    assert masks.of(Path("2019/b.jpg")) == tmp_path / "2019/b.jpg.scratches.png", "the surest name"
    assert masks.of(Path("2019/b.heic")) == tmp_path / "2019/b.png", "of another photo of that stem"
    assert (
        masks.of(Path("2019/a.jpg")) is None and masks.of(Path("d.jpg")) is None and masks.of(Path("scan.2024")) is None
    )
    with pytest.raises(UsageError, match=r"Several masks are of c\.jpg: c\.tif, c\.webp\."):
        masks.of(Path("2019/c.jpg"))
    photos = [Path(name) for name in ("a.jpg", "2019/b.jpg", "2019/c.jpg")]
    assert masks.of_none(photos) == [tmp_path / "2020/b.png"]
    assert MaskFolder(tmp_path, [tmp_path / "a.png"]).of(Path("a.png")) is None, "no photo is its own mask"
    assert MaskFolder(tmp_path / "none").of(Path("a.jpg")) is None
