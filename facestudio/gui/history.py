"""What was done to the open photo, step by step, for undo and redo.

Every step is a whole result made from the original, so undoing is only showing another one. Separate from the session
because it is all rules and no Qt. Big photos make big steps: the oldest are forgotten when the budget is spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

from facestudio.gui.qimage import Pyramid

if TYPE_CHECKING:
    from facestudio.pipeline import FaceResult, Result

BUDGET = 1_000_000_000  # bytes


@dataclass(frozen=True, eq=False)
class Step:
    """One result as the window shows it: `pyramid` of the photo afterwards, `crops` of its restored faces by index."""

    result: Result
    pyramid: Pyramid
    crops: Mapping[int, QImage]

    @property
    def bytes(self) -> int:
        """The memory it holds."""
        return self.pyramid.bytes + self.result.after.pixels.nbytes

    def face(self, index: int) -> FaceResult | None:
        """What happened to the photo's face `index`."""
        return next((face for face in self.result.faces if face.index == index), None)


class History:
    """Steps and which of them is shown; before the first stands the original, which is None."""

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._steps: list[Step] = []
        self._shown = 0
        self._saved: set[int] = set()

    @property
    def current(self) -> Step | None:
        """The step that is shown; None for the original."""
        return self._steps[self._shown - 1] if self._shown else None

    @property
    def can_undo(self) -> bool:
        return self._shown > 0

    @property
    def can_redo(self) -> bool:
        return self._shown < len(self._steps)

    @property
    def unsaved(self) -> bool:
        """Whether what is shown is a result that was not saved."""
        return self.current is not None and id(self.current) not in self._saved

    def add(self, step: Step) -> None:
        """Show `step`; what was undone is forgotten, and the oldest steps where memory asks for it."""
        self._forget(self._steps[self._shown :])
        self._steps = [*self._steps[: self._shown], step]
        while len(self._steps) > 2 and sum(s.bytes for s in self._steps) > self._budget:
            self._forget(self._steps[:1])
            self._steps = self._steps[1:]
        self._shown = len(self._steps)

    def undo(self) -> None:
        """Show the step before."""
        self._shown = max(self._shown - 1, 0)

    def redo(self) -> None:
        """Show the step after."""
        self._shown = min(self._shown + 1, len(self._steps))

    def mark_saved(self, step: Step) -> None:
        """Remember that `step` was saved."""
        if any(step is known for known in self._steps):
            self._saved.add(id(step))

    def clear(self) -> None:
        """Forget everything: another photo is open."""
        self._steps, self._shown, self._saved = [], 0, set()

    def _forget(self, steps: list[Step]) -> None:
        self._saved -= {id(step) for step in steps}
