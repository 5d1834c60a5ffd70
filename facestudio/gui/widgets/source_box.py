"""The photo of a person in a panel: drop one, choose one, choose a face of it, and where that makes sense remove it."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from facestudio.gui.person import Person
from facestudio.gui.widgets.chooser import Chooser
from facestudio.gui.widgets.drop_zone import image_in, paths_in
from facestudio.gui.widgets.work_panel import note

FACE = 128  # px of the chosen face
WIDTH = 208  # px, what the narrowest panel has room for
PLACE = 56  # px of the height where a photo can be dropped


class SourceBox(QWidget):
    """Shows `person`. `choose_asked` asks for a file.

    Args:
        help: the tooltip of the button that asks for a file; notice: what stands below.
        removable: whether a button takes the person away again.
    """

    choose_asked = Signal()

    def __init__(
        self, person: Person, help: str, notice: str, removable: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        self._person, self._removable = person, removable
        self.chooser = Chooser(FACE, WIDTH, PLACE)
        self.chooser.faces.currentRowChanged.connect(self._choose_face)
        self.choose, self.remove = QPushButton(), QPushButton("Remove")
        self.choose.setToolTip(help)
        self.choose.clicked.connect(self.choose_asked)
        self.remove.setToolTip("Take this photo away again")
        self.remove.clicked.connect(person.remove)
        self.notice = note()
        self.notice.setText(notice)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.choose, 1)
        buttons.addWidget(self.remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.chooser)
        column.addLayout(buttons)
        column.addWidget(self.notice)
        person.changed.connect(self.refresh)
        person.workplace.work_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the person there is."""
        source = self._person.source
        for widget in (self.chooser.faces, self.choose, self.remove):
            widget.setEnabled(not self._person.hindrance)
        if source is None:
            self.chooser.fill("", None, 0)
        else:
            self.chooser.fill(source.name, source.found, source.index)
        self.choose.setText("Choose a photo…" if source is None else "Change…")
        self.remove.setVisible(self._removable and source is not None)

    def take(self, data: QMimeData | None) -> bool:
        """Take what `data` holds as the photo of the person; False when it holds nothing that could be one."""
        if data is None:
            return False
        paths, image = paths_in(data), image_in(data)
        if paths:
            self._person.use_photo(paths[0])
        elif image is not None:
            self._person.use_pasted(image)
        return bool(paths) or image is not None

    @Slot(int)
    def _choose_face(self, index: int) -> None:
        if index >= 0:
            self._person.choose_face(index)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if paths_in(event.mimeData()) or event.mimeData().hasImage():
            event.acceptProposedAction()
            self._mark(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._mark(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self._mark(False)
        if self.take(event.mimeData()):
            event.acceptProposedAction()

    def _mark(self, on: bool) -> None:
        face = self.chooser.face
        face.setProperty("over", on)
        face.style().unpolish(face)
        face.style().polish(face)
