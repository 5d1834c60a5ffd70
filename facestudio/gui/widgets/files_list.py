"""The photos that were opened together, A to Z, with thumbnails of those that are visible; a click opens one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QIcon, QImage, QPainter, QPixmap, QResizeEvent
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from facestudio.gui.session import Session
from facestudio.gui.text_size import widened
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.names import NamesDelegate

ICON = QSize(48, 48)
DRAWN = 160  # px of what is drawn of an icon
ALL = "Restore every photo of the list into a folder (Ctrl+Alt+R)"
SETTLE = 80  # ms after scrolling until thumbnails are asked for


class FilesList(QWidget):
    """Shows the session's files."""

    asked = Signal(object)  # a path the user wants to open
    all_asked = Signal()  # the user wants all of them restored

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("filesPanel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(widened(150))
        self._session, self._theme = session, theme
        self.title = QLabel()
        self.title.setObjectName("section")
        self.list = QListWidget()
        self.list.setAccessibleName("Photos")
        self.list.setIconSize(ICON)
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideNone)  # the delegate leaves out what has no room
        self.list.setItemDelegate(NamesDelegate(self.list))
        self.list.setMouseTracking(True)  # the name under the mouse is told in the status line
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemClicked.connect(self._clicked)
        self.list.itemActivated.connect(self._clicked)
        self._items: dict[Path, QListWidgetItem] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SETTLE)
        self._timer.timeout.connect(self._want_visible)
        self.list.verticalScrollBar().valueChanged.connect(self._timer.start)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 10, 0, 0)
        title = QVBoxLayout()
        title.setContentsMargins(12, 0, 12, 0)
        title.addWidget(self.title)
        layout.addLayout(title)
        layout.addWidget(self.list, 1)
        self.all = QPushButton("Restore all…")
        self.all.clicked.connect(self.all_asked)
        foot = QVBoxLayout()
        foot.setContentsMargins(12, 8, 12, 10)
        foot.addWidget(self.all)
        layout.addLayout(foot)
        session.files.changed.connect(self._rebuild)
        session.files.thumbnail_made.connect(self._take_thumbnail)
        session.files.marked.connect(self._mark)
        session.photo_changed.connect(self.mark_current)
        session.opening_changed.connect(self._opening_changed)
        for changed in (session.work_changed, session.recipe_changed, session.offers_changed, session.files.changed):
            changed.connect(self._show_what_can_be_done)
        for beside in (session.reference, session.mending, session.restoring_all.masks):
            beside.changed.connect(self._show_what_can_be_done)
        self._show_what_can_be_done()

    @Slot()
    def _rebuild(self) -> None:
        self.list.clear()
        self._items = {}
        names = self._session.files.names
        for path in self._session.files.paths:
            item = QListWidgetItem(icon_of(self._theme.pixmap("file", DRAWN, "muted")), names[path])
            item.setData(Qt.ItemDataRole.UserRole, path)
            item.setToolTip(str(path))
            item.setStatusTip(names[path])
            self.list.addItem(item)
            self._items[path] = item
        self.title.setText(f"{len(self._items)} PHOTOS")
        self.mark_current()
        self._timer.start()

    @Slot()
    def mark_current(self) -> None:
        """Select the photo that is open; nothing is opened by it."""
        opened = self._session.opened
        item = self._items.get(opened.source) if opened and opened.source else None
        self.list.setCurrentItem(item)  # type: ignore[arg-type]
        if item is not None:
            self.list.scrollToItem(item)

    @Slot()
    def _opening_changed(self) -> None:
        if not self._session.opening:
            self.mark_current()  # what was clicked may not have been opened

    @Slot(QListWidgetItem)
    def _clicked(self, item: QListWidgetItem) -> None:
        path = item.data(Qt.ItemDataRole.UserRole)
        if self._session.opened is None or path != self._session.opened.source:
            self.asked.emit(path)

    @Slot(object, object, str)
    def _take_thumbnail(self, path: Path, image: QImage | None, reason: str) -> None:
        item = self._items.get(path)
        if item is None:
            return
        if image is None:
            item.setIcon(icon_of(self._theme.pixmap("broken", DRAWN, "bad")))
            item.setToolTip(f"{path}\n{reason}")
        else:
            item.setIcon(icon_of(QPixmap.fromImage(image)))

    @Slot(object, str)
    def _mark(self, path: Path, words: str) -> None:
        item = self._items.get(path)
        if item is not None:
            item.setText(f"{self._session.files.names[path]}\n{words}")

    @Slot()
    def _show_what_can_be_done(self) -> None:
        obstacle = self._session.restoring_all.obstacle
        self.all.setEnabled(not obstacle)
        self.all.setToolTip(
            obstacle or "\n".join(words for words in (ALL, self._session.restoring_all.masks.about) if words)
        )

    @Slot()
    def _want_visible(self) -> None:
        view = self.list.viewport().rect()
        visible = [p for p, item in self._items.items() if self.list.visualItemRect(item).intersects(view)]
        self._session.files.want(visible)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._timer.start()

    def sizeHint(self) -> QSize:
        return QSize(210, 400)


def icon_of(picture: QPixmap) -> QIcon:
    """The picture in the middle of a square, so that all names begin at one place; a selected photo keeps its colours."""
    square = QPixmap(DRAWN, DRAWN)
    square.fill(Qt.GlobalColor.transparent)
    size = picture.size().scaled(square.size(), Qt.AspectRatioMode.KeepAspectRatio)
    painter = QPainter(square)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    left, top = (DRAWN - size.width()) // 2, (DRAWN - size.height()) // 2
    painter.drawPixmap(QPoint(left, top), picture.scaled(size, mode=Qt.TransformationMode.SmoothTransformation))
    painter.end()
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        icon.addPixmap(square, mode)
    return icon
