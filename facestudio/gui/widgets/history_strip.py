"""The galleries that were made, side by side, each by its first picture; a click shows one again."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Slot
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QWidget

from facestudio.gui.generating import Making
from facestudio.gui.runs import Run
from facestudio.gui.widgets.painting import DARK, WHITE
from facestudio.gui.workplace import counted

SIDE = 52  # px of a picture
BADGE = 18


class HistoryStrip(QListWidget):
    """The runs of `making`, the newest right; hidden while there are fewer than two."""

    def __init__(self, making: Making, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("historyStrip")
        self.setAccessibleName("What was made before")
        self.setToolTip("What was made before: a click shows it again (Ctrl+Z, Ctrl+Shift+Z)")
        self.setViewMode(QListWidget.ViewMode.IconMode)
        self.setFlow(QListWidget.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListWidget.Movement.Static)
        self.setIconSize(QSize(SIDE, SIDE))
        self.setFixedHeight(SIDE + 24)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._making = making
        self._shown: tuple[object, ...] = ()
        self.currentRowChanged.connect(self._choose)
        making.run_changed.connect(self.refresh)
        making.work_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the runs there are, and which of them is shown."""
        runs = self._making.runs
        keys = tuple(run.key for run in runs.all)
        with QSignalBlocker(self):
            if keys != self._shown:
                self._shown = keys
                self.clear()
                for run in runs.all:
                    self.addItem(_item(run))
            if self.currentRow() != runs.shown:
                self.setCurrentRow(runs.shown)
                if self.currentItem() is not None:
                    self.scrollToItem(self.currentItem())
        self.setEnabled(not self._making.doing)
        self.setVisible(len(runs.all) > 1)

    @Slot(int)
    def _choose(self, row: int) -> None:
        if row >= 0:
            self._making.show_run(row)


def _item(run: Run) -> QListWidgetItem:
    """The first picture of a run, with how many there are when there are several."""
    pixmap = QPixmap.fromImage(run.pictures[0].thumbnail).scaled(
        2 * SIDE,
        2 * SIDE,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    count = len(run.pictures)
    if count > 1:
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2 * (BADGE + 7 * (len(str(count)) - 1))
        place = pixmap.rect().adjusted(pixmap.width() - width - 6, pixmap.height() - 2 * BADGE - 6, -6, -6)
        painter.setPen(QColor(0, 0, 0, 0))
        painter.setBrush(DARK)
        painter.drawRoundedRect(place, 12, 12)
        font = painter.font()
        font.setPixelSize(22)
        painter.setFont(font)
        painter.setPen(WHITE)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, str(count))
        painter.end()
    pixmap.setDevicePixelRatio(2)
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)  # else Qt colours it
    item = QListWidgetItem(icon, "")
    who = f"the person in {run.source.name}" if run.source else str(run.recipe.person or "people who do not exist")
    words = f"{counted(count, 'picture')} from seed {run.recipe.seed}, {who}"
    item.setToolTip(words)
    item.setData(Qt.ItemDataRole.AccessibleTextRole, words)
    return item
