"""How many times as large the result is to be as the open photo.

Separate from the session because it is a rule of its own: what there is to choose, and which photo is too large for it. The
GUI thread only. It knows no widget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from facestudio.gui.session import Session

TIMES = (1, 2, 4)
EYES = 63.0  # px between the eyes in the smallest crop that a method works at, of 256 px
ENOUGH = 0.75  # of that: what is beyond is hardly seen


class Enlarging(QObject):
    """`times`, one of TIMES, stays while photos come and go, as options do."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.times = 1

    def choose(self, times: int) -> None:
        """Make the result `times` as high and wide as the photo."""
        if times != self.times:
            self.times = times
            self.changed.emit()

    @property
    def refusal(self) -> str:
        """Why the open photo cannot be made so large, in a sentence; "" when it can, and without a photo."""
        opened = self._session.opened
        return "" if opened is None else opened.photo.too_large(self.times, self._session.studio.max_megapixels)

    @property
    def obstacle(self) -> str:
        """The same in a few words."""
        return f"The photo is too large to enlarge {self.times} times." if self.refusal else ""

    @property
    def advice(self) -> str:
        """That a larger result would show more of the ticked faces, in a sentence; "" when it would not, or cannot be made."""
        session = self._session
        if session.opened is None or self.times > 1 or not session.selected:
            return ""
        widest = max(session.faces[index].interocular for index in session.selected)
        larger = [times for times in TIMES if not session.opened.photo.too_large(times, session.studio.max_megapixels)]
        best = next((times for times in larger if times * widest >= EYES * ENOUGH), larger[-1] if larger else 1)
        if best == 1:
            return ""
        which = "This face is" if len(session.selected) == 1 else "These faces are"
        return f"{which} small: “{best} times as large” shows more of what is restored."

    @property
    def sizes(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Width and height of the open photo and of its result; None without a photo."""
        if self._session.opened is None:
            return None
        width, height = self._session.opened.photo.size
        return (width, height), (width * self.times, height * self.times)
