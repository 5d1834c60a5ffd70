"""The decisions of a review that can be taken back, and taken again: how each result stood before, in memory alone.

What is kept are results, which were on the disk anyway, and never a photo; there is a bound on all of them together, and the
oldest go first. A photo's decisions are taken back from the last on. Knows no widget and touches no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from facestudio.gui.anonymize_rows import Row

if TYPE_CHECKING:
    from facestudio.renewing import Standing, Trace

MOST = 256 * 2**20  # bytes of all results that are kept


@dataclass(frozen=True, eq=False)
class Step:
    """A decision, `how` it was: `row` and `standing` are brought back by it, where the `trace` says what must be there now."""

    how: str
    row: Row
    standing: Standing
    trace: Trace

    @property
    def size(self) -> int:
        return len(self.standing.content or b"")


class Decisions:
    """The steps of each result, by its file; `most` bytes of all together."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._back: dict[Path, dict[int, Step]] = {}  # by age
        self._again: dict[Path, dict[int, Step]] = {}
        self._ages: Iterator[int] = count()

    def last(self, target: Path) -> Step | None:
        """What takes the last decision on a result back."""
        return next(reversed(self._back.get(target, {}).values()), None)

    def following(self, target: Path) -> Step | None:
        """What takes a decision again that was taken back."""
        return next(reversed(self._again.get(target, {}).values()), None)

    def decided(self, target: Path, step: Step | None) -> None:
        """Something was decided, which `step` takes back; None: nothing can, and so nothing before it."""
        self._again.pop(target, None)
        if step is None:
            self._back.pop(target, None)
        else:
            self._push(self._back, target, step)

    def taken_back(self, target: Path, step: Step) -> None:
        """The last decision was taken back, and `step` takes it again."""
        self._pop(self._back, target)
        self._push(self._again, target, step)

    def taken_again(self, target: Path, step: Step) -> None:
        """A decision was taken again, and `step` takes it back."""
        self._pop(self._again, target)
        self._push(self._back, target, step)

    def forget(self, target: Path) -> None:
        """The result is another one by now."""
        self._again.pop(target, None)
        self._back.pop(target, None)

    @property
    def size(self) -> int:
        """How many bytes are kept."""
        return sum(step.size for _, _, step in self._every())

    def _push(self, steps: dict[Path, dict[int, Step]], target: Path, step: Step) -> None:
        steps.setdefault(target, {})[next(self._ages)] = step
        while self.size > self.most:
            age, of, _ = min(self._every(), key=lambda each: each[0])
            for some in (self._back, self._again):
                some.get(of, {}).pop(age, None)

    @staticmethod
    def _pop(steps: dict[Path, dict[int, Step]], target: Path) -> None:
        if steps.get(target):
            steps[target].popitem()

    def _every(self) -> list[tuple[int, Path, Step]]:
        return [
            (age, target, step)
            for some in (self._back, self._again)
            for target, steps in some.items()
            for age, step in steps.items()
        ]
