"""Whether restored faces get the grain of their photo, and how much of it the result that is shown got.

Separate from the session because it is a rule of its own. The GUI thread only. It knows no widget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from facestudio.faces.regraining import MATCH

if TYPE_CHECKING:
    from facestudio.gui.history import History

CHOICES = {"": "Leave off", MATCH: "Match"}


class Graining(QObject):
    """`choice`, one of CHOICES, stays while photos come and go, as options do."""

    changed = Signal()

    def __init__(self, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self.choice = ""

    def choose(self, choice: str) -> None:
        """Lay the photo's grain over faces that came back smoother, or not with ""."""
        if choice != self.choice and choice in CHOICES:
            self.choice = choice
            self.changed.emit()

    @property
    def about(self) -> str:
        """What came of it in the result that is shown, in a sentence; "" when nothing is to be said."""
        step = self._history.current
        return "" if step is None or not step.result.recipe.photo_grain else step.result.grain_sentence
