"""The pose picture in the panel of Generate: choose or drop one, see it, take it away again."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from facestudio.gui.posing import Posing
from facestudio.gui.widgets.drop_zone import paths_in
from facestudio.gui.widgets.elided_label import ElidedLabel
from facestudio.gui.widgets.work_panel import note

SIDE = 96  # px of the picture
NOTICE = (
    "A square normal map: a head's surface in colours, as EMOCA renders it from a photo. Face Studio itself cannot "
    "make one from a photo."
)


class PoseBox(QWidget):
    """Shows `posing`. `choose_asked` asks for a file."""

    choose_asked = Signal()

    def __init__(self, posing: Posing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)
        self._posing = posing
        self.image, self.name, self.notice = QLabel(), ElidedLabel(), note()
        self.image.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.notice.setText(NOTICE)
        self.choose, self.remove = QPushButton(), QPushButton("Remove")
        self.choose.setToolTip("Keep the head pose of a normal map; you can also drop one here")
        self.choose.clicked.connect(self.choose_asked)
        self.remove.setToolTip("Hold no pose")
        self.remove.clicked.connect(posing.remove)
        buttons = QHBoxLayout()
        buttons.setSpacing(6)
        buttons.addWidget(self.choose, 1)
        buttons.addWidget(self.remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for widget in (self.image, self.name):
            column.addWidget(widget)
        column.addLayout(buttons)
        column.addWidget(self.notice)
        posing.changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the picture there is."""
        picture = self._posing.picture
        for widget in (self.image, self.name, self.remove):
            widget.setVisible(picture is not None)
        self.notice.setVisible(picture is None)
        self.choose.setText("Choose a pose picture…" if picture is None else "Change…")
        if picture is not None:
            self.name.setText(picture.name)
            pixmap = QPixmap.fromImage(picture.image)
            smooth = Qt.TransformationMode.SmoothTransformation
            self.image.setPixmap(pixmap.scaled(SIDE, SIDE, Qt.AspectRatioMode.KeepAspectRatio, smooth))
            self.image.setAccessibleName(f"Pose picture {picture.name}")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if paths_in(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = paths_in(event.mimeData())
        if paths:
            self._posing.use_picture(paths[0])
            event.acceptProposedAction()
