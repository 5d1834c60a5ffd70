"""What the window has done on worker threads: each function is one job's work and takes its Progress last.

Separate from the session, which runs on the GUI thread, so that it is plain which code may take its time. Modules that
are slow to import (torch, OpenCV) are imported inside. Nothing here touches a widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QImageWriter

from facestudio.errors import FaceStudioError, NoFaceFound, PhotoError, UsageError
from facestudio.files import shown
from facestudio.gui import quiet_torch
from facestudio.gui.found import Found, Source
from facestudio.gui.mask_work import given
from facestudio.gui.qimage import Pyramid, fitted, pyramid, square
from facestudio.photo import Photo
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.checkpoints import Checkpoint
    from facestudio.faces.face import Face
    from facestudio.gui.history import Step
    from facestudio.gui.mask_work import LoadedMask
    from facestudio.mending.by_hand import ByHand, Stroke
    from facestudio.options import OptionField
    from facestudio.recipe import Recipe
    from facestudio.results import Comparison, Result
    from facestudio.studio import Studio

CHIP = 192  # pixels of a face's crop: twice what is shown, for screens of double density
THUMBNAIL = 160
PASTED = "Pasted picture"
SEEN = 0.04  # seconds between two things that are told, or the second is not
IN_ONE_GO = "This format is read in one step, which cannot be interrupted; Cancel takes effect after it."


@dataclass(frozen=True, eq=False)
class Opened:
    """A photo that was read: `source` is its file, None for a pasted picture; `name` is for people."""

    photo: Photo
    pyramid: Pyramid
    source: Path | None
    name: str


@dataclass(frozen=True, eq=False)
class Added:
    """A face of `photo` that was missed, its crop, and which of the faces it is if one of them shows it already."""

    photo: Photo
    face: Face
    crop: QImage
    known: int | None


@dataclass(frozen=True)
class Offer:
    """A checkpoint that can be chosen: its method's short name, the options of that method, whether that can be told who the
    person is (`guided`), and whether it makes somebody else of a face and can be told whom (`replacing`)."""

    checkpoint: Checkpoint
    method: str
    options: tuple[OptionField, ...]
    guided: bool
    replacing: bool = False


@dataclass(frozen=True)
class Listed:
    """Photos that were asked for: `paths` in order; `several` when a folder or more than one file was `given`."""

    paths: tuple[Path, ...]
    several: bool
    given: tuple[Path, ...] = ()


def list_photos(given: Sequence[Path], progress: Progress) -> Listed:
    """The files among `given`, and the photos in its folders, A to Z; UsageError when there is none."""
    from facestudio.batch import find_photos

    paths: list[Path] = []
    several = len(given) > 1
    for path in given:
        progress.check()
        if path.is_dir():
            several = True
            paths += find_photos(path)
        else:
            paths.append(path)
    if not paths:
        names = " or ".join(path.name or str(path) for path in given)
        raise UsageError(
            f"There is no photo in {names}.", hint="Open a folder that holds photos, or the photos themselves."
        )
    unique = dict.fromkeys(paths)
    ordered = sorted(unique, key=lambda path: (path.name.casefold(), str(path))) if several else list(unique)
    return Listed(tuple(ordered), several and len(ordered) > 1, tuple(given))


def open_photo(studio: Studio, path: Path, progress: Progress, salvage: bool = False) -> Opened:
    """Read `path`, or what is readable of it with `salvage`, and make what the viewer paints from."""

    def reading(share: float | None) -> None:
        if share is None:
            progress.wait(SEEN)
            progress.count(IN_ONE_GO)
        else:
            progress.count(f"{share:.0%} read" if share < 1 else "Preparing it for display.")

    photo = studio.open(path, salvage=salvage, reading=reading)
    progress.check()
    return Opened(photo, pyramid(photo.pixels, progress.check), path, shown(path))


def open_first(studio: Studio, paths: Sequence[Path], progress: Progress) -> Opened:
    """The first of `paths` that can be read; when none can, why the first cannot. The list says which are broken."""
    reason: PhotoError | None = None
    for path in paths:
        progress.check()
        try:
            return open_photo(studio, path, progress)
        except PhotoError as error:
            reason = reason or error
    assert reason is not None
    raise reason


def open_pasted(studio: Studio, image: QImage, progress: Progress) -> Opened:
    """A picture from the clipboard; it goes the way of a file's bytes, so that all the checks of files hold for it."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(b"png"))
    writer.setCompression(1)
    if not writer.write(image):
        raise PhotoError("The picture on the clipboard cannot be used.", hint="Save it as a file and open that.")
    progress.check()
    photo = Photo.from_bytes(bytes(data.data()), PASTED, studio.max_megapixels)
    return Opened(photo, pyramid(photo.pixels, progress.check), None, PASTED)


def find_faces(studio: Studio, photo: Photo, progress: Progress) -> Found:
    """The faces of `photo`, largest first."""
    from facestudio.faces.standing import standing

    faces = studio.detect(photo, progress)
    crops = tuple(square(photo.pixels, face.box, CHIP) for face in faces)
    return Found(photo, faces, crops, standing(faces))


def look_at(studio: Studio, path: Path, progress: Progress) -> tuple[str, Found]:
    """The name and the faces of the photo `path`; NoFaceFound when there is none."""
    with progress.step("Finding faces"):
        found = find_faces(studio, studio.open(path), progress)
    if not found.faces:
        raise NoFaceFound(f"No face was found in {path.name}.", hint="Use a photo with a larger, upright face.")
    return path.name, found


def compare(studio: Studio, a: Photo, b: Photo, faces: tuple[Face, Face], progress: Progress) -> Comparison:
    """How alike a face of `a` and one of `b` are."""
    return studio.compare(a, b, progress, faces=faces)


def look_at_pasted(studio: Studio, image: QImage, progress: Progress) -> tuple[str, Found]:
    """As `look_at`, of a picture from the clipboard."""
    found = find_faces(studio, open_pasted(studio, image, progress).photo, progress)
    if not found.faces:
        raise NoFaceFound("No face was found in the pasted picture.", hint="Use one with a larger, upright face.")
    return PASTED, found


def add_face(
    studio: Studio, photo: Photo, box: tuple[float, float, float, float], faces: tuple[Face, ...], progress: Progress
) -> Added:
    """The face in a `box` that was drawn; `faces` are those that are there."""
    from facestudio.faces.duplicates import known_as

    face = studio.face_at(photo, box, progress)
    return Added(photo, face, square(photo.pixels, face.box, CHIP), known_as(face, faces))


def restore(
    studio: Studio,
    opened: Opened,
    faces: tuple[Face, ...],
    recipe: Recipe,
    selected: frozenset[int],
    reference: Source | None,
    last: Step | None,
    progress: Progress,
    added: int = 0,
    strokes: tuple[Stroke, ...] = (),
    mask: LoadedMask | None = None,
) -> Step:
    """Restore the `selected` faces, told by a `reference` who it is, and make what the window shows of the result.

    Where scratches are mended, faces that show only then are restored as well, if all others are selected and a reference is not
    of somebody else; they stand before the last `added` ones, which were added by hand. What a `last` result of the same photo
    and size holds of the photo before is not made and kept a second time. `strokes` correct what is taken for scratches, or
    a `mask` that was loaded.
    """
    from facestudio.gui.history import Step

    by_hand = given(strokes, mask) if recipe.scratches else None
    with progress.step("Restoring"):
        shown: tuple[Face, ...] = faces
        new: tuple[Face, ...] = ()
        if selected or not faces:
            shown, new = _behind_scratches(studio, opened.photo, faces, recipe.scratches, by_hand, progress)
        place = len(faces) - added
        shown = (*shown[:place], *new, *shown[place:])
        chosen = {n if n < place else n + len(new) for n in selected}
        if len(selected) == len(faces) and (reference is None or len(shown) == 1):
            chosen |= set(range(place, place + len(new)))
        faces = (*faces[:place], *new, *faces[place:])
        who = reference.who if reference else None
        result = studio.restore(opened.photo, shown, recipe, chosen, progress, reference=who, by_hand=by_hand)
        if result.status == "failed":
            raise FaceStudioError(result.error or "No face could be restored.", hint="Try another method or photo.")
        if result.status == "skipped":
            raise NoFaceFound(
                "No scratches were found, and no face is ticked.", hint="Tick a face, or choose strong mending."
            )
        restored = [face for face in result.faces if face.status == "restored"]
        crops = {face.index: square(result.after.pixels, face.face.box, CHIP) for face in restored}
        before, result = _before(opened, result, last, recipe.upscale, progress)
        after = pyramid(result.after.pixels, progress.check)
        found = tuple((face, square(opened.photo.pixels, face.box, CHIP)) for face in new)
        return Step(opened.photo, faces, result, before, after, crops, reference, found, strokes, mask)


def _behind_scratches(
    studio: Studio,
    photo: Photo,
    faces: tuple[Face, ...],
    scratches: str,
    by_hand: ByHand | None,
    progress: Progress,
) -> tuple[tuple[Face, ...], tuple[Face, ...]]:
    """`faces` as they are seen once the scratches of `photo` are mended, and those that show only then."""
    from facestudio.faces.duplicates import seen_again

    seen = studio.mended(photo, scratches, progress, by_hand)
    return (faces, ()) if seen is photo else seen_again(faces, studio.detect(seen, progress))


def _before(
    opened: Opened, result: Result, last: Step | None, upscale: int, progress: Progress
) -> tuple[Pyramid, Result]:
    """What the viewer shows of the photo before `result`, and `result` itself; both share their pixels with the photo that is
    open, or with the `last` result if that is of the same photo and size."""
    if upscale == 1:
        return opened.pyramid, result
    if last is not None and last.photo is opened.photo and last.times == upscale:
        return last.before, replace(result, before=last.result.before)
    return pyramid(result.before.pixels, progress.check), result


def thumbnail(studio: Studio, path: Path, progress: Progress) -> tuple[Path, QImage | None, str]:
    """A small picture of `path`; None and the reason when it cannot be read."""
    progress.check()
    try:
        return path, fitted(studio.open(path).pixels, THUMBNAIL), ""
    except FaceStudioError as error:
        return path, None, str(error)


def catalogue(studio: Studio, goal: str, progress: Progress) -> tuple[Offer, ...]:
    """What a workspace offers, best first: Restore what can "keep" the person, Anonymize "change", Generate "create" one."""
    from facestudio.methods.base import method_name

    offers = {"change": studio.anonymize_checkpoints, "create": studio.generate_checkpoints}
    checkpoints = offers.get(goal, studio.restore_checkpoints)()
    return tuple(
        Offer(
            *(c, method_name(c), studio.options_for(c.id), studio.can_be_told(c.id)),
            replacing=goal == "change" and studio.makes_people(c.id),
        )
        for c in checkpoints
    )


def device(studio: Studio, progress: Progress) -> str:
    """The device really used, in words. The first call imports torch."""
    with quiet_torch.quietly():
        return studio.device_name()


def devices(studio: Studio, progress: Progress) -> tuple[str, ...]:
    """What can be chosen to compute."""
    with quiet_torch.quietly():
        return studio.devices_here()


def use_device(studio: Studio, name: str, progress: Progress) -> str:
    """Compute on `name` from now on; what that is in words."""
    studio.use_device(name)
    return studio.device_name()


def warm_up(studio: Studio, checkpoint_id: str, progress: Progress) -> None:
    """Load what the first restoration needs, so that it does not wait. What is missing is told when it is used."""
    try:
        studio.prepare(checkpoint_id)
    except FaceStudioError:
        return
