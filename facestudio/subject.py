"""What is restored of a photo: which of its faces, in which pixels.

Separate from `pipeline`, which tells the story, because who is chosen depends on what could be read of a damaged file and on
what was mended. Knows no methods and no recognisers.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from facestudio.colour import enlarged
from facestudio.errors import NoFaceFound, UsageError
from facestudio.faces.align import whole_face
from facestudio.faces.face import Face, Template
from facestudio.mending.by_hand import ByHand
from facestudio.mending.mended import Mended
from facestudio.photo import Photo


@dataclass(frozen=True, eq=False)
class Subject:
    """A photo and those of its faces that are to be restored.

    Attributes:
        photo: as it is before, made larger already where that is asked for. faces: detections in its pixels.
        selected: indices into `faces` (None: all, but of a damaged photo those that were read whole).
        mended: the pixels of the photo without its scratches, before it was made larger, and where these were: the faces are
            restored in that.
        whole: the photo is itself one aligned crop: its whole area is replaced, without a soft mask.
    """

    photo: Photo
    faces: tuple[Face, ...]
    selected: set[int] | None = None
    mended: tuple[np.ndarray, Mended] | None = None
    whole: bool = False

    @classmethod
    def aligned(cls, photo: Photo, template: Template, mended: tuple[np.ndarray, Mended] | None = None) -> Subject:
        """A photo that already is one FFHQ-framed square crop."""
        return cls(photo, (whole_face(photo, template),), mended=mended, whole=True)

    @cached_property
    def lacking(self) -> dict[int, str]:
        """What of each face could not be read of a damaged file, by its index; empty of a sound one."""
        damage = self.photo.damage
        return {} if damage is None else {n: damage.of_face(face.box) for n, face in enumerate(self.faces)}

    @cached_property
    def chosen(self) -> set[int]:
        """The places of the faces that are to be restored; none where scratches are all that there is.

        NoFaceFound when there is neither a face nor a scratch to work on, UsageError for an index that does not exist.
        """
        worth = self.mended is not None and self.mended[1].share > 0  # whether there is a result without any face
        if not self.faces and not worth:
            lack = "No face was found" if self.mended is None else "Neither a face nor a scratch was found"
            raise NoFaceFound(f"{lack} in this photo.", hint="Try a photo in which the face is larger and upright.")
        if self.selected is not None:
            if self.faces:
                check_there(self.selected, self.faces)
            return set(self.selected) if self.faces else set()
        chosen = {n for n in range(len(self.faces)) if not self.lacking.get(n)}
        if not chosen and not worth:
            raise NoFaceFound(
                "Every face reaches into the part of the photo that could not be read.",
                hint="Choose a face by its number to restore what there is of it.",
            )
        return chosen

    @cached_property
    def start(self) -> Photo:
        """The photo in which faces are restored: without its scratches, as large as it is."""
        if self.mended is None:
            return self.photo
        pixels = self.mended[0]
        times = self.photo.pixels.shape[0] // pixels.shape[0]
        return self.photo.with_pixels(pixels if times == 1 else enlarged(pixels, times))


def turned(
    photo: Photo, faces: tuple[Face, ...], by_hand: ByHand | None, turn: int
) -> tuple[Photo, tuple[Face, ...], ByHand | None]:
    """`photo` turned to `turn` degrees from how its file has it, its `faces`, and what a person says of its scratches."""
    quarters = (turn - photo.turn) % 360
    if not quarters:
        return photo, faces, by_hand
    by_hand = None if by_hand is None else by_hand.turned(quarters, photo.size)
    return photo.turned(quarters), tuple(face.turned(quarters, photo.size) for face in faces), by_hand


def check_there(selected: Collection[int], faces: Sequence[Face]) -> None:
    """UsageError when an index of `selected` is none of the `faces`."""
    missing = sorted(set(selected) - set(range(len(faces))))
    if missing:
        many = f"{len(faces)} face{'' if len(faces) == 1 else 's'}"
        raise UsageError(
            f"There is no face {missing[0]} in this photo: it shows {many}, counted from 0.",
            hint="`facestudio detect` shows each face with its number.",
        )
