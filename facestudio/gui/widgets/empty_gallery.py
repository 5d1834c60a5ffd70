"""What stands where no gallery is yet: what this workspace is for, or what it lacks."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QLabel, QWidget

from facestudio.gui.generating import Making
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.empty_page import EmptyPage
from facestudio.gui.widgets.generate_panel import LACK, LACK_HINT

TITLE = "Generate faces"
WHAT = (
    "Draw people who do not exist, or new pictures of the person in a photo, each measured by the "
    "recognisers.\nThe starter weights are small: their pictures are 256 px wide."
)
WIDTH = 560


class EmptyGallery(EmptyPage):
    """The empty state of `making`."""

    def __init__(self, making: Making, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "gallery", TITLE, WHAT, WIDTH, parent)
        self._making = making
        self.problem = QLabel()
        self.problem.setObjectName("galleryProblem")
        self.add_words(self.problem)
        making.offers_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Say what is lacking, if anything is."""
        making = self._making
        error = making.offers_error
        self.problem.setVisible(making.offers == ())
        hint = getattr(error, "hint", "")
        self.problem.setText(f"{error} {hint}".strip() if error else f"{LACK} {LACK_HINT}")
