"""Whether scratches and specks of the open photo are mended, before its faces are restored or without any, and what was.

Separate from the session because it is a rule of its own. The GUI thread only. It knows no widget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from facestudio.mending import BY_HAND, CAREFUL, STRONG

if TYPE_CHECKING:
    from facestudio.gui.session import Session

CHOICES = {"": "Leave them", CAREFUL: "Mend carefully", STRONG: "Mend strongly", BY_HAND: "Mend what I mark"}
BY_HAND_ABOUT = "Mends only what you paint over with the brush, or load as a mask; nothing is searched for."
STRONG_ABOUT = "Finds more scratches, but sometimes mistakes thin lines for one. Compare before and after."


class Mending(QObject):
    """`strength`, one of CHOICES, stays while photos come and go, as options do."""

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.strength = ""

    def choose(self, strength: str) -> None:
        """Mend by `strength`, "" not at all."""
        if strength != self.strength and strength in CHOICES:
            self.strength = strength
            self.changed.emit()

    @property
    def hint(self) -> str:
        """What becomes of faces when none is known, in a sentence; "" when there is nothing to say."""
        session = self._session
        nobody = session.opened is not None and session.looked and not session.faces and not session.doing
        return "A face that shows then is restored, too." if self.strength and nobody else ""

    @property
    def obstacle(self) -> str:
        """Why nothing can be mended, where that is all that is to be done, in a few words; "" when it can."""
        state = self._session.history.state
        nothing = self.strength == BY_HAND and not state.strokes and state.mask is None
        return "Mark what is damaged first." if nothing else ""

    @property
    def lone(self) -> str:
        """Why not all photos of the list can be mended like that, in a few words; "" when they can."""
        lack = "Marks are for one photo: choose scratch masks for all (Ctrl+Alt+M), or mend in another way."
        return lack if self.strength == BY_HAND else ""

    @property
    def about(self) -> str:
        """How much was mended in the result that is shown, else what the choice means; "" when nothing is to be said."""
        step = self._session.history.current
        if step is not None and step.result.mended is not None:
            return step.result.mended.sentence
        if self.strength == BY_HAND:
            return BY_HAND_ABOUT
        return STRONG_ABOUT if self.strength == STRONG else ""
