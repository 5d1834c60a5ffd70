"""Choosing a face of a photo: the chosen one large, and all of them small if there are several."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from facestudio.gui.found import Found

SMALL = 52  # px of the faces to choose from
WIDTH = 236
INSET = 6  # px between the words that ask for a photo and the frame around them


class Chooser(QWidget):
    """One photo: its name, the chosen face `side` px large, and below all its faces if there are several.

    Args:
        width: of the name and the small faces in px.
        empty: height in px of the place, as wide, of a photo that is not there yet; None: as large as a face.
    """

    def __init__(
        self, side: int = 176, width: int = WIDTH, empty: int | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._side, self._width = side, width
        self._empty = (side, side) if empty is None else (width, empty)
        self.name, self.face = QLabel(), QLabel()
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        self.name.setObjectName("chipInfo")
        self.face.setObjectName("compareFace")
        self.face.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.face.setWordWrap(True)
        self.faces = QListWidget()
        self.faces.setViewMode(QListWidget.ViewMode.IconMode)
        self.faces.setFlow(QListWidget.Flow.LeftToRight)
        self.faces.setWrapping(False)
        self.faces.setMovement(QListWidget.Movement.Static)
        self.faces.setIconSize(QSize(SMALL, SMALL))
        self.faces.setFixedSize(width, SMALL + 30)
        self.faces.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)  # they stand in one row
        self.faces.setAccessibleName("Faces of this photo")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.name, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.face, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.faces, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)

    def fill(self, name: str, found: Found | None, chosen: int) -> None:
        """Show face `chosen` of the photo called `name`; None asks for a photo."""
        self.name.setText(self.name.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, self._width))
        self.name.setVisible(bool(name) or self._empty == (self._side, self._side))
        self.face.setFixedSize(*(self._empty if found is None else (self._side, self._side)))
        self.face.setMargin(INSET if found is None else 0)
        self.faces.setVisible(found is not None and len(found.faces) > 1)
        if found is None:
            self.face.setText("Choose a photo, or drop one here")
            self.face.setAccessibleName("No photo yet")
            self.faces.clear()
            self.faces.setProperty("photo", None)
            return
        self.face.setPixmap(
            QPixmap.fromImage(found.crops[chosen]).scaled(
                self._side, self._side, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            )
        )
        self.face.setAccessibleName(f"Face {chosen + 1} of {name}")
        self.faces.setAccessibleName(f"Faces of {name}")
        self.faces.blockSignals(True)
        if self.faces.count() != len(found.faces) or self.faces.property("photo") is not found:
            self.faces.clear()
            for index, crop in enumerate(found.crops):
                icon = QIcon(QPixmap.fromImage(crop))
                icon.addPixmap(QPixmap.fromImage(crop), QIcon.Mode.Selected)  # else Qt tints it
                item = QListWidgetItem(icon, "")
                item.setToolTip(f"Face {index + 1}")
                item.setData(Qt.ItemDataRole.AccessibleTextRole, f"Face {index + 1}")
                self.faces.addItem(item)
            self.faces.setProperty("photo", found)
        self.faces.setCurrentRow(chosen)
        self.faces.blockSignals(False)
