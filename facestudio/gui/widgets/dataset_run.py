"""A dataset while it is made, and when it is there: how far it is and who was drawn last; then what the judges say of it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from facestudio.datasets.asking import people
from facestudio.gui.populate_work import SHOWN, SIDE, Outcome, Shown
from facestudio.gui.populating import Populating
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.run_bar import RunBar

SMALL, ACROSS = 134, 4  # px of the pictures of who was drawn last, and how many stand in a row
GOES_ON = (
    "You can close this dialog; the work continues. Stopping keeps the people who are complete: start again with "
    "the same folder to continue, today or another day."
)


class DatasetRun(QWidget):
    """Shows the run of `populating`."""

    def __init__(self, populating: Populating, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._populating = populating
        self.title, self.tally, self.name = QLabel(), QLabel(), QLabel()
        self.title.setObjectName("dialogTitle")
        self.tally.setObjectName("value")
        self.name.setObjectName("note")
        for label in (self.title, self.tally, self.name):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
        self.bar = RunBar(populating, theme)
        self.bar.stop.setToolTip("Stop at the next step; complete people are kept")
        self.bar.pause.setToolTip("Pause the work where it is")
        self.about = QLabel(GOES_ON)
        self.about.setObjectName("note")
        self.about.setWordWrap(True)
        self.faces = tuple(QLabel() for _ in range(SHOWN))
        grid = QGridLayout()
        grid.setSpacing(6)
        grid.setColumnStretch(ACROSS, 1)
        for place, face in enumerate(self.faces):
            face.setFixedSize(SMALL, SMALL)
            grid.addWidget(face, place // ACROSS, place % ACROSS)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.title)
        column.addWidget(self.bar)
        column.addWidget(self.tally)
        column.addLayout(grid)
        column.addWidget(self.name)
        column.addStretch(1)
        column.addWidget(self.about)
        for changed in (populating.progressed, populating.work_changed):
            changed.connect(self._show_tally)
        populating.shown.connect(self._show_person)
        populating.asked_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what is made; a run that begins has drawn nobody yet."""
        wanted = self._populating.run_of
        if wanted is not None:
            self.title.setText(f"Making {people(wanted.order.people)} in {wanted.out.name}")
        if not self._populating.tally:
            self.tally.setText(" ")
            self.name.clear()
            for face in self.faces:
                face.clear()

    @Slot()
    def _show_tally(self) -> None:
        """While it waits or stops, the bar says that, and how far it is stands here."""
        populating = self._populating
        self.tally.setText(populating.tally if populating.paused or populating.stopping else " ")

    @Slot(object)
    def _show_person(self, shown: Shown) -> None:
        self.name.setText(f"Person {shown.name}")
        ratio = self.devicePixelRatioF()
        for place, face in enumerate(self.faces):
            if place >= len(shown.pictures):
                face.clear()
                continue
            side = min(round(SMALL * ratio), SIDE)
            pixmap = QPixmap.fromImage(shown.pictures[place]).scaled(
                side, side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
            pixmap.setDevicePixelRatio(side / SMALL)
            face.setPixmap(pixmap)


class DatasetOutcome(QWidget):
    """Shows what a run came to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title, self.head, self.remarks = QLabel(), QLabel(), QLabel()
        self.title.setObjectName("dialogTitle")
        self.remarks.setObjectName("note")
        for label in (self.title, self.head, self.remarks):
            _readable(label)
        self.proofs = QGridLayout()
        self.proofs.setVerticalSpacing(3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self.title)
        column.addWidget(self.head)
        column.addLayout(self.proofs)
        column.addWidget(self.remarks)
        column.addStretch(1)

    def show_outcome(self, outcome: Outcome) -> None:
        """Show another one."""
        self.title.setText(f"The dataset in {outcome.out.name}")
        self.title.setToolTip(str(outcome.out))
        self.head.setText(outcome.head)
        self.remarks.setText(" ".join(outcome.remarks))
        while (item := self.proofs.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for line, (judge, words) in enumerate(outcome.proofs):
            name, proof = _readable(QLabel(judge)), _readable(QLabel(f"{words}."))
            name.setObjectName("chipTitle")
            proof.setContentsMargins(0, 0, 0, 8)
            self.proofs.addWidget(name, 2 * line, 0)
            self.proofs.addWidget(proof, 2 * line + 1, 0)

    @property
    def words(self) -> str:
        """All that is shown, line by line."""
        items = [self.proofs.itemAt(place) for place in range(self.proofs.count())]
        labels = [item.widget() for item in items if item is not None]
        proofs = [label.text() for label in labels if isinstance(label, QLabel)]
        return "\n".join([self.title.text(), self.head.text(), *proofs, self.remarks.text()])


def _readable(label: QLabel) -> QLabel:
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
