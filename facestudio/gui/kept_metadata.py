"""What saved results keep of their photos' metadata: the words for each policy, and the choice in Restore, which is remembered.

Separate from the session because it is a rule of its own. Knows no widget.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, QSettings, Signal

from facestudio import metadata
from facestudio.metadata import KEEP, STRIP, TECHNICAL

POLICIES = (
    (STRIP, "Nothing", "Nothing is kept: not who took it, where, when or with what."),
    (TECHNICAL, "Exposure only", "Exposure and lens are kept, but nothing about people and places."),
    (KEEP, "Everything", "Everything is kept, including people and places."),
)
_KEY = "restore/metadata"


class KeptMetadata(QObject):
    """`policy`: one of KEEP, TECHNICAL and STRIP; it holds for Save, Save as and all photos of the list."""

    changed = Signal()

    def __init__(self, settings: QSettings, parent: QObject) -> None:
        super().__init__(parent)
        self._settings = settings
        stored = settings.value(_KEY, KEEP)
        self.policy = stored if stored in metadata.POLICIES else KEEP

    def choose(self, policy: str) -> None:
        """Keep by `policy` from now on, also when the window is opened again."""
        if policy != self.policy and policy in metadata.POLICIES:
            self.policy = policy
            self._settings.setValue(_KEY, policy)
            self.changed.emit()

    @property
    def about(self) -> str:
        """What the choice means, in a sentence."""
        return next(about for policy, _, about in POLICIES if policy == self.policy)
