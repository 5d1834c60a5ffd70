"""The table of an anonymizing run: a line a photo with small pictures before and after, its faces, how sure, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    QSortFilterProxyModel,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from facestudio.faces.panel import UNJUDGED
from facestudio.gui.anonymize_rows import FAILED, FALLBACK, LEFT_OUT, MEANINGS, NOBODY, ORDER, TONES, VERIFIED, Row
from facestudio.gui.anonymize_thumbnails import Thumbnails
from facestudio.gui.anonymizing import Anonymizing
from facestudio.gui.text_size import times, widened
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.status_filter import ALL
from facestudio.report_facts import is_unjudged

BEFORE, AFTER, NAME, FACES, WORST, STATUS, REASON = range(7)
HEADS = ("Before", "After", "Photo", "Faces", "Worst similarity", "Status", "Reason")
HELP = {
    FACES: "How many faces were found",
    WORST: "The highest similarity of any changed face to the original, by any recogniser: 1 is the same picture, "
    "about 0 a stranger; faces that cannot be judged are left out",
    STATUS: "What the run, or a person, came to",
}
PICTURE = Qt.ItemDataRole.UserRole
SORT = Qt.ItemDataRole.UserRole + 1
EXPECTED = Qt.ItemDataRole.UserRole + 2  # whether there will be a picture
BROKEN = Qt.ItemDataRole.UserRole + 3  # whether the file cannot be read
THUMB, LINE, ICON = QSize(72, 54), 64, 24
# px of the columns before the reason: as they are where there is room, and at least; what the reason has at least then
WIDTHS = {BEFORE: (88, 80), AFTER: (88, 80), NAME: (190, 96), FACES: (66, 56), WORST: (130, 64), STATUS: (118, 98)}
REASON_WIDTH = 260
PADDING = 8  # px beside the words of a head
SETTLE = 80  # ms after scrolling until thumbnails are asked for
Index = QModelIndex | QPersistentModelIndex


def head(column: int) -> str:
    """What stands over `column`; one word a line where text is large, so that there is room for what is below."""
    return HEADS[column] if times() == 1 else HEADS[column].replace(" ", "\n")


class PhotoModel(QAbstractTableModel):
    """The rows of `anonymizing`."""

    def __init__(self, anonymizing: Anonymizing, thumbnails: Thumbnails, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._run, self._thumbnails, self._theme = anonymizing, thumbnails, theme
        self.rows = anonymizing.rows  # changed in one step with what Qt knows of them, unlike those
        anonymizing.rows_changed.connect(self._reset)
        anonymizing.row_changed.connect(self._change)
        thumbnails.made.connect(self._picture_made)
        theme.changed.connect(self._reset)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt has it
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - as Qt has it
        return 0 if parent.isValid() else len(HEADS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return head(section)
        return HELP.get(section) if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(row, column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{HEADS[column]}: {self._text(row, column) or 'nothing'}"
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._theme.colour(TONES.get(row.status, "text") if column == STATUS else self._shade(row, column))
        if role == PICTURE and column in (BEFORE, AFTER):
            return self._thumbnails.of(row.path)[column - BEFORE]
        if role == EXPECTED:
            return row.item is not None and (column == BEFORE or row.output is not None or row.record is None)
        if role == BROKEN:
            return column == BEFORE and row.status == FAILED and row.faces is None
        if role == SORT:
            return self._sorted_by(row, column)
        return None

    @staticmethod
    def _shade(row: Row, column: int) -> str:
        nothing = column == WORST and (row.worst is None or bool(_explained(row)))
        muted = column == REASON or row.status == LEFT_OUT or nothing
        return "muted" if muted else "text"

    @staticmethod
    def _text(row: Row, column: int) -> str:
        if column == NAME:
            return row.name
        if column == FACES:
            return "" if row.faces is None else str(row.faces)
        if column == WORST:
            return f"{row.worst[0]:.2f}" if row.worst is not None else UNJUDGED.capitalize() if row.unjudged else ""
        if column == STATUS:
            return row.status.capitalize()
        return _reason(row) if column == REASON else ""

    def _tip(self, row: Row, column: int) -> str:
        if column == WORST and (row.worst is not None or row.unjudged):
            figure = (f"{row.worst[0]:.3f} by {row.worst[1]}.", _explained(row)) if row.worst is not None else ()
            return " ".join(words for words in (*figure, row.unjudged) if words)
        if column == STATUS:  # with the reason, whose column may be out of sight in a narrow window
            return "\n".join(dict.fromkeys(words for words in (MEANINGS.get(row.status, ""), _reason(row)) if words))
        if column == REASON:
            return _reason(row)
        return str(row.output or row.path) if column == AFTER else str(row.path)

    @staticmethod
    def _sorted_by(row: Row, column: int) -> Any:
        if column == FACES:
            return -1 if row.faces is None else row.faces
        if column == WORST:
            return row.worst[0] if row.worst is not None else -1.5 if row.unjudged else -2.0
        if column == STATUS:
            return ORDER.index(row.status) if row.status in ORDER else len(ORDER)
        return _reason(row) if column == REASON else row.name.casefold()

    @Slot()
    def _reset(self) -> None:
        self.beginResetModel()
        self.rows = self._run.rows
        self.endResetModel()

    @Slot(int)
    def _change(self, row: int) -> None:
        self.dataChanged.emit(self.index(row, 0), self.index(row, len(HEADS) - 1))

    @Slot(object)
    def _picture_made(self, path: Path) -> None:
        row = self._run.place_of(path)
        if row is not None:
            self.dataChanged.emit(self.index(row, BEFORE), self.index(row, AFTER), [PICTURE])


def _reason(row: Row) -> str:
    """Why the photo has its status; also that one without a face is in the results as it was."""
    return row.reason or (MEANINGS[NOBODY] if row.status == NOBODY else "")


def _explained(row: Row) -> str:
    """Why the worst similarity, of a face that is settled all the same, says nothing, in a sentence; "" when it does."""
    if row.worst is None or row.record is None:
        return ""
    cosine, judge = row.worst
    for n, face in enumerate(row.record["faces"], 1):
        alike = face["similarity"].get(judge) == cosine and not is_unjudged(face)
        if alike and face["notes"] and face["status"] in (VERIFIED, FALLBACK):
            return f"It is of face {n}, and says nothing: {face['notes'][-1]}"
    return ""


class OneStatus(QSortFilterProxyModel):
    """Only the rows of one status, sorted by a column."""

    def __init__(self, photos: PhotoModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._photos, self._status = photos, ALL
        self.setSourceModel(photos)
        self.setSortRole(SORT)
        self.setDynamicSortFilter(True)

    def show_status(self, status: str) -> None:
        """Let only rows of `status` through."""
        self._status = status
        self.invalidate()

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        return self._status == ALL or self._photos.rows[source_row].status == self._status


class PictureDelegate(QStyledItemDelegate):
    """Paints a thumbnail as large as fits, or the place of one that is to come."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        rect = QRectF(option.rect)  # type: ignore[attr-defined]
        image: QImage | None = index.data(PICTURE)
        if image is None and not index.data(EXPECTED):
            return
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        size = QSize(THUMB) if image is None else image.size().scaled(THUMB, Qt.AspectRatioMode.KeepAspectRatio)
        where = QRectF(0, 0, size.width(), size.height())
        where.moveCenter(rect.center())
        path = QPainterPath()
        path.addRoundedRect(where, 4, 4)
        if image is None:
            painter.setPen(QPen(self._theme.colour("border"), 1, Qt.PenStyle.DashLine))
            painter.drawPath(path)
            if index.data(BROKEN):
                icon = QRectF(0, 0, ICON, ICON)
                icon.moveCenter(where.center())
                painter.drawPixmap(icon.toRect(), self._theme.pixmap("broken", 2 * ICON, "bad"))
        else:
            painter.setClipPath(path)
            painter.drawImage(where, image)
        painter.restore()


class PhotoTable(QTableView):
    """Shows the rows; `asked` tells the place of one to look at."""

    asked = Signal(int)
    current_changed = Signal()

    def __init__(
        self, anonymizing: Anonymizing, thumbnails: Thumbnails, theme: Theme, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("photoTable")
        self.setAccessibleName("Photos")
        self._run, self._thumbnails = anonymizing, thumbnails
        self._shared, self._sharing = True, False  # whether columns give way to one another; whether they just do
        self.photos = PhotoModel(anonymizing, thumbnails, theme, self)
        self.shown = OneStatus(self.photos, self)
        self.setModel(self.shown)
        delegate = PictureDelegate(theme, self)
        for column in (BEFORE, AFTER):
            self.setItemDelegateForColumn(column, delegate)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setTabKeyNavigation(False)
        self.setSortingEnabled(True)
        self._lay_out_columns()
        self.activated.connect(self._activated)
        self.selectionModel().currentRowChanged.connect(self._tell_current)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE)
        self._timer.timeout.connect(self._want_visible)
        self.verticalScrollBar().valueChanged.connect(self._timer.start)
        for changed in (self.shown.modelReset, self.shown.layoutChanged, self.shown.rowsInserted):
            changed.connect(self._timer.start)
        anonymizing.row_changed.connect(self._timer.start)

    def _lay_out_columns(self) -> None:
        lines, header = self.verticalHeader(), self.horizontalHeader()
        lines.hide()
        lines.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        lines.setDefaultSectionSize(widened(LINE))
        header.setHighlightSections(False)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)  # as they were opened, until a column is clicked
        header.setSortIndicatorClearable(True)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(56)
        self._share_width()
        header.setStretchLastSection(True)
        header.sectionResized.connect(self._leave_widths)

    def _share_width(self) -> None:
        """Let the other columns give way to the reason where it has little room, so that it need not be scrolled for."""
        of_text = {column: (widened(most), widened(least)) for column, (most, least) in WIDTHS.items()}
        widths = {**of_text, **{column: WIDTHS[column] for column in (BEFORE, AFTER)}}
        if times() > 1:
            words = self.horizontalHeader().fontMetrics()
            heads = {column: words.size(0, head(column)).width() + 2 * PADDING for column in widths}
            widths = {
                column: (max(most, heads[column]), max(least, heads[column]))
                for column, (most, least) in widths.items()
            }
        usual = sum(most for most, _ in widths.values())
        spare = sum(most - least for most, least in widths.values())
        lacking = min(max(usual + REASON_WIDTH - self.viewport().width(), 0), spare)
        self._sharing = True
        for column, (most, least) in widths.items():
            self.setColumnWidth(column, most - round((most - least) * lacking / spare))
        self._sharing = False

    @Slot(int, int, int)
    def _leave_widths(self, column: int, before: int, after: int) -> None:
        """Somebody drew a column wider or narrower: the widths are theirs from now on."""
        self._shared = self._shared and (self._sharing or column == REASON)

    @property
    def current(self) -> int | None:
        """The place of the row that is current."""
        index = self.currentIndex()
        return self.shown.mapToSource(index).row() if index.isValid() else None

    def show_status(self, status: str) -> None:
        """Show only rows of `status`."""
        self.shown.show_status(status)
        self._timer.start()

    def choose(self, row: int) -> None:
        """Make `row` the current one, if it is shown."""
        index = self.shown.mapFromSource(self.photos.index(row, NAME))
        if index.isValid():
            self.setCurrentIndex(index)
            self.scrollTo(index)

    @Slot(QModelIndex)
    def _activated(self, index: QModelIndex) -> None:
        self.asked.emit(self.shown.mapToSource(index).row())

    @Slot()
    def _tell_current(self) -> None:
        self.current_changed.emit()

    @Slot()
    def _want_visible(self) -> None:
        top, bottom = self.rowAt(0), self.rowAt(self.viewport().height() - 1)
        last = self.shown.rowCount() - 1 if bottom < 0 else bottom
        seen = range(max(top, 0), last + 1) if self.shown.rowCount() else range(0)
        rows = [self._run.rows[self.shown.mapToSource(self.shown.index(line, 0)).row()] for line in seen]
        self._thumbnails.want(rows)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._shared:
            self._share_width()
        self._timer.start()
