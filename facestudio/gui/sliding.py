"""The sliders of Generate: where they stand, and the drafts that are drawn while one is dragged.

Only the newest request is drawn: while a draft is at work, what is asked for meanwhile waits in one place and replaces what
waited there. A draft that runs is let finish, so that something is seen during a long drag; the fine picture ends it. The GUI
thread only; it knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from facestudio.faces.sliders import PERSON
from facestudio.gui import generate_work
from facestudio.gui.jobs import Job, JobQueue
from facestudio.recipe import Recipe
from facestudio.whom import Shot

if TYPE_CHECKING:
    from facestudio.faces.face import Face
    from facestudio.faces.sliders import Slider
    from facestudio.photo import Photo
    from facestudio.studio import Studio

Wanted = tuple[Recipe, "Shot | None", "tuple[Photo, Face] | None"]


class Sliding(QObject):
    """`offered` are the sliders of the chosen weights, `values` where those stand that were touched, `draft` what is seen."""

    offered_changed = Signal()
    values_changed = Signal()
    draft_changed = Signal()
    failed = Signal(Exception)

    def __init__(self, studio: Studio, compute: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._studio, self._compute = studio, compute
        self.offered: tuple[Slider, ...] = ()
        self.values: dict[str, float] = {}
        self.draft: QImage | None = None
        self._wanted: Wanted | None = None
        self._job: Job | None = None

    def offer(self, sliders: tuple[Slider, ...]) -> None:
        """Show other sliders; those that are gone stand nowhere."""
        if sliders != self.offered:
            self.offered = sliders
            self.values = self._possible(self.values)
            self.offered_changed.emit()

    def value(self, name: str) -> float:
        """Where a slider stands."""
        return self.values.get(name, 0.0)

    def set_value(self, name: str, value: float) -> None:
        """Put one slider somewhere. Once touched it stays among the `values`, at 0 too: so the picture keeps its person."""
        if self.values.get(name) != value:
            self.values[name] = value
            self.values_changed.emit()

    def show(self, values: Mapping[str, float]) -> None:
        """Put all sliders where a recipe has them, as far as they go there."""
        wanted = self._possible(values)
        if wanted != self.values:
            self.values = wanted
            self.values_changed.emit()

    def _possible(self, values: Mapping[str, float]) -> dict[str, float]:
        """Those of `values` that there is a slider for, which goes so far."""
        least = {slider.id: slider.least for slider in self.offered}
        return {name: float(value) for name, value in values.items() if name in least and value >= least[name]}

    def used(self, person: bool) -> dict[str, float]:
        """Where those stand that were touched; without those that move the `person`, where there is none."""
        without = {slider.id for slider in self.offered if slider.group == PERSON and not person}
        return {name: value for name, value in self.values.items() if name not in without}

    @Slot()
    def reset(self) -> None:
        """Put every slider back to the middle."""
        self.values = dict.fromkeys(self.values, 0.0)
        self.values_changed.emit()

    # ---- drafts

    @property
    def drafting(self) -> bool:
        """Whether a draft is at work."""
        return self._job is not None

    def ask(self, recipe: Recipe, shot: Shot | None, source: tuple[Photo, Face] | None) -> None:
        """Draw a draft of `recipe`, as soon as the one that runs is done; what waited for that is forgotten."""
        self._wanted = (recipe, shot, source)
        if self._job is None:
            self._begin()

    def drop(self) -> None:
        """Draw no more drafts; the one that runs is stopped, and what it shows stays until `forget`."""
        self._wanted = None
        if self._job is not None:
            self._job.cancel()

    def forget(self) -> None:
        """Show no draft."""
        self.drop()
        if self.draft is not None:
            self.draft = None
            self.draft_changed.emit()

    def _begin(self) -> None:
        if self._wanted is None:
            return
        wanted, self._wanted = self._wanted, None
        todo: Callable[..., QImage] = partial(generate_work.draft, self._studio, *wanted)
        self._job = self._compute.submit(todo)
        self._job.finished.connect(self._take)
        self._job.failed.connect(self.failed)
        self._job.ended.connect(self._ended)

    @Slot(object)
    def _take(self, image: QImage) -> None:
        if self._job is not None and not self._job.stopping:
            self.draft = image
            self.draft_changed.emit()

    @Slot(object)
    def _ended(self, job: Job) -> None:
        self._job = None
        self._begin()
