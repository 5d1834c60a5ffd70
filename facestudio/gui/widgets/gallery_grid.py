"""The gallery: a grid of made pictures that fills while they come. A click shows one large, its tick selects it.

Places that are still empty show what is being drawn for them, as far as a preview can be cut up. Painted by a delegate, so a
thousand pictures cost what is visible.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    Qt,
    Signal,
    Slot,
)
from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QListView, QWidget

from facestudio.generating import PORTION
from facestudio.gui.generating import Making
from facestudio.gui.qimage import to_qimage
from facestudio.gui.runs import Run
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.gallery_tile import CAPTION, PICTURE, PREVIEW, TileDelegate
from facestudio.gui.widgets.portrait_readout import figures, spoken
from facestudio.progress import Update
from facestudio.whom import Between, Shot

SPACING = 6
COLUMNS = 4  # of a preview of several faces
Index = QModelIndex | QPersistentModelIndex


class GalleryModel(QAbstractListModel):
    """The pictures of the shown run, and while it runs a place for each that is still to come."""

    def __init__(self, making: Making, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._making = making
        self._run: Run | None = None
        self._rows = 0
        self._previews: dict[int, QImage] = {}
        making.run_changed.connect(self._take_run)
        making.picture_added.connect(self._take_picture)
        making.progressed.connect(self._take_update)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else self._rows

    def flags(self, index: Index) -> Qt.ItemFlag:
        there = index.row() < len(self._making.pictures)
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable if there else Qt.ItemFlag.NoItemFlags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, pictures, run = index.row(), self._making.pictures, self._making.shown
        if run is None or not 0 <= row < self._rows:
            return None
        seed = run.plan[row].seed
        picture = pictures[row] if row < len(pictures) else None
        if role == PICTURE:
            return picture
        if role == PREVIEW:
            return self._previews.get(row)
        if role == CAPTION:
            return caption(run.plan[row])
        if role == Qt.ItemDataRole.DisplayRole:
            return str(seed)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return spoken(picture) if picture else f"Seed {seed}, still to come"
        if role == Qt.ItemDataRole.ToolTipRole and picture is not None:
            return figures(picture.portrait)
        return None

    @Slot()
    def _take_run(self) -> None:
        shown = self._making.shown
        same = shown is not None and self._run is not None and shown.key is self._run.key
        rows = 0 if shown is None else shown.count if shown is self._making.running else len(shown.pictures)
        self._previews = {}
        if same and rows < self._rows:
            self.beginRemoveRows(QModelIndex(), rows, self._rows - 1)
            self._run, self._rows = shown, rows
            self.endRemoveRows()
        elif not same:
            self.beginResetModel()
            self._run, self._rows = shown, rows
            self.endResetModel()

    @Slot()
    def _take_picture(self) -> None:
        row = len(self._making.pictures) - 1
        self._previews.pop(row, None)
        self.dataChanged.emit(self.index(row), self.index(row))

    @Slot(object)
    def _take_update(self, update: Update) -> None:
        run = self._making.running
        if update.preview is None or run is None:
            return
        start = len(run.pictures)
        tiles = cut(np.asarray(update.preview), min(PORTION, run.count - start))
        if tiles:
            self._previews = {start + place: tile for place, tile in enumerate(tiles)}
            self.dataChanged.emit(self.index(start), self.index(start + len(tiles) - 1))


def caption(shot: Shot) -> str:
    """What stands below a picture: its seed, or how far on a walk it is."""
    return f"{shot.who.share:.0%} of the way" if isinstance(shot.who, Between) else f"seed {shot.seed}"


def cut(sheet: np.ndarray, faces: int) -> list[QImage]:
    """The `faces` of a preview (H, W, 3) uint8 RGB that shows them in rows of up to four; none when it does not."""
    columns = min(faces, COLUMNS)
    rows = -(-faces // max(columns, 1))
    side = sheet.shape[1] // max(columns, 1)
    if faces < 1 or sheet.shape[:2] != (side * rows, side * columns):
        return []
    places = [(row * side, column * side) for row in range(rows) for column in range(columns)]
    return [to_qimage(sheet[top : top + side, left : left + side]) for top, left in places[:faces]]


class GalleryGrid(QListView):
    """Shows the gallery of `making`. `shown` tells which picture is to be shown large."""

    shown = Signal(int)

    def __init__(self, making: Making, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("galleryGrid")
        self.setAccessibleName("Gallery")
        self._making = making
        self._pressed = QModelIndex()
        self._on_tick = self._telling = False
        self.tiles = TileDelegate(theme, self)
        self.pictures = GalleryModel(making, self)
        self.setModel(self.pictures)
        self.setItemDelegate(self.tiles)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setSpacing(SPACING)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        making.selection_changed.connect(self._follow)
        theme.changed.connect(self.viewport().update)

    # ---- selection

    def currentChanged(self, current: Index, previous: Index) -> None:
        super().currentChanged(current, previous)
        self._making.show_picture(current.row() if current.isValid() else None)

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        super().selectionChanged(selected, deselected)
        self._telling = True  # Qt has moved the current picture already, but tells that only after this
        self._making.select(index.row() for index in self.selectedIndexes())
        self._telling = False

    def selectionCommand(self, index: Index, event: QEvent | None = None) -> QItemSelectionModel.SelectionFlag:
        if self._on_tick:
            return QItemSelectionModel.SelectionFlag.Toggle
        return super().selectionCommand(index, event)

    @Slot()
    def _follow(self) -> None:
        """Take over what was chosen elsewhere: in the large view, or by an action."""
        if self._telling:
            return
        model = self.selectionModel()
        current = self._making.current
        if current is not None and self.currentIndex().row() != current:
            model.setCurrentIndex(self.pictures.index(current), QItemSelectionModel.SelectionFlag.NoUpdate)
            self.scrollTo(self.currentIndex())
        if {index.row() for index in self.selectedIndexes()} != self._making.selected:
            wanted = QItemSelection()
            for row in self._making.selected:
                wanted.select(self.pictures.index(row), self.pictures.index(row))
            model.select(wanted, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def resizeEvent(self, event: QResizeEvent) -> None:
        width = (
            self.width() - self.verticalScrollBar().sizeHint().width()
        )  # what Qt fills, whether the bar is there or not
        if self.tiles.fill(width, SPACING):
            self.scheduleDelayedItemsLayout()
        super().resizeEvent(event)

    # ---- mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        left = event.button() == Qt.MouseButton.LeftButton
        self._pressed = self._under(event.position().toPoint()) if left else QModelIndex()
        self._on_tick = left and self._over_tick(event.position().toPoint())
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self._on_tick:  # a tick is no start of a rubber band
            super().mouseMoveEvent(event)
        over = self._under(event.position().toPoint()).isValid()
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, on_tick = self._pressed, self._on_tick
        if not on_tick:
            super().mouseReleaseEvent(event)
        self._pressed, self._on_tick = QModelIndex(), False
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        there = pressed.isValid() and self._under(event.position().toPoint()) == pressed
        if there and plain and not on_tick and event.button() == Qt.MouseButton.LeftButton:
            self.shown.emit(pressed.row())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.mousePressEvent(event)  # the first click has shown it, or two clicks on a tick are two

    def keyPressEvent(self, event: QKeyEvent) -> None:
        index = self.currentIndex()
        if event.key() == Qt.Key.Key_Space and index.isValid():
            self.selectionModel().select(index, QItemSelectionModel.SelectionFlag.Toggle)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and index.isValid() and not event.modifiers():
            self.shown.emit(index.row())
        else:
            super().keyPressEvent(event)

    def _under(self, point: QPoint) -> QModelIndex:
        """The picture under a point; a place that is empty is none."""
        index = self.indexAt(point)
        return index if index.isValid() and self.pictures.data(index, PICTURE) is not None else QModelIndex()

    def _over_tick(self, point: QPoint) -> bool:
        index = self._under(point)
        return index.isValid() and self.tiles.tick(self.visualRect(index)).contains(point)
