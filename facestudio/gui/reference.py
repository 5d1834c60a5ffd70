"""The reference: a better picture of the person in the open photo, which tells a method who it is.

Separate from the session because it is a rule of its own: when it is asked for, to which face it belongs, when it goes.
The GUI thread only. It knows no widget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Slot

from facestudio.gui.found import Source
from facestudio.gui.person import Person
from facestudio.gui.workplace import LOOKING

if TYPE_CHECKING:
    from facestudio.gui.session import Session


class Reference(Person):
    """The reference of `session`. It belongs to a person, so it goes when another photo is opened."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, self._why_not)
        self._session = session
        session.photo_changed.connect(self._leave)

    @property
    def heard(self) -> bool:
        """Whether the chosen method can be told who the person is."""
        return self._session.offer is not None and self._session.offer.guided

    @property
    def used(self) -> Source | None:
        """What the method is told; None without a reference, and while the method cannot be told."""
        return self.source if self.heard else None

    @property
    def obstacle(self) -> str:
        """Why nothing can be restored with this reference, in a few words; "" when it can."""
        several = self.used is not None and len(self._session.selected) > 1
        return "Tick only the one face that the reference shows." if several else ""

    def follow(self, source: Source | None) -> None:
        """Take whom a result belongs to that is shown again, or nobody; a method that cannot be told has no say in that."""
        if self.heard and source is not self.source:
            self.source = source
            self.changed.emit()

    def _why_not(self) -> str:
        if self._session.opened is None:
            return "Open a photo first; then choose a better picture of the person in it."
        if not self.heard:
            return "This method cannot be told who the person is."
        return self._session.busy if self._session.doing != LOOKING else ""

    @Slot()
    def _leave(self) -> None:
        if self.source is not None:
            self.remove()
            self._session.notified.emit("The reference was removed: it belonged to the previous photo.", None)
