"""The faces that a photo shows, as the window holds them, and one of them as a person.

Separate because the work on other threads makes them, and what the window remembers holds them. It knows no Qt but pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

if TYPE_CHECKING:
    from facestudio.faces.face import Face
    from facestudio.faces.standing import Standing
    from facestudio.photo import Photo


@dataclass(frozen=True, eq=False)
class Found:
    """The faces of `photo`, a crop of each to show, and how it stands by them; None where nobody asked."""

    photo: Photo
    faces: tuple[Face, ...]
    crops: tuple[QImage, ...]
    standing: Standing | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """A person: face `index` of a photo called `name`."""

    name: str
    found: Found
    index: int = 0

    @property
    def who(self) -> tuple[Photo, Face]:
        """The photo and the face."""
        return self.found.photo, self.found.faces[self.index]
