"""What the Generate workspace has done on worker threads: each function is one job's work and takes its Progress last.

Separate from `work`, which is of every workspace. Nothing here touches a widget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

from facestudio.gui.qimage import fitted, to_qimage
from facestudio.gui.runs import Picture
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.alike import Likeness
    from facestudio.checkpoints import Checkpoint
    from facestudio.faces.face import Face
    from facestudio.faces.sliders import Slider
    from facestudio.generating import Gallery, Portrait
    from facestudio.photo import Photo
    from facestudio.recipe import Recipe
    from facestudio.studio import Studio
    from facestudio.whom import Shot

TILE = 384  # px of a made picture in the grid, also on screens of double density


@dataclass(frozen=True)
class Ability:
    """What the method of a checkpoint can be told: `people` who do not exist, the `sliders` that it has, and with which other
    weights a `pose`, None where it cannot."""

    people: bool = False
    sliders: tuple[Slider, ...] = ()
    pose: Checkpoint | None = None


@dataclass(frozen=True, eq=False)
class PosePicture:
    """A pose picture called `name`: the `photo` that it is, and an `image` of it to show."""

    name: str
    photo: Photo
    image: QImage


def abilities(studio: Studio, checkpoints: Sequence[str], progress: Progress) -> dict[str, Ability]:
    """What each of `checkpoints` can be told."""
    return {
        one: Ability(studio.knows_people(one), tuple(studio.sliders(one)), studio.pose_weights(one))
        for one in checkpoints
    }


def make(
    studio: Studio,
    recipe: Recipe,
    count: int,
    who: tuple[Photo, Face] | None,
    plan: Sequence[Shot] | None,
    pose: Photo | None,
    made: Callable[[Picture], None],
    progress: Progress,
) -> Gallery:
    """Make `count` pictures of the face in `who`, or of those whom the `plan` names, in the `pose` of a pose picture; `made` is
    told of each, on this thread."""

    from facestudio.generating import Commission

    def done(portrait: Portrait) -> None:
        image = _shown(portrait.photo)
        small = image if max(portrait.photo.size) <= TILE else fitted(portrait.photo.pixels, TILE)
        made(Picture(portrait, image, small))

    return studio.generate(recipe, Commission(count, who, plan, pose), progress, done)


def draft(
    studio: Studio, recipe: Recipe, shot: Shot | None, who: tuple[Photo, Face] | None, progress: Progress
) -> QImage:
    """A quick picture of what `recipe` would draw of `shot`, or of the face in `who`."""
    from facestudio.generating import Commission

    plan = None if shot is None or who is not None else (shot,)
    gallery = studio.generate(recipe, Commission(1, who, plan, draft=True), progress)
    return _shown(gallery.portraits[0].photo)


def alike(
    studio: Studio, pictures: Sequence[Picture], progress: Progress
) -> tuple[Sequence[Picture], tuple[Likeness, ...]]:
    """`pictures`, which one checkpoint made, and how alike their faces are to each recogniser."""
    portraits = [picture.portrait for picture in pictures]
    return pictures, studio.alike(portraits, portraits[0].recipe.checkpoint, progress)


def read_pose(studio: Studio, path: Path, checkpoint: str, progress: Progress) -> PosePicture:
    """The pose picture `path`, for the method of a checkpoint; errors as of `Studio.open_pose`."""
    photo = studio.open_pose(path, checkpoint)
    return PosePicture(path.name, photo, fitted(photo.pixels, TILE))


def read_recipe(path: Path, progress: Progress) -> Recipe:
    """The recipe in the file `path`; errors as of `keeping.recipe_of`."""
    from facestudio.keeping import recipe_of

    return recipe_of(path)


def _shown(photo: Photo) -> QImage:
    return to_qimage(photo.pixels).convertToFormat(QImage.Format.Format_RGB32)
