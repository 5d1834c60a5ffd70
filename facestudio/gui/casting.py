"""Who is on the pictures that are not drawn from a photo: each somebody of its own, one person kept, or anybody; and two pins.

Separate from `generating`, which draws, because it is a choice of its own with rules of its own. The GUI thread only; it knows no
widget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from facestudio.gui.runs import Picture
from facestudio.whom import WIDEST, Anybody, Shot, Who, shots, walk

A, B = "A", "B"
PINS = (A, B)
STEPS = 8  # of a walk


@dataclass(frozen=True, eq=False)
class Pin:
    """A picture between which a walk goes: its person, its seed, where its sliders stood, and what it looks like."""

    who: Who
    seed: int
    sliders: Mapping[str, float]
    image: QImage


class Casting(QObject):
    """`kept` is the person of all pictures, None gives each its own; `vary` is how far the looks of the kept one go."""

    changed = Signal()
    pins_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.kept: Who | None = None
        self.freely = False
        self.vary = 0.0
        self.steps = STEPS
        self.pins: dict[str, Pin] = {}

    def keep(self, who: Who | None) -> None:
        """Let all pictures show `who`; None gives each a person of its own again."""
        if who != self.kept:
            self.kept = who
            self.freely = self.freely and who is None
            self.changed.emit()

    def draw_freely(self, on: bool) -> None:
        """Tell the method nobody, or somebody."""
        if on != self.freely:
            self.freely = on
            self.kept = None if on else self.kept
            self.changed.emit()

    @Slot(float)
    def set_vary(self, amount: float) -> None:
        self.vary = min(max(amount, 0.0), WIDEST)

    def plan(self, seed: int, count: int) -> tuple[Shot, ...]:
        """Seed and person of each of `count` pictures."""
        return shots(seed, count, Anybody() if self.freely else self.kept, self.vary)

    # ---- the walk

    def pin(self, name: str, picture: Picture) -> None:
        """Let the walk begin (`A`) or end (`B`) at `picture`, which shows somebody (`person_of`)."""
        who = person_of(picture)
        if who is not None:
            self.pins[name] = Pin(who, picture.seed, picture.portrait.recipe.sliders, picture.thumbnail)
            self.pins_changed.emit()

    def set_steps(self, steps: int) -> None:
        self.steps = steps

    @property
    def wayless(self) -> str:
        """Why no way leads from the one pin to the other, in a sentence; "" when one does."""
        if len(self.pins) < len(PINS):
            return "Pin two pictures first."
        if self.pins[A].who == self.pins[B].who:
            return "A and B show the same person: pin a picture of somebody else."
        return ""

    def way(self) -> tuple[Shot, ...]:
        """The pictures from the one pin to the other, of the first one's seed; none while there is no way."""
        if self.wayless:
            return ()
        return walk(self.pins[A].who, self.pins[B].who, self.steps, self.pins[A].seed)


def person_of(picture: Picture) -> Who | None:
    """The person who does not exist on `picture`; None when it came from a photo, or shows anybody."""
    who = picture.portrait.recipe.person
    return None if isinstance(who, Anybody) else who
