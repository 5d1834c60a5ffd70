"""A photo turned by quarters: its pixels and all that follows them, and how it is known which way is up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facestudio.errors import UnwritableOutput, UsageError
from facestudio.faces.align import align
from facestudio.faces.face import FFHQ_256, Face
from facestudio.faces.pose import estimate_pose
from facestudio.faces.standing import standing
from facestudio.mending.by_hand import ByHand, Stroke
from facestudio.photo import Photo
from facestudio.quarters import turned as turned_array
from facestudio.recipe import Recipe
from facestudio.salvaging import Damage
from facestudio.studio import Studio
from tests.fakes import SlowRestorer, face_at, photo_of, picture

FACE = face_at(70, 90, 90, turn=15)
TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}
ORIENTATION = 0x0112


@pytest.mark.parametrize("degrees", TURNS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "RGBA"])
def test_a_file_stays_what_it_was_but_turned(tmp_path: Path, mode: str, degrees: int) -> None:
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    image = Image.fromarray(picture(60, 80)).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(np.arange(4800, dtype=np.uint32).astype(np.uint8).reshape(60, 80)))
    image.save(path)
    as_it_was = path.read_bytes()
    photo = Photo.open(path)
    turned = photo.turned(degrees)
    assert turned.size == ((80, 60) if degrees == 180 else (60, 80)) and photo.size == (80, 60)
    assert turned.turn == degrees and photo.turn == 0
    assert turned.content_hash != photo.content_hash and not turned.pixels.flags.writeable
    assert turned.colour is not None and turned.colour.srgb is turned.pixels, "they are kept once"
    saved = tmp_path / f"turned{path.suffix}"
    turned.save(saved)
    with Image.open(saved) as written:
        assert written.mode == mode, "in the file's own colours, converted nowhere"
        assert np.array_equal(np.asarray(written), np.asarray(image.transpose(TURNS[degrees])))
    with pytest.raises(UnwritableOutput, match="original"):
        turned.save(path, overwrite=True)
    assert path.read_bytes() == as_it_was


def test_turns_add_up_and_back_is_the_photo() -> None:
    photo = Photo.from_pixels(picture(60, 80))
    assert photo.turned(0) is photo
    assert photo.turned(90).turned(90).content_hash == photo.turned(180).content_hash
    back = photo.turned(270).turned(90)
    assert back.turn == 0 and back.content_hash == photo.content_hash
    with pytest.raises(ValueError, match="45"):
        photo.turned(45)


def test_what_the_file_says_turns_it_no_second_time(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "A description"
    path = tmp_path / "photo.jpg"
    Image.fromarray(picture(60, 80)).save(path, exif=exif, dpi=(300, 150), quality=95)
    photo = Photo.open(path)
    assert photo.size == (60, 80), "the file's own orientation is applied when it is opened"
    turned = photo.turned(90)
    turned.save(tmp_path / "turned.jpg")
    with Image.open(tmp_path / "turned.jpg") as written:
        assert written.size == (80, 60)
        assert written.getexif().get(ORIENTATION, 1) == 1 and written.getexif()[0x010E] == "A description"
        assert written.info["dpi"] == tuple(reversed(photo.metadata.dpi or ()))
    again = Photo.open(tmp_path / "turned.jpg")
    assert np.abs(again.pixels.astype(int) - turned.pixels).mean() < 4


def test_what_could_not_be_read_turns_with_the_photo() -> None:
    unread = np.zeros((60, 80), bool)
    unread[50:] = True
    photo = replace(Photo.from_pixels(picture(60, 80)), damage=Damage(unread)).turned(90)
    assert photo.damage is not None and photo.damage.unread.shape == (80, 60)
    assert photo.damage.unread[:, :10].all() and not photo.damage.unread[:, 10:].any()


@pytest.mark.parametrize("degrees", TURNS)
def test_a_face_is_the_same_in_the_turned_photo(degrees: int) -> None:
    photo = Photo.from_pixels(picture(180, 200, [FACE]))
    face = FACE.turned(degrees, photo.size)
    one, two = (align(p, f, FFHQ_256).pixels.astype(int) for p, f in ((photo, FACE), (photo.turned(degrees), face)))
    assert np.abs(one - two).mean() < 1, "a shift of half a pixel would show at every edge"
    left, top, right, bottom = face.box
    assert ((face.landmarks > (left, top)) & (face.landmarks < (right, bottom))).all()
    assert np.allclose((right - left, bottom - top), 63.0)
    there = replace(FACE, pose=estimate_pose(FACE.landmarks)).turned(degrees, photo.size)
    apart = (there.pose - estimate_pose(there.landmarks) + 180) % 360 - 180
    assert np.abs(apart).max() < 0.5, "the pose is what it would be found to be"
    assert FACE.turned(0, photo.size) is FACE
    back = face.turned(360 - degrees, photo.turned(degrees).size)
    assert np.allclose(back.box, FACE.box, atol=1e-3) and np.allclose(back.landmarks, FACE.landmarks, atol=1e-3)


@pytest.mark.parametrize("degrees", TURNS)
def test_marks_by_hand_turn_with_the_photo(degrees: int) -> None:
    nothing = np.zeros((60, 80), bool)
    strokes = (Stroke(((10.0, 12.0), (40.0, 20.0)), 4.0, True), Stroke(((30.0, 17.0),), 3.0, False))
    marks = ByHand(strokes).applied(nothing)
    turned = ByHand(strokes).turned(degrees, (80, 60)).applied(turned_array(nothing, degrees))
    assert marks.sum() > 200
    assert (turned != np.rot90(marks, -degrees // 90)).sum() <= 0.05 * marks.sum(), "but for how a line is drawn"
    mask = ByHand(mask=marks).turned(degrees, (80, 60)).mask
    assert mask is not None and np.array_equal(mask, np.rot90(marks, -degrees // 90))


def test_the_recipe_says_it_only_where_it_is_turned() -> None:
    turned = Recipe("c", "m", turn=270)
    assert Recipe.from_json(turned.to_json()) == turned != Recipe("c", "m")
    assert "turn" not in json.loads(Recipe("c", "m").to_json())
    for wrong in (45, "90", True, None):
        line = json.dumps(json.loads(turned.to_json()) | {"turn": wrong})
        with pytest.raises(UsageError, match="not a recipe"):
            Recipe.from_json(line)


class OneMethod(Studio):
    """The real façade with a method without weights and nobody who judges."""

    def _restorer(self, checkpoint_id: str) -> Any:
        return SlowRestorer()

    def _embedders(self) -> list[Any]:
        return []

    def _panel(self) -> None:
        return None


@pytest.mark.parametrize("upscale", [1, 2])
def test_by_the_recipe_of_a_turned_result_the_original_becomes_the_same(tmp_path: Path, upscale: int) -> None:
    pixels = picture(180, 200, [FACE])
    pixels[20:160, 150:152] = 250  # a scratch, marked by hand
    photo = photo_of(tmp_path / "photo.png", pixels)
    by_hand = ByHand((Stroke(((151.0, 18.0), (151.0, 162.0)), 3.0, True),))
    studio, size = OneMethod("cpu"), photo.size
    recipe = Recipe("slow-checkpoint", "slow", upscale=upscale, scratches="by hand", turn=90)
    turned = studio.restore(photo.turned(90), (FACE.turned(90, size),), recipe, by_hand=by_hand.turned(90, size))
    assert turned.after.size == (180 * upscale, 200 * upscale) and turned.recipe.turn == 90
    assert turned.status == "ok" and turned.mended is not None and turned.mended.share > 0
    again = studio.restore(photo, (FACE,), Recipe.from_json(turned.recipe.to_json()), by_hand=by_hand)
    assert again.recipe == turned.recipe and again.after.content_hash == turned.after.content_hash
    assert again.before.content_hash == turned.before.content_hash
    as_it_is = studio.restore(photo, (FACE,), Recipe("slow-checkpoint", "slow"))
    assert as_it_is.after.size == size and "turn" not in as_it_is.recipe.to_json()
    saved = turned.after.save(tmp_path / "out.png", recipe=turned.saved_recipe)
    assert Photo.open(saved).content_hash == turned.after.content_hash


def rolled(roll: float, score: float = 0.9) -> Face:
    face = face_at(100, 100, 100, turn=roll)
    return replace(face, score=score, pose=estimate_pose(face.landmarks))


@pytest.mark.parametrize(
    ("rolls", "turn", "says"),
    [
        ((5, -8, 3), 0, "stand upright"),
        ((88, 95, 110), 270, "270 degrees clockwise: the faces lay on their side"),
        ((-80,), 90, "90 degrees clockwise: the face lay on its side"),
        ((175, -178, 160), 180, "Turned by 180 degrees: the faces were upside down"),
        ((90, 88, 0), 0, "do not agree"),
        ((90, -90), 0, "do not agree"),
        ((0, 180), 0, "do not agree"),
        ((44, 47), 0, "tilted"),
        ((), 0, "no face was found"),
    ],
)
def test_how_a_photo_stands_is_told_by_faces_that_agree(rolls: tuple[float, ...], turn: int, says: str) -> None:
    told = standing([rolled(roll) for roll in rolls])
    assert told.turn == turn and says in told.why
    assert bool(told.offer) == bool(turn) == bool(told.turn and told.faces)
    assert not turn or ("The faces " in told.offer) == (len(rolls) > 1)
    if turn:
        upright = [rolled(roll).turned(turn, (200, 200)) for roll in rolls]
        assert standing(upright).turn == 0 and "upright" in standing(upright).why


def test_faces_that_are_not_sure_have_no_say() -> None:
    assert (
        standing([rolled(90, 0.8)]).why == "Not turned: no face was detected reliably enough to tell which way is up."
    )
    assert standing([rolled(2), rolled(90, 0.8)]).turn == 0
    assert standing([rolled(90), rolled(2, 0.8)]).turn == 270


def test_the_facade_tells_it_by_the_faces_that_it_finds() -> None:
    class Finds(Studio):
        def detect(self, photo: Photo, progress: Any = None, *, unsure: bool = False) -> Any:
            return (rolled(91), rolled(86))

    assert Finds("cpu").standing(Photo.from_pixels(picture(200, 200))).turn == 270
