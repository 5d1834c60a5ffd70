"""What is seen of a photo before and after: which of the two, alone, split or side by side, how large, and which part.

Both pictures are seen through one pair of numbers, how many screen pixels a photo pixel is and `centre` (the photo pixel
in the middle of a pane), so they cannot drift apart. A photo pixel is one of the open photo also where an enlarged result is
shown: faces stay where they are, and so does the view. Separate from the viewer, which paints, so that what lies over it knows
no more than this.
"""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QWidget

from facestudio.gui.qimage import Pyramid

SINGLE, SPLIT, SIDE = "single", "split", "side by side"
MODES = (SINGLE, SPLIT, SIDE)
LARGEST_ZOOM = 32.0
LARGEST_FIT = 4.0
STEP = 1.25  # of a key or a notch of the wheel
GAP = 3  # between the two pictures side by side


class View(QWidget):
    """Shows nothing itself: a subclass sets which pictures there are, and paints them."""

    mode_changed = Signal(str)
    view_changed = Signal()  # zoom or centre
    original_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mode = SPLIT
        self.centre = QPointF(0, 0)
        self.handle = 0.5  # where the split stands, 0..1 of the width
        self.original = False
        self._zoom = 1.0
        self._fitted = True
        self._before: Pyramid | None = None  # as large as `_after`
        self._after: Pyramid | None = None
        self._times = 1  # how many times as large as the photo both are

    @property
    def comparing(self) -> bool:
        """Whether there is a result to compare with."""
        return self._after is not None

    def set_mode(self, mode: str) -> None:
        """Show one picture, the split, or both side by side."""
        if mode != self.mode:
            self.mode = mode
            self._settle()
            self.mode_changed.emit(mode)

    def show_original(self, on: bool) -> None:
        """Show the original in place of the result."""
        if on != self.original:
            self.original = on
            self.update()
            self.original_changed.emit()

    def move_handle(self, to: float) -> None:
        """Put the split at `to`, 0..1 of the width."""
        self.handle = min(max(to, 0.0), 1.0)
        self.update()

    def _handle_x(self) -> float:
        return self.handle * self.width()

    # ---- zoom and pan

    @property
    def zoom(self) -> float:
        """Screen pixels a pixel of what is shown: 1 is 100 %."""
        return self._zoom / self._times

    @property
    def fitted(self) -> bool:
        """Whether the whole photo is kept in view."""
        return self._fitted

    def panes(self) -> list[QRectF]:
        """Where pictures are painted: one region, or two side by side."""
        whole = QRectF(self.rect())
        if self.mode != SIDE or not self.comparing:
            return [whole]
        width = (whole.width() - GAP) / 2
        return [QRectF(0, 0, width, whole.height()), QRectF(width + GAP, 0, width, whole.height())]

    def before_part(self, pane: QRectF) -> QRectF:
        """What of `pane` shows the photo before, where a result is seen beside it; else all of it. It may be empty."""
        if not self.comparing or self.mode == SINGLE or self.original:
            return pane
        if self.mode == SIDE:
            return pane if pane.left() == 0 else QRectF()
        return QRectF(0, 0, self._handle_x(), pane.height())

    @Slot()
    def fit(self) -> None:
        """Show the whole photo."""
        self._fitted = True
        self._settle()

    @Slot()
    def actual_size(self) -> None:
        """One pixel of what is shown a screen pixel."""
        self.zoom_to(1.0)

    @Slot()
    def zoom_in(self) -> None:
        self.zoom_to(self.zoom * STEP)

    @Slot()
    def zoom_out(self) -> None:
        self.zoom_to(self.zoom / STEP)

    def zoom_to(self, zoom: float, at: QPointF | None = None) -> None:
        """Zoom, keeping the photo pixel under the widget point `at` (None: the middle) where it is."""
        if self._before is None:
            return
        pane = self.pane_at(at) if at is not None else self.panes()[0]
        anchor = at if at is not None else pane.center()
        point = self.to_photo(anchor, pane)
        self._fitted = False
        least = min(self._fit_zoom(), self._times) / 2
        self._zoom = min(max(zoom * self._times, least), LARGEST_ZOOM * self._times)
        self.centre = point - (anchor - pane.center()) / self._scale
        self._settle()

    def pan(self, by: QPointF) -> None:
        """Move the photo by `by` widget pixels."""
        self._fitted = False
        self.centre -= by / self._scale
        self._settle()

    def show_box(self, box: np.ndarray) -> None:
        """Zoom so that `box`, left, top, right and bottom in photo pixels, fills a good part of the view."""
        side = max(float(box[2] - box[0]), float(box[3] - box[1]), 1.0)
        pane = self.panes()[0]
        self._fitted = False
        wanted = min(pane.width(), pane.height()) * 0.5 / side * self.devicePixelRatioF()
        self._zoom = min(max(wanted, self._fit_zoom()), LARGEST_ZOOM * self._times)
        self.centre = QPointF(float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
        self._settle()

    @property
    def _size(self) -> tuple[int, int]:
        """Width and height of the open photo, also while something larger is shown."""
        width, height = self._before.size if self._before else (1, 1)
        return width // self._times, height // self._times

    @property
    def photo_rect(self) -> QRectF:
        """The open photo in its own pixels, from corner to corner."""
        return QRectF(0, 0, *self._size)

    @property
    def _scale(self) -> float:
        """Widget units a photo pixel."""
        return self._zoom / self.devicePixelRatioF()

    def _fit_zoom(self) -> float:
        if self._before is None:
            return 1.0
        pane, (width, height) = self.panes()[0], self._size
        scale = min((pane.width() - 24) / width, (pane.height() - 24) / height)
        return max(scale, 1e-4) * self.devicePixelRatioF()

    def _settle(self) -> None:
        """Keep zoom and centre within what makes sense, and show it."""
        if self._before is not None:
            width, height = self._size
            if self._fitted:
                self._zoom = min(self._fit_zoom(), LARGEST_FIT * self._times)
            pane = self.panes()[0]
            self.centre = QPointF(
                _kept(self.centre.x(), width, pane.width() / self._scale),
                _kept(self.centre.y(), height, pane.height() / self._scale),
            )
        self.update()
        self.view_changed.emit()

    def to_photo(self, point: QPointF, pane: QRectF) -> QPointF:
        """The photo pixel under a widget point of `pane`."""
        return self.centre + (point - pane.center()) / self._scale

    def to_widget(self, point: QPointF, pane: QRectF) -> QPointF:
        """Where `pane` shows a photo pixel."""
        return pane.center() + (point - self.centre) * self._scale

    def pane_at(self, point: QPointF) -> QRectF:
        """The pane under a widget point."""
        panes = self.panes()
        return panes[-1] if len(panes) == 2 and point.x() >= panes[1].left() else panes[0]

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._settle()

    def sizeHint(self) -> QSize:
        return QSize(900, 640)


def _kept(centre: float, length: float, seen: float) -> float:
    """The middle of the view on one axis: in the middle when all of `length` is seen, else never beyond an edge."""
    if seen >= length:
        return length / 2
    return min(max(centre, seen / 2), length - seen / 2)
