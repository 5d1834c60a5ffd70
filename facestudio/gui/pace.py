"""How long a picture of a dataset takes, as it was measured here: never a guess, so often unknown.

Separate from `populating` because it is about what was, and not about what is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from PySide6.QtCore import QSettings

from facestudio.datasets.places import Place
from facestudio.gui.populate_work import Wanted
from facestudio.gui.runs import Run


class Pace:
    """Remembers from one start to the next how long pictures took, by all that decides it but the machine."""

    def __init__(self, stored: QSettings) -> None:
        self._stored = stored

    def remember(self, wanted: Wanted, seconds: float) -> None:
        """A picture of `wanted` took so long, judging and drawing again included."""
        self._stored.setValue(_key(wanted), seconds)

    def of(self, wanted: Wanted, place: Place | None, runs: Sequence[Run]) -> tuple[float, str]:
        """Seconds that a picture of `wanted` took, and when that was, to stand behind "if it goes as"; 0 where it is not known.

        Args:
            place: the folder, where pictures of it may be already. runs: galleries of the window, the latest last.
        """
        if place is not None and place.pace:
            return place.pace, "the people drawn so far"
        if pace := self._remembered(wanted):
            return pace, "the last dataset with these settings"
        asked = wanted.recipe
        for run in reversed(runs):
            recipe = run.recipe
            alike = recipe.checkpoint == asked.checkpoint and recipe.options == asked.options
            if alike and run.seconds and run.pictures and any(recipe.sliders.values()) == bool(asked.sliders):
                return run.seconds / len(run.pictures), "your last gallery"
        return 0.0, ""

    def _remembered(self, wanted: Wanted) -> float:
        stored = self._stored.value(_key(wanted))
        try:
            return max(float(stored), 0.0) if isinstance(stored, str | int | float) else 0.0
        except ValueError:
            return 0.0


def duration(seconds: float) -> str:
    """Seconds in words, as exact as an estimate is."""
    if seconds < 90:
        return f"about {max(round(seconds), 1)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def _key(wanted: Wanted) -> str:
    """The settings key: of what decides how long a picture takes."""
    recipe = wanted.recipe
    told = [recipe.checkpoint, dict(recipe.options), bool(recipe.sliders), wanted.order.vary > 0]
    text = json.dumps(told, sort_keys=True, default=str)
    return "dataset/pace-" + hashlib.sha256(text.encode()).hexdigest()[:12]
