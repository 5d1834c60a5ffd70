"""Masks of scratches as files: written so that any paint program can correct them, and read whatever it made of them.

White is damaged and is mended, black stays. A folder of them belongs to a folder of photos, with the same tree and names.
Separate from `mending`, which knows no files.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image

from facestudio.errors import FaceStudioError, UnwritableOutput, UsageError
from facestudio.files import real, shown, write_beside
from facestudio.formats import supported_suffix
from facestudio.photo import Photo

if TYPE_CHECKING:
    from facestudio.mending.by_hand import ByHand

DAMAGED = 128  # levels from which on a place is damaged
BETWEEN, COLOURED = (64, 192), 64  # levels that are neither black nor white; by which those of a colour differ
ODD = 0.1  # the share of a mask that may be such
MOST = 0.5  # of a photo; a mask of more is surely one whose black is meant


def mask_beside(output: Path) -> Path:
    """The file of the mask that belongs to the result `output`: NAME.EXT.scratches.png."""
    return output.with_name(f"{output.name}.scratches.png")


def read_mask(path: Path, max_megapixels: float = 150.0) -> np.ndarray:
    """(H, W) bool, upright, set where the picture in `path` is white; what is transparent in it is black.

    UsageError when it is no mask: when much of it is grey or coloured, or most of it white. PhotoError as of `Photo.open`.
    """
    photo = Photo.open(path, max_megapixels)
    pixels = photo.pixels.astype(np.int16)
    grey = pixels.max(axis=2)
    if photo.alpha is not None:
        grey = np.minimum(grey, photo.alpha)
    odd = (grey > BETWEEN[0]) & (grey < BETWEEN[1])
    odd |= (np.ptp(pixels, axis=2) > COLOURED) & (grey > BETWEEN[0])
    mask: np.ndarray = grey >= DAMAGED
    hint = "Correct a mask that Face Studio saved: white is damaged and is mended, black stays."
    if odd.mean() > ODD:
        raise UsageError(f"{shown(path)} is no mask: it shows more than black and white.", hint=hint)
    if mask.mean() > MOST:
        raise UsageError(f"{shown(path)} marks {mask.mean():.0%} of the photo as damaged.", hint=hint)
    return mask


def write_mask(path: Path, mask: np.ndarray, overwrite: bool = False) -> Path:
    """Write `mask` (H, W) bool as a PNG, whole or not at all. UnwritableOutput when that cannot be, or when something else than
    this very mask is there already and is not to be replaced."""
    data = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(data, "PNG", optimize=False)
    content = data.getvalue()

    def write(file: IO[bytes]) -> None:
        file.write(content)

    try:
        write_beside(path, write, overwrite)
    except UnwritableOutput:
        if not (path.is_file() and path.read_bytes() == content):
            raise
    return path


class MaskFolder:
    """The masks in `folder` and below, each of the photo that lies at the same place below the folder of photos.

    A mask of `2019/a.jpg` is `2019/a.jpg.scratches.png`, as masks are written; else `2019/a.jpg.png`, `2019/a.scratches.png` or
    `2019/a.png`, each in any format of photos. A folder that is not there holds none. What is hidden is passed over, and links to
    folders are not followed. `others` are no masks, wherever they lie: the photos, and their results.
    """

    def __init__(self, folder: Path, others: Iterable[Path] = ()) -> None:
        self.folder = folder
        self._others = {real(path) for path in others}
        self._found: dict[Path, list[Path]] = {}  # by where they lie in the folder, without the suffix
        for here, folders, files in os.walk(folder, followlinks=False):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for path in (Path(here, name) for name in sorted(files)):
                if supported_suffix(path) and not path.name.startswith("."):
                    self._found.setdefault(path.relative_to(folder).with_suffix(""), []).append(path)

    def of(self, below: Path) -> Path | None:
        """The mask of the photo that lies at `below`; None when there is none, UsageError when nobody can tell which."""
        for place in _places(below):
            found = self._masks(place)
            if len(found) > 1:
                words = f"Several masks are of {shown(below)}: {', '.join(shown(path) for path in found)}."
                raise UsageError(words, hint="Keep one of them.")
            if found:
                return found[0]
        return None

    def of_none(self, photos: Iterable[Path]) -> list[Path]:
        """The pictures that are no mask of any of the `photos`, by where these lie."""
        known = {place for below in photos for place in _places(below)}
        return [path for place in self._found if place not in known for path in self._masks(place)]

    def _masks(self, place: Path) -> list[Path]:
        return [path for path in self._found.get(place, ()) if real(path) not in self._others]


class PhotoMasks:
    """Which of the masks in `folder` the photos of a run take; `places` says where each photo lies below its own folder.

    `read` opens the mask in a file; errors as of `read_mask`. UsageError when the masks lie in one of the `inputs` of the run, as
    they would be taken for photos.
    """

    def __init__(
        self,
        folder: MaskFolder,
        places: Mapping[Path, Path],
        read: Callable[[Path], ByHand],
        inputs: Iterable[Path] = (),
    ) -> None:
        for path in inputs:
            if os.path.isdir(path) and real(folder.folder).is_relative_to(real(path)):
                words = f"The folder of masks {folder.folder} is inside the input folder {path}"
                hint = "Keep masks in a folder of their own."
                raise UsageError(f"{words}, so they would be taken for photos.", hint=hint)
        self.folder = folder
        self._places, self._read = places, read
        self._known: dict[Path, str] = {}  # what was read or written of each photo's mask

    def of(self, source: Path) -> ByHand | None:
        """What the mask of a photo says; None when it has none, UsageError when it has one that cannot be used."""
        path = self.folder.of(self._places[source])
        if path is None:
            return None
        hashed = _hash(path)  # before it is read: one that is another one meanwhile is seen when the run goes on
        try:
            found = self._read(path)
        except FaceStudioError as error:
            raise UsageError(f"The mask of its scratches cannot be used. {error}", hint=error.hint) from error
        self._known[source] = hashed
        return found

    def path_of(self, source: Path) -> Path | None:
        """The file of the mask of a photo; None as well where nobody can tell which, as its photo says that."""
        try:
            return self.folder.of(self._places[source])
        except UsageError:
            return None

    def target_of(self, source: Path) -> Path:
        """What the mask of a photo that has none is written beside (`mask_beside`)."""
        return self.folder.folder / self._places[source]

    def written(self, source: Path, path: Path) -> None:
        """The mask of a photo was written as `path`."""
        self._known[source] = _hash(path)

    def takes(self, source: Path) -> bool:
        """Whether the mask of a photo was read, or written."""
        return source in self._known

    @property
    def number(self) -> int:
        """How many photos have a mask."""
        return sum(self.path_of(source) is not None for source in self._places)

    def own_settings(self, source: Path) -> str:
        """What tells the mask of a photo from others, for the journal, so that another one is seen; "" without one."""
        if source not in self._places:
            return ""
        path = self.path_of(source)
        known = self._known.get(source) or ("" if path is None else _hash(path))
        return f" mask {known}" if known else ""


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # which is said when its photo's turn comes
        return "unreadable"


def _places(below: Path) -> list[Path]:
    """Where the mask of the photo at `below` may lie, without the suffix, the surest first."""
    names = [f"{below.name}.scratches", below.name]
    if supported_suffix(below):
        names += [f"{below.stem}.scratches", below.stem]
    return [below.with_name(name) for name in names]
