"""Which way the open photo lies: turned left and right, and the offer to set it upright where its faces agree.

A turned photo is a state of the history, so it is undone as anything else. Separate from the session because it is a rule of its
own. The GUI thread only; turning is a job on the compute queue. It knows no widget.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.gui import turn_work, work
from facestudio.gui.workplace import FINDING

if TYPE_CHECKING:
    from facestudio.gui.found import Found
    from facestudio.gui.session import Session
    from facestudio.gui.turn_work import Turned
    from facestudio.gui.work import Opened

TURNING = "turning the photo"
LEFT, RIGHT = 270, 90  # degrees clockwise
_DONE = {LEFT: "Turned left.", 180: "Turned upside down.", RIGHT: "Turned right."}
_AGAIN = "Restore it again as it lies now; Undo brings the result back."


class Turning(QObject):
    """Turns the photo of `session`."""

    offered = Signal(str)  # how the faces lie, in a sentence; `accept` turns the photo

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._offer: tuple[Opened, int] | None = None  # of which photo, and by how many degrees

    @property
    def possible(self) -> bool:
        """Whether the photo can be turned now."""
        return self._session.can_add

    @Slot()
    def left(self) -> None:
        """Turn the photo by a quarter, anticlockwise; one step to undo."""
        self.turn(LEFT)

    @Slot()
    def right(self) -> None:
        """Turn the photo by a quarter, clockwise; one step to undo."""
        self.turn(RIGHT)

    def turn(self, degrees: int) -> None:
        """Turn the photo clockwise by 90, 180 or 270 `degrees`, with its faces and what is marked on it; one step to undo."""
        session = self._session
        if session.can_add and session.opened is not None:
            known = session.history.lying((session.opened.photo.turn + degrees) % 360)
            todo = partial(turn_work.turn, session.opened, session.history.state, degrees, known)
            session.carry_out(TURNING, todo, self._take_turned)

    @Slot(object)
    def _take_turned(self, turned: Turned) -> None:
        session = self._session
        if session.opened is not turned.opened:
            return
        had = session.history.current is not None
        session.change(turned.state, follow=False)
        session.notified.emit(told(turned.degrees, had), None)
        if session.looked and not session.faces:  # heads that lie are harder to find
            todo = partial(work.find_faces, session.studio, session.opened.photo)
            session.carry_out(FINDING, todo, self._take_more_faces)

    @Slot(object)
    def _take_more_faces(self, found: Found) -> None:
        session = self._session
        if session.opened is not None and found.photo is session.opened.photo and found.faces and not session.faces:
            session.change(session.history.state.with_found(tuple(zip(found.faces, found.crops, strict=True))))

    def consider(self, opened: Opened, degrees: int, sentence: str) -> None:
        """Offer to turn `opened` by `degrees`, because of what the `sentence` says; 0: offer nothing."""
        self._offer = (opened, degrees) if degrees else None
        if degrees:
            self.offered.emit(sentence)

    @Slot()
    def accept(self) -> None:
        """Turn the photo as was offered, where it still lies so."""
        if self._offer is not None and self._offer[0] is self._session.opened:
            self.turn(self._offer[1])


def told(degrees: int, result: bool) -> str:
    """That the photo was turned, in sentences; `result`: one was shown, which is not any more."""
    return f"{_DONE[degrees]} {_AGAIN}" if result else _DONE[degrees]
