"""What was made in the Generate workspace, run by run, for undo and redo.

Every run is one gallery; undoing shows the gallery before. Separate from `generating` because it is all rules and no
work. Many pictures take much memory: the oldest runs are forgotten when the budget is spent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

from facestudio.gui.found import Source
from facestudio.recipe import Recipe
from facestudio.whom import Shot

if TYPE_CHECKING:
    from facestudio.generating import Portrait

BUDGET = 1_000_000_000  # bytes


@dataclass(frozen=True, eq=False)
class Picture:
    """One portrait as the window shows it: `image` at full size, `thumbnail` for the grid."""

    portrait: Portrait
    image: QImage
    thumbnail: QImage

    @property
    def seed(self) -> int:
        """What makes it again."""
        return self.portrait.recipe.seed

    @property
    def bytes(self) -> int:
        """The memory it holds."""
        small = 0 if self.thumbnail is self.image else self.thumbnail.sizeInBytes()
        return self.portrait.photo.pixels.nbytes + self.image.sizeInBytes() + small


@dataclass(frozen=True, eq=False)
class Run:
    """One gallery.

    Attributes:
        recipe: what was asked for, with the first seed; plan: seed and person of each picture.
        source: None for people who do not exist.
        pictures: those that are there, in the order of their seeds.
        seconds: that it took; None when it runs, or was stopped.
        key: stays the same while pictures come.
    """

    recipe: Recipe
    plan: tuple[Shot, ...]
    source: Source | None = None
    pictures: tuple[Picture, ...] = ()
    seconds: float | None = None
    key: object = field(default_factory=object)

    @property
    def count(self) -> int:
        """How many pictures were asked for."""
        return len(self.plan)

    def with_picture(self, picture: Picture) -> Run:
        """With one more."""
        return replace(self, pictures=(*self.pictures, picture))

    @property
    def bytes(self) -> int:
        """The memory it holds."""
        return sum(picture.bytes for picture in self.pictures)


class Runs:
    """Runs and which of them is shown; before the first there is none."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._runs: list[Run] = []
        self.shown = -1  # which of them
        self._saved: set[object] = set()

    @property
    def current(self) -> Run | None:
        """What is shown."""
        return self._runs[self.shown] if self.shown >= 0 else None

    @property
    def all(self) -> tuple[Run, ...]:
        """Every run there is, the oldest first."""
        return tuple(self._runs)

    def show(self, index: int) -> None:
        """Show run `index`."""
        if 0 <= index < len(self._runs):
            self.shown = index

    @property
    def can_undo(self) -> bool:
        return self.shown >= 0

    @property
    def can_redo(self) -> bool:
        return self.shown + 1 < len(self._runs)

    def is_saved(self, run: Run) -> bool:
        """Whether a picture of `run` was saved."""
        return run.key in self._saved

    def add(self, run: Run) -> None:
        """Show `run` as the newest; the others stay, also undone ones, and the oldest are forgotten where memory asks for it."""
        self._runs = [*self._runs, run]
        while len(self._runs) > 1 and sum(known.bytes for known in self._runs) > self._budget:
            del self._runs[0]
        self.shown = len(self._runs) - 1

    def undo(self) -> None:
        """Show the run before, or none."""
        self.shown = max(self.shown - 1, -1)

    def redo(self) -> None:
        """Show the run after."""
        self.shown = min(self.shown + 1, len(self._runs) - 1)

    def mark_saved(self, key: object) -> None:
        """Remember that pictures of the run with `key` were saved."""
        self._saved.add(key)
